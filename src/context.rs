//! What the job knows: environment variables and settings, read once, typed, with their origin.

mod credentials;
mod environment;
mod network;
mod pipeline;

pub use credentials::{Credential, Credentials, CredentialsError, Login, LoginKind};
pub use environment::Environment;
pub use network::{CertificateAuthorities, NetworkSettings, NetworkSettingsError, Proxies};
pub use pipeline::{PipelineImage, pipeline_images};
