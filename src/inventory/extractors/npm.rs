//! Installed Node.js packages: the `package.json` at the top of each directory in a `node_modules`.

use serde::Deserialize;

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact};
use crate::model::{Package, PackageKind};

pub(in crate::inventory) struct Npm;

impl Extractor for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["**/node_modules/*/package.json", "**/node_modules/@*/*/package.json"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.size <= 4 << 20 && is_package(entry.path)
    }

    fn extract(&self, _path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let file: PackageJson =
            serde_json::from_slice(content).map_err(|error| ExtractError::new(error.to_string()))?;
        // A package.json without both only marks a directory, for example as an ES module.
        let (Some(name), Some(version)) = (text(file.name), text(file.version)) else { return Ok(Vec::new()) };
        let licenses = licenses(file.license.or(file.licenses));
        Ok(vec![Fact::Package(Box::new(Package { licenses, ..Package::new(PackageKind::Npm, name, version) }))])
    }
}

#[derive(Deserialize)]
struct PackageJson {
    name: Option<serde_json::Value>,
    version: Option<serde_json::Value>,
    license: Option<serde_json::Value>,
    licenses: Option<serde_json::Value>,
}

fn text(value: Option<serde_json::Value>) -> Option<String> {
    value?.as_str().map(str::trim).filter(|text| !text.is_empty() && text.len() <= 512).map(str::to_owned)
}

/// `"MIT"`, `{"type": "MIT"}` or a list of either.
fn licenses(value: Option<serde_json::Value>) -> Vec<String> {
    let one = |value: &serde_json::Value| {
        value.as_str().or_else(|| value.get("type")?.as_str()).filter(|text| text.len() <= 512).map(str::to_owned)
    };
    match &value {
        Some(serde_json::Value::Array(list)) => list.iter().take(16).filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// `…/node_modules/name/package.json` or `…/node_modules/@scope/name/package.json`, nothing deeper: packages carry
/// `package.json` files of tests and templates inside.
fn is_package(path: &str) -> bool {
    let Some(directory) = path.strip_suffix("/package.json") else { return false };
    let mut parts = directory.rsplit('/');
    let (_name, parent, grandparent) = (parts.next(), parts.next(), parts.next());
    parent == Some("node_modules")
        || (parent.is_some_and(|p| p.starts_with('@')) && grandparent == Some("node_modules"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wants_the_top_of_packages_only() {
        for (path, wanted) in [
            ("app/node_modules/lodash/package.json", true),
            ("node_modules/lodash/package.json", true),
            ("app/node_modules/@babel/core/package.json", true),
            ("app/node_modules/.pnpm/a@1.0.0/node_modules/a/package.json", true),
            ("app/node_modules/lodash/fp/package.json", false),
            ("app/package.json", false),
            ("app/node_modules/x/test/node_modules_y/package.json", false),
        ] {
            assert_eq!(Npm.wants(&Entry { path, size: 10, mode: 0o644 }), wanted, "{path}");
        }
    }

    #[test]
    fn reads_name_version_and_licences() {
        let package = |text: &str| {
            Npm.extract("", text.as_bytes()).map(|facts| {
                facts.into_iter().next().map(|fact| match fact {
                    Fact::Package(package) => (package.name, package.version, package.licenses),
                    other => panic!("{other:?}"),
                })
            })
        };
        let row = |licenses: &[&str]| {
            Ok(Some(("a".to_owned(), "1.0.0".to_owned(), licenses.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>())))
        };
        assert_eq!(package(r#"{"name":"a","version":"1.0.0","license":"MIT"}"#), row(&["MIT"]));
        assert_eq!(
            package(r#"{"name":"a","version":"1.0.0","licenses":[{"type":"MIT"},"ISC"]}"#),
            row(&["MIT", "ISC"])
        );
        assert_eq!(package("\u{feff}{\"name\":\"a\",\"version\":\"1.0.0\"}"), row(&[]));
        assert_eq!(package(r#"{"type":"module"}"#), Ok(None));
        assert_eq!(package(r#"{"name":7,"version":[]}"#), Ok(None));
        assert!(package("{").is_err());
    }
}
