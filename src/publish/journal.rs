//! Which alerts a channel without a memory was told: `told.json` in the project's state.
//!
//! Keys are kept for [`Journal::DAYS`] days, far longer than anybody tries a job again; after that the same news would
//! be news again. A journal that cannot be read is set aside: better told twice than never.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::gitlab::{GitLab, GitLabError};

/// Where the journal is kept.
#[derive(Debug)]
pub enum Journal<'a> {
    /// In the project's generic package registry.
    Package {
        /// The API; the job token is enough.
        gitlab: &'a GitLab,
        /// Id or path of the project.
        project: &'a str,
    },
    /// In a directory.
    Directory(PathBuf),
}

/// The journal cannot be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The API refuses.
    #[error(transparent)]
    GitLab(#[from] GitLabError),
    /// The directory cannot be read or written.
    #[error("`{path}`: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// Keys and the days on which they were told, by channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    format: String,
    told: BTreeMap<String, BTreeMap<String, Date>>,
}

impl Journal<'_> {
    /// How long keys are kept.
    pub const DAYS: i32 = 30;

    pub(super) fn read(&self) -> Result<Told, JournalError> {
        let bytes = match self {
            Self::Package { gitlab, project } => gitlab.package_file(project, PACKAGE, VERSION, FILE)?,
            Self::Directory(directory) => match std::fs::read(directory.join(FILE)) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(JournalError::file(directory.join(FILE), &error)),
            },
        };
        let Some(bytes) = bytes else { return Ok(Told::default()) };
        match serde_json::from_slice::<Told>(&bytes) {
            Ok(told) if told.format == FORMAT => Ok(told),
            Ok(told) => {
                warn!("the journal of alerts is set aside: its format is `{}`", told.format);
                Ok(Told::default())
            }
            Err(error) => {
                warn!("the journal of alerts is set aside: {error}");
                Ok(Told::default())
            }
        }
    }

    pub(super) fn write(&self, told: &Told) -> Result<(), JournalError> {
        let bytes = serde_json::to_vec(told).unwrap_or_default();
        match self {
            Self::Package { gitlab, project } => {
                gitlab.upload_package_file(project, PACKAGE, VERSION, FILE, &bytes)?;
            }
            Self::Directory(directory) => {
                let path = directory.join(FILE);
                let failed = |error: std::io::Error| JournalError::file(path.clone(), &error);
                std::fs::create_dir_all(directory).map_err(failed)?;
                // Whoever reads sees the old journal or the new one.
                let beside = directory.join(format!(".{FILE}.{}", std::process::id()));
                std::fs::write(&beside, &bytes).map_err(failed)?;
                std::fs::rename(&beside, &path).map_err(failed)?;
            }
        }
        Ok(())
    }
}

impl JournalError {
    fn file(path: PathBuf, error: &std::io::Error) -> Self {
        Self::File { path, reason: error.to_string() }
    }
}

impl Told {
    /// Whether a channel was told.
    pub(super) fn contains(&self, channel: &str, key: &str) -> bool {
        self.told.get(channel).is_some_and(|keys| keys.contains_key(key))
    }

    /// Enters keys, and forgets old ones.
    pub(super) fn enter(&mut self, channel: &str, keys: impl IntoIterator<Item = String>, today: Date) {
        FORMAT.clone_into(&mut self.format);
        let oldest = today.checked_sub(Journal::DAYS.days()).unwrap_or(today);
        for told in self.told.values_mut() {
            told.retain(|_, day| *day >= oldest);
        }
        self.told.entry(channel.to_owned()).or_default().extend(keys.into_iter().map(|key| (key, today)));
    }

    /// Takes keys back.
    pub(super) fn strike(&mut self, channel: &str, keys: &[String]) {
        if let Some(told) = self.told.get_mut(channel) {
            told.retain(|key, _| !keys.contains(key));
        }
    }
}

const PACKAGE: &str = "plimsoll-state";
const VERSION: &str = "alerts";
const FILE: &str = "told.json";
const FORMAT: &str = "plimsoll-told-1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_for_a_while() {
        let place = tempfile::tempdir().unwrap();
        let journal = Journal::Directory(place.path().join("state"));
        let mut told = journal.read().unwrap();
        let day = jiff::civil::date(2026, 11, 1);
        told.enter("webhook", ["a".to_owned(), "b".to_owned()], day);
        told.strike("webhook", &["b".to_owned()]);
        journal.write(&told).unwrap();
        let mut told = journal.read().unwrap();
        assert!(told.contains("webhook", "a") && !told.contains("webhook", "b") && !told.contains("issue", "a"));
        told.enter("webhook", [], day.checked_add(29.days()).unwrap());
        assert!(told.contains("webhook", "a"));
        told.enter("webhook", [], day.checked_add(31.days()).unwrap());
        assert!(!told.contains("webhook", "a"));
        std::fs::write(place.path().join("state/told.json"), "{").unwrap();
        assert_eq!(journal.read().unwrap(), Told::default());
    }
}
