//! State in the generic package registry of a project: a package, its versions are the folders.
//!
//! The job token may read, write and list it on every tier. An upload under a name that exists keeps the old file behind
//! the new one; where a group forbids that, the old one is deleted first.

use std::sync::Arc;

use super::store::{Item, Store, StoreError};
use crate::gitlab::{GitLab, GitLabError};

/// The package of a project.
#[derive(Debug)]
pub struct Packages {
    gitlab: Arc<GitLab>,
    project: String,
}

impl Packages {
    /// The name of the package.
    pub const PACKAGE: &'static str = "plimsoll-state";

    /// The package of a project, by id or path; asks nothing yet.
    #[must_use]
    pub fn new(gitlab: Arc<GitLab>, project: &str) -> Self {
        Self { gitlab, project: project.to_owned() }
    }
}

impl Store for Packages {
    fn name(&self) -> String {
        format!("the package {} of project {}", Self::PACKAGE, self.project)
    }

    fn list(&self, folder: &str) -> Result<Vec<Item>, StoreError> {
        let files = self.gitlab.package_files(&self.project, Self::PACKAGE, folder)?;
        let item = |file: crate::gitlab::PackageFile| Item {
            name: file.file_name,
            id: file.id,
            folder: file.package_id,
            size: file.size,
        };
        Ok(files.items.into_iter().map(item).collect())
    }

    fn read(&self, folder: &str, file: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.gitlab.package_file(&self.project, Self::PACKAGE, folder, file)?)
    }

    fn write(&self, folder: &str, file: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let upload = || self.gitlab.upload_package_file(&self.project, Self::PACKAGE, folder, file, bytes);
        match upload() {
            Err(GitLabError::Refused { status: 400 | 409, .. }) => {
                let old: Vec<Item> = self.list(folder)?.into_iter().filter(|item| item.name == file).collect();
                for item in &old {
                    self.remove(folder, item)?;
                }
                Ok(upload()?)
            }
            other => Ok(other?),
        }
    }

    fn remove(&self, _: &str, item: &Item) -> Result<(), StoreError> {
        Ok(self.gitlab.delete_package_file(&self.project, item.folder, item.id)?)
    }
}
