//! Package URLs, written canonically (purl-spec: percent-encoding, sorted qualifiers, per-type name rules).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A package URL such as `pkg:deb/debian/openssl@3.0.15-1?arch=amd64&distro=debian-12`.
///
/// Only ever made by [`Purl::new`], so it is canonical as long as the caller gives the namespace and name in the
/// type's own normal form (which [`super::PackageKind`] does).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Purl(String);

impl Purl {
    /// Writes a purl. `namespace` may hold several components separated by `/`; empty strings leave a part out;
    /// qualifiers with empty values are left out and the others sorted by key.
    #[must_use]
    pub fn new(kind: &str, namespace: &str, name: &str, version: &str, qualifiers: &[(&str, &str)]) -> Self {
        let mut text = format!("pkg:{kind}/");
        for part in namespace.split('/').filter(|part| !part.is_empty()) {
            encode(part, &mut text);
            text.push('/');
        }
        encode(name, &mut text);
        if !version.is_empty() {
            text.push('@');
            encode(version, &mut text);
        }
        let mut sorted: Vec<_> = qualifiers.iter().filter(|(_, value)| !value.is_empty()).collect();
        sorted.sort_unstable();
        for (index, (key, value)) in sorted.into_iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(key);
            text.push('=');
            encode(value, &mut text);
        }
        Self(text)
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Percent-encodes all but the characters that purl leaves alone (RFC 3986 unreserved, and `:`).
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_canonical_purls() {
        assert_eq!(
            Purl::new(
                "deb",
                "debian",
                "libc++1",
                "1:1.2~x+y",
                &[("distro", "debian-12"), ("arch", "amd64"), ("upstream", "")]
            )
            .as_str(),
            "pkg:deb/debian/libc%2B%2B1@1:1.2~x%2By?arch=amd64&distro=debian-12"
        );
        assert_eq!(Purl::new("npm", "@babel", "core", "7.0.0", &[]).as_str(), "pkg:npm/%40babel/core@7.0.0");
        assert_eq!(
            Purl::new("golang", "golang.org/x", "net", "v0.1.0", &[]).as_str(),
            "pkg:golang/golang.org/x/net@v0.1.0"
        );
    }
}
