//! What a scan could not see, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that was there and could not be read or judged. Gaps are part of the report: an image with gaps is
/// not called clean because of what they hide. Policy decides whether they fail the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What sort of gap.
    pub kind: GapKind,
    /// What it is about: a path inside the image, a package, a distribution, a layer digest.
    pub subject: String,
    /// Why, in a sentence for people.
    pub reason: String,
    /// Index into [`super::Inventory::layers`], where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
}

/// The sorts of [`Gap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// A file that an extractor wanted is malformed or truncated.
    UnreadableFile,
    /// A layer could not be read to its end.
    IncompleteLayer,
    /// A layer in a form that is not supported (media type, encryption).
    UnsupportedLayer,
    /// A limit of [`super::Limits`] was met.
    LimitMet,
    /// No distribution was recognised, or there is no package database where one is expected.
    UnknownDistribution,
    /// The database has no advisories for this distribution or ecosystem.
    NoAdvisories,
    /// A version that its scheme cannot order; the package matched nothing.
    NotComparable,
    /// The extractor failed in a way that is a defect of ours.
    ExtractorFailed,
    /// The advisory data is older than wanted.
    StaleAdvisories,
    /// The distribution's release gets no security updates any more: flaws found since may be in no advisory.
    EndOfLife,
}

impl GapKind {
    /// Whether findings may be missing because of it, as opposed to one file that nobody could have read.
    #[must_use]
    pub fn hides_findings(self) -> bool {
        !matches!(self, Self::UnreadableFile | Self::NotComparable)
    }

    /// A short name for people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::UnreadableFile => "unreadable file",
            Self::IncompleteLayer => "incomplete layer",
            Self::UnsupportedLayer => "unsupported layer",
            Self::LimitMet => "limit met",
            Self::UnknownDistribution => "unknown distribution",
            Self::NoAdvisories => "no advisory data",
            Self::NotComparable => "version not comparable",
            Self::ExtractorFailed => "extractor failed",
            Self::StaleAdvisories => "stale advisory data",
            Self::EndOfLife => "end of life",
        }
    }
}

impl Gap {
    /// A gap that belongs to no layer.
    pub fn new(kind: GapKind, subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), reason: reason.into(), layer: None }
    }

    /// The same gap in a layer.
    #[must_use]
    pub fn in_layer(self, layer: usize) -> Self {
        Self { layer: Some(layer), ..self }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.kind.label(), self.subject, self.reason)
    }
}
