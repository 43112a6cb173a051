//! A package header as rpm's databases store it: two counts, an index of 16-byte entries, the data they point into, all
//! big-endian. Format: rpm's "RPM v4 package format", section "header structure".

use super::super::bytes::{position, slice, u32_be};
use super::super::files::Files;
use super::super::text::stated;
use crate::inventory::fact::Installed;
use crate::model::{Package, PackageKind, SourcePackage};

/// Index entries and bytes of data that rpm itself accepts.
const MOST_ENTRIES: usize = 65_535;
const MOST_DATA: usize = 256 << 20;
/// Files of one package; the largest real packages have about 100,000.
const MOST_FILES: usize = 500_000;

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const VENDOR: u32 = 1011;
const LICENSE: u32 = 1014;
const ARCH: u32 = 1022;
const OLD_FILE_NAMES: u32 = 1027;
const SOURCE_RPM: u32 = 1044;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;
const MODULARITY_LABEL: u32 = 5096;

const INT32: u32 = 4;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const I18N_STRING: u32 = 9;

/// The package of a header. `None` is malformed, `Some(None)` an imported key, which is stored like a package.
pub(super) fn read(blob: &[u8], owned: &mut Files) -> Option<Option<Installed>> {
    let header = Header::parse(blob)?;
    let name = header.string(NAME)?;
    if name == "gpg-pubkey" {
        return Some(None);
    }
    let version = format!("{}-{}", header.string(VERSION)?, header.string(RELEASE)?);
    let version = match header.numbers(EPOCH).and_then(|mut epochs| epochs.next()) {
        Some(epoch) if epoch != 0 => format!("{epoch}:{version}"),
        _ => version,
    };
    let package = Package {
        arch: header.string(ARCH),
        source: header.string(SOURCE_RPM).as_deref().and_then(source),
        licenses: header.string(LICENSE).into_iter().collect(),
        vendor: header.string(VENDOR),
        module: header.string(MODULARITY_LABEL),
        ..Package::new(PackageKind::Rpm, name, version)
    };
    Some(Some(Installed { package, files: header.files(owned) }))
}

/// `openssl-3.0.7-24.el9.src.rpm`: name, version and release; the epoch is not in it.
pub(super) fn source(file_name: &str) -> Option<SourcePackage> {
    let stem = file_name.strip_suffix(".rpm")?.rsplit_once('.')?.0;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(SourcePackage { name: name.to_owned(), version: format!("{version}-{release}") })
}

struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(blob: &'a [u8]) -> Option<Self> {
        let (entries, length) = (position(u32_be(blob, 0)?), position(u32_be(blob, 4)?));
        if entries == 0 || entries > MOST_ENTRIES || length > MOST_DATA {
            return None;
        }
        let index = slice(blob, 8, entries * 16)?;
        Some(Self { index, data: slice(blob, 8 + entries * 16, length)? })
    }

    /// Type, data from the entry's offset on, and count of a tag.
    fn entry(&self, tag: u32) -> Option<(u32, &'a [u8], usize)> {
        let entry = self.index.chunks_exact(16).find(|entry| u32_be(entry, 0) == Some(tag))?;
        let data = self.data.get(position(u32_be(entry, 8)?)..)?;
        Some((u32_be(entry, 4)?, data, position(u32_be(entry, 12)?)))
    }

    fn string(&self, tag: u32) -> Option<String> {
        match self.entry(tag)? {
            (STRING | STRING_ARRAY | I18N_STRING, data, _) => stated(c_strings(data).next()?),
            _ => None,
        }
    }

    fn strings(&self, tag: u32) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        match self.entry(tag)? {
            (STRING | STRING_ARRAY | I18N_STRING, data, count) => Some(c_strings(data).take(count)),
            _ => None,
        }
    }

    fn numbers(&self, tag: u32) -> Option<impl Iterator<Item = u32> + use<'a>> {
        match self.entry(tag)? {
            (INT32, data, count) => Some(data.chunks_exact(4).take(count).filter_map(|bytes| u32_be(bytes, 0))),
            _ => None,
        }
    }

    /// The files as hashes of their paths: stored as base names with indexes into directory names, or in very old
    /// packages as whole paths.
    fn files(&self, owned: &mut Files) -> Vec<u64> {
        let (Some(names), Some(indexes), Some(directories)) =
            (self.strings(BASE_NAMES), self.numbers(DIRECTORY_INDEXES), self.strings(DIRECTORY_NAMES))
        else {
            return owned.hashes(self.strings(OLD_FILE_NAMES).into_iter().flatten());
        };
        let directories: Vec<&[u8]> = directories.take(MOST_FILES).collect();
        let paths = names.zip(indexes).take(MOST_FILES);
        paths.filter_map(|(name, index)| owned.hash(&[directories.get(position(index))?, name])).collect()
    }
}

/// The strings that end with a NUL; one that is cut off is none.
fn c_strings(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr::memchr(0, data)?;
        let (string, rest) = data.split_at_checked(end)?;
        data = rest.get(1..)?;
        Some(string)
    })
}
