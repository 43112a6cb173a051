//! Go itself where its archive was unpacked: the file `VERSION` of a toolchain, `go1.22.1` on its first line. What it builds
//! holds its standard library, so both are named as the Go vulnerability database names them.

use super::executable::standard_library_version;
use super::text::{lines, text};
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// The file has two lines.
const LARGEST: u64 = 4 << 10;

/// Reads the version of a toolchain.
pub(super) struct GoToolchain;

impl Extractor for GoToolchain {
    fn name(&self) -> &'static str {
        "go toolchain"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["Go toolchains and their standard library: `**/go/VERSION`, `**/go-*/VERSION`, `**/go1*/VERSION`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let folder = entry.path.strip_suffix("/VERSION").map(|path| path.rsplit('/').next().unwrap_or(path));
        let is_go = |name: &str| name == "go" || name.starts_with("go-") || name.starts_with("go1");
        folder.is_some_and(is_go) && entry.size <= LARGEST
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let first = lines(file.whole()?).next().map(text).unwrap_or_default();
        let first = first.trim();
        // Others have folders of this name too, and a toolchain of its own making has no version.
        if !first.strip_prefix("go").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            return Ok(Vec::new());
        }
        let version = standard_library_version(first);
        let package = |name| Fact::Package(Package::new(PackageKind::Golang, name, version.clone()));
        Ok(["stdlib", "toolchain"].map(package).into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn reads_versions() {
        for (path, content, expected) in [
            ("usr/local/go/VERSION", "go1.22.1\ntime 2024-02-29T18:18:48Z\n", Some("1.22.1")),
            ("usr/share/go-1.19/VERSION", "go1.19.8", Some("1.19.8")),
            ("root/sdk/go1.23rc1/VERSION", "go1.23rc1\n", Some("1.23.0-rc.1")),
            ("usr/local/go/VERSION", "devel go1.24-abc", None),
            ("usr/local/go/VERSION", "1.0\n", None),
            ("usr/local/go/VERSION", "", None),
            ("usr/local/app/VERSION", "go1.22.1\n", None),
            ("usr/local/go/src/VERSION", "go1.22.1\n", None),
        ] {
            let facts = extract_bytes(path, content.as_bytes()).expect(path);
            let found: Vec<String> = facts
                .iter()
                .map(|fact| match fact {
                    Fact::Package(p) => format!("{} {}", p.name, p.version),
                    other => panic!("{other:?}"),
                })
                .collect();
            let expected = expected.map(|version| vec![format!("stdlib {version}"), format!("toolchain {version}")]);
            assert_eq!(found, expected.unwrap_or_default(), "{path}: {content}");
        }
    }
}
