//! `pom.xml`, as archives carry it that were built without Maven's `pom.properties`. Format: Maven's POM 4.0.0.

use super::super::xml;
use crate::model::{Limits, Package, PackageKind};

/// The artifact of a project file; group and version may be the parent's. Those that name a property instead of a value
/// are told by nothing in the archive.
pub(super) fn package(content: &[u8], limits: &Limits) -> Option<Package> {
    let [mut group, mut artifact, mut version] = [const { None::<String> }; 3];
    let [mut parents_group, mut parents_version] = [const { None::<String> }; 2];
    let read = xml::texts(content, limits, |open, text| {
        let names: Vec<&str> = open.iter().map(String::as_str).collect();
        let place = match names.as_slice() {
            ["project", "groupId"] => &mut group,
            ["project", "artifactId"] => &mut artifact,
            ["project", "version"] => &mut version,
            ["project", "parent", "groupId"] => &mut parents_group,
            ["project", "parent", "version"] => &mut parents_version,
            _ => return,
        };
        *place = Some(text.to_owned());
    });
    read.ok()?;
    let is_value = |text: &String| !text.is_empty() && !text.contains("${") && !text.contains(char::is_whitespace);
    let (group, version) = (group.or(parents_group)?, version.or(parents_version)?);
    let artifact = artifact?;
    let is_told = [&group, &artifact, &version].into_iter().all(is_value);
    is_told.then(|| Package::new(PackageKind::Maven, format!("{group}:{artifact}"), version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_and_version_may_be_the_parents() {
        for (content, expected) in [
            ("<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version></project>", Some("g:a 1")),
            (
                "<project xmlns='m'><parent><groupId>g</groupId><artifactId>p</artifactId><version>2</version></parent>
                 <artifactId>a</artifactId><dependencies><dependency><groupId>x</groupId><version>9</version></dependency>
                 </dependencies></project>",
                Some("g:a 2"),
            ),
            ("<project><groupId>g</groupId><artifactId>a</artifactId><version>${revision}</version></project>", None),
            ("<project><artifactId>a</artifactId></project>", None),
            ("<project>", None),
            ("", None),
        ] {
            let found = package(content.as_bytes(), &Limits::default()).map(|package| format!("{} {}", package.name, package.version));
            assert_eq!(found.as_deref(), expected, "{content}");
        }
    }
}
