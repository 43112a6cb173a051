//! Feeds over the network: at their upstreams, at mirrors of single feeds, or under one base in the common layout.
//!
//! Every file is kept in the cache with what its server said about it, and asked for with `If-None-Match` and
//! `If-Modified-Since` the next time (RFC 9110, 13), once per run. Where a server cannot be asked, or does not have the file
//! any more, the kept copy is given, and [`Fetch::outdated`] says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::advisories::cache::Cache;
use crate::advisories::catalogue::Layer;
use crate::advisories::feed::address;
use crate::advisories::fetch::{Fetch, FetchError, Outdated};
use crate::model::{Digest, FeedId};
use crate::net::{Fetched, HttpFetch, NetError, Validators};

/// The network as a place of feeds.
#[derive(Debug)]
pub struct Upstreams {
    http: HttpFetch,
    /// Where one server is away already, the next ones are not asked as patiently.
    hasty: HttpFetch,
    base: Option<String>,
    bases: BTreeMap<FeedId, String>,
    cache: Cache,
    /// Whether a file that is gone from its server is gone here too.
    drops_what_is_gone: bool,
    state: Mutex<State>,
}

/// What was learnt while asking.
#[derive(Debug, Default)]
struct State {
    /// Hosts that cannot be reached, with the reason.
    away: BTreeMap<String, NetError>,
    /// Whether anybody has answered.
    answered: bool,
    outdated: BTreeMap<String, Outdated>,
    relied_on: BTreeSet<String>,
}

/// A kept copy of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    url: String,
    validators: Validators,
    file: Layer,
    /// When the server last said that it is current.
    current: Timestamp,
}

impl Upstreams {
    /// Feeds below `base` in the common layout, without one at their upstreams; `bases` are mirrors of single feeds, which
    /// come before both. Copies are kept in the cache.
    #[must_use]
    pub fn new(http: HttpFetch, base: Option<&str>, bases: BTreeMap<FeedId, String>, cache: Cache) -> Self {
        let base = base.map(|base| base.trim_end_matches('/').to_owned());
        Self { hasty: http.once(), http, base, bases, cache, drops_what_is_gone: false, state: Mutex::default() }
    }

