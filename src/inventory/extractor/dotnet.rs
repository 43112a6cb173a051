//! .NET packages of published applications and of the shared framework: `*.deps.json` (.NET's "runtime configuration
//! files", `libraries`), and what NuGet resolved: `packages.lock.json`.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::json::json;
use super::{ExtractError, Extractor, Fact, File, too_many_packages};
use crate::image::Entry;
use crate::inventory::bounded::{Element, Pairs, PairsInto};
use crate::model::{Limits, Package, PackageKind};

/// Reads what .NET applications were published with.
pub(super) struct Dotnet;

#[derive(Deserialize)]
struct Dependencies {
    #[serde(default)]
    libraries: Pairs<Library>,
}

#[derive(Deserialize)]
struct Library {
    #[serde(rename = "type", default)]
    kind: String,
}

impl Element for Library {
    /// Projects are the application's own parts, references files without a package.
    fn is_of_use(&self) -> bool {
        matches!(self.kind.as_str(), "package" | "runtimepack")
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    dependencies: Frameworks,
}

/// What was resolved for all target frameworks together.
#[derive(Default)]
struct Frameworks(Pairs<Locked>);

#[derive(Deserialize)]
struct Locked {
    #[serde(rename = "type", default)]
    kind: String,
    resolved: Option<String>,
}

impl Element for Locked {
    /// Projects are the application's own parts.
    fn is_of_use(&self) -> bool {
        self.resolved.is_some() && !self.kind.eq_ignore_ascii_case("project")
    }
}

impl<'de> Deserialize<'de> for Frameworks {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Frameworks {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("target frameworks")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut frameworks: A) -> Result<Self, A::Error> {
        while frameworks.next_key::<IgnoredAny>()?.is_some() {
            frameworks.next_value_seed(PairsInto(&mut self.0))?;
        }
        Ok(self)
    }
}

impl Extractor for Dotnet {
    fn name(&self) -> &'static str {
        "dotnet"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[".NET packages and runtime packs: `**/*.deps.json`, `**/packages.lock.json`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.ends_with(".deps.json") || entry.path.ends_with("/packages.lock.json")
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let is_lock = file.path().ends_with(".lock.json");
        let limits = file.limits();
        let content = file.whole()?;
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        if is_lock {
            return locked(content, limits);
        }
        let found: Dependencies = json(content, limits)?;
        let packages = found.libraries.0.kept.iter().filter_map(|(library, Library { kind })| {
            let (name, version) = library.rsplit_once('/')?;
            let name = if kind == "runtimepack" { name.strip_prefix("runtimepack.").unwrap_or(name) } else { name };
            let is_named = !name.is_empty() && !version.is_empty();
            is_named.then(|| Fact::Package(Package::new(PackageKind::Nuget, name, version)))
        });
        Ok(packages.chain(found.libraries.0.is_cut.then(too_many_packages)).collect())
    }
}

/// The packages of all target frameworks.
fn locked(content: &[u8], limits: &Limits) -> Result<Vec<Fact>, ExtractError> {
    let Pairs(found) = json::<Lock>(content, limits)?.dependencies.0;
    let packages: BTreeSet<(String, String)> =
        found.kept.into_iter().filter_map(|(name, locked)| Some((name, locked.resolved?))).collect();
    let packages = packages.into_iter();
    let facts = packages.map(|(name, version)| Fact::Package(Package::new(PackageKind::Nuget, name, version)));
    Ok(facts.chain(found.is_cut.then(too_many_packages)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn reads_packages_and_runtime_packs() {
        let content = r#"{"runtimeTarget":{},"targets":{},"libraries":{
            "app/1.0.0":{"type":"project","serviceable":false,"sha512":""},
            "Newtonsoft.Json/13.0.1":{"type":"package","serviceable":true,"sha512":"x"},
            "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1":{"type":"runtimepack"},
            "broken":{"type":"package"}}}"#;
        let facts = extract_bytes("app/app.deps.json", content.as_bytes()).expect("dependencies");
        let found: Vec<_> = facts
            .iter()
            .map(|fact| match fact {
                Fact::Package(p) => format!("{} {}", p.name, p.version),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, ["Newtonsoft.Json 13.0.1", "Microsoft.NETCore.App.Runtime.linux-x64 8.0.1"]);
        assert!(extract_bytes("app/app.deps.json", b"[").is_err());
    }

    #[test]
    fn reads_lock_files() {
        let content = r#"{"version":1,"dependencies":{
            "net8.0":{"A":{"type":"Direct","requested":"[1, )","resolved":"1.0.0"},"own":{"type":"Project"}},
            "net8.0/linux-x64":{"A":{"type":"Direct","resolved":"1.0.0"},"B":{"type":"Transitive","resolved":"2.0.0"}}}}"#;
        let facts = extract_bytes("app/packages.lock.json", content.as_bytes()).expect("a lock file");
        let expected = [("A", "1.0.0"), ("B", "2.0.0")]
            .map(|(name, version)| Fact::Package(Package::new(PackageKind::Nuget, name, version)));
        assert_eq!(facts, expected);
        assert!(extract_bytes("app/packages.lock.json", b"{\"dependencies\":[]}").is_err());
    }
}
