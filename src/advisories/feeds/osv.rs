//! OSV exports (schema 1.7): one zip of JSON records per ecosystem, or loose `*.json` files.
//!
//! Distributions' records name the CVEs that they are about under `upstream` or `related`; these become
//! [`Advisory::covers`]. Ranges of type `GIT` are of no use for packages and left out. Red Hat's records are left out as
//! a whole: without content sets they would be judged wrongly.
//!
//! Where a copy of an export is kept, only the records that `modified_id.csv` calls changed since are fetched.

mod ecosystem;
mod record;
pub(super) mod statement;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::advisories::zip::Archive;
use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{FeedId, ShardName};

pub(in crate::advisories) struct Osv;

impl Feed for Osv {
    fn id(&self) -> FeedId {
        FeedId::Osv
    }

    fn license(&self) -> &'static str {
        "per source: CC-BY-4.0, CC0-1.0 and others, see the OSV data sources page"
    }

    fn folder(&self) -> &'static str {
        "osv"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("osv/")
            .map(|rest| format!("https://osv-vulnerabilities.storage.googleapis.com/{}", rest.replace(' ', "%20")))
    }

    fn files(&self, fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let folders: BTreeSet<String> = match fetch.list("osv") {
            Some(names) => names.into_iter().collect(),
            None => {
                let listed = fetch.get("osv/ecosystems.txt").ok().flatten().unwrap_or_default();
                let text = String::from_utf8_lossy(&listed);
                text.lines()
                    .map(|line| line.split(':').next().unwrap_or(line).trim().to_owned())
                    .filter(|name| !name.is_empty())
                    .collect()
            }
        };
        let mut files = Vec::new();
        for name in folders {
            if name.ends_with(".json") {
                files.push(format!("osv/{name}"));
                continue;
            }
            if name.contains('.') && !name.eq("crates.io") || !ecosystem::may_hold(&name, wanted) {
                continue;
            }
            let inside = fetch.list(&format!("osv/{name}"));
            match inside {
                Some(inside) if !inside.iter().any(|file| file == "all.zip") => {
                    files.extend(
                        inside.iter().filter(|file| file.ends_with(".json")).map(|file| format!("osv/{name}/{file}")),
                    );
                }
                _ => files.extend(export(fetch, &name)),
            }
        }
        files
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        if let Some(name) = path.strip_suffix(".json") {
            // One that changed after the export was made, named by its id.
            sink.supersedes(FeedId::Osv, name.rsplit('/').next().unwrap_or(name));
            statement::read(path, bytes, sink);
            return Ok(());
        }
        let archive = Archive::open(bytes).map_err(FeedError::new)?;
        let visited = archive.for_each(|name, content| match content {
            Ok(content) if name.ends_with(".json") => statement::read(name, content, sink),
            Ok(_) => {}
            Err(error) => sink.skip(name, &error.to_string()),
        });
        visited.map_err(FeedError::new)
    }
}

/// The export of an ecosystem; where a copy is kept and little has changed since, that copy and what has changed.
fn export(fetch: &dyn Fetch, ecosystem: &str) -> Vec<String> {
    let all = format!("osv/{ecosystem}/all.zip");
    let Some(changed) = fetch.kept(&all).and_then(|kept| changes(fetch, ecosystem, kept)) else { return vec![all] };
    fetch.rely_on_kept(&all);
    std::iter::once(all).chain(changed).collect()
}

/// The records that changed since the copy was current; `None` where the whole export is the better way.
fn changes(fetch: &dyn Fetch, ecosystem: &str, kept: Timestamp) -> Option<Vec<String>> {
    // Records that are gone are in no list of changes.
    if Timestamp::now().duration_since(kept) > WHOLE_AGAIN {
        return None;
    }
    let listed = fetch.get(&format!("osv/{ecosystem}/modified_id.csv")).ok().flatten()?;
    let text = std::str::from_utf8(&listed).ok()?;
    let mut changed = Vec::new();
    for row in text.lines().filter(|row| !row.is_empty()) {
        let (modified, id) = row.split_once(',')?;
        let modified: Timestamp = modified.parse().ok()?;
        // Exports lag behind the dates of their records.
        if modified.saturating_add(LAG).is_ok_and(|date| date < kept) {
            continue;
        }
        let is_plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'_' | b'.'));
        if changed.len() >= MOST_CHANGES || !is_plain || id.starts_with('.') || id.is_empty() {
            return None;
        }
        let path = format!("osv/{ecosystem}/{id}.json");
        if fetch.kept(&path).is_some_and(|kept| modified.saturating_add(LAG).is_ok_and(|date| date < kept)) {
            fetch.rely_on_kept(&path);
        }
        changed.push(path);
    }
    Some(changed)
}

/// Above that one large file is faster than many small ones.
const MOST_CHANGES: usize = 400;
const LAG: SignedDuration = SignedDuration::from_hours(24);
const WHOLE_AGAIN: SignedDuration = SignedDuration::from_hours(7 * 24);
