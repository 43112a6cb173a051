//! Which image another one was built on: of those that the settings, the image's annotations and the Dockerfile name, the
//! one with the most layers of which all are the first of the image.
//!
//! A registry that no setting names is asked for a base image only if the image itself comes from it.

use std::sync::Arc;

use tracing::{info, warn};

use crate::context::Environment;
use crate::image::{self, Image, Source};
use crate::model::{Base, BaseImage, Diagnosis, Dockerfile, ImageReference, Limits, Platform};
use crate::registry::Registry;

/// Annotations of the OCI image specification, which builders also write as labels.
const NAME: &str = "org.opencontainers.image.base.name";
const DIGEST: &str = "org.opencontainers.image.base.digest";

/// What the project says of the base images of all its images.
#[derive(Debug, Clone, Default)]
pub(super) struct Hints {
    /// The setting `base_images`.
    named: Vec<String>,
    /// What the last stage of the Dockerfile stands on.
    from: Option<Candidate>,
}

/// Gives the client for an image's registry.
pub(super) type Clients<'a> = &'a mut dyn FnMut(&ImageReference) -> Result<Arc<Registry>, Diagnosis>;

/// An image that may be the base.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    name: String,
    /// The name with `${NAME}` for what it has from variables of the job: they may be secret, and as long as no such image
    /// was read, this alone is shown.
    shown: String,
    /// It is worth a registry that the image does not come from, and a warning if it cannot be read.
    is_named: bool,
}

impl Hints {
    pub(super) fn of(environment: &Environment, dockerfile: Option<&Dockerfile>) -> Self {
        let list = environment.get("PLIMSOLL_BASE_IMAGES").unwrap_or_default();
        let named = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty());
        let from = dockerfile.and_then(|file| {
            let name = file.base_name(|name| given(environment, name).map(str::to_owned))?;
            let shown = file.base_name(|name| given(environment, name).map(|_| format!("${{{name}}}")))?;
            Some(Candidate { name, shown, is_named: false })
        });
        Self { named: named.map(str::to_owned).collect(), from }
    }

    fn candidates(&self, image: &Image) -> Vec<Candidate> {
        let said = |key: &str| {
            let text = image.annotations.get(key).or_else(|| image.identity.config.labels.get(key));
            text.map(String::as_str).filter(|text| !text.is_empty())
        };
        let annotated = said(NAME).map(|name| match said(DIGEST) {
            Some(digest) if !name.contains('@') => format!("{name}@{digest}"),
            _ => name.to_owned(),
        });
        let said = |name: String, is_named| Candidate { shown: name.clone(), name, is_named };
        let named = self.named.iter().map(|name| said(name.clone(), true));
        let others = annotated.map(|name| said(name, false)).into_iter().chain(self.from.clone());
        let mut all: Vec<Candidate> = named.chain(others).collect();
        let mut known = std::collections::HashSet::new();
        all.retain(|candidate| known.insert(candidate.name.clone()));
        all
    }

    /// The base of an image that was opened from `source`; `None` if nothing names one. `registry` is asked for the client
    /// that a base image in a registry needs.
    pub(super) fn base(
        &self,
        source: &Source,
        image: &Image,
        platform: &Platform,
        registry: Clients<'_>,
        limits: &Limits,
    ) -> Option<Base> {
        let mut best: Option<BaseImage> = None;
        let mut reasons = Vec::new();
        for candidate in self.candidates(image) {
            let found = opened(&candidate, source, platform, registry, limits);
            match found.and_then(|below| check(&candidate, &below, image)) {
                Ok(base) if best.as_ref().is_none_or(|best| best.layers < base.layers) => best = Some(base),
                Ok(_) => {}
                Err(reason) => reasons.push((candidate.is_named, reason)),
            }
        }
        if let Some(base) = best {
            info!("{source}: built on {}, whose {} layers are its first", base.name, base.layers);
            return Some(Base::Known(base));
        }
        for (is_named, reason) in &reasons {
            // Of several that a setting names, one at most is the base of each image.
            if *is_named && self.named.len() == 1 { warn!("{source}: {reason}") } else { info!("{source}: {reason}") }
        }
        let reasons: Vec<String> = reasons.into_iter().map(|(_, reason)| reason).collect();
        (!reasons.is_empty()).then(|| Base::Unknown(reasons.join("; ")))
    }
}

/// The job's variable for a build argument; `None` for what may be secret, which is told by its name, or by a value that is
/// an address and no part of an image's name.
fn given<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    const PARTS: [&str; 6] = ["TOKEN", "PASS", "SECRET", "KEY", "AUTH", "CRED"];
    const STARTS: [&str; 3] = ["PLIMSOLL_", "CI_JOB_", "CI_DEPLOY_"];
    let upper = name.to_ascii_uppercase();
    let is_secret =
        PARTS.iter().any(|part| upper.contains(part)) || STARTS.iter().any(|start| upper.starts_with(start));
    environment.get(name).filter(|value| !is_secret && !value.is_empty() && !value.contains("//"))
}

