//! Which images a scan looks at: those that are named, else those that the pipeline pushed, as exactly as its build tells.

use tracing::{info, warn};

use crate::cli::ScanArgs;
use crate::context::{Environment, pipeline_images};
use crate::image::Source;
use crate::model::{Code, Diagnosis, Digest, ImageReference};
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
/// Where that one is not there, those of this pipeline in the project's registry are, by their tags, by files that lie
/// there, by their labels. Beside them why there may be more. Arguments are what they are.
pub(super) fn settled(
    names: Vec<String>,
    args: &ScanArgs,
    built: &[Built],
    environment: &Environment,
    connection: &mut Connection<'_>,
) -> (Vec<String>, Vec<Diagnosis>) {
    if !args.sources.is_empty() {
        return (names, Vec::new());
    }
    let (said, lying): (Vec<&Built>, Vec<&Built>) = built.iter().partition(|one| one.is_named);
    let guess =
        pipeline_images(environment).into_iter().find(|image| image.is_guess && names == [image.image.as_str()]);
    let Some(guess) = guess.and_then(|guess| guess.image.parse::<ImageReference>().ok()) else {
        let current = |image: &ImageReference| connection.registry(image).ok()?.digest(image).ok()?;
        return (pinned(&names, &said, current), Vec::new());
    };
    let (of_build, mut missed) = images_of_build(&guess, &said, environment, connection);
    if !of_build.is_empty() {
        return (of_build, missed);
    }
    let is_missing = connection
        .registry(&guess)
        .is_ok_and(|registry| matches!(registry.digest(&guess), Err(RegistryError::NotFound { .. })));
    if !is_missing {
        return (names, missed);
    }
    let listed = pushed::Listed::of(environment);
    let mut found = listed.by_tag(environment);
    if found.images.is_empty() {
        // What lies there may be of another time: what is lost of it is in the log.
        found.images = images_of_build(&guess, &lying, environment, connection).0;
    }
    if found.images.is_empty() {
        found = listed.by_label(environment, connection);
    }
    missed.extend(found.missed);
    (if found.images.is_empty() { names } else { found.images }, missed)
}

/// The images with the digests that were pushed under their names. A digest that is told without a tag, or without a name, is
/// that of an image only if there is no other that it may be of; without a name also only if it is what the tag is now.
fn pinned(
    names: &[String],
    said: &[&Built],
    mut current: impl FnMut(&ImageReference) -> Option<Digest>,
) -> Vec<String> {
    let reference = |name: &String| match name.parse() {
        Ok(Source::Registry(reference)) if reference.digest.is_none() => Some(reference),
        _ => None,
    };
    let references: Vec<Option<ImageReference>> = names.iter().map(reference).collect();
    let of_repository = |repository: &str| references.iter().flatten().filter(|one| one.name() == repository).count();
    let in_repository = |one: &&&Built, repository: &str| one.names.iter().any(|name| name.name() == repository);
    let mut digest = |image: &ImageReference| {
        let repository = image.name();
        let by_tag = |one: &&&Built| {
            one.names.iter().any(|name| name.name() == repository && name.tag.is_some() && name.tag == image.tag)
        };
        if let Some(one) = said.iter().find(by_tag) {
            return Some(*one);
        }
        let mut there = said.iter().filter(|one| in_repository(one, &repository));
        if let (Some(one), None) = (there.next(), there.next()) {
            let is_untagged = one.names.iter().any(|name| name.name() == repository && name.tag.is_none());
            return (is_untagged && of_repository(&repository) == 1).then_some(*one);
        }
        let [one] = said else { return None };
        if !one.names.is_empty() || names.len() != 1 {
            return None;
        }
        let is_it = current(image).as_ref() == Some(&one.digest);
        if !is_it {
            warn!(
                "{}: {} is not what {image} is now, which is scanned; told as `name@digest`, it would be scanned instead",
                one.origin, one.digest
            );
        }
        is_it.then_some(*one)
    };
    let pinned = |(name, image): (&String, &Option<ImageReference>)| {
        let Some((image, one)) = image.as_ref().and_then(|image| Some((image, digest(image)?))) else {
            return name.clone();
        };
        info!("{name} is {} (from {})", one.digest, one.origin);
        image.at(one.digest.clone()).to_string()
    };
    names.iter().zip(&references).map(pinned).collect()
}

/// What the build names, and what it pushed without a name to the place of the guess or of the project; and what is in
/// neither.
fn images_of_build(
    guess: &ImageReference,
    built: &[&Built],
    environment: &Environment,
    connection: &mut Connection<'_>,
) -> (Vec<String>, Vec<Diagnosis>) {
    let (mut images, mut lost) = (Vec::new(), Vec::new());
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
            None => {
                let what = format!("{}: {} is not in the project's registry", one.origin, one.digest);
                let why = format!("neither {} nor CI_REGISTRY_IMAGE has it", guess.name());
                warn!("{what}");
                lost.push(Diagnosis::new(Code::ImageNotFound, what, why, "tell it with its name, `name@sha256:…`"));
            }
        }
    }
    (images, lost)
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
    // Any other failure is told when the image is read.
    places.find(|image| {
        let registry = connection.registry(image);
        registry.is_ok_and(|registry| !matches!(registry.digest(image), Err(RegistryError::NotFound { .. })))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_images_are_pinned_to_what_was_pushed() {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let built = |names: &[&str], letter: &str| Built {
            names: names.iter().map(|name| ImageReference { digest: None, ..name.parse().unwrap() }).collect(),
            digest: digest(letter).parse().unwrap(),
            origin: "IMAGE_DIGEST".into(),
            is_named: true,
        };
        let untagged = |letter: &str| built(&[&format!("reg.io/g/p@{}", digest(letter))], letter);
        let at = |name: &str, letter: &str| format!("{name}@{}", digest(letter));
        let one = || vec!["reg.io/g/p:1".to_owned()];
        let both = || vec!["reg.io/g/p:1".to_owned(), "reg.io/g/p:2".to_owned()];
        for (what, names, built, expected) in [
            ("what the tag is", one(), vec![built(&[], "a")], vec![at("reg.io/g/p:1", "a")]),
            ("what the tag is not", one(), vec![built(&[], "b")], one()),
            ("of several images", both(), vec![built(&[], "a")], both()),
            ("of several digests", one(), vec![built(&[], "a"), built(&[], "a")], one()),
            (
                "by name",
                both(),
                vec![built(&["reg.io/g/p:2", "reg.io/g/p:latest"], "b")],
                vec!["reg.io/g/p:1".into(), at("reg.io/g/p:2", "b")],
            ),
            ("by name without a tag", one(), vec![untagged("b")], vec![at("reg.io/g/p:1", "b")]),
            ("without a tag, of two images", both(), vec![untagged("b")], both()),
            ("without a tag, two digests", one(), vec![untagged("a"), untagged("b")], one()),
            ("another tag", one(), vec![built(&["reg.io/g/p:2"], "b")], one()),
            (
                "another image",
                vec!["reg.io/g/q:1".into()],
                vec![built(&["reg.io/g/p:1"], "b")],
                vec!["reg.io/g/q:1".into()],
            ),
            ("a digest already", vec![at("reg.io/g/p", "c")], vec![built(&[], "a")], vec![at("reg.io/g/p", "c")]),
            ("no registry", vec!["oci:folder".into()], vec![built(&[], "a")], vec!["oci:folder".into()]),
        ] {
            let said: Vec<&Built> = built.iter().collect();
            let current = |_: &ImageReference| digest("a").parse().ok();
            assert_eq!(pinned(&names, &said, current), expected, "{what}");
        }
    }
}
