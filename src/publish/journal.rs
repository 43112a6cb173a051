//! Which alerts a channel without a memory was told, in the project's state.
//!
//! As for the index of the state, each write is a file with a name of its own, readers take all files together, and only
//! who has stored the merger removes what is in it: a package registry that forbids duplicates is no obstacle, and two
//! jobs at the same time forget nothing. Who may not remove files (GitLab lets some roles store packages only) says in a
//! later file which one is void. Entries are kept for [`Journal::DAYS`] days, far longer than anybody tries a job
//! again. A file that cannot be read is left alone: better told twice than never.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
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

/// What was told and when, by channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    format: String,
    told: BTreeMap<String, BTreeMap<String, Timestamp>>,
    /// Names of files that do not count: what they say was told was not.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    void: BTreeSet<String>,
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
        let mut found = Vec::new();
        for item in self.store.list(FOLDER).map_err(|cause| self.failed(cause))? {
            if !item.name.starts_with(PREFIX) {
                continue;
            }
            // What vanishes meanwhile is in a newer file; at worst something is told twice.
            let Some(bytes) = self.store.read(FOLDER, &item.name).map_err(|cause| self.failed(cause))? else {
                continue;
            };
            match serde_json::from_slice::<Told>(&bytes) {
                Ok(told) if told.format == FORMAT => found.push((item, told)),
                Ok(told) => warn!("`{FOLDER}/{}` is no journal of alerts: its format is `{}`", item.name, told.format),
                Err(error) => warn!("`{FOLDER}/{}` is no journal of alerts: {error}", item.name),
            }
        }
        let mut void: BTreeSet<String> = found.iter().flat_map(|(_, told)| told.void.iter().cloned()).collect();
        void.retain(|name| found.iter().any(|(item, _)| item.name == *name));
        let mut all = Told::default();
        let mut files = Vec::new();
        for (item, told) in found {
            if !void.contains(&item.name) {
                all.take(told);
            }
            files.push(item);
        }
        all.void = void;
        Ok((all, files))
    }

    /// Writes all that was told, beside the files that it was read from. Returns the name of the new file.
    pub(super) fn write(&self, told: &Told) -> Result<String, JournalError> {
        let random = RandomState::new().build_hasher().finish();
        let name = format!("{PREFIX}{:014}-{random:016x}.json", Timestamp::now().as_millisecond().max(0));
        let bytes = serde_json::to_vec(told).unwrap_or_default();
        self.store.write(FOLDER, &name, &bytes).map_err(|cause| self.failed(cause))?;
        Ok(name)
    }

    /// Removes files whose content a newer one has. One that stays is read again, and harms nobody.
    pub(super) fn remove(&self, files: &[Item]) {
        for item in files {
            if let Err(error) = self.store.remove(FOLDER, item) {
                warn!("{}: `{FOLDER}/{}` stays beside a newer one: {error}", self.store.name(), item.name);
                return;
            }
        }
    }

    /// Takes back a file that was written; `before` is what is true without it.
    pub(super) fn withdraw(&self, name: &str, before: &Told) -> Result<(), JournalError> {
        let remove = || {
            let items = self.store.list(FOLDER)?;
            items.iter().filter(|item| item.name == name).try_for_each(|item| self.store.remove(FOLDER, item))
        };
        if remove().is_ok() {
            return Ok(());
        }
        let mut told = before.clone();
        FORMAT.clone_into(&mut told.format);
        told.void.insert(name.to_owned());
        self.write(&told).map(drop)
    }

    fn failed(&self, cause: StoreError) -> JournalError {
        JournalError { place: self.store.name(), cause }
    }
}

impl Told {
    /// Whether a channel was told, and since `heard` if that is given: what had gone away and comes back is news again.
    pub(super) fn contains(&self, channel: &str, key: &str, heard: Option<Timestamp>) -> bool {
        let told = self.told.get(channel).and_then(|keys| keys.get(key));
        told.is_some_and(|told| heard.is_none_or(|heard| *told >= heard))
    }

    /// Enters keys, and forgets old ones.
    pub(super) fn enter(&mut self, channel: &str, keys: impl IntoIterator<Item = String>, now: Timestamp) {
        FORMAT.clone_into(&mut self.format);
        let oldest = now.checked_sub(SignedDuration::from_hours(24 * i64::from(Journal::DAYS))).unwrap_or(now);
        for told in self.told.values_mut() {
            told.retain(|_, time| *time >= oldest);
        }
        self.told.entry(channel.to_owned()).or_default().extend(keys.into_iter().map(|key| (key, now)));
    }

