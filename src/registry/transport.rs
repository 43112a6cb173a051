//! Requests to a registry: authorised, retried, bounded, and every refusal told apart.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, LINK};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::session::{Access, Authorization, Session};
use super::{Manifest, RegistryError, probe};
use crate::hashing::HashGroup;
use crate::model::{Digest, ImageReference};
use crate::net::retry::{Retry, is_transient, retry_after};
use crate::net::{Credentials, Failure, NetworkSettings, USER_AGENT, client_for_registries, trusted_roots};

/// The shared clients and the sessions of the repositories met so far.
pub(super) struct Transport {
    pub(super) http: Client,
    /// Made when it is first needed: an image whose layers are all cached needs none.
    oci: OnceLock<Result<oci_client::Client, RegistryError>>,
    pub(super) settings: NetworkSettings,
    credentials: Credentials,
    sessions: Mutex<HashMap<(String, Access), Arc<Session>>>,
    /// Of the blobs that are downloaded at the same time.
    pub(super) hashes: HashGroup,
}

impl Transport {
    pub(super) fn new(settings: &NetworkSettings, credentials: Credentials) -> Result<Self, RegistryError> {
        let http = client_for_registries(settings).map_err(|e| RegistryError::Setup(e.to_string()))?;
        Ok(Self {
            http,
            oci: OnceLock::new(),
            settings: settings.clone(),
            credentials,
            sessions: Mutex::default(),
            hashes: HashGroup::default(),
        })
    }

