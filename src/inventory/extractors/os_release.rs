//! `os-release` (os-release(5)) and the older files that distributions had before it.

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact};
use crate::model::Distribution;

pub(in crate::inventory) struct OsRelease;

const CLAIMS: &[&str] = &[
    "etc/os-release",
    "usr/lib/os-release",
    "etc/redhat-release",
    "etc/centos-release",
    "etc/almalinux-release",
    "etc/rocky-release",
    "etc/oracle-release",
    "etc/fedora-release",
    "etc/system-release",
    "etc/alpine-release",
    "etc/debian_version",
    "etc/lsb-release",
];

impl Extractor for OsRelease {
    fn name(&self) -> &'static str {
        "os-release"
    }

    fn claims(&self) -> &'static [&'static str] {
        CLAIMS
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.size <= 1 << 16 && CLAIMS.contains(&entry.path)
    }

    fn extract(&self, path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        let text = String::from_utf8_lossy(content);
        let found = match path.rsplit('/').next().unwrap_or(path) {
            "os-release" => os_release(&text).map(|d| (u8::from(path != "etc/os-release"), d)),
            "lsb-release" => lsb_release(&text).map(|d| (4, d)),
            "alpine-release" => simple("alpine", "Alpine Linux", text.trim()).map(|d| (3, d)),
            "debian_version" => simple("debian", "Debian GNU/Linux", text.trim()).map(|d| (5, d)),
            _ => red_hat(&text).map(|d| (2, d)),
        };
        Ok(found.map(|(rank, distribution)| Fact::Distribution { rank, distribution }).into_iter().collect())
    }
}

fn os_release(text: &str) -> Option<Distribution> {
    let get = |key: &str| value(text, key).filter(|value| !value.is_empty());
    let id = get("ID")?.to_ascii_lowercase();
    let version = get("VERSION_ID").unwrap_or_default();
    let name = get("PRETTY_NAME").or_else(|| get("NAME")).unwrap_or_else(|| format!("{id} {version}"));
    let id_like = get("ID_LIKE").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    Some(Distribution { id, version, name, codename: get("VERSION_CODENAME"), id_like, repository_release: None })
}

/// The value of a shell-like assignment, unquoted; the last one counts.
fn value(text: &str, key: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let (name, value) = line.trim().split_once('=')?;
        if name != key {
            return None;
        }
        let value = value.trim();
        let quoted = ['"', '\''].into_iter().find_map(|q| value.strip_prefix(q)?.strip_suffix(q));
        Some(quoted.unwrap_or(value).chars().filter(|c| !c.is_control() && *c != '\\').take(200).collect())
    })
}

fn lsb_release(text: &str) -> Option<Distribution> {
    let id = value(text, "DISTRIB_ID")?.to_ascii_lowercase();
    let version = value(text, "DISTRIB_RELEASE").unwrap_or_default();
    let name = value(text, "DISTRIB_DESCRIPTION").unwrap_or_else(|| format!("{id} {version}"));
    let codename = value(text, "DISTRIB_CODENAME");
    Some(Distribution { id, version, name, codename, id_like: Vec::new(), repository_release: None })
}

fn simple(id: &str, name: &str, version: &str) -> Option<Distribution> {
    let version = version.lines().next()?.trim();
    let major = if id == "debian" { version.split('.').next()? } else { version };
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| Distribution {
        id: id.into(),
        version: major.into(),
        name: format!("{name} {version}"),
        codename: None,
        id_like: Vec::new(),
        repository_release: None,
    })
}

/// `CentOS Linux release 7.9.2009 (Core)`.
fn red_hat(text: &str) -> Option<Distribution> {
    const NAMES: [(&str, &str); 8] = [
        ("CentOS", "centos"),
        ("Red Hat", "rhel"),
        ("AlmaLinux", "almalinux"),
        ("Rocky", "rocky"),
        ("Oracle", "ol"),
        ("Fedora", "fedora"),
        ("Amazon", "amzn"),
        ("Scientific", "scientific"),
    ];
    let line = text.lines().next()?.trim();
    let (_, id) = NAMES.iter().find(|(name, _)| line.starts_with(name))?;
    let version = line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let name = line.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(Distribution {
        id: (*id).into(),
        version: version.into(),
        name,
        codename: None,
        id_like: Vec::new(),
        repository_release: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_new_and_old_files() {
        for (path, text, expected) in [
            ("etc/os-release", "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n", Some(("debian", "12"))),
            ("usr/lib/os-release", "ID='rhel'\nVERSION_ID=\"9.4\"", Some(("rhel", "9.4"))),
            ("etc/os-release", "NAME=x", None),
            ("etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n", Some(("centos", "7.9.2009"))),
            ("etc/redhat-release", "Red Hat Enterprise Linux Server release 6.10 (Santiago)", Some(("rhel", "6.10"))),
            ("etc/alpine-release", "3.18.4\n", Some(("alpine", "3.18.4"))),
            ("etc/debian_version", "11.9\n", Some(("debian", "11"))),
            ("etc/debian_version", "trixie/sid\n", None),
            ("etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=14.04\n", Some(("ubuntu", "14.04"))),
        ] {
            let facts = OsRelease.extract(path, text.as_bytes()).unwrap_or_default();
            let found = facts.first().map(|fact| match fact {
                Fact::Distribution { distribution, .. } => (distribution.id.as_str(), distribution.version.as_str()),
                other => panic!("{other:?}"),
            });
            assert_eq!(found, expected, "{path}: {text}");
        }
    }
}
