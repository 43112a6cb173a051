//! `plimsoll gate`: the verdict, in a job of its own because GitLab drops the security report of a failed job.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::assess::policy::Policy;
use crate::cli::GateArgs;
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::{Code, Diagnosis, Finding, ImageScan, Outcome, ScanDocument};
use crate::report::gate::{GateReport, concerned, what_is_missing};

use super::{output, terminal};

pub(super) fn run(args: &GateArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let policies = Policies::of(args.fail_on.as_deref(), args.warn_on.as_deref(), environment)?;
    let document = read_document(&args.report)?;
    let failing = policies.fail.concerned(&document);
    // What fails is not warned of as well.
    let known: HashSet<*const Finding> = failing.iter().map(|(_, finding)| std::ptr::from_ref(*finding)).collect();
    let warn = policies.warn.as_ref().map(|(policy, _)| policy);
    let mut warned = warn.map(|policy| policy.concerned(&document)).unwrap_or_default();
    warned.retain(|(_, finding)| !known.contains(&std::ptr::from_ref(*finding)));
    let gaps = policies.fail.gaps(&document);
    let mut warned_gaps = warn.map(|policy| policy.gaps(&document)).unwrap_or_default();
    warned_gaps.retain(|image| !gaps.iter().any(|known| std::ptr::eq(*known, *image)));
    if let Some(path) = &args.junit {
        let report = GateReport {
            policy: policies.fail.to_string(),
            failing: &failing,
            gaps: &gaps,
            warning: policies.warn.as_ref().map(|(policy, _)| policy.to_string()),
            warned: &warned,
            warned_gaps: &warned_gaps,
        };
        output::write_file(path, |out| report.junit(&document, out))
            .map_err(|error| output::not_written(path, &error))?;
    }
    let mut text = String::new();
    if let Some((policy, origin)) = &policies.warn {
        list(&mut text, &warned);
        missing(&mut text, &warned_gaps);
        let number = concerned(warned.len(), warned_gaps.len());
        let _ = writeln!(text, "gate: warning: {number} match `{policy}` ({origin})");
    }
    list(&mut text, &failing);
    missing(&mut text, &gaps);
    let asked =
        |asks: fn(&Policy) -> bool| asks(&policies.fail) || policies.warn.iter().any(|(policy, _)| asks(policy));
    if asked(Policy::needs_baseline) {
        match &document.comparison {
            Some(comparison) => {
                let _ = writeln!(text, "  compared with {}", comparison.baseline);
            }
            None => text.push_str("  no baseline to compare with: every finding counts as new\n"),
        }
    }
    if asked(Policy::needs_base) && !is_base_known(&document) {
        text.push_str("  no base image is known and no Dockerfile fits: every finding counts as own\n");
    }
    let Policies { fail: policy, origin, .. } = &policies;
    let incomplete = document.outcome == Outcome::Failure;
    let total = document.findings().count();
    let passed = failing.is_empty() && gaps.is_empty();
    if passed && incomplete {
        let of_images = document.images.iter().filter_map(|image| image.diagnosis.as_ref());
        for diagnosis in document.diagnoses.iter().chain(of_images) {
            let _ = writeln!(text, "  {diagnosis}");
        }
        let _ = writeln!(text, "gate: undecided: no finding matches `{policy}` ({origin}), but the scan is incomplete");
    } else if passed {
        let _ = writeln!(text, "gate: passed: none of {total} findings matches `{policy}` ({origin})");
    } else {
        let number = match gaps.len() {
            0 => format!("{} of {total} findings", failing.len()),
            gaps => concerned(failing.len(), gaps),
        };
        let _ = writeln!(text, "gate: failed: {number} match `{policy}` ({origin})");
    }
    terminal::print(terminal::neutralised(&text).as_bytes());
    Ok(match (passed, incomplete) {
        (false, _) => Exit::PolicyFailed,
        (true, true) => Exit::Incomplete,
        (true, false) => Exit::Done,
    })
}

