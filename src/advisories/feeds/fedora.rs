//! Fedora's updates: `updateinfo.xml` of the repository of updates of each release. The CVEs of an update are named in the
//! titles of its bugs.

use std::collections::BTreeSet;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Constraint, FeedId, ShardName};

use super::releases::Family;
use super::updateinfo;

pub(in crate::advisories) struct Fedora;

const FAMILY: Family = Family { folder: "fedora/updates", id: "fedora", product: "fedora", known: &["43", "44"] };

impl Feed for Fedora {
    fn id(&self) -> FeedId {
        FeedId::Fedora
    }

    fn license(&self) -> &'static str {
        "copyright Red Hat and others; none stated"
    }

    fn folder(&self) -> &'static str {
        "fedora"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("fedora/").map(|rest| format!("https://dl.fedoraproject.org/pub/fedora/linux/{rest}"))
    }

    fn files(&self, fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let updates = |release: &String| {
            let repository = format!("fedora/updates/{release}/Everything/x86_64");
            let repomd = fetch.get(&format!("{repository}/repodata/repomd.xml")).ok().flatten()?;
            Some(format!("{repository}/{}", updateinfo::location(&repomd)?))
        };
        FAMILY.releases(fetch, wanted).iter().filter_map(updates).collect()
    }

    fn source(&self, path: &str) -> String {
        format!("fedora/{}", path.split('/').nth(2).unwrap_or_default())
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let release = path.split('/').nth(2).ok_or_else(|| FeedError::new("no release in the path"))?;
        let shard = shard(release);
        let shards = BTreeSet::from([shard.clone()]);
        updateinfo::read(bytes, |update| {
            if update.kind != "security" {
                return sink.skip(&update.erratum.id, "not about security");
            }
            if update.erratum.id.is_empty() {
                return sink.skip(path, "no identifier");
            }
            for package in &update.packages {
                let constraints: Vec<_> = package.module.iter().cloned().map(Constraint::Module).collect();
                update.erratum.fixed(&shard, &package.name, &package.version, constraints, FeedId::Fedora, sink);
            }
            if !update.packages.is_empty() {
                update.erratum.tell(&shards, FeedId::Fedora, sink);
            }
        })
    }
}

fn shard(release: &str) -> ShardName {
    ShardName::new(format!("fedora-{release}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::feeds::samples::{Files, sample};

    const UPDATES: &str = r#"<updates><update type="security"><id>FEDORA-2025-1</id><title>zlib</title><severity>Important</severity>
      <references><reference id="7" href="https://e.org" title="CVE-2025-1000 zlib: x [fedora-43]"/></references>
      <pkglist><collection><package name="zlib" version="1.3" release="2.fc43" epoch="0" arch="x86_64"/></collection></pkglist></update>
      <update type="bugfix"><id>FEDORA-2025-2</id></update></updates>"#;

    #[test]
    fn security_updates_of_the_listed_releases() {
        let repomd = "<repomd><data type='updateinfo'><location href='repodata/u.xml'/></data></repomd>";
        let listed = [("fedora/updates/43/Everything/x86_64/repodata/repomd.xml", repomd)];
        let files = Files(&listed);
        let paths = Fedora.files(&files, None);
        assert_eq!(paths, ["fedora/updates/43/Everything/x86_64/repodata/u.xml"]);
        let mut sink = Sink::new(None, "fedora".into());
        Fedora.read(&paths[0], UPDATES.as_bytes(), &mut sink).expect("updates");
        let all = sink.decoded("fedora-43");
        let [(name, record)] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((name.as_str(), record.covers.as_slice()), ("zlib", &["CVE-2025-1000".to_owned()][..]));
        assert_eq!(sink.source.skipped.get("not about security").map(|skipped| skipped.count), Some(1));
    }

    #[test]
    fn the_sample_holds_bug_fixes_only() {
        let folder = "fedora/updateinfo/testdata/fixtures/happy/fedora/linux/updates/43/Everything/x86_64/repodata";
        let file = "74f58a91baa4a290e7ab058c6298b46ef49fc5ee990ede14d181340e5d22fca9-updateinfo.xml.zst";
        let Some(bytes) = sample(&format!("{folder}/{file}")) else { return };
        let mut sink = Sink::new(None, "fedora".into());
        Fedora.read("fedora/updates/43/Everything/x86_64/repodata/u.xml.zst", &bytes, &mut sink).expect("a sample");
        assert!(sink.source.skipped.get("not about security").is_some_and(|skipped| skipped.count > 0));
        assert_eq!(sink.source.records, 0);
    }
}