    /// Takes what another file says.
    fn take(&mut self, other: Self) {
        FORMAT.clone_into(&mut self.format);
        for (channel, keys) in other.told {
            let known = self.told.entry(channel).or_default();
            for (key, time) in keys {
                let last = known.entry(key).or_insert(time);
                *last = time.max(*last);
            }
        }
    }
}

const FOLDER: &str = "alerts";
const PREFIX: &str = "told-";
const FORMAT: &str = "plimsoll-told-2";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Directory;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + day * 86_400).unwrap()
    }

    #[test]
    fn keys_are_kept_for_a_while() {
        let place = tempfile::tempdir().unwrap();
        let journal = Journal::new(Arc::new(Directory::new(place.path())));
        let (before, read) = journal.read().unwrap();
        assert!(read.is_empty());
        let mut told = before.clone();
        told.enter("webhook", ["a".to_owned()], at(0));
        journal.write(&told).unwrap();
        let (before, read) = journal.read().unwrap();
        let mut told = before.clone();
        told.enter("webhook", ["b".to_owned()], at(0));
        let name = journal.write(&told).unwrap();
        journal.withdraw(&name, &before).unwrap();
        assert_eq!(journal.read().unwrap().1, read);
        let (mut told, read) = journal.read().unwrap();
        let has = |told: &Told, channel: &str, key: &str| told.contains(channel, key, None);
        assert!(has(&told, "webhook", "a") && !has(&told, "webhook", "b") && !has(&told, "issue", "a"));
        // What was told before the news was last known to be none is told again.
        assert!(told.contains("webhook", "a", Some(at(-1))) && !told.contains("webhook", "a", Some(at(1))));
        told.enter("webhook", [], at(29));
        assert!(has(&told, "webhook", "a"));
        told.enter("webhook", [], at(31));
        assert!(!has(&told, "webhook", "a"));
        std::fs::write(place.path().join("alerts").join(&read[0].name), "{").unwrap();
        assert_eq!(journal.read().unwrap(), (Told::default(), vec![]));
    }

    #[test]
    fn jobs_at_the_same_time_forget_nothing() {
        let place = tempfile::tempdir().unwrap();
        let journal = Journal::new(Arc::new(Directory::new(place.path())));
        let both = [journal.read().unwrap(), journal.read().unwrap()];
        for (key, (mut told, read)) in ["a", "b"].into_iter().zip(both) {
            told.enter("webhook", [key.to_owned()], at(0));
            journal.write(&told).unwrap();
            journal.remove(&read);
        }
        let (told, read) = journal.read().unwrap();
        assert!(told.contains("webhook", "a", None) && told.contains("webhook", "b", None));
        journal.write(&told).unwrap();
        journal.remove(&read);
        assert_eq!(std::fs::read_dir(place.path().join("alerts")).unwrap().count(), 1);
    }

    /// A package registry as a Developer has it: files come, and stay.
    #[derive(Debug)]
    struct Growing(Directory);

    impl Store for Growing {
        fn name(&self) -> String {
            self.0.name()
        }

        fn list(&self, folder: &str) -> Result<Vec<Item>, StoreError> {
            self.0.list(folder)
        }

        fn read(&self, folder: &str, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
            self.0.read(folder, name)
        }

        fn write(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
            self.0.write(folder, name, bytes)
        }

        fn remove(&self, _: &str, _: &Item) -> Result<(), StoreError> {
            Err(StoreError::File { path: "a".to_owned(), cause: std::io::ErrorKind::PermissionDenied.into() })
        }
    }

    #[test]
    fn who_may_not_remove_files_takes_back_what_was_not_told() {
        let place = tempfile::tempdir().unwrap();
        let journal = Journal::new(Arc::new(Growing(Directory::new(place.path()))));
        for (key, is_told) in [("a", true), ("b", false), ("c", true)] {
            let (before, read) = journal.read().unwrap();
            let mut told = before.clone();
            told.enter("webhook", [key.to_owned()], at(0));
            let name = journal.write(&told).unwrap();
            if is_told {
                journal.remove(&read);
            } else {
                journal.withdraw(&name, &before).unwrap();
            }
        }
        let (told, _) = journal.read().unwrap();
        assert!(
            ["a", "c"].iter().all(|key| told.contains("webhook", key, None)) && !told.contains("webhook", "b", None)
        );
    }
}
