//! Ids of vulnerabilities and advisories: which sort they are and where people read about them.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::model::Finding;

use super::text;

/// An id with its sort, as GitLab's report and others name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identifier<'a> {
    /// `cve`, `ghsa`, `dsa`, …; `osv` for ids of other databases.
    pub(super) kind: &'static str,
    /// The id as people write it.
    pub(super) name: Cow<'a, str>,
    /// What stands before and after the value in the address of a page about it.
    page: Option<(&'static str, &'static str)>,
}

impl<'a> Identifier<'a> {
    /// The sort of an id by its form.
    pub(super) fn of(id: &'a str) -> Self {
        Self::of_line(text::short(id.trim(), LONGEST))
    }

    fn of_line(id: Cow<'a, str>) -> Self {
        let Some((kind, before, after)) = kind_of(&id) else {
            return Self { kind: "plimsoll", name: "unknown".into(), page: None };
        };
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'.' | b'_'));
        Self { kind, name: id, page: (plain && !before.is_empty()).then_some((before, after)) }
    }

    /// The id; the bare number for `cwe`.
    pub(super) fn value(&self) -> &str {
        if self.kind == "cwe" { self.name.get(4..).unwrap_or("") } else { &self.name }
    }

    /// A page about it.
    pub(super) fn url(&self) -> Option<Url<'a>> {
        self.page.map(|_| Url(self.clone()))
    }

    /// All ids of a finding in an order that does not change between scans: CVEs first with the finding's own before
    /// the others, then GHSA, then other advisories, weaknesses last. GitLab takes the first for the identity of the
    /// vulnerability and stores `limit` at most.
    pub(super) fn all_of(finding: &'a Finding, limit: usize) -> Vec<Self> {
        let ids = std::iter::once(&finding.id).chain(&finding.identifiers).filter(|id| !id.trim().is_empty());
        let mut all: Vec<Self> = Vec::new();
        for identifier in ids.map(|id| Self::of(id)).chain(finding.cwes.iter().filter_map(|cwe| Self::weakness(cwe))) {
            if !all.iter().any(|known| known.kind == identifier.kind && known.name == identifier.name) {
                all.push(identifier);
            }
        }
        all.sort_by_key(|identifier| match identifier.kind {
            "cve" => 0,
            "ghsa" => 1,
            "cwe" => 3,
            _ => 2,
        });
        if all.is_empty() {
            all.push(Self::of(""));
        }
        all.truncate(limit);
        all
    }

    /// A weakness: `CWE-79`.
    pub(super) fn weakness(text: &str) -> Option<Self> {
        cwe_number(text).map(|number| Self::of_line(format!("CWE-{number}").into()))
    }
}

/// The address of a page about an id, written without a text of its own.
#[derive(Debug, Clone)]
pub(super) struct Url<'a>(Identifier<'a>);

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.0.page.unwrap_or_default();
        [before, self.0.value(), after].into_iter().try_for_each(|part| f.write_str(part))
    }
}

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The number of `CWE-79`.
pub(super) fn cwe_number(text: &str) -> Option<u32> {
    text.trim().strip_prefix("CWE-")?.parse().ok().filter(|number| *number > 0)
}

/// Sort, and what stands before and after the id in the address of its page.
fn kind_of(id: &str) -> Option<(&'static str, &'static str, &'static str)> {
    if id.is_empty() {
        return None;
    }
    let fits = |kind: &str| kind != "cwe" || cwe_number(id).is_some();
    let starts_with = |prefix: &str| {
        id.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let known = KINDS.iter().find(|(prefix, kind, ..)| starts_with(prefix) && fits(kind));
    Some(known.map_or(("osv", OSV, ""), |(_, kind, before, after)| (*kind, *before, *after)))
}

const OSV: &str = "https://osv.dev/vulnerability/";
const DEBIAN: &str = "https://security-tracker.debian.org/tracker/";
const RED_HAT: &str = "https://access.redhat.com/errata/";

const KINDS: [(&str, &str, &str, &str); 20] = [
    ("EOL-", "eol", "", ""),
    ("CVE-", "cve", "https://nvd.nist.gov/vuln/detail/", ""),
    ("GHSA-", "ghsa", "https://github.com/advisories/", ""),
    ("USN-", "usn", "https://ubuntu.com/security/notices/", ""),
    ("RHSA-", "rhsa", RED_HAT, ""),
    ("RHBA-", "rhba", RED_HAT, ""),
    ("RHEA-", "rhea", RED_HAT, ""),
    ("ELSA-", "elsa", "https://linux.oracle.com/errata/", ".html"),
    ("ALSA-", "alsa", OSV, ""),
    ("RLSA-", "rlsa", "https://errata.rockylinux.org/", ""),
    ("DSA-", "dsa", DEBIAN, ""),
    ("DLA-", "dla", DEBIAN, ""),
    ("ALAS", "alas", "", ""),
    ("SUSE-SU-", "suse", OSV, ""),
    ("PYSEC-", "pysec", OSV, ""),
    ("RUSTSEC-", "rustsec", "https://rustsec.org/advisories/", ".html"),
    ("GO-", "go", OSV, ""),
    ("MAL-", "mal", OSV, ""),
    ("CWE-", "cwe", "https://cwe.mitre.org/data/definitions/", ".html"),
    ("OSVDB-", "osvdb", "", ""),
];

const LONGEST: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart_by_their_form() {
        for (id, kind, value, url) in [
            ("CVE-2024-1", "cve", "CVE-2024-1", Some("https://nvd.nist.gov/vuln/detail/CVE-2024-1")),
            ("GHSA-a-b-c", "ghsa", "GHSA-a-b-c", Some("https://github.com/advisories/GHSA-a-b-c")),
            ("ELSA-2024-1", "elsa", "ELSA-2024-1", Some("https://linux.oracle.com/errata/ELSA-2024-1.html")),
            ("CWE-79", "cwe", "79", Some("https://cwe.mitre.org/data/definitions/79.html")),
            ("TEMP-1", "osv", "TEMP-1", Some("https://osv.dev/vulnerability/TEMP-1")),
            ("CVE-1\" onload", "cve", "CVE-1\" onload", None),
            ("CWE-", "osv", "CWE-", Some("https://osv.dev/vulnerability/CWE-")),
            ("", "plimsoll", "unknown", None),
        ] {
            let identifier = Identifier::of(id);
            let found = identifier.url().map(|url| url.to_string());
            assert_eq!((identifier.kind, identifier.value(), found.as_deref()), (kind, value, url), "{id}");
        }
    }

    #[test]
    fn weaknesses_need_a_number() {
        assert_eq!(cwe_number("CWE-79"), Some(79));
        for bad in ["CWE-", "CWE-0", "79", "CWE--1", "CWE-99999999999"] {
            assert_eq!(cwe_number(bad), None, "{bad}");
        }
    }
}
