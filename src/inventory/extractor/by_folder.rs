//! Packages that the path of a file names, because their package managers keep each version in a folder of its own: Lua
//! rocks, Dart's package cache, Conan 1. Of the files themselves only the licence of a rock is read.

use std::io::Read;

use super::text::{lines, stated, text};
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Reads paths.
pub(super) struct ByFolder;

impl Extractor for ByFolder {
    fn name(&self) -> &'static str {
        "folders"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "installed Lua rocks: `**/luarocks/rocks*/<name>/<version>/*.rockspec`",
            "Dart packages: `**/.pub-cache/hosted/*/<name>-<version>/pubspec.yaml`",
            "Conan packages: `**/.conan/data/<name>/<version>/*/*/package/*/conaninfo.txt`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        package(entry.path).is_some()
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let Some((kind, name, version)) = package(file.path()) else { return Ok(Vec::new()) };
        let mut head = Vec::new();
        if kind == PackageKind::Luarocks {
            file.take(LARGEST_ROCKSPEC).read_to_end(&mut head)?;
        }
        let licenses = rock_license(&head).into_iter().collect();
        Ok(vec![Fact::Package(Package { licenses, ..Package::new(kind, name, version) })])
    }
}

/// Of a rockspec that is longer the beginning is read.
const LARGEST_ROCKSPEC: u64 = 1 << 20;

/// `license = "MIT"`: a rockspec is a program in Lua, which is not run.
fn rock_license(content: &[u8]) -> Option<String> {
    lines(content).map(text).find_map(|line| {
        let value = line.strip_prefix("license")?.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        stated(value.get(1..)?.split_once(quote)?.0.as_bytes())
    })
}

fn package(path: &str) -> Option<(PackageKind, &str, &str)> {
    let (kind, name, version) = if path.ends_with(".rockspec") {
        let mut parts = path.rsplit('/').skip(1);
        let (version, name, rocks, luarocks) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if !rocks.starts_with("rocks") || luarocks != "luarocks" {
            return None;
        }
        (PackageKind::Luarocks, name, version)
    } else if let Some(directory) = path.strip_suffix("/pubspec.yaml") {
        let mut parts = directory.rsplit('/');
        let (folder, _host, hosted, cache) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if hosted != "hosted" || !matches!(cache, ".pub-cache" | "pub-cache") {
            return None;
        }
        // Names of Dart's have no hyphen.
        let (name, version) = folder.split_once('-')?;
        (PackageKind::Pub, name, version)
    } else {
        let (_, rest) = path.strip_suffix("/conaninfo.txt")?.split_once(".conan/data/")?;
        let mut parts = rest.split('/');
        let (name, version) = (parts.next()?, parts.next()?);
        if parts.nth(2) != Some("package") {
            return None;
        }
        (PackageKind::Conan, name, version)
    };
    (!name.is_empty() && !version.is_empty()).then_some((kind, name, version))
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn rocks_state_their_licence() {
        let path = "usr/local/lib/luarocks/rocks-5.1/a/1-1/a-1-1.rockspec";
        for (content, expected) in [
            ("package = \"a\"\ndescription = {\n   summary = \"x\",\n   license = \"MIT\",\n}\n", vec!["MIT"]),
            ("description = {\n  license = 'MIT/X11' }", vec!["MIT/X11"]),
            ("license = own\nlicenses = \"x\"", vec![]),
            ("", vec![]),
        ] {
            let facts = extract_bytes(path, content.as_bytes()).expect("a rockspec");
            let [Fact::Package(p)] = facts.as_slice() else { panic!("{facts:?}") };
            assert_eq!(p.licenses, expected, "{content}");
        }
    }

    #[test]
    fn paths_name_packages() {
        use PackageKind::{Conan, Luarocks, Pub};
        for (path, expected) in [
            (
                "usr/local/lib/luarocks/rocks-5.1/luasocket/3.0rc1-2/luasocket-3.0rc1-2.rockspec",
                Some((Luarocks, "luasocket", "3.0rc1-2")),
            ),
            ("src/luasocket-3.0rc1-2.rockspec", None),
            ("root/.pub-cache/hosted/pub.example/http-0.13.5/pubspec.yaml", Some((Pub, "http", "0.13.5"))),
            ("root/.pub-cache/hosted/pub.example/http-0.13.5/example/pubspec.yaml", None),
            ("app/pubspec.yaml", None),
            ("root/.conan/data/zlib/1.2.11/_/_/package/ab12/conaninfo.txt", Some((Conan, "zlib", "1.2.11"))),
            ("root/.conan/data/zlib/1.2.11/conaninfo.txt", None),
            ("build/conaninfo.txt", None),
        ] {
            assert_eq!(package(path), expected, "{path}");
        }
    }
}
