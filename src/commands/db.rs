//! `plimsoll db`: building, inspecting and moving the advisory database.

mod status;
mod transfer;

use std::time::Instant;

use tracing::{info, warn};

use crate::advisories::{self, BuildOptions, BuildReport, Cache, Fetch, Folder, delivery};
use crate::cli::DbBuildArgs;
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::Diagnosis;

use super::{database, terminal};

pub(super) use status::status;
pub(super) use transfer::{export, import, mirror, push, update};

pub(super) fn build(args: &DbBuildArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let started = Instant::now();
    let key = database::signing_key(args.sign_key.as_deref(), environment)?;
    let is_url = |text: &&String| text.starts_with("https://") || text.starts_with("http://");
    let fetch: Box<dyn Fetch> = match &args.from {
        Some(folder) if !is_url(&folder) => Box::new(Folder::new(folder)),
        base => {
            let cache = Cache::new(database::cache_directory(None, environment));
            database::collect_garbage(&cache);
            Box::new(database::upstreams(base.as_deref(), environment, cache)?)
        }
    };
    // After a real clean-up at an upstream, a job sets this once.
    let accept_losses =
        environment.get("PLIMSOLL_DB_ACCEPT_LOSSES").is_some_and(|value| value == "true" || value == "1");
    let options = BuildOptions { keep_last_good: !accept_losses, ..BuildOptions::default() };
    let report = advisories::build(fetch.as_ref(), &args.to, &options);
    let report = report.map_err(|error| database::not_built(&error))?;
    delivery::sign(&args.to, key.as_ref()).map_err(|error| database::not_delivered(&error))?;
    log(&report);
    let (records, bytes) =
        report.shards.iter().fold((0, 0), |(records, bytes), shard| (records + shard.records, bytes + shard.size));
    let seconds = started.elapsed().as_secs_f64();
    let text = format!(
        "{} shards, {records} records, {:.2} MB in {} after {seconds:.1} s{}\n",
        report.shards.len(),
        bytes as f64 / 1e6,
        args.to.display(),
        if key.is_some() { ", signed" } else { "" }
    );
    terminal::print(text.as_bytes());
    // A feed that could not be read leaves a hole that the exit code must show.
    let holes = report.sources.iter().any(|source| source.failure.is_some() || source.outdated.is_some());
    Ok(if holes { Exit::Incomplete } else { Exit::Done })
}

fn log(report: &BuildReport) {
    let mut loose = (0, 0);
    for source in &report.sources {
        if let Some(outdated) = &source.outdated {
            let since = outdated.since.strftime("%Y-%m-%d %H:%M UTC");
            warn!("{}: the copy of {since} is used: {}", source.source, outdated.reason);
        }
        match &source.failure {
            Some(failure) => warn!("{}: not used: {failure}", source.source),
            None if source.source.ends_with(".json") && source.source.starts_with("osv/") => {
                loose = (loose.0 + 1, loose.1 + source.records);
            }
            // Lists of files have none.
            None if source.records == 0 && source.outdated.is_some() => {}
            None => info!("{}: {} records", source.source, source.records),
        }
        for (reason, count, named) in &source.skipped {
            info!("{}: {count} left out ({reason}), such as {}", source.source, named.join("; "));
        }
    }
    for feed in &report.missing {
        info!("{feed}: none of its files are there");
    }
    if loose.0 > 0 {
        info!("osv: {} records in {} loose files", loose.1, loose.0);
    }
}
