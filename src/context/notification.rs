//! What a registry says happened to it: the notification envelope of Docker distribution, as it arrives in a triggered
//! pipeline (`TRIGGER_PAYLOAD`).
//!
//! Format: distribution.github.io/distribution/about/notifications. Whoever can reach the webhook can write it, so it is
//! bounded, and images of any other registry than the project's own are refused: it chooses what is scanned, never whom
//! credentials go to.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::canonical_host;
use crate::model::ImageReference;

/// The images that an envelope says were pushed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushedImages {
    /// Each once, in the order of the events.
    pub images: Vec<ImageReference>,
    /// What is not followed, and why, for the log.
    pub notices: Vec<String>,
}

/// The text is no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// It is larger than the limit.
    #[error("it is larger than {} KiB", MAX_BYTES >> 10)]
    TooLarge,
    /// It is not JSON of that form.
    #[error("it is no notification of a registry: {0}")]
    Malformed(String),
}

/// Larger texts are not read.
pub const MAX_BYTES: usize = 1 << 20;

/// Reads an envelope for the registry at `registry` (`CI_REGISTRY`). Only pushes of images count; with `within`
/// (`CI_REGISTRY_IMAGE`) only those of that path.
///
/// # Errors
/// The text is too large, or no envelope.
pub fn pushed_images(text: &str, registry: &str, within: Option<&str>) -> Result<PushedImages, NotificationError> {
    if text.len() > MAX_BYTES {
        return Err(NotificationError::TooLarge);
    }
    let envelope: Envelope =
        serde_json::from_slice(text.as_bytes()).map_err(|error| NotificationError::Malformed(error.to_string()))?;
    let registry = canonical_host(registry);
    let mut pushed = PushedImages::default();
    let mut seen = BTreeSet::new();
    let total = envelope.events.len();
    for event in envelope.events.into_iter().take(MAX_EVENTS) {
        if event.action != "push" {
            continue;
        }
        let Target { repository, tag, digest, media_type, url } = event.target;
        // Layers are pushed too; only a manifest has a tag or a manifest's media type.
        let is_manifest = ["manifest", "index"].iter().any(|part| media_type.contains(part));
        if tag.is_empty() && !is_manifest {
            continue;
        }
        let host = event.request.host;
        let of_url = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
        if let Some(foreign) =
            [host.as_str(), of_url].into_iter().find(|host| !host.is_empty() && canonical_host(host) != registry)
        {
            pushed.notices.push(format!("a push to `{}` is not followed: the registry is {registry}", short(foreign)));
            continue;
        }
        let selector = match (tag.is_empty(), digest.is_empty()) {
            (false, true) => format!(":{tag}"),
            // The digest is what was pushed; the tag may have moved on.
            (false, false) => format!(":{tag}@{digest}"),
            (true, _) => format!("@{digest}"),
        };
        let name = format!("{registry}/{repository}{selector}");
        match name.parse::<ImageReference>() {
            Ok(image) if image.registry != registry || image.repository != repository => {
                pushed.notices.push(format!("`{}` is no image of {registry}", short(&name)));
            }
            Ok(image) if !within.is_none_or(|within| is_within(&image, within)) => {
                pushed.notices.push(format!("`{}` is not of this project and not scanned here", short(&name)));
            }
            Ok(image) => {
                if seen.insert(name) {
                    pushed.images.push(image);
                }
            }
            Err(error) => pushed.notices.push(short(&error.to_string())),
        }
    }
    if total > MAX_EVENTS {
        pushed.notices.push(format!("{} more events are not read", total - MAX_EVENTS));
    }
    if pushed.images.len() > MAX_IMAGES {
        pushed.notices.push(format!("{} more images are not scanned", pushed.images.len() - MAX_IMAGES));
        pushed.images.truncate(MAX_IMAGES);
    }
    pushed.notices.truncate(MAX_NOTICES);
    Ok(pushed)
}

