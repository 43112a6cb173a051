//! Blobs as a stream that survives broken connections and expired tokens, and is never longer or other than promised.
//!
//! One task per blob downloads, counts and hashes; a bounded channel hands its chunks, uncopied, to a blocking reader.
//! A broken download goes on where it stopped; from a server that knows no ranges it starts again and skips what was
//! there before. It is given up after some attempts that brought nothing, or after many that brought little.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use oci_client::client::BlobResponse;
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::token_cache::{RegistryToken, RegistryTokenType};
use oci_client::{Reference, RegistryOperation};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, RANGE};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::error::RegistryError;
use super::session::{Authorization, Session};
use super::transport::{Transport, header};
use crate::hashing::BlobHash;
use crate::model::{Digest, ImageReference};
use crate::net::Failure;
use crate::net::retry::Retry;

/// A blob that is being downloaded. Its end is reached only if size and digest were right.
#[derive(Debug)]
pub struct BlobReader {
    chunks: mpsc::Receiver<Result<Bytes, RegistryError>>,
    current: Bytes,
    digest: Digest,
    size: u64,
    /// In bytes.
    received: u64,
    /// All of it came and is what was promised.
    is_over: bool,
    failure: Option<RegistryError>,
    /// Kept so that the download goes on when the registry itself is dropped first.
    _runtime: Arc<Runtime>,
}

impl BlobReader {
    /// What was read is the next part of the blob, not empty and not copied; `None` is its end.
    ///
    /// # Errors
    /// As for reading: the download failed, or brought something else than was promised.
    pub fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        self.fill_buf()?;
        Ok(Some(std::mem::take(&mut self.current)).filter(|chunk| !chunk.is_empty()))
    }

    /// The error that ended the stream, if one did.
    #[must_use]
    pub fn into_failure(self) -> Option<RegistryError> {
        self.failure
    }
}

