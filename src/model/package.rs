//! A package found in an image.

use serde::{Deserialize, Serialize};

use super::{Distribution, Purl, ShardName};

/// One installed package: one name, version and architecture, in all the places where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The package manager or language ecosystem it belongs to.
    pub kind: PackageKind,
    /// The full name as the ecosystem writes it: `@babel/core`, `org.apache.logging.log4j:log4j-core`,
    /// `golang.org/x/net`, `libssl3`. Python names are normalised (PEP 503) by matching, not here.
    pub name: String,
    /// The full version as the ecosystem writes it; for dpkg and rpm with a non-zero epoch (`1:1.2.13.dfsg-1`).
    pub version: String,
    /// The package's architecture in the distribution's words (`amd64`, `x86_64`, `noarch`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The source package it was built from, where the database names one; always set for deb, and for apk and rpm
    /// that state an origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// Licences as the package states them, SPDX expressions where it uses them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<String>,
    /// Who made the package: rpm vendor, dpkg maintainer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// rpm modularity label, `name:stream:version:context`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// dpkg section (`libs`, `oldlibs`, `doc`), where stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Whether it comes from a repository that is not the distribution's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub third_party: bool,
    /// The OS package that owns its files (`python3-requests 2.28.1+dfsg-1`), for language packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<String>,
    /// Where it was installed from, if not from where its ecosystem's packages usually come: `git+https://…@<commit>` or an
    /// address. It may then be another program than the one that has its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Where the code of a Java archive lies that does not say its group: the packages of its classes, and the names of its
    /// bundle and module. They tell which advisories are about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// How it is known, where that is not its own or its package manager's word; what is found in it is to be judged with that
    /// in mind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_by: Option<KnownBy>,
    /// Where it was found, at least one.
    pub locations: Vec<Location>,
}

/// How a package is known that has nobody's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownBy {
    /// A bill of materials that lies in the image.
    Sbom,
    /// The manifest of a Java archive and its file name.
    Manifest,
    /// A version that a program prints.
    VersionString,
    /// The commit that a program was built from; its version is made of that and has no place among releases.
    Commit,
    /// The name of the file alone.
    FileName,
}

impl KnownBy {
    /// All of them, the surest first.
    pub const ALL: [Self; 5] = [Self::Sbom, Self::Manifest, Self::VersionString, Self::Commit, Self::FileName];

    /// Its name in documents.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Sbom => "sbom",
            Self::Manifest => "manifest",
            Self::VersionString => "version-string",
            Self::Commit => "commit",
            Self::FileName => "file-name",
        }
    }

    /// It in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Sbom => "a bill of materials in the image",
            Self::Manifest => "the archive's manifest and file name",
            Self::VersionString => "the version that the program prints",
            Self::Commit => "the commit that it was built from",
            Self::FileName => "the file's name alone",
        }
    }

    /// How sure name and version are, in tenths, of which ten are certain: an order, not a measurement.
    #[must_use]
    pub fn confidence(self) -> u8 {
        match self {
            Self::Sbom => 8,
            Self::Manifest => 7,
            Self::VersionString => 6,
            Self::Commit => 5,
            Self::FileName => 3,
        }
    }
}

/// The source package of an OS package.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version, with a non-zero epoch where known (rpm states none for sources).
    pub version: String,
}

/// One place where a package was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// Path inside the image without a leading slash: the package database, or the package's own metadata file.
    pub path: String,
    /// Index into [`super::Inventory::layers`] of the layer that introduced this version.
    pub layer: usize,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $purl:literal,)*) => {
        /// The package managers and ecosystems, by their purl type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum PackageKind { $($(#[$doc])* #[serde(rename = $purl)] $name,)* }

        impl PackageKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The purl type.
            #[must_use]
            pub fn purl_type(self) -> &'static str {
                match self { $(Self::$name => $purl,)* }
            }
        }
    };
}

kinds! {
    /// Debian packages.
    Deb = "deb",
    /// Alpine packages.
    Apk = "apk",
    /// RPM packages.
    Rpm = "rpm",
    /// Arch Linux packages.
    Alpm = "alpm",
    /// OpenWrt packages.
    Opkg = "opkg",
    /// Gentoo packages.
    Portage = "ebuild",
    /// Node.js packages.
    Npm = "npm",
    /// Python packages.
    Pypi = "pypi",
    /// Java packages; names are `group:artifact`.
    Maven = "maven",
    /// Go modules.
    Golang = "golang",
    /// Rust crates.
    Cargo = "cargo",
    /// Ruby gems.
    Gem = "gem",
    /// PHP packages.
    Composer = "composer",
    /// .NET packages.
    Nuget = "nuget",
    /// C and C++ packages.
    Conan = "conan",
    /// Conda packages.
    Conda = "conda",
    /// Erlang and Elixir packages.
    Hex = "hex",
    /// Dart packages.
    Pub = "pub",
    /// Haskell packages.
    Hackage = "hackage",
    /// Swift packages.
    Swift = "swift",
    /// R packages.
    Cran = "cran",
    /// Lua packages.
    Luarocks = "luarocks",
    /// Julia packages.
    Julia = "julia",
    /// Programs without a package manager, known by version strings.
    Generic = "generic",
    /// Bitnami's application packages.
    Bitnami = "bitnami",
    /// WordPress core, plugins and themes; names are `wordpress`, `plugin/akismet`, `theme/twentyten`.
    Wordpress = "wordpress",
}

