//! Chiselled Ubuntu images: the manifest that `chisel` writes of packages, slices and paths, JSON lines compressed with
//! Zstandard. It names no source packages: those of Ubuntu's releases that have slices are known here, others are taken for
//! their own source. Format: chisel's `manifest.wall` ("jsonwall" 1.0).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;

use super::json::json;
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::image::overlay::path_hash;
use crate::inventory::fact::Installed;
use crate::model::{Package, PackageKind, SourcePackage};

const PATH: &str = "var/lib/chisel/manifest.wall";
/// Bytes of the unpacked manifest that are read; real ones have some 100 kB.
const MOST_READ: u64 = 64 << 20;
/// A frame may ask for a window of 8 MiB, as the format recommends.
const LARGEST_WINDOW: u32 = 23;

/// Reads chisel's manifest.
pub(super) struct Chisel;

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    kind: String,
    name: Option<String>,
    version: Option<String>,
    arch: Option<String>,
    path: Option<String>,
    #[serde(default)]
    slices: Vec<String>,
}

impl Extractor for Chisel {
    fn name(&self) -> &'static str {
        "chisel"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["packages of chiselled Ubuntu images and their files: `var/lib/chisel/manifest.wall`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path == PATH
    }

    fn is_package_database(&self, _: &str) -> bool {
        true
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let limits = file.limits();
        let mut decoder = zstd::stream::read::Decoder::with_buffer(file.whole()?)?;
        decoder.window_log_max(LARGEST_WINDOW)?;
        let mut packages: BTreeMap<String, Installed> = BTreeMap::new();
        let mut paths: Vec<(String, u64)> = Vec::new();
        let mut is_full = false;
        for line in BufReader::new(decoder.take(MOST_READ)).split(b'\n') {
            let line = line?;
            if line.is_empty() {
                continue;
            }
            let line: Line = json(&line, limits)?;
            match (line.kind.as_str(), line.name, line.version, line.path) {
                ("package", ..) if packages.len() == MOST_PACKAGES => is_full = true,
                ("package", Some(name), Some(version), _) => {
                    let source = Some(SourcePackage { name: source(&name, &version), version: version.clone() });
                    let package =
                        Package { arch: line.arch, source, ..Package::new(PackageKind::Deb, name.clone(), version) };
                    packages.insert(name, Installed { package, files: Vec::new() });
                }
                ("path", _, _, Some(path)) => {
                    let hash = path_hash(path.trim_start_matches('/'));
                    // `libc6_libs`: the slice `libs` of the package `libc6`.
                    let owner = line.slices.first().and_then(|slice| slice.split_once('_'));
                    paths.extend(owner.map(|(package, _)| (package.to_owned(), hash)));
                }
                _ => {}
            }
        }
        for (package, hash) in paths {
            if let Some(installed) = packages.get_mut(&package) {
                installed.files.push(hash);
            }
        }
        let database = Fact::Database { kind: PackageKind::Deb, packages: packages.into_values().collect() };
        Ok([database].into_iter().chain(is_full.then(too_many_packages)).collect())
    }
}

/// Binary packages that are sliced, by the source that builds them. Names stand for all that begin so, followed by digits,
/// dots, `t64` or a part of the package (`libpython3.10-minimal`).
const SOURCES: &[(&str, &[&str])] = &[
    ("acl", &["libacl"]),
    ("attr", &["libattr"]),
    ("audit", &["libaudit-common", "libaudit"]),
    ("brotli", &["libbrotli"]),
    ("bzip2", &["libbz"]),
    ("curl", &["libcurl"]),
    ("cyrus-sasl2", &["libsasl2"]),
    ("e2fsprogs", &["libcom-err", "libext2fs", "libss2"]),
    ("expat", &["libexpat"]),
    ("fontconfig", &["libfontconfig", "fontconfig-config"]),
    ("freetype", &["libfreetype"]),
    ("glib2.0", &["libglib2.0"]),
    ("glibc", &["libc6", "libc-bin", "locales"]),
    ("gmp", &["libgmp"]),
    ("gnutls28", &["libgnutls"]),
    ("icu", &["libicu"]),
    ("keyutils", &["libkeyutils"]),
    ("krb5", &["libgssapi-krb5", "libk5crypto", "libkrb5", "libkrb5support"]),
    ("lcms2", &["liblcms2"]),
    ("libcap2", &["libcap2"]),
    ("libffi", &["libffi"]),
    ("libgpg-error", &["libgpg-error"]),
    ("libidn2", &["libidn2"]),
    ("libjpeg-turbo", &["libjpeg-turbo"]),
    ("libpng1.6", &["libpng16"]),
    ("libpsl", &["libpsl"]),
    ("libselinux", &["libselinux"]),
    ("libsepol", &["libsepol"]),
    ("libssh", &["libssh"]),
    ("libssh2", &["libssh2"]),
    ("libtirpc", &["libtirpc"]),
    ("libunistring", &["libunistring"]),
    ("libxcrypt", &["libcrypt"]),
    ("libxml2", &["libxml2"]),
    ("libxslt", &["libxslt"]),
    ("libyaml", &["libyaml"]),
    ("libzstd", &["libzstd"]),
    ("lz4", &["liblz4"]),
    ("ncurses", &["libncurses", "libncursesw", "libtinfo", "ncurses-base", "ncurses-bin"]),
    ("nettle", &["libnettle", "libhogweed"]),
    ("nghttp2", &["libnghttp2"]),
    ("nss", &["libnss3"]),
    ("openldap", &["libldap"]),
    ("openssl", &["libssl3", "libssl1", "openssl"]),
    ("p11-kit", &["libp11-kit"]),
    ("pam", &["libpam"]),
    ("pcre2", &["libpcre2"]),
    ("pcre3", &["libpcre3"]),
    ("perl", &["libperl", "perl"]),
    ("python3-defaults", &["python3-minimal", "libpython3-stdlib"]),
    ("readline", &["libreadline"]),
    ("rtmpdump", &["librtmp"]),
    ("shadow", &["login", "passwd"]),
    ("sqlite3", &["libsqlite3"]),
    ("systemd", &["libsystemd", "libudev"]),
    ("util-linux", &["bsdutils", "libblkid", "libmount", "libsmartcols", "libuuid", "mount"]),
    ("xz-utils", &["liblzma"]),
    ("zlib", &["zlib1g"]),
];

