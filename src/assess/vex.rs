//! VEX: what makers and maintainers say about vulnerabilities in their products.
//!
//! Three forms are read, told by their content: OpenVEX, CSAF 2.0 and CycloneDX, all as JSON. A statement that says
//! "not affected" or "fixed" suppresses the finding; one that says "affected" does not, and where several concern one
//! finding the latest decides. A statement concerns a finding if one of its identifiers is the vulnerability's, and one
//! of its products is the package, or the image, or the image with this package. The more a product says (version,
//! digest, qualifiers), the more must be equal. Each statement says afterwards what it did.

mod csaf;
mod cyclonedx;
mod openvex;
mod product;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use self::product::Product;
use super::ignore::suppress;
use super::subject::Subject;
use crate::model::{RuleState, RuleUse, ScanDocument, SuppressionReason};

/// Statements of any number of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vex {
    statements: Vec<Statement>,
}

/// One statement about one vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    /// `file, statement 3`.
    origin: String,
    /// The vulnerability's identifiers, the first to be shown.
    ids: Vec<String>,
    targets: Vec<Target>,
    status: Status,
    /// A justification in the words of its format.
    justification: String,
    /// What else is said, for people.
    note: String,
    time: Option<Timestamp>,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    product: Product,
    /// A part of the product; without one, all of it.
    component: Option<Product>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    NotAffected,
    Fixed,
    Affected,
    UnderInvestigation,
}

/// A document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VexError {
    /// It is not JSON of its format.
    #[error("{file}, line {line}: {reason}")]
    Malformed {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It is of no format that is read.
    #[error("{0}: neither OpenVEX (`@context`), CSAF (`document`) nor CycloneDX (`bomFormat`), as JSON")]
    UnknownFormat(String),
}

impl Vex {
    /// Reads a document.
    ///
    /// # Errors
    /// It is not JSON, or of no format that is read.
    pub fn read(file: &str, text: &str) -> Result<Self, VexError> {
        let malformed = |error: serde_json::Error| VexError::Malformed {
            file: file.to_owned(),
            line: error.line(),
            reason: error.to_string().chars().take(300).collect(),
        };
        let form: Form = serde_json::from_slice(text.as_bytes()).map_err(malformed)?;
        let mut statements = if form.context.is_some() {
            openvex::read(text).map_err(malformed)?
        } else if form.bom_format.is_some() {
            cyclonedx::read(text).map_err(malformed)?
        } else if form.document.is_some() {
            csaf::read(text).map_err(malformed)?
        } else {
            return Err(VexError::UnknownFormat(file.to_owned()));
        };
        for (number, statement) in (1..).zip(&mut statements) {
            statement.origin = format!("{file}, statement {number}");
        }
        Ok(Self { statements })
    }

    /// The number of statements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Appends the statements of another document.
    pub fn extend(&mut self, other: Self) {
        self.statements.extend(other.statements);
    }

    /// Suppresses what is said to be harmless, and says of each statement what it did.
    pub fn apply(&self, document: &mut ScanDocument) {
        let mut by_id: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, statement) in self.statements.iter().enumerate() {
            for id in &statement.ids {
                by_id.entry(id.to_ascii_uppercase()).or_default().push(index);
            }
        }
        let mut uses = vec![0; self.statements.len()];
        for image in &mut document.images {
            let mut verdicts = Vec::with_capacity(image.findings.len());
            for (counts, subject) in Subject::all(image) {
                let ids = std::iter::once(&subject.finding.id).chain(&subject.finding.identifiers);
                let mut concerned: Vec<usize> =
                    ids.filter_map(|id| by_id.get(&id.to_ascii_uppercase())).flatten().copied().collect();
                concerned.sort_unstable();
                concerned.dedup();
                let mut latest: Option<&Statement> = None;
                for index in concerned {
                    let Some(statement) = self.statements.get(index).filter(|said| said.concerns(&subject)) else {
                        continue;
                    };
                    if let Some(uses) = uses.get_mut(index) {
                        *uses += 1;
                    }
                    if latest.is_none_or(|known| statement.time >= known.time) {
                        latest = Some(statement);
                    }
                }
                if counts {
                    verdicts.push(latest.and_then(Statement::verdict));
                }
            }
            suppress(image, verdicts, SuppressionReason::Vex);
        }
        document.rules.extend(self.statements.iter().zip(uses).map(|(statement, findings)| RuleUse {
            origin: statement.origin.clone(),
            rule: format!("{} {}", statement.ids.first().map_or("?", String::as_str), statement.status.name()),
            state: match findings {
                0 if statement.targets.is_empty() || statement.ids.is_empty() => RuleState::NotUnderstood,
                0 => RuleState::Unused,
                _ => RuleState::Applied,
            },
            findings,
            expires: None,
        }));
    }
}

