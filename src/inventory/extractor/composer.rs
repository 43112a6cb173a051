//! Installed PHP packages: Composer's `vendor/composer/installed.json`, a list (Composer 1) or an object with
//! `packages` (Composer 2).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::json;
use super::{ExtractError, Extractor, Fact, File, too_many_packages};
use crate::image::Entry;
use crate::inventory::bounded::{Element, List, small};
use crate::model::{Package, PackageKind};

/// Reads what Composer installed.
pub(super) struct Composer;

#[derive(Deserialize)]
struct Installed<'a> {
    /// It has to be there: otherwise it is another file.
    #[serde(borrow, deserialize_with = "Deserialize::deserialize")]
    packages: List<InstalledPackage<'a>>,
}

#[derive(Deserialize)]
struct InstalledPackage<'a> {
    name: Option<String>,
    version: Option<String>,
    #[serde(borrow)]
    license: Option<&'a RawValue>,
}

impl Element for InstalledPackage<'_> {
    fn is_of_use(&self) -> bool {
        self.name.is_some() && self.version.is_some()
    }
}

impl Extractor for Composer {
    fn name(&self) -> &'static str {
        "composer"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["installed PHP packages: `**/composer/installed.json`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.ends_with("/composer/installed.json")
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let limits = file.limits();
        let content = file.whole()?.trim_ascii_start();
        let packages: List<InstalledPackage<'_>> = if content.first() == Some(&b'[') {
            json(content, limits)?
        } else {
            json::<Installed<'_>>(content, limits)?.packages
        };
        let facts = packages.kept.into_iter().filter_map(|entry| {
            let licenses = small(entry.license);
            let licenses = licenses.as_array().into_iter().flatten();
            Some(Fact::Package(Package {
                licenses: licenses.filter_map(|license| license.as_str().map(str::to_owned)).collect(),
                ..Package::new(PackageKind::Composer, entry.name?, entry.version?)
            }))
        });
        Ok(facts.chain(packages.is_cut.then(too_many_packages)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;
    use crate::inventory::bounded::MOST;

    #[test]
    fn reads_both_forms() {
        let package = r#"{"name":"symfony/console","version":"v5.4.0","license":["MIT"]},{"name":"no/version"}"#;
        for content in [format!("[{package}]"), format!(r#"{{"packages":[{package}],"dev":false}}"#)] {
            let facts = extract_bytes("app/vendor/composer/installed.json", content.as_bytes()).expect("a list");
            let [Fact::Package(p)] = facts.as_slice() else { panic!("{facts:?}") };
            assert_eq!((p.name.as_str(), p.version.as_str()), ("symfony/console", "v5.4.0"));
            assert_eq!(p.licenses, ["MIT"]);
        }
        assert!(extract_bytes("app/vendor/composer/installed.json", b"{}").is_err());
        let content = format!("[{}]", vec![r#"{"name":"a","version":"1"}"#; MOST + 1].join(",{},"));
        let facts = extract_bytes("app/vendor/composer/installed.json", content.as_bytes()).expect("a list");
        assert_eq!((facts.len(), facts.last()), (MOST + 1, Some(&too_many_packages())));
    }
}
