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
