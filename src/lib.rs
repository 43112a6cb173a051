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
//ADV
pub mod assess;
pub mod cli;
//CMD
pub mod context;
pub mod exit;
pub mod image;
pub mod inventory;
//MAT
pub mod model;
pub mod net;
pub mod registry;
//REP
pub mod version;
