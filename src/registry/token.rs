//! Bearer tokens: what the token service answers, and what a JSON Web Token says about itself.
//!
//! GitLab answers `{"token": …}` and nothing else, so the life time is read from the token's claims. They are not
//! verified: the registry does that; here they serve to renew in time and to explain a refusal.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::model::Secret;

/// A token and how long it is good.
#[derive(Debug)]
pub(super) struct Token {
    secret: Secret,
    good_until: Instant,
    /// What a JSON Web Token says; `None` for an opaque token.
    pub(super) claims: Option<Claims>,
}

/// The claims of interest (RFC 7519; `access` by Docker's token specification). Times are Unix seconds.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    pub(super) exp: Option<i64>,
    pub(super) nbf: Option<i64>,
    pub(super) iat: Option<i64>,
    pub(super) access: Option<Vec<Access>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Access {
    #[serde(default)]
    name: String,
    #[serde(default)]
    actions: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Token {
    /// Reads the token service's answer.
    pub(super) fn parse(body: &[u8]) -> Result<Self, &'static str> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| "the answer is not JSON with a token")?;
        let text = answer.token.or(answer.access_token).ok_or("the answer has no `token`")?;
        // It goes into a header, here and in `oci-client`.
        if text.is_empty() || text.len() > MAX_LENGTH || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("the token is empty, too long or not ASCII");
        }
        let claims = claims(&text);
        let lifetime = claims.as_ref().and_then(Claims::lifetime);
        let lifetime = lifetime.or(answer.expires_in.map(Duration::from_secs)).unwrap_or(DEFAULT_LIFETIME);
        let lifetime = lifetime.min(MAX_LIFETIME);
        // Renewed before the end: requests take time to arrive.
        let good_until = Instant::now() + lifetime - (lifetime / 10).min(MARGIN);
        Ok(Self { secret: Secret::new(text), good_until, claims })
    }

    /// The token itself.
    pub(super) fn expose(&self) -> &str {
        self.secret.expose()
    }

    /// Whether it is worth sending.
    pub(super) fn is_good(&self) -> bool {
        Instant::now() < self.good_until
    }

    /// What the token allows on a repository; `None` if it does not say.
    pub(super) fn actions(&self, repository: &str) -> Option<Vec<String>> {
        let access = self.claims.as_ref()?.access.as_ref()?;
        Some(access.iter().filter(|a| a.name == repository).flat_map(|a| a.actions.clone()).collect())
    }
}

impl Claims {
    /// Measured on the issuer's clock alone, so that a wrong local clock does not matter.
    fn lifetime(&self) -> Option<Duration> {
        let start = self.iat.or(self.nbf)?;
        Some(Duration::from_secs(self.exp?.checked_sub(start)?.try_into().ok()?))
    }
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}

const MAX_LENGTH: usize = 64 << 10;
/// By Docker's token specification.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
const MARGIN: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jwt(claims: &str) -> Vec<u8> {
        format!(r#"{{"token":"e30.{}.c2ln"}}"#, URL_SAFE_NO_PAD.encode(claims)).into_bytes()
    }

    #[test]
    fn reads_life_time_and_rights_from_the_token() {
        let body = jwt(
            r#"{"iat":1000,"nbf":995,"exp":1300,"access":[{"type":"repository","name":"g/p","actions":["pull"]}]}"#,
        );
        let token = Token::parse(&body).unwrap();
        let left = token.good_until - Instant::now();
        assert!(left > Duration::from_secs(280) && left < Duration::from_secs(290), "{left:?}");
        assert_eq!(token.actions("g/p"), Some(vec!["pull".to_owned()]));
        assert_eq!(token.actions("g/other"), Some(vec![]));
        assert!(token.is_good());
        assert!(!Token::parse(&jwt(r#"{"iat":1000,"exp":1000}"#)).unwrap().is_good());
    }

    #[test]
    fn knows_other_token_services() {
        let opaque = Token::parse(br#"{"access_token":"abc","expires_in":100}"#).unwrap();
        assert_eq!((opaque.expose(), opaque.actions("g/p")), ("abc", None));
        for bad in [&b"<html>"[..], b"{}", br#"{"token":""}"#, br#"{"token":"a\r\nb"}"#] {
            assert!(Token::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    proptest! {
        #[test]
        fn never_panics(claims in ".{0,60}", exp: i64, iat: i64) {
            let _ = Token::parse(&jwt(&claims));
            let _ = Token::parse(&jwt(&format!(r#"{{"exp":{exp},"iat":{iat}}}"#)));
            let _ = Token::parse(claims.as_bytes());
        }
    }
}
