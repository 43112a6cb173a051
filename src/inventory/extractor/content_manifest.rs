//! Red Hat's content manifests: the repositories ("content sets") that the packages of a layer were installed from, which
//! decide which of Red Hat's advisories apply. Format: the ICM schema of Red Hat's container build service.

use serde::Deserialize;

use super::json::json;
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::inventory::bounded::List;

const DIRECTORIES: &[&str] = &["root/buildinfo/content_manifests/", "usr/share/buildinfo/"];
/// Content sets of one manifest; real ones name fewer than a hundred.
const MOST_SETS: usize = 10_000;

/// Reads Red Hat's content manifests.
pub(super) struct ContentManifest;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    content_sets: List<String, MOST_SETS>,
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
        let List { kept, is_cut } = manifest.content_sets;
        let cut = || Fact::LimitMet(format!("it names more than {MOST_SETS} content sets; the others are left out"));
        Ok(std::iter::once(Fact::ContentSets(kept)).chain(is_cut.then(cut)).collect())
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
        let content = format!(r#"{{"content_sets":[{}"a"]}}"#, r#""a","#.repeat(MOST_SETS));
        let facts = extract_bytes(path, content.as_bytes()).expect("a manifest");
        let [Fact::ContentSets(sets), Fact::LimitMet(_)] = &facts[..] else { panic!("{} facts", facts.len()) };
        assert_eq!(sets.len(), MOST_SETS);
    }
}
