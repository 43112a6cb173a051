//! OSV exports (schema 1.7): one zip of JSON records per ecosystem, or loose `*.json` files.
//!
//! Distributions' records name the CVEs that they are about under `upstream` or `related`; these become
//! [`Advisory::covers`]. Ranges of type `GIT` are of no use for packages and left out. Red Hat's records are left out as
//! a whole: without content sets they would be judged wrongly.

mod ecosystem;
mod record;
pub(super) mod statement;

use std::collections::BTreeSet;

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
                _ => files.push(format!("osv/{name}/all.zip")),
            }
        }
        files
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        if path.ends_with(".json") {
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
