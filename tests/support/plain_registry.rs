//! A registry in memory, in plain HTTP and without passwords: for many small images, and for what real registries do when
//! nobody looks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use plimsoll::model::Digest;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::http::{Reply, Request, Server};

/// The running registry.
pub struct PlainRegistry {
    server: Server,
    state: Arc<Mutex<Contents>>,
}

/// What it holds.
#[derive(Default)]
pub struct Contents {
    /// By `repository:tag`.
    pub tags: BTreeMap<String, String>,
    /// By digest: media type and bytes.
    pub manifests: BTreeMap<String, (String, Vec<u8>)>,
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Methods and targets so far.
    pub requests: Vec<String>,
    /// How many of the next requests are too many.
    pub too_many: usize,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl PlainRegistry {
    pub fn start() -> Self {
        let state: Arc<Mutex<Contents>> = Arc::default();
        let shared = Arc::clone(&state);
        let server = Server::start_kept(move |request| answer(&mut shared.lock().unwrap(), request));
        Self { server, state }
    }

    /// Host and port.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.server.port)
    }

    pub fn state(&self) -> MutexGuard<'_, Contents> {
        self.state.lock().unwrap()
    }

    /// Pushes an image of one plain layer; returns the digest of its manifest.
    pub fn push(&self, name: &str, architecture: &str, layer: &[u8]) -> String {
        let mut state = self.state();
        let diff_id = digest(layer);
        let config = json!({
            "architecture": architecture, "os": "linux", "created": "2026-11-01T00:00:00Z",
            "config": {"Labels": {"org.opencontainers.image.vendor": "Team A", "other": "x"}},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        })
        .to_string()
        .into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": diff_id, "size": layer.len()}],
        })
        .to_string()
        .into_bytes();
        let own = digest(&manifest);
        state.blobs.insert(diff_id, layer.to_vec());
        state.blobs.insert(digest(&config), config);
        state.manifests.insert(own.clone(), (MANIFEST.into(), manifest));
        state.tags.insert(name.to_owned(), own.clone());
        own
    }

    /// Pushes an index of manifests that are there: digest, architecture, and whether it is an attestation.
    pub fn push_index(&self, name: &str, manifests: &[(&str, &str, bool)]) {
        let mut state = self.state();
        let rows: Vec<_> = manifests
            .iter()
            .map(|(digest, architecture, attestation)| {
                let size = state.manifests.get(*digest).map_or(0, |(_, bytes)| bytes.len());
                let (os, architecture) = if *attestation { ("unknown", "unknown") } else { ("linux", *architecture) };
                let mut row = json!({
                    "mediaType": MANIFEST, "digest": digest, "size": size,
                    "platform": {"os": os, "architecture": architecture},
                });
                if *attestation {
                    row["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
                }
                row
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}).to_string().into_bytes();
        let own = digest(&index);
        state.manifests.insert(own.clone(), (INDEX.into(), index));
        state.tags.insert(name.to_owned(), own);
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Requests so far, which are forgotten.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state().requests)
    }
}

fn digest(bytes: &[u8]) -> String {
    Digest::from_sha256(&Sha256::digest(bytes).into()).to_string()
}

fn answer(state: &mut Contents, request: &Request) -> Reply {
    state.requests.push(format!("{} {}", request.method, request.target));
    if state.too_many > 0 {
        state.too_many -= 1;
        return Reply::new(429, "text/plain", "slow down").with("Retry-After", "1");
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let missing = |code: &str| {
        let body = json!({"errors": [{"code": code, "message": "unknown"}]}).to_string();
        Reply::new(404, "application/json", body)
    };
    let Some(path) = path.strip_prefix("/v2/") else { return missing("UNSUPPORTED") };
    if path.is_empty() {
        return Reply::new(200, "application/json", "{}");
    }
    if let Some((repository, reference)) = path.split_once("/manifests/") {
        let own = match reference.starts_with("sha256:") {
            true => Some(reference.to_owned()),
            false => state.tags.get(&format!("{repository}:{reference}")).cloned(),
        };
        let found = own.and_then(|own| state.manifests.get(&own).map(|found| (own, found.clone())));
        return match found {
            Some((own, (kind, bytes))) => Reply::new(200, &kind, bytes).with("Docker-Content-Digest", own),
            None => missing("MANIFEST_UNKNOWN"),
        };
    }
    if let Some((_, wanted)) = path.split_once("/blobs/") {
        return match state.blobs.get(wanted) {
            Some(bytes) => Reply::new(200, "application/octet-stream", bytes.clone()),
            None => missing("BLOB_UNKNOWN"),
        };
    }
    if let Some(repository) = path.strip_suffix("/tags/list") {
        let last = query.split('&').find_map(|pair| pair.strip_prefix("last=")).unwrap_or_default();
        let own = format!("{repository}:");
        let all: Vec<&str> = state.tags.keys().filter_map(|name| name.strip_prefix(&own)).collect();
        let page: Vec<&str> = all.iter().copied().filter(|tag| *tag > last).take(1000).collect();
        let more = page.last().is_some_and(|last| all.last() != Some(last));
        let reply = Reply::new(200, "application/json", json!({"name": repository, "tags": page}).to_string());
        // Where the next page is said to be is not where it is asked for.
        return if more { reply.with("Link", "<https://elsewhere.example.com/v2/>; rel=\"next\"") } else { reply };
    }
    missing("UNSUPPORTED")
}

/// A layer of an Alpine 3.20 with packages: name and version.
pub fn alpine_layer(packages: &[(&str, &str)]) -> Vec<u8> {
    let release = "ID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME=\"Alpine Linux v3.20\"\n";
    let installed: String = packages
        .iter()
        .map(|(name, version)| format!("P:{name}\nV:{version}\nA:x86_64\no:{name}\nL:MIT\n\n"))
        .collect();
    let mut tar = Vec::new();
    for (path, content) in [("etc/os-release", release), ("lib/apk/db/installed", installed.as_str())] {
        let mut header = [0u8; 512];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, path);
        put(100, "0000644\0");
        put(108, "0000000\0");
        put(116, "0000000\0");
        put(124, &format!("{:011o}\0", content.len()));
        put(136, "00000000000\0");
        put(148, "        ");
        put(156, "0");
        put(257, "ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(content.as_bytes());
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}
