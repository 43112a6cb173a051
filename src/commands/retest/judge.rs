//! One image judged by today's advisories, and what that changes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tracing::warn;

use super::known::{Described as _, Known, Looked};
use super::log::Entry;
use super::sbom::Sboms;
use super::{Group, Retest};
use super::{compare, memory};
use crate::advisories::Database;
use crate::assess::verdict::verdict;
use crate::commands::scan;
use crate::matching::Memo;
use crate::model::{Code, Diagnosis, Digest, Gap, ImageScan, ImageSnapshot, Inventory, RuleUse, ScanDocument};
use crate::state::{StateError, folder, verdict_file};

/// What became of one tag.
pub(super) struct Done {
    pub(super) order: usize,
    pub(super) entry: Entry,
    pub(super) rules: Vec<RuleUse>,
    pub(super) obsolete: Vec<(String, String)>,
    /// [`crate::model::Verdict::hash`]; absent where it could not be judged.
    pub(super) verdict: Option<String>,
    /// Whether alerts do not know it yet.
    pub(super) news: bool,
}

/// What images are judged by, and what lists all that they hold.
pub(super) struct Judging<'a> {
    /// Missing where it could not be opened.
    pub(super) database: Option<&'a Database>,
    /// What is missing in it.
    pub(super) gaps: &'a [Gap],
    pub(super) sboms: &'a Sboms,
    /// What was found for the packages of other images.
    pub(super) memo: &'a Memo,
    /// How many are judged, of how many.
    pub(super) progress: (&'a AtomicUsize, usize),
}

impl Retest {
    /// Judges the tags of one image.
    pub(super) fn judge_group(&self, mut group: Group<'_>, judging: &Judging<'_>) -> Vec<Done> {
        let begun = Instant::now();
        let Some((_, first, looked)) = group.first_mut() else { return Vec::new() };
        let inventory = looked.take_inventory();
        let matched = match (looked.config(), judging.database) {
            (Some(config), Some(database)) => self.matched(first, looked, inventory, config, database, judging),
            (Some(_), None) => Err(Diagnosis::new(
                Code::DatabaseUnavailable,
                format!("{} could not be judged", first.name),
                "there is no advisory database",
                "see the line above",
            )),
            (None, _) => Err(looked.failure()),
        };
        let mut all = Vec::new();
        let mut matched = Some(matched);
        let last = group.len() - 1;
        for (index, (order, known, looked)) in group.iter().enumerate() {
            let own = if index == last { matched.take() } else { matched.clone() };
            let result = own.unwrap_or_else(|| Err(looked.failure())).and_then(|scan| {
                let scan = ImageScan { name: known.name.clone(), ..scan };
                self.judge(*order, known, looked, scan, judging)
            });
            let mut done = result.unwrap_or_else(|diagnosis| self.failed(*order, known, looked, diagnosis));
            done.entry.milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let (number, all_images) = judging.progress;
            done.entry.line(number.fetch_add(1, Ordering::Relaxed) + 1, all_images);
            all.push(done);
        }
        all
    }

    /// The inventory of an image, judged by today's advisories.
    fn matched(
        &self,
        known: &Known<'_>,
        looked: &Looked,
        inventory: Option<Inventory>,
        config: &Digest,
        database: &Database,
        judging: &Judging<'_>,
    ) -> Result<ImageScan, Diagnosis> {
        let inventory = match inventory {
            Some(inventory) => inventory,
            None => self.stored(known, looked, config)?,
        };
        let mut scan = scan::whether_complete(known.name.clone(), inventory);
        scan::judge(&mut scan, database, Some(judging.memo), self.today);
        if let Some(inventory) = &mut scan.inventory {
            inventory.gaps.extend_from_slice(judging.gaps);
        }
        Ok(scan)
    }