impl Statement {
    fn concerns(&self, subject: &Subject<'_>) -> bool {
        self.targets.iter().any(|target| target.covers(subject))
    }

    /// Why the finding does not count, if so.
    fn verdict(&self) -> Option<String> {
        if !matches!(self.status, Status::NotAffected | Status::Fixed) {
            return None;
        }
        let mut text = self.status.name().to_owned();
        for part in [&self.justification, &self.note].into_iter().filter(|part| !part.is_empty()) {
            text.push_str(": ");
            text.extend(part.trim().chars().take(LONGEST_NOTE));
        }
        Some(format!("{text} ({})", self.origin))
    }
}

impl Target {
    fn covers(&self, subject: &Subject<'_>) -> bool {
        match &self.component {
            None => self.product.is_image(subject) || self.product.is_package(subject),
            Some(component) => {
                component.is_package(subject) && (self.product.is_image(subject) || self.product.holds_package(subject))
            }
        }
    }
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::NotAffected => "not affected",
            Self::Fixed => "fixed",
            Self::Affected => "affected",
            Self::UnderInvestigation => "under investigation",
        }
    }
}

/// What tells the formats apart.
#[derive(Deserialize)]
struct Form {
    #[serde(rename = "@context")]
    context: Option<IgnoredAny>,
    #[serde(rename = "bomFormat")]
    bom_format: Option<IgnoredAny>,
    document: Option<IgnoredAny>,
}

const LONGEST_NOTE: usize = 1000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assess::ignore::tests::document;

    /// What a document suppresses in the example image, and what is said of its statements.
    pub(super) fn applied(text: &str) -> (Vec<String>, Vec<String>) {
        let mut document = document();
        Vex::read("vex.json", text).unwrap().apply(&mut document);
        let suppressed = document.images[0].suppressed.iter().map(|s| format!("{}: {}", s.finding.id, s.explanation));
        let said = document.rules.iter().map(|rule| format!("{}: {:?}", rule.rule, rule.state));
        (suppressed.collect(), said.collect())
    }

    #[test]
    fn refuses_what_is_no_vex() {
        for (text, expected) in [
            ("{}", "neither OpenVEX"),
            ("[]", "line 1"),
            ("<bom/>", "line 1"),
            (r#"{"@context":"x","statements":{}}"#, "line 1"),
            (r#"{"bomFormat":"CycloneDX","vulnerabilities":1}"#, "line 1"),
            (r#"{"document":{},"vulnerabilities":1}"#, "line 1"),
        ] {
            let error = Vex::read("vex.json", text).expect_err(text).to_string();
            assert!(error.starts_with("vex.json") && error.contains(expected), "{text}: {error}");
        }
        // Deep nesting is refused, not followed.
        assert!(Vex::read("vex.json", &format!(r#"{{"@context":{}"#, "[".repeat(100_000))).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}", form in 0..3_usize) {
            let _ = Vex::read("x", &text);
            let text = serde_json::to_string(&text).unwrap();
            let _ = Vex::read("x", &match form {
                0 => format!(r#"{{"@context":"x","statements":[{{"vulnerability":{text},"products":[{text}],"status":{text}}}]}}"#),
                1 => format!(r#"{{"bomFormat":"CycloneDX","vulnerabilities":[{{"id":{text},"analysis":{{"state":{text}}},"affects":[{{"ref":{text}}}]}}]}}"#),
                _ => format!(r#"{{"document":{{}},"vulnerabilities":[{{"cve":{text},"product_status":{{"fixed":[{text}]}}}}]}}"#),
            });
        }
    }
}
