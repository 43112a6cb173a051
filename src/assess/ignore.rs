//! Ignore rules: what a project has decided not to count, with a reason and, better, a last day.
//!
//! Rules come from `.plimsoll.yml` and from the files of other tools, one reader each. What a file cannot say in its
//! own form is an error that names file and line; a rule of another tool that is well-formed and cannot be followed
//! here is kept as such, so that it is said. Every rule tells afterwards what it did.

mod allowlist;
mod own;
mod snyk;
mod trivy;
pub mod write;

use std::fmt::{self, Write as _};

use jiff::civil::Date;

use super::glob;
use super::purl_pattern::PurlPattern;
use super::subject::Subject;
use crate::model::{RuleState, RuleUse, ScanDocument, Suppressed, SuppressionReason};
use crate::yaml::{Node, YamlError};

/// A list of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
    not_understood: Vec<RuleUse>,
}

/// One rule: all that it says must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rule {
    origin: String,
    id: Option<String>,
    package: Option<String>,
    /// Any of these; none at all means any package.
    purls: Vec<PurlPattern>,
    /// Every place of the package must be one of these; none at all means anywhere.
    paths: Vec<String>,
    image: Option<ImageCondition>,
    reason: String,
    expires: Option<Date>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ImageCondition {
    /// The name has this form; a pattern without a tag means all tags.
    Glob(String),
    /// The name contains this text, as GitLab's allowlist has it.
    Contains(String),
}

/// An ignore file is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct IgnoreError {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl Rules {
    /// The rules of the list under `ignore` in `.plimsoll.yml`.
    ///
    /// # Errors
    /// A rule is not of the form that `docs/settings.md` shows.
    pub fn of_settings(file: &str, list: &Node) -> Result<Self, IgnoreError> {
        own::read(&Source { file }, list)
    }

    /// The rules of a file of another tool, told by its name: `.snyk`, `vulnerability-allowlist.yml`, a YAML file of
    /// Trivy, or else Trivy's list of ids.
    ///
    /// # Errors
    /// The file is not of its form.
    pub fn of_file(file: &str, text: &str) -> Result<Self, IgnoreError> {
        let source = Source { file };
        let name = file.rsplit('/').next().unwrap_or(file);
        let is_yaml = [".yaml", ".yml"].iter().any(|extension| name.ends_with(extension));
        match name {
            _ if name.ends_with(".snyk") => snyk::read(&source, text),
            _ if name.contains("allowlist") && is_yaml => allowlist::read(&source, text),
            _ if is_yaml => trivy::read_yaml(&source, text),
            _ => trivy::read_lines(&source, text),
        }
    }

    /// Appends the rules of another list.
    pub fn extend(&mut self, other: Self) {
        self.rules.extend(other.rules);
        self.not_understood.extend(other.not_understood);
    }

    /// Suppresses what the rules concern and says of each what it did. A rule applies up to and including its last
    /// day; `today` is in UTC.
    pub fn apply(&self, document: &mut ScanDocument, today: Date) {
        let mut uses = vec![0; self.rules.len()];
        for image in &mut document.images {
            let mut verdicts = Vec::with_capacity(image.findings.len());
            for (counts, subject) in Subject::all(image) {
                let mut verdict = None;
                for (rule, uses) in self.rules.iter().zip(&mut uses).filter(|(rule, _)| rule.concerns(&subject)) {
                    *uses += 1;
                    if !rule.has_expired(today) {
                        verdict.get_or_insert_with(|| rule.explanation());
                    }
                }
                if counts {
                    verdicts.push(verdict);
                }
            }
            suppress(image, verdicts, SuppressionReason::IgnoreRule);
        }
        document.rules.extend(self.rules.iter().zip(uses).map(|(rule, findings)| RuleUse {
            origin: rule.origin.clone(),
            rule: rule.to_string(),
            state: match findings {
                _ if rule.has_expired(today) => RuleState::Expired,
                0 => RuleState::Unused,
                _ => RuleState::Applied,
            },
            findings,
            expires: rule.expires,
        }));
        document.rules.extend(self.not_understood.iter().cloned());
    }
}

/// Moves the findings that have a verdict, in their order, to the suppressed ones.
pub(super) fn suppress(image: &mut crate::model::ImageScan, verdicts: Vec<Option<String>>, reason: SuppressionReason) {
    if verdicts.len() != image.findings.len() {
        return;
    }
    let mut kept = Vec::with_capacity(image.findings.len());
    for (finding, verdict) in std::mem::take(&mut image.findings).into_iter().zip(verdicts) {
        match verdict {
            Some(explanation) => image.suppressed.push(Suppressed { finding, reason, explanation }),
            None => kept.push(finding),
        }
    }
    image.findings = kept;
}

