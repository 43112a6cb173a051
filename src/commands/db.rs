//! `plimsoll db`: building and inspecting the advisory database.

use std::fmt::Write as _;
use std::time::Instant;

use tracing::{info, warn};

use crate::advisories::{self, BuildOptions, BuildReport, Fetch, Folder};
use crate::cli::{DbBuildArgs, DbStatusArgs};
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::Diagnosis;

use super::{database, terminal};

pub(super) fn build(args: &DbBuildArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let started = Instant::now();
    let is_url = |text: &&String| text.starts_with("https://") || text.starts_with("http://");
    let fetch: Box<dyn Fetch> = match &args.from {
        Some(folder) if !is_url(&folder) => Box::new(Folder::new(folder)),
        base => Box::new(database::Upstreams::new(base.as_deref(), environment)?),
    };
    let report = advisories::build(fetch.as_ref(), &args.to, &BuildOptions::default());
    let report = report.map_err(|error| database::not_built(&error))?;
    log(&report);
    let (records, bytes) =
        report.shards.iter().fold((0, 0), |(records, bytes), shard| (records + shard.records, bytes + shard.size));
    let seconds = started.elapsed().as_secs_f64();
    let text = format!(
        "{} shards, {records} records, {:.2} MB in {} after {seconds:.1} s\n",
        report.shards.len(),
        bytes as f64 / 1e6,
        args.to.display()
    );
    terminal::print(text.as_bytes());
    // A feed that could not be read leaves a hole that the exit code must show.
    let holes = report.sources.iter().any(|source| source.failure.is_some());
    Ok(if holes { Exit::Incomplete } else { Exit::Done })
}

fn log(report: &BuildReport) {
    let mut loose = (0, 0);
    for source in &report.sources {
        match &source.failure {
            Some(failure) => warn!("{}: not used: {failure}", source.source),
            None if source.source.ends_with(".json") && source.source.starts_with("osv/") => {
                loose = (loose.0 + 1, loose.1 + source.records);
            }
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

pub(super) fn status(args: &DbStatusArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let cache = database::cache_directory(None, environment);
    let path =
        database::named(args.db.as_deref(), environment).map_or_else(|| database::PUBLISHED.into(), |(path, _)| path);
    let opened = database::open_or_build(&path, &cache)?;
    let (info, shards) = (opened.info(), opened.shards());
    if args.json {
        let value = serde_json::json!({ "database": info, "shards": shards });
        terminal::print(format!("{value:#}\n").as_bytes());
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    let date = |stamp: Option<jiff::Timestamp>| {
        stamp.map_or_else(|| "-".to_owned(), |stamp| stamp.strftime("%Y-%m-%d").to_string())
    };
    let _ = writeln!(text, "{} built {}", info.origin, info.built.strftime("%Y-%m-%d %H:%M UTC"));
    if info.example {
        let _ = writeln!(text, "EXAMPLE DATA: a small set for trying the program out, not a basis for decisions");
    }
    let _ = writeln!(text, "\n{:<24} {:>10} {:>12}  newest", "shard", "records", "bytes");
    for shard in shards {
        let _ = writeln!(text, "{:<24} {:>10} {:>12}  {}", shard.name, shard.records, shard.size, date(shard.newest));
    }
    let _ = writeln!(text, "\n{:<24} {:>10}  newest", "source", "records");
    for source in &info.sources {
        let _ = writeln!(text, "{:<24} {:>10}  {}", source.source, source.records, date(source.date));
    }
    terminal::print(terminal::neutralised(&text).as_bytes());
    Ok(Exit::Done)
}
