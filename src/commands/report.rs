//! `plimsoll report`: the reports of a scan document again, of all findings or of those that an expression concerns.
//!
//! A filtered report says so. A filtered scan document is written only where it is asked for by name, and never over the whole
//! one: a gate would judge what is left.

use std::fs;
use std::path::{Path, PathBuf};

use tracing::info;

use crate::assess::filter;
use crate::assess::policy::Policy;
use crate::cli::{OutputArgs, ReportArgs, ScanArgs};
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::{Code, Diagnosis};
use crate::report::{self, RENDERERS};

use super::gate;
use super::output::Reports;
use super::retest::sbom;

pub(super) fn run(args: &ReportArgs, output: &OutputArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let policy = args.filter.as_deref().map(|text| gate::parse(text, "--where")).transpose()?;
    if policy.as_ref().is_some_and(Policy::needs_coverage) {
        let what = "--where asks for `coverage_gap`, which is no finding";
        let why = "a report can be made of some of the findings; what could not be judged stands in each";
        return Err(Diagnosis::new(Code::InvalidInput, what, why, "leave `coverage_gap` out of --where"));
    }
    let mut document = gate::read_document(&args.report)?;
    // A retest lists the packages with findings: a bill of materials of those would be wrong.
    let is_partial = document.images.iter().any(|image| image.packages.is_some());
    if let Some(name) = args.formats.iter().find(|name| is_partial && sbom::FORMATS.contains(&name.as_str())) {
        let what = format!("`{}` lists packages with findings only, as those of a retest do", args.report.display());
        let why = format!("a report in the format {name} lists all packages");
        return Err(Diagnosis::new(Code::InvalidInput, what, why, "take the one that the retest or a scan wrote"));
    }
    let reports = Reports::chosen(&wanted(args, is_partial), output, environment)?;
    if let Some(policy) = &policy {
        if let Some(path) = targets(args).find(|path| is_same_file(path, &args.report)) {
            let what = format!("`{}` is the scan document itself", path.display());
            let why = "what --where leaves out would be lost for the gate and for other reports";
            return Err(Diagnosis::new(Code::InvalidInput, what, why, "write to another file or directory"));
        }
        let all = document.findings().count();
        filter::retain(policy, &mut document);
        info!("{} of {} match `{policy}`", document.findings().count(), report::count(all, "finding"));
    }
    reports.write(&document)?;
    Ok(Exit::Done)
}

/// The same reports as for a scan; without a place the table, with a filter all but the scan document, and of a document that does
/// not list all packages no bill of materials.
fn wanted(args: &ReportArgs, is_partial: bool) -> ScanArgs {
    let formats = match (&args.out, &args.filter) {
        _ if !args.formats.is_empty() || !args.outputs.is_empty() => args.formats.clone(),
        (None, _) => vec!["table".to_owned()],
        (Some(_), filter) => RENDERERS
            .iter()
            .map(|renderer| renderer.format())
            .filter(|name| filter.is_none() || *name != "json")
            .filter(|name| !is_partial || !sbom::FORMATS.contains(name))
            .map(str::to_owned)
            .collect(),
    };
    ScanArgs {
        out: args.out.clone(),
        formats,
        outputs: args.outputs.clone(),
        show_suppressed: args.show_suppressed,
        ..ScanArgs::default()
    }
}

/// Where a scan document could be written to.
fn targets(args: &ReportArgs) -> impl Iterator<Item = PathBuf> {
    let by_name = args.formats.iter().any(|format| format == "json");
    let in_directory = args.out.iter().filter(move |_| by_name).map(|out| out.join("plimsoll.json"));
    args.outputs.iter().map(PathBuf::from).chain(in_directory)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
