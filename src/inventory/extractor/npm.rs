//! Installed Node.js packages: the `package.json` of a package that lies in `node_modules`.
//!
//! Only a file directly below `node_modules/<name>` or `node_modules/@<scope>/<name>` is a package; deeper ones are its
//! own test data and module markers. Format: npm's "package.json" documentation.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Reads `package.json` below `node_modules`.
pub(super) struct Npm;

impl Extractor for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "installed Node.js packages: `**/node_modules/<name>/package.json`, `**/node_modules/@<scope>/<name>/package.json`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        is_package(entry.path)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let content = file.whole()?;
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(content).map_err(ExtractError::malformed)?;
        let string = |name: &str| -> Option<String> {
            let value: String = serde_json::from_str(fields.get(name)?.get()).ok()?;
            Some(value).filter(|value| !value.trim().is_empty())
        };
        let (Some(name), Some(version)) = (string("name"), string("version")) else { return Ok(Vec::new()) };
        Ok(vec![Fact::Package(Package {
            licenses: fields.get("license").or_else(|| fields.get("licenses")).map(|v| licenses(v)).unwrap_or_default(),
            ..Package::new(PackageKind::Npm, name, version.trim())
        })])
    }
}

fn is_package(path: &str) -> bool {
    let Some(directory) = path.strip_suffix("/package.json") else { return false };
    let mut components = directory.rsplit('/');
    let (name, above) = (components.next().unwrap_or_default(), components.next().unwrap_or_default());
    !name.starts_with(['.', '@'])
        && name != "node_modules"
        && (above == "node_modules" || above.starts_with('@') && components.next() == Some("node_modules"))
}

/// `"MIT"`, or in old packages `{"type": "MIT"}` and lists of either.
fn licenses(value: &RawValue) -> Vec<String> {
    use serde_json::Value;
    let one = |value: &Value| match value {
        Value::String(name) => Some(name.clone()),
        Value::Object(fields) => fields.get("type").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    match serde_json::from_str(value.get()) {
        Ok(Value::Array(values)) => values.iter().filter_map(one).collect(),
        Ok(value) => one(&value).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn packages_lie_directly_in_node_modules() {
        for (path, expected) in [
            ("app/node_modules/lodash/package.json", true),
            ("node_modules/lodash/package.json", true),
            ("usr/lib/node_modules/npm/node_modules/@npmcli/fs/package.json", true),
            ("app/node_modules/.pnpm/a@1.0.0/node_modules/a/package.json", true),
            ("app/node_modules/lodash/test/package.json", false),
            ("app/node_modules/@babel/core/lib/package.json", false),
            ("app/node_modules/@babel/package.json", false),
            ("app/node_modules/.cache/package.json", false),
            ("app/node_modules/package.json", false),
            ("app/package.json", false),
            ("package.json", false),
            ("app/x/@y/z/package.json", false),
        ] {
            assert_eq!(is_package(path), expected, "{path}");
        }
    }

    #[test]
    fn reads_packages() {
        let path = "app/node_modules/x/package.json";
        for (content, expected) in [
            (r#"{"name":"@babel/core","version":"7.0.0","license":"MIT"}"#, Some(("@babel/core", "7.0.0", "MIT"))),
            ("\u{feff}{\"name\":\"a\",\"version\":\" 1.0.0\"}", Some(("a", "1.0.0", ""))),
            (
                r#"{"name":"a","version":"1","version":"2","licenses":[{"type":"MIT"},"ISC"]}"#,
                Some(("a", "2", "MIT ISC")),
            ),
            (r#"{"type":"module"}"#, None),
            (r#"{"name":"a"}"#, None),
            (r#"{"name":"a","version":1}"#, None),
            (r#"{"name":"","version":"1"}"#, None),
        ] {
            let facts = extract_bytes(path, content.as_bytes()).expect(content);
            let found: Vec<_> = facts
                .iter()
                .map(|fact| {
                    let Fact::Package(p) = fact else { panic!("{fact:?}") };
                    (p.name.clone(), p.version.clone(), p.licenses.join(" "))
                })
                .collect();
            let expected: Vec<_> =
                expected.into_iter().map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).collect();
            assert_eq!(found, expected, "{content}");
        }
        assert!(extract_bytes(path, b"{\"name\":").is_err());
        assert!(extract_bytes(path, b"[]").is_err());
    }
}
