//! dpkg's database: `var/lib/dpkg/status`, and one file per package in `status.d` (distroless images).

use crate::image::Entry;
use crate::inventory::vendor;
use crate::inventory::{ExtractError, Extractor, Fact};
use crate::model::{Package, PackageKind, SourcePackage};

pub(in crate::inventory) struct Dpkg;

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_DIRECTORY: &str = "var/lib/dpkg/status.d/";

impl Extractor for Dpkg {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["var/lib/dpkg/status", "var/lib/dpkg/status.d/*"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let single = entry.path.strip_prefix(STATUS_DIRECTORY);
        entry.path == STATUS
            || single.is_some_and(|name| !name.contains('/') && !name.ends_with(".md5sums") && !name.ends_with(".list"))
    }

    fn is_package_database(&self) -> bool {
        true
    }

    fn extract(&self, path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        let text = String::from_utf8_lossy(content);
        let needs_status = path == STATUS;
        let mut facts = Vec::new();
        let mut stanzas = 0_usize;
        for stanza in stanzas_of(&text) {
            stanzas += 1;
            facts.extend(package(stanza, needs_status)?.map(|package| Fact::Package(Box::new(package))));
        }
        if stanzas == 0 && !text.trim().is_empty() {
            return Err(ExtractError::new("no package stanza in a file that is not empty"));
        }
        Ok(facts)
    }
}

/// The paragraphs of a control file (deb822(5)).
fn stanzas_of(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").map(|stanza| stanza.trim_matches('\n')).filter(|stanza| !stanza.trim().is_empty())
}

/// The first line of a field.
fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    stanza.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The package of a stanza; `None` where it is not installed.
fn package(stanza: &str, needs_status: bool) -> Result<Option<Package>, ExtractError> {
    let Some(name) = field(stanza, "Package") else {
        return Err(ExtractError::new("a stanza without `Package`"));
    };
    // `deinstall ok config-files` leaves only configuration behind.
    let state = field(stanza, "Status").and_then(|status| status.split_whitespace().nth(2));
    let installed = match state {
        Some(state) => !matches!(state, "not-installed" | "config-files"),
        None => !needs_status,
    };
    if !installed {
        return Ok(None);
    }
    let Some(version) = field(stanza, "Version").filter(|version| !version.is_empty()) else {
        return Err(ExtractError::new(format!("the package `{name}` has no version")));
    };
    let source = match field(stanza, "Source") {
        Some(source) => match source.split_once(' ') {
            Some((name, version)) => (name.to_owned(), version.trim_matches(['(', ')', ' ']).to_owned()),
            None => (source.to_owned(), version.to_owned()),
        },
        None => (name.to_owned(), version.to_owned()),
    };
    let maintainer = field(stanza, "Maintainer");
    Ok(Some(Package {
        arch: field(stanza, "Architecture").map(str::to_owned),
        source: Some(SourcePackage { name: source.0, version: source.1 }),
        section: field(stanza, "Section").map(str::to_owned),
        third_party: maintainer.is_some_and(vendor::is_third_party_maintainer),
        vendor: maintainer.map(str::to_owned),
        ..Package::new(PackageKind::Deb, name, version)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS_TEXT: &str = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9\nDescription: x\n more\n\n\
        Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
        Package: coreutils\nStatus: hold ok installed\nVersion: 8.32-4+b1\nSource: coreutils (8.32-4)\n";

    fn packages(facts: Vec<Fact>) -> Vec<(String, String, String, String)> {
        facts
            .into_iter()
            .map(|fact| match fact {
                Fact::Package(package) => {
                    let source = package.source.expect("a source");
                    (package.name, package.version, source.name, source.version)
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn reads_installed_packages_with_their_sources() {
        let row = |a: &str, b: &str, c: &str, d: &str| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned());
        let found = packages(Dpkg.extract(STATUS, STATUS_TEXT.as_bytes()).expect("a valid file"));
        assert_eq!(
            found,
            [row("libc6", "2.36-9", "glibc", "2.36-9"), row("coreutils", "8.32-4+b1", "coreutils", "8.32-4")]
        );
        let found = packages(
            Dpkg.extract("var/lib/dpkg/status.d/netbase", b"Package: netbase\nVersion: 6.4\n").expect("valid"),
        );
        assert_eq!(found, [row("netbase", "6.4", "netbase", "6.4")]);
    }

    #[test]
    fn refuses_what_is_no_database() {
        for text in ["garbage", "Package: x\nStatus: install ok installed\n", "Version: 1\n"] {
            assert!(Dpkg.extract(STATUS, text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(Dpkg.extract(STATUS, b""), Ok(vec![]));
    }
}