impl Rule {
    fn concerns(&self, subject: &Subject<'_>) -> bool {
        let package = &subject.finding.package;
        let lies = |path: &str| self.paths.iter().any(|pattern| glob::matches(pattern.trim_start_matches('/'), path));
        let locations = subject.locations();
        self.id.as_ref().is_none_or(|id| subject.has_id(id))
            && self.package.as_ref().is_none_or(|pattern| glob::matches(pattern, &package.name))
            && (self.purls.is_empty() || self.purls.iter().any(|purl| purl.matches(&package.purl)))
            && (self.paths.is_empty()
                || (!locations.is_empty() && locations.iter().all(|location| lies(&location.path))))
            && self.image.as_ref().is_none_or(|image| image.holds(subject.image))
    }

    fn has_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| today > last)
    }

    fn explanation(&self) -> String {
        let reason = if self.reason.is_empty() { "no reason given" } else { &self.reason };
        let until = self.expires.map_or_else(String::new, |last| format!(", until {last}"));
        format!("{reason} ({}{until})", self.origin)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.id.clone().unwrap_or_else(|| "everything".to_owned());
        if let Some(package) = &self.package {
            let _ = write!(text, " in {package}");
        }
        for (index, purl) in self.purls.iter().enumerate() {
            let _ = write!(text, "{} {}/{}", if index == 0 { " in" } else { " or" }, purl.kind, purl.path);
        }
        if !self.paths.is_empty() {
            let _ = write!(text, " at {}", self.paths.join(" or "));
        }
        match &self.image {
            Some(ImageCondition::Glob(pattern) | ImageCondition::Contains(pattern)) => {
                let _ = write!(text, " of {pattern}");
            }
            None => {}
        }
        f.write_str(&text)
    }
}

impl ImageCondition {
    fn holds(&self, image: &str) -> bool {
        match self {
            Self::Contains(text) => image.contains(text.as_str()),
            Self::Glob(pattern) => {
                let name = image.split_once('@').map_or(image, |(name, _)| name);
                let untagged = match name.rsplit_once(':') {
                    Some((before, tag)) if !tag.contains('/') => before,
                    _ => name,
                };
                [image, name, untagged].iter().any(|form| glob::matches(pattern, form))
            }
        }
    }
}

/// The file that is read, for origins and errors.
struct Source<'a> {
    file: &'a str,
}

impl Source<'_> {
    fn at(&self, line: u64) -> String {
        format!("{}, line {line}", self.file)
    }

    fn wrong(&self, line: u64, reason: impl Into<String>) -> IgnoreError {
        IgnoreError { file: self.file.to_owned(), line, reason: reason.into() }
    }

    fn yaml(&self, error: YamlError) -> IgnoreError {
        self.wrong(error.line, error.reason)
    }

    fn not_understood(&self, line: u64, rule: impl Into<String>) -> RuleUse {
        RuleUse {
            origin: self.at(line),
            rule: rule.into().chars().take(200).collect(),
            state: RuleState::NotUnderstood,
            findings: 0,
            expires: None,
        }
    }
}

/// A day, or a moment of which the day counts.
fn day(text: &str) -> Option<Date> {
    let day = text.trim().get(..10)?;
    // Ten characters of RFC 3339; whatever follows must be a time.
    matches!(text.trim().as_bytes().get(10), None | Some(b'T' | b't' | b' ')).then(|| day.parse().ok())?
}

