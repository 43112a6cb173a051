//! Julia packages of an environment: `Manifest.toml`, which states what the environment has installed, not what it would
//! like. Format: Pkg.jl's "Manifest.toml", 1.0 and 2.0; read line by line, as Pkg writes it.

use super::text::{lines, text};
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Reads Julia's manifests.
pub(super) struct Julia;

impl Extractor for Julia {
    fn name(&self) -> &'static str {
        "julia"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["Julia packages of an environment: `**/Manifest.toml`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.ends_with("/Manifest.toml")
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let mut facts = Vec::new();
        let mut name = None;
        for line in lines(file.whole()?).map(text) {
            if let Some(table) = line.strip_prefix("[[").and_then(|line| line.strip_suffix("]]")) {
                name = Some(table.strip_prefix("deps.").unwrap_or(table).to_owned());
            } else if line.starts_with('[') {
                // Tables of a package: what follows is not its own.
                name = None;
            } else if let Some((key, value)) = line.split_once('=')
                && key.trim() == "version"
                && let Some(name) = name.take()
            {
                if facts.len() == MOST_PACKAGES {
                    facts.push(too_many_packages());
                    break;
                }
                facts.push(Fact::Package(Package::new(PackageKind::Julia, name, value.trim().trim_matches('"'))));
            }
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
        for content in [
            "julia_version = \"1.9.2\"\nmanifest_format = \"2.0\"\n\n[[deps.HTTP]]\ndeps = [\"Base64\"]\nversion = \"1.9.8\"\n\n[[deps.Base64]]\nuuid = \"2a0f44e3\"\n",
            "[[HTTP]]\nversion = \"1.9.8\"\n[HTTP.deps]\nversion = \"9\"\n",
        ] {
            let facts =
                extract_bytes("root/.julia/environments/v1.9/Manifest.toml", content.as_bytes()).expect("a manifest");
            let [Fact::Package(p)] = facts.as_slice() else { panic!("{facts:?}") };
            assert_eq!((p.name.as_str(), p.version.as_str()), ("HTTP", "1.9.8"));
        }
    }
}
