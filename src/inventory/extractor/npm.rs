//! Installed Node.js packages: the `package.json` of a package that lies in `node_modules`.
//!
//! Only a file directly below `node_modules/<name>` or `node_modules/@<scope>/<name>` is a package; deeper ones are its
//! own test data and module markers. Format: npm's "package.json" documentation.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::zip::Zip;
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// A `package.json` in an archive.
const LARGEST_ARCHIVED: usize = 4 << 20;

/// Reads `package.json` below `node_modules`.
pub(super) struct Npm;

impl Extractor for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "installed Node.js packages: `**/node_modules/<name>/package.json`, `**/node_modules/@<scope>/<name>/package.json`, those of pnpm in `node_modules/.pnpm` too",
            "Yarn's archives of packages that are used without unpacking: `**/.yarn/{,berry/}cache/*.zip`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        is_package(entry.path) || is_yarn_archive(entry.path)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let is_archive = is_yarn_archive(file.path());
        let content = file.whole()?;
        if is_archive { archived(content) } else { package(content) }
    }
}

/// What a `package.json` says.
fn package(content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(content).map_err(ExtractError::malformed)?;
    let string = |name: &str| -> Option<String> {
        let value: String = serde_json::from_slice(fields.get(name)?.get().as_bytes()).ok()?;
        Some(value).filter(|value| !value.trim().is_empty())
    };
    let (Some(name), Some(version)) = (string("name"), string("version")) else { return Ok(Vec::new()) };
    Ok(vec![Fact::Package(Package {
        licenses: fields.get("license").or_else(|| fields.get("licenses")).map(|v| licenses(v)).unwrap_or_default(),
        ..Package::new(PackageKind::Npm, name, version.trim())
    })])
}

/// The package of an archive, in which it lies as in `node_modules`.
fn archived(content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
    let zip = Zip::open(content).map_err(ExtractError::malformed)?;
    for member in zip.members() {
        let member = member.map_err(ExtractError::malformed)?;
        if member.name.starts_with("node_modules/") && is_package(&member.name) {
            return package(&zip.read(&member, LARGEST_ARCHIVED).map_err(ExtractError::malformed)?);
        }
    }
    Ok(Vec::new())
}

fn is_yarn_archive(path: &str) -> bool {
    let directory =
        path.rsplit_once('/').filter(|(_, name)| name.ends_with(".zip")).map_or("", |(directory, _)| directory);
    directory.ends_with(".yarn/cache") || directory.ends_with(".yarn/berry/cache")
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
    match serde_json::from_slice(value.get().as_bytes()) {
        Ok(Value::Array(values)) => values.iter().filter_map(one).collect(),
        Ok(value) => one(&value).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{extract_bytes, zip};
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
    fn reads_archives_of_yarn() {
        let content: &[u8] = br#"{"name":"@babel/core","version":"7.0.0"}"#;
        let archive =
            zip::of(&[("node_modules/@babel/core/package.json", content), ("node_modules/@babel/core/x.js", b"")]);
        let path = "app/.yarn/cache/@babel-core-npm-7.0.0-abc-def.zip";
        let facts = extract_bytes(path, &archive).expect("an archive");
        assert!(matches!(&facts[..], [Fact::Package(p)] if p.name == "@babel/core"), "{facts:?}");
        assert!(extract_bytes(path, b"no archive").is_err());
        assert!(!is_yarn_archive("app/cache/x.zip"));
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
