//! Which id names a vulnerability: a CVE where there is one, else the ecosystem's own.

use crate::model::PackageKind;

/// Sorts ids so that the primary comes first, in an order that does not depend on which feeds were read.
pub(super) fn sort(ids: &mut Vec<String>, kind: PackageKind) {
    ids.sort_by(|a, b| (rank(a, kind), a).cmp(&(rank(b, kind), b)));
    ids.dedup();
}

/// CVE first, then the ecosystem's own database, GHSA, and all others.
fn rank(id: &str, kind: PackageKind) -> u8 {
    let own = match kind {
        PackageKind::Pypi => "PYSEC-",
        PackageKind::Cargo => "RUSTSEC-",
        PackageKind::Golang => "GO-",
        _ => "GHSA-",
    };
    match id {
        id if id.starts_with("CVE-") => 0,
        id if id.starts_with("MAL-") => 1,
        id if id.starts_with(own) => 2,
        id if id.starts_with("GHSA-") => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_id_is_stable() {
        for (kind, ids, expected) in [
            (PackageKind::Pypi, ["GHSA-a", "PYSEC-1", "CVE-2"], ["CVE-2", "PYSEC-1", "GHSA-a"]),
            (PackageKind::Npm, ["NSWG-1", "GHSA-b", "GHSA-a"], ["GHSA-a", "GHSA-b", "NSWG-1"]),
            (PackageKind::Cargo, ["GHSA-b", "RUSTSEC-2", "RUSTSEC-1"], ["RUSTSEC-1", "RUSTSEC-2", "GHSA-b"]),
        ] {
            let mut sorted: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
            sort(&mut sorted, kind);
            assert_eq!(sorted, expected, "{kind:?}");
        }
    }
}
