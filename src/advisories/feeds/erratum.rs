//! What errata have in common, whatever the format: an id, the CVEs that they fix, text, and packages that are fixed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::advisories::vector::base_score;
use crate::advisories::{Sink, lookup_key, text};
use crate::model::{
    Advisory, AdvisoryDetails, Constraint, Cvss, Event, FeedId, FixState, PackageKind, Range, Severity, ShardName,
};

/// The head of an erratum.
#[derive(Debug, Default)]
pub(super) struct Erratum {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) severity: String,
    pub(super) cves: BTreeSet<String>,
    pub(super) links: Vec<String>,
    /// Vectors.
    pub(super) cvss: Vec<String>,
    pub(super) issued: String,
    pub(super) updated: String,
}

/// The longest texts that are kept while reading; they are cut further when stored.
pub(super) const LONGEST_TEXT: usize = 16 << 10;
/// Ids and names that are longer are not kept.
const LONGEST_NAME: usize = 200;
const MOST_CVES: usize = 2_000;
const MOST_LINKS: usize = 40;

impl Erratum {
    /// A CVE that it fixes; other things are ignored.
    pub(super) fn fixes(&mut self, id: &str) {
        let id = id.trim();
        if is_cve(id) && self.cves.len() < MOST_CVES {
            self.cves.insert(id.to_owned());
        }
    }

    pub(super) fn link(&mut self, url: String) {
        if self.links.len() < MOST_LINKS && !url.is_empty() {
            self.links.push(url);
        }
    }

    /// Tells the sink what people read of it.
    pub(super) fn tell(&self, shards: &BTreeSet<ShardName>, feed: FeedId, sink: &mut Sink) {
        let vectors = self.cvss.iter().filter_map(|vector| {
            let score = base_score(vector)?;
            Some(Cvss { vector: vector.clone(), score, source: feed.name().to_owned() })
        });
        let details = AdvisoryDetails {
            summary: text::summary(&self.title),
            description: text::description(&self.description),
            cvss: vectors.collect(),
            references: text::references(self.links.iter().map(|url| ("ADVISORY", url.as_str()))),
            cwes: Vec::new(),
            published: timestamp(&self.issued),
            modified: timestamp(&self.updated).or_else(|| timestamp(&self.issued)),
        };
        sink.details(shards, &self.id, &details);
    }

    /// Tells the sink that a package is fixed.
    pub(super) fn fixed(
        &self,
        shard: &ShardName,
        package: &str,
        version: &str,
        constraints: Vec<Constraint>,
        feed: FeedId,
        sink: &mut Sink,
    ) {
        let events = vec![Event::Introduced("0".into()), Event::Fixed(version.to_owned())];
        self.says(shard, package, (FixState::Fixed, vec![Range { events }]), constraints, feed, sink);
    }

    /// Tells the sink what it says of a package.
    pub(super) fn says(
        &self,
        shard: &ShardName,
        package: &str,
        (fix, ranges): (FixState, Vec<Range>),
        constraints: Vec<Constraint>,
        feed: FeedId,
        sink: &mut Sink,
    ) {
        // One that is named as the CVE that it is about covers no other.
        let covers = self.cves.iter().filter(|_| !is_cve(&self.id)).cloned().collect();
        let advisory = Advisory {
            id: self.id.clone(),
            aliases: Vec::new(),
            covers,
            ranges,
            versions: Vec::new(),
            fix,
            severity: self.severity.parse().ok().filter(|severity| *severity != Severity::Unknown),
            constraints,
            feed,
        };
        sink.advisory(shard, lookup_key(PackageKind::Rpm, package), &advisory);
    }
}

/// The modules that the title of an erratum names: `Moderate: virt:rhel and virt-devel:rhel security update`.
pub(super) fn modules_in(title: &str) -> BTreeSet<&str> {
    let title = title.split_once(": ").map_or(title, |(_, title)| title);
    let is_module =
        |word: &&str| word.split_once(':').is_some_and(|(name, stream)| !name.is_empty() && !stream.is_empty());
    title.split([' ', ',']).filter(is_module).collect()
}

/// Whether a text is a CVE id.
pub(super) fn is_cve(text: &str) -> bool {
    let mut parts = text.split('-');
    let digits = |part: Option<&str>| part.is_some_and(|p| p.len() >= 4 && p.bytes().all(|b| b.is_ascii_digit()));
    parts.next() == Some("CVE") && digits(parts.next()) && digits(parts.next()) && parts.next().is_none()
}

/// `epoch:version-release` as rpm databases state it: an epoch of 0 is left out.
pub(super) fn evr(epoch: &str, version: &str, release: &str) -> String {
    match epoch {
        "" | "0" | "(none)" => format!("{version}-{release}"),
        epoch => format!("{epoch}:{version}-{release}"),
    }
}

/// A version of the form `0:1.2-3`, without an epoch of 0.
pub(super) fn without_zero_epoch(version: &str) -> &str {
    version.strip_prefix("0:").unwrap_or(version)
}

/// Whether a name may be one of a package that images hold: no debugging information, no sources, no nonsense.
pub(super) fn is_package(name: &str, arch: &str) -> bool {
    !matches!(arch, "src" | "nosrc")
        && !name.ends_with("-debuginfo")
        && !name.ends_with("-debugsource")
        && !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// `2023-02-17 20:41:00`, `2023-02-17 20:41`, `2023-02-17` or RFC 3339; without an offset UTC.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(stamp) = text.parse() {
        return Some(stamp);
    }
    let seconds = if text.len() == "2011-09-27 22:46".len() { format!("{text}:00") } else { text.to_owned() };
    let civil: DateTime = seconds.parse().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_errata() {
        for (text, expected) in [
            ("2011-09-27 22:46", Some("2011-09-27T22:46:00Z")),
            ("2023-02-17 20:41:00", Some("2023-02-17T20:41:00Z")),
            ("2007-06-26", Some("2007-06-26T00:00:00Z")),
            ("2024-08-04T10:17:22+00:00", Some("2024-08-04T10:17:22Z")),
            ("soon", None),
        ] {
            assert_eq!(timestamp(text).map(|stamp| stamp.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn titles_name_modules() {
        for (title, expected) in [
            ("Moderate: virt:rhel and virt-devel:rhel security update", &["virt-devel:rhel", "virt:rhel"][..]),
            ("Important: nodejs:18, nodejs:20 update", &["nodejs:18", "nodejs:20"]),
            ("Low: zlib security update", &[]),
            ("zlib", &[]),
        ] {
            assert_eq!(modules_in(title).into_iter().collect::<Vec<_>>(), expected, "{title}");
        }
    }

    #[test]
    fn cves_and_packages() {
        for (id, expected) in
            [("CVE-2024-1000", true), ("CVE-2024-1000000", true), ("CVE-2024-", false), ("CVE-2024-1000-x", false)]
        {
            assert_eq!(is_cve(id), expected, "{id}");
        }
        for (name, arch, expected) in
            [("zlib", "x86_64", true), ("zlib", "src", false), ("zlib-debuginfo", "x86_64", false), ("", "", false)]
        {
            assert_eq!(is_package(name, arch), expected, "{name} {arch}");
        }
        assert_eq!((evr("0", "1", "2"), evr("3", "1", "2")), ("1-2".to_owned(), "3:1-2".to_owned()));
    }
}
