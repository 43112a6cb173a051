//! `pom.xml`, as Maven leaves it in archives, where it does. Format: Maven's POM 4.0.0.

use super::super::xml;
use super::license;
use crate::model::{Limits, Package, PackageKind};

/// What a project file says.
#[derive(Debug, Default)]
pub(super) struct Project {
    /// The artifact; group and version may be the parent's. Those that name a property instead of a value are told by
    /// nothing in the archive.
    pub(super) package: Option<Package>,
    pub(super) licenses: Vec<String>,
    /// It could not be read to its end.
    pub(super) is_broken: bool,
}

pub(super) fn read(content: &[u8], limits: &Limits) -> Project {
    let [mut group, mut artifact, mut version] = [const { None::<String> }; 3];
    let [mut parents_group, mut parents_version] = [const { None::<String> }; 2];
    let mut licenses = Vec::new();
    // Older ones are in Latin-1; what tells the artifact is in ASCII.
    let content = String::from_utf8_lossy(content);
    let read = xml::texts(content.as_bytes(), limits, |open, text| {
        let names: Vec<&str> = open.iter().map(String::as_str).collect();
        let place = match names.as_slice() {
            ["project", "groupId"] => &mut group,
            ["project", "artifactId"] => &mut artifact,
            ["project", "version"] => &mut version,
            ["project", "parent", "groupId"] => &mut parents_group,
            ["project", "parent", "version"] => &mut parents_version,
            ["project", "licenses", "license", "name"] => {
                if licenses.len() < license::MOST {
                    licenses.extend(license::name(text));
                }
                return;
            }
            _ => return,
        };
        *place = Some(text.to_owned());
    });
    let is_value = |text: &String| !text.is_empty() && !text.contains("${") && !text.contains(char::is_whitespace);
    let parts = (group.or(parents_group), artifact, version.or(parents_version));
    let package = match (parts, &read) {
        ((Some(group), Some(artifact), Some(version)), Ok(())) => {
            let is_told = [&group, &artifact, &version].into_iter().all(is_value);
            is_told.then(|| Package::new(PackageKind::Maven, format!("{group}:{artifact}"), version))
        }
        _ => None,
    };
    Project { package, licenses, is_broken: read.is_err() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_and_version_may_be_the_parents() {
        for (content, expected) in [
            ("<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version></project>", "g:a 1"),
            (
                "<project xmlns='m'><parent><groupId>g</groupId><artifactId>p</artifactId><version>2</version></parent>
                 <artifactId>a</artifactId><dependencies><dependency><groupId>x</groupId><version>9</version></dependency>
                 </dependencies></project>",
                "g:a 2",
            ),
            (
                "<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version><licenses><license>
                 <name>Apache\n 2.0</name><url>u</url></license><license><name>MIT</name></license></licenses></project>",
                "g:a 1 [Apache 2.0; MIT]",
            ),
            ("<project><groupId>g</groupId><artifactId>a</artifactId><version>${revision}</version></project>", "-"),
            ("<project><artifactId>a</artifactId></project>", "-"),
            ("<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version>", "- broken"),
            ("<project>", "- broken"),
            ("", "-"),
        ] {
            let found = read(content.as_bytes(), &Limits::default());
            let mut row = found.package.map_or("-".to_owned(), |package| format!("{} {}", package.name, package.version));
            if !found.licenses.is_empty() {
                row.push_str(&format!(" [{}]", found.licenses.join("; ")));
            }
            if found.is_broken {
                row.push_str(" broken");
            }
            assert_eq!(row, expected, "{content}");
        }
        let latin =
            b"<?xml version='1.0' encoding='ISO-8859-1'?><project><groupId>g</groupId><artifactId>a</artifactId>\
                      <version>1</version><name>\xe9</name></project>";
        assert!(read(latin, &Limits::default()).package.is_some());
    }
}
