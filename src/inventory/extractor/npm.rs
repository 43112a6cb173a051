//! Installed Node.js packages: the `package.json` of a package that lies in `node_modules`.
//!
//! A file directly below `node_modules/<name>` or `node_modules/@<scope>/<name>` is a package. Deeper ones are its own test
//! data and module markers, unless they are those of published packages that it carries a copy of
//! (`next/dist/compiled/react-is`). Elsewhere it is one if its directory is named after the package and its version, as
//! archives unpack (`yarn-v1.22.22`) and Corepack and Deno store (`pnpm/9.1.0`); any other is a project's own, which nobody
//! publishes advisories about. Format: npm's "package.json" documentation.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::json;
use super::zip::{self, Zip};
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::inventory::bounded::small;
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
            "Yarn's archives of packages and what is bundled with these, which programs run from without unpacking: those of a project in `**/.yarn/cache/*.zip`, and those of Yarn's global folder, `**/.yarn/berry/cache/*.zip`, which projects use by default",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let path = entry.path;
        let is_one = is_package(path) || may_be_copy(path) || is_versioned(path);
        is_one && !is_in_yarn_store(path) || is_yarn_archive(path)
    }

    fn reads_alike(&self, path: &str, other: &str, _: &[Fact]) -> bool {
        let form = |path: &str| (is_package(path), may_be_copy(path));
        form(path) == form(other) && form(path) != (false, false)
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
        if let Err(reason) = limits.check_depth(content) {
            return Ok(vec![Fact::LimitMet(reason)]);
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

/// The fields that are read; of one that is there twice the last.
#[derive(Default)]
struct Fields<'c>(BTreeMap<&'static str, &'c RawValue>);

const READ: [&str; 7] = ["name", "version", "license", "licenses", "private", "repository", "homepage"];

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Fields<'de> {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Self, A::Error> {
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            match READ.iter().find(|read| **read == name) {
                Some(name) => drop(self.0.insert(name, fields.next_value()?)),
                None => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(self)
    }
}

fn fields<'c>(content: &'c [u8], limits: &Limits) -> Result<Fields<'c>, ExtractError> {
    json(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content), limits)
}

/// Whether a `package.json` is that of a package that was published: it says where it comes from, and is not private.
fn is_published(fields: &Fields<'_>) -> bool {
    let is_private = fields.0.get("private").is_some_and(|value| value.get() == "true");
    !is_private && (fields.0.contains_key("repository") || fields.0.contains_key("homepage"))
}

/// What a `package.json` says.
fn package(content: &[u8], limits: &Limits) -> Result<Vec<Fact>, ExtractError> {
    Ok(described(&fields(content, limits)?).map(Fact::Package).into_iter().collect())
}

/// The package that a `package.json` describes.
fn described(fields: &Fields<'_>) -> Option<Package> {
    let string = |name: &str| -> Option<String> {
        let value: String = serde_json::from_slice(fields.0.get(name)?.get().as_bytes()).ok()?;
        Some(value).filter(|value| !value.trim().is_empty())
    };
    let (name, version) = (string("name")?, string("version")?);
    Some(Package {
        licenses: licenses(fields.0.get("license").or_else(|| fields.0.get("licenses")).copied()),
        ..Package::new(PackageKind::Npm, name, version.trim())
    })
}

/// The package of an archive, in which it lies as in `node_modules`, and those that are bundled with it.
fn archived(content: &[u8], limits: &Limits) -> Result<Vec<Fact>, ExtractError> {
    let zip = Zip::open(content.into()).map_err(ExtractError::malformed)?;
    let (mut facts, mut broken, mut left) = (Vec::new(), None, limits.archive_size);
    for member in zip.members() {
        let member = member.map_err(ExtractError::malformed)?;
        if !member.name.starts_with("node_modules/") || !is_package(&member.name) {
            continue;
        }
        let is_bundled = member.name.matches("node_modules/").count() > 1;
        left = left.saturating_sub(member.cost() as u64);
        if facts.len() >= MOST_PACKAGES || left == 0 {
            facts.push(too_many_packages());
            break;
        }
        let read = zip.read(&member, LARGEST_ARCHIVED).map_err(zip::unread);
        match read.and_then(|content| fields(&content, limits).map(|fields| described(&fields))) {
            Ok(Some(package)) if is_bundled => {
                facts.push(Fact::Nested { inside: member.name.into_owned(), package });
            }
            Ok(package) => facts.extend(package.map(Fact::Package)),
            Err(error) if is_bundled => broken = Some(Fact::Incomplete(format!("{}: {error}", member.name))),
            Err(error) => return Err(error),
        }
    }
    facts.extend(broken);
    Ok(facts)
}

