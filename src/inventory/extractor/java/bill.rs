//! Bills of materials that an archive carries of itself, as Spring Boot's do: what they name and no archive in it shows is
//! found by them, and archives that do not say their group get it from them.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::super::sbom;
use super::Fact;
use crate::model::{KnownBy, Package, PackageKind};

/// Whether a member is such a document.
pub(super) fn is_one(name: &str) -> bool {
    name.starts_with("META-INF/sbom/") && sbom::is_document(name)
}

/// Names archives whose group is not known, where the documents know exactly one that fits; what is left of the documents
/// is what nothing else in the archive shows.
pub(super) fn apply(facts: &mut [Fact], documents: &[(Rc<str>, Package)]) -> Vec<(Rc<str>, Package)> {
    if documents.is_empty() {
        return Vec::new();
    }
    let mut named: HashMap<(&str, &str), Option<&str>> = HashMap::new();
    for (_, package) in documents.iter().filter(|(_, package)| package.kind == PackageKind::Maven) {
        let Some((_, artifact)) = package.name.split_once(':') else { continue };
        let name = named.entry((artifact, &package.version)).or_insert(Some(&package.name));
        *name = name.filter(|name| *name == package.name);
    }
    let mut shown: HashSet<(PackageKind, String, String)> = HashSet::new();
    for fact in facts {
        let (Fact::Package(package) | Fact::Nested { package, .. }) = fact else { continue };
        if package.kind == PackageKind::Maven && !package.name.contains(':') {
            let key = (package.name.as_str(), package.version.as_str());
            if let Some(name) = named.get(&key).copied().flatten() {
                name.clone_into(&mut package.name);
                package.known_by = Some(KnownBy::Sbom);
                package.namespaces.clear();
            }
        }
        shown.insert((package.kind, package.name.clone(), package.version.clone()));
    }
    let mut is_new = |package: &Package| shown.insert((package.kind, package.name.clone(), package.version.clone()));
    documents.iter().filter(|(_, package)| is_new(package)).cloned().collect()
}
