//! The part of GitLab's report schema that is written here, field by field.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeStruct as _, Serializer};

use crate::report::identifier;

/// `V` is a list of [`Vulnerability`].
#[derive(Serialize)]
pub(super) struct Report<'a, V> {
    pub(super) version: &'static str,
    pub(super) scan: Scan<'a>,
    pub(super) vulnerabilities: V,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) remediations: Vec<Remediation<'a>>,
}

#[derive(Serialize)]
pub(super) struct Remediation<'a> {
    pub(super) fixes: Vec<Fixes<'a>>,
    pub(super) summary: Cow<'a, str>,
    /// For `git apply`, in base64.
    pub(super) diff: Cow<'a, str>,
}

/// The vulnerability that a remediation fixes.
#[derive(Serialize)]
pub(super) struct Fixes<'a> {
    pub(super) id: &'a str,
}

#[derive(Serialize)]
pub(super) struct Scan<'a> {
    pub(super) analyzer: Program<'a>,
    pub(super) scanner: Program<'a>,
    pub(super) start_time: Cow<'a, str>,
    pub(super) end_time: Cow<'a, str>,
    pub(super) status: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
pub(super) struct Program<'a> {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) version: Cow<'a, str>,
    pub(super) vendor: Named<'a>,
}

#[derive(Serialize)]
pub(super) struct Named<'a> {
    pub(super) name: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub(super) level: &'static str,
    pub(super) value: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Vulnerability<'a> {
    pub(super) id: &'a str,
    pub(super) name: Cow<'a, str>,
    pub(super) description: Cow<'a, str>,
    pub(super) severity: &'static str,
    pub(super) solution: Cow<'a, str>,
    pub(super) identifiers: Vec<Identifier<'a>>,
    /// An empty list would break the schema.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cvss_vectors: Vec<CvssVector<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) links: Vec<Link<'a>>,
    pub(super) location: Location<'a>,
    pub(super) details: Details<'a>,
}

pub(super) struct Identifier<'a>(pub(super) identifier::Identifier<'a>);

impl Serialize for Identifier<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(identifier) = self;
        let mut fields = serializer.serialize_struct("Identifier", 4)?;
        fields.serialize_field("type", identifier.kind)?;
        fields.serialize_field("name", &identifier.name)?;
        fields.serialize_field("value", identifier.value())?;
        if let Some(url) = identifier.url() {
            fields.serialize_field("url", &url)?;
        }
        fields.end()
    }
}

#[derive(Serialize)]
pub(super) struct CvssVector<'a> {
    pub(super) vendor: Cow<'a, str>,
    pub(super) vector: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Link<'a> {
    pub(super) url: &'a str,
}

#[derive(Serialize)]
pub(super) struct Location<'a> {
    pub(super) dependency: Dependency<'a>,
    pub(super) operating_system: Cow<'a, str>,
    pub(super) image: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default_branch_image: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
pub(super) struct Dependency<'a> {
    pub(super) package: Named<'a>,
    pub(super) version: Cow<'a, str>,
}

/// Typed values that GitLab shows on a vulnerability's page, by key, in this order.
pub(super) struct Details<'a>(pub(super) Vec<(&'static str, Detail<'a>)>);

impl Serialize for Details<'_> {
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
pub(super) enum Detail<'a> {
    Text { name: &'static str, value: Cow<'a, str> },
    Code { name: &'static str, value: Cow<'a, str> },
    List { name: &'static str, items: Vec<Item<'a>> },
}

/// An item of a list in [`Detail`].
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Item<'a> {
    Text { value: Cow<'a, str> },
}
