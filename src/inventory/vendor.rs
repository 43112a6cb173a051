//! Who makes a distribution's own packages: what is not theirs is not judged by the distribution's data.
//!
//! Both lists are conservative: a maker that is not known is taken for the distribution, as a missed mark costs a false
//! report and a wrong one hides a true one.

/// Whether an rpm vendor is one that ships its own repositories beside the distribution's.
pub(super) fn is_third_party_vendor(vendor: &str) -> bool {
    is_one_of(vendor)
}

/// Whether a dpkg maintainer is one that ships its own repositories beside the distribution's.
pub(super) fn is_third_party_maintainer(maintainer: &str) -> bool {
    is_one_of(maintainer)
}

fn is_one_of(maker: &str) -> bool {
    let maker = maker.to_ascii_lowercase();
    MAKERS.iter().any(|known| maker.contains(known))
}

const MAKERS: [&str; 22] = [
    "docker.com",
    "docker inc",
    "nvidia.com",
    "nvidia corporation",
    "nodesource",
    "grafana.com",
    "grafana labs",
    "hashicorp",
    "elastic.co",
    "elasticsearch",
    "google.com",
    "google inc",
    "microsoft corporation",
    "microsoft.com",
    "gitlab.com",
    "github.com",
    "cloudera",
    "datadoghq.com",
    "influxdata.com",
    "mongodb.com",
    "yarnpkg.com",
    "apache bigtop",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_other_makers_from_distributions() {
        for (maker, third_party) in [
            ("Docker <support@docker.com>", true),
            ("Ivan Iguaran <nodesource.com>", true),
            ("GNU Libc Maintainers <debian-glibc@lists.debian.org>", false),
            ("Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>", false),
            ("AlmaLinux Packaging Team <packager@almalinux.org>", false),
            ("Red Hat, Inc.", false),
        ] {
            assert_eq!(is_third_party_maintainer(maker), third_party, "{maker}");
        }
    }
}
