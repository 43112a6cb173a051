//! The form of the artifact in a registry: manifest and catalogue.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::advisories::catalogue::{Catalogue, LARGEST, Layer};
use crate::model::Digest;

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The compressed catalogue.
    pub(super) catalogue: Layer,
    /// The files of the shards.
    pub(super) files: Vec<Layer>,
    /// Of the catalogue as it is before compression.
    pub(super) signature: Option<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    media_type: String,
    #[serde(default)]
    artifact_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

impl Manifest {
    /// The manifest of a catalogue.
    pub(super) fn to_bytes(&self, catalogue: &Catalogue) -> Vec<u8> {
        let descriptor = |media_type: &str, layer: &Layer| Descriptor {
            media_type: media_type.to_owned(),
            digest: layer.digest.clone(),
            size: layer.size,
        };
        let mut annotations = Map::new();
        annotations.insert("org.opencontainers.image.created".into(), json!(catalogue.built.to_string()));
        annotations.insert("org.opencontainers.image.title".into(), json!("advisory database of plimsoll"));
        annotations.insert(SOURCES.into(), json!(sources(catalogue)));
        if let Some(signature) = &self.signature {
            annotations.insert(SIGNATURE.into(), json!(STANDARD.encode(signature)));
        }
        let document = Document {
            schema_version: 2,
            media_type: MANIFEST.into(),
            artifact_type: ARTIFACT.into(),
            config: descriptor(CATALOGUE, &self.catalogue),
            layers: self.files.iter().map(|layer| descriptor(SHARD, layer)).collect(),
            annotations,
        };
        // Plain data with string keys: encoding cannot fail.
        serde_json::to_vec(&document).unwrap_or_default()
    }

    /// Reads a manifest; the error says what it is instead.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| format!("its manifest is of another kind: {error}"))?;
        if document.artifact_type != ARTIFACT && document.config.media_type != CATALOGUE {
            let kind = [document.artifact_type, document.config.media_type];
            let kind = kind.iter().find(|kind| !kind.is_empty()).map_or("something else", String::as_str);
            return Err(format!("it is `{kind}`"));
        }
        if document.config.media_type != CATALOGUE {
            return Err(format!("its catalogue is `{}`", document.config.media_type));
        }
        let layer = |descriptor: Descriptor| Layer { digest: descriptor.digest, size: descriptor.size };
        let files = document.layers.into_iter().filter(|layer| layer.media_type == SHARD).map(layer).collect();
        let signature = document.annotations.get(SIGNATURE).and_then(Value::as_str);
        let signature = signature.map(|text| STANDARD.decode(text).map_err(|_| "its signature is not Base64"));
        Ok(Self { catalogue: layer(document.config), files, signature: signature.transpose()? })
    }
}

/// `alpine-secdb/v3.20=2026-08-20,…`, for people who look at the artifact with other tools.
fn sources(catalogue: &Catalogue) -> String {
    let date = |date: Option<jiff::Timestamp>| date.map_or("-".into(), |date| date.strftime("%Y-%m-%d").to_string());
    let sources = catalogue.sources.iter().map(|source| format!("{}={}", source.source, date(source.date)));
    sources.collect::<Vec<_>>().join(",")
}

/// The catalogue as it is stored: one zstd frame.
pub(super) fn compress(catalogue: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(catalogue, 19)
}

/// Reverses [`compress`], up to the largest catalogue.
pub(super) fn decompress(blob: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let decoder = zstd::Decoder::new(blob).map_err(|error| error.to_string())?;
    decoder.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| format!("its catalogue is damaged: {error}"))?;
    if bytes.len() as u64 > LARGEST { Err(format!("its catalogue has more than {LARGEST} bytes")) } else { Ok(bytes) }
}

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const ARTIFACT: &str = "application/vnd.plimsoll.database.v1";
const CATALOGUE: &str = "application/vnd.plimsoll.database.catalogue.v1+zstd";
const SHARD: &str = "application/vnd.plimsoll.database.shard.v1";
const SIGNATURE: &str = "dev.plimsoll.database.signature";
const SOURCES: &str = "dev.plimsoll.database.sources";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layer(byte: u8) -> Layer {
        Layer { digest: Digest::from_sha256(&[byte; 32]), size: u64::from(byte) }
    }

    fn catalogue() -> Catalogue {
        Catalogue {
            format: crate::advisories::catalogue::FORMAT.into(),
            built: "2026-11-21T07:00:00Z".parse().unwrap(),
            example: false,
            sources: vec![],
            shards: vec![],
        }
    }

    #[test]
    fn a_manifest_says_what_was_put_into_it() {
        for signature in [None, Some(vec![7; 64])] {
            let manifest = Manifest { catalogue: layer(1), files: vec![layer(2), layer(3)], signature };
            let bytes = manifest.to_bytes(&catalogue());
            assert!(String::from_utf8_lossy(&bytes).contains("2026-11-21T07:00:00Z"));
            assert_eq!(Manifest::read(&bytes), Ok(manifest));
        }
    }

    #[test]
    fn other_things_are_refused_by_name() {
        let image = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": layer(1).digest, "size": 1}});
        let error = Manifest::read(image.to_string().as_bytes()).unwrap_err();
        assert!(error.contains("application/vnd.oci.image.config.v1+json"), "{error}");
        for text in ["", "{}", "[]", r#"{"schemaVersion":2,"manifests":[]}"#] {
            assert!(Manifest::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_catalogue_is_bounded() {
        assert_eq!(decompress(&compress(b"{}").unwrap()).as_deref(), Ok(&b"{}"[..]));
        let bomb = compress(&vec![b' '; 17 << 20]).unwrap();
        assert!(bomb.len() < 10_000 && decompress(&bomb).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Manifest::read(&bytes), decompress(&bytes));
        }
    }
}
