//! What can be read from a single file of an image: the trait that every package source implements, and their table.
//!
//! An extractor decides from path, size and mode whether it wants a file and turns that one file into [`Fact`]s. It sees
//! no other file, no distribution and no network, so what it says can be kept per layer. What needs several files is the
//! merge's business. All content is hostile: whatever it holds, an extractor answers with facts or an error.

mod apk;
mod by_folder;
mod bytes;
mod chisel;
mod composer;
mod conan;
mod conda;
mod content_manifest;
pub(super) mod copyright;
mod dotnet;
mod dpkg;
mod erlang;
mod executable;
mod fields;
mod files;
mod gem;
mod go_toolchain;
mod java;
mod jdk;
mod json;
mod julia;
mod npm;
mod opkg;
mod os_release;
mod pacman;
mod portage;
pub(super) mod python;
pub(super) mod rpm;
mod sbom;
mod share;
mod sqlite;
mod text;
mod wordpress;
mod xml;
mod zip;

use std::io::{self, BufRead, Read};

use super::fact::Fact;
use crate::image::Entry;
use crate::model::Limits;
use share::Share;

pub use os_release::RELEASE_FILES;

/// A source of packages or of facts about the system.
pub trait Extractor: Sync {
    /// A short name for people and for the table of coverage.
    fn name(&self) -> &'static str;

    /// What it reads, in words and glob patterns, for `docs/coverage.md`.
    fn claims(&self) -> &'static [&'static str];

    /// Whether it reads this file. The size is 0 for a hard link, so a small size is no reason to refuse.
    fn wants(&self, entry: &Entry<'_>) -> bool;

    /// Whether a wanted file is a package database, without which an operating system cannot be judged.
    fn is_package_database(&self, _path: &str) -> bool {
        false
    }

    /// Whether a file says at `path` what it says at `other`, which is `facts`; this extractor wants it at both. One that
    /// hard links give both is not read for each then.
    fn reads_alike(&self, _path: &str, _other: &str, _facts: &[Fact]) -> bool {
        false
    }

    /// What the file says.
    ///
    /// # Errors
    /// It says nothing because it is malformed, too large or could not be read.
    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError>;
}

/// All extractors. A file goes to the first one that wants it.
pub static EXTRACTORS: &[&dyn Extractor] = &[
    &os_release::OsRelease,
    &dpkg::Dpkg,
    &copyright::Copyright,
    &apk::Apk,
    &rpm::Rpm,
    &content_manifest::ContentManifest,
    &chisel::Chisel,
    &pacman::Pacman,
    &opkg::Opkg,
    &portage::Portage,
    &npm::Npm,
    &python::Python,
    &java::Java,
    &gem::Gem,
    &composer::Composer,
    &dotnet::Dotnet,
    &conda::Conda,
    &erlang::Erlang,
    &by_folder::ByFolder,
    &conan::Conan,
    &fields::R,
    &fields::Haskell,
    &julia::Julia,
    &wordpress::Wordpress,
    &jdk::Jdk,
    &go_toolchain::GoToolchain,
    &sbom::Sbom,
    // Decides by mode; the files of others may be executable too.
    &executable::Executable,
];

/// The extractor that reads a file, if there is one.
#[must_use]
pub fn extractor_for(entry: &Entry<'_>) -> Option<&'static dyn Extractor> {
    EXTRACTORS.iter().copied().find(|extractor| extractor.wants(entry))
}

/// Whether a path is that of a package database, without which an operating system cannot be judged.
#[must_use]
pub fn is_package_database(path: &str) -> bool {
    let entry = Entry { path, size: 0, mode: 0 };
    extractor_for(&entry).is_some_and(|extractor| extractor.is_package_database(path))
}

/// Why a file yields no facts.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// It is not in the form that its name promises.
    #[error("{0}")]
    Malformed(String),
    /// It is larger than files may be that are read to their end.
    #[error("the file has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// [`crate::model::Limits::file_size`].
        limit: u64,
    },
    /// It holds more than is read of one, in words.
    #[error("{0}")]
    LimitMet(String),
    /// Its content could not be read.
    #[error("reading failed: {0}")]
    Read(#[from] io::Error),
}

impl ExtractError {
    pub(crate) fn malformed(reason: impl ToString) -> Self {
        Self::Malformed(reason.to_string())
    }
}

/// A wanted file: a stream of its content, or all of it at once.
pub struct File<'a> {
    path: &'a str,
    size: u64,
    left: u64,
    limits: &'a Limits,
    content: &'a mut dyn BufRead,
    buffer: &'a mut Vec<u8>,
    /// While a large file is held.
    share: Option<Share<'static>>,
}

