//! What a place for state must be able to do.

use std::fmt;

use crate::gitlab::GitLabError;

/// Folders with files. Files appear whole or not at all; nothing else is asked of it.
pub trait Store: Send + Sync + fmt::Debug {
    /// What people call it: `the package registry of project 7`.
    fn name(&self) -> String;

    /// The files of a folder; none where there is no such folder.
    ///
    /// # Errors
    /// The place cannot be read.
    fn list(&self, folder: &str) -> Result<Vec<Item>, StoreError>;

    /// A file's bytes; `None` where there is none.
    ///
    /// # Errors
    /// The place cannot be read.
    fn read(&self, folder: &str, file: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes a file, in place of another of that name.
    ///
    /// # Errors
    /// The place cannot be written.
    fn write(&self, folder: &str, file: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// Removes what [`Store::list`] found; what is gone already is no error.
    ///
    /// # Errors
    /// The place cannot be written.
    fn remove(&self, folder: &str, item: &Item) -> Result<(), StoreError>;
}

/// A file of a folder. Where a place keeps replaced files, several have the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// What the place calls it, rising with time; 0 where the name is enough.
    pub id: u64,
    /// What the place calls its folder; 0 where the name is enough.
    pub folder: u64,
    /// Bytes.
    pub size: u64,
}

/// The state cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Of a directory.
    #[error("`{path}`: {cause}")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Of the package registry.
    #[error(transparent)]
    GitLab(#[from] GitLabError),
}
