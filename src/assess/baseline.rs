//! What an image changes against its baseline: differences of findings by an identity that outlives rebuilds.
//!
//! The identity of a finding is the package without its version, the vulnerability and, for language packages, the path,
//! in which a version counts as a placeholder. Both sides must have been judged by the same advisories; what the
//! baseline was found to have when it was scanned then tells what was disclosed since.

use std::collections::HashSet;

use crate::model::{Change, CoverageStatus, Finding, ImageReference, ImageScan, Outcome, PackageKind, Platform};

/// The branch names that are parts of image names: of the scanned images, and of the baseline's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slugs<'a> {
    /// `CI_COMMIT_REF_SLUG` of this pipeline.
    pub head: Option<&'a str>,
    /// The same of the baseline's pipeline.
    pub base: Option<&'a str>,
}

/// For each image its counterpart in the baseline, by index: the same name, where branch names and commit ids in names
/// do not count; else the same repository; else the only ones that are left. Each counterpart serves once.
#[must_use]
pub fn pair(head: &[ImageScan], base: &[ImageScan], slugs: Slugs<'_>) -> Vec<Option<usize>> {
    let head: Vec<Name> = head.iter().map(|image| Name::of(image, slugs.head)).collect();
    let base: Vec<Name> = base.iter().map(|image| Name::of(image, slugs.base)).collect();
    let mut pairs: Vec<Option<usize>> = vec![None; head.len()];
    let same: [fn(&Name, &Name) -> bool; 2] =
        [|a, b| a.repository == b.repository && a.tag == b.tag, |a, b| a.repository == b.repository];
    for is_same in same {
        for (own, wanted) in head.iter().enumerate() {
            let free = |index: &usize| !pairs.contains(&Some(*index));
            let found = (0..base.len()).filter(free).find(|&index| {
                base.get(index).is_some_and(|b| is_same(wanted, b) && wanted.may_be_for_the_same_platform(b))
            });
            if let Some(slot @ None) = pairs.get_mut(own) {
                *slot = found;
            }
        }
    }
    let lonely: Vec<usize> = (0..base.len()).filter(|index| !pairs.contains(&Some(*index))).collect();
    let mut open = pairs.iter_mut().zip(&head).filter(|(pair, _)| pair.is_none());
    if let ([only], Some((slot, wanted)), None) = (lonely.as_slice(), open.next(), open.next())
        && base.get(*only).is_some_and(|b| wanted.may_be_for_the_same_platform(b))
    {
        *slot = Some(*only);
    }
    pairs
}

/// Marks the findings of an image against its counterpart, which the same advisories judged, and returns what is fixed.
/// `then` are the counterpart's findings at the time of its own scan, if there was one.
pub fn compare(head: &mut ImageScan, base: &ImageScan, then: Option<&[Finding]>) -> Vec<Finding> {
    let now = keys(base, &base.findings);
    let then = then.map(|then| keys(base, then));
    let changes: Vec<Change> = head
        .findings
        .iter()
        .map(|finding| {
            let own = keys_of(head, finding);
            let is_in = |keys: &HashSet<Key<'_>>| own.iter().any(|key| keys.contains(key));
            if !is_in(&now) {
                Change::Introduced
            } else if then.as_ref().is_some_and(|then| !is_in(then)) {
                Change::Disclosed
            } else {
                Change::Existing
            }
        })
        .collect();
    let fixed = fixed(head, base);
    for (finding, change) in head.findings.iter_mut().zip(changes) {
        finding.change = Some(change);
    }
    fixed
}

/// Marks an image that the baseline does not have: everything in it is introduced.
pub fn introduce(head: &mut ImageScan) {
    for finding in &mut head.findings {
        finding.change = Some(Change::Introduced);
    }
}

