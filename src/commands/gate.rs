//! `plimsoll gate`: the verdict, in a job of its own because GitLab drops the security report of a failed job.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::assess::policy::Policy;
use crate::cli::GateArgs;
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::{Code, Diagnosis, Finding, Outcome, ScanDocument};

use super::terminal;

pub(super) fn run(args: &GateArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let (policy, origin) = policy(args.fail_on.as_deref(), environment)?;
    let document = read_document(&args.report)?;
    let mut text = String::new();
    let mut failing = 0;
    for image in &document.images {
        let matching: Vec<&Finding> = image.findings.iter().filter(|finding| policy.matches(finding)).collect();
        failing += matching.len();
        for finding in matching.iter().take(SHOWN) {
            let fix = finding
                .fix
                .version
                .as_ref()
                .map_or_else(|| "no fix".to_owned(), |version| format!("fixed in {version}"));
            let package = &finding.package;
            let _ =
                writeln!(text, "  {:<8} {}  {} {}  {fix}", finding.severity, finding.id, package.name, package.version);
        }
        if matching.len() > SHOWN {
            let _ = writeln!(text, "  … and {} more in {}", matching.len() - SHOWN, image.name);
        }
    }
    match &document.comparison {
        _ if !policy.needs_baseline() => {}
        Some(comparison) => {
            let _ = writeln!(text, "  compared with {}", comparison.baseline);
        }
        None => text.push_str("  no baseline to compare with: every finding counts as new\n"),
    }
    let incomplete = document.outcome == Outcome::Failure;
    let total = document.findings().count();
    if failing > 0 {
        let _ = writeln!(text, "gate: failed: {failing} of {total} findings match `{policy}` ({origin})");
    } else if incomplete {
        let _ =
            writeln!(text, "gate: undecided: no finding matches `{policy}` ({origin}), but the scan is incomplete:");
        let of_images = document.images.iter().filter_map(|image| image.diagnosis.as_ref());
        for diagnosis in document.diagnoses.iter().chain(of_images) {
            let _ = writeln!(text, "  {diagnosis}");
        }
    } else {
        let _ = writeln!(text, "gate: passed: none of {total} findings matches `{policy}` ({origin})");
    }
    terminal::print(terminal::neutralised(&text).as_bytes());
    Ok(match (failing, incomplete) {
        (1.., _) => Exit::PolicyFailed,
        (0, true) => Exit::Incomplete,
        (0, false) => Exit::Done,
    })
}

/// The policy of the gate, and where it comes from.
pub(super) fn policy<'a>(flag: Option<&str>, environment: &'a Environment) -> Result<(Policy, &'a str), Diagnosis> {
    let (text, origin) = match (flag, environment.get("PLIMSOLL_FAIL_ON")) {
        (Some(text), _) => (text, "--fail-on"),
        (None, Some(text)) => (text, environment.origin("PLIMSOLL_FAIL_ON")),
        (None, None) => (DEFAULT_POLICY, "default"),
    };
    let policy = Policy::parse(text).map_err(|error| {
        let fix = "write for example `new && high`, `critical && fixable` or `severity>=high && !kev`";
        Diagnosis::new(Code::InvalidInput, format!("the policy given by {origin} is wrong"), error.to_string(), fix)
    })?;
    Ok((policy, origin))
}

/// Reads a scan document.
pub(super) fn read_document(path: &Path) -> Result<ScanDocument, Diagnosis> {
    let invalid = |why: String| {
        let what = format!("cannot read the scan document `{}`", path.display());
        Diagnosis::new(
            Code::InvalidInput,
            what,
            why,
            "give --report the plimsoll.json that `plimsoll scan` wrote; in a pipeline, let the job need the scan job with its artifacts",
        )
    };
    let bytes = fs::read(path).map_err(|error| invalid(error.to_string()))?;
    let document: ScanDocument = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
    if document.format == ScanDocument::FORMAT {
        Ok(document)
    } else {
        Err(invalid(format!("its format is `{}`, this version reads `{}`", document.format, ScanDocument::FORMAT)))
    }
}

/// What an image brings, not what was there before; everything where there is no baseline.
const DEFAULT_POLICY: &str = "new && critical";

/// Findings listed per image; the report has them all.
const SHOWN: usize = 20;
