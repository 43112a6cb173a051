//! Installed Node.js packages: the `package.json` of a package that lies in `node_modules`.
//!
//! A file directly below `node_modules/<name>` or `node_modules/@<scope>/<name>` is a package. Deeper ones are its own test
//! data and module markers, unless they are those of published packages that it carries a copy of
//! (`next/dist/compiled/react-is`). Elsewhere it is one if its directory is named after the package and its version, as
//! archives unpack (`yarn-v1.22.22`) and Corepack and Deno store (`pnpm/9.1.0`); any other is a project's own, which nobody
//! publishes advisories about. Format: npm's "package.json" documentation.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::json::json;
use super::zip::Zip;
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Limits, Package, PackageKind};

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
            "installed Node.js packages: `**/node_modules/<name>/package.json`, `**/node_modules/@<scope>/<name>/package.json`, those of pnpm in `node_modules/.pnpm` too; copies of published packages that these carry; `**/<name>-{,v}<version>/package.json`, `**/<name>/<version>/package.json`",
            "Yarn's archives of packages that are used without unpacking: `**/.yarn/{,berry/}cache/*.zip`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let path = entry.path;
        is_package(path) || may_be_copy(path) || is_versioned(path) || is_yarn_archive(path)
    }

    fn reads_alike(&self, path: &str, other: &str) -> bool {
        is_package(path) && is_package(other)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let path = file.path().to_owned();
        let limits = file.limits();
        let content = file.whole()?;
        if is_yarn_archive(&path) {
            return archived(content, limits);
        }
        if is_package(&path) {
            return package(content, limits);
        }
        // Many other files have that name, and one that cannot be read tells nothing of a package.
        let fields = fields(content, limits).unwrap_or_default();
        let is_inside = may_be_copy(&path);
        let is_package = |package: &Package| match is_inside {
            true => is_published(&fields) && carrier(&path) != Some(package.name.as_str()),
            false => is_named_after(&path, package),
        };
        Ok(described(&fields).filter(is_package).map(Fact::Package).into_iter().collect())
    }
}

type Fields<'c> = BTreeMap<String, &'c RawValue>;

fn fields<'c>(content: &'c [u8], limits: &Limits) -> Result<Fields<'c>, ExtractError> {
    json(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content), limits)
}

/// Whether a `package.json` is that of a package that was published: it says where it comes from, and is not private.
fn is_published(fields: &Fields<'_>) -> bool {
    let is_private = fields.get("private").is_some_and(|value| value.get() == "true");
    !is_private && (fields.contains_key("repository") || fields.contains_key("homepage"))
}

/// What a `package.json` says.
fn package(content: &[u8], limits: &Limits) -> Result<Vec<Fact>, ExtractError> {
    Ok(described(&fields(content, limits)?).map(Fact::Package).into_iter().collect())
}

/// The package that a `package.json` describes.
fn described(fields: &Fields<'_>) -> Option<Package> {
    let string = |name: &str| -> Option<String> {
        let value: String = serde_json::from_slice(fields.get(name)?.get().as_bytes()).ok()?;
        Some(value).filter(|value| !value.trim().is_empty())
    };
    let (name, version) = (string("name")?, string("version")?);
    Some(Package {
        licenses: fields.get("license").or_else(|| fields.get("licenses")).map(|v| licenses(v)).unwrap_or_default(),
        ..Package::new(PackageKind::Npm, name, version.trim())
    })
}

