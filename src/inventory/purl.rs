//! Package URLs, read: what a document says of a package in one line. Format: purl-spec.

use std::borrow::Cow;

use crate::model::{Package, PackageKind, SourcePackage};

/// A package URL of a kind that an inventory knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) package: Package,
    /// `debian`, `redhat`, `@babel`; for packages of operating systems who made them.
    pub(super) namespace: String,
    /// The qualifier `distro`: `debian-12.4`.
    pub(super) distro: Option<String>,
}

/// Reads a package URL; `None` where it is none, has no version, or is of a kind that no inventory holds.
pub(super) fn parse(purl: &str) -> Option<Parsed> {
    let rest = purl.strip_prefix("pkg:")?.split('#').next()?;
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, rest) = rest.trim_start_matches('/').split_once('/')?;
    let kind = *PackageKind::ALL.iter().find(|known| known.purl_type().eq_ignore_ascii_case(kind))?;
    let (path, version) = rest.rsplit_once('@')?;
    // A slash of the name itself is encoded.
    let path = path.trim_matches('/');
    let (namespace, last) = path.rsplit_once('/').unwrap_or(("", path));
    let (namespace, last, version) = (decoded(namespace)?, decoded(last)?, decoded(version)?);
    let name = match kind {
        _ if namespace.is_empty() => last,
        PackageKind::Maven => format!("{namespace}:{last}"),
        // Of Gentoo the category is part of the name.
        PackageKind::Npm
        | PackageKind::Golang
        | PackageKind::Composer
        | PackageKind::Swift
        | PackageKind::Portage
        | PackageKind::Wordpress => format!("{namespace}/{last}"),
        _ => last,
    };
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let qualifier = |wanted: &str| {
        let mut pairs = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        decoded(value).filter(|value| !value.is_empty())
    };
    let version = match qualifier("epoch").filter(|epoch| epoch != "0") {
        Some(epoch) if kind.is_os() && !version.contains(':') => format!("{epoch}:{version}"),
        _ => version,
    };
    let version = match version.strip_prefix('v') {
        // A release of the language, which has no `v`; Trivy writes one.
        Some(release) if kind == PackageKind::Golang && name == "stdlib" => release.to_owned(),
        _ => version,
    };
    let mut package = Package::new(kind, name, version);
    if kind.is_os() {
        package.arch = qualifier("arch");
        package.module = qualifier("rpmmod").or_else(|| qualifier("modularitylabel"));
        package.source = source(&package, qualifier("upstream").as_deref());
    }
    if kind == PackageKind::Pypi {
        package.origin = qualifier("vcs_url").or_else(|| qualifier("download_url"));
    }
    Some(Parsed { package, namespace, distro: qualifier("distro") })
}

/// The same where a document also calls the package by a name: package URLs of Go are in small letters, the modules' names
/// are not.
pub(super) fn parse_named(purl: &str, name: &str) -> Option<Parsed> {
    let mut parsed = parse(purl)?;
    if parsed.package.kind == PackageKind::Golang && name.eq_ignore_ascii_case(&parsed.package.name) {
        name.clone_into(&mut parsed.package.name);
    }
    Some(parsed)
}

/// `openssl`, `openssl@3.0.11-1`, `openssl-3.0.7-24.el9.src.rpm`; Debian's packages are their own source where nothing is
/// said.
fn source(package: &Package, upstream: Option<&str>) -> Option<SourcePackage> {
    let source = |name: &str, version: &str| SourcePackage { name: name.to_owned(), version: version.to_owned() };
    let Some(upstream) = upstream else {
        return (package.kind == PackageKind::Deb).then(|| source(&package.name, &package.version));
    };
    if let Some(stem) = upstream.strip_suffix(".src.rpm").or_else(|| upstream.strip_suffix(".nosrc.rpm")) {
        let (rest, release) = stem.rsplit_once('-')?;
        let (name, version) = rest.rsplit_once('-')?;
        return Some(source(name, &format!("{version}-{release}")));
    }
    Some(match upstream.split_once('@') {
        Some((name, version)) => source(name, version),
        None => source(upstream, &package.version),
    })
}