/// The source package of a binary one.
fn source(name: &str, version: &str) -> String {
    // GCC's libraries have the compiler's release as version: `12.3.0-1ubuntu1~22.04` is of `gcc-12`.
    let of_gcc = ["libgcc-s", "libstdc++", "libgomp", "libatomic", "libquadmath", "gcc-"];
    let is_base = !name.starts_with("gcc-") || name.ends_with("-base");
    if is_base && of_gcc.iter().any(|prefix| name.starts_with(prefix)) {
        let release: String = version.chars().take_while(char::is_ascii_digit).collect();
        return format!("gcc-{release}");
    }
    // `libpython3.10-stdlib`, `python3.10-minimal`.
    if let Some(rest) = name.strip_prefix("lib").unwrap_or(name).strip_prefix("python3.") {
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return format!("python3.{minor}");
    }
    if let Some(rest) = name.strip_prefix("openjdk-") {
        let release: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return format!("openjdk-{release}");
    }
    let is_of = |prefix: &&&str| {
        let rest = name.strip_prefix(**prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit() || "-.t+".contains(c)))
    };
    // The longest name is the closest one: `libpcre2` before `libpcre`.
    let named =
        SOURCES.iter().flat_map(|(source, names)| names.iter().filter(is_of).map(move |name| (name.len(), *source)));
    named.max_by_key(|(length, _)| *length).map_or(name, |(_, source)| source).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    const MANIFEST: &str = r#"{"jsonwall":"1.0","schema":"1.0","count":4}
{"kind":"package","name":"libc6","version":"2.39-0ubuntu8.3","sha256":"x","arch":"amd64"}
{"kind":"path","path":"/usr/lib/x86_64-linux-gnu/libc.so.6","mode":"0755","slices":["libc6_libs"]}
{"kind":"slice","name":"libc6_libs"}
"#;

    #[test]
    fn reads_packages_and_paths() {
        let packed = zstd::encode_all(MANIFEST.as_bytes(), 3).expect("compression");
        let facts = extract_bytes(PATH, &packed).expect("a manifest");
        let [Fact::Database { kind: PackageKind::Deb, packages }] = facts.as_slice() else { panic!("{facts:?}") };
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].package.version, "2.39-0ubuntu8.3");
        assert_eq!(packages[0].package.source.as_ref().map(|source| source.name.as_str()), Some("glibc"));
        assert_eq!(packages[0].files, [path_hash("usr/lib/x86_64-linux-gnu/libc.so.6")]);
        for cut in 0..packed.len() {
            let _ = extract_bytes(PATH, &packed[..cut]);
        }
        assert!(extract_bytes(PATH, b"not zstd").is_err());
        assert!(extract_bytes(PATH, &zstd::encode_all(&b"{"[..], 3).expect("compression")).is_err());
    }

    #[test]
    fn sliced_packages_have_their_sources() {
        for (name, version, expected) in [
            ("libc6", "2.39-0ubuntu8.3", "glibc"),
            ("libssl3t64", "3.0.13-0ubuntu3.4", "openssl"),
            ("openssl", "3.0.13-0ubuntu3.4", "openssl"),
            ("libgcc-s1", "14-20240412-0ubuntu1", "gcc-14"),
            ("gcc-12-base", "12.3.0-1ubuntu1~22.04", "gcc-12"),
            ("libstdc++6", "12.3.0-1ubuntu1~22.04", "gcc-12"),
            ("libpython3.10-stdlib", "3.10.12-1~22.04.5", "python3.10"),
            ("python3-minimal", "3.10.6-1~22.04", "python3-defaults"),
            ("openjdk-17-jre-headless", "17.0.12+7-1ubuntu2~24.04", "openjdk-17"),
            ("libkrb5support0", "1.20.1-6ubuntu2.1", "krb5"),
            ("libpcre2-8-0", "10.42-4ubuntu2", "pcre2"),
            ("libncursesw6", "6.4", "ncurses"),
            ("zlib1g", "1:1.3.dfsg-3.1ubuntu2", "zlib"),
            ("perl-base", "5.38.2-3.2build2", "perl"),
            ("ca-certificates", "20240203", "ca-certificates"),
            ("libssh2-1t64", "1", "libssh2"),
            ("libcryptsetup12", "1", "libcryptsetup12"),
            ("perlbrew", "1", "perlbrew"),
        ] {
            assert_eq!(source(name, version), expected, "{name}");
        }
    }
}
