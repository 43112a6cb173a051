//! Judgements about findings: pure functions over what was found.

pub mod baseline;
pub mod policy;
