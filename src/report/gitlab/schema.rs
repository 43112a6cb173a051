//! The part of GitLab's container-scanning report that Plimsoll writes, as types. Field names and limits are those of
//! the schema `container-scanning-report-format.json`, 15.0.7.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) version: &'static str,
    pub(super) scan: Scan,
    pub(super) vulnerabilities: Vec<Vulnerability>,
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

#[derive(Serialize, Clone)]
pub(super) struct Program {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) version: String,
    pub(super) vendor: Vendor,
}

#[derive(Serialize, Clone)]
pub(super) struct Vendor {
    pub(super) name: &'static str,
}

#[derive(Serialize)]
pub(super) struct Message {
    pub(super) level: Level,
    pub(super) value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Warn,
    Fatal,
}

#[derive(Serialize)]
pub(super) struct Vulnerability {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    pub(super) severity: &'static str,
    pub(super) solution: String,
    pub(super) identifiers: Vec<Identifier>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cvss_vectors: Vec<CvssVector>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) links: Vec<Link>,
    pub(super) details: BTreeMap<&'static str, NamedDetail>,
    pub(super) location: Location,
}

#[derive(Serialize)]
pub(super) struct Identifier {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
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
pub(super) struct NamedDetail {
    pub(super) name: &'static str,
    #[serde(flatten)]
    pub(super) detail: Detail,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Detail {
    Text { value: String },
    Code { value: String },
    List { items: Vec<Detail> },
}

#[derive(Serialize)]
pub(super) struct Location {
    pub(super) dependency: Dependency,
    pub(super) operating_system: String,
    pub(super) image: String,
}

#[derive(Serialize)]
pub(super) struct Dependency {
    pub(super) package: Package,
    pub(super) version: String,
}

#[derive(Serialize)]
pub(super) struct Package {
    pub(super) name: String,
}