/// What fails and what only warns.
pub(super) struct Policies<'a> {
    pub(super) fail: Policy,
    /// Where that comes from.
    origin: &'a str,
    warn: Option<(Policy, &'a str)>,
}

impl<'a> Policies<'a> {
    /// The policies that flags, variables or the settings file give.
    ///
    /// # Errors
    /// One does not follow the grammar.
    pub(super) fn of(
        fail_on: Option<&str>,
        warn_on: Option<&str>,
        environment: &'a Environment,
    ) -> Result<Self, Diagnosis> {
        let (fail, origin) = policy(fail_on, environment)?;
        let warn = match (warn_on, environment.get("PLIMSOLL_WARN_ON")) {
            (Some(text), _) => Some((parse(text, "--warn-on")?, "--warn-on")),
            (None, Some(text)) => {
                let origin = environment.origin("PLIMSOLL_WARN_ON");
                Some((parse(text, origin)?, origin))
            }
            (None, None) => None,
        };
        Ok(Self { fail, origin, warn })
    }
}

/// Whether the policies that the component hands on to later jobs can be read: a scan for a gate that will refuse its
/// policy is wasted.
///
/// # Errors
/// One does not follow the grammar.
pub(super) fn check_inputs(environment: &Environment) -> Result<(), Diagnosis> {
    for (variable, input) in [("PLIMSOLL_JOB_FAIL_ON", "fail_on"), ("PLIMSOLL_JOB_WARN_ON", "warn_on")] {
        // There is no gate for it.
        if let Some(text) = environment.get(variable).filter(|text| *text != "never") {
            parse(text, &format!("the component's input `{input}`"))?;
        }
    }
    Ok(())
}

/// The policy that fails the gate, and where it comes from.
pub(super) fn policy<'a>(flag: Option<&str>, environment: &'a Environment) -> Result<(Policy, &'a str), Diagnosis> {
    let (text, origin) = match (flag, environment.get("PLIMSOLL_FAIL_ON")) {
        (Some(text), _) => (text, "--fail-on"),
        (None, Some(text)) => (text, environment.origin("PLIMSOLL_FAIL_ON")),
        (None, None) => (DEFAULT_POLICY, "default"),
    };
    Ok((parse(text, origin)?, origin))
}

pub(super) fn parse(text: &str, origin: &str) -> Result<Policy, Diagnosis> {
    Policy::parse(text).map_err(|error| {
        let fix = "write for example `new && high`, `critical && fixable` or `severity>=high && !kev`";
        Diagnosis::new(Code::InvalidInput, format!("the policy given by {origin} is wrong"), error.to_string(), fix)
    })
}

fn list(text: &mut String, findings: &[(&ImageScan, &Finding)]) {
    for of_image in findings.chunk_by(|(one, _), (other, _)| std::ptr::eq(*one, *other)) {
        for (_, finding) in of_image.iter().take(SHOWN) {
            let fix = finding.fix.version.as_ref();
            let fix = fix.map_or_else(|| "no fix".to_owned(), |version| format!("fixed in {version}"));
            let package = &finding.package;
            let _ =
                writeln!(text, "  {:<8} {}  {} {}  {fix}", finding.severity, finding.id, package.name, package.version);
        }
        if let (Some(more @ 1..), Some((image, _))) = (of_image.len().checked_sub(SHOWN), of_image.first()) {
            let _ = writeln!(text, "  … and {more} more in {}", image.name);
        }
    }
}

/// The images that could not be judged whole, and why.
fn missing(text: &mut String, gaps: &[&ImageScan]) {
    for image in gaps.iter().take(SHOWN) {
        let _ = writeln!(text, "  not judged whole: {}: {}", image.name, what_is_missing(image));
    }
    if let Some(more @ 1..) = gaps.len().checked_sub(SHOWN) {
        let _ = writeln!(text, "  … and {more} more images that were not judged whole");
    }
}

fn is_base_known(document: &ScanDocument) -> bool {
    let dockerfile = document.project.dockerfile.as_ref();
    let layers = |image: &ImageScan| image.inventory.as_ref()?.base_layers(dockerfile);
    document.images.iter().all(|image| layers(image).is_some())
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