impl PackageKind {
    /// Whether a distribution's package manager installs it.
    #[must_use]
    pub fn is_os(self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm | Self::Alpm | Self::Opkg | Self::Portage)
    }
}

impl PackageKind {
    /// The shard of the advisory index for a language ecosystem: OSV's ecosystem name in lower case. OS packages
    /// have one per distribution release, see [`Distribution::shard`].
    #[must_use]
    pub fn shard(self) -> Option<ShardName> {
        let name = match self {
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Maven => "maven",
            Self::Golang => "go",
            Self::Cargo => "crates.io",
            Self::Gem => "rubygems",
            Self::Composer => "packagist",
            Self::Nuget => "nuget",
            Self::Conan => "conancenter",
            Self::Hex => "hex",
            Self::Pub => "pub",
            Self::Hackage => "hackage",
            Self::Swift => "swifturl",
            Self::Cran => "cran",
            Self::Julia => "julia",
            Self::Bitnami => "bitnami",
            _ => return None,
        };
        Some(ShardName::new(name))
    }
}

impl Package {
    /// A package with the facts that every kind has; the rest empty, to be filled in by the extractor.
    #[must_use]
    pub fn new(kind: PackageKind, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            version: version.into(),
            arch: None,
            source: None,
            licenses: Vec::new(),
            vendor: None,
            module: None,
            section: None,
            third_party: false,
            owned_by: None,
            origin: None,
            namespaces: Vec::new(),
            known_by: None,
            locations: Vec::new(),
        }
    }

    /// The package URL. OS packages carry architecture, distribution and, where it differs, the source as `upstream`.
    #[must_use]
    pub fn purl(&self, distribution: Option<&Distribution>) -> Purl {
        let kind = self.kind.purl_type();
        if self.kind.is_os() {
            let vendor = distribution.map_or("", |d| match d.id.as_str() {
                "rhel" => "redhat",
                "amzn" => "amazon",
                "ol" => "oracle",
                id => id,
            });
            // Of Gentoo the namespace is the category.
            let (namespace, name) = match self.kind {
                PackageKind::Portage => self.name.rsplit_once('/').unwrap_or(("", &self.name)),
                _ => (vendor, self.name.as_str()),
            };
            let (epoch, version) = match (self.kind, self.version.split_once(':')) {
                (PackageKind::Rpm, Some((epoch, version))) => (epoch, version),
                _ => ("", self.version.as_str()),
            };
            let upstream = self.source.as_ref().filter(|s| s.name != self.name).map_or("", |s| s.name.as_str());
            let distro = distribution.map(Distribution::purl_qualifier).unwrap_or_default();
            let arch = self.arch.as_deref().unwrap_or("");
            return Purl::new(
                kind,
                namespace,
                name,
                version,
                &[("arch", arch), ("distro", &distro), ("epoch", epoch), ("upstream", upstream)],
            );
        }
        let (namespace, name) = match self.kind {
            PackageKind::Maven => self.name.split_once(':').unwrap_or(("", &self.name)),
            PackageKind::Npm
            | PackageKind::Golang
            | PackageKind::Composer
            | PackageKind::Swift
            | PackageKind::Wordpress => self.name.rsplit_once('/').unwrap_or(("", &self.name)),
            _ => ("", self.name.as_str()),
        };
        match self.kind {
            PackageKind::Pypi => {
                let name = name.to_ascii_lowercase().replace('_', "-");
                let origin = self.origin.as_deref().unwrap_or("");
                // The specification's words for an address of a repository and of a file.
                let qualifier = if origin.split("://").next().is_some_and(|scheme| scheme.contains('+')) {
                    "vcs_url"
                } else {
                    "download_url"
                };
                Purl::new(kind, "", &name, &self.version, &[(qualifier, origin)])
            }
            PackageKind::Golang | PackageKind::Composer => {
                Purl::new(kind, &namespace.to_ascii_lowercase(), &name.to_ascii_lowercase(), &self.version, &[])
            }
            _ => Purl::new(kind, namespace, name, &self.version, &[]),
        }
    }
}
