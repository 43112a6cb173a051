//! Merge requests themselves.

use gitlab::api::projects::merge_requests::MergeRequest;
use serde::Deserialize;

use super::notes::invalid;
use super::{GitLab, GitLabError};

/// A merge request, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OpenMergeRequest {
    /// The branch that it is to be merged into.
    pub target_branch: String,
    /// The commits between which its diff is; absent while GitLab prepares it.
    #[serde(default)]
    pub diff_refs: Option<DiffRefs>,
}

/// Commits of a diff.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DiffRefs {
    /// Where the source branch left the target branch.
    pub base_sha: String,
    /// The tip of the target branch at that time.
    pub start_sha: String,
    /// The tip of the source branch.
    pub head_sha: String,
}

impl GitLab {
    /// A merge request by its number in the project.
    ///
    /// # Errors
    /// The API refuses.
    pub fn merge_request(&self, project: &str, iid: u64) -> Result<OpenMergeRequest, GitLabError> {
        let action = format!("read merge request !{iid}");
        let endpoint = MergeRequest::builder()
            .project(project)
            .merge_request(iid)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        self.ask(&action, &endpoint)
    }
}