/// What the counterpart has and the image has not, neither counted nor suppressed. Nothing is said of packages that
/// could not be judged.
fn fixed(head: &ImageScan, base: &ImageScan) -> Vec<Finding> {
    let mut present = keys(head, &head.findings);
    present.extend(head.suppressed.iter().flat_map(|suppressed| keys_of(head, &suppressed.finding)));
    let gone = |finding: &&Finding| {
        is_judged(head, finding.package.kind) && !keys_of(base, finding).iter().any(|key| present.contains(key))
    };
    base.findings.iter().filter(gone).cloned().collect()
}

fn is_judged(image: &ImageScan, kind: PackageKind) -> bool {
    let mut coverage = image.coverage.iter().filter(|coverage| coverage.kind == kind);
    image.outcome == Outcome::Success && coverage.all(|coverage| coverage.status == CoverageStatus::Covered)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key<'a> {
    kind: PackageKind,
    package: &'a str,
    vulnerability: &'a str,
    path: String,
}

fn keys<'a>(image: &'a ImageScan, findings: &'a [Finding]) -> HashSet<Key<'a>> {
    findings.iter().flat_map(|finding| keys_of(image, finding)).collect()
}

/// A finding has as many keys as it has names and places: one in common makes two findings the same.
fn keys_of<'a>(image: &'a ImageScan, finding: &'a Finding) -> Vec<Key<'a>> {
    let package = &finding.package;
    let names = |id: &&String| id.starts_with("CVE-") || id.starts_with("GHSA-");
    let mut ids: Vec<&str> = vec![&finding.id];
    ids.extend(finding.identifiers.iter().filter(names).map(String::as_str));
    let mut paths = if package.kind.is_os() { Vec::new() } else { paths(image, finding) };
    if paths.is_empty() {
        paths.push(String::new());
    }
    let key =
        |id, path: &String| Key { kind: package.kind, package: &package.name, vulnerability: id, path: path.clone() };
    ids.iter().flat_map(|id| paths.iter().map(move |path| key(*id, path))).collect()
}

/// Where the package lies; `site-packages/requests-2.31.0.dist-info` stays the same place in another version.
fn paths(image: &ImageScan, finding: &Finding) -> Vec<String> {
    let own = &finding.package;
    let package = image.inventory.as_ref().and_then(|inventory| inventory.packages.get(own.index));
    let package = package.filter(|package| package.kind == own.kind && package.name == own.name);
    let locations = package.map(|package| package.locations.as_slice()).unwrap_or_default();
    let normal = |path: &str| if own.version.is_empty() { path.to_owned() } else { path.replace(&own.version, "*") };
    locations.iter().map(|location| normal(&location.path)).collect()
}

/// An image's name, with a branch name in either part and a commit id as tag made the same for all.
struct Name {
    repository: String,
    tag: String,
    /// The platform that is a part of the name.
    named: Option<Platform>,
    /// The platform that it is for.
    platform: Option<Platform>,
}

impl Name {
    fn of(image: &ImageScan, slug: Option<&str>) -> Self {
        let (name, named) = Platform::split_name(&image.name);
        let of_inventory = || image.inventory.as_ref().and_then(|inventory| inventory.image.platform.clone());
        let platform = named.clone().or_else(of_inventory);
        let general = |part: &str| if Some(part) == slug { "*".to_owned() } else { part.to_owned() };
        let is_local = LOCAL_SOURCES.iter().any(|prefix| name.starts_with(prefix));
        let (repository, tag) = match name.parse::<ImageReference>() {
            Ok(reference) if !is_local => (reference.name(), reference.tag.unwrap_or_default()),
            _ => (name.to_owned(), String::new()),
        };
        let is_commit = (tag.len() == 40 || tag.len() == 8) && tag.bytes().all(|b| b.is_ascii_hexdigit());
        let tag = if is_commit { "*".to_owned() } else { general(&tag) };
        Self { repository: repository.split('/').map(general).collect::<Vec<_>>().join("/"), tag, named, platform }
    }

