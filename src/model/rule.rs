//! What became of the project's rules: ignore rules and VEX statements.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// One rule and what it did in a scan, over all images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleUse {
    /// Where it is written: `.plimsoll.yml, line 12`.
    pub origin: String,
    /// The rule in words: `CVE-2024-1 in package zlib1g`.
    pub rule: String,
    /// What became of it.
    pub state: RuleState,
    /// Findings that it concerns.
    pub findings: usize,
    /// The last day on which it applies, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Date>,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleState {
    /// It concerns at least one finding.
    Applied,
    /// It concerns no finding: it may be deleted, or is misspelt.
    Unused,
    /// Its last day has passed; it suppresses nothing.
    Expired,
    /// It cannot be followed here; it suppresses nothing.
    NotUnderstood,
}
