//! Makes OCI image layouts: small images of given layers, and indexes.

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll::model::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A layout folder that is being filled.
pub struct Layout {
    folder: PathBuf,
}

impl Layout {
    pub fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self { folder: folder.to_owned() }
    }

    /// Stores a blob and returns its descriptor.
    pub fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::from_sha256(&Sha256::digest(bytes).into());
        fs::write(self.folder.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": bytes.len()})
    }

    /// Stores an image of plain layers and returns its descriptor.
    pub fn image(&self, architecture: &str, layers: &[&[u8]]) -> Value {
        self.image_with(architecture, layers, &json!({}))
    }

    /// The same with more in its configuration: `created`, `config.Labels`, ….
    #[allow(dead_code)]
    pub fn image_with(&self, architecture: &str, layers: &[&[u8]], more: &Value) -> Value {
        let diff_ids: Vec<_> =
            layers.iter().map(|bytes| Digest::from_sha256(&Sha256::digest(bytes).into()).to_string()).collect();
        let mut config = json!({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        let layers: Vec<_> =
            layers.iter().map(|bytes| self.blob("application/vnd.oci.image.layer.v1.tar", bytes)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()),
            "layers": layers,
        });
        let mut descriptor = self.blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
        descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
        descriptor
    }

    /// Stores an index and returns its descriptor.
    pub fn index(&self, manifests: &[Value]) -> Value {
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        self.blob(media_type, index.to_string().as_bytes())
    }

    /// Names the content `latest`, which ends the layout, and returns the folder.
    pub fn finish(self, mut content: Value) -> PathBuf {
        content["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
        let index = json!({"schemaVersion": 2, "manifests": [content]});
        fs::write(self.folder.join("index.json"), index.to_string()).unwrap();
        self.folder
    }
}
