//! A token service that behaves like GitLab's `/jwt/auth`.
//!
//! Wrong user or password: 401. Neither user nor scope: 403. A known user who lacks a right: 200 and a token without it.
//! The answer is `{"token": …}` and nothing else; tokens are RS256 with libtrust's key id.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use super::http::{Reply, Request, Server};
use super::keys::Keys;

/// The name that the registry expects as the tokens' issuer.
pub const ISSUER: &str = "gitlab-issuer";
/// The name of the registry.
pub const SERVICE: &str = "container_registry";

/// The running service.
pub struct TokenService {
    server: Server,
    shared: Arc<Shared>,
}

struct Shared {
    key: RsaKeyPair,
    key_id: String,
    users: Mutex<Vec<User>>,
    issued: AtomicUsize,
    lifetime: AtomicI64,
    offset: AtomicI64,
}

struct User {
    name: String,
    password: String,
    /// Repository prefixes that may be read.
    pull: Vec<String>,
    /// Repository prefixes that may be written.
    push: Vec<String>,
}

impl TokenService {
    /// Starts it, with no users.
    pub fn start(keys: &Keys) -> Self {
        let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_file(keys.path("token.key")).unwrap() else {
            panic!("openssl writes PKCS #8")
        };
        let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
        assert!(!key.public_key().as_ref().is_empty());
        let shared = Arc::new(Shared {
            key,
            key_id: key_id(&std::fs::read(keys.path("token.pub")).unwrap()),
            users: Mutex::default(),
            issued: AtomicUsize::new(0),
            lifetime: AtomicI64::new(300),
            offset: AtomicI64::new(0),
        });
        let for_server = Arc::clone(&shared);
        let server = Server::start(Some(keys.server()), move |request| for_server.answer(request));
        Self { server, shared }
    }

    /// The realm that registries name.
    pub fn realm(&self) -> String {
        format!("https://localhost:{}/jwt/auth", self.server.port)
    }

    /// Adds a user who may read and write below the given repositories.
    pub fn add_user(&self, name: &str, password: &str, pull: &[&str], push: &[&str]) {
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let (name, password) = (name.to_owned(), password.to_owned());
        self.shared.users.lock().unwrap().push(User { name, password, pull: owned(pull), push: owned(push) });
    }

    /// Tokens given out so far.
    pub fn issued(&self) -> usize {
        self.shared.issued.load(Ordering::SeqCst)
    }

    /// Sets how long tokens live, in seconds (300 at the start).
    pub fn set_lifetime(&self, seconds: i64) {
        self.shared.lifetime.store(seconds, Ordering::SeqCst);
    }

    /// Moves this service's clock.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.shared.offset.store(seconds, Ordering::SeqCst);
    }
}

impl Shared {
    fn answer(&self, request: &Request) -> Reply {
        let error = |status, code: &str, message: &str| {
            let body = json!({"errors": [{"code": code, "message": message}]}).to_string();
            Reply::new(status, "application/json", body)
        };
        let Some(query) = request.target.strip_prefix("/jwt/auth") else {
            return Reply::new(404, "text/html", "<html>not found</html>");
        };
        let scopes: Vec<String> = parameters(query).into_iter().filter(|(k, _)| k == "scope").map(|(_, v)| v).collect();
        let login = request.header("Authorization").and_then(basic);
        let users = self.users.lock().unwrap();
        let user = match &login {
            None if scopes.is_empty() => return error(403, "DENIED", "access forbidden"),
            None => None,
            Some((name, password)) => {
                let Some(user) = users.iter().find(|user| user.name == *name && user.password == *password) else {
                    return error(
                        401,
                        "UNAUTHORIZED",
                        "HTTP Basic: Access denied. The provided password or token is incorrect",
                    );
                };
                Some(user)
            }
        };
        let access: Vec<_> = scopes.iter().filter_map(|scope| granted(user, scope)).collect();
        self.token(user.map(|user| user.name.as_str()), access)
    }

    fn token(&self, subject: Option<&str>, access: Vec<serde_json::Value>) -> Reply {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        let now = now + self.offset.load(Ordering::SeqCst);
        let number = self.issued.fetch_add(1, Ordering::SeqCst);
        let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": self.key_id});
        let claims = json!({
            "access": access, "jti": format!("token-{number}"), "aud": SERVICE, "sub": subject, "iss": ISSUER,
            "iat": now, "nbf": now - 5, "exp": now + self.lifetime.load(Ordering::SeqCst), "auth_type": "build",
        });
        let signed = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        Reply::new(200, "application/json", json!({"token": token}).to_string())
    }
}

/// The part of `repository:path:action,action` that a user may have; nothing at all if no action is left.
fn granted(user: Option<&User>, scope: &str) -> Option<serde_json::Value> {
    let mut parts = scope.splitn(3, ':');
    let (kind, path, actions) = (parts.next()?, parts.next()?, parts.next()?);
    let user = user?;
    let covers = |prefixes: &[String]| {
        prefixes.iter().any(|p| path.strip_prefix(p.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/')))
    };
    let allowed: Vec<_> = actions
        .split(',')
        .filter(|action| match *action {
            "pull" => covers(&user.pull) || covers(&user.push),
            "push" => covers(&user.push),
            _ => false,
        })
        .collect();
    (!allowed.is_empty()).then(|| json!({"type": kind, "name": path, "actions": allowed}))
}

fn basic(header: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), unescape(value))).collect()
}

fn unescape(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// libtrust's name of a public key: base32 of the first 30 bytes of its SHA-256, in groups of four.
fn key_id(public_key: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, public_key);
    let (mut text, mut bits, mut held) = (String::new(), 0_u32, 0);
    for byte in &hash.as_ref()[..30] {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(bits >> held) as usize & 31]));
        }
    }
    text.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(":")
}
