//! The members of an OSV record that are read (OSV schema 1.7). Everything else is skipped, not checked.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) aliases: Vec<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) upstream: Vec<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) related: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) summary: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) details: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) published: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) modified: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) withdrawn: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) severity: Vec<OsvSeverity<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) affected: Vec<Affected<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) references: Vec<OsvReference<'a>>,
    #[serde(borrow, default)]
    pub(super) database_specific: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct OsvSeverity<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) score: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Affected<'a> {
    #[serde(borrow, default)]
    pub(super) package: Option<OsvPackage<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) ranges: Vec<OsvRange<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) versions: Vec<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) severity: Vec<OsvSeverity<'a>>,
    #[serde(borrow, default)]
    pub(super) ecosystem_specific: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) database_specific: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct OsvPackage<'a> {
    #[serde(borrow)]
    pub(super) ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct OsvRange<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "list")]
    pub(super) events: Vec<OsvEvent<'a>>,
}

#[derive(Deserialize)]
pub(super) struct OsvEvent<'a> {
    #[serde(borrow, default)]
    pub(super) introduced: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) fixed: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) last_affected: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) limit: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct OsvReference<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) url: Cow<'a, str>,
}

/// What only some ecosystems have; members of any type, for each database decides for itself.
#[derive(Deserialize, Default)]
pub(super) struct EcosystemSpecific<'a> {
    #[serde(borrow, default)]
    pub(super) ubuntu_status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) urgency: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) severity: Option<&'a RawValue>,
}

/// What only some databases have; members of any type too.
#[derive(Deserialize, Default)]
pub(super) struct DatabaseSpecific<'a> {
    #[serde(borrow, default)]
    pub(super) severity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) cwe_ids: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) informational: Option<&'a RawValue>,
}

/// A member whose type is not sure; `None` where it is another.
pub(super) fn read<'a, T: Deserialize<'a>>(value: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_slice(value?.get().as_bytes()).ok()
}

/// A list; `null` is an empty one.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
