//! What to do about an image: findings grouped by the upgrade that removes them.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::model::{Finding, ImageScan, PackageKind, Severity};

use super::subject::Subject;

/// One upgrade and what it removes; or, without a fixed version, what stays.
#[derive(Debug)]
pub(super) struct Action<'a> {
    /// The source package where one is known, as its binaries are upgraded together.
    pub(super) name: &'a str,
    /// The installed packages, sorted.
    pub(super) packages: Vec<&'a str>,
    /// The installed version.
    pub(super) version: &'a str,
    /// The version that removes the findings.
    pub(super) fix: Option<&'a str>,
    /// The findings, most severe first, each vulnerability once.
    pub(super) findings: Vec<&'a Finding>,
}

impl<'a> Action<'a> {
    /// What the actions for one installed package have in common: whether there is no fix, name and version.
    pub(super) fn package(&self) -> (bool, &'a str, &'a str) {
        (self.fix.is_none(), self.name, self.version)
    }

    /// The severity of the worst finding.
    pub(super) fn severity(&self) -> Severity {
        self.findings.first().map_or(Severity::Unknown, |finding| finding.severity)
    }

    /// The number of findings of each severity that occurs, most severe first.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Severity, usize)> {
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        Severity::ALL.into_iter().map(move |severity| (severity, count(severity))).filter(|(_, number)| *number > 0)
    }

    /// Whether one of the vulnerabilities is known to be exploited.
    pub(super) fn is_exploited(&self) -> bool {
        self.findings.iter().any(|finding| finding.kev.is_some())
    }

    /// The installed packages, where they are not just the one that gives its name.
    pub(super) fn other_packages(&self) -> Option<String> {
        (self.packages != [self.name]).then(|| self.packages.join(", "))
    }
}

/// The actions for an image: upgrades first, then what has no fix; each part with the most severe package first.
pub(super) fn actions(image: &ImageScan) -> Vec<Action<'_>> {
    actions_for(image, &image.findings)
}

/// The same for some findings, of this image or of its baseline.
pub(super) fn actions_for<'a>(
    image: &'a ImageScan,
    findings: impl IntoIterator<Item = &'a Finding>,
) -> Vec<Action<'a>> {
    group(image, findings.into_iter().collect())
}

/// Apart from the above, which is compiled anew for every kind of iterator.
fn group<'a>(image: &'a ImageScan, findings: Vec<&'a Finding>) -> Vec<Action<'a>> {
    // Sorted afterwards: there are far fewer groups than findings.
    let mut groups: HashMap<(PackageKind, &str, &str, Option<&str>), Vec<&Finding>> = HashMap::new();
    for finding in findings {
        let package = &finding.package;
        let subject = Subject::of(image, finding);
        let name = subject.source_name(finding);
        // Where the fix is a version of the source, so is what it is compared with.
        let source =
            subject.package.and_then(|package| package.source.as_ref()).filter(|_| finding.fix.source.is_some());
        let version = source.map_or(package.version.as_str(), |source| source.version.as_str());
        let key = (package.kind, name, version, finding.fix.version.as_deref());
        groups.entry(key).or_default().push(finding);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable_by_key(|(key, _)| *key);
    let mut actions: Vec<Action<'_>> = groups
        .into_iter()
        .map(|((_, name, version, fix), mut findings)| {
            let mut packages: Vec<&str> = findings.iter().map(|finding| finding.package.name.as_str()).collect();
            packages.sort_unstable();
            packages.dedup();
            findings.sort_by_key(|finding| Reverse((finding.severity, finding.kev.is_some(), &finding.id)));
            let mut known = HashSet::new();
            findings.retain(|finding| known.insert(finding.id.as_str()));
            Action { name, packages, version, fix, findings }
        })
        .collect();
    // Upgrades of one package stand together, whatever each of them removes.
    let mut packages: HashMap<(bool, &str, &str), (Severity, usize)> = HashMap::new();
    for action in &actions {
        let (severity, number) = packages.entry(action.package()).or_insert((Severity::Unknown, 0));
        *severity = action.severity().max(*severity);
        *number += action.findings.len();
    }
    actions.sort_by_cached_key(|action| {
        let weight = packages.get(&action.package()).copied();
        let (no_fix, name, version) = action.package();
        (no_fix, Reverse(weight), name, version, Reverse((action.severity(), action.findings.len())))
    });
    actions
}
