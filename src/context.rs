//! What the job knows: environment variables and settings, read once, typed, with their origin.

mod environment;

pub use environment::Environment;
