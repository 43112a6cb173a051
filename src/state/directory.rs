//! State in a directory: for tests, and for those who keep it elsewhere.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::store::{Item, Store, StoreError};

/// Files below a directory, which is made when the first is written.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// State below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.display().to_string();
        move |cause| StoreError::File { path, cause }
    }
}

impl Store for Directory {
    fn name(&self) -> String {
        format!("the directory {}", self.root.display())
    }

    fn list(&self, folder: &str) -> Result<Vec<Item>, StoreError> {
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Self::failed(&path)(error)),
        };
        let mut items = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Self::failed(&path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What is half written bears a dot; it goes with its writer, or stays without harm.
            if !name.starts_with('.')
                && let Ok(metadata) = entry.metadata()
                && metadata.is_file()
            {
                items.push(Item { name, id: 0, folder: 0, size: metadata.len() });
            }
        }
        items.sort();
        Ok(items)
    }

    fn read(&self, folder: &str, file: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.root.join(folder).join(file);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Self::failed(&path)(error)),
        }
    }

    fn write(&self, folder: &str, file: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let directory = self.root.join(folder);
        fs::create_dir_all(&directory).map_err(Self::failed(&directory))?;
        let path = directory.join(file);
        // Other jobs, which may have the same process id in a container of their own, write here too.
        let random = RandomState::new().build_hasher().finish();
        let temporary = directory.join(format!(".{random:016x}.tmp"));
        let written = (|| {
            let mut out = File::create(&temporary)?;
            out.write_all(bytes)?;
            // A name that survives a power cut must not be that of an empty file.
            out.sync_data()?;
            fs::rename(&temporary, &path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written.map_err(Self::failed(&path))
    }

    fn remove(&self, folder: &str, item: &Item) -> Result<(), StoreError> {
        let path = self.root.join(folder).join(&item.name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Self::failed(&path)(error)),
            _ => Ok(()),
        }
    }
}
