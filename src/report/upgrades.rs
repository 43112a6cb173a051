//! Findings put together as people act on them: one upgrade of one package removes many findings.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::model::{Finding, PackageKind, Severity};

/// The findings of one package and version that one action removes, or that none removes.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) package: &'a str,
    pub(super) version: &'a str,
    /// The version to upgrade to; absent in groups of findings without a fix.
    pub(super) fixed: Option<&'a str>,
    /// Most severe first.
    pub(super) findings: Vec<&'a Finding>,
}

impl Group<'_> {
    /// The worst of the group.
    pub(super) fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Unknown)
    }

    /// `2 high, 1 low`.
    pub(super) fn counts(&self) -> String {
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        let counts = Severity::ALL.map(|severity| (severity, count(severity)));
        let parts = counts.iter().filter(|(_, count)| *count > 0);
        parts
            .map(|(severity, count)| format!("{count} {}", severity.label().to_lowercase()))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Groups by package, version and fix, the worst first; those with a fix, and those without.
pub(super) fn group(findings: &[Finding]) -> (Vec<Group<'_>>, Vec<Group<'_>>) {
    type Key<'a> = (PackageKind, &'a str, &'a str, Option<&'a str>);
    let mut groups: HashMap<Key<'_>, Group<'_>> = HashMap::new();
    for finding in findings {
        let (package, version) = (finding.package.name.as_str(), finding.package.version.as_str());
        let fixed = finding.fix.version.as_deref();
        let empty = || Group { package, version, fixed, findings: Vec::new() };
        groups.entry((finding.package.kind, package, version, fixed)).or_insert_with(empty).findings.push(finding);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    for (_, group) in &mut groups {
        group.findings.sort_by_key(|finding| (Reverse(finding.severity), finding.id.as_str()));
        // The same version twice in an image, once as part of an OS package.
        group.findings.dedup_by_key(|finding| finding.id.as_str());
    }
    groups.sort_by_key(|(key, group)| {
        (Reverse(group.severity()), Reverse(group.findings.len()), (key.1, key.2, key.3, key.0))
    });
    groups.into_iter().map(|(_, group)| group).partition(|group| group.fixed.is_some())
}
