//! .NET packages of published applications and of the shared framework: `*.deps.json`. Format: .NET's "runtime
//! configuration files" (`libraries`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Reads what .NET applications were published with.
pub(super) struct Dotnet;

#[derive(Deserialize)]
struct Dependencies {
    #[serde(default)]
    libraries: BTreeMap<String, Library>,
}

#[derive(Deserialize)]
struct Library {
    #[serde(rename = "type", default)]
    kind: String,
}

impl Extractor for Dotnet {
    fn name(&self) -> &'static str {
        "dotnet"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[".NET packages and runtime packs: `**/*.deps.json`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.ends_with(".deps.json")
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let content = file.whole()?;
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let found: Dependencies = serde_json::from_slice(content).map_err(ExtractError::malformed)?;
        let is_too_long = found.libraries.len() > MOST_PACKAGES;
        let packages = found.libraries.iter().take(MOST_PACKAGES).filter_map(|(library, Library { kind })| {
            let (name, version) = library.rsplit_once('/')?;
            // Projects are the application's own parts, references files without a package.
            let name = match kind.as_str() {
                "package" => name,
                "runtimepack" => name.strip_prefix("runtimepack.").unwrap_or(name),
                _ => return None,
            };
            let is_named = !name.is_empty() && !version.is_empty();
            is_named.then(|| Fact::Package(Package::new(PackageKind::Nuget, name, version)))
        });
        let mut facts: Vec<Fact> = packages.collect();
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
}
