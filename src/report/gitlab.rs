//! `gl-container-scanning-report.json`: GitLab's container scanning report, version 15.0.7, which is valid for all
//! later 15.x schemas too (gitlab.com/gitlab-org/security-products/security-report-schemas).
//!
//! GitLab refuses a whole report for one field that breaks the schema, and takes a vulnerability for a new one when
//! its first identifier, its image name or its package name changes. So every text is bounded and cleaned, and
//! identifiers come in a fixed order. Suppressed findings are left out: the schema has no place for them. So are the least
//! severe ones of a report that would be larger than GitLab takes, and it says so.

mod cvss;
mod details;
mod remediation;
mod schema;

use std::borrow::Cow;
use std::collections::HashSet;
use std::io;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::model::{Finding, ImageScan, Outcome, ScanDocument};

use super::Renderer;
use super::identifier::Identifier;
use super::image_name::ImageName;
use super::origin::Origins;
use super::renderer::{only_part, write_json};
use super::selection::{Selection, measured};
use super::stable_id::{Occurrences, StableId};
use super::subject::Subject;
use super::text;
use super::wording::{self, Level};

use schema::{Dependency, Link, Location, Message, Named, Program, Report, Scan, Vulnerability};

/// GitLab's container scanning report.
pub(super) struct GitLab;

impl Renderer for GitLab {
    fn format(&self) -> &'static str {
        "gitlab"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["gl-container-scanning-report.json".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        only_part(self.format(), part)?;
        write_report(document, LARGEST, out)
    }
}

/// Writes the report, with the most severe findings if it were larger than `limit` otherwise.
fn write_report(document: &ScanDocument, limit: usize, out: &mut dyn io::Write) -> io::Result<()> {
    let mut occurrences = Occurrences::default();
    let mut images = Vec::new();
    let mut at_most = 0;
    for image in &document.images {
        let place = Place::of(document, image);
        let mut ids = Vec::with_capacity(image.findings.len());
        for finding in &image.findings {
            ids.push(id(image, &place, finding, &mut occurrences));
            at_most += most_bytes(image, finding);
        }
        images.push((image, place, ids));
    }
    drop(occurrences);
    let mut selection = Selection::findings_of(document);
    let mut write = |selection: Selection, out: &mut dyn io::Write| {
        let vulnerabilities = Vulnerabilities { images: &images, selection };
        let mut taken = selection;
        let remediations = images.iter().flat_map(|(image, place, ids)| {
            let taken: Vec<bool> = image.findings.iter().map(|finding| taken.takes(finding, false)).collect();
            remediation::all(image, &place.origins, ids, &taken)
        });
        let remediations = remediations.collect();
        let scan = scan(document, selection.remark());
        write_json(&Report { version: VERSION, scan, vulnerabilities, remediations }, out)
    };
    // Most reports are far from the limit, and to measure one takes as long as writing it.
    if at_most > limit {
        selection = measured(selection, limit, &mut write)?;
    }
    write(selection, out)
}

/// A number of bytes that a vulnerability does not exceed, with its part of the remediations.
fn most_bytes(image: &ImageScan, finding: &Finding) -> usize {
    let package = &finding.package;
    let subject = Subject::of(image, finding);
    let place = subject.path().map_or(0, str::len)
        + subject.layer.and_then(|(_, layer)| layer.created_by.as_deref()).map_or(0, str::len)
        + subject.source_name(finding).len();
    let ids: usize = finding.identifiers.iter().map(String::len).sum();
    let references: usize = finding.references.iter().take(MOST_LINKS).map(|reference| reference.url.len() + 10).sum();
    let statements: usize = finding.statements.iter().map(|said| 100 + said.comparison.len() + said.name.len()).sum();
    let evidence: usize = finding.factors.iter().map(|factor| 200 + factor.evidence.len()).sum();
    let description = text::grown(&finding.description).min(6 * LONGEST_DESCRIPTION);
    2500 + description
        + references
        + 2 * (2 * finding.title.len() + 3 * ids + statements + evidence + place + 200 * finding.cvss.len())
        + 4 * (package.name.len() + package.version.len() + package.purl.as_str().len())
}

/// The vulnerabilities of all images, with their ids; each is made when it is written, as there may be many.
struct Vulnerabilities<'a> {
    images: &'a [(&'a ImageScan, Place<'a>, Vec<String>)],
    selection: Selection,
}

