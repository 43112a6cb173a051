//! The part of CycloneDX 1.6 that is written here, field by field.

use std::borrow::Cow;

use serde::Serialize;

use crate::model::escaped;
use crate::report::identifier::Url;
use crate::report::text;

/// `C` is a list of [`Component`], `V` one of [`Vulnerability`]. The serial number is written behind all of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bom<'a, C, V> {
    #[serde(rename = "$schema")]
    pub(super) schema: &'static str,
    pub(super) bom_format: &'static str,
    pub(super) spec_version: &'static str,
    pub(super) version: u32,
    pub(super) metadata: Metadata<'a>,
    pub(super) components: C,
    pub(super) dependencies: [Dependency<'a>; 1],
    pub(super) vulnerabilities: V,
}

#[derive(Serialize)]
pub(super) struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<Cow<'a, str>>,
    pub(super) tools: Tools<'a>,
    pub(super) component: Component<'a>,
    pub(super) properties: Vec<Property<'a>>,
}

#[derive(Serialize)]
pub(super) struct Tools<'a> {
    pub(super) components: [Tool<'a>; 1],
}

#[derive(Serialize)]
pub(super) struct Tool<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) publisher: &'static str,
    pub(super) name: Cow<'a, str>,
    pub(super) version: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Component<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(rename = "bom-ref")]
    pub(super) reference: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) publisher: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<Cow<'a, str>>,
    pub(super) name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hashes: Vec<Hash<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) licenses: Vec<LicenseChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) purl: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<Evidence<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) properties: Vec<Property<'a>>,
}

#[derive(Serialize)]
pub(super) struct Hash<'a> {
    pub(super) alg: &'static str,
    pub(super) content: Cow<'a, str>,
}

/// Either licences or a single expression; the schema allows no mixture.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LicenseChoice<'a> {
    License(License<'a>),
    Expression(Cow<'a, str>),
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum License<'a> {
    Id(&'static str),
    Name(Cow<'a, str>),
}

#[derive(Serialize)]
pub(super) struct Evidence<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<[Identity; 1]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) occurrences: Vec<Occurrence<'a>>,
}

/// How sure it is what a component is.
#[derive(Serialize)]
pub(super) struct Identity {
    pub(super) field: &'static str,
    pub(super) confidence: f64,
    pub(super) methods: [Method; 1],
}

#[derive(Serialize)]
pub(super) struct Method {
    pub(super) technique: &'static str,
    pub(super) confidence: f64,
}

#[derive(Serialize)]
pub(super) struct Occurrence<'a> {
    pub(super) location: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Property<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
}

impl<'a> Property<'a> {
    pub(super) fn new(name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        Self { name: name.into(), value: text::line(value) }
    }

    /// A value that is read back as it is, see [`escaped`].
    pub(super) fn kept(name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        Self { name: name.into(), value: escaped::escape(value) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.value.is_empty()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dependency<'a> {
    #[serde(rename = "ref")]
    pub(super) reference: Cow<'a, str>,
    pub(super) depends_on: Vec<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Vulnerability<'a> {
    pub(super) id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) references: Vec<Reference<'a>>,
    pub(super) ratings: Vec<Rating<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cwes: Vec<u32>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) description: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) detail: Cow<'a, str>,
    pub(super) recommendation: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) advisories: Vec<Advisory<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) published: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) updated: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) analysis: Option<Analysis<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) affects: Vec<Affected<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) properties: Vec<Property<'a>>,
}

#[derive(Serialize)]
pub(super) struct Source<'a> {
    pub(super) name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<Url<'a>>,
}

#[derive(Serialize)]
pub(super) struct Reference<'a> {
    pub(super) id: Cow<'a, str>,
    pub(super) source: Source<'a>,
}

#[derive(Serialize)]
pub(super) struct Rating<'a> {
    pub(super) source: Source<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vector: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
pub(super) struct Advisory<'a> {
    pub(super) url: &'a str,
}

#[derive(Serialize)]
pub(super) struct Analysis<'a> {
    pub(super) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) justification: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<[&'static str; 1]>,
    pub(super) detail: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Affected<'a> {
    #[serde(rename = "ref")]
    pub(super) reference: Cow<'a, str>,
    pub(super) versions: [AffectedVersion<'a>; 1],
}

#[derive(Serialize)]
pub(super) struct AffectedVersion<'a> {
    pub(super) version: Cow<'a, str>,
    pub(super) status: &'static str,
}

/// The longest version that the schema allows.
pub(super) const LONGEST_VERSION: usize = 1024;
