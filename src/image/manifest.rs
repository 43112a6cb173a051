//! Manifests and indexes: OCI image specification 1.1 and Docker's schema 2. Schema 1 is refused.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use super::ImageError;
use crate::model::{Digest, Limits, Platform};

/// A pointer to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is; often absent in an index, sometimes wrong.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The platform, in an index.
    #[serde(default)]
    pub platform: Option<DescriptorPlatform>,
    /// Annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// The platform that an index gives.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DescriptorPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

impl DescriptorPlatform {
    fn to_platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone().filter(|variant| !variant.is_empty()),
        }
    }
}

/// A manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// The manifest of one image.
    Manifest(Manifest),
    /// Images for several platforms or of several names.
    Index(Vec<Descriptor>),
}

/// The manifest of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, base first.
    pub layers: Vec<Descriptor>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Indexes in each other that are followed.
pub(super) const DEEPEST_INDEX: usize = 4;
/// Attestations lie in indexes as images of this platform (BuildKit).
const NO_PLATFORM: &str = "unknown";
/// No layer is larger than this: what is claimed beyond it is not a size.
const LARGEST_BLOB: u64 = 1 << 50;

impl Document {
    /// Reads a manifest or index; which of them it is, is told by its members.
    ///
    /// # Errors
    /// It is malformed, or of a kind that holds no image.
    pub fn parse(bytes: &[u8], name: &str, limits: &Limits) -> Result<Self, ImageError> {
        let invalid = |reason: String| ImageError::manifest(name, reason);
        limits.check_depth(bytes).map_err(invalid)?;
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        if raw.schema_version == 1 {
            return Err(invalid(
                "Docker's manifest schema 1 is not supported; push the image with a current tool".into(),
            ));
        }
        match raw {
            Raw { manifests: Some(_), layers: Some(_), .. } => {
                Err(invalid("it has both `manifests` and `layers`, so readers would disagree on what it is".into()))
            }
            Raw { manifests: Some(manifests), .. } => Ok(Self::Index(manifests)),
            Raw { config: Some(config), layers: Some(layers), annotations, .. } => {
                if layers.len() > limits.layers {
                    return Err(ImageError::Limit {
                        what: format!("the number of layers, {},", layers.len()),
                        limit: limits.layers as u64,
                    });
                }
                if let Some(layer) = layers.iter().find(|layer| layer.size > LARGEST_BLOB) {
                    return Err(invalid(format!("`{}` claims {} bytes", layer.digest, layer.size)));
                }
                Ok(Self::Manifest(Manifest { config, layers, annotations: annotations.unwrap_or_default() }))
            }
            Raw { media_type, artifact_type, .. } => {
                let kind = artifact_type.or(media_type).map(|kind| format!(" (`{kind}`)")).unwrap_or_default();
                Err(invalid(format!("it{kind} has neither layers nor manifests")))
            }
        }
    }
}

/// The image for a platform. A single image that says nothing of its platform is taken; attestations never.
///
/// # Errors
/// There is none for the platform.
pub(super) fn choose<'d>(index: &'d [Descriptor], wanted: &Platform) -> Result<&'d Descriptor, ImageError> {
    let images = || index.iter().filter(|descriptor| !is_attestation(descriptor));
    let find = |fits: fn(&Platform, &Platform) -> bool| {
        images().find(|one| one.platform.as_ref().is_some_and(|platform| fits(wanted, &platform.to_platform())))
    };
    // One without a variant is meant rather than the first that has any.
    if let Some(descriptor) = find(Platform::eq).or_else(|| find(Platform::accepts)) {
        return Ok(descriptor);
    }
    if let (Some(only), None) = (images().next(), images().nth(1))
        && only.platform.is_none()
    {
        return Ok(only);
    }
    Err(ImageError::PlatformMissing { wanted: wanted.clone(), available: platforms(index) })
}

/// The platforms of an index, each once, in its order; without those of attestations.
pub(super) fn platforms(index: &[Descriptor]) -> Vec<Platform> {
    let mut known = HashSet::new();
    let images = index.iter().filter(|descriptor| !is_attestation(descriptor));
    let named = images.filter_map(|descriptor| descriptor.platform.as_ref().map(DescriptorPlatform::to_platform));
    named.filter(|platform| known.insert(platform.clone())).collect()
}

fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.platform.as_ref().is_some_and(|platform| platform.os == NO_PLATFORM)
        || descriptor.annotations.contains_key("vnd.docker.reference.type")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(text: &str) -> Result<Document, ImageError> {
        Document::parse(text.replace("DIGEST", DIGEST).as_bytes(), "the manifest", &Limits::default())
    }

    fn index(platforms: &[&str]) -> Vec<Descriptor> {
        let entries: Vec<String> = platforms
            .iter()
            .map(|platform| {
                let mut parts = platform.split('/');
                let mut part = || parts.next().unwrap_or_default();
                format!(
                    r#"{{"digest":"DIGEST","size":{},"platform":{{"os":"{}","architecture":"{}","variant":"{}"}}}}"#,
                    platform.len(),
                    part(),
                    part(),
                    part()
                )
            })
            .collect();
        match parse(&format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))) {
            Ok(Document::Index(index)) => index,
            other => panic!("not an index: {other:?}"),
        }
    }

    #[test]
    fn tells_manifests_from_indexes() {
        let config = r#""config":{"digest":"DIGEST","size":2}"#;
        let layer = r#"{"mediaType":"x","digest":"DIGEST","size":3}"#;
        let manifest =
            parse(&format!(r#"{{"schemaVersion":2,{config},"layers":[{layer}],"annotations":{{"a":"b"}}}}"#));
        assert!(matches!(manifest, Ok(Document::Manifest(m)) if m.layers.len() == 1 && m.annotations["a"] == "b"));
        for (text, reason) in [
            ("{", "EOF"),
            ("[]", "neither layers nor manifests"),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, "schema 1"),
            (r#"{"schemaVersion":2}"#, "neither layers nor manifests"),
            (r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#, "both"),
            (r#"{"schemaVersion":2,"config":{"digest":"sha256:0","size":2},"layers":[]}"#, "not a digest"),
            (r#"{"schemaVersion":2,"config":{"digest":"DIGEST","size":-2},"layers":[]}"#, "-2"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let huge = layer.replace('3', &u64::MAX.to_string());
        assert!(parse(&format!(r#"{{"schemaVersion":2,{config},"layers":[{huge}]}}"#)).is_err());
        let many = vec![layer; 600].join(",");
        let error = parse(&format!(r#"{{"schemaVersion":2,{config},"layers":[{many}]}}"#)).expect_err("600 layers");
        assert_eq!(error.diagnosis().code, crate::model::Code::LimitExceeded);
    }

    #[test]
    fn chooses_by_platform() {
        let images = index(&[
            "linux/arm64/v8",
            "linux/amd64/v3",
            "linux/amd64",
            "linux/arm/v7",
            "linux/arm/v6",
            "unknown/unknown",
        ]);
        for (wanted, expected) in [
            ("linux/amd64", Some("linux/amd64")),
            ("linux/amd64/v3", Some("linux/amd64/v3")),
            ("linux/arm64", Some("linux/arm64/v8")),
            ("linux/arm", Some("linux/arm/v7")),
            ("linux/arm/v6", Some("linux/arm/v6")),
            ("windows/amd64", None),
            ("unknown/unknown", None),
        ] {
            let platform: Platform = wanted.parse().expect("a platform");
            let chosen = choose(&images, &platform).ok().and_then(|d| d.platform.as_ref());
            let chosen = chosen.map(|platform| platform.to_platform().to_string());
            assert_eq!(chosen.as_deref(), expected, "{wanted}");
        }
        let error = choose(&images, &"linux/s390x".parse().expect("a platform")).expect_err("no s390x");
        assert_eq!(error.diagnosis().code, crate::model::Code::PlatformMissing);
        assert!(error.to_string().contains("linux/amd64, linux/arm/v7"), "{error}");
        let offered: Vec<String> = platforms(&images).iter().map(ToString::to_string).collect();
        assert_eq!(offered, ["linux/arm64/v8", "linux/amd64/v3", "linux/amd64", "linux/arm/v7", "linux/arm/v6"]);
    }
}
