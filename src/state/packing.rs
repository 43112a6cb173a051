//! How documents are kept: JSON in zstd, with a limit on what a small file may unpack to.

use std::io::Read;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unusable(pub(super) String);

/// JSON, compressed.
pub(super) fn pack(document: &impl Serialize) -> Result<Vec<u8>, Unusable> {
    let unusable = |error: &dyn std::fmt::Display| Unusable(format!("it cannot be packed: {error}"));
    let json = serde_json::to_vec(document).map_err(|error| unusable(&error))?;
    zstd::encode_all(json.as_slice(), LEVEL).map_err(|error| unusable(&error))
}

/// The document that [`pack`] wrote.
pub(super) fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Result<T, Unusable> {
    let unusable = |error: &dyn std::fmt::Display| Unusable(error.to_string());
    let mut json = Vec::new();
    let reader = zstd::Decoder::new(packed).map_err(|error| unusable(&error))?;
    reader.take(MAX_UNPACKED + 1).read_to_end(&mut json).map_err(|error| unusable(&error))?;
    if json.len() as u64 > MAX_UNPACKED {
        return Err(Unusable(format!("it unpacks to more than {} MiB", MAX_UNPACKED >> 20)));
    }
    serde_json::from_slice(&json).map_err(|error| unusable(&error))
}

const LEVEL: i32 = 6;
const MAX_UNPACKED: u64 = 256 << 20;