/// The package of an archive, in which it lies as in `node_modules`.
fn archived(content: &[u8], limits: &Limits) -> Result<Vec<Fact>, ExtractError> {
    let zip = Zip::open(content.into()).map_err(ExtractError::malformed)?;
    for member in zip.members() {
        let member = member.map_err(ExtractError::malformed)?;
        if member.name.starts_with("node_modules/") && is_package(&member.name) {
            return package(&zip.read(&member, LARGEST_ARCHIVED).map_err(ExtractError::malformed)?, limits);
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

/// Whether a `package.json` lies deeper in a package of `node_modules`, but not in what that is tested or explained with.
fn may_be_copy(path: &str) -> bool {
    const OWN: &[&str] =
        &["test", "tests", "__tests__", "spec", "fixtures", "__fixtures__", "example", "examples", "demo", "benchmark"];
    let Some(directory) = path.strip_suffix("/package.json") else { return false };
    let inside = carrier(path).and_then(|name| directory.rsplit_once(&format!("node_modules/{name}/")));
    inside.is_some_and(|(_, inside)| inside.split('/').all(|component| !OWN.contains(&component)))
}

/// The package of `node_modules` in which a file lies.
fn carrier(path: &str) -> Option<&str> {
    let start =
        path.rfind("node_modules/").filter(|start| path[..*start].is_empty() || path[..*start].ends_with('/'))?;
    let inside = &path[start + "node_modules/".len()..];
    let scope = if inside.starts_with('@') { inside.find('/')? + 1 } else { 0 };
    let end = scope + inside[scope..].find('/')?;
    Some(&inside[..end]).filter(|name| !name.starts_with('.'))
}

/// Whether a `package.json` lies in a directory whose name may end with a version. What lies so in `node_modules` belongs
/// to a package there: its test data.
fn is_versioned(path: &str) -> bool {
    let Some(directory) = path.strip_suffix("/package.json") else { return false };
    let is_version = |bytes: &[u8]| matches!(bytes, [a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit());
    let name = directory.rsplit('/').next().unwrap_or_default();
    name.as_bytes().windows(3).any(is_version) && directory.split('/').all(|component| component != "node_modules")
}

/// Whether the directory is named after the package: `yarn-v1.22.22`, `yarn-1.22.22`, `yarn/1.22.22`.
fn is_named_after(path: &str, package: &Package) -> bool {
    let Some(directory) = path.strip_suffix("/package.json") else { return false };
    let (above, directory) = directory.rsplit_once('/').unwrap_or(("", directory));
    let name = package.name.rsplit('/').next().unwrap_or_default();
    match directory.strip_suffix(package.version.as_str()) {
        Some("") => above.rsplit('/').next() == Some(name),
        Some(rest) => rest.strip_suffix('v').unwrap_or(rest).strip_suffix('-') == Some(name),
        None => false,
    }
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
    fn elsewhere_the_directory_is_named_after_the_package() {
        for (path, name, expected) in [
            ("opt/yarn-v1.22.22/package.json", "yarn", true),
            ("opt/yarn-1.22.22/package.json", "yarn", true),
            ("root/.cache/node/corepack/v1/yarn/1.22.22/package.json", "yarn", true),
            ("deno/npm/registry.example.org/@babel/core/1.22.22/package.json", "@babel/core", true),
            ("opt/yarn-v1.22.22/package.json", "other", false),
            ("opt/yarn-v1.22.21/package.json", "yarn", false),
            ("opt/yarn1.22.22/package.json", "yarn", false),
            ("opt/1.22.22/package.json", "yarn", false),
            ("1.22.22/package.json", "yarn", false),
            ("opt/yarn/package.json", "yarn", false),
            ("app/node_modules/x/test/fixtures/lodash/1.22.22/package.json", "lodash", false),
            ("node_modules/x/lodash-1.22.22/package.json", "lodash", false),
            ("opt/my_node_modules/lodash/1.22.22/package.json", "lodash", true),
        ] {
            let content = format!(r#"{{"name":"{name}","version":"1.22.22"}}"#);
            let is_wanted = Npm.wants(&Entry { path, size: 0, mode: 0 });
            let found = is_wanted && !extract_bytes(path, content.as_bytes()).expect(path).is_empty();
            assert_eq!(found, expected, "{path} {name}");
        }
        for path in ["opt/docs/1.2/package.json", "node_modules/x/dist/y/package.json"] {
            for content in ["{\"name\":", "[]", "", "\0"] {
                let facts = extract_bytes(path, content.as_bytes()).expect(content);
                assert!(facts.is_empty(), "{path} {content}: {facts:?}");
            }
        }
    }

    #[test]
    fn packages_carry_copies_of_published_ones() {
        let published = r#""version":"1.0.0","repository":"https://git.example.org/x""#;
        for (path, name, rest, expected) in [
            ("node_modules/next/dist/compiled/react-is/package.json", "react-is", published, true),
            ("app/node_modules/@x/y/dist/@babel/runtime/package.json", "@babel/runtime", published, true),
            ("node_modules/bson/vendor/base64/package.json", "base-64", r#""version":"1.0.0","homepage":"x""#, true),
            ("node_modules/.pnpm/a@1.0.0/node_modules/a/vendor/b/package.json", "b", published, true),
            // Its own: another form of itself, a marker, tests.
            ("node_modules/next/dist/esm/package.json", "next", published, false),
            ("node_modules/@x/y/dist/package.json", "@x/y", published, false),
            (
                "node_modules/terser/bin/package.json",
                "bin",
                r#""version":"1.0.0","private":true,"homepage":"x""#,
                false,
            ),
            ("node_modules/terser/dist/package.json", "dist", r#""version":"1.0.0""#, false),
            ("node_modules/resolve/test/resolver/mylib/package.json", "mylib", published, false),
            ("node_modules/x/lib/react-is/package.json", "react-is", r#""homepage":"x""#, false),
            ("my_node_modules/next/dist/react-is/package.json", "react-is", published, false),
            ("node_modules/.cache/x/react-is/package.json", "react-is", published, false),
        ] {
            let content = format!(r#"{{"name":"{name}",{rest}}}"#);
            let is_wanted = Npm.wants(&Entry { path, size: 0, mode: 0 });
            let found = is_wanted && !extract_bytes(path, content.as_bytes()).expect(path).is_empty();
            assert_eq!(found, expected, "{path} {name} {rest}");
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
