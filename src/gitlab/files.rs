//! Files of the repository, for jobs that have no checkout.

use gitlab::api::projects::repository::files::FileRaw;

use super::notes::invalid;
use super::{GitLab, GitLabError};

impl GitLab {
    /// A file at a commit, branch or tag; `None` if there is none. The job token may read its own project's.
    ///
    /// # Errors
    /// The API refuses.
    pub fn file(&self, project: &str, path: &str, reference: &str) -> Result<Option<Vec<u8>>, GitLabError> {
        let action = format!("read the file `{path}` at `{reference}`");
        let endpoint = FileRaw::builder()
            .project(project)
            .file_path(path)
            .ref_(reference)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        self.download(&action, endpoint)
    }
}
