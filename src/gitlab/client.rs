//! The transport under the endpoints of the `gitlab` crate.
//!
//! The crate's own client asks who it is before anything else (one more request, and a failure for narrow tokens), knows
//! no `Retry-After`, reads answers without a limit, follows redirects with its token headers, and has no place for the
//! certificate authorities and proxies of a job. So its `RestClient` and `Client` traits are implemented here on the one HTTP
//! client of this program.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use gitlab::api::{self, ApiError, Endpoint, Query, RestClient, UrlBase};
use http::request::Builder;
use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::error::{GitLabError, TransportError, words};
use crate::net::retry::{Retry, http_date, is_transient, retry_after};
use crate::net::{ApiToken, Failure, FailureKind, NetError, NetworkSettings, client_without_redirects};

/// A client for one instance and one token. Not to be used from async code.
#[derive(Debug)]
pub struct GitLab {
    http: Client,
    runtime: Runtime,
    settings: NetworkSettings,
    api: Url,
    token: ApiToken,
    requests: AtomicU32,
}

impl GitLab {
    /// A client for the API at `api` (`CI_API_V4_URL`); opens no connection.
    ///
    /// # Errors
    /// The address is none, or the HTTP client cannot be set up.
    pub fn new(network: &NetworkSettings, api: &str, token: ApiToken) -> Result<Self, GitLabError> {
        let setup = |error: String| GitLabError::Setup(error);
        // Joining an endpoint to an address that does not end in a slash would replace its last part.
        let text = format!("{}/", api.trim_end_matches('/'));
        let address = Url::parse(&text).map_err(|error| setup(format!("CI_API_V4_URL is `{api}`: {error}")))?;
        if !matches!(address.scheme(), "https" | "http") || address.host_str().is_none() {
            return Err(setup(format!("CI_API_V4_URL is `{api}`, which is no web address")));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| setup(error.to_string()))?;
        let http = client_without_redirects(network).map_err(|error| setup(error.to_string()))?;
        Ok(Self { http, runtime, settings: network.clone(), api: address, token, requests: AtomicU32::new(0) })
    }

    /// The token that it sends.
    #[must_use]
    pub fn api_token(&self) -> &ApiToken {
        &self.token
    }

