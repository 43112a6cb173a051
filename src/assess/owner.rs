//! Who owns an image: `CODEOWNERS` of its project, else its entry in a Backstage catalogue, else the image's labels.
//!
//! Labels come last, as an image inherits those of its base image. Files are handed in as text and are hostile: what
//! cannot be read says nothing.

mod catalog;
mod codeowners;

use std::collections::BTreeMap;

use catalog::Entity;

/// What the project of an image says about owners.
#[derive(Debug, Clone, Default)]
pub struct OwnerFiles {
    /// Where `CODEOWNERS` lies and its text.
    pub codeowners: Option<(String, String)>,
    /// Where the catalogue file lies and its text.
    pub catalog: Option<(String, String)>,
}

/// Who owns an image, and who says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// Users, groups or addresses, as written: `@team/platform`, `team-a`.
    pub owners: Vec<String>,
    /// Who says so: the file, or the label.
    pub source: String,
    /// The life cycle by the catalogue: `production`, `experimental`, ….
    pub lifecycle: Option<String>,
    /// The system by the catalogue.
    pub system: Option<String>,
}

/// Paths at which GitLab looks for `CODEOWNERS`, in its order.
pub const CODEOWNERS_PATHS: [&str; 3] = ["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];

/// Where the catalogue file lies unless it is named.
pub const CATALOG_PATH: &str = "catalog-info.yaml";

/// Resolves the owner of the image whose repository is `part` below that of its project (empty for the project's own),
/// built from `dockerfile`.
#[must_use]
pub fn resolve(
    files: &OwnerFiles,
    part: &str,
    repository: &str,
    dockerfile: &str,
    labels: &BTreeMap<String, String>,
) -> Ownership {
    let entity = files.catalog.as_ref().and_then(|(_, text)| catalog::entity(text, repository));
    let mut ownership = Ownership {
        lifecycle: entity.as_ref().and_then(|entity| entity.lifecycle.clone()),
        system: entity.as_ref().and_then(|entity| entity.system.clone()),
        ..Ownership::default()
    };
    if let Some((path, text)) = &files.codeowners {
        // An image in a folder of its own is mostly built from there.
        let own = format!("{part}/{dockerfile}");
        let candidates = if part.is_empty() { vec![dockerfile] } else { vec![own.as_str(), dockerfile] };
        let found = candidates.into_iter().map(|file| codeowners::owners(text, file)).find(|owners| !owners.is_empty());
        if let Some(owners) = found {
            return Ownership { owners, source: path.clone(), ..ownership };
        }
    }
    if let (Some(Entity { owner: Some(owner), .. }), Some((path, _))) = (entity, &files.catalog) {
        return Ownership { owners: vec![owner], source: path.clone(), ..ownership };
    }
    if let Some((label, value)) = LABELS.iter().find_map(|label| Some((label, labels.get(*label)?))) {
        ownership.owners = vec![value.chars().take(LONGEST).collect()];
        ownership.source = format!("label {label}");
    }
    ownership
}

const LABELS: [&str; 3] = ["org.opencontainers.image.authors", "maintainer", "org.opencontainers.image.vendor"];
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_knows_better_than_the_image() {
        let codeowners = || Some(("CODEOWNERS".to_owned(), "/worker/ @team/worker\n".to_owned()));
        let text =
            "kind: Component\nmetadata:\n  name: app\nspec:\n  owner: group:default/team-a\n  lifecycle: production\n";
        let catalog = || Some((CATALOG_PATH.to_owned(), text.to_owned()));
        let labels = BTreeMap::from([("maintainer".to_owned(), "base image people".to_owned())]);
        for (codeowners, catalog, part, owner, source) in [
            (codeowners(), catalog(), "worker", "@team/worker", "CODEOWNERS"),
            (codeowners(), catalog(), "", "team-a", CATALOG_PATH),
            (codeowners(), None, "", "base image people", "label maintainer"),
            (None, None, "worker", "base image people", "label maintainer"),
        ] {
            let has_catalog = catalog.is_some();
            let files = OwnerFiles { codeowners, catalog };
            let found = resolve(&files, part, "g/p/worker", "Dockerfile", &labels);
            assert_eq!((found.owners[0].as_str(), found.source.as_str()), (owner, source), "{part}");
            assert_eq!(found.lifecycle.is_some(), has_catalog);
        }
        assert_eq!(resolve(&OwnerFiles::default(), "", "g/p", "Dockerfile", &BTreeMap::new()), Ownership::default());
    }
}
