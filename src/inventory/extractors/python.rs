//! Installed Python packages: `*.dist-info/METADATA` (core metadata specification), `*.egg-info` files and directories.

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact};
use crate::model::{Package, PackageKind};

pub(in crate::inventory) struct Python;

impl Extractor for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["**/*.dist-info/METADATA", "**/*.egg-info", "**/*.egg-info/PKG-INFO", "**/EGG-INFO/PKG-INFO"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let path = entry.path;
        entry.size <= 8 << 20
            && (path.ends_with(".dist-info/METADATA")
                || path.ends_with(".egg-info")
                || path.ends_with(".egg-info/PKG-INFO")
                || path.ends_with("/EGG-INFO/PKG-INFO"))
    }

    fn extract(&self, _path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        let text = String::from_utf8_lossy(content);
        // The headers end at the first empty line; what follows is the description.
        let headers = || text.lines().take_while(|line| !line.trim_end().is_empty());
        let field = |name: &str| {
            headers().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                let value = value.trim();
                (key.eq_ignore_ascii_case(name) && !value.is_empty() && value != "UNKNOWN").then_some(value)
            })
        };
        let (Some(name), Some(version)) = (field("Name"), field("Version")) else {
            return Err(ExtractError::new("no `Name` or no `Version` in the headers"));
        };
        let license = field("License-Expression").or_else(|| field("License").filter(|text| text.len() <= 128));
        let package = Package {
            licenses: license.map(str::to_owned).into_iter().collect(),
            ..Package::new(PackageKind::Pypi, name, version)
        };
        Ok(vec![Fact::Package(Box::new(package))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_headers_only() {
        let text =
            "Metadata-Version: 2.1\nName: Flask_Login\nVersion: 0.6.3\nLicense: MIT\n\nName: other\nVersion: 9\n";
        let facts = Python.extract("a.dist-info/METADATA", text.as_bytes()).expect("valid");
        assert_eq!(
            facts,
            [Fact::Package(Box::new(Package {
                licenses: vec!["MIT".into()],
                ..Package::new(PackageKind::Pypi, "Flask_Login", "0.6.3")
            }))]
        );
        assert!(Python.extract("", b"Name: x\n\nVersion: 1\n").is_err());
    }
}
