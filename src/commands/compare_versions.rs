//! `plimsoll compare-versions`: the order that matching uses, for people who debug a match.

use std::cmp::Ordering;
use std::io::{self, BufRead};

use crate::cli::CompareVersionsArgs;
use crate::exit::Exit;
use crate::model::{Code, Diagnosis};
use crate::version::{self, Constraint, Scheme};

use super::terminal;

pub(super) fn run(args: &CompareVersionsArgs) -> Result<Exit, Diagnosis> {
    let scheme: Scheme = args.scheme.parse().map_err(|_| {
        let known = Scheme::ALL.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Diagnosis::new(
            Code::InvalidInput,
            format!("`{}` is not a version scheme", args.scheme),
            "versions are compared by the rules of a package ecosystem",
            format!("use one of {known}"),
        )
    })?;
    match (&args.a, &args.b, &args.range) {
        (Some(a), Some(b), None) => terminal::print(format!("{}\n", answer(scheme, a, b)).as_bytes()),
        (Some(a), None, Some(range)) => {
            let constraint = Constraint::parse(scheme, range).map_err(|error| {
                let fix = "write comparisons separated by commas, such as `>=1.2,<2`";
                Diagnosis::new(
                    Code::InvalidInput,
                    format!("`{range}` is not a range of {scheme} versions"),
                    error.to_string(),
                    fix,
                )
            })?;
            let inside = match constraint.contains(a) {
                Some(true) => "in",
                Some(false) => "out",
                None => INVALID,
            };
            terminal::print(format!("{inside}\n").as_bytes());
        }
        (None, None, None) => compare_lines(scheme)?,
        _ => {
            let why = "two versions, or one version and --in RANGE, or nothing (pairs on standard input) are expected";
            return Err(Diagnosis::new(
                Code::InvalidInput,
                "there is nothing to compare",
                why,
                "see plimsoll compare-versions --help",
            ));
        }
    }
    Ok(Exit::Done)
}

fn compare_lines(scheme: Scheme) -> Result<(), Diagnosis> {
    let mut answers = String::new();
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| {
            Diagnosis::new(
                Code::InvalidInput,
                "cannot read standard input",
                error.to_string(),
                "give one `A<TAB>B` a line in UTF-8",
            )
        })?;
        answers.push_str(line.split_once('\t').map_or(INVALID, |(a, b)| answer(scheme, a, b)));
        answers.push('\n');
        if answers.len() > 1 << 16 {
            terminal::print(answers.as_bytes());
            answers.clear();
        }
    }
    terminal::print(answers.as_bytes());
    Ok(())
}

fn answer(scheme: Scheme, a: &str, b: &str) -> &'static str {
    match version::compare(scheme, a, b) {
        Some(Ordering::Less) => "<",
        Some(Ordering::Equal) => "=",
        Some(Ordering::Greater) => ">",
        None => INVALID,
    }
}

const INVALID: &str = "invalid";
