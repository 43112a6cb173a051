//! Who we are for one repository: the registry's challenge and the token that answers it.
//!
//! `GET /v2/` tells how the registry wants to be asked. For a Bearer challenge the token service gets user and password
//! (Basic) and returns a token for `repository:<path>:pull`. GitLab leaves out what it does not grant instead of refusing,
//! so a refusal comes later, from the registry; the token's claims then tell why.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use tokio::sync::Mutex;

use super::challenge::{self, Challenge};
use super::error::{Denial, RegistryError};
use super::probe;
use super::token::{Claims, Token};
use super::transport::{BodyError, Transport, header, message_of, read_bounded};
use crate::model::ImageReference;
use crate::net::retry::http_date;
use crate::net::{Credential, Failure, FailureKind, Login};

/// The state of one repository.
#[derive(Debug)]
pub(super) struct Session {
    host: String,
    repository: String,
    plain_http: bool,
    credential: Credential,
    access: Access,
    /// Another repository of the same registry that is to be read with the same token: blobs are mounted from it.
    also: Option<String>,
    state: Mutex<State>,
}

/// What a session may do: a token is asked for with the rights that it needs and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Pull,
    Push,
}

impl Access {
    /// The actions of a token's scope.
    fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Pull => &["pull"],
            Self::Push => &["pull", "push"],
        }
    }
}

#[derive(Debug, Default)]
struct State {
    scheme: Option<Scheme>,
    token: Option<Arc<Token>>,
}

#[derive(Debug, Clone)]
enum Scheme {
    Open,
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

/// What a request carries.
#[derive(Debug, Clone)]
pub(super) enum Authorization {
    None,
    Basic(Login),
    Bearer(Arc<Token>),
}

impl Authorization {
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::None => request,
            Self::Basic(login) => request.basic_auth(&login.user, Some(login.password.expose())),
            Self::Bearer(token) => request.bearer_auth(token.expose()),
        }
    }
}

impl Session {
    pub(super) fn new(image: &ImageReference, credential: Credential, plain_http: bool, access: Access) -> Self {
        // Docker Hub's API is not where its name says.
        let host = if image.registry == "docker.io" { "registry-1.docker.io" } else { &image.registry };
        Self {
            host: host.to_owned(),
            repository: image.repository.clone(),
            plain_http,
            credential,
            access,
            also: None,
            state: Mutex::default(),
        }
    }

    /// The same, with a token that may read another repository too.
    pub(super) fn reading(self, repository: &str) -> Self {
        Self { also: Some(repository.to_owned()), ..self }
    }

    /// The host that is really asked.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// `https://host/v2`.
    pub(super) fn base(&self) -> String {
        format!("{}://{}/v2", if self.plain_http { "http" } else { "https" }, self.host)
    }

    /// The token service that the registry named; `None` where it has none, or was not asked yet.
    pub(super) async fn realm(&self) -> Option<Url> {
        match &self.state.lock().await.scheme {
            Some(Scheme::Bearer { realm, .. }) => Some(realm.clone()),
            _ => None,
        }
    }

    /// What the next request is to carry. The lock is held while a token is fetched, so many layers make one request.
    pub(super) async fn authorization(&self, transport: &Transport) -> Result<Authorization, RegistryError> {
        let mut state = self.state.lock().await;
        let scheme = match &state.scheme {
            Some(scheme) => scheme.clone(),
            None => state.scheme.insert(self.ask_scheme(transport).await?).clone(),
        };
        match (scheme, &self.credential.login) {
            (Scheme::Open, _) | (Scheme::Basic, None) => Ok(Authorization::None),
            (Scheme::Basic, Some(login)) => Ok(Authorization::Basic(login.clone())),
            (Scheme::Bearer { realm, service }, _) => {
                if let Some(token) = state.token.as_ref().filter(|token| token.is_good()) {
                    return Ok(Authorization::Bearer(Arc::clone(token)));
                }
                let token = Arc::new(self.fetch_token(transport, &realm, service.as_deref()).await?);
                state.token = Some(Arc::clone(&token));
                Ok(Authorization::Bearer(token))
            }
        }
    }