impl BufRead for BlobReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            if let Some(failure) = &self.failure {
                return Err(io::Error::other(failure.clone()));
            }
            match self.chunks.blocking_recv() {
                Some(Ok(chunk)) => {
                    self.is_over = chunk.is_empty();
                    self.received += chunk.len() as u64;
                    self.current = chunk;
                }
                Some(Err(failure)) => self.failure = Some(failure),
                None if self.is_over => break,
                // Only what says that it is the end is one: nobody has checked what a failed task leaves.
                None => {
                    let (digest, at, size) = (self.digest.clone(), self.received, self.size);
                    let detail = "the task that downloads it failed".to_owned();
                    self.failure = Some(RegistryError::Interrupted { digest, at, size, detail });
                }
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        self.current.advance(amount.min(self.current.len()));
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// Starts the download.
pub(super) fn open(
    runtime: &Arc<Runtime>,
    transport: &Arc<Transport>,
    image: &ImageReference,
    digest: &Digest,
    size: u64,
) -> BlobReader {
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let download = Download {
        transport: Arc::clone(transport),
        session: transport.session(image),
        digest: digest.clone(),
        size,
        offset: 0,
        sender,
    };
    runtime.spawn(download.run());
    BlobReader {
        chunks,
        current: Bytes::new(),
        digest: digest.clone(),
        size,
        received: 0,
        is_over: false,
        failure: None,
        _runtime: Arc::clone(runtime),
    }
}

struct Download {
    transport: Arc<Transport>,
    session: Arc<Session>,
    digest: Digest,
    size: u64,
    /// Bytes that were handed on.
    offset: u64,
    sender: mpsc::Sender<Result<Bytes, RegistryError>>,
}

/// One response with a part of the blob.
struct Part {
    stream: BoxStream<'static, io::Result<Bytes>>,
    /// Where in the blob it begins.
    start: u64,
    /// How many bytes the server announces.
    length: Option<u64>,
}

/// How one response ended.
enum End {
    /// All bytes are there.
    Complete,
    /// It broke off.
    Broken(String),
    /// The reader is gone.
    Abandoned,
}

impl Download {
    async fn run(mut self) {
        // An empty chunk says that this is the end. Nobody listens when the reader was dropped.
        let end = self.download().await.map(|()| Bytes::new());
        let _ = self.sender.send(end).await;
    }

    async fn download(&mut self) -> Result<(), RegistryError> {
        let mut retry = Retry::new(&self.transport.settings);
        let mut hash = self.transport.hashes.begin();
        let mut connections = 0;
        // An empty blob needs no request, only the right digest.
        while self.offset < self.size {
            let before = self.offset;
            let part = self.open_part().await?;
            connections += 1;
            let detail = match self.receive(part, &mut hash).await? {
                End::Complete => break,
                End::Abandoned => return Ok(()),
                End::Broken(detail) => detail,
            };
            if self.offset > before {
                retry = Retry::new(&self.transport.settings);
            }
            let delay = retry.next_delay(None).filter(|_| connections < MAX_CONNECTIONS);
            let Some(delay) = delay else {
                let (digest, at, size) = (self.digest.clone(), self.offset, self.size);
                return Err(RegistryError::Interrupted { digest, at, size, detail });
            };
            tracing::info!(blob = self.digest.short(), at = self.offset, of = self.size, "resuming: {detail}");
            tokio::time::sleep(delay).await;
        }
        let actual = hash.finish();
        if actual == self.digest {
            Ok(())
        } else {
            Err(RegistryError::DigestMismatch { expected: self.digest.clone(), actual })
        }
    }

    /// Hands on what is new in a part.
    async fn receive(&mut self, mut part: Part, hash: &mut BlobHash) -> Result<End, RegistryError> {
        let announced_end = part.length.map(|length| part.start.saturating_add(length));
        if announced_end.is_some_and(|end| end > self.size) {
            return Err(self.wrong_size(announced_end.unwrap_or(u64::MAX)));
        }
        let mut position = part.start;
        loop {
            let mut chunk = match part.stream.next().await {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return Ok(End::Broken(Failure::of(&error).detail)),
                None if self.offset == self.size => return Ok(End::Complete),
                // The server sent all that it announced, and asking again would not bring more.
                None if announced_end == Some(position) => return Err(self.wrong_size(position)),
                None => return Ok(End::Broken("the connection was closed early".to_owned())),
            };
            let known = self.offset.saturating_sub(position).min(chunk.len() as u64);
            position += chunk.len() as u64;
            if position > self.size {
                return Err(self.wrong_size(position));
            }
            chunk.advance(usize::try_from(known).unwrap_or(usize::MAX).min(chunk.len()));
            if chunk.is_empty() {
                continue;
            }
            self.offset = position;
            hash.update(chunk.clone());
            if self.sender.send(Ok(chunk)).await.is_err() {
                return Ok(End::Abandoned);
            }
            if self.offset == self.size && announced_end == Some(self.size) {
                return Ok(End::Complete);
            }
        }
    }

    fn wrong_size(&self, received: u64) -> RegistryError {
        RegistryError::SizeMismatch { digest: self.digest.clone(), expected: self.size, received }
    }

    /// Asks for the rest of the blob: through `oci-client`, and directly if that fails. A small one, such as a
    /// configuration, comes at once over the connection that is open, where another client would make its own.
    async fn open_part(&self) -> Result<Part, RegistryError> {
        if self.size <= SMALL {
            return self.open_directly().await;
        }
        let authorization = self.session.authorization(&self.transport).await?;
        match self.open_with_oci_client(&authorization).await {
            Some(Ok(part)) => return Ok(part),
            Some(Err(error)) => tracing::debug!(blob = self.digest.short(), "asking directly after: {error}"),
            None => {}
        }
        self.open_directly().await
    }

    async fn open_with_oci_client(&self, authorization: &Authorization) -> Option<Result<Part, OciDistributionError>> {
        let client = self.transport.oci().ok()?;
        let image = Reference::with_digest(
            self.session.host().to_owned(),
            self.session.repository().to_owned(),
            self.digest.to_string(),
        );
        // Without a known credential it ignores its token cache; with a token in the cache it asks nobody.
        let known = match authorization {
            Authorization::None => None,
            Authorization::Basic(login) => {
                let (user, password) = (login.user.clone(), login.password.expose().to_owned());
                Some((RegistryAuth::Basic(user.clone(), password.clone()), RegistryTokenType::Basic(user, password)))
            }
            Authorization::Bearer(token) => {
                let token = token.expose().to_owned();
                let cached = RegistryTokenType::Bearer(RegistryToken::Token { token: token.clone() });
                Some((RegistryAuth::Bearer(token), cached))
            }
        };
        if let Some((credential, cached)) = known {
            client.store_auth_if_needed(self.session.host(), &credential).await;
            client.tokens.insert(&image, RegistryOperation::Pull, cached).await;
        }
        let response = client.pull_blob_stream_partial(&image, self.digest.as_str(), self.offset, None).await;
        Some(response.map(|response| match response {
            BlobResponse::Full(all) => Part { stream: all.stream, start: 0, length: all.content_length },
            BlobResponse::Partial(rest) => {
                Part { stream: rest.stream, start: self.offset, length: rest.content_length }
            }
        }))
    }

    async fn open_directly(&self) -> Result<Part, RegistryError> {
        let path = format!("blobs/{}", self.digest);
        let range = [(RANGE, format!("bytes={}-", self.offset))];
        let response = match self.transport.get(&self.session, &path, &range).await {
            // The blob ends before the place where we want to go on.
            Err(RegistryError::Unexpected { status: 416, .. }) => return Err(self.wrong_size(self.offset)),
            other => other?,
        };
        let start = if response.status() == StatusCode::PARTIAL_CONTENT {
            content_range_start(&header(response.headers(), &CONTENT_RANGE)).unwrap_or(self.offset)
        } else {
            0
        };
        if start > self.offset {
            let url = response.url().to_string();
            let message = format!("the range begins at {start} instead of {}", self.offset);
            return Err(RegistryError::Unexpected { url, status: 206, message });
        }
        let length = response.content_length();
        Ok(Part { stream: response.bytes_stream().map(|chunk| chunk.map_err(io::Error::other)).boxed(), start, length })
    }
}

/// The first byte of `bytes 100-199/200`.
fn content_range_start(value: &str) -> Option<u64> {
    value.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

const CHUNKS_AHEAD: usize = 8;
/// In bytes.
const SMALL: u64 = 64 << 10;
/// A server that sends a byte per connection must not keep us for ever.
const MAX_CONNECTIONS: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_content_range() {
        for (value, start) in [
            ("bytes 100-199/200", Some(100)),
            ("bytes 0-0/*", Some(0)),
            ("bytes */200", None),
            ("items 1-2/3", None),
            ("", None),
        ] {
            assert_eq!(content_range_start(value), start, "{value}");
        }
    }
}