    /// Whether the platforms are compatible. They matter only where one of the names has one.
    fn may_be_for_the_same_platform(&self, other: &Self) -> bool {
        let fits = |a: &Platform, b: &Platform| a.accepts(b) || b.accepts(a);
        match (&self.platform, &other.platform) {
            (Some(own), Some(others)) if self.named.is_some() || other.named.is_some() => fits(own, others),
            _ => true,
        }
    }
}

const LOCAL_SOURCES: [&str; 6] = ["oci:", "oci-archive:", "docker-archive:", "archive:", "dir:", "sbom:"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Coverage, Fix, FixState, Inventory, Location, Package, PackageRef, Severity, ShardName};

    /// An image with a finding per `(kind, package, version, path, id)`.
    fn image(name: &str, findings: &[(PackageKind, &str, &str, &str, &str)]) -> ImageScan {
        let mut inventory = Inventory {
            image: crate::model::ImageIdentity::default(),
            distribution: None,
            layers: Vec::new(),
            packages: Vec::new(),
            gaps: Vec::new(),
            base: None,
        };
        let mut log = Vec::new();
        for &(kind, package, version, path, id) in findings {
            let locations = vec![Location { path: path.into(), layer: 0 }];
            let found = Package { locations, ..Package::new(kind, package, version) };
            log.push(Finding {
                id: id.into(),
                identifiers: vec![id.into()],
                package: PackageRef {
                    index: inventory.packages.len(),
                    kind,
                    name: package.into(),
                    version: version.into(),
                    purl: found.purl(None),
                },
                fix: Fix { state: FixState::Unknown, version: None, source: None },
                severity: Severity::High,
                severity_source: String::new(),
                cvss: vec![],
                title: String::new(),
                description: String::new(),
                references: vec![],
                cwes: vec![],
                published: None,
                modified: None,
                kev: None,
                epss: None,
                statements: vec![],
                change: None,
                original_severity: None,
                factors: Vec::new(),
                score: 0,
            });
            inventory.packages.push(found);
        }
        ImageScan {
            name: name.into(),
            outcome: Outcome::Success,
            diagnosis: None,
            inventory: Some(inventory),
            findings: log,
            suppressed: vec![],
            coverage: vec![],
            packages: None,
            summary: None,
        }
    }

    use PackageKind::{Deb, Npm, Pypi};

    #[test]
    fn findings_are_introduced_disclosed_existing_or_fixed() {
        let base = image(
            "a",
            &[
                (Deb, "openssl", "1", "status", "CVE-1"),
                (Deb, "openssl", "1", "status", "CVE-2"),
                (Deb, "zlib", "1", "status", "CVE-3"),
            ],
        );
        let then = image("a", &[(Deb, "openssl", "1", "status", "CVE-1")]).findings;
        let mut head = image(
            "a",
            &[
                (Deb, "openssl", "2", "status", "CVE-1"),
                (Deb, "openssl", "2", "status", "CVE-2"),
                (Deb, "curl", "1", "status", "CVE-1"),
            ],
        );
        let fixed = compare(&mut head, &base, Some(&then));
        let changes: Vec<_> = head.findings.iter().map(|finding| finding.change).collect();
        assert_eq!(changes, [Change::Existing, Change::Disclosed, Change::Introduced].map(Some));
        assert_eq!(fixed.iter().map(|f| f.id.as_str()).collect::<Vec<_>>(), ["CVE-3"]);
        // Without knowledge of then nothing is called disclosed.
        compare(&mut head, &base, None);
        assert_eq!(head.findings.get(1).and_then(|finding| finding.change), Some(Change::Existing));
    }

    #[test]
    fn versions_do_not_move_a_package_but_folders_do() {
        let path = |version: &str| format!("usr/lib/python3/site-packages/requests-{version}.dist-info/METADATA");
        let (old, new) = (path("2.30.0"), path("2.31.0"));
        for (kind, name, before, after, expected) in [
            (Pypi, "requests", old.as_str(), new.as_str(), Change::Existing),
            (Npm, "lodash", "app/a/lodash/package.json", "app/a/lodash/package.json", Change::Existing),
            (Npm, "lodash", "app/a/lodash/package.json", "app/b/lodash/package.json", Change::Introduced),
            (Deb, "zlib", "var/lib/dpkg/status", "var/lib/dpkg/status.d/zlib", Change::Existing),
        ] {
            let base = image("a", &[(kind, name, "2.30.0", before, "CVE-1")]);
            let mut head = image("a", &[(kind, name, "2.31.0", after, "CVE-1")]);
            compare(&mut head, &base, None);
            assert_eq!(head.findings[0].change, Some(expected), "{before} → {after}");
        }
    }

    #[test]
    fn other_names_of_a_vulnerability_count() {
        let base = image("a", &[(Npm, "lodash", "1", "x", "GHSA-x")]);
        let mut head = image("a", &[(Npm, "lodash", "1", "x", "CVE-1")]);
        head.findings[0].identifiers.push("GHSA-x".into());
        assert!(compare(&mut head, &base, None).is_empty());
        assert_eq!(head.findings[0].change, Some(Change::Existing));
    }

    #[test]
    fn what_is_suppressed_or_not_judged_is_not_fixed() {
        let base = image("a", &[(Deb, "zlib", "1", "status", "CVE-1")]);
        let mut head = image("a", &[]);
        assert_eq!(compare(&mut head, &base, None).len(), 1);
        let (kind, shard) = (Deb, ShardName::new("debian-12"));
        head.coverage = vec![Coverage { kind, shard, packages: 1, status: CoverageStatus::NoData, date: None }];
        assert!(compare(&mut head, &base, None).is_empty());
        head.coverage.clear();
        head.outcome = Outcome::Failure;
        assert!(compare(&mut head, &base, None).is_empty());
        head.outcome = Outcome::Success;
        head.suppressed = vec![crate::model::Suppressed {
            finding: base.findings[0].clone(),
            reason: crate::model::SuppressionReason::IgnoreRule,
            explanation: String::new(),
        }];
        assert!(compare(&mut head, &base, None).is_empty());
    }

    #[test]
    fn counterparts_are_found_across_branches() {
        let sha = |digit: char| digit.to_string().repeat(40);
        let (one, two) = (sha('1'), sha('2'));
        let name = |branch: &str, sha: &str| format!("reg.io/g/p/{branch}:{sha}");
        for (head, base, expected) in [
            (vec![name("topic", &one)], vec![name("main", &two)], vec![Some(0)]),
            (
                vec!["reg.io/a:topic".into(), "reg.io/b:topic".into()],
                vec!["reg.io/b:main".into(), "reg.io/a:main".into()],
                vec![Some(1), Some(0)],
            ),
            (
                vec!["reg.io/a:3-slim".into(), "reg.io/a:3".into()],
                vec!["reg.io/a:3".into(), "reg.io/a:3-slim".into()],
                vec![Some(1), Some(0)],
            ),
            (vec!["oci:x".into()], vec!["oci:y".into()], vec![Some(0)]),
            (vec!["reg.io/a:1".into(), "reg.io/new:1".into()], vec!["reg.io/a:2".into()], vec![Some(0), None]),
            (vec!["reg.io/a:1".into(), "reg.io/b:1".into()], vec!["reg.io/c:1".into()], vec![None, None]),
            (vec!["reg.io/a:1".into()], vec![], vec![None]),
        ] {
            let images = |names: &[String]| names.iter().map(|name| image(name, &[])).collect::<Vec<_>>();
            let slugs = Slugs { head: Some("topic"), base: Some("main") };
            assert_eq!(pair(&images(&head), &images(&base), slugs), expected, "{head:?} {base:?}");
        }
    }
}
