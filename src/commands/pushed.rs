//! The images that this pipeline pushed under names of its own choice: tags in the project's registry that are named after
//! its commit or tag; without any, those whose label `org.opencontainers.image.revision` is its commit, or that are named
//! after its branch and were made since it started.
//!
//! Asked only where nothing names an image and the one that GitLab's template would have pushed is not there.

use jiff::Timestamp;
use tracing::{debug, info, warn};

use super::connection::Connection;
use crate::assess::deployed;
use crate::context::{Environment, Job, NetworkSettings};
use crate::gitlab::GitLab;
use crate::image::{self, Source};
use crate::model::{Code, Diagnosis, ImageReference, Platform};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    /// The images, as they are pulled.
    pub(super) images: Vec<String>,
    /// Why there may be more.
    pub(super) missed: Option<Diagnosis>,
}

/// What the project's registry has.
#[derive(Debug, Default)]
pub(super) struct Listed {
    tags: Vec<ImageReference>,
    /// Why there may be more.
    missed: Vec<String>,
}

impl Listed {
    /// Nothing where the API does not tell.
    pub(super) fn of(environment: &Environment) -> Self {
        list(environment).unwrap_or_else(|error| {
            debug!("the registry of the project is not known: {error}");
            Self::default()
        })
    }

    /// Those that are named after the commit or tag of the pipeline.
    pub(super) fn by_tag(&self, environment: &Environment) -> Pushed {
        let commits =
            [environment.get("CI_COMMIT_SHORT_SHA"), environment.get("CI_COMMIT_SHA").and_then(|sha| sha.get(..SHORT))];
        let commits: Vec<&str> = commits.into_iter().flatten().filter(|commit| commit.len() >= SHORT).collect();
        let name = environment.get("CI_COMMIT_TAG");
        let is_named = |tag: &&ImageReference| is_of_pipeline(tag.tag.as_deref().unwrap_or_default(), &commits, name);
        let images = self.tags.iter().filter(is_named).map(ToString::to_string).collect();
        self.found(images, "by the commit or tag of this pipeline")
    }

    /// Those whose configuration says that they are of the pipeline.
    pub(super) fn by_label(&self, environment: &Environment, connection: &mut Connection<'_>) -> Pushed {
        let images = labelled(&self.tags, environment, connection);
        if self.tags.len() > MOST_ASKED && !images.is_empty() {
            warn!(
                "only {MOST_ASKED} of {} tags were asked for their labels; there may be more images",
                self.tags.len()
            );
        }
        self.found(images, "by its label or the time it was made")
    }

    fn found(&self, mut images: Vec<String>, how: &str) -> Pushed {
        for image in &images {
            info!("image {image} (found in the project's registry {how})");
        }
        let mut missed = self.missed.clone();
        if images.len() > MOST_IMAGES {
            missed.push(format!("only the first {MOST_IMAGES} of {} images are scanned", images.len()));
            images.truncate(MOST_IMAGES);
        }
        let missed = (!missed.is_empty()).then(|| {
            Diagnosis::new(
                Code::LimitExceeded,
                "not all images of this pipeline may be scanned",
                missed.join("; "),
                "name them: CS_IMAGE, PLIMSOLL_IMAGES or the arguments of `plimsoll scan`",
            )
        });
        Pushed { images, missed }
    }
}

fn list(environment: &Environment) -> Result<Listed, String> {
    let job = Job::from_environment(environment).ok_or("this is no job of GitLab")?;
    let token = job.job_token.as_ref().or(job.access_token.as_ref()).ok_or("there is no token")?;
    let network = NetworkSettings::from_environment(environment, &[]).map_err(|error| error.to_string())?;
    let gitlab = GitLab::new(&network, &job.api, token.clone()).map_err(|error| error.to_string())?;
    let repositories = gitlab.repositories(&job.project).map_err(|error| error.to_string())?;
    let mut listed = Listed { tags: Vec::new(), missed: repositories.cut.into_iter().collect() };
    let usable: Vec<_> = repositories.items.iter().filter(|one| !one.is_being_deleted()).collect();
    if usable.len() > MOST_REPOSITORIES {
        let cut = format!("only {MOST_REPOSITORIES} repositories of the project's registry were looked through");
        listed.missed.push(cut);
    }
    for repository in usable.into_iter().take(MOST_REPOSITORIES) {
        let tags = gitlab.repository_tags(repository).map_err(|error| error.to_string())?;
        listed.missed.extend(tags.cut);
        let names = tags.items.iter().map(|tag| format!("{}:{}", repository.location, tag.name));
        listed.tags.extend(names.filter_map(|name| name.parse().ok()));
    }
    Ok(listed)
}

