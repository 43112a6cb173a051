//! One package header of an rpm database (rpm's `hdrblob`): counts, index entries, data store, all big-endian.

use crate::inventory::{ExtractError, vendor};
use crate::model::{Package, PackageKind, SourcePackage};

use super::is_language_metadata;

/// Tags of `rpmtag.h`.
mod tag {
    pub(super) const NAME: u32 = 1000;
    pub(super) const VERSION: u32 = 1001;
    pub(super) const RELEASE: u32 = 1002;
    pub(super) const EPOCH: u32 = 1003;
    pub(super) const VENDOR: u32 = 1011;
    pub(super) const LICENSE: u32 = 1014;
    pub(super) const ARCH: u32 = 1022;
    pub(super) const SOURCE_RPM: u32 = 1044;
    pub(super) const DIR_INDEXES: u32 = 1116;
    pub(super) const BASE_NAMES: u32 = 1117;
    pub(super) const DIR_NAMES: u32 = 1118;
    pub(super) const MODULARITY_LABEL: u32 = 5096;
}

/// The package of a header and those of its files that can be a language package's metadata; `None` for imported
/// signing keys, which rpm keeps as packages.
pub(super) fn package(blob: &[u8]) -> Result<Option<(Package, Vec<String>)>, ExtractError> {
    let header = Header::parse(blob)?;
    let Some(name) = header.text(tag::NAME) else {
        return Err(ExtractError::new("an rpm header without a name"));
    };
    if name == "gpg-pubkey" {
        return Ok(None);
    }
    let (Some(version), Some(release)) = (header.text(tag::VERSION), header.text(tag::RELEASE)) else {
        return Err(ExtractError::new(format!("the rpm header of `{name}` has no version or release")));
    };
    let full = match header.numbers(tag::EPOCH, 1).first() {
        Some(epoch) if *epoch != 0 => format!("{epoch}:{version}-{release}"),
        _ => format!("{version}-{release}"),
    };
    let vendor = header.text(tag::VENDOR);
    let package = Package {
        arch: header.text(tag::ARCH),
        source: header.text(tag::SOURCE_RPM).and_then(|file| source(&file)),
        licenses: header.text(tag::LICENSE).into_iter().collect(),
        third_party: vendor.as_deref().is_some_and(vendor::is_third_party_vendor),
        vendor,
        module: header.text(tag::MODULARITY_LABEL),
        ..Package::new(PackageKind::Rpm, name, full)
    };
    let files = header.files();
    Ok(Some((package, files)))
}

/// `openssl-3.0.7-24.el9.src.rpm` → name and version-release.
fn source(file: &str) -> Option<SourcePackage> {
    let stem = file.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(SourcePackage { name: name.to_owned(), version: format!("{version}-{release}") })
}

struct Header<'a> {
    entries: &'a [[u8; ENTRY]],
    data: &'a [u8],
}

const ENTRY: usize = 16;
/// rpm's own limits on a header.
const MOST_ENTRIES: usize = 1 << 16;
const MOST_STRINGS: usize = 1 << 20;

impl<'a> Header<'a> {
    fn parse(blob: &'a [u8]) -> Result<Self, ExtractError> {
        let malformed = || ExtractError::new("a malformed rpm header");
        let (counts, rest) = blob.split_first_chunk::<8>().ok_or_else(malformed)?;
        let count = be32(counts, 0).filter(|count| *count <= MOST_ENTRIES).ok_or_else(malformed)?;
        let length = be32(counts, 4).ok_or_else(malformed)?;
        let (index, data) = rest.split_at_checked(count * ENTRY).ok_or_else(malformed)?;
        let data = data.get(..length).ok_or_else(malformed)?;
        Ok(Self { entries: index.as_chunks::<ENTRY>().0, data })
    }

    /// The data from a tag's offset on, and the number of its values.
    fn find(&self, tag: u32) -> Option<(&'a [u8], usize)> {
        let entry = self.entries.iter().find(|entry| entry.first_chunk() == Some(&tag.to_be_bytes()))?;
        Some((self.data.get(be32(entry, 8)?..)?, be32(entry, 12)?))
    }

    /// The first string of a tag; nothing for an empty one or rpm's own `(none)`.
    fn text(&self, tag: u32) -> Option<String> {
        let (data, _) = self.find(tag)?;
        let text = String::from_utf8_lossy(data.split(|byte| *byte == 0).next()?).into_owned();
        (!text.is_empty() && text != "(none)" && text.len() <= 4096).then_some(text)
    }

    fn strings(&self, tag: u32) -> Vec<&'a [u8]> {
        let Some((data, count)) = self.find(tag) else { return Vec::new() };
        data.split(|byte| *byte == 0).take(count.min(MOST_STRINGS)).collect()
    }

    fn numbers(&self, tag: u32, most: usize) -> Vec<u32> {
        let Some((data, count)) = self.find(tag) else { return Vec::new() };
        data.as_chunks::<4>().0.iter().take(count.min(most)).map(|bytes| u32::from_be_bytes(*bytes)).collect()
    }

    fn files(&self) -> Vec<String> {
        let directories = self.strings(tag::DIR_NAMES);
        let indexes = self.numbers(tag::DIR_INDEXES, MOST_STRINGS);
        let names = self.strings(tag::BASE_NAMES);
        let files = names.iter().zip(indexes).filter_map(|(name, index)| {
            let directory = String::from_utf8_lossy(directories.get(usize::try_from(index).ok()?)?);
            let path = format!("{}{}", directory.trim_start_matches('/'), String::from_utf8_lossy(name));
            is_language_metadata(&path).then_some(path)
        });
        files.collect()
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with string tags only.
    fn header(tags: &[(u32, &str)]) -> Vec<u8> {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, text) in tags {
            for value in [*tag, 6, data.len() as u32, 1] {
                index.extend(value.to_be_bytes());
            }
            data.extend(text.as_bytes());
            data.push(0);
        }
        let mut blob = Vec::new();
        blob.extend((tags.len() as u32).to_be_bytes());
        blob.extend((data.len() as u32).to_be_bytes());
        blob.extend(index);
        blob.extend(data);
        blob
    }

    #[test]
    fn reads_a_package() {
        let blob = header(&[
            (1000, "openssl-libs"),
            (1001, "3.0.7"),
            (1002, "24.el9"),
            (1044, "openssl-3.0.7-24.el9.src.rpm"),
            (1022, "x86_64"),
        ]);
        let (package, files) = package(&blob).expect("valid").expect("a package");
        assert_eq!((package.name.as_str(), package.version.as_str()), ("openssl-libs", "3.0.7-24.el9"));
        assert_eq!(package.source, Some(SourcePackage { name: "openssl".into(), version: "3.0.7-24.el9".into() }));
        assert!(files.is_empty());
        assert_eq!(super::package(&header(&[(1000, "gpg-pubkey")])), Ok(None));
        assert!(super::package(&header(&[(1000, "x")])).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = package(&bytes);
        }
    }
}
