//! Findings on real images equal what independent matchers find with the same advisories; see `docs/accuracy.md` for
//! the differences and who is right.

mod program;

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll::model::{Finding, GapKind, SuppressionReason};
use program::{Scan, shared};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    package: String,
    advisory: String,
}

fn expected(image: &Path, file: &str) -> BTreeSet<(String, String)> {
    let Ok(bytes) = std::fs::read(image.join(file)) else { return BTreeSet::new() };
    let rows: Vec<Expected> = serde_json::from_slice(&bytes).expect("the expectation is JSON");
    rows.into_iter().map(|row| (row.package, row.advisory)).collect()
}

/// (package, advisory) pairs of a scan: every statement that made a finding.
fn found(scan: &Scan) -> BTreeSet<(String, String)> {
    let suppressed = scan.image().suppressed.iter();
    // What could not be compared is told, but nobody claims it.
    let judged = suppressed.filter(|suppressed| suppressed.reason != SuppressionReason::NotComparable);
    let findings = scan.image().findings.iter().chain(judged.map(|suppressed| &suppressed.finding));
    findings
        .flat_map(|finding| finding.statements.iter().map(|s| (finding.package.name.clone(), s.advisory.clone())))
        .collect()
}

fn rows(pairs: &BTreeSet<(String, String)>) -> Vec<String> {
    pairs.iter().map(|(package, advisory)| format!("{package} {advisory}")).collect()
}

/// Every image of the test data, with the number of pairs that are expected, and whether the advisories have data about
/// its system. `docs/accuracy.md` has the same table.
const IMAGES: [(&str, usize, bool); 16] = [
    ("almalinux-9.3-micro-arm64", 29, true),
    ("alpine-3.20.3", 0, true),
    ("alpine-edge-20240923", 2, false),
    ("busybox-glibc", 0, false),
    ("debian-11-minbase-pkgdb", 54, true),
    ("debian-12-minbase", 0, true),
    ("distroless-like-debian12", 15, true),
    ("docker-v2s2-alpine-3.17", 0, true),
    ("edge-links", 0, true),
    ("edge-whiteouts", 3, true),
    ("go-bins-scratch", 428, true),
    ("large-debian-12-pkgdb", 35, true),
    ("python-app-pkgdb", 94, true),
    ("rpmdb-mariner-2.0-sqlite", 0, false),
    ("rpmdb-sle15-bci-ndb", 0, false),
    ("ubuntu-22.04-pkgdb", 130, true),
];

/// Differences where the expectation is wrong, each explained in `docs/accuracy.md`.
const EXPLAINED: [(&str, &str); 4] = [
    ("go-bins-scratch", "unexpected golang.org/x/net GHSA-qppj-fm5r-hxr3"),
    ("go-bins-scratch", "unexpected google.golang.org/grpc GHSA-qppj-fm5r-hxr3"),
    // Judged with Alpine's own data of edge in a test below.
    ("alpine-edge-20240923", "missing libcrypto3 ALPINE-CVE-2024-9143"),
    ("alpine-edge-20240923", "missing libssl3 ALPINE-CVE-2024-9143"),
];