/// The images whose configuration says that they are of this pipeline; of all tags only some are asked, first those that
/// are named after the branch.
fn labelled(tags: &[ImageReference], environment: &Environment, connection: &mut Connection<'_>) -> Vec<String> {
    let Some(commit) = environment.get("CI_COMMIT_SHA") else { return Vec::new() };
    let slug = environment.get("CI_COMMIT_REF_SLUG").unwrap_or_default();
    let started = environment.get("CI_PIPELINE_CREATED_AT").and_then(|time| time.parse::<Timestamp>().ok());
    let of_branch = |tag: &ImageReference| tag.tag.as_deref().is_some_and(|tag| is_named_after(tag, slug));
    let (first, others): (Vec<_>, Vec<_>) = tags.iter().partition(|tag| of_branch(tag));
    let mut found = Vec::new();
    for reference in first.into_iter().chain(others).take(MOST_ASKED) {
        let Ok(registry) = connection.registry(reference) else { break };
        let source = Source::Registry(reference.clone());
        match image::open(&source, &Platform::linux_amd64(), &connection.limits, Some(&registry)) {
            Ok(image) => {
                let config = &image.identity.config;
                let is_new = config.created.zip(started).is_some_and(|(created, started)| created >= started);
                if deployed::is_of(None, &config.labels, "", commit) || of_branch(reference) && is_new {
                    found.push(reference.to_string());
                }
            }
            Err(error) => debug!("{reference} is not known: {error}"),
        }
    }
    found
}

/// Whether a tag is a branch, or has it as a part between separators.
fn is_named_after(tag: &str, slug: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    !slug.is_empty()
        && tag.match_indices(slug).any(|(start, _)| {
            let (before, after) = (tag.get(..start), tag.get(start + slug.len()..));
            is_edge(before.and_then(|text| text.chars().next_back()))
                && is_edge(after.and_then(|text| text.chars().next()))
        })
}

/// Whether a tag contains a commit, or is the tag that the pipeline runs for.
fn is_of_pipeline(tag: &str, commits: &[&str], name: Option<&str>) -> bool {
    commits.iter().any(|commit| tag.contains(commit)) || name.is_some_and(|name| tag == name)
}

/// Letters of a commit that GitLab shows.
const SHORT: usize = 8;
/// Each costs a request.
const MOST_REPOSITORIES: usize = 50;
const MOST_IMAGES: usize = 50;
/// Tags whose configuration is read; each costs two requests.
const MOST_ASKED: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_known_by_the_commit_they_contain_or_the_tag_they_are() {
        for (tag, expected) in [
            ("main-0a1b2c3d", true),
            ("0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", true),
            ("20261121", true),
            ("20261121-rc1", false),
            ("latest", false),
        ] {
            assert_eq!(is_of_pipeline(tag, &["0a1b2c3d"], Some("20261121")), expected, "{tag}");
        }
        assert!(!is_of_pipeline("latest", &[], None));
    }

    #[test]
    fn branches_are_parts_of_tags() {
        for (tag, slug, expected) in [
            ("main", "main", true),
            ("web-main", "main", true),
            ("main.4711", "main", true),
            ("maintenance", "main", false),
            ("domain-main2", "main", false),
            ("maintenance-main", "main", true),
            ("latest", "", false),
        ] {
            assert_eq!(is_named_after(tag, slug), expected, "{tag} {slug}");
        }
    }
}
