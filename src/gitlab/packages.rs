//! Files in the project's generic package registry, which the job token may read and write on every tier.

use gitlab::api::projects::packages::generic::{GetPackageFile, UploadPackageFile, UploadPackageStatus};
use gitlab::api::projects::packages::package_files::DeletePackageFile;
use serde::Deserialize;

use super::notes::invalid;
use super::pages::Listed;
use super::registry::escaped;
use super::{GitLab, GitLabError};

/// One file of a package. Several may have the same name; the one with the highest id is what a download gives.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PackageFile {
    /// Its id.
    pub id: u64,
    /// The package that it is in.
    pub package_id: u64,
    /// Its name.
    pub file_name: String,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
}

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

    /// The files of one version of a package; none where there is no such package. Packages that uploads have hidden are
    /// found too.
    ///
    /// # Errors
    /// The API refuses.
    pub fn package_files(
        &self,
        project: &str,
        package: &str,
        version: &str,
    ) -> Result<Listed<PackageFile>, GitLabError> {
        #[derive(Deserialize)]
        struct Package {
            id: u64,
            name: String,
            version: Option<String>,
        }
        let action = format!("list the files of the package `{package}`");
        let path = format!("projects/{}/packages", escaped(project));
        let mut found: Option<u64> = None;
        for status in ["hidden", "default"] {
            let query = [("package_name", package), ("package_version", version), ("status", status)];
            let packages: Listed<Package> = self.list(&action, &path, &query)?;
            // The name is searched for as a part, and old instances do not know the filter by version.
            let same = |one: &Package| one.name == package && one.version.as_deref() == Some(version);
            found = packages.items.into_iter().find(same).map(|one| one.id);
            if found.is_some() {
                break;
            }
        }
        match found {
            Some(id) => self.list(&action, &format!("{path}/{id}/package_files"), &[]),
            None => Ok(Listed { items: Vec::new(), cut: None }),
        }
    }

    /// Deletes one file of a package; one that is gone already counts as deleted.
    ///
    /// # Errors
    /// The API refuses.
    pub fn delete_package_file(&self, project: &str, package: u64, file: u64) -> Result<(), GitLabError> {
        let action = format!("delete the file {file} of the package {package}");
        let endpoint = DeletePackageFile::builder()
            .project(project)
            .package_id(package)
            .package_file_id(file)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        match self.tell(&action, endpoint) {
            Err(GitLabError::Refused { status: 404, .. }) => Ok(()),
            other => other,
        }
    }
}
