//! Installed Conda packages: `conda-meta/<name>-<version>-<build>.json`, which Conda writes into each environment.

use serde::Deserialize;

use super::json::json;
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Reads what Conda installed.
pub(super) struct Conda;

#[derive(Deserialize)]
struct Record {
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    license: Option<String>,
}

impl Extractor for Conda {
    fn name(&self) -> &'static str {
        "conda"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["installed Conda packages: `**/conda-meta/*.json`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let Some((directory, name)) = entry.path.rsplit_once('/') else { return false };
        name.ends_with(".json") && (directory == "conda-meta" || directory.ends_with("/conda-meta"))
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let limits = file.limits();
        let record: Record = json(file.whole()?, limits)?;
        let (Some(name), Some(version)) = (record.name, record.version) else { return Ok(Vec::new()) };
        let licenses = record.license.into_iter().filter(|license| !license.is_empty()).collect();
        Ok(vec![Fact::Package(Package { licenses, ..Package::new(PackageKind::Conda, name, version) })])
    }
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn reads_records() {
        let path = "opt/conda/conda-meta/openssl-3.0.9-hd590300_0.json";
        let content = r#"{"build":"hd590300_0","files":["bin/openssl"],"name":"openssl","version":"3.0.9","license":"Apache-2.0"}"#;
        let facts = extract_bytes(path, content.as_bytes()).expect("a record");
        let [Fact::Package(p)] = facts.as_slice() else { panic!("{facts:?}") };
        assert_eq!(format!("{} {} {:?}", p.name, p.version, p.licenses), r#"openssl 3.0.9 ["Apache-2.0"]"#);
        assert!(extract_bytes(path, b"{").is_err());
        assert_eq!(extract_bytes("opt/conda/conda-meta/history", b"==>").expect("not wanted"), []);
    }
}
