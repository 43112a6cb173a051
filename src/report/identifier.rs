//! Where an advisory's id comes from: the type that GitLab files it under, and the page about it.

use super::text;

/// An id that reports show, with what its prefix tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identifier {
    /// `cve`, `ghsa`, `usn`, `rhsa`, …: the prefix in lower case.
    pub(super) kind: String,
    /// The id as its authority writes it.
    pub(super) id: String,
    /// The authority's page, where the prefix is a known one.
    pub(super) url: Option<String>,
}

/// Prefix, and the page with `{}` for the id.
const PAGES: &[(&str, &str)] = &[
    ("alas", "https://alas.aws.amazon.com/{}.html"),
    ("bit", "https://osv.dev/vulnerability/{}"),
    ("cve", "https://nvd.nist.gov/vuln/detail/{}"),
    ("dla", "https://security-tracker.debian.org/tracker/{}"),
    ("dsa", "https://security-tracker.debian.org/tracker/{}"),
    ("dtsa", "https://security-tracker.debian.org/tracker/{}"),
    ("elsa", "https://linux.oracle.com/errata/{}.html"),
    ("ghsa", "https://github.com/advisories/{}"),
    ("go", "https://pkg.go.dev/vuln/{}"),
    ("hsec", "https://osv.dev/vulnerability/{}"),
    ("mal", "https://osv.dev/vulnerability/{}"),
    ("osv", "https://osv.dev/vulnerability/{}"),
    ("pysec", "https://osv.dev/vulnerability/{}"),
    ("rhba", "https://access.redhat.com/errata/{}"),
    ("rhea", "https://access.redhat.com/errata/{}"),
    ("rhsa", "https://access.redhat.com/errata/{}"),
    ("rlsa", "https://errata.rockylinux.org/{}"),
    ("rsec", "https://osv.dev/vulnerability/{}"),
    ("rustsec", "https://rustsec.org/advisories/{}.html"),
    ("temp", "https://security-tracker.debian.org/tracker/{}"),
    ("usn", "https://ubuntu.com/security/notices/{}"),
];

impl Identifier {
    /// Reads the prefix of an id. `None` where nothing of the text can be shown.
    pub(super) fn of(id: &str) -> Option<Self> {
        let id = text::cut(text::line(id), 255);
        if id.is_empty() {
            return None;
        }
        let prefix = id.split(['-', ':', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let has_prefix = prefix.len() < id.len()
            && (2..=16).contains(&prefix.len())
            && prefix.bytes().all(|b| b.is_ascii_alphanumeric());
        let kind = if has_prefix { prefix } else { "advisory".to_owned() };
        let is_plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'.' | b'_'));
        let page = PAGES.iter().find(|(known, _)| *known == kind && is_plain);
        Some(Self { url: page.map(|(_, url)| url.replace("{}", &id)), kind, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_tell_the_authority() {
        for (id, kind, url) in [
            ("CVE-2024-1234", "cve", Some("https://nvd.nist.gov/vuln/detail/CVE-2024-1234")),
            ("GHSA-aaaa-bbbb-cccc", "ghsa", Some("https://github.com/advisories/GHSA-aaaa-bbbb-cccc")),
            ("RHSA-2024:0001", "rhsa", Some("https://access.redhat.com/errata/RHSA-2024:0001")),
            ("USN-6000-1", "usn", Some("https://ubuntu.com/security/notices/USN-6000-1")),
            ("ALSA-2024:1", "alsa", None),
            ("CVE-2024-1)](javascript:x", "cve", None),
            ("4711", "advisory", None),
        ] {
            let found = Identifier::of(id).expect(id);
            assert_eq!((found.kind.as_str(), found.url.as_deref()), (kind, url), "{id}");
        }
        assert_eq!(Identifier::of("\u{0}\u{200b} "), None);
    }
}
