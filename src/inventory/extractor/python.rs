//! Installed Python packages: the core metadata that wheels (`*.dist-info/METADATA`) and eggs (`PKG-INFO`, or a file
//! `*.egg-info`) leave behind. Format: PyPA "core metadata specifications"; only the header fields are read. Of packages
//! that come from elsewhere than an index, `direct_url.json` beside the metadata says whence (PEP 610).

use std::io::Read;

use serde::Deserialize;

use super::json::json;
use super::text::{field, lines, stated};
use super::zip::{self, Zip};
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Limits, Package, PackageKind};

const CLASSIFIER: &[u8] = b"License :: ";
/// A `License` field that is longer holds the licence's text instead of its name.
const LICENSE_NAME: usize = 100;
/// How a zip archive begins.
const ARCHIVE: &[u8] = b"PK";
/// The metadata in an archive.
const LARGEST_METADATA: usize = 4 << 20;

/// The file that says whence a package comes.
pub(in crate::inventory) const DIRECT_URL: &str = "direct_url.json";
/// The file that it lies beside.
pub(in crate::inventory) const METADATA: &str = "METADATA";

#[derive(Deserialize)]
struct DirectUrl {
    url: String,
    vcs_info: Option<VcsInfo>,
    subdirectory: Option<String>,
}

#[derive(Deserialize)]
struct VcsInfo {
    vcs: String,
    commit_id: Option<String>,
}

/// Reads the metadata of installed Python packages.
pub(super) struct Python;

impl Extractor for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "installed Python packages: `**/{*.,}dist-info/METADATA`, `**/{*.,}egg-info/PKG-INFO`, `**/*.egg-info`, `**/EGG-INFO/PKG-INFO`, `**/*.egg` archives",
            "where Python packages come from that are of no index: `**/{*.,}dist-info/direct_url.json`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let (directory, name) = entry.path.rsplit_once('/').unwrap_or(("", entry.path));
        match name {
            "METADATA" | DIRECT_URL => is_named(directory, "dist-info"),
            "PKG-INFO" => is_named(directory, "egg-info") || is_named(directory, "EGG-INFO"),
            _ => name.ends_with(".egg-info") || name.ends_with(".egg"),
        }
    }

    fn reads_alike(&self, path: &str, other: &str, _: &[Fact]) -> bool {
        let is_metadata = |path: &str| [METADATA, "PKG-INFO", ".egg-info"].iter().any(|end| path.ends_with(end));
        is_metadata(path) && is_metadata(other)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let is_archive = file.path().ends_with(".egg");
        let mut beginning = Vec::new();
        if is_archive {
            (&mut *file).take(ARCHIVE.len() as u64).read_to_end(&mut beginning)?;
            if beginning != ARCHIVE {
                return Ok(Vec::new()); // Anything may be called an egg.
            }
        }
        let is_url = file.path().ends_with(DIRECT_URL);
        let limits = file.limits();
        let content = file.whole_after(&beginning)?;
        if is_url {
            return Ok(direct_url(content, limits)?.map(Fact::Origin).into_iter().collect());
        }
        if is_archive { egg(content) } else { metadata(content) }
    }
}

/// Whether a directory has this ending, or this name alone, as one that was unpacked by hand may have.
fn is_named(directory: &str, ending: &str) -> bool {
    directory.strip_suffix(ending).is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '/']))
}

/// An egg that was not unpacked: a zip archive.
fn egg(content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
    let zip = Zip::open(content.into()).map_err(ExtractError::malformed)?;
    for member in zip.members() {
        let member = member.map_err(ExtractError::malformed)?;
        if member.name == "EGG-INFO/PKG-INFO" {
            return metadata(&zip.read(&member, LARGEST_METADATA).map_err(zip::unread)?);
        }
    }
    Ok(Vec::new())
}

/// `git+https://example.com/a.git@<commit>` or an address, as `pip freeze` writes it; nothing that could be a secret.
fn direct_url(content: &[u8], limits: &Limits) -> Result<Option<String>, ExtractError> {
    let found: DirectUrl = json(content, limits)?;
    let (scheme, rest) = found.url.split_once("://").ok_or_else(|| ExtractError::malformed("its `url` is none"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let address = format!("{scheme}://{host}{path}");
    let mut origin = match found.vcs_info {
        Some(VcsInfo { vcs, commit_id: Some(commit) }) => format!("{vcs}+{address}@{commit}"),
        Some(VcsInfo { vcs, commit_id: None }) => format!("{vcs}+{address}"),
        None => address,
    };
    if let Some(subdirectory) = found.subdirectory.filter(|subdirectory| !subdirectory.is_empty()) {
        origin = format!("{origin}#subdirectory={subdirectory}");
    }
    Ok(stated(origin.as_bytes()).filter(|origin| origin.len() <= LONGEST_ORIGIN))
}

/// An address that is longer is not kept.
const LONGEST_ORIGIN: usize = 2000;

fn metadata(content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
    let mut found = Metadata::default();
    // The description follows behind an empty line.
    for line in lines(content).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = field(line) {
            found.field(name, value);
        }
    }
    let missing = |what| ExtractError::malformed(format!("there is no `{what}` in its metadata"));
    let name = found.name.and_then(stated).ok_or_else(|| missing("Name"))?;
    let version = found.version.and_then(stated).ok_or_else(|| missing("Version"))?;
    let license = found.expression.or(found.license.filter(|license| license.len() <= LICENSE_NAME));
    let licenses = match license.and_then(stated) {
        Some(license) => vec![license],
        None => found.classifiers.into_iter().filter_map(stated).collect(),
    };
    Ok(vec![Fact::Package(Package { licenses, ..Package::new(PackageKind::Pypi, name, version) })])
}

#[derive(Default)]
struct Metadata<'a> {
    name: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    expression: Option<&'a [u8]>,
    license: Option<&'a [u8]>,
    classifiers: Vec<&'a [u8]>,
}

