//! The container registry as GitLab's API tells of it: repositories, tags and what is known of one tag.
//!
//! The job token may ask about its own project only; a group needs an access token with `read_api`. The digest of a tag
//! is only in its details, which cost one request each. See docs.gitlab.com/api/container_registry.

use gitlab::api::projects::registry::RepositoryTagDetails;
use jiff::Timestamp;
use serde::Deserialize;

use super::notes::invalid;
use super::pages::Listed;
use super::{GitLab, GitLabError};

/// A repository of images.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// Its number.
    pub id: u64,
    /// Its path, which begins with that of its project.
    pub path: String,
    /// The project that it is in.
    pub project_id: u64,
    /// `registry/path`, as it is pulled.
    pub location: String,
    /// `delete_scheduled`, `delete_ongoing` or `delete_failed`, where it is being deleted.
    #[serde(default)]
    pub status: Option<String>,
}

impl Repository {
    /// Whether it is on its way out.
    #[must_use]
    pub fn is_being_deleted(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status.starts_with("delete_"))
    }
}

/// A tag as lists of tags have it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RepositoryTag {
    /// Its name.
    pub name: String,
}

/// What is known of one tag.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TagDetails {
    /// What it points to.
    #[serde(default)]
    pub digest: Option<String>,
    /// When its image was built, UTC.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// Compressed size in bytes.
    #[serde(default)]
    pub total_size: Option<u64>,
}

impl GitLab {
    /// The repositories of a project, by id or path.
    ///
    /// # Errors
    /// The API refuses: the project cannot be seen, or has no registry.
    pub fn repositories(&self, project: &str) -> Result<Listed<Repository>, GitLabError> {
        let path = format!("projects/{}/registry/repositories", escaped(project));
        self.list(&format!("list the repositories of project {project}"), &path, &[])
    }

    /// The repositories of a group and its subgroups, by id or path.
    ///
    /// # Errors
    /// The API refuses; it does so for the job token.
    pub fn group_repositories(&self, group: &str) -> Result<Listed<Repository>, GitLabError> {
        let path = format!("groups/{}/registry/repositories", escaped(group));
        self.list(&format!("list the repositories of group {group}"), &path, &[])
    }

    /// The tags of a repository.
    ///
    /// # Errors
    /// The API refuses: the repository is gone.
    pub fn repository_tags(&self, repository: &Repository) -> Result<Listed<RepositoryTag>, GitLabError> {
        let path = format!("projects/{}/registry/repositories/{}/tags", repository.project_id, repository.id);
        self.list(&format!("list the tags of {}", repository.path), &path, &[])
    }

    /// What is known of a tag; `None` where it is gone.
    ///
    /// # Errors
    /// The API refuses.
    pub fn tag_details(&self, repository: &Repository, tag: &str) -> Result<Option<TagDetails>, GitLabError> {
        let action = format!("ask about the tag {}:{tag}", repository.path);
        let endpoint = RepositoryTagDetails::builder()
            .project(repository.project_id)
            .repository_id(repository.id)
            .tag_name(tag)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        match self.ask(&action, &endpoint) {
            Ok(details) => Ok(Some(details)),
            Err(GitLabError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An id or a path as one part of an address.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