    /// The same after the registry refused `rejected`. If another layer has renewed it already, that token is taken.
    pub(super) async fn renew(
        &self,
        transport: &Transport,
        rejected: &Authorization,
    ) -> Result<Authorization, RegistryError> {
        if let Authorization::Bearer(rejected) = rejected {
            let mut state = self.state.lock().await;
            if state.token.as_ref().is_some_and(|token| Arc::ptr_eq(token, rejected)) {
                state.token = None;
            }
        }
        self.authorization(transport).await
    }

    /// Whether the token itself says that it does not allow what is wanted, so that a new one would not either.
    pub(super) fn lacks_rights(&self, authorization: &Authorization) -> bool {
        let Authorization::Bearer(token) = authorization else { return false };
        token.actions(&self.repository).is_some_and(|actions| {
            !self.access.actions().iter().all(|wanted| actions.iter().any(|a| a == wanted || a == "*"))
        })
    }

    /// Why the registry answered 401 or 403 to a request that carried `authorization`.
    pub(super) fn refusal(
        &self,
        authorization: &Authorization,
        status: StatusCode,
        headers: &HeaderMap,
        message: String,
    ) -> RegistryError {
        if let (Authorization::Basic(login), StatusCode::UNAUTHORIZED) = (authorization, status) {
            return self.wrong_credentials(login, &self.host, status, message);
        }
        let granted = match authorization {
            Authorization::Bearer(token) => token.actions(&self.repository),
            _ => None,
        };
        let invalid =
            matches!(challenge::parse(headers), Some(Challenge::Bearer { error: Some(e), .. }) if e == "invalid_token");
        if let Authorization::Bearer(token) = authorization
            && !self.lacks_rights(authorization)
            && (invalid || granted.is_some())
            && status == StatusCode::UNAUTHORIZED
        {
            let skew = token.claims.as_ref().and_then(|claims| skew(claims, headers));
            return RegistryError::TokenRejected { host: self.host.clone(), message, skew };
        }
        RegistryError::Denied(Box::new(Denial {
            repository: format!("{}/{}", self.host, self.repository),
            identity: self.credential.to_string(),
            kind: self.credential.login.as_ref().map(Login::kind),
            own_project: self.credential.own_project,
            push: self.access == Access::Push,
            granted,
            message,
        }))
    }

