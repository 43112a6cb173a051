//! Which images a scan looks at: those that are named, else those that the pipeline pushed, as exactly as its build tells.

use tracing::{info, warn};

use crate::cli::ScanArgs;
use crate::context::{Environment, pipeline_images};
use crate::image::Source;
use crate::model::{Diagnosis, ImageReference};
use crate::registry::RegistryError;

use super::built::Built;
use super::connection::Connection;
use super::{notification, pushed};

/// What is to be scanned: the arguments, else what a registry says was pushed, else what the pipeline's variables name.
///
/// # Errors
/// A notification that cannot be followed.
pub(super) fn named(args: &ScanArgs, environment: &Environment) -> Result<Vec<String>, Diagnosis> {
    if !args.sources.is_empty() {
        return Ok(args.sources.clone());
    }
    if let Some(images) = notification::images(environment)? {
        return Ok(images.iter().map(ToString::to_string).collect());
    }
    let images = pipeline_images(environment);
    for image in &images {
        info!("image {} (from {})", image.image, image.origin);
    }
    Ok(images.into_iter().map(|image| image.image).collect())
}

/// The same names with what the build said of them. Images that variables name are pinned to the digest that was pushed.
/// Where nobody names one, those that the build names are in the place of the one that GitLab's template would have pushed.
/// Where that one is not there, those of files that lie there, else those of this pipeline in the project's registry. Beside
/// them why there may be more. Arguments are what they are.
pub(super) fn settled(
    names: Vec<String>,
    args: &ScanArgs,
    built: &[Built],
    environment: &Environment,
    connection: &mut Connection<'_>,
) -> (Vec<String>, Option<Diagnosis>) {
    if !args.sources.is_empty() {
        return (names, None);
    }
    let guess =
        pipeline_images(environment).into_iter().find(|image| image.is_guess && names == [image.image.as_str()]);
    let Some(guess) = guess.and_then(|guess| guess.image.parse::<ImageReference>().ok()) else {
        let is_only = names.len() == 1;
        return (names.into_iter().map(|name| pinned(name, is_only, built)).collect(), None);
    };
    let (said, lying): (Vec<&Built>, Vec<&Built>) = built.iter().partition(|one| one.is_named);
    let of_build = images_of_build(&guess, &said, environment, connection);
    if !of_build.is_empty() {
        return (of_build, None);
    }
    let is_missing = connection
        .registry(&guess)
        .is_ok_and(|registry| matches!(registry.digest(&guess), Err(RegistryError::NotFound { .. })));
    if !is_missing {
        return (names, None);
    }
    let of_build = images_of_build(&guess, &lying, environment, connection);
    if !of_build.is_empty() {
        return (of_build, None);
    }
    let pushed::Pushed { images, missed } = pushed::images(environment, connection);
    (if images.is_empty() { names } else { images }, missed)
}

/// An image with the digest that was pushed under its name, or under a name that is not told if it is the only one.
fn pinned(name: String, is_only: bool, built: &[Built]) -> String {
    let Ok(Source::Registry(reference)) = name.parse() else { return name };
    if reference.digest.is_some() {
        return name;
    }
    let said: Vec<&Built> = built.iter().filter(|one| one.is_named).collect();
    let is_it = |known: &ImageReference| {
        known.name() == reference.name() && (known.tag.is_none() || known.tag == reference.tag)
    };
    let by_name = said.iter().find(|one| one.names.iter().any(is_it));
    let alone = || said.first().filter(|one| is_only && said.len() == 1 && one.names.is_empty());
    match by_name.or_else(alone) {
        Some(one) => {
            info!("{name} is {} (from {})", one.digest, one.origin);
            reference.at(one.digest.clone()).to_string()
        }
        None => name,
    }
}

/// What the build names, and what it pushed without a name to the place of the guess or of the project.
fn images_of_build(
    guess: &ImageReference,
    built: &[&Built],
    environment: &Environment,
    connection: &mut Connection<'_>,
) -> Vec<String> {
    let mut images = Vec::new();
    for one in built {
        let image = match one.names.first() {
            Some(name) => Some(name.at(one.digest.clone())),
            None => unnamed(one, guess, environment, connection),
        };
        match image {
            Some(image) => {
                info!("image {image} (from {})", one.origin);
                images.push(image.to_string());
            }
            None => warn!("{}: {} is not in the project's registry", one.origin, one.digest),
        }
    }
    images
}

fn unnamed(
    one: &Built,
    guess: &ImageReference,
    environment: &Environment,
    connection: &mut Connection<'_>,
) -> Option<ImageReference> {
    let project = environment.get("CI_REGISTRY_IMAGE").and_then(|image| image.parse::<ImageReference>().ok());
    // Nothing says which tag it has there.
    let project = project.map(|image| ImageReference { tag: None, ..image });
    let mut places = [Some(guess.clone()), project].into_iter().flatten().map(|place| place.at(one.digest.clone()));
    places.find(|image| connection.registry(image).is_ok_and(|registry| registry.digest(image).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_images_are_pinned_to_what_was_pushed() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let built = |names: &[&str], is_named| Built {
            names: names.iter().map(|name| ImageReference { digest: None, ..name.parse().unwrap() }).collect(),
            digest: digest.parse().unwrap(),
            origin: "IMAGE_DIGEST".into(),
            is_named,
        };
        let untagged = built(&[&format!("reg.io/g/p@{digest}")], true);
        let at = |name: &str| format!("{name}@{digest}");
        for (what, name, is_only, built, expected) in [
            ("a digest alone", "reg.io/g/p:1", true, vec![built(&[], true)], at("reg.io/g/p:1")),
            ("of several images", "reg.io/g/p:1", false, vec![built(&[], true)], "reg.io/g/p:1".into()),
            ("of several digests", "reg.io/g/p:1", true, vec![built(&[], true); 2], "reg.io/g/p:1".into()),
            (
                "by name",
                "reg.io/g/p:1",
                false,
                vec![built(&["reg.io/g/p:2", "reg.io/g/p:1"], true)],
                at("reg.io/g/p:1"),
            ),
            ("by name without a tag", "reg.io/g/p:1", false, vec![untagged], at("reg.io/g/p:1")),
            ("another tag", "reg.io/g/p:1", true, vec![built(&["reg.io/g/p:2"], true)], "reg.io/g/p:1".into()),
            ("another image", "reg.io/g/q:1", true, vec![built(&["reg.io/g/p:1"], true)], "reg.io/g/q:1".into()),
            ("a file that lies there", "reg.io/g/p:1", true, vec![built(&[], false)], "reg.io/g/p:1".into()),
            ("a digest already", &at("reg.io/g/p"), true, vec![built(&[], true)], at("reg.io/g/p")),
            ("no registry", "oci:folder", true, vec![built(&[], true)], "oci:folder".into()),
        ] {
            assert_eq!(pinned(name.to_owned(), is_only, &built), expected, "{what}");
        }
    }
}
