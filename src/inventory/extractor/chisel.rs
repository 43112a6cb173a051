//! Chiselled Ubuntu images: the manifest that `chisel` writes of packages, slices and paths, JSON lines compressed with
//! Zstandard. It names no source packages. Format: chisel's `manifest.wall` ("jsonwall" 1.0).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;

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
            let line: Line = serde_json::from_slice(&line).map_err(ExtractError::malformed)?;
            match (line.kind.as_str(), line.name, line.version, line.path) {
                ("package", ..) if packages.len() == MOST_PACKAGES => is_full = true,
                ("package", Some(name), Some(version), _) => {
                    let source = Some(SourcePackage { name: name.clone(), version: version.clone() });
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
        assert_eq!(packages[0].files, [path_hash("usr/lib/x86_64-linux-gnu/libc.so.6")]);
        for cut in 0..packed.len() {
            let _ = extract_bytes(PATH, &packed[..cut]);
        }
        assert!(extract_bytes(PATH, b"not zstd").is_err());
        assert!(extract_bytes(PATH, &zstd::encode_all(&b"{"[..], 3).expect("compression")).is_err());
    }
}
