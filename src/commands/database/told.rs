//! What people are told of how a database came to be: lines in the log, and gaps of the report for what is missing in it.

use tracing::{info, warn};

use crate::advisories::delivery::{OnDemand, Update};
use crate::advisories::{BuildReport, Database, SourceReport, Trust};
use crate::model::Gap;

use super::access::stale;

/// Tells what an update did; what could not be done is a gap of the report.
pub(in crate::commands) fn said(origin: &str, update: &Update) -> Option<Gap> {
    if let Some(built) = update.rolled_back {
        let built = built.strftime("%Y-%m-%d %H:%M UTC");
        let reason = format!(
            "it now has an older database than was there before, built {built}; the newer one in the cache is used"
        );
        warn!("{origin}: {reason}");
        return Some(stale(origin, reason));
    }
    match &update.outdated {
        Some(reason) => {
            warn!("{origin} could not be asked, what the cache holds is used: {reason}");
            Some(stale(origin, format!("it could not be asked for news: {reason}")))
        }
        None if update.unchanged && update.moved.files == 0 => {
            info!("{origin} has nothing new");
            None
        }
        None => {
            info!("{} files with {} bytes came from {origin}", update.moved.files, update.moved.bytes);
            None
        }
    }
}

/// Tells what came of shards that were made on demand.
pub(super) fn made(report: &OnDemand) -> Vec<Gap> {
    let update = Update { outdated: report.outdated.clone(), ..Update::default() };
    let mut gaps: Vec<Gap> = said("the upstreams", &update).into_iter().collect();
    for (source, reason) in &report.failures {
        warn!("{source}: not used: {reason}");
        gaps.push(hole(source, reason));
    }
    gaps
}

/// Tells what a build made of each file; what could not be used, or not to its end, is a gap.
pub(in crate::commands) fn build_told(report: &BuildReport) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let (mut loose, mut loose_records) = (0, 0);
    for SourceReport { source, records, skipped, failure, outdated, .. } in &report.sources {
        if let Some(outdated) = outdated {
            let since = outdated.since.strftime("%Y-%m-%d %H:%M UTC");
            warn!("{source}: the copy of {since} is used: {}", outdated.reason);
            gaps.push(stale(source, format!("the copy of {since} is used: {}", outdated.reason)));
        }
        match failure {
            Some(failure) => {
                warn!("{source}: not used: {failure}");
                gaps.push(hole(source, failure));
            }
            None if source.ends_with(".json") && source.starts_with("osv/") => {
                (loose, loose_records) = (loose + 1, loose_records + records);
            }
            // Lists of files have none.
            None if *records == 0 && outdated.is_some() => {}
            None => info!("{source}: {records} records"),
        }
        for (reason, count, named) in skipped {
            info!("{source}: {count} left out ({reason}), such as {}", named.join("; "));
        }
    }
    for feed in &report.missing {
        info!("{feed}: none of its files are there");
    }
    if loose > 0 {
        info!("osv: {loose_records} records in {loose} loose files");
    }
    let more = gaps.len().saturating_sub(MOST_GAPS);
    if more > 0 {
        gaps.truncate(MOST_GAPS);
        gaps.push(stale("the feeds", format!("{more} more files were not used; the log names them")));
    }
    gaps
}

/// Tells that nobody vouches for a database; one that was named as a directory is as good as the directory.
pub(super) fn unsigned(database: &Database, remote: bool) {
    let origin = &database.info().origin;
    match database.trust() {
        Trust::Verified => info!("the signature of {origin} holds"),
        Trust::Unverified if remote => {
            warn!("{origin} is signed, but no key is given to verify it: set --db-key or PLIMSOLL_DB_KEY");
        }
        Trust::Unsigned if remote => warn!("{origin} is not signed: anybody who may push there can change it"),
        _ => {}
    }
}

fn hole(source: &str, reason: &str) -> Gap {
    stale(source, format!("not used: {reason}"))
}

/// Files that reports name one by one.
const MOST_GAPS: usize = 20;