fn decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(u8::try_from(digit(rest.next())? << 4 | digit(rest.next())?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// The `ID` of a distribution's `os-release`, where documents use another name of it.
pub(super) fn distribution_id(name: &str) -> Cow<'static, str> {
    let name = name.to_ascii_lowercase();
    Cow::Borrowed(match name.as_str() {
        "redhat" | "red hat" | "red hat enterprise linux" => "rhel",
        "alma" => "almalinux",
        "amazon" | "amazonlinux" => "amzn",
        "oracle" | "oraclelinux" => "ol",
        "opensuse.leap" => "opensuse-leap",
        "opensuse.tumbleweed" => "opensuse-tumbleweed",
        "suse" | "suse linux enterprise server" => "sles",
        "cbl-mariner" => "mariner",
        "azure" => "azurelinux",
        _ => return Cow::Owned(name),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Distribution;

    /// A name as the ecosystem writes it, of parts that are in the form of its package URLs.
    fn name(kind: PackageKind, parts: &[String; 3]) -> String {
        let [a, b, c] = parts;
        match kind {
            PackageKind::Maven => format!("{a}.{b}:{c}"),
            PackageKind::Npm => format!("@{a}/{b}"),
            PackageKind::Golang | PackageKind::Swift => format!("{a}/{b}/{c}"),
            PackageKind::Composer | PackageKind::Portage | PackageKind::Wordpress => format!("{a}/{b}"),
            PackageKind::Pypi => format!("{a}-{b}"),
            _ => format!("{a}+{b}%{c}"),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            parts in prop::array::uniform3("[a-z0-9][a-z0-9.]{0,6}"),
            version in "[0-9]{1,2}[a-zA-Z0-9.+~@/?#%-]{0,8}",
            epoch in 0..3_u32,
            arch in "[a-z0-9_]{0,6}",
            is_of_gentoo in any::<bool>(),
        ) {
            let gentoo = Distribution { id: "gentoo".into(), version: "2.15".into(), ..Distribution::default() };
            for &kind in PackageKind::ALL {
                let has_epoch = epoch > 0 && matches!(kind, PackageKind::Deb | PackageKind::Rpm);
                let version = if has_epoch { format!("{epoch}:{version}") } else { version.clone() };
                let mut package = Package::new(kind, name(kind, &parts), version);
                package.arch = Some(arch.clone()).filter(|arch| kind.is_os() && !arch.is_empty());
                let written = package.purl(Some(&gentoo).filter(|_| is_of_gentoo));
                let read = parse(written.as_str()).map(|parsed| Package { source: None, ..parsed.package });
                prop_assert_eq!(read, Some(package), "{}", written);
            }
        }
    }

    #[test]
    fn names_keep_their_capitals() {
        let purl = "pkg:golang/github.com/masterminds/goutils@v1.1.0";
        for (name, expected) in [
            ("github.com/Masterminds/goutils", "github.com/Masterminds/goutils"),
            ("goutils", "github.com/masterminds/goutils"),
            ("", "github.com/masterminds/goutils"),
        ] {
            assert_eq!(parse_named(purl, name).map(|parsed| parsed.package.name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn package_urls() {
        for (purl, expected) in [
            (
                "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1?type=jar",
                Some("maven org.apache.logging.log4j:log4j-core 2.14.1"),
            ),
            ("pkg:golang/golang.org/x/net@v0.1.0#html", Some("golang golang.org/x/net v0.1.0")),
            ("pkg:golang/stdlib@v1.22.1", Some("golang stdlib 1.22.1")),
            ("pkg:npm/%40babel/core@7.0.0", Some("npm @babel/core 7.0.0")),
            ("pkg:npm/a@1%2Bb", Some("npm a 1+b")),
            ("pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12", Some("deb libc6 2.36-9 [libc6 2.36-9] amd64")),
            ("pkg:deb/debian/zlib1g@1:1.2-1?upstream=zlib", Some("deb zlib1g 1:1.2-1 [zlib 1:1.2-1]")),
            (
                "pkg:deb/debian/gcc@4:12.2-3?upstream=gcc-defaults%401.203",
                Some("deb gcc 4:12.2-3 [gcc-defaults 1.203]"),
            ),
            ("pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?epoch=1", Some("rpm openssl-libs 1:3.0.7-24.el9")),
            ("pkg:rpm/redhat/bash-x@5-1?epoch=0&upstream=bash-5-1.src.rpm", Some("rpm bash-x 5-1 [bash 5-1]")),
            ("pkg:apk/alpine/libssl3@3.1-r0?upstream=openssl", Some("apk libssl3 3.1-r0 [openssl 3.1-r0]")),
            ("pkg:ebuild/dev-libs/openssl@3", Some("ebuild dev-libs/openssl 3")),
            ("pkg:ebuild/dev-libs/openssl@3?arch=amd64&distro=gentoo-2.15", Some("ebuild dev-libs/openssl 3 amd64")),
            ("pkg:wordpress/plugin/akismet@5.3", Some("wordpress plugin/akismet 5.3")),
            ("pkg:generic/a%2Fb@1", Some("generic a/b 1")),
            ("pkg:npm/a@1%2", None),
            ("pkg:npm/a", None),
            ("pkg:other/a@1", None),
            ("a@1", None),
            ("", None),
        ] {
            let told = parse(purl).map(|parsed| {
                let package = parsed.package;
                let source = package.source.map(|s| format!(" [{} {}]", s.name, s.version)).unwrap_or_default();
                let arch = package.arch.map(|arch| format!(" {arch}")).unwrap_or_default();
                format!("{} {} {}{source}{arch}", package.kind.purl_type(), package.name, package.version)
            });
            assert_eq!(told.as_deref(), expected, "{purl}");
        }
    }
}
