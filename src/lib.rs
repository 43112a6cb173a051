//! Plimsoll: the container scanner that belongs inside a GitLab pipeline.
//!
//! The way of the data, one direction, each arrow a value that can be stored:
//!
//! ```text
//! context → registry → image (layers) → inventory (packages) ─┐
//!                           advisories (shards of records) ───┴→ matching → assess → scan document → report
//! ```
//!
//! `docs/architecture.md` says who may use whom; `tests/layering.rs` holds it.
pub mod advisories;
pub mod assess;
pub mod cli;
pub mod commands;
pub mod context;
pub mod exit;
pub mod gitlab;
pub mod hashing;
pub mod image;
pub mod inventory;
pub mod matching;
pub mod model;
pub mod net;
pub mod publish;
pub mod registry;
pub mod report;
pub mod settings;
pub mod state;
pub mod version;
pub mod yaml;
