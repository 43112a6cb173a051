//! The members of a VEX document that are read (CSAF 2.0, sections 3.2 and 4.5). Everything else is skipped, not checked.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

use crate::model::FixState;

#[derive(Deserialize)]
pub(super) struct Document<'a> {
    #[serde(borrow, default)]
    pub(super) document: Head<'a>,
    #[serde(borrow, default)]
    pub(super) product_tree: ProductTree<'a>,
    #[serde(borrow, default)]
    pub(super) vulnerabilities: Vec<Vulnerability<'a>>,
}

#[derive(Deserialize, Default)]
pub(super) struct Head<'a> {
    #[serde(borrow, default)]
    pub(super) aggregate_severity: Option<AggregateSeverity<'a>>,
    #[serde(borrow, default)]
    pub(super) tracking: Tracking<'a>,
}

#[derive(Deserialize)]
pub(super) struct AggregateSeverity<'a> {
    #[serde(borrow)]
    pub(super) text: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
pub(super) struct Tracking<'a> {
    #[serde(borrow, default)]
    pub(super) current_release_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) initial_release_date: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
pub(super) struct ProductTree<'a> {
    #[serde(borrow, default)]
    pub(super) branches: Vec<Branch<'a>>,
    #[serde(borrow, default)]
    pub(super) relationships: Vec<Relationship<'a>>,
}

/// Nested as deep as JSON may be, which the parser limits.
#[derive(Deserialize)]
pub(super) struct Branch<'a> {
    #[serde(borrow, default)]
    pub(super) branches: Vec<Branch<'a>>,
    #[serde(borrow, default)]
    pub(super) product: Option<Product<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Product<'a> {
    #[serde(borrow)]
    pub(super) product_id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) product_identification_helper: Option<Helper<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Helper<'a> {
    #[serde(borrow, default)]
    pub(super) cpe: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) purl: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct Relationship<'a> {
    #[serde(borrow)]
    pub(super) product_reference: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) relates_to_product_reference: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) full_product_name: FullName<'a>,
}

#[derive(Deserialize)]
pub(super) struct FullName<'a> {
    #[serde(borrow)]
    pub(super) product_id: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Vulnerability<'a> {
    #[serde(borrow, default)]
    pub(super) cve: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) cwe: Option<Cwe<'a>>,
    #[serde(borrow, default)]
    pub(super) title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    notes: Vec<Note<'a>>,
    #[serde(borrow, default)]
    pub(super) release_date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) references: Vec<Reference<'a>>,
    #[serde(borrow, default)]
    pub(super) product_status: ProductStatus<'a>,
    #[serde(borrow, default)]
    pub(super) remediations: Vec<Remediation<'a>>,
    #[serde(borrow, default)]
    threats: Vec<Threat<'a>>,
    #[serde(borrow, default)]
    scores: Vec<Score<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Cwe<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Note<'a> {
    #[serde(borrow)]
    category: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Reference<'a> {
    #[serde(borrow)]
    pub(super) url: Cow<'a, str>,
}

#[derive(Deserialize, Default)]
pub(super) struct ProductStatus<'a> {
    #[serde(borrow, default)]
    pub(super) fixed: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) known_affected: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) under_investigation: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct Remediation<'a> {
    #[serde(borrow)]
    category: Cow<'a, str>,
    #[serde(borrow, default)]
    details: Cow<'a, str>,
    #[serde(borrow, default)]
    product_ids: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) url: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Threat<'a> {
    #[serde(borrow)]
    category: Cow<'a, str>,
    #[serde(borrow)]
    details: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Score<'a> {
    #[serde(borrow, default)]
    cvss_v2: Option<Vector<'a>>,
    #[serde(borrow, default)]
    cvss_v3: Option<Vector<'a>>,
    #[serde(borrow, default)]
    cvss_v4: Option<Vector<'a>>,
}

#[derive(Deserialize)]
struct Vector<'a> {
    #[serde(borrow, rename = "vectorString", default)]
    text: Cow<'a, str>,
}

impl<'a> Vulnerability<'a> {
    /// What Red Hat means to do about the products that it names as affected.
    pub(super) fn states(&'a self) -> HashMap<&'a str, FixState> {
        let mut states = HashMap::new();
        for remediation in &self.remediations {
            let state = match (remediation.category.as_ref(), remediation.details.as_ref()) {
                ("no_fix_planned", "Out of support scope") => FixState::EndOfLife,
                ("no_fix_planned", _) => FixState::WillNotFix,
                ("none_available", "Fix deferred") => FixState::Deferred,
                ("none_available", "Under investigation") => FixState::UnderInvestigation,
                ("none_available" | "fix_planned", _) => FixState::NotFixed,
                _ => continue,
            };
            states.extend(remediation.product_ids.iter().map(|id| (id.as_ref(), state)));
        }
        states
    }

    /// Red Hat's own severity.
    pub(super) fn impact(&self) -> Option<&str> {
        self.threats.iter().find(|threat| threat.category == "impact").map(|threat| threat.details.as_ref())
    }

    pub(super) fn description(&self) -> &str {
        self.notes.iter().find(|note| note.category == "description").map_or("", |note| note.text.as_ref())
    }

    pub(super) fn vectors(&self) -> impl Iterator<Item = &str> {
        let all = self.scores.iter().flat_map(|score| [&score.cvss_v4, &score.cvss_v3, &score.cvss_v2]);
        all.flatten().map(|vector| vector.text.as_ref())
    }
}
