//! What the job knows: environment variables and settings, read once, typed, with their origin.

mod environment;
mod pipeline;

pub use environment::Environment;
pub use pipeline::{PipelineImage, pipeline_images};
