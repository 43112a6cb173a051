//! OS packages that do not come from the distribution, told by who made them. Only what is known to be someone else's is
//! marked: a package that is wrongly called third-party would not be judged at all.

use std::collections::HashMap;

use crate::model::{Distribution, Package, PackageKind};

/// How the names begin under which distributions sign their rpm packages, by the `ID` of their `os-release`. One that has
/// no row may use any of them: nobody knows which it rebuilds.
const RPM_VENDORS: &[(&[&str], &[&str])] = &[
    (&["rhel"], &["Red Hat"]),
    (&["centos"], &["CentOS", "Red Hat"]),
    (&["fedora"], &["Fedora Project"]),
    (&["almalinux"], &["AlmaLinux"]),
    (&["rocky"], &["Rocky"]),
    (&["ol"], &["Oracle America"]),
    (&["amzn"], &["Amazon"]),
    (&["sles", "sled", "sle-micro", "sl-micro"], &["SUSE"]),
    (&["opensuse", "opensuse-leap", "opensuse-leap-micro", "opensuse-tumbleweed"], &["openSUSE", "SUSE"]),
    (&["mariner", "azurelinux"], &["Microsoft"]),
    (&["photon"], &["VMware", "Broadcom"]),
    (&["scientific"], &["Scientific Linux"]),
    (&["openEuler"], &["openEuler"]),
    (&["mageia"], &["Mageia"]),
    (&["alinux"], &["Alibaba"]),
    (&["tencentos"], &["TencentOS"]),
    (&["cloudlinux"], &["CloudLinux", "AlmaLinux"]),
    (&["kylin"], &["Kylin"]),
];

/// What `makepkg` writes as the packager of a package that somebody built at home.
const NO_PACKAGER: &str = "Unknown Packager";

/// Parts of `Maintainer` by which vendors' own Debian packages are known.
const DEB_MAINTAINERS: &[&str] = &[
    "@docker.com",
    "@nvidia.com",
    "@nodesource.com",
    "nodesource",
    "@grafana.com",
    "@elastic.co",
    "@gitlab.com",
    "@hashicorp.com",
    "@mongodb.com",
    "@nginx.com",
    "@f5.com",
    "@mysql.com",
    "mysql-build@oss.oracle.com",
    "@percona.com",
    "@microsoft.com",
    "@datadoghq.com",
    "@influxdata.com",
    "@rabbitmq.com",
    "@newrelic.com",
    "@confluent.io",
    "@clickhouse.com",
    "@github.com",
    "@slack-corp.com",
    "chromium-dev@",
    "google chrome",
    "google cloud cli",
    "@azul.com",
    "@adoptium.net",
    "eclipse.org",
    "@amazon.com",
    "@yarnpkg.com",
];

/// Parts of versions by which well-known Debian repositories mark their builds.
const DEB_VERSIONS: &[&str] = &[".pgdg", "nodesource", "deb.sury.org", "~ppa"];

/// Tells third-party packages from the distribution's own.
pub(in crate::inventory) struct Judge<'a> {
    /// How the vendors' names begin under which the image's distribution signs.
    vendors: Vec<&'static str>,
    /// The vendor of most rpm packages is the distribution, also of one that no list knows.
    usual_vendor: Option<&'a str>,
}

impl<'a> Judge<'a> {
    pub(in crate::inventory) fn of(
        distribution: Option<&Distribution>,
        packages: impl Iterator<Item = &'a Package>,
    ) -> Self {
        let id = distribution.map_or("", |distribution| &distribution.id);
        let own = RPM_VENDORS.iter().find(|(ids, _)| ids.contains(&id));
        let vendors = match own {
            Some((_, vendors)) => vendors.to_vec(),
            None => RPM_VENDORS.iter().flat_map(|(_, vendors)| vendors.iter().copied()).collect(),
        };
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for package in packages.filter(|package| package.kind == PackageKind::Rpm) {
            if let Some(vendor) = &package.vendor {
                *counts.entry(vendor).or_default() += 1;
            }
        }
        let usual_vendor = counts.into_iter().max_by_key(|&(vendor, count)| (count, vendor)).map(|(vendor, _)| vendor);
        Self { vendors, usual_vendor }
    }

    pub(in crate::inventory) fn is_third_party(&self, package: &Package) -> bool {
        let Some(vendor) = package.vendor.as_deref() else { return false };
        match package.kind {
            PackageKind::Rpm => {
                self.usual_vendor != Some(vendor) && !self.vendors.iter().any(|known| vendor.starts_with(known))
            }
            PackageKind::Deb => {
                let maintainer = vendor.to_ascii_lowercase();
                let is_of_the_distribution = ["debian.org", "ubuntu.com"].iter().any(|host| maintainer.contains(host));
                DEB_VERSIONS.iter().any(|mark| package.version.contains(mark))
                    || !is_of_the_distribution && DEB_MAINTAINERS.iter().any(|known| maintainer.contains(known))
            }
            PackageKind::Alpm => vendor == NO_PACKAGER,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(kind: PackageKind, vendor: &str, version: &str) -> Package {
        Package { vendor: Some(vendor.into()), ..Package::new(kind, "p", version) }
    }

    #[test]
    fn knows_whose_packages_are_whose() {
        let (deb, rpm, apk, alpm) = (PackageKind::Deb, PackageKind::Rpm, PackageKind::Apk, PackageKind::Alpm);
        let usual: Vec<_> = (0..3).map(|_| package(rpm, "Nobody's Linux", "1")).collect();
        for (id, kind, vendor, version, expected) in [
            ("debian", deb, "Docker <support@docker.com>", "5:26.0.0-1~debian.12~bookworm", true),
            ("debian", deb, "Debian GCC Maintainers <debian-gcc@lists.debian.org>", "12.2.0-14", false),
            ("debian", deb, "Debian PostgreSQL Maintainers <x@lists.debian.org>", "16.2-1.pgdg120+2", true),
            ("debian", deb, "Somebody <somebody@example.org>", "1", false),
            ("rhel", rpm, "Red Hat, Inc.", "1", false),
            ("rhel", rpm, "Microsoft Corporation", "1", true),
            ("rhel", rpm, "Fedora Project", "1", true),
            ("azurelinux", rpm, "Microsoft Corporation", "1", false),
            ("fedora", rpm, "Fedora Project", "1", false),
            ("almalinux", rpm, "AlmaLinux", "1", false),
            ("nobodys", rpm, "Nobody's Linux", "1", false),
            ("nobodys", rpm, "Red Hat, Inc.", "1", false),
            ("nobodys", rpm, "Docker <support@docker.com>", "1", true),
            ("alpine", apk, "Docker <support@docker.com>", "1", false),
            ("arch", alpm, "Unknown Packager", "1", true),
            ("arch", alpm, "Somebody <somebody@archlinux.org>", "1", false),
        ] {
            let distribution = Distribution { id: id.to_owned(), ..Distribution::default() };
            let judge = Judge::of(Some(&distribution), usual.iter());
            assert_eq!(judge.is_third_party(&package(kind, vendor, version)), expected, "{id} {vendor} {version}");
        }
        let judge = Judge::of(None, usual.iter());
        assert!(!judge.is_third_party(&Package::new(rpm, "p", "1")));
    }
}
