//! The part of SARIF 2.1.0 that is written here, field by field, in the order of their names.

use std::borrow::Cow;

use serde::Serialize;

use crate::report::identifier::Url;

/// Where the schema lies.
pub(super) const SCHEMA_URL: &str = "https://schemastore.azurewebsites.net/schemas/json/sarif-2.1.0.json";

/// `R` is a list of [`Run`].
#[derive(Serialize)]
pub(super) struct Log<R> {
    #[serde(rename = "$schema")]
    pub(super) schema: &'static str,
    pub(super) version: &'static str,
    pub(super) runs: R,
}

/// `R` is a list of [`Rule`], `S` one of [`SarifResult`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run<'a, R, S> {
    pub(super) automation_details: AutomationDetails<'a>,
    pub(super) column_kind: &'static str,
    pub(super) invocations: [Invocation<'a>; 1],
    pub(super) results: S,
    pub(super) tool: Tool<'a, R>,
}

#[derive(Serialize)]
pub(super) struct AutomationDetails<'a> {
    pub(super) id: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_time_utc: Option<&'a str>,
    pub(super) execution_successful: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_time_utc: Option<&'a str>,
    pub(super) tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
pub(super) struct Notification<'a> {
    pub(super) level: &'static str,
    pub(super) message: Message<'a>,
}

/// A plain text, or one in several forms of which we have one.
#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub(super) text: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Tool<'a, R> {
    pub(super) driver: Driver<'a, R>,
}

#[derive(Serialize)]
pub(super) struct Driver<'a, R> {
    pub(super) name: &'static str,
    pub(super) organization: &'static str,
    pub(super) rules: R,
    pub(super) version: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule<'a> {
    pub(super) full_description: Message<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) help_uri: Option<Url<'a>>,
    pub(super) id: Cow<'a, str>,
    pub(super) name: &'static str,
    pub(super) properties: RuleProperties,
    pub(super) short_description: Message<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RuleProperties {
    pub(super) tags: Vec<Cow<'static, str>>,
    pub(super) security_severity: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifResult<'a> {
    pub(super) level: &'static str,
    pub(super) locations: [Location<'a>; 1],
    pub(super) message: Message<'a>,
    pub(super) partial_fingerprints: Fingerprints,
    pub(super) properties: ResultProperties<'a>,
    pub(super) rank: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) related_locations: Option<[Location<'a>; 1]>,
    pub(super) rule_id: Cow<'a, str>,
    pub(super) rule_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suppressions: Option<[Suppression<'a>; 1]>,
}

#[derive(Serialize)]
pub(super) struct Fingerprints {
    #[serde(rename = "plimsollFinding/v1")]
    pub(super) finding: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location<'a> {
    pub(super) logical_locations: [LogicalLocation<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<Message<'a>>,
    pub(super) physical_location: PhysicalLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogicalLocation<'a> {
    pub(super) fully_qualified_name: Cow<'a, str>,
    pub(super) kind: &'static str,
    pub(super) name: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation {
    pub(super) artifact_location: ArtifactLocation,
    pub(super) region: Region,
}

#[derive(Serialize)]
pub(super) struct ArtifactLocation {
    pub(super) uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    pub(super) start_line: u32,
}

/// Facts that the format has no field for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultProperties<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) epss: Option<f64>,
    pub(super) fix_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fixed_version: Option<Cow<'a, str>>,
    pub(super) image: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) known_exploited: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) layer: Option<&'a str>,
    pub(super) package: Cow<'a, str>,
    pub(super) severity: &'static str,
    pub(super) severity_source: Cow<'a, str>,
    pub(super) version: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct Suppression<'a> {
    pub(super) justification: Cow<'a, str>,
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
}