impl<'a> File<'a> {
    /// A file of `size` bytes, which `content` delivers. `limits` say what [`File::whole`] holds at most; `buffer` is
    /// what it uses.
    pub fn new(
        path: &'a str,
        size: u64,
        limits: &'a Limits,
        content: &'a mut dyn BufRead,
        buffer: &'a mut Vec<u8>,
    ) -> Self {
        Self { path, size, left: size, limits, content, buffer, share: None }
    }

    /// Whether it may be read to its end.
    fn check_size(&self) -> Result<(), ExtractError> {
        let (size, limit) = (self.size, self.limits.file_size);
        if size > limit { Err(ExtractError::TooLarge { size, limit }) } else { Ok(()) }
    }

    /// Waits until it may be in memory, where it is large.
    fn hold(&mut self) {
        if self.size > share::SMALL && self.share.is_none() {
            self.share = Some(Share::of(self.size));
        }
    }

    /// What it may cost at most.
    #[must_use]
    pub fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// Its path inside the image, as in [`Entry::path`].
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its whole content.
    ///
    /// # Errors
    /// The file is too large, or cannot be read.
    pub fn whole(&mut self) -> Result<&[u8], ExtractError> {
        self.whole_after(&[])
    }

    /// Its whole content, of which `beginning` was read already.
    ///
    /// # Errors
    /// The file is too large, or cannot be read.
    pub fn whole_after(&mut self, beginning: &[u8]) -> Result<&[u8], ExtractError> {
        self.check_size()?;
        if self.size > share::SMALL && self.share.is_none() {
            self.share = Some(Share::with_memory(self.size));
        }
        let buffer = match &mut self.share {
            Some(share) => share.memory(),
            None => &mut *self.buffer,
        };
        buffer.clear();
        // In one piece: to grow means to copy.
        buffer.reserve(usize::try_from(self.size).unwrap_or(usize::MAX).min(LARGEST_RESERVE));
        buffer.extend_from_slice(beginning);
        while self.left > 0 {
            let chunk = self.content.fill_buf()?;
            let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(chunk.len());
            if length == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            buffer.extend_from_slice(chunk.get(..length).unwrap_or_default());
            self.content.consume(length);
            self.left -= length as u64;
        }
        Ok(buffer)
    }
}

impl Read for File<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut chunk = self.fill_buf()?;
        let read = chunk.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for File<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let chunk = self.content.fill_buf()?;
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(chunk.len());
        Ok(chunk.get(..length).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        let amount = amount.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.content.consume(amount);
        self.left -= amount as u64;
    }
}

/// What the extractor for `path` says about a file with this content; nothing if there is none.
///
/// # Errors
/// As [`Extractor::extract`].
pub fn extract_bytes(path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
    let size = content.len() as u64;
    match extractor_for(&Entry { path, size, mode: 0o755 }) {
        Some(extractor) => {
            let limits = Limits { file_size: u64::MAX, ..Limits::default() };
            extractor.extract(&mut File::new(path, size, &limits, &mut &*content, &mut Vec::new()))
        }
        None => Ok(Vec::new()),
    }
}

/// Gives memory that is kept for large files back to the system: no layer is read any more.
pub(super) fn give_back_memory() {
    share::give_back();
}

/// Bytes of a file that memory is made ready for, whatever it says of its size.
const LARGEST_RESERVE: usize = 64 << 20;
/// Packages that one file may name: several times what the largest real database has.
const MOST_PACKAGES: usize = 100_000;

