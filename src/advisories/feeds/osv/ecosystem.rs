//! OSV's ecosystem strings → shards, package kinds and constraints.

use std::collections::BTreeSet;

use crate::model::{Constraint, PackageKind, ShardName};

/// Where records of an ecosystem go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) shard: ShardName,
    pub(super) kind: PackageKind,
    pub(super) constraint: Option<Constraint>,
}

/// The distributions: OSV's name, the `ID` of their `os-release`, their package manager.
const DISTRIBUTIONS: [(&str, &str, PackageKind); 14] = [
    ("Debian", "debian", PackageKind::Deb),
    ("Ubuntu", "ubuntu", PackageKind::Deb),
    ("Alpine", "alpine", PackageKind::Apk),
    ("Wolfi", "wolfi", PackageKind::Apk),
    ("Chainguard", "chainguard", PackageKind::Apk),
    ("MinimOS", "minimos", PackageKind::Apk),
    ("AlmaLinux", "almalinux", PackageKind::Rpm),
    ("Rocky Linux", "rocky", PackageKind::Rpm),
    ("Azure Linux", "azurelinux", PackageKind::Rpm),
    ("Photon OS", "photon", PackageKind::Rpm),
    ("Mageia", "mageia", PackageKind::Rpm),
    ("openEuler", "openeuler", PackageKind::Rpm),
    ("Echo", "echo", PackageKind::Deb),
    ("BellSoft Hardened Containers", "bellsoft", PackageKind::Apk),
];

/// Left out on purpose: they need content sets or products to be judged rightly.
const LEFT_OUT: [&str; 3] = ["Red Hat", "SUSE", "openSUSE"];

/// `Debian:12`, `Ubuntu:Pro:22.04:LTS`, `Alpine:v3.20`, `npm`, …; `None` for those that are left out or not of packages.
pub(super) fn target(ecosystem: &str) -> Option<Target> {
    let mut parts = ecosystem.split(':');
    let name = parts.next()?;
    if LEFT_OUT.contains(&name) {
        return None;
    }
    let Some((_, id, kind)) = DISTRIBUTIONS.iter().find(|(known, _, _)| *known == name) else {
        let language = ShardName::new(name);
        let kind = PackageKind::ALL.iter().copied().find(|kind| kind.shard().as_ref() == Some(&language))?;
        return Some(Target { shard: language, kind, constraint: None });
    };
    let mut constraint = None;
    let mut release = String::new();
    for part in parts {
        match part {
            "Pro" => constraint = Some(Constraint::Repository("esm".into())),
            "LTS" => {}
            part if part.starts_with("FIPS") || part.contains("fips") => {
                constraint = Some(Constraint::Repository("fips".into()))
            }
            part => release = part.strip_prefix('v').unwrap_or(part).to_owned(),
        }
    }
    // Debian's releases have whole numbers since `4.0`; before that, `3.0` and `3.1` were two.
    if *id == "debian" && !matches!(release.as_str(), "2.0" | "3.0") {
        release = release.strip_suffix(".0").map_or(release.clone(), str::to_owned);
    }
    let shard = match (*id, release.as_str()) {
        ("wolfi" | "chainguard" | "minimos" | "echo", _) => ShardName::new(id),
        // Without a release a record says nothing about any.
        (_, "") => return None,
        (id, release) => ShardName::new(format!("{id}-{release}")),
    };
    Some(Target { shard, kind: *kind, constraint })
}

/// Whether the export of an ecosystem may hold records of the wanted shards.
pub(super) fn may_hold(name: &str, wanted: Option<&BTreeSet<ShardName>>) -> bool {
    let Some(wanted) = wanted else { return true };
    let prefix = DISTRIBUTIONS.iter().find(|(known, _, _)| *known == name).map(|(_, id, _)| *id);
    match prefix {
        Some(id) => wanted.iter().any(|shard| {
            shard.as_str() == id || shard.as_str().strip_prefix(id).is_some_and(|rest| rest.starts_with('-'))
        }),
        // A folder of loose files may hold anything.
        None => target(name).is_none_or(|target| wanted.contains(&target.shard)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecosystems_name_their_shards() {
        for (ecosystem, expected) in [
            ("Debian:12", Some(("debian-12", PackageKind::Deb, false))),
            ("Debian:6.0", Some(("debian-6", PackageKind::Deb, false))),
            ("Debian:3.1", Some(("debian-3.1", PackageKind::Deb, false))),
            ("Debian", None),
            ("Ubuntu:22.04:LTS", Some(("ubuntu-22.04", PackageKind::Deb, false))),
            ("Ubuntu:Pro:22.04:LTS", Some(("ubuntu-22.04", PackageKind::Deb, true))),
            ("Alpine:v3.20", Some(("alpine-3.20", PackageKind::Apk, false))),
            ("AlmaLinux:9", Some(("almalinux-9", PackageKind::Rpm, false))),
            ("Rocky Linux:9", Some(("rocky-9", PackageKind::Rpm, false))),
            ("Wolfi", Some(("wolfi", PackageKind::Apk, false))),
            ("crates.io", Some(("crates.io", PackageKind::Cargo, false))),
            ("PyPI", Some(("pypi", PackageKind::Pypi, false))),
            ("Red Hat:enterprise_linux:9::baseos", None),
            ("OSS-Fuzz", None),
        ] {
            let found = target(ecosystem);
            let found = found.as_ref().map(|t| (t.shard.as_str(), t.kind, t.constraint.is_some()));
            assert_eq!(found, expected, "{ecosystem}");
        }
    }
}
