//! The part of GitLab's report schema that is written here, field by field.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::report::identifier;

/// `V` is a list of [`Vulnerability`].
#[derive(Serialize)]
pub(super) struct Report<V: Serialize> {
    pub(super) version: &'static str,
    pub(super) scan: Scan,
    pub(super) vulnerabilities: V,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) remediations: Vec<Remediation>,
}

#[derive(Serialize)]
pub(super) struct Remediation {
    pub(super) fixes: Vec<Fixes>,
    pub(super) summary: String,
    /// For `git apply`, in base64.
    pub(super) diff: String,
}

/// The vulnerability that a remediation fixes.
#[derive(Serialize)]
pub(super) struct Fixes {
    pub(super) id: String,
}

#[derive(Serialize)]
pub(super) struct Scan {
    pub(super) analyzer: Program,
    pub(super) scanner: Program,
    pub(super) start_time: String,
    pub(super) end_time: String,
    pub(super) status: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) messages: Vec<Message>,
}

#[derive(Serialize)]
pub(super) struct Program {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) version: String,
    pub(super) vendor: Named,
}

#[derive(Serialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Serialize)]
pub(super) struct Message {
    pub(super) level: &'static str,
    pub(super) value: String,
}

#[derive(Serialize)]
pub(super) struct Vulnerability {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) severity: &'static str,
    pub(super) solution: String,
    pub(super) identifiers: Vec<Identifier>,
    /// An empty list would break the schema.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cvss_vectors: Vec<CvssVector>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) links: Vec<Link>,
    pub(super) location: Location,
    pub(super) details: Details,
}

#[derive(Serialize)]
pub(super) struct Identifier {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl From<identifier::Identifier> for Identifier {
    fn from(identifier: identifier::Identifier) -> Self {
        let identifier::Identifier { kind, value, name, url } = identifier;
        Self { kind, name, value, url }
    }
}

#[derive(Serialize)]
pub(super) struct CvssVector {
    pub(super) vendor: String,
    pub(super) vector: String,
}

#[derive(Serialize)]
pub(super) struct Link {
    pub(super) url: String,
}

#[derive(Serialize)]
pub(super) struct Location {
    pub(super) dependency: Dependency,
    pub(super) operating_system: String,
    pub(super) image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default_branch_image: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Dependency {
    pub(super) package: Named,
    pub(super) version: String,
}

/// Typed values that GitLab shows on a vulnerability's page, by key, in this order.
pub(super) struct Details(pub(super) Vec<(&'static str, Detail)>);

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, detail) in &self.0 {
            map.serialize_entry(key, detail)?;
        }
        map.end()
    }
}

/// A value of [`Details`]; the name is its label on the page.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Detail {
    Text { name: &'static str, value: String },
    Code { name: &'static str, value: String },
    List { name: &'static str, items: Vec<Item> },
}

/// An item of a list in [`Detail`].
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Item {
    Text { value: String },
}
