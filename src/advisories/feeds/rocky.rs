//! Rocky Linux's errata: `updateinfo.xml` of the repositories that images have. Its packages name no modules, titles do.

use std::collections::BTreeSet;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Constraint, FeedId, ShardName};

use super::erratum::modules_in;
use super::releases::Family;
use super::updateinfo;

pub(in crate::advisories) struct Rocky;

const FAMILY: Family = Family { folder: "rocky", id: "rocky", product: "rocky-linux", known: &["8", "9", "10"] };

/// The repositories of a release.
fn repositories(release: &str) -> [&'static str; 3] {
    ["BaseOS", "AppStream", if release == "8" { "PowerTools" } else { "CRB" }]
}

impl Feed for Rocky {
    fn id(&self) -> FeedId {
        FeedId::Rocky
    }

    fn license(&self) -> &'static str {
        "none stated; BSD as for its OSV records"
    }

    fn folder(&self) -> &'static str {
        "rocky"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("rocky/").map(|rest| format!("https://download.rockylinux.org/pub/rocky/{rest}"))
    }

    fn files(&self, fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let releases = FAMILY.releases(fetch, wanted);
        let all = releases.iter().flat_map(|release| repositories(release).map(|name| (release, name)));
        let updates = |(release, name): (&String, &str)| {
            let repository = format!("rocky/{release}/{name}/x86_64/os");
            let repomd = fetch.get(&format!("{repository}/repodata/repomd.xml")).ok().flatten()?;
            Some(format!("{repository}/{}", updateinfo::location(&repomd)?))
        };
        all.filter_map(updates).collect()
    }

    fn source(&self, path: &str) -> String {
        path.split('/').take(3).collect::<Vec<_>>().join("/")
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let release = path.split('/').nth(1).ok_or_else(|| FeedError::new("no release in the path"))?;
        let shard = shard(release);
        let shards = BTreeSet::from([shard.clone()]);
        updateinfo::read(bytes, |update| {
            let erratum = update.erratum;
            if erratum.id.is_empty() {
                return sink.skip(path, "no identifier");
            }
            if update.kind != "security" && erratum.cves.is_empty() {
                return sink.skip(&erratum.id, "not about security");
            }
            if update.packages.is_empty() {
                return sink.skip(&erratum.id, "no package");
            }
            for package in &update.packages {
                let mut modules: BTreeSet<&str> = package.module.as_deref().into_iter().collect();
                if modules.is_empty() && package.version.contains(".module") {
                    modules = modules_in(&erratum.title);
                }
                let mut fixed = |constraints| {
                    erratum.fixed(&shard, &package.name, &package.version, constraints, FeedId::Rocky, sink);
                };
                if modules.is_empty() {
                    fixed(Vec::new());
                }
                modules.into_iter().for_each(|module| fixed(vec![Constraint::Module(module.to_owned())]));
            }
            erratum.tell(&shards, FeedId::Rocky, sink);
        })
    }
}

/// `9` and `9.4` are one release.
fn shard(release: &str) -> ShardName {
    ShardName::new(format!("rocky-{}", release.split('.').next().unwrap_or(release)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::feeds::samples::{Files, sample};
    use crate::model::{Event, Severity};

    #[test]
    fn repositories_name_their_updates() {
        let repomd = "<repomd><data type='updateinfo'><location href='repodata/u.xml.gz'/></data></repomd>";
        let listed = [("rocky/9/BaseOS/x86_64/os/repodata/repomd.xml", repomd)];
        let files = Rocky.files(&Files(&listed), None);
        assert_eq!(files, ["rocky/9/BaseOS/x86_64/os/repodata/u.xml.gz"]);
        assert_eq!(Rocky.source(&files[0]), "rocky/9/BaseOS");
        let url = Rocky.upstream(&files[0]);
        let expected = "https://download.rockylinux.org/pub/rocky/9/BaseOS/x86_64/os/repodata/u.xml.gz";
        assert_eq!(url.as_deref(), Some(expected));
        let wanted = BTreeSet::from([ShardName::new("rocky-8")]);
        assert!(Rocky.files(&Files(&listed), Some(&wanted)).is_empty());
    }

    #[test]
    fn samples_are_read() {
        let fixtures = "rocky/updateinfo/testdata/fixtures";
        for (file, path, package, cve, fixed) in [
            (
                "happy/pub/rocky/9/BaseOS/x86_64/os/repodata/aaaa587b7c2316f0b357a284fc32836ceee13fe54e277cc841b30ecefb7cbb42a-updateinfo.xml.gz",
                "rocky/9/BaseOS/x86_64/os/repodata/u.xml.gz",
                "xz",
                "CVE-2022-1271",
                "5.2.5-8.el9_0",
            ),
            (
                "happy/vault/rocky/8.6/BaseOS/x86_64/os/repodata/dddd587b7c2316f0b357a284fc32836ceee13fe54e277cc841b30ecefb7cbb42a-updateinfo.xml.gz",
                "rocky/8/BaseOS/x86_64/os/repodata/u.xml.gz",
                "openssl",
                "CVE-2022-0778",
                "1:1.1.1k-6.el8_5",
            ),
        ] {
            let Some(bytes) = sample(&format!("{fixtures}/{file}")) else { return };
            let mut sink = Sink::new(None, "rocky".into());
            Rocky.read(path, &bytes, &mut sink).expect("updates");
            let all = sink.decoded(shard(path.split('/').nth(1).unwrap()).as_str());
            let found = all.iter().find(|(name, record)| name == package && record.covers == [cve]);
            let (_, record) = found.unwrap_or_else(|| panic!("{package}: {all:#?}"));
            assert_eq!(record.severity, Some(Severity::High));
            assert_eq!(record.ranges[0].events[1], Event::Fixed(fixed.into()));
        }
        let broken = "corruptcrc/pub/rocky/9/BaseOS/x86_64/os/repodata/corrupt-updateinfo.xml.gz";
        let Some(bytes) = sample(&format!("{fixtures}/{broken}")) else { return };
        let mut sink = Sink::new(None, "rocky".into());
        assert!(Rocky.read("rocky/9/BaseOS/u.xml.gz", &bytes, &mut sink).is_err() || sink.source.records == 0);
    }

    #[test]
    fn titles_tell_the_module() {
        let xml = r#"<updates><update type="security"><id>RLSA-2023:1</id><title>Moderate: nodejs:18 security update</title>
          <references><reference id="CVE-2023-1000" type="cve"/></references><pkglist><collection>
          <package name="nodejs" arch="x86_64" epoch="1" version="18" release="1.module+el9"/>
          <package name="plain" arch="x86_64" epoch="0" version="1" release="1.el9"/></collection></pkglist></update>
          <update type="security"><title>nameless</title></update></updates>"#;
        let mut sink = Sink::new(None, "rocky".into());
        Rocky.read("rocky/9/AppStream/u.xml", xml.as_bytes(), &mut sink).expect("updates");
        let all = sink.decoded("rocky-9");
        let constraints = |name: &str| all.iter().find(|(key, _)| key == name).map(|(_, r)| r.constraints.clone());
        assert_eq!(constraints("nodejs"), Some(vec![Constraint::Module("nodejs:18".into())]));
        assert_eq!(constraints("plain"), Some(vec![]));
        assert_eq!(sink.source.skipped.get("no identifier").map(|skipped| skipped.count), Some(1));
    }
}
