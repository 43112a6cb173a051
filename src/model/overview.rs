//! All images of a group at a glance: who owns them, where they run, when they were scanned, and what nobody looks at.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{SeverityCounts, Tool};

/// `overview.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// [`Overview::FORMAT`].
    pub format: String,
    /// Who wrote it.
    pub tool: Tool,
    /// When, UTC.
    pub written: Timestamp,
    /// The group or project.
    pub scope: String,
    /// Its projects, by path.
    pub projects: Vec<OverviewProject>,
    /// What all images together had, per day.
    pub history: BTreeMap<Date, OverviewDay>,
    /// Why something may be missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// A project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverviewProject {
    /// `group/project`.
    pub path: String,
    /// Its page.
    pub url: String,
    /// What is missing for the project as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<CoverageGap>,
    /// Its images, by name.
    pub images: Vec<OverviewImage>,
}

/// An image, by tag; a repository of which nothing is known stands as one image without a tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverviewImage {
    /// `registry/repository:tag`.
    pub name: String,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner_source: String,
    /// The life cycle by the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    /// Names of the environments that it was last deployed to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployed: Vec<String>,
    /// Its distribution in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// When it was last judged, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scanned: Option<Timestamp>,
    /// When the advisories were put together that it was judged by, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advisories: Option<Timestamp>,
    /// The policy that a gate enforced on it then; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Findings that count; absent where it was never judged, which is not none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<SeverityCounts>,
    /// How many of those an upgrade removes.
    #[serde(default)]
    pub fixable: usize,
    /// How many of those are known to be exploited.
    #[serde(default)]
    pub kev: usize,
    /// What is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<CoverageGap>,
}

/// Why something is not covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageGap {
    /// The sort of reason.
    pub reason: GapReason,
    /// In words, with what to change.
    pub detail: String,
}

/// Sorts of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The project has no container registry.
    RegistryOff,
    /// The registry is for members of the project only, and the token is none.
    MembersOnly,
    /// The token may not read what is needed.
    TokenTooWeak,
    /// The project lets no job of the scanning project in.
    NotOnAllowlist,
    /// There are images, and nobody ever scanned them.
    NeverScanned,
    /// The last scan failed.
    Unscannable,
    /// The last scan is too long ago.
    Stale,
    /// The last scan could not see or judge everything.
    Incomplete,
    /// What is remembered cannot be read.
    Unreadable,
}

/// What all images had together on a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverviewDay {
    /// Images that were judged.
    pub images: usize,
    /// Findings that count.
    pub counts: SeverityCounts,
    /// How many of those are known to be exploited.
    pub kev: usize,
}

impl Overview {
    /// The format that this version writes.
    pub const FORMAT: &'static str = "plimsoll-overview-1";

    /// All images with their projects.
    pub fn images(&self) -> impl Iterator<Item = (&OverviewProject, &OverviewImage)> {
        self.projects.iter().flat_map(|project| project.images.iter().map(move |image| (project, image)))
    }

    /// Gaps of projects and of images.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.projects.iter().filter(|project| project.gap.is_some()).count()
            + self.images().filter(|(_, image)| image.gap.is_some()).count()
    }

    /// The findings of all images.
    #[must_use]
    pub fn counts(&self) -> SeverityCounts {
        let mut all = SeverityCounts::default();
        self.images().filter_map(|(_, image)| image.counts.as_ref()).for_each(|counts| all.add(counts));
        all
    }
}

impl GapReason {
    /// In words, for a cell of a table.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::RegistryOff => "registry off",
            Self::MembersOnly => "registry for members only",
            Self::TokenTooWeak => "token too weak",
            Self::NotOnAllowlist => "not on the job token allowlist",
            Self::NeverScanned => "never scanned",
            Self::Unscannable => "scan failed",
            Self::Stale => "scan too old",
            Self::Incomplete => "not fully covered",
            Self::Unreadable => "memory not readable",
        }
    }
}