#[cfg(test)]
pub(in crate::assess) mod tests {
    use jiff::Timestamp;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        Finding, Fix, FixState, ImageIdentity, ImageScan, Inventory, Location, Outcome, Package, PackageKind,
        PackageRef, Reference, Severity, Tool,
    };

    fn finding(inventory: &Inventory, index: usize, id: &str, alias: &str) -> Finding {
        let package = &inventory.packages[index];
        Finding {
            id: id.into(),
            identifiers: vec![id.into(), alias.into()],
            package: PackageRef {
                index,
                kind: package.kind,
                name: package.name.clone(),
                version: package.version.clone(),
                purl: package.purl(None),
            },
            fix: Fix { state: FixState::WillNotFix, version: None, source: None },
            severity: Severity::Low,
            severity_source: "test".into(),
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
        }
    }

    /// One image with a vulnerable Debian package without a fix and a vulnerable npm package in two places.
    pub(in crate::assess) fn document() -> ScanDocument {
        let mut zlib = Package::new(PackageKind::Deb, "zlib1g", "1:1.2.13");
        zlib.locations = vec![Location { path: "var/lib/dpkg/status".into(), layer: 0 }];
        let mut lodash = Package::new(PackageKind::Npm, "lodash", "4.17.20");
        lodash.locations = ["app/node_modules/lodash/package.json", "opt/x/node_modules/lodash/package.json"]
            .map(|path| Location { path: path.into(), layer: 0 })
            .into();
        let inventory = Inventory {
            image: ImageIdentity {
                manifest_digest: format!("sha256:{}", "a".repeat(64)).parse().ok(),
                ..ImageIdentity::default()
            },
            distribution: None,
            layers: vec![],
            packages: vec![zlib, lodash],
            gaps: vec![],
            base: None,
        };
        let mut in_lodash = finding(&inventory, 1, "CVE-2021-23337", "GHSA-35jh-r3h4-6jhm");
        in_lodash.severity = Severity::High;
        in_lodash.fix = Fix { state: FixState::Fixed, version: Some("4.17.21".into()), source: None };
        in_lodash.references =
            vec![Reference { kind: "WEB".into(), url: "https://security.snyk.io/vuln/SNYK-JS-LODASH-1040724".into() }];
        let image = ImageScan {
            name: "reg.example.com/group/app:1.2".into(),
            outcome: Outcome::Success,
            diagnosis: None,
            findings: vec![finding(&inventory, 0, "CVE-2023-45853", "DEBIAN-CVE-2023-45853"), in_lodash],
            inventory: Some(inventory),
            suppressed: vec![],
            coverage: vec![],
            packages: None,
            summary: None,
        };
        ScanDocument {
            format: ScanDocument::FORMAT.into(),
            tool: Tool { name: "plimsoll".into(), version: "0".into() },
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
            outcome: Outcome::Success,
            database: None,
            images: vec![image],
            comparison: None,
            diagnoses: vec![],
            rules: vec![],
            project: crate::model::Project::default(),
        }
    }

    /// What is suppressed by rules on 2026-06-01, and what is said of them.
    pub(super) fn applied(rules: &Rules) -> (Vec<String>, Vec<String>) {
        let mut document = document();
        rules.apply(&mut document, date(2026, 6, 1));
        let suppressed = document.images[0].suppressed.iter().map(|s| format!("{}: {}", s.finding.id, s.explanation));
        let said = document.rules.iter().map(|rule| format!("{}: {}: {:?}", rule.origin, rule.rule, rule.state));
        (suppressed.collect(), said.collect())
    }

    #[test]
    fn days_are_read_from_dates_and_moments() {
        for (text, expected) in [
            ("2026-12-31", Some(date(2026, 12, 31))),
            ("2026-12-31T00:00:00.000Z", Some(date(2026, 12, 31))),
            ("2026-13-01", None),
            ("2026-12-311", None),
            ("31.12.2026", None),
            ("", None),
            ("2026-12-éé", None),
        ] {
            assert_eq!(day(text), expected, "{text}");
        }
    }

    #[test]
    fn an_image_is_known_with_and_without_its_tag() {
        for (pattern, expected) in [
            ("reg.example.com/group/app", true),
            ("reg.example.com/group/app:1.2", true),
            ("reg.example.com/group/app:1.*", true),
            ("reg.example.com/**", true),
            ("**/app", true),
            ("reg.example.com/group/app:2", false),
            ("app", false),
        ] {
            assert_eq!(
                ImageCondition::Glob(pattern.into()).holds("reg.example.com/group/app:1.2"),
                expected,
                "{pattern}"
            );
        }
        assert!(ImageCondition::Glob("localhost:5000/a".into()).holds("localhost:5000/a:1"));
    }

    proptest! {
        #[test]
        fn no_file_panics(
            name in prop::sample::select(vec![".snyk", ".trivyignore", ".trivyignore.yaml", "vulnerability-allowlist.yml"]),
            text in "(ignore|vulnerabilities|images|generalallowlist|id|paths|purls|expired_at|: |- |\n|  |CVE-1|\\*| |\\[|\\{|#|exp:|2026-01-01|'){0,60}",
        ) {
            let _ = Rules::of_file(name, &text);
        }
    }
}
