//! Files in the project's generic package registry, which the job token may read and write on every tier.

use gitlab::api::projects::packages::generic::{GetPackageFile, UploadPackageFile, UploadPackageStatus};

use super::notes::invalid;
use super::{GitLab, GitLabError};

impl GitLab {
    /// A file of a package; `None` if there is none, or if it may not be seen.
    ///
    /// # Errors
    /// The API refuses.
    pub fn package_file(
        &self,
        project: &str,
        package: &str,
        version: &str,
        file: &str,
    ) -> Result<Option<Vec<u8>>, GitLabError> {
        let action = format!("read the file `{file}` of the package `{package}`");
        let endpoint = GetPackageFile::builder()
            .project(project)
            .package_name(package)
            .package_version(version)
            .file_name(file)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        self.download(&action, endpoint)
    }

    /// Stores a file in a package, which is made if need be. Another file of that name is kept behind the new one.
    ///
    /// # Errors
    /// The API refuses.
    pub fn upload_package_file(
        &self,
        project: &str,
        package: &str,
        version: &str,
        file: &str,
        bytes: &[u8],
    ) -> Result<(), GitLabError> {
        let action = format!("store the file `{file}` in the package `{package}`");
        let endpoint = UploadPackageFile::builder()
            .project(project)
            .package_name(package)
            .package_version(version)
            .file_name(file)
            .status(UploadPackageStatus::Hidden)
            .contents(bytes)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        self.tell(&action, endpoint)
    }
}