impl<'a> Metadata<'a> {
    fn field(&mut self, name: &[u8], value: &'a [u8]) {
        match name.to_ascii_lowercase().as_slice() {
            b"name" => self.name = self.name.or(Some(value)),
            b"version" => self.version = self.version.or(Some(value)),
            b"license-expression" => self.expression = Some(value),
            b"license" => self.license = Some(value),
            b"classifier" if self.classifiers.len() < 20 => {
                let license = value.strip_prefix(CLASSIFIER).and_then(|v| v.rsplit(|&byte| byte == b':').next());
                self.classifiers.extend(license.filter(|license| license.trim_ascii() != b"OSI Approved"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{extract_bytes, zip};
    use super::*;

    #[test]
    fn wants_metadata_only() {
        for (path, expected) in [
            ("usr/lib/python3/dist-packages/requests-2.31.0.dist-info/METADATA", true),
            ("usr/lib/python3/dist-packages/six-1.16.0.egg-info", true),
            ("usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO", true),
            ("opt/x.egg/EGG-INFO/PKG-INFO", true),
            ("six.egg-info", true),
            ("opt/app/dist-info/METADATA", true),
            ("egg-info/PKG-INFO", true),
            ("opt/x-dist-info/METADATA", false),
            ("usr/lib/python3/dist-packages/requests/METADATA", false),
            ("usr/lib/python3/dist-packages/six-1.16.0.egg-info/top_level.txt", false),
            ("src/PKG-INFO", false),
        ] {
            assert_eq!(Python.wants(&Entry { path, size: 0, mode: 0 }), expected, "{path}");
        }
    }

    #[test]
    fn reads_archives() {
        let archive = zip::of(&[("a.py", b"x"), ("EGG-INFO/PKG-INFO", b"Name: six\nVersion: 1.16.0\n")]);
        let facts = extract_bytes("lib/six-1.16.0-py3.9.egg", &archive).expect("an egg");
        assert!(matches!(&facts[..], [Fact::Package(p)] if p.version == "1.16.0"), "{facts:?}");
        assert!(extract_bytes("lib/six.egg", b"PK\x03\x04 cut off").is_err());
        for content in [&b"breakfast"[..], b"P", b""] {
            assert_eq!(extract_bytes("usr/share/games/easter.egg", content).expect("no archive"), []);
        }
    }

    #[test]
    fn reads_origins() {
        let path = "lib/x-1.dist-info/direct_url.json";
        for (content, expected) in [
            (
                r#"{"url":"https://user:secret@git.example/a.git","vcs_info":{"vcs":"git","commit_id":"ab12","requested_revision":"v1"}}"#,
                "git+https://git.example/a.git@ab12",
            ),
            (
                r#"{"url":"https://files.example/x-1.whl?token=secret","archive_info":{"hash":"sha256=1"}}"#,
                "https://files.example/x-1.whl",
            ),
            (
                r#"{"url":"file:///src/x","dir_info":{"editable":true},"subdirectory":"p"}"#,
                "file:///src/x#subdirectory=p",
            ),
        ] {
            assert_eq!(extract_bytes(path, content.as_bytes()).expect(content), [Fact::Origin(expected.into())]);
        }
        for broken in ["{", "{}", r#"{"url":"nowhere"}"#] {
            assert!(extract_bytes(path, broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn reads_metadata() {
        for (content, expected) in [
            (
                "Metadata-Version: 2.1\nName: requests\nVersion: 2.31.0\nLicense: Apache 2.0\n\nName: other\n",
                "requests 2.31.0 Apache 2.0",
            ),
            (
                "name: A_b\r\nversion: 1.0rc1\r\nLicense: UNKNOWN\r\nClassifier: License :: OSI Approved\r\nClassifier: License :: OSI Approved :: MIT License\r\n",
                "A_b 1.0rc1 MIT License",
            ),
            ("Name: x\nVersion: 1\nLicense: Old\nLicense-Expression: MIT OR Apache-2.0\n", "x 1 MIT OR Apache-2.0"),
        ] {
            let facts = extract_bytes("a/x.dist-info/METADATA", content.as_bytes()).expect(content);
            let [Fact::Package(p)] = facts.as_slice() else { panic!("{facts:?}") };
            assert_eq!(format!("{} {} {}", p.name, p.version, p.licenses.join(",")), expected);
        }
        for broken in ["", "Name: x\n", "Version: 1\n", "Name: x\n\nVersion: 1\n", "Name:\nVersion: 1"] {
            assert!(extract_bytes("x.egg-info", broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