#[test]
fn findings_equal_the_independent_matchers() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let document = include_str!("../docs/accuracy.md");
    let mut wrong = Vec::new();
    let mut known: BTreeSet<&str> = IMAGES.iter().map(|(name, ..)| *name).collect();
    let folders = std::fs::read_dir(shared.join("images")).expect("images").flatten().map(|entry| entry.path());
    let mut images: Vec<_> = folders.filter(|path| path.is_dir()).collect();
    images.sort();
    for image in &images {
        let name = image.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((name, number, has_data)) = IMAGES.iter().find(|(known, ..)| *known == name) else {
            wrong.push(format!("{name}: it is not in the table"));
            continue;
        };
        known.remove(name);
        if !document.contains(&format!("\n| {name} | {number} |")) {
            wrong.push(format!("{name}: docs/accuracy.md has no row of {number} pairs"));
        }
        let mut want = expected(image, "expected-os.json");
        want.extend(expected(image, "expected-lang.json"));
        if rows(&want).len() != *number && *name != "go-bins-scratch" {
            wrong.push(format!("{name}: {} pairs are expected, the table says {number}", want.len()));
        }
        let form = if image.join("oci").is_dir() { "oci" } else { "dir" };
        let source = format!("{form}:{}", image.join(form).display());
        let scan = program::scan(&[&source, "--db", &database]);
        let have = found(&scan);
        let missing = rows(&want.difference(&have).cloned().collect()).into_iter().map(|row| format!("missing {row}"));
        let more = rows(&have.difference(&want).cloned().collect()).into_iter().map(|row| format!("unexpected {row}"));
        let differences = missing.chain(more).filter(|row| !EXPLAINED.contains(&(*name, row.as_str())));
        wrong.extend(differences.map(|row| format!("{name}: {row}")));
        // Nothing found is an answer only where there was something to look in.
        let gaps = scan.image().inventory.as_ref().map_or(&[][..], |inventory| &inventory.gaps);
        let is_unsure = gaps.iter().any(|gap| matches!(gap.kind, GapKind::NoAdvisories | GapKind::UnknownDistribution));
        if is_unsure == *has_data {
            wrong.push(format!("{name}: {gaps:?}"));
        }
    }
    wrong.extend(known.into_iter().map(|name| format!("{name}: there is no such image")));
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn alpine_edge_equals_its_secdb() {
    let Some(shared) = shared() else { return };
    let database = program::database_of(&shared, &["alpine-secdb"]);
    let image = format!("oci:{}", shared.join("images/alpine-edge-20240923/oci").display());
    let scan = program::scan(&[&image, "--db", &database.path().display().to_string()]);
    let findings = &scan.image().findings;
    let vulnerabilities: BTreeSet<_> = findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!((findings.len(), vulnerabilities.len()), (96, 48), "{:#?}", vulnerabilities);
    for package in ["libcrypto3", "libssl3"] {
        let is_there = |f: &&Finding| f.package.name == package && f.id == "CVE-2024-9143";
        assert_eq!(findings.iter().filter(is_there).count(), 1, "{package}: what the expectation has of Alpine 3.20");
    }
}

/// Findings and what was set aside, as they are in the document.
fn judged(scan: &Scan) -> Vec<String> {
    let image = scan.image();
    let text = |value: serde_json::Result<String>| value.expect("JSON");
    let found = image.findings.iter().map(|finding| text(serde_json::to_string(finding)));
    found.chain(image.suppressed.iter().map(|suppressed| text(serde_json::to_string(suppressed)))).collect()
}

#[test]
fn our_own_bills_of_materials_stand_for_the_image() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let images = std::fs::read_dir(shared.join("images")).expect("images").flatten().map(|entry| entry.path());
    let (mut some, mut count) = (0, 0);
    for image in images.filter(|image| image.is_dir()) {
        let form = if image.join("oci").is_dir() { "oci" } else { "dir" };
        let source = format!("{form}:{}", image.join(form).display());
        let outputs = [("json", "plimsoll.json"), ("cyclonedx", "a.cdx.json"), ("spdx", "a.spdx.json")];
        let formats = outputs.map(|(format, path)| ["--format", format, "--output", path]).concat();
        // That the expected platform is missing in one is no matter of this test.
        let platform = if image.ends_with("almalinux-9.3-micro-arm64") { "linux/arm64" } else { "linux/amd64" };
        let of_image = program::scan(
            &[&[source.as_str(), "--db", &database, "--platform", platform], formats.as_slice()].concat(),
        );
        let want = judged(&of_image);
        count += 1;
        some += want.len();
        for document in ["a.cdx.json", "a.spdx.json"] {
            let path = of_image.directory.path().join(document);
            let of_document = program::scan(&[&format!("sbom:{}", path.display()), "--db", &database]);
            let have = judged(&of_document);
            let (want_all, have_all) = (&of_image.image().inventory, &of_document.image().inventory);
            let (want_all, have_all) = want_all.as_ref().zip(have_all.as_ref()).expect("inventories");
            let odd = want_all.packages.iter().zip(&have_all.packages).find(|(a, b)| a != b);
            assert!(odd.is_none(), "{document} of {source}: {odd:#?}");
            assert!(want_all == have_all, "{document} of {source}: {:?} {:?}", want_all.gaps, have_all.gaps);
            let differs = want.iter().zip(&have).find(|(a, b)| a != b);
            assert_eq!(have.len(), want.len(), "{document} of {source}: {differs:?}");
            assert!(differs.is_none(), "{document} of {source}: {differs:#?}");
            let coverage = |scan: &Scan| serde_json::to_string(&scan.image().coverage).expect("JSON");
            assert_eq!(coverage(&of_document), coverage(&of_image), "{document} of {source}");
        }
    }
    assert!(count >= 16, "only {count} images");
    assert!(some > 1000, "only {some} findings were compared");
}
