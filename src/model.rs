//! The nouns of the program: plain data that the stages hand to each other and that files keep.
//!
//! Nothing here does I/O or decides anything. [`Inventory`] and [`ScanDocument`] are stored as JSON, so
//! renaming a field is a change of format: see [`ScanDocument::FORMAT`].

mod advisory;
mod alert;
mod base_image;
mod diagnosis;
mod digest;
mod distribution;
mod dockerfile;
mod document;
mod end_of_life;
pub mod escaped;
mod factor;
mod finding;
mod gap;
mod image_reference;
mod inventory;
mod limits;
mod overview;
mod package;
mod platform;
mod purl;
mod rule;
mod secret;
mod severity;
mod snapshot;
mod totals;

pub use advisory::{
    Advisory, AdvisoryDetails, Constraint, CveFacts, Cvss, Epss, Event, FeedId, FixState, Kev, Range, Reference,
    ShardName,
};
pub use alert::{Alert, AlertReport, AlertSummary, News, Standing};
pub use base_image::{Base, BaseImage};
pub use diagnosis::{Code, Diagnosis};
pub use digest::{Digest, InvalidDigest};
pub use distribution::Distribution;
pub use dockerfile::Dockerfile;
pub use document::{
    Comparison, Coverage, CoverageStatus, DatabaseInfo, ImageChange, ImageScan, Outcome, Project, ScanDocument,
    SourceDate, Tool,
};
pub use end_of_life::EndOfLife;
pub use factor::{Effect, Factor, FactorId};
pub use finding::{Change, Finding, Fix, PackageRef, Statement, Suppressed, SuppressionReason};
pub use gap::{Gap, GapKind};
pub use image_reference::{ImageReference, InvalidReference};
pub use inventory::{ImageConfig, ImageIdentity, Inventory, Layer};
pub use limits::Limits;
pub use overview::{CoverageGap, GapReason, Overview, OverviewDay, OverviewImage, OverviewProject};
pub use package::{KnownBy, Location, Package, PackageKind, SourcePackage};
pub use platform::{InvalidPlatform, Platform, Platforms};
pub use purl::Purl;
pub use rule::{RuleState, RuleUse};
pub use secret::Secret;
pub use severity::Severity;
pub use snapshot::{
    DayCounts, ImageSnapshot, KnownFinding, KnownGap, SeverityCounts, SnapshotChanges, StateIndex, Told, Verdict,
};
pub use totals::{Distinct, Summary, Totals};
