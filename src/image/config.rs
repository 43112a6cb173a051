//! The image configuration (OCI image specification, "image configuration"; Docker's is the same).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::ImageError;
use crate::model::{Digest, ImageConfig, Limits, Platform};

/// What a configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The part that later stages use.
    pub image: ImageConfig,
    /// The platform, where it is given.
    pub platform: Option<Platform>,
    /// Digests of the uncompressed layers, base first.
    pub diff_ids: Vec<Digest>,
    /// The instructions that made the layers, base first; those that made none are left out.
    pub created_by: Vec<Option<String>>,
}

/// An instruction of the history is cut to this many bytes.
const LONGEST_INSTRUCTION: usize = 4096;

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    os: Option<String>,
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    config: Option<RawRun>,
    rootfs: Option<RawRootfs>,
    #[serde(default)]
    history: Option<Vec<RawHistory>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawRun {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    exposed_ports: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Deserialize)]
struct RawRootfs {
    #[serde(default)]
    diff_ids: Option<Vec<Digest>>,
}

#[derive(Deserialize)]
struct RawHistory {
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    empty_layer: Option<bool>,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// It is malformed or describes no file system, as with Helm charts, signatures and other artifacts.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, ImageError> {
        let invalid = |reason: String| ImageError::manifest("the image configuration", reason);
        limits.check_depth(bytes).map_err(invalid)?;
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        let rootfs = raw.rootfs.ok_or_else(|| invalid("it describes no file system: not a container image".into()))?;
        let run = raw.config.unwrap_or_default();
        let text = |value: Option<String>| value.filter(|value| !value.is_empty());
        let platform = match (text(raw.os), text(raw.architecture)) {
            (Some(os), Some(architecture)) => Some(Platform { os, architecture, variant: text(raw.variant) }),
            _ => None,
        };
        Ok(Self {
            image: ImageConfig {
                // Reproducible builds leave odd dates behind; none is worth failing for.
                created: raw.created.and_then(|created| created.parse::<Timestamp>().ok()),
                user: text(run.user),
                exposed_ports: run.exposed_ports.unwrap_or_default().into_keys().collect(),
                labels: run
                    .labels
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(key, value)| (key, value.unwrap_or_default()))
                    .collect(),
            },
            platform,
            diff_ids: rootfs.diff_ids.unwrap_or_default(),
            created_by: raw
                .history
                .unwrap_or_default()
                .into_iter()
                .filter(|step| step.empty_layer != Some(true))
                .map(|step| text(step.created_by).map(|text| cut(text.trim())))
                .collect(),
        })
    }
}

fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST_INSTRUCTION)).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_later_stages_use() {
        let config = Config::parse(
            br#"{"created":"2026-08-22T00:00:00.5Z","architecture":"arm64","os":"linux","variant":"v8",
            "config":{"User":"1000:1000","ExposedPorts":{"8080/tcp":{},"53/udp":null},"Labels":{"a":"b","n":null},
            "Env":["X=1"]},"rootfs":{"type":"layers","diff_ids":
            ["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]},
            "history":[{"created_by":" ADD x "},{"created_by":"ENV a","empty_layer":true},{}]}"#,
            &Limits::default(),
        )
        .expect("a valid configuration");
        assert_eq!(config.image.created.map(|t| t.to_string()).as_deref(), Some("2026-08-22T00:00:00.5Z"));
        assert_eq!(config.image.user.as_deref(), Some("1000:1000"));
        assert_eq!(config.image.exposed_ports, ["53/udp", "8080/tcp"]);
        assert_eq!(config.image.labels["a"], "b");
        assert_eq!(config.platform.map(|p| p.to_string()).as_deref(), Some("linux/arm64/v8"));
        assert_eq!(config.diff_ids.len(), 1);
        assert_eq!(config.created_by, [Some("ADD x".to_owned()), None]);
    }

    #[test]
    fn is_lenient_where_builders_differ_and_strict_where_it_matters() {
        let minimal = br#"{"rootfs":{"diff_ids":null},"config":null,"history":null,"created":"never"}"#;
        let minimal = Config::parse(minimal, &Limits::default());
        assert!(minimal.is_ok_and(|config| config == Config::default()));
        for (bad, reason) in [
            (&br#"{}"#[..], "not a container image"),
            (br#"{"rootfs":{"diff_ids":["md5:0"]}}"#, "not a digest"),
            (b"null", "null"),
            (&b"[".repeat(129), "more than 128 deep"),
        ] {
            let error = Config::parse(bad, &Limits::default()).expect_err(reason).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
