//! Fetches whole documents, such as advisory feeds: blocking, bounded, retried.

use std::sync::Arc;

use reqwest::header::{ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::retry::{Retry, is_transient, retry_after};
use super::{Failure, NetError, Verification, client};
use crate::context::NetworkSettings;

/// A blocking HTTP client for whole documents. Not to be used from async code.
#[derive(Debug)]
pub struct HttpFetch {
    settings: NetworkSettings,
    client: Client,
    runtime: Arc<Runtime>,
    limit: u64,
}

/// What a server said by which it can tell later whether a document is still the same (RFC 9110, 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// `ETag`, as it was sent.
    #[serde(default)]
    pub etag: Option<String>,
    /// `Last-Modified`, as it was sent.
    #[serde(default)]
    pub last_modified: Option<String>,
}

/// What came of a conditional request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The document, and what to ask with next time.
    Document(Vec<u8>, Validators),
    /// It is the one that the validators were of (304).
    Unchanged,
    /// There is none (404).
    Missing,
}

impl HttpFetch {
    /// A client for documents of up to 1 GiB. Certificates are always verified.
    ///
    /// # Errors
    /// See [`client`].
    pub fn new(settings: &NetworkSettings) -> Result<Self, NetError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| NetError::Setup(error.to_string()))?;
        let client = client(settings, Verification::Required)?;
        Ok(Self { settings: settings.clone(), client, runtime: Arc::new(runtime), limit: 1 << 30 })
    }

    /// The same client with another limit, in bytes.
    #[must_use]
    pub fn with_limit(self, limit: u64) -> Self {
        Self { limit, ..self }
    }

    /// A client that does not ask again when a request fails.
    #[must_use]
    pub fn once(&self) -> Self {
        let settings = NetworkSettings { attempts: 1, ..self.settings.clone() };
        Self { settings, client: self.client.clone(), runtime: Arc::clone(&self.runtime), limit: self.limit }
    }

    /// The document at an address; `None` if there is none (404).
    ///
    /// # Errors
    /// The server cannot be reached, answers with an error, or sends more than the limit.
    pub fn get(&self, url: &str) -> Result<Option<Vec<u8>>, NetError> {
        Ok(match self.get_if_changed(url, &Validators::default())? {
            Fetched::Document(bytes, _) => Some(bytes),
            Fetched::Unchanged | Fetched::Missing => None,
        })
    }

    /// The document at an address, unless it is still the one that the validators are of.
    ///
    /// # Errors
    /// As for [`HttpFetch::get`].
    pub fn get_if_changed(&self, url: &str, known: &Validators) -> Result<Fetched, NetError> {
        self.runtime.block_on(fetch(&self.client, &self.settings, url, known, self.limit))
    }
}

/// The document at an address, at most `limit` bytes. Retries what may pass.
async fn fetch(
    client: &Client,
    settings: &NetworkSettings,
    url: &str,
    known: &Validators,
    limit: u64,
) -> Result<Fetched, NetError> {
    let mut retry = Retry::new(settings);
    loop {
        let (error, asked) = match attempt(client, url, known, limit).await {
            Ok(Attempt::Done(fetched)) => return Ok(fetched),
            Ok(Attempt::Status(status, asked)) => {
                let error = NetError::Status { url: url.to_owned(), status: status.as_u16() };
                if !is_transient(status) {
                    return Err(error);
                }
                (error, asked)
            }
            Err(NetError::Failed { url, failure }) if failure.is_transient() => {
                (NetError::Failed { url, failure }, None)
            }
            Err(error) => return Err(error),
        };
        match retry.next_delay(asked) {
            Some(delay) => tokio::time::sleep(delay).await,
            None => return Err(error),
        }
    }
}

enum Attempt {
    Done(Fetched),
    Status(StatusCode, Option<std::time::Duration>),
}

async fn attempt(client: &Client, url: &str, known: &Validators, limit: u64) -> Result<Attempt, NetError> {
    let failed = |error: reqwest::Error| NetError::Failed { url: url.to_owned(), failure: Failure::of(&error) };
    let mut request = client.get(url);
    for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let mut response = request.send().await.map_err(failed)?;
    let is_conditional = known.etag.is_some() || known.last_modified.is_some();
    match response.status() {
        StatusCode::NOT_FOUND => return Ok(Attempt::Done(Fetched::Missing)),
        StatusCode::NOT_MODIFIED if is_conditional => return Ok(Attempt::Done(Fetched::Unchanged)),
        status if !status.is_success() => return Ok(Attempt::Status(status, retry_after(response.headers()))),
        _ => {}
    }
    let header = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let validators = Validators { etag: header(ETAG), last_modified: header(LAST_MODIFIED) };
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(NetError::TooLarge { url: url.to_owned(), limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Attempt::Done(Fetched::Document(bytes, validators)))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection after the other with the given responses.
    fn serve(responses: &'static [&'static str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for response in responses {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                stream.write_all(response.as_bytes()).unwrap();
            }
        });
        format!("http://{address}/all.zip")
    }

    fn get(responses: &'static [&'static str], limit: u64) -> Result<Option<Vec<u8>>, NetError> {
        let fetch = HttpFetch::new(&NetworkSettings::default()).unwrap().with_limit(limit);
        fetch.get(&serve(responses))
    }

    const CLOSE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    const BUSY: &str = "HTTP/1.1 429 Slow Down\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhel";
    const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const ENDLESS: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello";

    #[test]
    fn fetches_retries_and_gives_up() {
        assert_eq!(get(&[OK], 5).unwrap(), Some(b"hello".to_vec()));
        assert_eq!(get(&[CLOSE], 5).unwrap(), None);
        assert_eq!(get(&[BUSY, CUT, OK], 5).unwrap(), Some(b"hello".to_vec()));
        assert!(matches!(get(&[FORBIDDEN], 5), Err(NetError::Status { status: 403, .. })));
        assert!(matches!(get(&[ENDLESS], 4), Err(NetError::TooLarge { limit: 4, .. })));
    }

    const TAGGED: &str = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                          Content-Length: 5\r\nConnection: close\r\n\r\nhello";
    const SAME: &str = "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n";

    #[test]
    fn what_has_not_changed_is_not_sent_again() {
        let fetch = HttpFetch::new(&NetworkSettings::default()).unwrap();
        let Fetched::Document(bytes, known) = fetch.get_if_changed(&serve(&[TAGGED]), &Validators::default()).unwrap()
        else {
            panic!("a document")
        };
        assert_eq!((bytes.as_slice(), known.etag.as_deref()), (&b"hello"[..], Some("\"a\"")));
        assert!(known.last_modified.is_some());
        assert_eq!(fetch.get_if_changed(&serve(&[SAME]), &known).unwrap(), Fetched::Unchanged);
        assert_eq!(fetch.get_if_changed(&serve(&[CLOSE]), &known).unwrap(), Fetched::Missing);
        // A server that says so without having been asked has nothing to give.
        assert!(fetch.get(&serve(&[SAME])).is_err());
        assert!(fetch.once().get(&serve(&[BUSY, OK])).is_err());
    }
}
