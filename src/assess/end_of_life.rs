//! A distribution without support as a finding, for projects that ask for one (`CS_REPORT_OS_EOL`).

use crate::model::{Distribution, EndOfLife, Finding, Fix, FixState, PackageKind, PackageRef, Purl, Severity};

/// The finding about a distribution whose support is over. It is about no package of the inventory.
#[must_use]
pub fn finding(distribution: &Distribution, known: &EndOfLife, severity: Severity) -> Finding {
    let id = format!("{}{}-{}", Finding::END_OF_LIFE, distribution.id, distribution.version);
    let since = known.ends.map_or_else(String::new, |day| format!(" since {day}"));
    let extended = known.extended_ends.map_or_else(String::new, |day| format!(" (until {day} for subscribers)"));
    let name = &distribution.name;
    Finding {
        identifiers: vec![id.clone()],
        id,
        package: PackageRef {
            index: usize::MAX,
            kind: PackageKind::Generic,
            name: distribution.id.clone(),
            version: distribution.version.clone(),
            purl: Purl::new("generic", "", &distribution.id, &distribution.version, &[]),
        },
        fix: Fix { state: FixState::EndOfLife, version: None, source: None },
        severity,
        severity_source: "setting report_os_eol_severity".into(),
        cvss: Vec::new(),
        title: format!("{name} gets no security updates{since}"),
        description: format!(
            "Support of {name} has ended{since}{extended}. Vulnerabilities that are found later are in no advisory, so \
             that the absence of findings says nothing. Move to a release that is supported."
        ),
        references: Vec::new(),
        cwes: vec!["CWE-1104".into()],
        published: None,
        modified: None,
        kev: None,
        epss: None,
        statements: Vec::new(),
        change: None,
        original_severity: None,
        factors: Vec::new(),
        score: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_release_and_since_when() {
        let distribution = Distribution {
            id: "debian".into(),
            version: "10".into(),
            name: "Debian GNU/Linux 10 (buster)".into(),
            codename: None,
            id_like: vec![],
            repository_release: None,
            content_sets: vec![],
        };
        let known =
            EndOfLife { ends: "2022-09-10".parse().ok(), is_over: true, extended_ends: "2024-06-30".parse().ok() };
        let finding = finding(&distribution, &known, Severity::Medium);
        assert_eq!((finding.id.as_str(), finding.severity), ("EOL-debian-10", Severity::Medium));
        assert!(finding.is_end_of_life());
        assert_eq!(finding.title, "Debian GNU/Linux 10 (buster) gets no security updates since 2022-09-10");
        assert!(finding.description.contains("until 2024-06-30 for subscribers"), "{}", finding.description);
    }
}