impl Serialize for Vulnerabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut selection = self.selection;
        let all = self.images.iter().flat_map(|(image, place, ids)| {
            image.findings.iter().zip(ids).map(move |(finding, id)| (image, place, finding, id))
        });
        let selected = all.filter(|(_, _, finding, _)| selection.takes(finding, false));
        serializer.collect_seq(selected.map(|(image, place, finding, id)| vulnerability(image, place, finding, id)))
    }
}

fn scan(document: &ScanDocument, left_out: Option<String>) -> Scan<'_> {
    let version = or_unknown(text::short(&document.tool.version, LONGEST_NAME), "unknown");
    let program = || Program {
        id: "plimsoll",
        name: "Plimsoll",
        version: version.clone(),
        vendor: Named { name: "Plimsoll".into() },
    };
    let messages =
        wording::messages_within(document, MOST_REMARKS, LONGEST_REMARKS).into_iter().map(|message| Message {
            level: match message.level {
                Level::Info => "info",
                Level::Warning => "warn",
                Level::Fatal => "fatal",
            },
            value: message.text.into(),
        });
    let left_out = left_out.map(|text| Message { level: "warn", value: text.into() });
    Scan {
        analyzer: program(),
        scanner: program(),
        start_time: time(document.started).into(),
        end_time: time(document.finished).into(),
        status: match document.outcome {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
        },
        kind: "container_scanning",
        messages: messages.chain(left_out).collect(),
    }
}

/// What is the same for all findings of an image.
struct Place<'a> {
    name: ImageName,
    image: String,
    operating_system: String,
    default_branch_image: Option<&'a str>,
    origins: Origins<'a>,
}

impl<'a> Place<'a> {
    fn of(document: &'a ScanDocument, image: &ImageScan) -> Self {
        let distribution = image.inventory.as_ref().and_then(|inventory| inventory.distribution.as_ref());
        let operating_system = distribution.map(wording::operating_system).unwrap_or_default();
        let name = ImageName::of(image);
        Self {
            image: name.to_string(),
            operating_system: or_unknown(text::short(operating_system, LONGEST_NAME), "Unknown").into_owned(),
            name,
            // The variable speaks of one image.
            default_branch_image: document
                .project
                .default_branch_image
                .as_deref()
                .filter(|name| document.images.len() == 1 && is_tagged_name(name)),
            origins: Origins::of(document, image),
        }
    }
}

fn id(image: &ImageScan, place: &Place<'_>, finding: &Finding, occurrences: &mut Occurrences) -> String {
    let of_finding = StableId::of_finding(&place.name, image, finding).hex();
    let id = StableId::new(&[&place.image, &of_finding, &finding.package.version]);
    occurrences.next(id).uuid()
}

fn vulnerability<'a>(
    image: &'a ImageScan,
    place: &'a Place<'_>,
    finding: &'a Finding,
    id: &'a str,
) -> Vulnerability<'a> {
    let package = &finding.package;
    Vulnerability {
        id,
        name: name(finding),
        description: description(finding),
        severity: finding.severity.label(),
        solution: text::short(wording::solution(finding), LONGEST_SOLUTION),
        identifiers: Identifier::all_of(finding, MOST_IDENTIFIERS).into_iter().map(schema::Identifier).collect(),
        cvss_vectors: cvss::vectors(&finding.cvss),
        links: links(finding),
        location: Location {
            dependency: Dependency {
                package: Named { name: text::short(&package.name, LONGEST_NAME) },
                version: text::short(&package.version, LONGEST_NAME),
            },
            operating_system: place.operating_system.as_str().into(),
            image: place.image.as_str().into(),
            default_branch_image: place.default_branch_image.map(Into::into),
        },
        details: details::of(&Subject::of(image, finding), finding, &place.origins),
    }
}

/// What GitLab takes for the name of an image: with a tag and without a digest.
fn is_tagged_name(name: &str) -> bool {
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    let path = |text: &str| text.split('/').all(plain);
    let Some((name_part, tag)) = name.rsplit_once(':') else { return false };
    let (host, rest) = name_part.split_once(':').unwrap_or((name_part, "0"));
    name.len() <= LONGEST_NAME
        && plain(tag)
        && path(host)
        && path(rest)
        && rest.starts_with(|c: char| c.is_ascii_digit())
}

