//! Databases on their way: pushed to a registry as an OCI artifact, brought shard by shard into the cache, mirrored,
//! carried as one file, or made on demand from the upstreams.
//!
//! An artifact is one manifest; its configuration is the catalogue, its layers are the shards' files
//! (`docs/database.md`, "The artifact"). The signature covers the catalogue, which names every file by digest, so it
//! holds wherever the files lie and however they came. Whatever comes from outside is bounded and compared with its
//! digest before it is kept.

mod archive;
mod artifact;
mod directory;
mod mirror;
mod on_demand;
mod pull;
mod push;
mod tar;
mod upstreams;

use std::io;
use std::path::PathBuf;

use crate::model::{Diagnosis, ImageReference};
use crate::registry::RegistryError;

use super::catalogue::{Catalogue, CatalogueError};
use super::{BuildError, DatabaseError, SignatureError};

pub use archive::{Exported, Imported, export, import};
pub use mirror::mirror;
pub use on_demand::{OnDemand, on_demand, stored};
pub use pull::{Artifact, Source, Update, Wanted, find, update};
pub use push::{PushReport, push, sign};
pub use upstreams::Upstreams;

/// What was moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Moved {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// A database could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The registry does not give or take it.
    #[error("{0}")]
    Registry(#[source] RegistryError, Box<ImageReference>),
    /// Something else than a database is there.
    #[error("`{origin}` is no advisory database: {reason}")]
    NotADatabase {
        /// The reference or file.
        origin: String,
        /// What it is instead, or what is wrong with it.
        reason: String,
    },
    /// Its signature does not hold.
    #[error("`{origin}` is not trusted: {reason}")]
    Untrusted {
        /// The reference or file.
        origin: String,
        /// Why.
        #[source]
        reason: SignatureError,
    },
    /// It was never brought to this machine, and the network may not be used.
    #[error("`{origin}` is not in the cache{}", if .missing.is_empty() { String::new() } else { format!(": {} is missing", .missing.join(", ")) })]
    NotCached {
        /// The reference.
        origin: String,
        /// Its parts that are not; empty: all of it.
        missing: Vec<String>,
    },
    /// A file on this machine cannot be read or written.
    #[error("`{}`: {cause}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A database on this machine cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The upstreams gave none.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl DeliveryError {
    /// Whether what is in the cache may take its place: nobody could be asked, as against a wrong answer.
    fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Registry(
                RegistryError::Unreachable { .. }
                    | RegistryError::TokenServiceUnreachable { .. }
                    | RegistryError::TokenServiceFailed { .. }
                    | RegistryError::Busy { .. }
                    | RegistryError::Interrupted { .. },
                _
            )
        )
    }

    /// Whether there is nothing that could be used or refused: another database may take the place of this one. One that
    /// is there and not trusted, damaged, or of another format is refused instead.
    #[must_use]
    pub fn is_about_nothing(&self) -> bool {
        match self {
            Self::Registry(error, _) => {
                self.is_absence()
                    || matches!(
                        error,
                        RegistryError::NotFound { .. }
                            | RegistryError::Denied(_)
                            | RegistryError::WrongCredentials { .. }
                            | RegistryError::RegistryDisabled { .. }
                    )
            }
            Self::NotCached { .. } => true,
            Self::Database(error) => matches!(error, DatabaseError::Missing(_)),
            Self::Build(error) => matches!(error, BuildError::Unreachable(_) | BuildError::NothingFound(_)),
            Self::NotADatabase { .. } | Self::Untrusted { .. } | Self::File { .. } => false,
        }
    }

    /// What people are told, where the registry is to blame.
    #[must_use]
    pub fn of_registry(&self) -> Option<Diagnosis> {
        match self {
            Self::Registry(error, image) => Some(error.diagnosis(image)),
            _ => None,
        }
    }
}

/// The catalogue in these bytes, which came from `origin`.
fn read_catalogue_of(origin: &str, bytes: &[u8]) -> Result<Catalogue, DeliveryError> {
    Catalogue::read(bytes).map_err(|error| match error {
        CatalogueError::Invalid(reason) => DeliveryError::NotADatabase { origin: origin.to_owned(), reason },
        error => DatabaseError::of_format(origin, &error).into(),
    })
}

/// No file of a database is longer, in bytes.
const LARGEST_FILE: u64 = 256 << 20;
