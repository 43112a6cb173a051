//! How GitLab is told which image: a name and always a tag.
//!
//! GitLab takes what follows the last colon for the tag, so an image without one would lose part of its name. A
//! reference without a tag therefore gets `latest`; one with a digest only, the digest's first 12 digits; a local
//! source such as `oci:build/app`, its last path component and `local` (or the tag after the path: `oci:DIR:TAG`).

use crate::model::{ImageReference, ImageScan};

/// An image's name without tag, and its tag: letters, digits and `. _ - / :` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageName {
    pub(super) name: String,
    pub(super) tag: String,
}

const LOCAL_SOURCES: [&str; 5] = ["oci:", "oci-archive:", "docker-archive:", "archive://", "dir:"];

impl ImageName {
    pub(super) fn of(image: &ImageScan) -> Self {
        Self::from_text(&image.name)
    }

    fn from_text(text: &str) -> Self {
        if let Some((source, path)) = LOCAL_SOURCES.iter().find_map(|s| Some((*s, text.strip_prefix(s)?))) {
            return Self::local(path, source == "oci:");
        }
        let Ok(reference) = text.parse::<ImageReference>() else { return Self::local(text, false) };
        let tag = match (&reference.tag, &reference.digest) {
            (Some(tag), _) => tag.clone(),
            (None, Some(digest)) => digest.short().to_owned(),
            (None, None) => "latest".to_owned(),
        };
        Self { name: reference.name(), tag }
    }

    fn local(path: &str, may_have_tag: bool) -> Self {
        let last = |path: &str| path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) if may_have_tag && !tag.contains('/') && !plain(tag).is_empty() => (path, plain(tag)),
            _ => (path, "local".to_owned()),
        };
        let name = plain(&last(path));
        Self { name: if name.is_empty() { "image".into() } else { name }, tag }
    }

    /// `name:tag`.
    pub(super) fn with_tag(&self) -> String {
        format!("{}:{}", self.name, self.tag)
    }

    /// The name and tag as part of a file name: lower-case letters, digits and `-`.
    pub(super) fn slug(&self) -> String {
        let text = self.with_tag().to_ascii_lowercase();
        let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty()).collect();
        parts.join("-").chars().take(100).collect()
    }
}

/// Other characters than those of names become `-`; none at the ends.
fn plain(text: &str) -> String {
    let replaced: String = text
        .chars()
        .take(128)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .collect();
    replaced.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_a_name_and_a_tag() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (text, expected) in [
            ("reg.io:5000/g/p", "reg.io:5000/g/p:latest".to_owned()),
            ("reg.io/g/p:v1", "reg.io/g/p:v1".to_owned()),
            (&format!("reg.io/g/p:v1@{digest}"), "reg.io/g/p:v1".to_owned()),
            (&format!("reg.io/g/p@{digest}"), "reg.io/g/p:e3b0c44298fc".to_owned()),
            ("oci:../build/app/", "app:local".to_owned()),
            ("oci:/x/app:main", "app:main".to_owned()),
            ("docker-archive:out/my image.tar", "my-image.tar:local".to_owned()),
            ("archive:///tmp/a.tar", "a.tar:local".to_owned()),
            ("dir:.", "image:local".to_owned()),
            ("<script>:\u{0}", "script:local".to_owned()),
            ("", "image:local".to_owned()),
        ] {
            assert_eq!(ImageName::from_text(text).with_tag(), expected, "{text:?}");
        }
    }

    #[test]
    fn slugs_are_file_names() {
        assert_eq!(ImageName::from_text("reg.io:5000/g/p:V1.2").slug(), "reg-io-5000-g-p-v1-2");
    }
}
