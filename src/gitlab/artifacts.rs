//! Files that jobs of other pipelines left.

use gitlab::api::projects::jobs::artifacts::DownloadRefJobArtifactFile;

use super::notes::invalid;
use super::{GitLab, GitLabError};

impl GitLab {
    /// A file among the artifacts of the latest successful pipeline of a branch or tag; `None` if there is none.
    ///
    /// GitLab documents this for the job token on Premium and Ultimate; an access token may do it everywhere.
    ///
    /// # Errors
    /// The API refuses.
    pub fn artifact(
        &self,
        project: &str,
        reference: &str,
        job: &str,
        path: &str,
    ) -> Result<Option<Vec<u8>>, GitLabError> {
        let action = format!("read `{path}` of the job `{job}` on `{reference}`");
        let endpoint = DownloadRefJobArtifactFile::builder()
            .project(project)
            .ref_name(reference)
            .job(job)
            .path(path)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        self.download(&action, endpoint)
    }
}
