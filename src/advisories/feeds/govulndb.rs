//! The Go vulnerability database: all its reports in one zip, in OSV's form.

use std::collections::BTreeSet;

use crate::advisories::zip::Archive;
use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{FeedId, ShardName};

use super::osv::statement;

pub(in crate::advisories) struct GoVulndb;

const FILE: &str = "govulndb/vulndb.zip";

impl Feed for GoVulndb {
    fn id(&self) -> FeedId {
        FeedId::GoVulndb
    }

    fn license(&self) -> &'static str {
        "CC-BY-4.0"
    }

    fn folder(&self) -> &'static str {
        "govulndb"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("govulndb/").map(|file| format!("https://vuln.go.dev/{file}"))
    }

    fn files(&self, _: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let is_wanted = wanted.is_none_or(|wanted| wanted.contains(&ShardName::new("go")));
        if is_wanted { vec![FILE.to_owned()] } else { Vec::new() }
    }

    fn read(&self, _: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let archive = Archive::open(bytes).map_err(FeedError::new)?;
        // Beside the reports there are indexes of them.
        let is_report = |name: &str| name.starts_with("ID/GO-") && name.ends_with(".json");
        let visited = archive.for_each(|name, content| match content {
            Ok(content) if is_report(name) => statement::read_of(FeedId::GoVulndb, name, content, sink),
            Ok(_) => {}
            Err(error) => sink.skip(name, &error.to_string()),
        });
        visited.map_err(FeedError::new)
    }
}
