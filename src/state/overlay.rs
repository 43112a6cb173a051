//! State that may be read and not changed: what is written goes into a directory that ends with the process.

use std::path::PathBuf;
use std::sync::Arc;

use super::directory::Directory;
use super::store::{Item, Store, StoreError};

/// Another store below, and what was written on top of it.
#[derive(Debug)]
pub struct Overlay {
    below: Arc<dyn Store>,
    top: Directory,
    path: PathBuf,
}

impl Overlay {
    /// Reads from `below`, and writes into the directory `path`, which is removed at the end.
    #[must_use]
    pub fn new(below: Arc<dyn Store>, path: PathBuf) -> Self {
        Self { below, top: Directory::new(&path), path }
    }
}

impl Store for Overlay {
    fn name(&self) -> String {
        format!("{}, which is not written to,", self.below.name())
    }

    fn list(&self, folder: &str) -> Result<Vec<Item>, StoreError> {
        let mut items = self.below.list(folder)?;
        let own = self.top.list(folder)?;
        items.retain(|item| !own.iter().any(|other| other.name == item.name));
        items.extend(own);
        Ok(items)
    }

    fn read(&self, folder: &str, file: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.top.read(folder, file)? {
            Some(bytes) => Ok(Some(bytes)),
            None => self.below.read(folder, file),
        }
    }

    fn write(&self, folder: &str, file: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.top.write(folder, file, bytes)
    }

    fn remove(&self, folder: &str, item: &Item) -> Result<(), StoreError> {
        self.top.remove(folder, item)
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
