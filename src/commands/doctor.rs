//! `plimsoll doctor`: what a scan needs, checked in the order in which a scan needs it; of each what is fine, or what to
//! change and where. After the checks, what each token can do.
//!
//! Changes nothing, downloads no layer, and asks no host that a scan would not ask.

mod api;
mod capabilities;
mod local;
mod registry;

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::DoctorArgs;
use crate::context::{Environment, Job, NetworkSettings, pipeline_images};
use crate::exit::Exit;
use crate::model::{Code, Diagnosis};

use super::terminal;

pub(super) fn run(args: &DoctorArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    if !["text", "json"].contains(&args.format.as_str()) {
        let what = format!("`{}` is not a format of the doctor", args.format);
        return Err(Diagnosis::new(
            Code::InvalidInput,
            what,
            "--format says how to write the result",
            "use text or json",
        ));
    }
    let images = if args.images.is_empty() {
        pipeline_images(environment).into_iter().map(|image| image.image).collect()
    } else {
        args.images.clone()
    };
    if args.print_ca {
        return print_certificates(&images);
    }
    let mut checks = surroundings(environment);
    checks.extend(registry::check(&images, environment));
    checks.push(local::database(args.db.as_deref(), environment));
    checks.push(local::reports());
    let network = NetworkSettings::from_environment(environment, &[]).ok();
    let tokens = capabilities::of(environment, network.as_ref());
    let text = if args.format == "json" {
        format!("{:#}\n", serde_json::json!({ "checks": checks, "tokens": tokens }))
    } else {
        terminal::neutralised(&(text(&checks) + &capabilities::text(&tokens)))
    };
    terminal::print(text.as_bytes());
    Ok(if checks.iter().any(|check| check.state == State::Failed) { Exit::Incomplete } else { Exit::Done })
}

/// The chain of each registry, the certificate that signed the others last.
fn print_certificates(images: &[String]) -> Result<Exit, Diagnosis> {
    let mut text = String::new();
    for image in images {
        for certificate in registry::certificates(image)? {
            let _ = write!(text, "# {certificate}\n{}", certificate.pem);
        }
    }
    terminal::print(terminal::neutralised(&text).as_bytes());
    Ok(Exit::Done)
}

/// After a scan that failed on network or credentials: the checks of everything around the registry, for the log.
pub(super) fn after_failure(environment: &Environment) -> String {
    text(&surroundings(environment))
}

/// All but registry, database and reports.
fn surroundings(environment: &Environment) -> Vec<Check> {
    let mut checks = vec![local::pipeline(environment), local::addresses(environment)];
    let network = match NetworkSettings::from_environment(environment, &[]) {
        Ok(network) => network,
        Err(error) => {
            let fix = "correct the variable or file that is named";
            let diagnosis =
                Diagnosis::new(Code::InvalidInput, "the network settings are wrong", error.to_string(), fix);
            checks.push(Check::failed("certificates", diagnosis));
            return checks;
        }
    };
    checks.push(local::certificates(&network));
    checks.push(local::proxies(&network));
    match Job::from_environment(environment) {
        Some(job) => checks.extend(api::check(&job, &network)),
        None => checks.push(Check::off("API", "CI_API_V4_URL and CI_PROJECT_ID are not set: no comment, no baseline")),
    }
    checks
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    /// What: `registry`, `job token`, ….
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnosis: Option<Diagnosis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Works.
    Fine,
    /// Works, but not for long or not well.
    Warning,
    /// Does not work.
    Failed,
    /// Not set up, which is no fault.
    Off,
}

impl Check {
    fn fine(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Fine, found: found.into(), diagnosis: None }
    }

    fn warning(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Warning, found: found.into(), diagnosis: None }
    }

    fn off(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Off, found: found.into(), diagnosis: None }
    }

    fn failed(name: &'static str, diagnosis: Diagnosis) -> Self {
        Self { name, state: State::Failed, found: diagnosis.what.clone(), diagnosis: Some(diagnosis) }
    }
}

fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = match check.state {
            State::Fine => "✓",
            State::Warning => "!",
            State::Failed => "✗",
            State::Off => "–",
        };
        // Writing into a string cannot fail.
        let _ = match &check.diagnosis {
            Some(diagnosis) => writeln!(
                text,
                "{mark} {:<13} error[{}] {}\n  {:<13} why: {}\n  {:<13} fix: {}",
                check.name, diagnosis.code, diagnosis.what, "", diagnosis.why, "", diagnosis.fix
            ),
            None => writeln!(text, "{mark} {:<13} {}", check.name, check.found),
        };
    }
    text
}
