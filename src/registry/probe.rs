//! Looks around when something was not found: a registry on another port, a tag of a similar name.
//!
//! Sends no credentials to hosts that the user did not name, and takes at most a few seconds.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use reqwest::header::HeaderName;

use super::challenge::{self, Challenge};
use super::error::RegistryError;
use super::session::Session;
use super::transport::Transport;
use crate::model::ImageReference;
use crate::net::FailureKind;

/// A registry at one of the places where GitLab puts it, for a host on which there is none.
pub(super) async fn elsewhere(transport: &Transport, host: &str, kind: FailureKind) -> Option<String> {
    use FailureKind::{HostUnknown, Refused, Timeout};
    if !matches!(kind, HostUnknown | Refused | Timeout) {
        return None;
    }
    find_registry(transport, host).await
}

/// The error for a host that answers, but not as a registry.
pub(super) async fn not_a_registry(transport: &Transport, session: &Session, evidence: String) -> RegistryError {
    let elsewhere = find_registry(transport, session.host()).await;
    RegistryError::NotARegistry { host: session.host().to_owned(), evidence, elsewhere }
}

/// The error for a manifest that does not exist: says whether the repository does, and which tags come near.
pub(super) async fn missing(
    transport: &Transport,
    session: &Session,
    image: &ImageReference,
    message: String,
) -> RegistryError {
    let unknown_name = message.contains("NAME_UNKNOWN");
    let tags = if unknown_name { Ok(Vec::new()) } else { transport.tags(image).await };
    let repository_exists = match &tags {
        _ if unknown_name => Some(false),
        Ok(tags) => Some(!tags.is_empty()),
        Err(RegistryError::NotFound { .. }) => Some(false),
        Err(_) => None,
    };
    let wanted = if image.digest.is_some() { None } else { image.tag.as_deref() };
    let similar = wanted.map(|wanted| nearest(wanted, tags.unwrap_or_default())).unwrap_or_default();
    let separator = if image.digest.is_some() { '@' } else { ':' };
    let subject = format!("{}/{}{separator}{}", session.host(), session.repository(), image.selector());
    RegistryError::NotFound { subject, message, repository_exists, similar }
}

async fn find_registry(transport: &Transport, host: &str) -> Option<String> {
    let candidates = candidates(host, transport.settings.known_registry.as_deref());
    let answers = join_all(candidates.iter().map(|candidate| is_registry(transport, candidate))).await;
    candidates.into_iter().zip(answers).find_map(|(candidate, found)| found.then_some(candidate))
}

fn candidates(host: &str, known: Option<&str>) -> Vec<String> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let mut all: Vec<String> = known.map(str::to_owned).into_iter().collect();
    if name.contains('.') && name.parse::<IpAddr>().is_err() {
        all.push(format!("registry.{name}"));
    }
    all.extend([format!("{name}:5050"), format!("{name}:5005"), name.to_owned()]);
    let mut unique = Vec::new();
    for candidate in all {
        if candidate != host && !unique.contains(&candidate) {
            unique.push(candidate);
        }
    }
    unique
}

async fn is_registry(transport: &Transport, host: &str) -> bool {
    let scheme = if transport.settings.is_plain_http(host) { "http" } else { "https" };
    let request = transport.http.get(format!("{scheme}://{host}/v2/")).timeout(PATIENCE);
    let Ok(response) = request.send().await else { return false };
    if !matches!(response.status(), StatusCode::OK | StatusCode::UNAUTHORIZED) {
        return false;
    }
    let version = HeaderName::from_static("docker-distribution-api-version");
    let service = match challenge::parse(response.headers()) {
        Some(Challenge::Bearer { service, .. }) => service,
        _ => None,
    };
    response.headers().contains_key(version) || service.as_deref() == Some("container_registry")
}

/// The tags that come nearest to the wanted one: those that contain it or its beginning first, then by edit distance.
fn nearest(wanted: &str, tags: Vec<String>) -> Vec<String> {
    let beginning = wanted.get(..8).unwrap_or(wanted);
    let mut ranked: Vec<_> = tags
        .into_iter()
        .take(MAX_TAGS)
        .filter(|tag| tag.len() <= 128)
        .map(|tag| (!tag.contains(beginning), distance(wanted.as_bytes(), tag.as_bytes()), tag))
        .collect();
    ranked.sort();
    ranked.into_iter().take(SHOWN).map(|(_, _, tag)| tag).collect()
}

/// Levenshtein distance.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != y)).min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

const PATIENCE: Duration = Duration::from_secs(3);
const MAX_TAGS: usize = 2000;
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_tags_of_similar_names() {
        let tags = ["latest", "v1.2.3", "v1.2.4", "main-0123456789abcdef", "v2", "x", "y"];
        let tags = || tags.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert_eq!(nearest("v1.2.5", tags()).get(..2), Some(&["v1.2.3".to_owned(), "v1.2.4".to_owned()][..]));
        assert_eq!(nearest("0123456789abcdef", tags()).first().map(String::as_str), Some("main-0123456789abcdef"));
        assert_eq!(nearest("a", tags()).len(), SHOWN);
    }

    #[test]
    fn measures_edit_distance() {
        for (a, b, expected) in [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("a", "a", 0)] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    #[test]
    fn looks_where_gitlab_puts_registries() {
        assert_eq!(
            candidates("git.example.com", Some("reg.example.com")),
            ["reg.example.com", "registry.git.example.com", "git.example.com:5050", "git.example.com:5005"]
        );
        assert_eq!(candidates("localhost:5050", None), ["localhost:5005", "localhost"]);
        assert_eq!(candidates("10.0.0.1", None), ["10.0.0.1:5050", "10.0.0.1:5005"]);
    }
}
