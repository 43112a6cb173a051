//! Severity levels, ordered from least to most severe.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How bad a vulnerability is, in GitLab's words (report schema: `severity`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody has said. Sorts lowest, is never hidden.
    Unknown,
    /// Of no consequence as the distribution sees it.
    Info,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// All levels, most severe first.
    pub const ALL: [Self; 6] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info, Self::Unknown];

    /// The level of a CVSS v3 or v4 base score (qualitative rating scale of the specification).
    #[must_use]
    pub fn from_score(score: f64) -> Self {
        match score {
            s if s >= 9.0 => Self::Critical,
            s if s >= 7.0 => Self::High,
            s if s >= 4.0 => Self::Medium,
            s if s > 0.0 => Self::Low,
            _ => Self::Info,
        }
    }

    /// The name that GitLab's report schema uses: `Critical`, `High`, ….
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Info => "Info",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

impl FromStr for Severity {
    type Err = ();

    /// Reads the names of GitLab and those that feeds use (`moderate`, `important`, `negligible`, …), in any case.
    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" | "minor" => Self::Low,
            "info" | "none" | "negligible" | "unimportant" => Self::Info,
            "unknown" | "untriaged" => Self::Unknown,
            _ => return Err(()),
        })
    }
}