    /// The client of `oci-client`, which downloads and pushes.
    pub(super) fn oci(&self) -> Result<&oci_client::Client, RegistryError> {
        self.oci.get_or_init(|| oci(&self.settings)).as_ref().map_err(Clone::clone)
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The session that reads an image's repository: one, however many layers are downloaded at once.
    pub(super) fn session(&self, image: &ImageReference) -> Arc<Session> {
        self.session_for(image, Access::Pull)
    }

    pub(super) fn session_for(&self, image: &ImageReference, access: Access) -> Arc<Session> {
        // Nothing can be half done in the map, so a poisoned lock is as good as any.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.entry((image.name(), access)).or_insert_with(|| {
            let plain_http = self.settings.is_plain_http(&image.registry);
            Arc::new(Session::new(image, self.credentials.resolve(image), plain_http, access))
        });
        Arc::clone(session)
    }

    /// The session that mounts blobs of one repository into another.
    pub(super) fn session_mounting(&self, image: &ImageReference, from: &ImageReference) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{} from {}", image.name(), from.repository);
        let session = sessions.entry((name, Access::Push)).or_insert_with(|| {
            let plain_http = self.settings.is_plain_http(&image.registry);
            let session = Session::new(image, self.credentials.resolve(image), plain_http, Access::Push);
            Arc::new(session.reading(&from.repository))
        });
        Arc::clone(session)
    }

    pub(super) async fn manifest(&self, image: &ImageReference) -> Result<Manifest, RegistryError> {
        let session = self.session(image);
        let path = format!("manifests/{}", image.selector());
        let accept = [(ACCEPT, MANIFEST_TYPES.to_owned())];
        let (headers, bytes) = match self.document(&session, &path, &accept).await {
            Err(RegistryError::NotFound { message, .. }) => {
                return Err(probe::missing(self, &session, image, message).await);
            }
            other => other?,
        };
        let named = header(&headers, &CONTENT_TYPE);
        let named = named.split(';').next().unwrap_or_default().trim().to_owned();
        if named == "text/html" {
            let evidence = "it answers with a web page where a manifest should be".to_owned();
            return Err(probe::not_a_registry(self, &session, evidence).await);
        }
        let promised = header(&headers, &HeaderName::from_static("docker-content-digest"));

        let digest = Digest::from_sha256(&Sha256::digest(&bytes).into());
        let promises = [image.digest.clone(), promised.parse().ok()];
        if let Some(expected) = promises.into_iter().flatten().find(|promise| *promise != digest) {
            return Err(RegistryError::DigestMismatch { expected, actual: digest });
        }
        let media_type = match named.as_str() {
            "" | "application/json" | "text/plain" | "application/octet-stream" => media_type_inside(&bytes),
            _ => named,
        };
        Ok(Manifest { digest, media_type, bytes })
    }

    pub(super) async fn tags(&self, image: &ImageReference) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct List {
            tags: Option<Vec<String>>,
        }
        let session = self.session(image);
        let mut tags: Vec<String> = Vec::new();
        for _ in 0..MOST_TAG_PAGES {
            // Where the next page begins is known; the header's own address, which may be anywhere, is not followed.
            let path = tags.last().map_or_else(|| TAGS.to_owned(), |last| format!("{TAGS}&last={last}"));
            let (headers, body) = self.document(&session, &path, &[]).await?;
            let list: List = serde_json::from_slice(&body).map_err(|e| RegistryError::Unexpected {
                url: format!("{}/{}/{TAGS}", session.base(), session.repository()),
                status: 200,
                message: format!("this is no list of tags: {e}"),
            })?;
            let page = list.tags.unwrap_or_default();
            let more = header(&headers, &LINK).contains("next") && page.last() != tags.last();
            // What is no tag cannot be asked for, and must not become a part of an address.
            tags.extend(
                page.into_iter().filter(|tag| format!("{}:{tag}", image.name()).parse::<ImageReference>().is_ok()),
            );
            if !more || tags.is_empty() {
                break;
            }
        }
        tags.dedup();
        Ok(tags)
    }

    /// Headers and whole body of a document below the repository, at most 4 MiB. One that breaks off is asked for again.
    async fn document(
        &self,
        session: &Session,
        path: &str,
        headers: &[(HeaderName, String)],
    ) -> Result<(HeaderMap, Vec<u8>), RegistryError> {
        let mut retry = Retry::new(&self.settings);
        loop {
            let response = self.get(session, path, headers).await?;
            let headers = response.headers().clone();
            match read_bounded(response, MAX_DOCUMENT).await {
                Ok(body) => return Ok((headers, body)),
                Err(BodyError::TooLarge) => {
                    let subject = format!("`{}/{}/{path}`", session.host(), session.repository());
                    return Err(RegistryError::TooLarge { subject, limit: MAX_DOCUMENT });
                }
                Err(BodyError::Failed(failure)) => match retry.next_delay(None).filter(|_| failure.is_transient()) {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => return Err(self.unreachable(session.host(), failure)),
                },
            }
        }
    }

    /// The rights in the token for an image's repository.
    pub(super) async fn granted(&self, image: &ImageReference) -> Result<Option<Vec<String>>, RegistryError> {
        let session = self.session_for(image, Access::Push);
        Ok(match session.authorization(self).await? {
            Authorization::Bearer(token) => token.actions(&image.repository),
            Authorization::Basic(_) | Authorization::None => None,
        })
    }

    /// The digest of the manifest that a reference names, by a request without a body; `None` where the registry does
    /// not say it.
    pub(super) async fn digest(&self, image: &ImageReference) -> Result<Option<Digest>, RegistryError> {
        let session = self.session(image);
        let path = format!("manifests/{}", image.selector());
        let response = self.request(&session, Method::HEAD, &path, &[(ACCEPT, MANIFEST_TYPES.to_owned())]).await?;
        Ok(header(response.headers(), &HeaderName::from_static("docker-content-digest")).parse().ok())
    }

    pub(super) async fn get(
        &self,
        session: &Session,
        path: &str,
        headers: &[(HeaderName, String)],
    ) -> Result<Response, RegistryError> {
        self.request(session, Method::GET, path, headers).await
    }

    /// A successful response to a GET or HEAD below the repository; anything else is told apart into an error. A token
    /// that the registry does not take any more is renewed once.
    pub(super) async fn request(
        &self,
        session: &Session,
        method: Method,
        path: &str,
        headers: &[(HeaderName, String)],
    ) -> Result<Response, RegistryError> {
        let url = format!("{}/{}/{path}", session.base(), session.repository());
        let mut authorization = session.authorization(self).await?;
        let mut renewed = false;
        loop {
            let request =
                headers.iter().fold(self.http.request(method.clone(), &url), |r, (name, value)| r.header(name, value));
            let response = self.send(authorization.apply(request), session.host(), self.settings.attempts).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            // A redirect may have led to another server, whose refusal says nothing about our token.
            let by_registry = response.url().as_str() == url;
            if status == StatusCode::UNAUTHORIZED
                && by_registry
                && !renewed
                && matches!(authorization, Authorization::Bearer(_))
                && !session.lacks_rights(&authorization)
            {
                renewed = true;
                authorization = session.renew(self, &authorization).await?;
                continue;
            }
            let headers = response.headers().clone();
            let message = message_of(response).await;
            return Err(match status {
                _ if refused && by_registry => session.refusal(&authorization, status, &headers, message),
                StatusCode::NOT_FOUND => RegistryError::NotFound {
                    subject: format!("{}/{}/{path}", session.host(), session.repository()),
                    message,
                    repository_exists: None,
                    similar: Vec::new(),
                },
                _ => RegistryError::Unexpected { url, status: status.as_u16(), message },
            });
        }
    }

    /// Sends a GET until it is answered with something that will not pass by itself.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        host: &str,
        attempts: u32,
    ) -> Result<Response, RegistryError> {
        let mut retry = Retry::new(&NetworkSettings { attempts, ..self.settings.clone() });
        loop {
            // Our requests have no body, so they can always be cloned.
            let Some(again) = request.try_clone() else {
                return Err(RegistryError::Setup("a request cannot be repeated".into()));
            };
            let result = again.send().await;
            let asked = result.as_ref().ok().and_then(|response| retry_after(response.headers()));
            let delay = match &result {
                Ok(response) if is_transient(response.status()) => retry.next_delay(asked),
                Ok(_) => None,
                Err(error) if Failure::of(error).is_transient() => retry.next_delay(None),
                Err(_) => None,
            };
            if let Some(delay) = delay {
                let reason = result.as_ref().map_or_else(|e| Failure::of(e).detail, |r| r.status().to_string());
                tracing::info!(host, ?delay, "asking again: {reason}");
                tokio::time::sleep(delay).await;
                continue;
            }
            return match result {
                Ok(response) if is_transient(response.status()) || response.status().is_server_error() => {
                    Err(RegistryError::Busy {
                        host: host.to_owned(),
                        status: response.status().as_u16(),
                        retry_after: asked.map(|wait| wait.as_secs()),
                        attempts: retry.failed().max(1),
                        message: message_of(response).await,
                    })
                }
                Ok(response) => Ok(response),
                Err(error) => Err(self.unreachable(host, Failure::of(&error))),
            };
        }
    }

    pub(super) fn unreachable(&self, host: &str, failure: Failure) -> RegistryError {
        let proxy = self.proxy_for(host, self.settings.is_plain_http(host));
        RegistryError::Unreachable { host: host.to_owned(), failure, proxy, elsewhere: None }
    }

    pub(super) fn proxy_for(&self, host: &str, plain_http: bool) -> Option<String> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let proxy = self.settings.proxies.for_host(name, plain_http)?;
        // A proxy's address may hold a password.
        Some(proxy.rsplit_once('@').map_or(proxy, |(_, address)| address).to_owned())
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn oci(settings: &NetworkSettings) -> Result<oci_client::Client, RegistryError> {
    let own = settings.certificate_authorities.iter().flat_map(|authorities| &authorities.certificates);
    let authorities = own.cloned().chain(trusted_roots().map(<[u8]>::to_vec));
    let config = ClientConfig {
        protocol: ClientProtocol::HttpsExcept(settings.plain_http.clone()),
        accept_invalid_certificates: settings.unverified_tls,
        tls_certs_only: authorities.map(|data| Certificate { encoding: CertificateEncoding::Der, data }).collect(),
        connect_timeout: Some(settings.connect_timeout),
        read_timeout: Some(settings.read_timeout),
        user_agent: USER_AGENT,
        use_monolithic_push: true,
        ..ClientConfig::default()
    };
    // `Client::new` would fall back to a default configuration without a word.
    oci_client::Client::try_from(config).map_err(|error| RegistryError::Setup(error.to_string()))
}