    async fn ask_scheme(&self, transport: &Transport) -> Result<Scheme, RegistryError> {
        let url = format!("{}/", self.base());
        let attempts = transport.settings.attempts.min(FIRST_CONTACT_ATTEMPTS);
        let response = match transport.send(transport.http.get(&url), &self.host, attempts).await {
            Err(RegistryError::Unreachable { host, failure, proxy, .. }) => {
                let elsewhere = probe::elsewhere(transport, &self.host, failure.kind).await;
                return Err(RegistryError::Unreachable { host, failure, proxy, elsewhere });
            }
            other => other?,
        };
        let status = response.status();
        let is_registry = response.headers().contains_key(API_VERSION);
        match challenge::parse(response.headers()) {
            Some(Challenge::Bearer { realm, service, .. }) if status == StatusCode::UNAUTHORIZED => {
                Ok(Scheme::Bearer { realm: self.trusted_realm(&realm)?, service })
            }
            Some(Challenge::Basic) if status == StatusCode::UNAUTHORIZED => Ok(Scheme::Basic),
            _ if status.is_success() && (is_registry || !is_web_page(&response)) => Ok(Scheme::Open),
            _ if is_registry || matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Err(RegistryError::NoChallenge { host: self.host.clone(), evidence: evidence(&response) })
            }
            _ => {
                let is_gitlab = response.headers().contains_key("x-gitlab-meta");
                let evidence = evidence(&response);
                let is_page = status.is_success() && is_web_page(&response);
                let message = message_of(response).await;
                // Whose page it is, nobody knows: it may be a registry's own proxy that shows it.
                if is_page && !is_gitlab && !message.to_ascii_lowercase().contains("gitlab") {
                    return Err(RegistryError::NoChallenge { host: self.host.clone(), evidence });
                }
                if message.contains("HTTP request to an HTTPS server") || message.contains("plain HTTP request") {
                    let failure = Failure { kind: FailureKind::NotPlain, detail: message };
                    return Err(transport.unreachable(&self.host, failure));
                }
                Err(probe::not_a_registry(transport, self, evidence).await)
            }
        }
    }

    /// A realm gets user and password, so it must be `https`. Plain HTTP is accepted from a registry that is declared
    /// to be plain HTTP, and on this machine if the registry is on it too.
    fn trusted_realm(&self, realm: &str) -> Result<Url, RegistryError> {
        let refuse =
            |reason| RegistryError::UntrustedRealm { host: self.host.clone(), realm: realm.to_owned(), reason };
        let url = Url::parse(realm).map_err(|_| refuse("it is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it contains credentials"));
        }
        let own_host = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host);
        let local = is_loopback(own_host) && url.host_str().is_some_and(is_loopback);
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.plain_http || local => Ok(url),
            "http" => Err(refuse("it is plain HTTP")),
            _ => Err(refuse("it is neither HTTPS nor HTTP")),
        }
    }

    async fn fetch_token(
        &self,
        transport: &Transport,
        realm: &Url,
        service: Option<&str>,
    ) -> Result<Token, RegistryError> {
        let scope = format!("repository:{}:{}", self.repository, self.access.actions().join(","));
        let mut url = realm.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", &scope);
            if let Some(repository) = &self.also {
                query.append_pair("scope", &format!("repository:{repository}:pull"));
            }
        }
        let mut request = transport.http.get(url);
        if let Some(login) = &self.credential.login {
            request = request.basic_auth(&login.user, Some(login.password.expose()));
        }
        let name = realm.host_str().unwrap_or_default();
        let unreachable = |failure| RegistryError::TokenServiceUnreachable {
            realm: realm.to_string(),
            failure,
            proxy: transport.proxy_for(name, realm.scheme() == "http"),
        };
        let response = match transport.send(request, name, transport.settings.attempts).await {
            Err(RegistryError::Unreachable { failure, .. }) => return Err(unreachable(failure)),
            other => other?,
        };
        let status = response.status();
        // After a redirect to another server the credentials are gone, and what it answers is for somebody else.
        if response.url().origin() != realm.origin() {
            let message = format!("it redirects to `{}`", response.url().origin().ascii_serialization());
            return Err(RegistryError::TokenServiceFailed { realm: realm.to_string(), status: 302, message });
        }
        if !status.is_success() {
            let message = message_of(response).await;
            return Err(self.token_refusal(realm, status, message));
        }
        let failed = |message: &str| RegistryError::TokenServiceFailed {
            realm: realm.to_string(),
            status: status.as_u16(),
            message: message.to_owned(),
        };
        let body = read_bounded(response, MAX_ANSWER).await.map_err(|error| match error {
            BodyError::TooLarge => failed("the answer is larger than 1 MiB"),
            BodyError::Failed(failure) => unreachable(failure),
        })?;
        tracing::debug!(%realm, scope, "got a token for {}", self.credential);
        Token::parse(&body).map_err(failed)
    }

    fn token_refusal(&self, realm: &Url, status: StatusCode, message: String) -> RegistryError {
        match (status, &self.credential.login) {
            (StatusCode::NOT_FOUND, _) if message.contains("UNAVAILABLE") || message.contains("not enabled") => {
                RegistryError::RegistryDisabled { message }
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(login)) => {
                self.wrong_credentials(login, realm.as_str(), status, message)
            }
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => {
                self.refusal(&Authorization::None, status, &HeaderMap::new(), message)
            }
            _ => RegistryError::TokenServiceFailed { realm: realm.to_string(), status: status.as_u16(), message },
        }
    }

    fn wrong_credentials(&self, login: &Login, by: &str, status: StatusCode, message: String) -> RegistryError {
        RegistryError::WrongCredentials {
            by: by.to_owned(),
            identity: self.credential.to_string(),
            user: login.user.clone(),
            kind: login.kind(),
            status: status.as_u16(),
            message,
        }
    }
}

