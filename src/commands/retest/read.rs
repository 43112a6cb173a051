//! What a tag points to, and what that image holds: from the memory, or read from the registry.

use std::sync::Arc;
use std::time::Instant;

use tracing::{info, warn};

use super::Retest;
use super::known::{Described as _, Known, Looked};
use super::memory;
use crate::commands::{database, scan};
use crate::image::{self, NoProgress, Source};
use crate::inventory;
use crate::model::{Base, Code, Diagnosis, Digest, ImageReference, ImageSnapshot, Inventory, ShardName};

impl Retest {
    /// Asks what a tag points to: one request.
    pub(super) fn look(&self, known: &Known<'_>) -> Looked {
        let Ok(image) = known.name.parse::<ImageReference>() else {
            return Looked::Failed(Diagnosis::new(
                Code::InvalidInput,
                format!("`{}` is no image", known.name),
                "its name is not one",
                "name an image in a registry",
            ));
        };
        match self.registry.digest(&image) {
            Ok(Some(digest)) => {
                let same = |before: &&ImageSnapshot| before.digest == digest && before.gone.is_none();
                // An index may hold another image for the platform that is wanted now.
                let fits = |before: &&ImageSnapshot| {
                    before.platform.as_ref().is_none_or(|platform| self.platform.accepts(platform))
                };
                match known.before.filter(same).filter(fits).and_then(|before| before.config_digest.clone()) {
                    Some(config) => Looked::Unchanged { digest, config },
                    None => Looked::ToRead { digest: Some(digest) },
                }
            }
            Ok(None) => Looked::ToRead { digest: None },
            Err(error) => Looked::Failed(error.diagnosis(&image)),
        }
    }

    /// Reads an image that is new or has moved, and stores what it holds.
    pub(super) fn read(&self, known: &Known<'_>, looked: &Looked) -> Looked {
        let begun = Instant::now();
        match self.try_read(known, looked) {
            Ok(read) => {
                info!("{}: read in {:.1} s", known.name, begun.elapsed().as_secs_f64());
                read
            }
            Err(diagnosis) => Looked::Failed(diagnosis),
        }
    }

    fn try_read(&self, known: &Known<'_>, looked: &Looked) -> Result<Looked, Diagnosis> {
        let reference: ImageReference = known.name.parse().map_err(|error: crate::model::InvalidReference| {
            Diagnosis::new(Code::InvalidInput, "this is no image", error.to_string(), "name an image in a registry")
        })?;
        // What the tag pointed to a moment ago, so that it cannot move in between.
        let pinned = looked.digest().map_or_else(|| reference.clone(), |digest| reference.at(digest.clone()));
        let limits = self.limits.clone();
        let source = Source::Registry(pinned);
        let image =
            image::open(&source, &self.platform, &limits, Some(&self.registry)).map_err(|error| error.diagnosis())?;
        let config = image.identity.config_digest.clone();
        let digest = looked.digest().cloned().or_else(|| image.identity.manifest_digest.clone());
        let (Some(config), Some(digest)) = (config, digest) else {
            let why = "it has neither a configuration nor a digest";
            return Err(Diagnosis::new(Code::InvalidManifest, known.name.clone(), why, "push the image again"));
        };
        if matches!(looked, Looked::ToRead { .. }) && known.is_at(&digest, &config) {
            // It is for one platform only, whichever is wanted.
            return Ok(Looked::Unchanged { digest, config });
        }
        let stored =
            self.state.inventory(known.repository, &config, &self.revision).map_err(|e| memory::diagnosis(&e))?;
        let inventory = match stored {
            // The same image under another tag, or from a retest that was killed.
            Some((inventory, true)) => inventory,
            _ => {
                let mut inventory = inventory::take_cached(&image, &limits, &NoProgress, self.layers.as_ref());
                let mut clients = |_: &ImageReference| Ok(Arc::clone(&self.registry));
                // That it could not be told today is not kept for ever.
                let base = self.hints.base(&source, &image, &self.platform, &mut clients, &limits);
                inventory.base = base.filter(|base| matches!(base, Base::Known(_)));
                inventory
            }
        };
        let shards: Vec<ShardName> = database::shards(&inventory).into_iter().collect();
        let complete = scan::whether_complete(known.name.clone(), inventory);
        let keepable = complete.diagnosis.as_ref().is_none_or(|diagnosis| diagnosis.code == Code::NothingToScan);
        let Some(inventory) = complete.inventory else {
            return Err(complete.diagnosis.unwrap_or_else(|| {
                Diagnosis::new(Code::CorruptLayer, known.name.clone(), "nothing could be read", "push the image again")
            }));
        };
        if !keepable {
            // Read in part: what could be read is judged, and the next retest reads it again.
            return Ok(Looked::Read { digest, config, shards, inventory: Some(Box::new(inventory)) });
        }
        // Recorded first, so that nothing is ever stored that no index names: whoever is killed in between leaves an image to be
        // read again, and no file that nobody would find when the tag has moved.
        let snapshot = known.snapshot(&digest, Some(&config), self.started).described(&inventory, shards.clone());
        self.state.record(snapshot, true).map_err(|error| memory::diagnosis(&error))?;
        self.state
            .keep_inventory(known.repository, &config, &self.revision, &inventory)
            .map_err(|error| memory::diagnosis(&error))?;
        Ok(Looked::Read { digest, config, shards, inventory: None })
    }

    /// The stored inventory. Where it is missing, damaged, or was taken by something that saw less, the image is read
    /// again; if that fails, an old inventory is better than none.
    pub(super) fn stored(&self, known: &Known<'_>, looked: &Looked, config: &Digest) -> Result<Inventory, Diagnosis> {
        let stored =
            self.state.inventory(known.repository, config, &self.revision).map_err(|e| memory::diagnosis(&e))?;
        let old = match stored {
            Some((inventory, true)) => return Ok(inventory),
            Some((inventory, false)) => Some(inventory),
            None => None,
        };
        info!("{}: is read again, as its inventory is {}", known.name, if old.is_some() { "old" } else { "missing" });
        let again = self.try_read(known, looked).and_then(|read| match read {
            Looked::Read { inventory: Some(inventory), .. } => Ok(*inventory),
            _ => match self.state.inventory(known.repository, config, &self.revision) {
                Ok(Some((inventory, _))) => Ok(inventory),
                Ok(None) => Err(looked.failure()),
                Err(error) => Err(memory::diagnosis(&error)),
            },
        });
        match (again, old) {
            (Ok(inventory), _) => Ok(inventory),
            (Err(diagnosis), Some(old)) => {
                warn!("{}: the old inventory is used: {diagnosis}", known.name);
                Ok(old)
            }
            (Err(diagnosis), None) => Err(diagnosis),
        }
    }
}