fn opened(
    candidate: &Candidate,
    of: &Source,
    platform: &Platform,
    clients: Clients<'_>,
    limits: &Limits,
) -> Result<Image, String> {
    let Candidate { name, shown, is_named } = candidate;
    let is_shown = name == shown;
    let unreadable = |why: String| match is_shown {
        true => format!("the base image `{name}` cannot be read: {why}"),
        false => format!("the base image `{shown}` cannot be read with the job's variables"),
    };
    let source: Source = name.parse().map_err(|error: image::InvalidSource| unreadable(error.to_string()))?;
    let registry = match &source {
        Source::Registry(reference) if *is_named || is_beside(reference, of) => {
            Some(clients(reference).map_err(|diagnosis| unreadable(diagnosis.to_string()))?)
        }
        Source::Registry(reference) => {
            let host = if is_shown { reference.registry.as_str() } else { "its registry" };
            return Err(format!(
                "the base image `{shown}` was not looked up: {host} is asked if `base_images` names it"
            ));
        }
        _ if *is_named => None,
        // What an image says of itself opens no file of this machine.
        _ => return Err(unreadable("it is no image in a registry".to_owned())),
    };
    image::open(&source, platform, limits, registry.as_ref()).map_err(|error| unreadable(error.to_string()))
}

fn is_beside(reference: &ImageReference, of: &Source) -> bool {
    matches!(of, Source::Registry(image) if image.registry == reference.registry)
}

/// Whether an image is the base of another.
fn check(candidate: &Candidate, below: &Image, image: &Image) -> Result<BaseImage, String> {
    let Candidate { name, shown, .. } = candidate;
    if below.identity.config_digest.is_some() && below.identity.config_digest == image.identity.config_digest {
        return Err(format!("`{shown}` is the image itself"));
    }
    if !BaseImage::is_below(&below.layers, &image.layers) {
        return Err(format!(
            "the layers of `{shown}` are not the first of the image: it was built on another, or on an earlier one of that name"
        ));
    }
    let digest = below.identity.manifest_digest.clone();
    Ok(BaseImage { name: name.clone(), digest, layers: below.layers.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "glpat-secret";

    #[test]
    fn secrets_of_the_job_are_in_no_name_and_no_reason() {
        let environment: Environment = [
            ("TAG", "3.1"),
            ("HARMLESS", SECRET),
            ("PLIMSOLL_GITLAB_TOKEN", SECRET),
            ("PLIMSOLL_OTHER", SECRET),
            ("CI_JOB_JWT", SECRET),
            ("CI_REGISTRY_PASSWORD", SECRET),
            ("CI_DEPLOY_USER", SECRET),
            ("my_secret", SECRET),
            ("SIGNING_KEY", SECRET),
            ("DOCKER_AUTH_CONFIG", SECRET),
            ("CREDENTIALS", SECRET),
            ("CI_REPOSITORY_URL", "https://gitlab-ci-token:glpat-secret@gitlab.example/a.git"),
        ]
        .into_iter()
        .collect();
        let directory = tempfile::tempdir().expect("a directory");
        let source = Source::Directory { path: directory.path().to_owned() };
        let (platform, limits) = (Platform::linux_amd64(), Limits::default());
        let image = image::open(&source, &platform, &limits, None).expect("an image");
        let reason = |text: &str| {
            let file = Dockerfile { path: "Dockerfile".into(), text: text.to_owned() };
            let hints = Hints::of(&environment, Some(&file));
            let mut none = |image: &ImageReference| panic!("{image} is asked for");
            let base = hints.base(&source, &image, &platform, &mut none, &limits);
            let Some(Base::Unknown(reason)) = base else { panic!("{text}: {base:?}") };
            assert!(!reason.contains("secret"), "{text}: {reason}");
            (hints.from.map(|from| from.name).unwrap_or_default(), reason)
        };
        for (text, name, told) in [
            ("ARG TAG=12\nFROM other.example/x:$TAG", "other.example/x:12", "`other.example/x:12` was not"),
            ("ARG TAG\nFROM other.example/x:$TAG", "other.example/x:3.1", "`other.example/x:${TAG}` was not"),
            ("ARG HARMLESS\nFROM $HARMLESS.example/x", "glpat-secret.example/x", "`${HARMLESS}.example/x` was not"),
            ("ARG HARMLESS\nFROM oci:$HARMLESS", "oci:glpat-secret", "`oci:${HARMLESS}` cannot be read"),
        ] {
            let (found, reason) = reason(text);
            assert_eq!(found, name, "{text}");
            assert!(reason.contains(told), "{text}: {reason}");
        }
        for name in environment.names().filter(|name| !matches!(*name, "TAG" | "HARMLESS")) {
            for head in ["", "ARG X=1\n", &format!("ARG {name}\n")] {
                let text = format!("{head}FROM other.example/x:${{{name}:-none}}");
                assert_eq!(reason(&text).0, "other.example/x:none", "{text}");
            }
        }
    }
}
