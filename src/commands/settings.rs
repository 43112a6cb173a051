//! From the command line to settings, and from settings to what the verbs read.

use std::path::PathBuf;

use tracing::{info, warn};

use crate::cli::{Cli, Command, OutputArgs, RetestArgs, ScanArgs, SelectionArgs, StaleDb};
use crate::context::Environment;
use crate::model::{Code, Diagnosis};
use crate::settings::{self, Flags, Settings, SettingsFile};

/// Settles what holds, before any work is done.
pub(super) fn settle(cli: &Cli, environment: &Environment) -> Result<Settings, Diagnosis> {
    let settled = || {
        let file = match &cli.command {
            // What compares two versions does not stumble over a project's settings.
            Command::CompareVersions(_) => None,
            _ => {
                let (path, named) = settings::location(cli.config.as_deref(), environment);
                SettingsFile::read(&path, named)?
            }
        };
        Settings::settle(&flags(cli), environment, file)
    };
    settled().map_err(|error| {
        let fix = "see docs/settings.md for all settings and their values";
        Diagnosis::new(Code::InvalidInput, "a setting is wrong", error.to_string(), fix)
    })
}

/// Says what is not at its default, and what has no effect.
pub(super) fn log(settings: &Settings) {
    for line in settings.lines() {
        info!("{line}");
    }
    for notice in &settings.notices {
        warn!("{notice}");
    }
}

/// How the program talks, with what the settings say.
pub(super) fn output(args: &OutputArgs, environment: &Environment) -> OutputArgs {
    OutputArgs { quiet: args.quiet || environment.is_true("PLIMSOLL_QUIET"), ..args.clone() }
}

/// The arguments of `scan`, with what the settings say.
pub(super) fn scan(args: &ScanArgs, environment: &Environment) -> ScanArgs {
    let path = |name: &str| environment.get(name).map(PathBuf::from);
    ScanArgs {
        fallback_db: args.fallback_db.clone().or_else(|| path("PLIMSOLL_FALLBACK_DB")),
        out: args.out.clone().or_else(|| path("PLIMSOLL_OUT")),
        offline: args.offline || environment.is_true("PLIMSOLL_OFFLINE"),
        ..args.clone()
    }
}

/// The arguments of `retest`, with what the settings say.
pub(super) fn retest(args: &RetestArgs, environment: &Environment) -> RetestArgs {
    let scan = scan(&args.scan(), environment);
    RetestArgs { fallback_db: scan.fallback_db, out: scan.out, offline: scan.offline, ..args.clone() }
}

/// The flags that are settings.
fn flags(cli: &Cli) -> Flags {
    let mut flags = Flags::new();
    let mut add = |name, texts: Vec<String>| {
        if !texts.is_empty() {
            flags.push((name, texts));
        }
    };
    add("--quiet", switch(cli.output.quiet));
    add("--log-level", cli.output.log_level.iter().cloned().collect());
    match &cli.command {
        Command::Scan(args) => scan_flags(args, &mut add),
        Command::Retest(args) => {
            scan_flags(&args.scan(), &mut add);
            selection_flags(&args.selection, &mut add);
            add("--every", args.every.iter().cloned().collect());
            add("--keep", args.keep.iter().cloned().collect());
        }
        Command::Images(args) => selection_flags(&args.selection, &mut add),
        Command::Plan(args) => {
            selection_flags(&args.selection, &mut add);
            add("--every", args.every.iter().cloned().collect());
            add("--fail-on", args.fail_on.iter().cloned().collect());
        }
        Command::Gate(args) => add("--fail-on", args.fail_on.iter().cloned().collect()),
        Command::Publish(args) => {
            add("--fail-on", args.fail_on.iter().cloned().collect());
            add("--comment", args.comment.iter().cloned().collect());
            add("--thread", switch(args.thread));
        }
        Command::Overview(args) => add("--out", args.out.iter().map(|path| path.display().to_string()).collect()),
        Command::Alert(args) => {
            add("--out", args.out.iter().map(|path| path.display().to_string()).collect());
            add("--notify", args.notify.notify.clone());
            add("--alert-on", args.notify.alert_on.iter().cloned().collect());
            add("--sla", args.notify.sla.iter().cloned().collect());
        }
        _ => {}
    }
    flags
}

fn scan_flags(args: &ScanArgs, add: &mut dyn FnMut(&'static str, Vec<String>)) {
    let path = |path: &PathBuf| path.display().to_string();
    add("--platform", args.platform.iter().map(ToString::to_string).collect());
    add("--db", args.db.iter().map(path).collect());
    add("--fallback-db", args.fallback_db.iter().map(path).collect());
    add("--out", args.out.iter().map(path).collect());
    add("--cache-dir", args.cache_dir.iter().map(path).collect());
    add("--offline", switch(args.offline));
    add("--max-db-age", args.trust.max_db_age.iter().cloned().collect());
    let action = args.trust.stale_db.map(|action| if action == StaleDb::Fail { "fail" } else { "warn" });
    add("--stale-db", action.iter().map(ToString::to_string).collect());
    add("--baseline", args.baseline.iter().cloned().collect());
    let filter = &args.filter;
    add("--severity-threshold", filter.severity_threshold.iter().cloned().collect());
    add("--ignore-unfixed", switch(filter.ignore_unfixed));
    add("--ignore-statuses", filter.ignore_statuses.clone());
    add("--exclude-app-vulns", switch(filter.exclude_app_vulns));
    add("--ignore-file", filter.ignore_files.iter().map(path).collect());
    add("--vex", filter.vex.iter().map(path).collect());
}

fn selection_flags(args: &SelectionArgs, add: &mut dyn FnMut(&'static str, Vec<String>)) {
    add("--select", args.select.iter().cloned().collect());
    add("--state", args.state.iter().map(|path| path.display().to_string()).collect());
}

fn switch(on: bool) -> Vec<String> {
    if on { vec!["true".to_owned()] } else { Vec::new() }
}
