//! Images in one file, as `docker save` writes them and as an OCI layout, of layers that are given; and the blocks of tar
//! that all of it is made of, with checksums that are right.

#![allow(dead_code, unreachable_pub)] // every program uses another part

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 512;
/// Octets of a header for a name.
const NAME: usize = 100;

/// How layers are compressed.
#[derive(Clone, Copy)]
pub enum Packing {
    Plain,
    Gzip,
    Zstandard,
}

impl Packing {
    pub const ALL: [Self; 3] = [Self::Plain, Self::Gzip, Self::Zstandard];

    fn pack(self, layer: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => layer.to_vec(),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(layer).expect("writing to memory");
                encoder.finish().expect("writing to memory")
            }
            Self::Zstandard => zstd::encode_all(layer, 1).expect("writing to memory"),
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstandard => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// A tar archive that is being written.
#[derive(Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// Appends a header and its content, as they are: names are cut where they are too long for a header.
    pub fn entry(&mut self, kind: u8, path: &[u8], link: &[u8], mode: u32, content: &[u8]) {
        self.header(kind, path, link, mode, content.len(), false);
        self.content(content);
    }

    /// A sparse file in GNU's old form, with one more block of the map where it is said to go on.
    pub fn old_sparse(&mut self, path: &[u8], goes_on: bool, content: &[u8]) {
        self.header(b'S', path, b"", 0o644, content.len(), goes_on);
        if goes_on {
            self.0.extend([0; BLOCK]);
        }
        self.content(content);
    }

    /// GNU's header for a name of any length, which is that of the next entry.
    pub fn long_name(&mut self, kind: u8, name: &[u8]) {
        self.entry(kind, b"././@LongLink", b"", 0, &[name, b"\0"].concat());
    }

    /// A pax header of records for the next entry.
    pub fn pax(&mut self, records: &[(&str, &[u8])]) {
        let records: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.entry(b'x', b"PaxHeaders/x", b"", 0o644, &records);
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.0.extend([0; 2 * BLOCK]);
        self.0
    }

    fn header(&mut self, kind: u8, path: &[u8], link: &[u8], mode: u32, size: usize, sparse_goes_on: bool) {
        let mut block = [0_u8; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &path[..path.len().min(NAME)]);
        put(100, format!("{:07o}", mode & 0o7777).as_bytes());
        put(124, format!("{size:011o}").as_bytes());
        put(148, &[b' '; 8]);
        put(156, &[kind]);
        put(157, &link[..link.len().min(NAME)]);
        put(257, if kind == b'S' { b"ustar  \0" } else { b"ustar\x0000" });
        put(482, &[u8::from(sparse_goes_on)]);
        let sum: u32 = block.iter().copied().map(u32::from).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend(block);
    }

    fn content(&mut self, content: &[u8]) {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
    }
}

/// `<length> <key>=<value>\n`, where the length counts itself.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest..).find(|length| length.to_string().len() + rest == *length).unwrap_or(rest);
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

/// An image as `docker save` writes it.
pub fn docker_archive(layers: &[Vec<u8>], packing: Packing) -> Vec<u8> {
    let config = config(layers);
    let name = |index: usize| format!("{index}/layer.tar");
    let names: Vec<String> = (0..layers.len()).map(name).collect();
    let config_name = format!("{}.json", hex(config.as_bytes()));
    let manifest = json!([{"Config": config_name, "RepoTags": ["a:1"], "Layers": names}]).to_string();
    let mut tar = Tar::default();
    for (name, layer) in names.iter().zip(layers) {
        file(&mut tar, name, &packing.pack(layer));
    }
    file(&mut tar, &config_name, config.as_bytes());
    file(&mut tar, "manifest.json", manifest.as_bytes());
    tar.finish()
}

/// An image as an OCI layout in a tar archive.
pub fn oci_archive(layers: &[Vec<u8>], packing: Packing) -> Vec<u8> {
    let mut tar = Tar::default();
    let mut blob = |media_type: &str, bytes: &[u8]| -> Value {
        let digest = hex(bytes);
        file(&mut tar, &format!("blobs/sha256/{digest}"), bytes);
        json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()})
    };
    let config = blob("application/vnd.oci.image.config.v1+json", config(layers).as_bytes());
    let layers: Vec<Value> = layers.iter().map(|layer| blob(packing.media_type(), &packing.pack(layer))).collect();
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
    let mut descriptor = blob(media_type, manifest.to_string().as_bytes());
    descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    file(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    file(&mut tar, "index.json", json!({"schemaVersion": 2, "manifests": [descriptor]}).to_string().as_bytes());
    tar.finish()
}

fn config(layers: &[Vec<u8>]) -> String {
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("sha256:{}", hex(layer))).collect();
    let history: Vec<Value> = layers.iter().map(|_| json!({"created_by": "COPY a b"})).collect();
    let rootfs = json!({"type": "layers", "diff_ids": diff_ids});
    json!({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs, "history": history}).to_string()
}

/// An ordinary file.
pub fn file(tar: &mut Tar, path: &str, content: &[u8]) {
    tar.entry(b'0', path.as_bytes(), b"", 0o644, content);
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