pub(super) enum BodyError {
    TooLarge,
    Failed(Failure),
}

/// A body of at most `limit` bytes.
pub(super) async fn read_bounded(mut response: Response, limit: u64) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| BodyError::Failed(Failure::of(&error)))? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(BodyError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// What an error response says: the errors of the distribution specification, else the beginning of its text; without
/// control characters, since it goes to a terminal.
pub(super) async fn message_of(response: Response) -> String {
    #[derive(Deserialize)]
    struct Envelope {
        errors: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let status = response.status();
    let body = read_bounded(response, MAX_MESSAGE).await.unwrap_or_default();
    let text = match serde_json::from_slice::<Envelope>(&body) {
        Ok(envelope) => {
            let errors = envelope.errors.into_iter().map(|e| format!("{} {}", e.code, e.message).trim().to_owned());
            errors.collect::<Vec<_>>().join("; ")
        }
        Err(_) => String::from_utf8_lossy(&body).trim().to_owned(),
    };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if text.is_empty() { status.to_string() } else { text }
}

pub(super) fn header(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn media_type_inside(manifest: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "mediaType")]
        media_type: Option<String>,
    }
    serde_json::from_slice::<Typed>(manifest).ok().and_then(|typed| typed.media_type).unwrap_or_default()
}

/// Without the index types a registry picks a platform itself; without OCI's types GitLab's answers 404.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
const TAGS: &str = "tags/list?n=1000";
const MOST_TAG_PAGES: usize = 1000;
const MAX_DOCUMENT: u64 = 4 << 20;
const MAX_MESSAGE: u64 = 64 << 10;
const SHOWN: usize = 300;
