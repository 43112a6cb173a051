//! Identifiers that stay the same as long as what they stand for does.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use sha2::{Digest as _, Sha256};

use crate::model::{Finding, ImageScan};

use super::image_name::ImageName;
use super::subject::Subject;

/// The SHA-256 of some text parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StableId([u8; 32]);

impl StableId {
    /// Of parts that are told apart: `["ab", "c"]` is not `["a", "bc"]`.
    pub(super) fn new(parts: &[&str]) -> Self {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + size_of::<u64>()).sum());
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(Sha256::digest(&bytes).into())
    }

    /// Of bytes that are hashed elsewhere.
    pub(super) fn of_hash(hash: Sha256) -> Self {
        Self(hash.finalize().into())
    }

    /// What makes a finding the same one in another build of the image: repository, package without version,
    /// vulnerability and, for language packages, the path.
    pub(super) fn of_finding(name: &ImageName, image: &ImageScan, finding: &Finding) -> Self {
        let package = &finding.package;
        let path = if package.kind.is_os() { "" } else { Subject::of(image, finding).path().unwrap_or("") };
        Self::new(&[&name.identity(), package.kind.purl_type(), &package.name, &finding.id, path])
    }

    /// The same thing met for the `n`th time (0 is the first) in a report that wants unique ids.
    fn occurrence(self, n: usize) -> Self {
        if n == 0 { self } else { Self::new(&[&self.hex(), &n.to_string()]) }
    }

    /// 64 hexadecimal digits.
    pub(super) fn hex(&self) -> String {
        let mut text = String::with_capacity(64);
        self.0.into_iter().for_each(|byte| push_hex(byte, &mut text));
        text
    }

    /// A UUID of version 8 (RFC 9562, section 5.8) from the first 16 bytes.
    pub(super) fn uuid(&self) -> String {
        let [mut b @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = self.0;
        b[6] = (b[6] & 0x0f) | 0x80;
        b[8] = (b[8] & 0x3f) | 0x80;
        let mut text = String::with_capacity(36);
        for (index, byte) in b.into_iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            push_hex(byte, &mut text);
        }
        text
    }
}

fn push_hex(byte: u8, text: &mut String) {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    text.push(digit(byte >> 4));
    text.push(digit(byte & 15));
}

/// Counts how often an id was met: findings that differ in nothing that makes them get numbers.
#[derive(Debug, Default)]
pub(super) struct Occurrences(HashMap<StableId, usize, BuildHasherDefault<FirstBytes>>);

/// The hash of what is one already.
#[derive(Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(self.0, |first| u64::from_ne_bytes(*first));
    }

    /// The length that comes before the bytes says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Occurrences {
    /// The id itself the first time, then one of its own for each further time.
    pub(super) fn next(&mut self, id: StableId) -> StableId {
        let met = self.0.entry(id).or_default();
        let own = id.occurrence(*met);
        *met += 1;
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_version_8_and_stable() {
        let uuid = StableId::new(&["a", "b"]).uuid();
        assert_eq!(uuid, StableId::new(&["a", "b"]).uuid());
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'8');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]));
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(StableId::new(&["ab", "c"]).hex(), StableId::new(&["a", "bc"]).hex());
    }

    #[test]
    fn every_occurrence_is_another_one_and_the_first_is_the_id_itself() {
        let (a, b) = (StableId::new(&["a"]), StableId::new(&["b"]));
        let number = |occurrences: &mut Occurrences| [a, b, a, a].map(|id| occurrences.next(id));
        let all = number(&mut Occurrences::default());
        assert_eq!(all[..2], [a, b]);
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 4);
        assert_eq!(all, number(&mut Occurrences::default()));
    }
}