fn name(finding: &Finding) -> Cow<'_, str> {
    let name = match finding.title.trim() {
        "" => format!("{} in {}", finding.id, finding.package.name),
        title => format!("{}: {title}", finding.id),
    };
    text::short(name, LONGEST_NAME)
}

fn description(finding: &Finding) -> Cow<'_, str> {
    let text = if finding.description.trim().is_empty() { &finding.title } else { &finding.description };
    let text = text::cut(text::block(text.trim()), LONGEST_DESCRIPTION);
    if text.is_empty() {
        let package = &finding.package;
        let text = format!("{} affects {} {}.", finding.id, package.name, package.version);
        return text::defused(text::short(text, LONGEST_NAME));
    }
    text::defused(text)
}

fn links(finding: &Finding) -> Vec<Link<'_>> {
    let mut known = HashSet::new();
    let urls = finding.references.iter().filter_map(|reference| text::web_url(&reference.url));
    urls.filter(|url| known.insert(*url)).take(MOST_LINKS).map(|url| Link { url }).collect()
}

/// UTC without zone and fraction, as the schema wants it.
fn time(time: Timestamp) -> String {
    text::date_time(time).map_or_else(|| "1970-01-01T00:00:00".into(), |text| text.trim_end_matches('Z').to_owned())
}

fn or_unknown<'a>(text: Cow<'a, str>, unknown: &'static str) -> Cow<'a, str> {
    if text.trim().is_empty() { unknown.into() } else { text }
}

/// The oldest schema that has everything we write.
const VERSION: &str = "15.0.7";

/// Remarks, and their bytes: of thousands of images each may have some.
const MOST_REMARKS: usize = 5000;
const LONGEST_REMARKS: usize = 2_000_000;
/// What GitLab takes unless somebody has changed it, in bytes.
const LARGEST: usize = 104_800_000;

/// GitLab's column width for names; the schema's limit for `name`.
const LONGEST_NAME: usize = 255;

const LONGEST_SOLUTION: usize = 7000;

/// The schema allows 1,048,576; longer texts than this are not read by anybody and make reports too large.
const LONGEST_DESCRIPTION: usize = 10_000;

/// GitLab stores no more.
const MOST_IDENTIFIERS: usize = 20;

const MOST_LINKS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_branch_image_has_a_tag() {
        for (name, expected) in [
            ("reg.io:5000/g/p:main", true),
            ("reg.io/g/p:1.2", true),
            ("app:main", true),
            ("reg.io:5000/g/p", false),
            ("reg.io/g/p", false),
            ("reg.io/g/p@sha256:00", false),
            ("reg.io/g p:main", false),
            (":main", false),
        ] {
            assert_eq!(is_tagged_name(name), expected, "{name}");
        }
    }

    #[test]
    fn times_have_neither_zone_nor_fraction() {
        assert_eq!(time("2026-11-21T07:00:00.5+01:00".parse().unwrap()), "2026-11-21T06:00:00");
        assert_eq!(time(Timestamp::MIN), "1970-01-01T00:00:00");
    }

    #[test]
    fn a_report_that_is_too_large_has_the_most_severe_findings_and_says_so() {
        use crate::report::selection::tests::{are_most_severe, document, levels};
        let document = document(2, 60);
        let text = |limit| {
            let mut out = Vec::new();
            write_report(&document, limit, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let all = text(LARGEST);
        let at_most: usize = document
            .images
            .iter()
            .flat_map(|image| image.findings.iter().map(|finding| most_bytes(image, finding)))
            .sum();
        assert!(!all.contains("most severe") && all.len() <= at_most);
        for limit in [8_000, 40_000, all.len() - 1] {
            let part = text(limit);
            assert!(part.len() <= limit && part.len() + 2500 > limit, "{limit}: {}", part.len());
            let levels = levels(&part, |label| format!("\"severity\":\"{label}\""));
            assert!(are_most_severe(&levels, 20), "{limit}: {levels:?}");
            let said = format!("the {} most severe of 120 findings are here", levels.iter().sum::<usize>());
            assert!(part.contains(&said), "{part}");
        }
    }
}
