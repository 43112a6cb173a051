//! Identifiers that stay the same from scan to scan because they are hashes of what they identify.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::model::Finding;

/// A UUID (RFC 9562 version 8: custom) of the parts.
pub(super) fn uuid(parts: &[&str]) -> String {
    let mut bytes = [0_u8; 16];
    for (to, from) in bytes.iter_mut().zip(hash(parts)) {
        *to = from;
    }
    let mut value = u128::from_be_bytes(bytes);
    value = (value & !(0xf << 76)) | (0x8 << 76);
    value = (value & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{value:032x}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// 64 hexadecimal digits.
pub(super) fn fingerprint(parts: &[&str]) -> String {
    hash(parts).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parts with their lengths, so that `("ab", "c")` and `("a", "bc")` differ.
fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// Names findings by image, package and vulnerability, not by version: an update that does not fix it leaves the
/// finding the same one, as in GitLab. Where an image holds several versions of the package, the others are named
/// by their package URL as well.
#[derive(Default)]
pub(super) struct FindingNames(HashSet<[u8; 32]>);

impl FindingNames {
    /// The parts to hash; `image` is the name without tag.
    pub(super) fn parts<'a>(&mut self, image: &'a str, finding: &'a Finding) -> Vec<&'a str> {
        let mut parts = vec![image, finding.package.name.as_str(), finding.id.as_str()];
        if !self.0.insert(hash(&parts)) {
            parts.push(finding.package.purl.as_str());
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_well_formed_and_depend_on_the_boundaries_of_parts() {
        let id = uuid(&["ab", "c"]);
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes().get(14), Some(&b'8'));
        assert!(matches!(id.as_bytes().get(19), Some(b'8' | b'9' | b'a' | b'b')), "{id}");
        assert_eq!(id, uuid(&["ab", "c"]));
        assert_ne!(id, uuid(&["a", "bc"]));
        assert_eq!(fingerprint(&[]).len(), 64);
    }
}
