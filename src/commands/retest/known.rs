//! One tag on its way through a retest: what was known, what the registry says, what is known then.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::commands::images::listing::ListedTag;
use crate::model::{Code, Diagnosis, Digest, ImageSnapshot, Inventory, ShardName, Told, Verdict};
use crate::state::{State, StateError};

/// A selected tag and what the memory knows of it.
pub(super) struct Known<'a> {
    pub(super) name: String,
    pub(super) repository: &'a str,
    tag: &'a str,
    pub(super) before: Option<&'a ImageSnapshot>,
}

/// What was found out about it.
pub(super) enum Looked {
    /// It points to the image that it pointed to.
    Unchanged { digest: Digest, config: Digest },
    /// It has to be read.
    ToRead { digest: Option<Digest> },
    /// It was read. The inventory is stored, or here where it is not complete.
    Read { digest: Digest, config: Digest, shards: Vec<ShardName>, inventory: Option<Box<Inventory>> },
    /// It cannot be asked for or read.
    Failed(Diagnosis),
}

impl<'a> Known<'a> {
    pub(super) fn new(name: String, tag: &'a ListedTag, before: Option<&'a ImageSnapshot>) -> Self {
        Self { name, repository: &tag.repository, tag: &tag.tag, before }
    }

    /// Whether the tag is known to point to this image.
    pub(super) fn is_at(&self, digest: &Digest, config: &Digest) -> bool {
        let is_at = |before: &&ImageSnapshot| before.digest == *digest && before.config_digest.as_ref() == Some(config);
        self.before.filter(is_at).is_some_and(|before| before.gone.is_none())
    }

    /// What is known now, as far as the registry says it.
    pub(super) fn snapshot(&self, digest: &Digest, config: Option<&Digest>, now: Timestamp) -> ImageSnapshot {
        let before = self.before;
        let same = before.filter(|before| config.is_some() && before.config_digest.as_ref() == config);
        ImageSnapshot {
            name: self.name.clone(),
            repository: self.repository.to_owned(),
            tag: self.tag.to_owned(),
            digest: digest.clone(),
            config_digest: config.cloned(),
            platform: same.and_then(|before| before.platform.clone()),
            first_seen: before.map_or(now, |before| before.first_seen),
            last_seen: now,
            last_scanned: same.and_then(|before| before.last_scanned),
            policy: same.and_then(|before| before.policy.clone()),
            advisories: same.and_then(|before| before.advisories),
            gone: None,
            failure: None,
            failure_untold: false,
            created: same.and_then(|before| before.created),
            distribution: same.and_then(|before| before.distribution.clone()),
            labels: same.map(|before| before.labels.clone()).unwrap_or_default(),
            shards: same.map(|before| before.shards.clone()).unwrap_or_default(),
            verdict: same.and_then(|before| before.verdict.clone()),
            told: before.and_then(|before| before.told.clone()),
        }
    }

    /// The verdict that alerts know of; `None` where they know of none, or where it is lost.
    pub(super) fn told(&self, state: &State) -> Result<Option<(Told, Verdict)>, StateError> {
        let Some(told) = self.before.and_then(|before| before.told.clone()) else { return Ok(None) };
        let verdict = state.verdict(self.repository, &told.config_digest, &told.verdict)?;
        Ok(verdict.map(|verdict| (told, verdict)))
    }
}

impl Looked {
    pub(super) fn is_to_read(&self) -> bool {
        matches!(self, Self::ToRead { .. })
    }

    pub(super) fn is_read(&self) -> bool {
        matches!(self, Self::Read { .. })
    }

    pub(super) fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Unchanged { digest, .. } | Self::Read { digest, .. } => Some(digest),
            Self::ToRead { digest } => digest.as_ref(),
            Self::Failed(_) => None,
        }
    }

    pub(super) fn config(&self) -> Option<&Digest> {
        match self {
            Self::Unchanged { config, .. } | Self::Read { config, .. } => Some(config),
            _ => None,
        }
    }

    /// The inventory where it is not in the memory.
    pub(super) fn take_inventory(&mut self) -> Option<Inventory> {
        match self {
            Self::Read { inventory, .. } => inventory.take().map(|inventory| *inventory),
            _ => None,
        }
    }

    /// The advisories that it needs.
    pub(super) fn shards<'a>(&'a self, known: &Known<'a>) -> &'a [ShardName] {
        match self {
            Self::Read { shards, .. } => shards,
            Self::Unchanged { .. } => known.before.map(|before| before.shards.as_slice()).unwrap_or_default(),
            _ => &[],
        }
    }

    pub(super) fn failure(&self) -> Diagnosis {
        match self {
            Self::Failed(diagnosis) => diagnosis.clone(),
            _ => Diagnosis::new(
                Code::TransferFailed,
                "the image could not be judged",
                "nothing is known about what it holds",
                "run the retest again",
            ),
        }
    }
}

/// What an inventory adds to a snapshot.
pub(super) trait Described {
    fn described(self, inventory: &Inventory, shards: Vec<ShardName>) -> Self;
}

impl Described for ImageSnapshot {
    fn described(mut self, inventory: &Inventory, shards: Vec<ShardName>) -> Self {
        let hints = |(name, value): (&String, &String)| {
            let wanted = name.starts_with("org.opencontainers.image.") || OWNER_LABELS.contains(&name.as_str());
            wanted.then(|| (name.clone(), value.chars().take(LONGEST_LABEL).collect::<String>()))
        };
        let labels: BTreeMap<String, String> =
            inventory.image.config.labels.iter().filter_map(hints).take(MOST_LABELS).collect();
        self.platform.clone_from(&inventory.image.platform);
        self.created = inventory.image.config.created;
        self.distribution = inventory.distribution.as_ref().map(|distribution| distribution.name.clone());
        self.labels = labels;
        self.shards = shards;
        self
    }
}

/// Labels besides OCI's that say whose an image is.
const OWNER_LABELS: [&str; 6] =
    ["maintainer", "owner", "team", "vendor", "com.gitlab.project", "backstage.io/component"];
const LONGEST_LABEL: usize = 200;
const MOST_LABELS: usize = 30;
