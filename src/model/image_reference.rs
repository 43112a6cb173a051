//! Image references: `registry/repository[:tag][@digest]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Digest;

/// Where an image is, as people write it. Docker's short names are expanded (`alpine` is
/// `docker.io/library/alpine:latest`), following the distribution specification's grammar.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageReference {
    /// Registry host with an optional port, lower case.
    pub registry: String,
    /// Repository path below the registry.
    pub repository: String,
    /// The tag; absent only where a digest is given.
    pub tag: Option<String>,
    /// The digest that pins the manifest.
    pub digest: Option<Digest>,
}

/// The text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image reference: {reason}")]
pub struct InvalidReference {
    /// What was given.
    pub text: String,
    /// Which part is wrong.
    pub reason: &'static str,
}

impl ImageReference {
    /// `registry/repository`, the name without tag and digest.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// What to ask the registry for: the digest where there is one, else the tag.
    #[must_use]
    pub fn selector(&self) -> &str {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        }
    }

    /// The same repository at another digest.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }
}

impl FromStr for ImageReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let invalid = |reason| InvalidReference { text: text.to_owned(), reason };
        let trimmed = text.trim().trim_end_matches('/');
        let trimmed =
            ["docker://", "https://", "http://"].iter().find_map(|s| trimmed.strip_prefix(s)).unwrap_or(trimmed);
        let (rest, digest) = match trimmed.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| invalid("what follows `@` is not a sha256 digest"))?))
            }
            None => (trimmed, None),
        };
        let (rest, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let (registry, repository) = match rest.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
                (host.to_ascii_lowercase(), path.to_owned())
            }
            Some(_) => ("docker.io".into(), rest.to_owned()),
            None => ("docker.io".into(), format!("library/{rest}")),
        };
        if repository.is_empty() || repository.ends_with("library/") {
            return Err(invalid("there is no repository name"));
        }
        if !is_host(&registry) {
            return Err(invalid("the registry is not a host name with an optional port"));
        }
        if repository.len() > 255 || !repository.split('/').all(is_path_component) {
            return Err(invalid("the repository may hold lower-case letters, digits and single separators . _ - only"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid("the tag may hold up to 128 letters, digits and _ . - only"));
        }
        let tag = match (tag, &digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.map(Into::into),
        };
        Ok(Self { registry, repository, tag, digest })
    }
}

fn is_host(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'[' | b']' | b':'))
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_path_component(part: &str) -> bool {
    let alphanumeric = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = part.as_bytes();
    alphanumeric(bytes.first().copied())
        && alphanumeric(bytes.last().copied())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= 128
        && tag.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

impl TryFrom<String> for ImageReference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, InvalidReference> {
        text.parse()
    }
}

impl From<ImageReference> for String {
    fn from(reference: ImageReference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_people_write() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (text, expected) in [
            ("alpine", "docker.io/library/alpine:latest".to_owned()),
            ("alpine:3.20", "docker.io/library/alpine:3.20".to_owned()),
            ("grafana/grafana", "docker.io/grafana/grafana:latest".to_owned()),
            ("localhost:5300/g/p:1", "localhost:5300/g/p:1".to_owned()),
            ("reg.io:5000/g/p", "reg.io:5000/g/p:latest".to_owned()),
            ("docker://reg.io/g/p:a", "reg.io/g/p:a".to_owned()),
            ("https://reg.io/g/p/", "reg.io/g/p:latest".to_owned()),
            (&format!("reg.io/g/p@{digest}"), format!("reg.io/g/p@{digest}")),
            (&format!("reg.io/g/p:1@{digest}"), format!("reg.io/g/p:1@{digest}")),
            ("Reg.IO/g/p__x-y.z", "reg.io/g/p__x-y.z:latest".to_owned()),
        ] {
            assert_eq!(text.parse::<ImageReference>().map(|r| r.to_string()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_reference() {
        for text in [
            "",
            "/",
            "reg.io/G/p",
            "reg.io/g/p:",
            "reg.io/g/p:a b",
            "reg.io/g//p",
            "reg.io/../p",
            "reg.io/g/p@sha256:12",
            "reg.io:99999/g/p",
        ] {
            assert!(text.parse::<ImageReference>().is_err(), "{text} was accepted");
        }
    }
}
