//! `catalog-info.yaml` of Backstage: the entity that an image belongs to.
//!
//! Format: backstage.io, "Descriptor Format of Catalog Entities". A file may hold several documents; those that cannot be
//! read are passed over.

use crate::yaml::{self, Node};

/// What an entity says that is of use here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entity {
    /// `spec.owner` without the default kind and namespace.
    pub(super) owner: Option<String>,
    /// `spec.lifecycle`.
    pub(super) lifecycle: Option<String>,
    /// `spec.system`.
    pub(super) system: Option<String>,
}

/// The entity of the image in `repository`: one that names it in an annotation, else one with the name of its last part,
/// else the first component.
pub(super) fn entity(text: &str, repository: &str) -> Option<Entity> {
    let documents: Vec<Node> = documents(text).iter().filter_map(|text| yaml::parse(text).ok()).collect();
    let last = repository.rsplit('/').next().unwrap_or(repository);
    let names_it = |node: &Node| {
        let annotations = node.get("metadata").and_then(|metadata| metadata.get("annotations"));
        annotations.is_some_and(|annotations| {
            annotations.entries().iter().any(|entry| entry.value.text().is_some_and(|text| is_image(text, repository)))
        })
    };
    let is_called_so =
        |node: &Node| node.get("metadata").and_then(|metadata| metadata.get("name")?.text()) == Some(last);
    let is_component = |node: &Node| node.get("kind").and_then(Node::text) == Some("Component");
    let found = documents
        .iter()
        .find(|node| names_it(node))
        .or_else(|| documents.iter().find(|node| is_component(node) && is_called_so(node)))
        .or_else(|| documents.iter().find(|node| is_component(node)))?;
    let spec = found.get("spec");
    let text = |key: &str| spec.and_then(|spec| spec.get(key)?.text()).map(short);
    Some(Entity { owner: text("owner"), lifecycle: text("lifecycle"), system: text("system") })
}

/// Whether a text names an image of the repository: `g/p`, `reg.io/g/p:1`.
fn is_image(text: &str, repository: &str) -> bool {
    let name = text.split(['@']).next().unwrap_or(text);
    let name = name.rsplit_once(':').map_or(name, |(name, tag)| if tag.contains('/') { text } else { name });
    !repository.is_empty() && (name == repository || name.ends_with(&format!("/{repository}")))
}

/// The texts between lines that separate documents.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" && documents.len() < MAX_DOCUMENTS {
            documents.push(String::new());
        } else if let Some(last) = documents.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    documents
}

/// `group:default/team-a` → `team-a`.
fn short(text: &str) -> String {
    let name = text.split_once(':').map_or(text, |(_, name)| name);
    name.strip_prefix("default/").unwrap_or(name).chars().take(LONGEST).collect()
}

const MAX_DOCUMENTS: usize = 200;
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
apiVersion: backstage.io/v1alpha1
kind: System
metadata: {name: shop}
spec: {owner: nobody}
---
kind: Component
metadata: {name: first}
spec: {owner: team-first, lifecycle: experimental}
---
kind: Component
metadata:
  name: other
  annotations: {example.com/image: 'reg.io/g/p/annotated:latest'}
spec: {owner: 'group:default/team-annotated', system: shop}
---
: not yaml: [
---
kind: Component
metadata: {name: worker}
spec: {owner: user:people/bob}
";

    #[test]
    fn the_nearest_entity_is_found() {
        for (repository, owner) in
            [("g/p/annotated", "team-annotated"), ("g/p/worker", "people/bob"), ("g/p", "team-first")]
        {
            assert_eq!(entity(TEXT, repository).unwrap().owner.as_deref(), Some(owner), "{repository}");
        }
        assert_eq!(entity(TEXT, "g/p/annotated").unwrap().system.as_deref(), Some("shop"));
        assert_eq!(entity("kind: API\n", "g/p"), None);
        assert_eq!(entity("", "g/p"), None);
    }
}