/// Seconds by which the registry's clock is outside the token's validity.
fn skew(claims: &Claims, headers: &HeaderMap) -> Option<i64> {
    let now = http_date(&header(headers, &DATE))?.as_second();
    let start = claims.nbf.or(claims.iat);
    let early = start.map(|start| now.saturating_sub(start)).filter(|ahead| *ahead < 0);
    let late = claims.exp.map(|end| now.saturating_sub(end)).filter(|ahead| *ahead > 0);
    early.or(late)
}

fn is_web_page(response: &Response) -> bool {
    header(response.headers(), &CONTENT_TYPE).starts_with("text/html")
}

/// What a web site answered where a registry was expected.
fn evidence(response: &Response) -> String {
    let mut text = format!("`GET /v2/` answers {}", response.status());
    let target = header(response.headers(), &LOCATION);
    if response.status().is_redirection()
        && let Ok(target) = response.url().join(&target)
    {
        // Its query may hold what is nobody's business.
        let host = Some(target.host_str().unwrap_or_default()).filter(|host| Some(*host) != response.url().host_str());
        text.push_str(&format!(", a redirect to `{}{}`", host.unwrap_or_default(), target.path()));
        if target.path().contains("sign_in") || target.path().contains("login") {
            text.push_str(", where people sign in");
        }
    } else if is_web_page(response) {
        text.push_str(" with a web page");
    }
    if response.headers().contains_key("x-gitlab-meta") {
        text.push_str("; it is GitLab's web interface");
    }
    text
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const MAX_ANSWER: u64 = 1 << 20;
/// A host that does not answer is more likely wrong than busy.
const FIRST_CONTACT_ATTEMPTS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn session(image: &str, plain_http: bool) -> Session {
        let credential = Credential { login: None, origin: String::new(), own_project: None };
        Session::new(&image.parse().unwrap(), credential, plain_http, Access::Pull)
    }

    #[test]
    fn a_realm_must_be_safe() {
        for (image, plain_http, realm, trusted) in [
            ("reg.io/a", false, "https://gitlab.io/jwt/auth", true),
            ("reg.io/a", false, "http://gitlab.io/jwt/auth", false),
            ("reg.io/a", true, "http://gitlab.io/jwt/auth", true),
            ("reg.io/a", false, "http://localhost/jwt/auth", false),
            ("localhost:5000/a", false, "http://127.0.0.1:80/jwt/auth", true),
            ("localhost:5000/a", false, "http://gitlab.io/jwt/auth", false),
            ("reg.io/a", true, "ftp://gitlab.io/", false),
            ("reg.io/a", false, "https://u:p@gitlab.io/", false),
            ("reg.io/a", false, "/jwt/auth", false),
        ] {
            let result = session(image, plain_http).trusted_realm(realm);
            assert_eq!(result.is_ok(), trusted, "{image} {plain_http} {realm}");
        }
    }

    #[test]
    fn docker_hub_is_asked_where_its_api_is() {
        assert_eq!(session("alpine", false).base(), "https://registry-1.docker.io/v2");
        assert_eq!(session("localhost:5000/a", true).base(), "http://localhost:5000/v2");
    }

    #[test]
    fn skew_is_told_from_date_and_claims() {
        let claims = |nbf, exp| Claims { nbf: Some(nbf), exp: Some(exp), ..Claims::default() };
        let headers = HeaderMap::from_iter([(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap())]);
        let now = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().as_second();
        assert_eq!(skew(&claims(now - 5, now + 300), &headers), None);
        assert_eq!(skew(&claims(now + 60, now + 300), &headers), Some(-60));
        assert_eq!(skew(&claims(now - 400, now - 100), &headers), Some(100));
        assert_eq!(skew(&claims(now + 60, now + 300), &HeaderMap::new()), None);
    }
}
