//! The scan document in every format that somebody reads: people, GitLab and other tools.
//!
//! Each format is a [`Renderer`] in a file of its own. Reports show untrusted text (advisories, file names, labels),
//! so each format neutralises it in its own way; none decides what counts.

pub mod code_quality;
pub mod cyclonedx;
pub mod dotenv;
pub mod gitlab;
mod identifier;
mod image_name;
pub mod json;
pub mod markdown;
mod renderer;
pub mod sarif;
mod stable_id;
pub mod table;
mod text;
mod upgrades;
mod verdict;
mod wording;

pub use renderer::{RENDERERS, Renderer};
