//! Fetches whole documents, such as advisory feeds: blocking, bounded, retried.

use reqwest::{Client, StatusCode};
use tokio::runtime::Runtime;

use super::retry::{Retry, is_transient, retry_after};
use super::{Failure, NetError, Verification, client};
use crate::context::NetworkSettings;

/// A blocking HTTP client for whole documents. Not to be used from async code.
#[derive(Debug)]
pub struct HttpFetch {
    settings: NetworkSettings,
    client: Client,
    runtime: Runtime,
    limit: u64,
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
        Ok(Self { settings: settings.clone(), client, runtime, limit: 1 << 30 })
    }

    /// The same client with another limit, in bytes.
    #[must_use]
    pub fn with_limit(self, limit: u64) -> Self {
        Self { limit, ..self }
    }

    /// The document at an address; `None` if there is none (404).
    ///
    /// # Errors
    /// The server cannot be reached, answers with an error, or sends more than the limit.
    pub fn get(&self, url: &str) -> Result<Option<Vec<u8>>, NetError> {
        self.runtime.block_on(fetch(&self.client, &self.settings, url, self.limit))
    }
}

/// The document at an address, at most `limit` bytes; `None` on 404. Retries what may pass.
async fn fetch(
    client: &Client,
    settings: &NetworkSettings,
    url: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, NetError> {
    let mut retry = Retry::new(settings);
    loop {
        let (error, asked) = match attempt(client, url, limit).await {
            Ok(Attempt::Document(bytes)) => return Ok(bytes),
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
    Document(Option<Vec<u8>>),
    Status(StatusCode, Option<std::time::Duration>),
}

async fn attempt(client: &Client, url: &str, limit: u64) -> Result<Attempt, NetError> {
    let failed = |error: reqwest::Error| NetError::Failed { url: url.to_owned(), failure: Failure::of(&error) };
    let mut response = client.get(url).send().await.map_err(failed)?;
    match response.status() {
        StatusCode::NOT_FOUND => return Ok(Attempt::Document(None)),
        status if !status.is_success() => return Ok(Attempt::Status(status, retry_after(response.headers()))),
        _ => {}
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(NetError::TooLarge { url: url.to_owned(), limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Attempt::Document(Some(bytes)))
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
}
