//! What a build job left behind about the images that it pushed: `IMAGE_DIGEST`, from its dotenv report, and the files that
//! builders write: buildx `--metadata-file`, kaniko `--digest-file` and `--image-name-with-digest-file`, buildah and podman
//! `--digestfile`.
//!
//! A digest says exactly which image was built, where a tag may have moved since.

use std::fs::File;
use std::io::{self, Read};

use serde_json::{Map, Value};
use tracing::{debug, warn};

use crate::context::Environment;
use crate::model::{Code, Diagnosis, Digest, ImageReference};

/// One image that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Built {
    /// Its names, where they are said, without the digest; without a tag where none is said.
    pub(super) names: Vec<ImageReference>,
    /// The digest of its manifest or index.
    pub(super) digest: Digest,
    /// For the log: which variable or file says so.
    pub(super) origin: String,
    /// Somebody pointed at it, instead of a file of a usual name lying there.
    pub(super) is_named: bool,
}

/// All that is said, each once: by the variable, by the files that the setting `digest_files` names, else by those of usual
/// names in the working directory.
///
/// # Errors
/// A file that was named holds no digest.
pub(super) fn images(environment: &Environment) -> Result<Vec<Built>, Diagnosis> {
    let mut built = Vec::new();
    if let Some(text) = environment.get("IMAGE_DIGEST") {
        match said("IMAGE_DIGEST", text.as_bytes(), true) {
            Ok(found) => built.extend(found),
            // Others may use the name for something else.
            Err(why) => warn!("IMAGE_DIGEST is not taken for the digest of an image: {why}"),
        }
    }
    match environment.get("PLIMSOLL_DIGEST_FILES") {
        Some(files) => {
            for file in files.split([',', '\n']).map(str::trim).filter(|file| !file.is_empty()) {
                let found = read(file).map_err(|error| error.to_string()).and_then(|bytes| said(file, &bytes, true));
                built.extend(found.map_err(|why| wrong(file, why))?);
            }
        }
        None => {
            for file in USUAL_NAMES {
                match read(file).map_err(|error| error.to_string()).and_then(|bytes| said(file, &bytes, false)) {
                    Ok(found) => built.extend(found),
                    Err(why) => debug!("{file} tells of no image: {why}"),
                }
            }
        }
    }
    let mut unique: Vec<Built> = Vec::new();
    for one in built {
        if !unique.iter().any(|known| known.digest == one.digest && (one.names.is_empty() || known.names == one.names))
        {
            unique.push(one);
        }
    }
    Ok(unique)
}

fn wrong(origin: &str, why: String) -> Diagnosis {
    let fix = "it holds `sha256:…`, lines of `name@sha256:…`, or what `docker buildx build --metadata-file` writes";
    Diagnosis::new(Code::InvalidInput, format!("{origin} does not say which image was built"), why, fix)
}

