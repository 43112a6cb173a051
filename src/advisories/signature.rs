//! Who vouches for a database: an Ed25519 signature (RFC 8032) of the bytes of `catalogue.json`, which names every file
//! by digest. Keys are PEM as `openssl genpkey -algorithm ed25519` writes them; `openssl pkeyutl -verify -rawin` agrees.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

/// The keys of which any may have signed: more than one while keys are exchanged.
#[derive(Debug, Clone)]
pub struct PublicKeys(Vec<[u8; 32]>);

/// The key that signs.
pub struct SigningKey(Ed25519KeyPair);

/// A key or signature is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text holds no usable key.
    #[error("this is no Ed25519 key in PEM form: {0}")]
    Key(String),
    /// A key is configured, and there is no signature.
    #[error("it is not signed, and a key is given")]
    Missing,
    /// None of the keys has made the signature.
    #[error("its signature was made by another key, or its content was changed")]
    Wrong,
}

/// What is known of a database's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Signed by one of the keys given.
    Verified,
    /// Signed, but no key is given to verify it with.
    Unverified,
    /// Not signed.
    Unsigned,
}

impl PublicKeys {
    /// All public keys of a PEM text.
    ///
    /// # Errors
    /// There is none, or one of them is of another kind.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignatureError> {
        let refuse = |reason: &str| SignatureError::Key(reason.to_owned());
        let mut keys = Vec::new();
        for der in SubjectPublicKeyInfoDer::pem_slice_iter(pem) {
            let der = der.map_err(|error| SignatureError::Key(error.to_string()))?;
            let key = der.as_ref().strip_prefix(&SPKI_PREFIX).and_then(|key| key.try_into().ok());
            keys.push(key.ok_or_else(|| refuse("the public key is of another algorithm"))?);
        }
        if keys.is_empty() { Err(refuse("there is no `PUBLIC KEY` block in it")) } else { Ok(Self(keys)) }
    }

    /// Checks a signature over `content`.
    ///
    /// # Errors
    /// There is none, or none of the keys has made it.
    pub fn verify(&self, content: &[u8], signature: Option<&[u8]>) -> Result<(), SignatureError> {
        let signature = signature.ok_or(SignatureError::Missing)?;
        let made = |key: &[u8; 32]| UnparsedPublicKey::new(&ED25519, key).verify(content, signature).is_ok();
        if self.0.iter().any(made) { Ok(()) } else { Err(SignatureError::Wrong) }
    }
}

/// Checks a signature where there are keys, and says what is known of it otherwise.
///
/// # Errors
/// See [`PublicKeys::verify`].
pub(super) fn judge(
    keys: Option<&PublicKeys>,
    content: &[u8],
    signature: Option<&[u8]>,
) -> Result<Trust, SignatureError> {
    match keys {
        Some(keys) => keys.verify(content, signature).map(|()| Trust::Verified),
        None if signature.is_some() => Ok(Trust::Unverified),
        None => Ok(Trust::Unsigned),
    }
}

impl SigningKey {
    /// The private key of a PEM text (PKCS #8).
    ///
    /// # Errors
    /// There is none, or it is of another kind.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignatureError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|error| SignatureError::Key(error.to_string()))?;
        let pair = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der());
        pair.map(Self).map_err(|error| SignatureError::Key(error.to_string()))
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        PublicKeys(self.0.public_key().as_ref().try_into().into_iter().collect())
    }

    /// The 64 bytes of the signature.
    #[must_use]
    pub fn sign(&self, content: &[u8]) -> Vec<u8> {
        self.0.sign(content).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// `SubjectPublicKeyInfo` of an Ed25519 key up to its 32 bytes (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8410, 10.3 and 10.1: a private key and its public key.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";
    // An elliptic curve key (P-256).
    const OTHER: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEoBUyo8CQAFPeYPvv78ylh5MwFZjT
CLQeb042TjiMJxG+9DLFmRSMlBQ9T/RsLLc+PmpB1+7yPAR+oR5gZn3kJQ==
-----END PUBLIC KEY-----
";

    #[test]
    fn what_one_key_signs_the_other_verifies() {
        let signature = SigningKey::from_pem(PRIVATE.as_bytes()).unwrap().sign(b"catalogue");
        let keys = PublicKeys::from_pem(PUBLIC.as_bytes()).unwrap();
        assert_eq!(keys.verify(b"catalogue", Some(&signature)), Ok(()));
        assert_eq!(keys.verify(b"catalogue", None), Err(SignatureError::Missing));
        for (content, signature) in [
            (&b"other"[..], signature.clone()),
            (b"catalogue", vec![]),
            (b"catalogue", vec![0; 64]),
            (b"catalogue", signature.iter().map(|byte| byte ^ 1).collect()),
        ] {
            assert_eq!(keys.verify(content, Some(&signature)), Err(SignatureError::Wrong), "{content:?}");
        }
        // Any of several keys.
        let two = PublicKeys::from_pem((PUBLIC.to_owned() + PUBLIC).as_bytes()).unwrap();
        assert_eq!(two.verify(b"catalogue", Some(&signature)), Ok(()));
        assert_eq!(judge(Some(&keys), b"catalogue", Some(&signature)), Ok(Trust::Verified));
        assert_eq!(judge(None, b"x", Some(&signature)), Ok(Trust::Unverified));
        assert_eq!(judge(None, b"x", None), Ok(Trust::Unsigned));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "nonsense", OTHER, PRIVATE, "-----BEGIN PUBLIC KEY-----\n§\n-----END PUBLIC KEY-----\n"] {
            assert!(PublicKeys::from_pem(text.as_bytes()).is_err(), "{text}");
        }
        for text in ["", "nonsense", PUBLIC] {
            let error = SigningKey::from_pem(text.as_bytes()).unwrap_err();
            assert!(!error.to_string().contains("MC4C"), "{error}");
        }
    }
}
