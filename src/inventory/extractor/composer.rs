//! Installed PHP packages: Composer's `vendor/composer/installed.json`, a list (Composer 1) or an object with
//! `packages` (Composer 2).

use serde::Deserialize;

use super::json::json;
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Reads what Composer installed.
pub(super) struct Composer;

#[derive(Deserialize)]
struct Installed {
    packages: Vec<InstalledPackage>,
}

#[derive(Deserialize)]
struct InstalledPackage {
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    license: serde_json::Value,
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
        let packages: Vec<InstalledPackage> = if content.first() == Some(&b'[') {
            json(content, limits)?
        } else {
            json::<Installed>(content, limits)?.packages
        };
        let is_too_long = packages.len() > MOST_PACKAGES;
        let mut facts: Vec<Fact> = packages
            .into_iter()
            .take(MOST_PACKAGES)
            .filter_map(|entry| {
                let licenses = entry.license.as_array().into_iter().flatten();
                Some(Fact::Package(Package {
                    licenses: licenses.filter_map(|license| license.as_str().map(str::to_owned)).collect(),
                    ..Package::new(PackageKind::Composer, entry.name?, entry.version?)
                }))
            })
            .collect();
        if is_too_long {
            facts.push(too_many_packages());
        }
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

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
    }
}
