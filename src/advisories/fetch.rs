//! Where feeds come from: a folder in the upstreams' own layout; other ways implement [`Fetch`] where they belong.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;

/// Brings the files of feeds, by their path in the common layout (`osv/npm/all.zip`, `debian/tracker/data/json`, …).
pub trait Fetch: Sync {
    /// A file; `None` where there is none.
    ///
    /// # Errors
    /// It could not be brought although it may be there.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError>;

    /// The names in a folder; `None` where this cannot be told.
    fn list(&self, folder: &str) -> Option<Vec<String>>;

    /// For people: where the feeds come from.
    fn origin(&self) -> String;

    /// When the copy of a file that is kept from an earlier time was current, if there is one.
    fn kept(&self, _path: &str) -> Option<Timestamp> {
        None
    }

    /// Lets [`Fetch::get`] give the kept copy of a file without asking for news.
    fn rely_on_kept(&self, _path: &str) {}

    /// When the server says that a file which [`Fetch::get`] has given was last changed.
    fn modified(&self, _path: &str) -> Option<Timestamp> {
        None
    }

    /// Takes note that a list of files was not understood, or not used to its end: records are missing because of it.
    fn incomplete(&self, _path: &str, _reason: String) {}

    /// Whether [`Fetch::get`] has given an older copy of a file because nobody could be asked.
    fn outdated(&self, _path: &str) -> Option<Outdated> {
        None
    }
}

/// A copy from an earlier time took the place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated {
    /// When it was current.
    pub since: Timestamp,
    /// Why there is no newer one.
    pub reason: String,
}

/// A file could not be brought.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot read `{path}`: {reason}")]
pub struct FetchError {
    /// The path in the common layout.
    pub path: String,
    /// Why.
    pub reason: String,
    /// Whether it is the place that cannot be reached.
    pub unreachable: bool,
}

/// A folder on this machine.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The path below the folder; none that leads out of it.
    fn inside(&self, path: &str) -> Option<PathBuf> {
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        plain.then(|| self.0.join(path))
    }
}

impl Fetch for Folder {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError> {
        let Some(file) = self.inside(path) else { return Ok(None) };
        let failed =
            |error: io::Error| FetchError { path: path.to_owned(), reason: error.to_string(), unreachable: false };
        let file = match File::open(file) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LARGEST {
            return Err(failed(io::Error::other("it is larger than 2 GiB")));
        }
        Ok(Some(bytes))
    }

    fn list(&self, folder: &str) -> Option<Vec<String>> {
        let entries = fs::read_dir(self.inside(folder)?).ok()?;
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        Some(names)
    }

    fn origin(&self) -> String {
        self.0.display().to_string()
    }
}

const LARGEST: u64 = 2 << 30;