fn read(file: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a text says: digests, a line each, or JSON of buildx.
fn said(origin: &str, bytes: &[u8], is_named: bool) -> Result<Vec<Built>, String> {
    if bytes.len() as u64 > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let text = str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?.trim();
    let images = if text.starts_with('{') { of_buildx(text)? } else { of_lines(text)? };
    if images.len() > MOST {
        return Err(format!("it speaks of more than {MOST} images"));
    }
    let built = |(names, digest)| Built { names, digest, origin: origin.to_owned(), is_named };
    Ok(images.into_iter().map(built).collect())
}

type NamedDigest = (Vec<ImageReference>, Digest);

fn of_lines(text: &str) -> Result<Vec<NamedDigest>, String> {
    let lines: Result<Vec<NamedDigest>, String> = text.split_whitespace().take(MOST + 1).map(of_line).collect();
    lines.and_then(|lines| if lines.is_empty() { Err("it is empty".into()) } else { Ok(lines) })
}

fn of_line(line: &str) -> Result<NamedDigest, String> {
    if let Ok(digest) = line.parse() {
        return Ok((Vec::new(), digest));
    }
    let shown: String = line.chars().take(SHOWN).collect();
    let reference: ImageReference = line.parse().map_err(|_| format!("`{shown}` is no digest"))?;
    let Some(digest) = reference.digest.clone() else { return Err(format!("`{shown}` has no digest")) };
    Ok((vec![ImageReference { digest: None, ..reference }], digest))
}

/// `{"containerimage.digest": …, "image.name": …}` of `docker buildx build`, or one such object for each target of `bake`.
fn of_buildx(text: &str) -> Result<Vec<NamedDigest>, String> {
    let value: Map<String, Value> = serde_json::from_slice(text.as_bytes()).map_err(|error| error.to_string())?;
    let targets = value.values().filter_map(Value::as_object);
    let images: Vec<NamedDigest> = [&value].into_iter().chain(targets).filter_map(of_target).collect();
    if images.is_empty() { Err("it has no `containerimage.digest`".into()) } else { Ok(images) }
}

fn of_target(target: &Map<String, Value>) -> Option<NamedDigest> {
    let digest: Digest = target.get("containerimage.digest")?.as_str()?.parse().ok()?;
    let names = target.get("image.name").and_then(Value::as_str).unwrap_or_default();
    let names = names.split(',').filter_map(|name| name.parse::<ImageReference>().ok());
    Some((names.map(|name| ImageReference { digest: None, ..name }).collect(), digest))
}

/// As people and the builders' documentation call them.
const USUAL_NAMES: [&str; 7] = [
    "metadata.json",
    "build-metadata.json",
    "digest",
    "digest.txt",
    "image-digest",
    "image-digest.txt",
    "image-name-with-digest",
];
/// Provenance makes the files of buildx long. In bytes.
const LONGEST: u64 = 4 << 20;
const MOST: usize = 50;
/// Characters of what was not understood.
const SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_builder_is_understood() {
        let a = format!("sha256:{}", "a".repeat(64));
        let b = format!("sha256:{}", "b".repeat(64));
        for (what, text, expected) in [
            ("kaniko, buildah", format!("{a}\n"), vec![format!(" {a}")]),
            (
                "kaniko, with names",
                format!("reg.io/g/p@{a}\nreg.io/g/p:1@{b}"),
                vec![format!("reg.io/g/p {a}"), format!("reg.io/g/p:1 {b}")],
            ),
            (
                "buildx",
                format!(
                    r#"{{"buildx.build.ref": "x", "containerimage.digest": "{a}", "image.name": "reg.io/g/p:1,reg.io/g/p:2"}}"#
                ),
                vec![format!("reg.io/g/p:1,reg.io/g/p:2 {a}")],
            ),
            (
                "buildx without a push",
                format!(r#"{{"containerimage.config.digest": "{b}", "containerimage.digest": "{a}"}}"#),
                vec![format!(" {a}")],
            ),
            (
                "bake",
                format!(
                    r#"{{"db": {{"containerimage.digest": "{b}", "image.name": "reg.io/g/db"}},
                         "web": {{"containerimage.digest": "{a}", "image.name": "reg.io/g/web:1"}}}}"#
                ),
                vec![format!("reg.io/g/db:latest {b}"), format!("reg.io/g/web:1 {a}")],
            ),
        ] {
            let found = said("file", text.as_bytes(), true).unwrap_or_else(|why| panic!("{what}: {why}"));
            let named = |one: &Built| one.names.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let found = found.iter().map(|one| format!("{} {}", named(one), one.digest));
            assert_eq!(found.collect::<Vec<_>>(), expected, "{what}");
        }
    }

    #[test]
    fn what_is_something_else_is_told() {
        for (text, why) in [
            ("", "it is empty"),
            ("sha256:12", "`sha256:12` has no digest"),
            ("1.2.3", "has no digest"),
            ("what is it?", "`what` has no digest"),
            ("?", "`?` is no digest"),
            (r#"{"name": "package"}"#, "it has no `containerimage.digest`"),
            ("{", "EOF"),
        ] {
            let found = said("file", text.as_bytes(), true).unwrap_err();
            assert!(found.contains(why), "{text}: {found}");
        }
        assert!(said("file", &[b'\xff'; 3], true).is_err());
        assert!(said("file", &vec![b' '; 5 << 20], true).unwrap_err().contains("longer than"));
        let many = format!("sha256:{}\n", "a".repeat(64)).repeat(MOST + 1);
        assert!(said("file", many.as_bytes(), true).unwrap_err().contains("more than 50"));
        let variable = Environment::from_iter([("IMAGE_DIGEST", "latest")]);
        assert_eq!(images(&variable), Ok(Vec::new()), "the name may mean something else to others");
        let missing = Environment::from_iter([("PLIMSOLL_DIGEST_FILES", "/nonexistent/digest")]);
        assert!(images(&missing).is_err());
    }
}
