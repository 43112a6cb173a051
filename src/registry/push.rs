//! Writing into a registry: blobs, mounts and manifests, through `oci-client` with our own tokens.
//!
//! Before anything is sent the token is asked whether it may push, so that a missing right is told as such and at once.
//! A blob is sent in one request (`POST`, then `PUT`); what may pass by itself is tried again.

use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::token_cache::{RegistryToken, RegistryTokenType};
use oci_client::{Reference, RegistryOperation};
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};

use super::error::RegistryError;
use super::session::{Access, Authorization, Session};
use super::transport::Transport;
use crate::model::{Digest, ImageReference};
use crate::net::Failure;
use crate::net::retry::{Retry, is_transient};

/// Whether the repository has a blob.
pub(super) async fn has_blob(
    transport: &Transport,
    image: &ImageReference,
    digest: &Digest,
) -> Result<bool, RegistryError> {
    let session = transport.session_for(image, Access::Push);
    match transport.request(&session, Method::HEAD, &format!("blobs/{digest}"), &[]).await {
        Ok(_) => Ok(true),
        Err(RegistryError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Stores a blob.
pub(super) async fn blob(
    transport: &Transport,
    image: &ImageReference,
    digest: &Digest,
    bytes: Vec<u8>,
) -> Result<(), RegistryError> {
    let bytes = bytes::Bytes::from(bytes);
    let send = async |client: &oci_client::Client, place: &Reference| {
        client.push_blob(place, bytes.clone(), digest.as_str()).await.map(drop)
    };
    write(transport, &transport.session_for(image, Access::Push), image, send).await
}

/// Takes a blob over from another repository of the same registry; `false` where the registry does not do so.
pub(super) async fn mount(
    transport: &Transport,
    image: &ImageReference,
    from: &ImageReference,
    digest: &Digest,
) -> Result<bool, RegistryError> {
    let source = Reference::with_tag(from.registry.clone(), from.repository.clone(), "latest".to_owned());
    let send = async |client: &oci_client::Client, place: &Reference| {
        match client.mount_blob(place, &source, digest.as_str()).await {
            Ok(()) => Ok(true),
            // Any other answer than 201 means that the bytes have to be sent.
            Err(OciDistributionError::UnauthorizedError { url }) => {
                Err(OciDistributionError::UnauthorizedError { url })
            }
            Err(error) => {
                tracing::debug!(blob = digest.short(), "not mounted: {error}");
                Ok(false)
            }
        }
    };
    write(transport, &transport.session_mounting(image, from), image, send).await
}

/// Stores a manifest under the reference's tag or digest.
pub(super) async fn manifest(
    transport: &Transport,
    image: &ImageReference,
    media_type: &str,
    bytes: Vec<u8>,
) -> Result<(), RegistryError> {
    let media_type = HeaderValue::from_str(media_type).map_err(|error| RegistryError::Setup(error.to_string()))?;
    let bytes = bytes::Bytes::from(bytes);
    let send = async |client: &oci_client::Client, place: &Reference| {
        client.push_manifest_raw(place, bytes.clone(), media_type.clone()).await.map(drop)
    };
    write(transport, &transport.session_for(image, Access::Push), image, send).await
}

/// Calls `send` with a client that knows our token, until it succeeds or fails for good.
async fn write<T>(
    transport: &Transport,
    session: &Session,
    image: &ImageReference,
    send: impl AsyncFn(&oci_client::Client, &Reference) -> Result<T, OciDistributionError>,
) -> Result<T, RegistryError> {
    let client = transport.oci()?;
    let place = reference(session, image);
    let mut authorization = session.authorization(transport).await?;
    let mut renewed = false;
    let mut retry = Retry::new(&transport.settings);
    loop {
        if session.lacks_rights(&authorization) {
            let message = "the token does not allow to push".to_owned();
            return Err(session.refusal(&authorization, StatusCode::FORBIDDEN, &Default::default(), message));
        }
        hand_over(client, session, &place, &authorization).await;
        let error = match send(client, &place).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let refused = matches!(error, OciDistributionError::UnauthorizedError { .. });
        if refused && !renewed && matches!(authorization, Authorization::Bearer(_)) {
            renewed = true;
            authorization = session.renew(transport, &authorization).await?;
            continue;
        }
        let error = told_apart(transport, session, &authorization, error);
        let delay = match &error {
            RegistryError::Busy { .. } => retry.next_delay(None),
            RegistryError::Unreachable { failure, .. } if failure.is_transient() => retry.next_delay(None),
            _ => None,
        };
        let Some(delay) = delay else { return Err(error) };
        tracing::info!(host = session.host(), ?delay, "sending again: {error}");
        tokio::time::sleep(delay).await;
    }
}

fn reference(session: &Session, image: &ImageReference) -> Reference {
    let (host, repository) = (session.host().to_owned(), session.repository().to_owned());
    match &image.digest {
        Some(digest) => Reference::with_digest(host, repository, digest.to_string()),
        None => Reference::with_tag(host, repository, image.selector().to_owned()),
    }
}

/// Without a known credential the client ignores its token cache; with a token in the cache it asks nobody.
async fn hand_over(client: &oci_client::Client, session: &Session, place: &Reference, authorization: &Authorization) {
    let (credential, cached) = match authorization {
        Authorization::None => return,
        Authorization::Basic(login) => {
            let (user, password) = (login.user.clone(), login.password.expose().to_owned());
            (RegistryAuth::Basic(user.clone(), password.clone()), RegistryTokenType::Basic(user, password))
        }
        Authorization::Bearer(token) => {
            let token = token.expose().to_owned();
            let cached = RegistryTokenType::Bearer(RegistryToken::Token { token: token.clone() });
            (RegistryAuth::Bearer(token), cached)
        }
    };
    client.store_auth_if_needed(session.host(), &credential).await;
    client.tokens.insert(place, RegistryOperation::Push, cached).await;
}

fn told_apart(
    transport: &Transport,
    session: &Session,
    authorization: &Authorization,
    error: OciDistributionError,
) -> RegistryError {
    let host = session.host().to_owned();
    match error {
        OciDistributionError::UnauthorizedError { .. } => {
            let message = "authentication required".to_owned();
            session.refusal(authorization, StatusCode::UNAUTHORIZED, &Default::default(), message)
        }
        OciDistributionError::ServerError { code, url, message } => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            if is_transient(status) || status.is_server_error() {
                return RegistryError::Busy { host, status: code, message, retry_after: None, attempts: 1 };
            }
            RegistryError::Unexpected { url, status: code, message }
        }
        OciDistributionError::RegistryError { envelope, .. }
            if envelope.to_string().contains("DENIED") || envelope.to_string().contains("UNAUTHORIZED") =>
        {
            session.refusal(authorization, StatusCode::FORBIDDEN, &Default::default(), envelope.to_string())
        }
        OciDistributionError::RegistryError { envelope, url } => {
            RegistryError::Unexpected { url, status: 400, message: envelope.to_string() }
        }
        OciDistributionError::RequestError(error) => transport.unreachable(&host, Failure::of(&error)),
        other => RegistryError::Unexpected {
            url: format!("{}/{}", session.base(), session.repository()),
            status: 0,
            message: other.to_string(),
        },
    }
}