    fn judge(
        &self,
        order: usize,
        known: &Known<'_>,
        looked: &Looked,
        scan: ImageScan,
        judging: &Judging<'_>,
    ) -> Result<Done, Diagnosis> {
        let mut alone = ScanDocument { images: vec![scan], ..scan::empty_document(self.started) };
        self.judgement.judge(&mut alone);
        let rules = std::mem::take(&mut alone.rules);
        let Some(mut scan) = alone.images.pop() else { return Err(looked.failure()) };
        let failed = |error: &StateError| memory::diagnosis(error);
        let (Some(digest), Some(config)) = (looked.digest(), looked.config()) else {
            return Err(looked.failure());
        };
        let verdict = verdict(&scan);

        let told = known.told(&self.state).map_err(|error| failed(&error))?;
        compare::mark(&mut scan, &verdict, told.as_ref(), config, self.first_run);
        let same = known.before.is_some_and(|before| {
            before.digest == *digest
                && before.gone.is_none()
                && before.failure == scan.diagnosis
                && !before.failure_untold
                && before
                    .told
                    .as_ref()
                    .is_some_and(|told| told.verdict == verdict.hash && told.config_digest == *config)
        });
        let mut obsolete = Vec::new();
        let old = known.before.and_then(|before| Some((before, before.verdict.as_ref()?)));
        let is_stored =
            old.is_some_and(|(before, old)| old.hash == verdict.hash && before.config_digest.as_ref() == Some(config));
        if !is_stored {
            self.state.keep_verdict(known.repository, config, &verdict).map_err(|error| failed(&error))?;
            if let Some((before, old)) = old
                && let Some(config) = &before.config_digest
            {
                obsolete.push((folder(known.repository), verdict_file(config, &old.hash)));
            }
        }
        if let Some(told) = known.before.and_then(|before| before.told.as_ref()).filter(|_| !same) {
            obsolete.push((folder(known.repository), verdict_file(&told.config_digest, &told.verdict)));
        }
        let mut snapshot = known.snapshot(digest, Some(config), self.started);
        if let Some(inventory) = &scan.inventory {
            snapshot = snapshot.described(inventory, looked.shards(known).to_vec());
        }
        snapshot.last_scanned = Some(self.started);
        snapshot.policy.clone_from(&self.policy);
        snapshot.advisories = judging.database.map(|database| database.info().built);
        snapshot.failure.clone_from(&scan.diagnosis);
        snapshot.failure_untold = is_untold(known.before, &snapshot);
        snapshot.verdict = Some(verdict);
        let counts = snapshot.verdict.as_ref().map(|verdict| verdict.counts).unwrap_or_default();
        let entry = Entry::judged(known, looked, &scan, counts, told.is_some(), same);
        // Written before it is remembered: an image whose reports fail is not remembered as judged.
        alone.database = judging.database.map(|database| database.info().clone());
        alone.images.push(scan);
        judging.sboms.write(order, &alone)?;
        if let Some(scan) = alone.images.pop() {
            self.collector.add(order, scan)?;
        }
        self.state.record(snapshot.clone(), !is_stored).map_err(|error| failed(&error))?;
        if !same {
            let before = known.before.cloned().zip(told).map(|(before, (told, verdict))| {
                let (digest, config) = (told.digest.clone(), told.config_digest.clone());
                ImageSnapshot { digest, config_digest: Some(config), verdict: Some(verdict), ..before }
            });
            self.changes.add(before.as_ref(), &snapshot)?;
        }
        let verdict = snapshot.verdict.map(|verdict| verdict.hash);
        Ok(Done { order, entry, rules, obsolete, verdict, news: !same })
    }

    /// A failure is remembered with what was known before, and told like any other news.
    fn failed(&self, order: usize, known: &Known<'_>, looked: &Looked, diagnosis: Diagnosis) -> Done {
        let vanished = diagnosis.code == Code::ImageNotFound;
        let entry = if vanished {
            Entry::vanished(&known.name, &diagnosis)
        } else {
            Entry::failed(&known.name, looked.digest(), &diagnosis)
        };
        let mut news = false;
        let digest = looked.digest().or(known.before.map(|before| &before.digest)).cloned();
        if let Some(digest) = digest {
            let config = known.before.filter(|before| before.digest == digest);
            let config = config.and_then(|before| before.config_digest.clone());
            let mut snapshot = known.snapshot(&digest, config.as_ref(), self.started);
            if vanished {
                snapshot.gone = Some(self.started);
                snapshot.last_seen = known.before.map_or(self.started, |before| before.last_seen);
            } else {
                snapshot.failure = Some(diagnosis.clone());
                snapshot.failure_untold = is_untold(known.before, &snapshot);
            }
            if let Err(error) = self.state.record(snapshot.clone(), false) {
                warn!("{}: {error}", known.name);
            }
            let before = known.before;
            let known_already = before.is_some_and(|before| {
                before.digest == snapshot.digest
                    && before.failure == snapshot.failure
                    && !before.failure_untold
                    && before.gone.is_none()
                    && !vanished
            });
            news = !known_already;
            if !vanished {
                // What could not be judged is as it was: nothing that stands is taken back for it.
                snapshot.verdict = None;
            }
            if news && let Err(diagnosis) = self.changes.add(before, &snapshot) {
                warn!("{diagnosis}");
            }
        }
        if !vanished {
            let scan = scan::failure(known.name.clone(), diagnosis, None);
            if let Err(diagnosis) = self.collector.add(order, scan) {
                warn!("{diagnosis}");
            }
        }
        Done { order, entry, rules: Vec::new(), obsolete: Vec::new(), verdict: None, news }
    }
}

/// Whether alerts still have to tell of a failure.
fn is_untold(before: Option<&ImageSnapshot>, after: &ImageSnapshot) -> bool {
    after.failure.is_some()
        && before.is_none_or(|before| before.failure.as_ref() != after.failure.as_ref() || before.failure_untold)
}
