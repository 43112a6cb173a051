//! The operating system distribution of an image.

use serde::{Deserialize, Serialize};

use super::ShardName;

/// What `os-release` and its kin say, normalised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// `ID`: `debian`, `ubuntu`, `alpine`, `almalinux`, `rhel`, ….
    pub id: String,
    /// `VERSION_ID`: `12`, `22.04`, `3.20.3`; empty for rolling releases.
    pub version: String,
    /// `PRETTY_NAME`, for people.
    pub name: String,
    /// `VERSION_CODENAME`: `bookworm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codename: Option<String>,
    /// `ID_LIKE`, split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_like: Vec<String>,
    /// The release whose packages are installed, where package sources say otherwise than `os-release`
    /// (`/etc/apk/repositories` naming `edge`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_release: Option<String>,
    /// Red Hat's content sets that the image's build names (`rhel-8-for-x86_64-baseos-rpms`), sorted; empty where
    /// nothing says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content_sets: Vec<String>,
}

impl Distribution {
    /// The release as advisories are kept by: `12`, `22.04`, `3.20`, `edge`, `9`.
    ///
    /// Debian, RHEL and its rebuilds, Amazon, Fedora are known by their major version; Ubuntu, Alpine, SUSE, Azure
    /// Linux and others by major and minor.
    #[must_use]
    pub fn release(&self) -> String {
        if let Some(release) = &self.repository_release {
            return release.clone();
        }
        let parts: Vec<&str> = self.version.split('.').collect();
        let wanted = match self.id.as_str() {
            "debian" | "raspbian" | "rhel" | "centos" | "almalinux" | "rocky" | "ol" | "amzn" | "fedora" => 1,
            _ => 2,
        };
        let is_edge =
            self.id == "alpine" && (parts.len() > 3 || self.version.contains("alpha") || self.version.contains('_'));
        if is_edge { "edge".into() } else { parts.iter().take(wanted).copied().collect::<Vec<_>>().join(".") }
    }

    /// The shard that holds this release's advisories, for example `debian-12`, `alpine-3.20`, `almalinux-9`.
    /// Distributions that are others' packages under another name use theirs: CentOS Linux is Red Hat's rebuilt.
    /// CentOS Stream, which is ahead of Red Hat's, is not.
    #[must_use]
    pub fn shard(&self) -> ShardName {
        let release = self.release();
        match (self.id.as_str(), release.as_str()) {
            ("centos", release) if self.is_stream() => ShardName::new(format!("centos-stream-{release}")),
            ("centos", release) if !release.is_empty() => ShardName::new(format!("rhel-{release}")),
            _ => self.lifecycle(),
        }
    }

    /// The release as its end of life is kept by, for example `centos-7`.
    #[must_use]
    pub fn lifecycle(&self) -> ShardName {
        let release = self.release();
        match (self.id.as_str(), release.as_str()) {
            ("raspbian", release) => ShardName::new(format!("debian-{release}")),
            ("wolfi" | "chainguard" | "arch" | "gentoo" | "opensuse-tumbleweed", _) | (_, "") => {
                ShardName::new(self.id.clone())
            }
            (id, release) => ShardName::new(format!("{id}-{release}")),
        }
    }

    /// CentOS Stream has the `ID` of CentOS Linux, which ended with release 8.
    fn is_stream(&self) -> bool {
        self.name.contains("Stream") || self.release().parse::<u32>().is_ok_and(|release| release > 8)
    }

    /// `debian-12.4`-like text for the purl qualifier `distro`.
    #[must_use]
    pub fn purl_qualifier(&self) -> String {
        if self.version.is_empty() { self.id.clone() } else { format!("{}-{}", self.id, self.version) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(id: &str, version: &str) -> Distribution {
        Distribution {
            id: id.into(),
            version: version.into(),
            name: String::new(),
            codename: None,
            id_like: vec![],
            repository_release: None,
            content_sets: vec![],
        }
    }

    #[test]
    fn shards_follow_each_distributions_releases() {
        for (id, version, shard) in [
            ("debian", "12", "debian-12"),
            ("ubuntu", "22.04", "ubuntu-22.04"),
            ("alpine", "3.20.3", "alpine-3.20"),
            ("alpine", "3.21.0_alpha20240807", "alpine-edge"),
            ("almalinux", "9.3", "almalinux-9"),
            ("rhel", "8.10", "rhel-8"),
            ("wolfi", "20230201", "wolfi"),
            ("opensuse-tumbleweed", "20240101", "opensuse-tumbleweed"),
            ("opensuse-leap", "15.6", "opensuse-leap-15.6"),
            ("raspbian", "11", "debian-11"),
            ("mariner", "2.0", "mariner-2.0"),
            ("centos", "7", "rhel-7"),
            ("centos", "8", "rhel-8"),
            ("centos", "9", "centos-stream-9"),
            ("centos", "", "centos"),
        ] {
            assert_eq!(distribution(id, version).shard().as_str(), shard, "{id} {version}");
        }
        let stream = Distribution { name: "CentOS Stream 8".into(), ..distribution("centos", "8") };
        assert_eq!(
            (stream.shard().as_str(), stream.lifecycle().as_str(), distribution("centos", "7").lifecycle().as_str()),
            ("centos-stream-8", "centos-8", "centos-7")
        );
    }
}
