//! The platform of an image: operating system, architecture, variant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A platform in the notation of OCI image indexes, `os/architecture[/variant]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    /// For example `linux`.
    pub os: String,
    /// Go's architecture name, for example `amd64`.
    pub architecture: String,
    /// For example `v8`; absent when the index does not say or the person does not care.
    pub variant: Option<String>,
}

/// The text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform of the form os/architecture[/variant], such as linux/arm64")]
pub struct InvalidPlatform(pub String);

impl Platform {
    /// The platform that is scanned when nobody says: `linux/amd64`, whatever the runner is.
    #[must_use]
    pub fn linux_amd64() -> Self {
        Self { os: "linux".into(), architecture: "amd64".into(), variant: None }
    }

    /// Whether an image for `offered` is what this platform asks for. A variant that is not asked for fits any.
    #[must_use]
    pub fn accepts(&self, offered: &Self) -> bool {
        self.os == offered.os
            && self.architecture == offered.architecture
            && (self.variant.is_none() || self.variant == offered.variant)
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(os), Some(architecture), variant, None)
                if !os.is_empty() && !architecture.is_empty() && variant != Some("") =>
            {
                Ok(Self { os: os.into(), architecture: architecture.into(), variant: variant.map(Into::into) })
            }
            _ => Err(InvalidPlatform(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;

    fn try_from(text: String) -> Result<Self, InvalidPlatform> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}
