//! Java runtimes that were put into an image without a package manager: the `release` file of a JDK or JRE (JEP 223).

use super::text::{lines, stated, text};
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// A `release` file has some hundred bytes; one with its list of modules a few thousand.
const LARGEST: u64 = 64 << 10;

/// Reads `release` files.
pub(super) struct Jdk;

impl Extractor for Jdk {
    fn name(&self) -> &'static str {
        "jdk"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["Java runtimes without a package: `**/release` with `JAVA_VERSION`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.ends_with("/release") && entry.size <= LARGEST
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let content = file.whole()?;
        let value = |wanted: &str| {
            lines(content).map(text).find_map(|line| {
                let (name, value) = line.split_once('=')?;
                (name == wanted).then(|| stated(value.trim_matches('"').as_bytes())).flatten()
            })
        };
        let Some(version) = value("JAVA_VERSION") else { return Ok(Vec::new()) };
        let package = Package { vendor: value("IMPLEMENTOR"), ..Package::new(PackageKind::Generic, "java", version) };
        Ok(vec![Fact::Package(package)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn reads_release_files() {
        let content =
            b"IMPLEMENTOR=\"Eclipse Adoptium\"\nJAVA_RUNTIME_VERSION=\"17.0.10+7\"\nJAVA_VERSION=\"17.0.10\"\n";
        let facts = extract_bytes("opt/java/openjdk/release", content).expect("a release file");
        let [Fact::Package(p)] = facts.as_slice() else { panic!("{facts:?}") };
        assert_eq!((p.name.as_str(), p.version.as_str()), ("java", "17.0.10"));
        assert_eq!(p.vendor.as_deref(), Some("Eclipse Adoptium"));
        assert_eq!(extract_bytes("etc/release", b"Something 1.0\n").expect("another file"), []);
    }
}