    /// Lets files that are gone from their servers be gone, instead of using the copies of them for ever.
    #[must_use]
    pub fn dropping_what_is_gone(self, drops_what_is_gone: bool) -> Self {
        Self { drops_what_is_gone, ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a file is.
    fn address(&self, path: &str) -> Option<String> {
        let below_base = || self.base.as_ref().map(|base| format!("{base}/{}", path.replace(' ', "%20")));
        let mirror = |feed: FeedId| self.bases.get(&feed).cloned();
        let is_mirrored = std::cell::Cell::new(false);
        let found = address(path, |feed| mirror(feed).inspect(|_| is_mirrored.set(true)));
        if is_mirrored.get() { found } else { below_base().or(found) }
    }

    fn note(&self, url: &str) -> Option<Note> {
        self.cache.note(&note_name(url)).filter(|note: &Note| note.url == url)
    }

    /// Keeps a copy, or that it is current; a cache that cannot be written costs only time.
    fn keep(&self, url: &str, validators: Validators, file: Layer) {
        let note = Note { url: url.to_owned(), validators, file, current: Timestamp::now() };
        if let Err(error) = self.cache.write_note(&note_name(url), &note) {
            tracing::warn!("the cache cannot be written: {error}");
        }
    }

    /// One request; of servers that are away none.
    fn ask(&self, url: &str, known: &Validators) -> Result<Fetched, NetError> {
        let host = host(url);
        let http = {
            let state = self.state();
            if let Some(error) = state.away.get(host) {
                return Err(error.clone());
            }
            match (state.answered, state.away.len(), state.away.values().next()) {
                (false, MOST_AWAY.., Some(error)) => return Err(error.clone()),
                (false, 1.., _) => &self.hasty,
                _ => &self.http,
            }
        };
        tracing::info!("fetching {url}");
        let result = http.get_if_changed(url, known);
        let mut state = self.state();
        match &result {
            Err(error) if error.is_unreachable() => drop(state.away.insert(host.to_owned(), error.clone())),
            _ => state.answered = true,
        }
        result
    }

    /// A file and whether it came or was found current now.
    fn fetch(&self, url: &str, note: Option<&Note>) -> Result<Option<Vec<u8>>, NetError> {
        let known = note.map(|note| note.validators.clone()).unwrap_or_default();
        let mut fetched = self.ask(url, &known)?;
        if fetched == Fetched::Unchanged {
            let copy = note.and_then(|note| Some((self.cache.read(&note.file)?, note.file.clone())));
            if let Some((bytes, file)) = copy {
                self.keep(url, known, file);
                return Ok(Some(bytes));
            }
            // The copy was lost since.
            fetched = self.ask(url, &Validators::default())?;
        }
        let Fetched::Document(bytes, validators) = fetched else { return Ok(None) };
        match self.cache.put(&bytes) {
            Ok(file) => self.keep(url, validators, file),
            Err(error) => tracing::warn!("the cache cannot be written: {error}"),
        }
        Ok(Some(bytes))
    }
}

impl Fetch for Upstreams {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError> {
        let Some(url) = self.address(path) else { return Ok(None) };
        let note = self.note(&url);
        let copy = || self.cache.read(&note.as_ref()?.file);
        if self.state().relied_on.contains(path)
            && let Some(bytes) = copy()
        {
            return Ok(Some(bytes));
        }
        let fetched = self.fetch(&url, note.as_ref());
        let reason = match &fetched {
            Ok(Some(_)) => {
                // Several feeds may ask for it. What could not be kept is not what lies in the cache.
                let is_kept = self.note(&url).is_some_and(|kept| note.is_none_or(|old| old.current != kept.current));
                if is_kept {
                    self.state().relied_on.insert(path.to_owned());
                }
                return fetched.map_err(|error| not_brought(path, &error));
            }
            Ok(None) if self.drops_what_is_gone => {
                self.cache.remove_note(&note_name(&url));
                return Ok(None);
            }
            Ok(None) => "its server does not have it any more (404)".to_owned(),
            Err(error) => error.to_string(),
        };
        if let Some((bytes, note)) = copy().zip(note.as_ref()) {
            let outdated = Outdated { since: note.current, reason };
            self.state().outdated.insert(path.to_owned(), outdated);
            return Ok(Some(bytes));
        }
        fetched.map_err(|error| not_brought(path, &error))
    }

    fn list(&self, _folder: &str) -> Option<Vec<String>> {
        None
    }

    fn origin(&self) -> String {
        self.base.clone().unwrap_or_else(|| "the upstreams".to_owned())
    }

    fn kept(&self, path: &str) -> Option<Timestamp> {
        let note = self.note(&self.address(path)?)?;
        self.cache.has(&note.file).then_some(note.current)
    }

    fn rely_on_kept(&self, path: &str) {
        self.state().relied_on.insert(path.to_owned());
    }

    fn modified(&self, path: &str) -> Option<Timestamp> {
        let date = self.note(&self.address(path)?)?.validators.last_modified?;
        rfc2822::parse(&date).ok().map(|date| date.timestamp())
    }

    fn outdated(&self, path: &str) -> Option<Outdated> {
        self.state().outdated.get(path).cloned()
    }
}

fn not_brought(path: &str, error: &NetError) -> FetchError {
    FetchError { path: path.to_owned(), reason: error.to_string(), unreachable: error.is_unreachable() }
}

/// Host and port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

fn note_name(url: &str) -> String {
    let digest = Digest::from_sha256(&Sha256::digest(url).into());
    format!("feed-{}", digest.hex().get(..32).unwrap_or_default())
}

/// When so many hosts are away and none has answered, it is the network that is.
const MOST_AWAY: usize = 4;