/// The reason given when a file names more than [`MOST_PACKAGES`].
fn too_many_packages() -> Fact {
    Fact::LimitMet(format!("it names more than {MOST_PACKAGES} packages; the others are left out"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A small sound file for each text format.
    const SEEDS: &[(&str, &str)] = &[
        ("etc/os-release", "ID=\"debian\"\nVERSION_ID='12'\nVERSION=\"8 (jessie)\"\n"),
        ("etc/SuSE-release", "openSUSE 13.2 (x86_64)\nVERSION = 13.2\n"),
        ("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nSource: b (1)\nVersion: 1+b1\n x\n\n"),
        ("var/lib/dpkg/info/a:amd64.list", "/.\n/usr/lib/x\n"),
        ("var/lib/dpkg/status.d/a.md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/lib/x\n"),
        ("usr/share/doc/a/copyright", "Format: x\n\nLicense: GPL-2+ or Expat\n"),
        ("lib/apk/db/installed", "P:a\nV:1\no:b\nF:usr\nR:x\n\n"),
        ("etc/apk/repositories", "@tag https://dl.example/alpine/v3.20/main\n"),
        ("var/lib/pacman/local/a-1-1/desc", "%NAME%\na\n\n%VERSION%\n1-1\n"),
        ("var/lib/pacman/local/a-1-1/files", "%FILES%\nusr/x\n"),
        ("usr/lib/opkg/status", "Package: a\nStatus: install user installed\nVersion: 1\n\n"),
        ("var/db/pkg/a/b-1-r1/CONTENTS", "obj /usr/x d41d8cd98f00b204e9800998ecf8427e 1\n"),
        ("root/buildinfo/content_manifests/a.json", r#"{"content_sets":["a"]}"#),
        ("a/node_modules/b/package.json", r#"{"name":"b","version":"1","licenses":[{"type":"MIT"}]}"#),
        ("ruby/specifications/a-1.gemspec", "# stub: a 1 ruby lib\n  s.licenses = [\"MIT\"]\n"),
        ("vendor/composer/installed.json", r#"{"packages":[{"name":"a/b","version":"1","license":["MIT"]}]}"#),
        ("opt/conda-meta/a.json", r#"{"name":"a","version":"1"}"#),
        ("a/ebin/a.app", "{application, a, [{vsn, \"1\"}]}."),
        ("a/DESCRIPTION", "Package: a\nVersion: 1\nBuilt: R 4\n"),
        ("a/package.conf.d/a.conf", "name: a\nversion:\n    1\n"),
        ("a/Manifest.toml", "[[deps.A]]\nversion = \"1\"\n"),
        ("wp-includes/version.php", "$wp_version = '6.4.2';\n"),
        ("wp-content/plugins/a/a.php", " * Plugin Name: A\n * Version: 1\n"),
        ("usr/local/go/VERSION", "go1.22.1\n"),
        ("a.dist-info/direct_url.json", r#"{"url":"https://a.example/b","vcs_info":{"vcs":"git","commit_id":"1"}}"#),
        ("jdk/release", "JAVA_VERSION=\"17.0.1\"\n"),
        ("a.cdx.json", r#"{"bomFormat":"CycloneDX","components":[{"purl":"pkg:npm/%40a/b@1"}]}"#),
        ("a.cdx.xml", "<bom xmlns='x'><components><component><purl>pkg:npm/a@1</purl></component></components></bom>"),
        ("a.spdx", "SPDXVersion: SPDX-2.3\nExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1\n"),
        ("a/packages.lock.json", r#"{"dependencies":{"net8.0":{"A":{"type":"Direct","resolved":"1"}}}}"#),
        ("a.deps.json", r#"{"libraries":{"a/1":{"type":"package"}}}"#),
        ("a.dist-info/METADATA", "Name: a\nVersion: 1\nClassifier: License :: OSI Approved :: MIT\n\nText"),
    ];

    proptest! {
        #[test]
        fn nothing_panics(
            seed in prop::sample::select(SEEDS),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
            cut in any::<prop::sample::Index>(),
        ) {
            let (path, content) = seed;
            prop_assert!(!extract_bytes(path, content.as_bytes()).expect("a sound file").is_empty(), "{}", path);
            let mut content = content.as_bytes().to_vec();
            for (index, byte) in changes {
                let at = index.index(content.len());
                content[at] = byte;
            }
            let _ = extract_bytes(path, &content);
            content.truncate(cut.index(content.len()));
            let _ = extract_bytes(path, &content);
        }
    }

    #[test]
    fn a_file_is_bounded_and_notices_a_short_layer() {
        let mut buffer = Vec::new();
        let mut content: &[u8] = b"abcdef";
        let most = |file_size| Limits { file_size, ..Limits::default() };
        let (three, nine) = (most(3), most(9));
        let mut file = File::new("f", 3, &three, &mut content, &mut buffer);
        assert_eq!(file.whole().expect("three bytes are there"), b"abc");
        assert_eq!(file.read(&mut [0; 4]).expect("its end"), 0);
        assert_eq!(content, b"def", "read beyond the file");
        let mut file = File::new("f", 4, &three, &mut content, &mut buffer);
        assert!(matches!(file.whole(), Err(ExtractError::TooLarge { size: 4, limit: 3 })));
        let mut file = File::new("f", 4, &nine, &mut content, &mut buffer);
        assert!(matches!(file.whole(), Err(ExtractError::Read(_))));
    }

    #[test]
    fn names_are_unique_and_claims_are_stated() {
        let mut names: Vec<_> = EXTRACTORS.iter().map(|extractor| extractor.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EXTRACTORS.len());
        for extractor in EXTRACTORS {
            assert!(!extractor.claims().is_empty(), "{} claims nothing", extractor.name());
        }
    }
}
