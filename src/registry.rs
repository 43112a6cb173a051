//! Container registries: manifests, tags and blobs by the OCI distribution specification 1.1, with GitLab's token flow.
//!
//! A synchronous face over a small runtime of its own. The bytes of blobs come through `oci-client`. What that library
//! cannot do, or does in a way that a hostile or failing registry can use, is done here on the shared HTTP client:
//!
//! - **Tokens** (`session`): it drops the token service's answer, so a wrong password would show as a bare 401 on some
//!   layer; it would send credentials to any realm (ours must be `https`, or the registry itself must be declared
//!   insecure); it believes the local clock about `exp`. Tokens are fetched here, one at a time per repository, and
//!   handed to it.
//! - **Manifests, tag lists and error bodies** (`transport`): it reads them without a limit and hides status and
//!   headers, which `Retry-After` and the diagnoses need.
//! - **Blobs** (`blob`): a broken download is resumed with a `Range`, a token that expires in the middle is renewed,
//!   bytes are counted against the descriptor and hashed here. Only the digest is handed to `oci-client`, never the
//!   descriptor, whose `urls` an image could point anywhere. When `oci-client` reports an error, the same range is asked
//!   for again directly, to learn why and to go on.
//! - **Uploads** (`push`) go through `oci-client` too, with a token that is asked for the right to push.
//! - Where the system has no certificate authorities, `oci-client` cannot be built (it makes a default client first),
//!   and the direct way is the only one.
//!
//! Redirects to another host lose the credentials, in both ways.

mod blob;
mod challenge;
mod diagnosis;
mod error;
mod probe;
mod push;
mod session;
mod token;
mod transport;

use std::io::Read;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::model::{Digest, ImageReference};
use crate::net::{Credentials, NetworkSettings};

pub use blob::BlobReader;
pub use error::{Denial, RegistryError};
use transport::Transport;

/// A client for all registries of a job. Share it between threads; do not call it from async code.
#[derive(Debug)]
pub struct Registry {
    transport: Arc<Transport>,
    runtime: Arc<Runtime>,
}

/// An image manifest or an index, as the registry stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of `bytes`, verified against the reference and against what the registry says.
    pub digest: Digest,
    /// The media type that the registry names, else the one in the document; empty if there is none.
    pub media_type: String,
    /// The document, at most 4 MiB.
    pub bytes: Vec<u8>,
}

impl Registry {
    /// A client; opens no connection.
    ///
    /// # Errors
    /// The HTTP client cannot be set up, such as for a bad certificate authority.
    pub fn new(network: &NetworkSettings, credentials: Credentials) -> Result<Self, RegistryError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("registry")
            .enable_all()
            .build()
            .map_err(|error| RegistryError::Setup(error.to_string()))?;
        Ok(Self { transport: Arc::new(Transport::new(network, credentials)?), runtime: Arc::new(runtime) })
    }

    /// The manifest or index that a reference names.
    ///
    /// # Errors
    /// Anything between a connection refused and a digest that does not fit.
    pub fn manifest(&self, image: &ImageReference) -> Result<Manifest, RegistryError> {
        self.runtime.block_on(self.transport.manifest(image))
    }

    /// A small blob as a whole, such as an image configuration; `size` is the descriptor's. The caller limits `size`.
    ///
    /// # Errors
    /// It cannot be downloaded, or what comes has another size or digest.
    pub fn blob(&self, image: &ImageReference, digest: &Digest, size: u64) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        let mut reader = self.open_blob(image, digest, size);
        match reader.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(reader.into_failure().unwrap_or_else(|| RegistryError::Setup(error.to_string()))),
        }
    }

    /// Starts to download a blob of `size` bytes. The reader's end is only reached when size and digest fit; any error
    /// is an [`std::io::Error`] around a [`RegistryError`].
    #[must_use]
    pub fn open_blob(&self, image: &ImageReference, digest: &Digest, size: u64) -> BlobReader {
        blob::open(&self.runtime, &self.transport, image, digest, size)
    }

    /// The tags of an image's repository, page by page of at most 4 MiB each.
    ///
    /// # Errors
    /// As [`Registry::manifest`].
    pub fn tags(&self, image: &ImageReference) -> Result<Vec<String>, RegistryError> {
        self.runtime.block_on(self.transport.tags(image))
    }

    /// The digest of the manifest that a reference names, without its bytes; `None` where the registry does not say it.
    ///
    /// # Errors
    /// As [`Registry::manifest`].
    pub fn digest(&self, image: &ImageReference) -> Result<Option<Digest>, RegistryError> {
        self.runtime.block_on(self.transport.digest(image))
    }

    /// Whether an image's repository, to which we want to push, has a blob.
    ///
    /// # Errors
    /// The registry cannot be asked, or does not let us push.
    pub fn has_blob(&self, image: &ImageReference, digest: &Digest) -> Result<bool, RegistryError> {
        self.runtime.block_on(push::has_blob(&self.transport, image, digest))
    }

    /// Stores a blob in an image's repository.
    ///
    /// # Errors
    /// It could not be sent, or we may not push.
    pub fn push_blob(&self, image: &ImageReference, digest: &Digest, bytes: Vec<u8>) -> Result<(), RegistryError> {
        self.runtime.block_on(push::blob(&self.transport, image, digest, bytes))
    }

    /// Takes a blob over from another repository of the same registry; `false` where the registry does not do so and
    /// the bytes have to be sent.
    ///
    /// # Errors
    /// As [`Registry::push_blob`].
    pub fn mount_blob(
        &self,
        image: &ImageReference,
        from: &ImageReference,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        self.runtime.block_on(push::mount(&self.transport, image, from, digest))
    }

    /// Stores a manifest under the reference's tag, or its digest.
    ///
    /// # Errors
    /// As [`Registry::push_blob`].
    pub fn push_manifest(&self, image: &ImageReference, media_type: &str, bytes: Vec<u8>) -> Result<(), RegistryError> {
        self.runtime.block_on(push::manifest(&self.transport, image, media_type, bytes))
    }

    /// What the token service grants for an image's repository when asked for everything, `pull` and `push`; `None` where
    /// the registry lets its rights be known by trying only. Changes nothing.
    ///
    /// # Errors
    /// The registry or its token service cannot be reached, or does not know us.
    pub fn granted(&self, image: &ImageReference) -> Result<Option<Vec<String>>, RegistryError> {
        self.runtime.block_on(self.transport.granted(image))
    }

    /// The address of the token service that an image's registry named when it was asked for the image; `None` where it
    /// was not asked yet, or has none.
    #[must_use]
    pub fn token_service(&self, image: &ImageReference) -> Option<String> {
        self.runtime.block_on(self.transport.session(image).realm()).map(|realm| realm.to_string())
    }

    /// Who an image's registry takes us for, for the log: `job token of gitlab-ci-token (CI_REGISTRY_USER/…)`.
    #[must_use]
    pub fn identity(&self, image: &ImageReference) -> String {
        self.transport.credentials().resolve(image).to_string()
    }
}
