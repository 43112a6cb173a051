//! The scan document in every format that somebody reads: people, GitLab and other tools.
//!
//! Each format is a [`Renderer`] in a file of its own; [`table`] is for terminals and job logs. All of them are pure:
//! no clock, no environment, so that the same document gives the same bytes. Images and advisories are hostile: each
//! format neutralises their text in its own way and keeps the limits that its readers set. None decides what counts.

mod action;
pub mod alert;
mod attention;
mod change;
mod code_quality;
pub mod comment;
mod cyclonedx;
mod dotenv;
pub mod gate;
mod gitlab;
mod html;
mod identifier;
mod image_name;
mod json;
mod junit;
mod license;
mod markdown;
mod origin;
pub mod overview;
mod renderer;
mod sarif;
mod selection;
mod spdx;
mod stable_id;
mod subject;
pub mod table;
mod text;
mod verdict;
mod wording;

pub use image_name::version_tag;
pub use renderer::{RENDERERS, Renderer};
pub use selection::Selection;
pub use text::count;