fn is_yarn_archive(path: &str) -> bool {
    let directory =
        path.rsplit_once('/').filter(|(_, name)| name.ends_with(".zip")).map_or("", |(directory, _)| directory);
    directory.ends_with(".yarn/cache") || directory.ends_with(".yarn/berry/cache")
}

/// Whether a file lies in the cache of Yarn 1, which unpacks what it downloads: `yarn/v6/npm-<name>-…/node_modules/<name>`.
fn is_in_yarn_store(path: &str) -> bool {
    let is_version = |name: &str| name.strip_prefix('v').is_some_and(|rest| rest.parse::<u32>().is_ok());
    let components: Vec<&str> = path.split('/').collect();
    components.windows(4).any(|part| match part {
        [yarn, version, folder, modules] => {
            *yarn == "yarn" && is_version(version) && folder.starts_with("npm-") && *modules == "node_modules"
        }
        _ => false,
    })
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
fn licenses(value: Option<&RawValue>) -> Vec<String> {
    use serde_json::Value;
    let one = |value: &Value| match value {
        Value::String(name) => Some(name.clone()),
        Value::Object(fields) => fields.get("type").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    match small(value) {
        Value::Array(values) => values.iter().filter_map(one).collect(),
        value => one(&value).into_iter().collect(),
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

    /// What a package is bundled with lies within it, in whatever order, and is not the package.
    #[test]
    fn archives_of_yarn_hold_bundled_packages() {
        let own = ("node_modules/npm/package.json", br#"{"name":"npm","version":"10.0.0"}"#.as_slice());
        let tar = ("node_modules/npm/node_modules/tar/package.json", br#"{"name":"tar","version":"6.1.0"}"#.as_slice());
        let data = ("node_modules/npm/node_modules/tar/test/package.json", br#"{"name":"t","version":"1"}"#.as_slice());
        let broken = ("node_modules/npm/node_modules/ini/package.json", b"{".as_slice());
        for (members, expected) in [
            (vec![own], vec!["npm 10.0.0"]),
            (vec![tar, own, data], vec!["npm/node_modules/tar/package.json tar 6.1.0", "npm 10.0.0"]),
            (vec![broken, own, tar], vec!["npm 10.0.0", "npm/node_modules/tar/package.json tar 6.1.0", "incomplete"]),
        ] {
            let facts =
                extract_bytes("app/.yarn/cache/npm-npm-10.0.0-a-b.zip", &zip::of(&members)).expect("an archive");
            let row = |fact: &Fact| match fact {
                Fact::Package(p) => format!("{} {}", p.name, p.version),
                Fact::Nested { inside, package: p } => {
                    format!("{} {} {}", inside.trim_start_matches("node_modules/"), p.name, p.version)
                }
                _ => "incomplete".to_owned(),
            };
            assert_eq!(facts.iter().map(row).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_yarn_keeps_is_not_installed() {
        for (path, expected) in [
            ("root/.cache/yarn/v6/npm-lodash-4.17.21-679591c/node_modules/lodash/package.json", false),
            ("usr/local/share/.cache/yarn/v6/npm-@babel-core-7.0.0-a/node_modules/@babel/core/package.json", false),
            ("app/node_modules/yarn/package.json", true),
            ("app/yarn/v6/node_modules/lodash/package.json", true),
            ("root/.yarn/berry/cache/lodash-npm-4.17.21-a-b.zip", true),
        ] {
            assert_eq!(Npm.wants(&Entry { path, size: 0, mode: 0 }), expected, "{path}");
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
