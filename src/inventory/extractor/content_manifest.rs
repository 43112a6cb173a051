//! Red Hat's content manifests: the repositories ("content sets") that the packages of a layer were installed from, which
//! decide which of Red Hat's advisories apply. Format: the ICM schema of Red Hat's container build service.

use serde::Deserialize;

use super::json::json;
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;

const DIRECTORIES: &[&str] = &["root/buildinfo/content_manifests/", "usr/share/buildinfo/"];
/// Content sets of one manifest; real ones name fewer than a hundred.
const MOST_SETS: usize = 10_000;

/// Reads Red Hat's content manifests.
pub(super) struct ContentManifest;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    content_sets: Vec<String>,
}

impl Extractor for ContentManifest {
    fn name(&self) -> &'static str {
        "content manifest"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["Red Hat's content sets: `root/buildinfo/content_manifests/*.json`, `usr/share/buildinfo/*.json`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let name = DIRECTORIES.iter().find_map(|directory| entry.path.strip_prefix(directory));
        name.is_some_and(|name| name.ends_with(".json") && !name.contains('/'))
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let limits = file.limits();
        let manifest: Manifest = json(file.whole()?, limits)?;
        let sets = manifest.content_sets.into_iter().filter(|set| !set.is_empty()).take(MOST_SETS);
        Ok(vec![Fact::ContentSets(sets.collect())])
    }
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn reads_content_sets() {
        let content =
            r#"{"metadata":{"icm_version":1},"content_sets":["rhel-8-for-x86_64-baseos-rpms",""],"image_contents":[]}"#;
        let path = "root/buildinfo/content_manifests/ubi8-container-8.9-1.json";
        let facts = extract_bytes(path, content.as_bytes()).expect("a manifest");
        assert_eq!(facts, [Fact::ContentSets(vec!["rhel-8-for-x86_64-baseos-rpms".into()])]);
        assert!(extract_bytes(path, b"[1]").is_err());
    }
}
