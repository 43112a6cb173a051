//! Which alerts a channel without a memory was told, in the project's state.
//!
//! As for the index of the state, each write is a file with a name of its own, readers take all files together, and only
//! who has stored the merger removes what is in it: a package registry that forbids duplicates is no obstacle, and two
//! jobs at the same time forget nothing. Entries are kept for [`Journal::DAYS`] days, far longer than anybody tries a job
//! again. A file that cannot be read is left alone: better told twice than never.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::state::{Item, Store, StoreError};

/// What was told, kept in a store.
#[derive(Debug, Clone)]
pub struct Journal {
    store: Arc<dyn Store>,
}

/// The journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {cause}")]
pub struct JournalError {
    /// Where it is.
    pub place: String,
    /// Why not.
    #[source]
    pub cause: StoreError,
}

/// What was told and the days on which, by channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    format: String,
    told: BTreeMap<String, BTreeMap<String, Date>>,
}

impl Journal {
    /// How long entries are kept.
    pub const DAYS: i32 = 30;

    /// The journal in a store; asks nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// All that was told, and the files that say so.
    pub(super) fn read(&self) -> Result<(Told, Vec<Item>), JournalError> {
        let mut all = Told::default();
        let mut files = Vec::new();
        for item in self.store.list(FOLDER).map_err(|cause| self.failed(cause))? {
            if !item.name.starts_with(PREFIX) {
                continue;
            }
            // What vanishes meanwhile is in a newer file; at worst something is told twice.
            let Some(bytes) = self.store.read(FOLDER, &item.name).map_err(|cause| self.failed(cause))? else {
                continue;
            };
            match serde_json::from_slice::<Told>(&bytes) {
                Ok(told) if told.format == FORMAT => {
                    all.take(told);
                    files.push(item);
                }
                Ok(told) => warn!("`{FOLDER}/{}` is no journal of alerts: its format is `{}`", item.name, told.format),
                Err(error) => warn!("`{FOLDER}/{}` is no journal of alerts: {error}", item.name),
            }
        }
        Ok((all, files))
    }

    /// Writes all that was told in place of the files that it was read from. Returns the files that say so now.
    pub(super) fn replace(&self, read: &[Item], told: &Told) -> Result<Vec<Item>, JournalError> {
        let random = RandomState::new().build_hasher().finish();
        let name = format!("{PREFIX}{:014}-{random:016x}.json", Timestamp::now().as_millisecond().max(0));
        let bytes = serde_json::to_vec(told).unwrap_or_default();
        let write = || {
            self.store.write(FOLDER, &name, &bytes)?;
            // A file that stays would bring back what was taken back.
            read.iter().try_for_each(|item| self.store.remove(FOLDER, item))?;
            self.store.list(FOLDER)
        };
        let items = write().map_err(|cause| self.failed(cause))?;
        Ok(items.into_iter().filter(|item| item.name == name).collect())
    }

    fn failed(&self, cause: StoreError) -> JournalError {
        JournalError { place: self.store.name(), cause }
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

    /// Takes what another file says.
    fn take(&mut self, other: Self) {
        FORMAT.clone_into(&mut self.format);
        for (channel, keys) in other.told {
            let known = self.told.entry(channel).or_default();
            for (key, day) in keys {
                let last = known.entry(key).or_insert(day);
                *last = day.max(*last);
            }
        }
    }
}

const FOLDER: &str = "alerts";
const PREFIX: &str = "told-";
const FORMAT: &str = "plimsoll-told-1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Directory;

    #[test]
    fn keys_are_kept_for_a_while() {
        let place = tempfile::tempdir().unwrap();
        let journal = Journal::new(Arc::new(Directory::new(place.path())));
        let (mut told, read) = journal.read().unwrap();
        assert!(read.is_empty());
        let day = jiff::civil::date(2026, 11, 1);
        told.enter("webhook", ["a".to_owned(), "b".to_owned()], day);
        let first = journal.replace(&read, &told).unwrap();
        told.strike("webhook", &["b".to_owned()]);
        journal.replace(&first, &told).unwrap();
        let (mut told, read) = journal.read().unwrap();
        assert_eq!(read.len(), 1);
        assert!(told.contains("webhook", "a") && !told.contains("webhook", "b") && !told.contains("issue", "a"));
        told.enter("webhook", [], day.checked_add(29.days()).unwrap());
        assert!(told.contains("webhook", "a"));
        told.enter("webhook", [], day.checked_add(31.days()).unwrap());
        assert!(!told.contains("webhook", "a"));
        std::fs::write(place.path().join("alerts").join(&read[0].name), "{").unwrap();
        assert_eq!(journal.read().unwrap(), (Told::default(), vec![]));
    }

    #[test]
    fn jobs_at_the_same_time_forget_nothing() {
        let place = tempfile::tempdir().unwrap();
        let journal = Journal::new(Arc::new(Directory::new(place.path())));
        let day = jiff::civil::date(2026, 11, 1);
        let both = [journal.read().unwrap(), journal.read().unwrap()];
        for (key, (mut told, read)) in ["a", "b"].into_iter().zip(both) {
            told.enter("webhook", [key.to_owned()], day);
            journal.replace(&read, &told).unwrap();
        }
        let (told, read) = journal.read().unwrap();
        assert!(told.contains("webhook", "a") && told.contains("webhook", "b"));
        journal.replace(&read, &told).unwrap();
        assert_eq!(std::fs::read_dir(place.path().join("alerts")).unwrap().count(), 1);
    }
}