    /// How many requests were made, with those that were repeated.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The host of the API, with its port.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.api.host_str().unwrap_or_default();
        self.api.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// By how many seconds the server's clock is ahead of ours, from the header `Date` of an answer to nobody.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn clock_skew(&self) -> Result<Option<i64>, GitLabError> {
        let asked = Instant::now();
        // Sending begins inside the runtime, as time limits need it.
        let answer = self.runtime.block_on(async { self.http.head(self.api.clone()).send().await });
        let response = answer
            .map_err(|error| self.explain("ask for the time", ApiError::client(self.failed(&self.api, error))))?;
        let server = response.headers().get(DATE).and_then(|date| http_date(date.to_str().ok()?));
        let half = i64::try_from(asked.elapsed().as_secs() / 2).unwrap_or(0);
        Ok(server.map(|server| server.as_second() + half - Timestamp::now().as_second()))
    }

    /// Asks an endpoint for JSON.
    pub(super) fn ask<T: DeserializeOwned>(&self, action: &str, endpoint: &impl Endpoint) -> Result<T, GitLabError> {
        endpoint.query(self).map_err(|error| self.explain(action, error))
    }

    /// Asks for bytes; `None` where there is nothing (404).
    pub(super) fn download(&self, action: &str, endpoint: impl Endpoint) -> Result<Option<Vec<u8>>, GitLabError> {
        match api::raw(endpoint).query(self).map_err(|error| self.explain(action, error)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(GitLabError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a request whose answer does not matter.
    pub(super) fn tell(&self, action: &str, endpoint: impl Endpoint) -> Result<(), GitLabError> {
        api::ignore(endpoint).query(self).map_err(|error| self.explain(action, error))
    }

    pub(super) fn explain(&self, action: &str, error: ApiError<TransportError>) -> GitLabError {
        GitLabError::of(action, &self.host(), &self.token, error)
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<http::Response<Bytes>, TransportError> {
        if url.origin() != self.api.origin() {
            // Pages may name the next one by a `Link` to anywhere.
            return Err(TransportError::ForeignHost { host: url.host_str().unwrap_or_default().to_owned() });
        }
        let mut retry = Retry::new(&self.settings);
        loop {
            let (error, asked) = match self.attempt(&method, &url, &headers, &body).await {
                Ok(response) if is_transient(response.status()) => {
                    let status = response.status();
                    let asked = wait_asked_for(response.headers());
                    if status != StatusCode::TOO_MANY_REQUESTS && method == Method::POST {
                        // It may have been done all the same, and must not be done twice.
                        return Err(TransportError::Busy { status: status.as_u16(), retry_after: asked });
                    }
                    (TransportError::Busy { status: status.as_u16(), retry_after: asked }, asked)
                }
                Ok(response) => return Ok(response),
                Err(TransportError::Failed { failure, proxy }) if may_repeat(&method, &failure) => {
                    if retry.failed() + 1 >= FIRST_CONTACT_ATTEMPTS {
                        return Err(TransportError::Failed { failure, proxy });
                    }
                    (TransportError::Failed { failure, proxy }, None)
                }
                Err(error) => return Err(error),
            };
            let Some(delay) = retry.next_delay(asked) else { return Err(error) };
            if asked.is_some() {
                tracing::info!("GitLab asks to wait {} s ({error})", delay.as_secs());
            }
            tokio::time::sleep(delay).await;
        }
    }

    /// One request, with the redirects that it leads to: the token stays with the API's own origin.
    async fn attempt(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            self.requests.fetch_add(1, Ordering::Relaxed);
            let mut request = self.http.request(method.clone(), url.clone()).headers(headers.clone());
            if url.origin() == self.api.origin() {
                let mut secret =
                    HeaderValue::from_str(self.token.secret().expose()).map_err(|_| TransportError::MalformedToken)?;
                secret.set_sensitive(true);
                request = request.header(self.token.header(), secret);
            }
            if !body.is_empty() {
                request = request.body(body.clone());
            }
            let response = request.send().await.map_err(|error| self.failed(&url, error))?;
            tracing::debug!("{method} {} → {}", url.path(), response.status().as_u16());
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            match location {
                Some(location) if response.status().is_redirection() && *method == Method::GET => {
                    let next = url.join(location).map_err(|_| TransportError::Redirect)?;
                    if url.scheme() == "https" && next.scheme() != "https" {
                        return Err(TransportError::Redirect);
                    }
                    url = next;
                }
                _ => return self.read(&url, response).await,
            }
        }
        Err(TransportError::Redirect)
    }

    async fn read(&self, url: &Url, mut response: Response) -> Result<http::Response<Bytes>, TransportError> {
        let mut answer = http::Response::new(Bytes::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        let mut bytes = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(url, error))? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(TransportError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        *answer.body_mut() = bytes.freeze();
        Ok(answer)
    }

    fn failed(&self, url: &Url, error: reqwest::Error) -> TransportError {
        let proxy = self.settings.proxies.for_host(url.host_str().unwrap_or_default(), url.scheme() == "http");
        // Where storage hands out signed addresses, the address is a secret.
        let failure = Failure::of(&error.without_url());
        TransportError::Failed { failure, proxy: proxy.map(str::to_owned) }
    }
}

impl RestClient for GitLab {
    type Error = TransportError;

    fn rest_endpoint(&self, endpoint: &str) -> Result<Url, ApiError<TransportError>> {
        Ok(self.api.join(endpoint)?)
    }

    fn instance_endpoint(&self, _: &str) -> Result<Url, ApiError<TransportError>> {
        Err(ApiError::UnsupportedUrlBase { url_base: UrlBase::Instance })
    }
}

impl api::Client for GitLab {
    fn rest(&self, request: Builder, body: Vec<u8>) -> Result<http::Response<Bytes>, ApiError<TransportError>> {
        let malformed = |error: String| ApiError::client(TransportError::Malformed(error));
        let (parts, body) = request.body(body).map_err(|error| malformed(error.to_string()))?.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| malformed(error.to_string()))?;
        let answer = self.runtime.block_on(self.send(parts.method, url, parts.headers, body.into()));
        let answer = answer.map_err(ApiError::client)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        // The crate's errors leave out what OAuth says about a token (`error_description`).
        let (status, message) = (answer.status().as_u16(), words(answer.body()));
        Err(ApiError::client(TransportError::Refused { status, message }))
    }
}

impl From<NetError> for GitLabError {
    fn from(error: NetError) -> Self {
        Self::Setup(error.to_string())
    }
}

/// What changes something may be repeated only if it was not received: nobody wants the same comment twice.
fn may_repeat(method: &Method, failure: &Failure) -> bool {
    let never_arrived = matches!(failure.kind, FailureKind::Refused | FailureKind::HostUnknown);
    failure.is_transient() && (*method != Method::POST || never_arrived)
}

/// `Retry-After`, else the time until `RateLimit-Reset` (seconds since 1970).
fn wait_asked_for(headers: &HeaderMap) -> Option<Duration> {
    retry_after(headers).or_else(|| {
        let reset: i64 = headers.get("RateLimit-Reset")?.to_str().ok()?.parse().ok()?;
        let seconds = reset.saturating_sub(Timestamp::now().as_second());
        Some(Duration::from_secs(seconds.try_into().unwrap_or(0)))
    })
}

/// A host that does not answer is more likely wrong than busy.
const FIRST_CONTACT_ATTEMPTS: u32 = 3;
const MAX_REDIRECTS: usize = 4;
/// Scan documents of large images are the largest answers.
const MAX_ANSWER: usize = 128 << 20;