fn is_within(image: &ImageReference, within: &str) -> bool {
    let (name, within) = (image.name(), within.to_ascii_lowercase());
    name.strip_prefix(within.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn short(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect()
}

#[derive(Deserialize)]
struct Envelope {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    action: String,
    #[serde(default)]
    target: Target,
    #[serde(default)]
    request: Asked,
}

#[derive(Default, Deserialize)]
struct Target {
    #[serde(default)]
    repository: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    digest: String,
    #[serde(default, rename = "mediaType")]
    media_type: String,
    #[serde(default)]
    url: String,
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    host: String,
}

const MAX_EVENTS: usize = 1000;
const MAX_IMAGES: usize = 50;
const MAX_NOTICES: usize = 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

    fn event(target: Value) -> Value {
        json!({"id": "1", "action": "push", "target": target, "request": {"host": "reg.example.com", "method": "PUT"}})
    }

    fn read(events: &[Value]) -> PushedImages {
        pushed_images(&json!({"events": events}).to_string(), "reg.example.com", Some("reg.example.com/g/p")).unwrap()
    }

    fn names(events: &[Value]) -> Vec<String> {
        read(events).images.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pushes_of_images_are_scanned() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let manifest = json!({"mediaType": MANIFEST, "repository": "g/p/app", "tag": "1", "digest": digest,
            "url": "https://reg.example.com/v2/g/p/app/manifests/sha256:x"});
        let untagged = json!({"mediaType": MANIFEST, "repository": "g/p", "digest": digest});
        let layer = json!({"mediaType": "application/octet-stream", "repository": "g/p", "digest": digest});
        let mut pull = event(manifest.clone());
        pull["action"] = json!("pull");
        let events = [event(layer), event(manifest.clone()), event(manifest), pull, event(untagged)];
        let expected = [format!("reg.example.com/g/p/app:1@{digest}"), format!("reg.example.com/g/p@{digest}")];
        assert_eq!(names(&events), expected);
    }

    #[test]
    fn nothing_else_is() {
        let target = |repository: &str, tag: &str| json!({"mediaType": MANIFEST, "repository": repository, "tag": tag});
        let foreign = |host: &str| {
            let mut event = event(target("g/p", "1"));
            event["request"]["host"] = json!(host);
            event
        };
        let mut foreign_url = event(target("g/p", "1"));
        foreign_url["target"]["url"] = json!("https://evil.example.com/v2/g/p/manifests/1");
        for (case, event) in [
            ("another host", foreign("evil.example.com")),
            ("another address", foreign_url),
            ("another project", event(target("g/other", "1"))),
            ("a name that begins alike", event(target("g/pother", "1"))),
            ("a host in the repository", event(target("../evil.example.com/x", "1"))),
            ("an option", event(target("g/p", "--db=x"))),
            ("control characters", event(target("g/p\n", "1"))),
            ("a digest in the tag", event(target("g/p", "1@sha256:0"))),
            ("a user in the repository", event(target("user@evil/p", "1"))),
        ] {
            let found = read(&[event]);
            assert!(found.images.is_empty() && !found.notices.is_empty(), "{case}: {found:?}");
        }
        assert_eq!(names(&[foreign("REG.example.com:443")]), ["reg.example.com/g/p:1"]);
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        for text in ["", "{}", "[]", r#"{"events": 5}"#, r#"{"events": [5]}"#, &"[".repeat(100_000)] {
            assert!(pushed_images(text, "reg.example.com", None).is_err(), "{}", &text[..text.len().min(30)]);
        }
        let large = " ".repeat(MAX_BYTES + 1);
        assert_eq!(pushed_images(&large, "reg.example.com", None), Err(NotificationError::TooLarge));
        let target =
            |index: usize| event(json!({"mediaType": MANIFEST, "repository": "g/p", "tag": format!("t{index}")}));
        let many: Vec<Value> = (0..1500).map(target).collect();
        let found = read(&many);
        assert_eq!((found.images.len(), found.notices.len()), (MAX_IMAGES, 2));
    }

    proptest! {
        #[test]
        fn nothing_panics(repository in "[a-z/@:.\\-]{0,30}", tag in "\\PC{0,20}", host in "\\PC{0,20}") {
            let mut event = event(json!({"mediaType": MANIFEST, "repository": repository, "tag": tag}));
            event["request"]["host"] = json!(host);
            for image in read(&[event]).images {
                prop_assert_eq!(image.registry, "reg.example.com");
            }
        }
    }
}
