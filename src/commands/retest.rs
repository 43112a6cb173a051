//! `plimsoll retest`: all known images, judged by today's advisories.
//!
//! One request tells whether a tag still points to the same image. If so, its stored inventory is judged again and
//! nothing is pulled; if not, or if none is stored, the image is read now. Everything is stored when it is done, image by
//! image, so that a retest that is killed goes on where it stopped. One bad image never stops the rest.

mod collect;
mod compare;
mod known;
mod log;
pub(super) mod memory;
mod merge;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use crate::advisories::Database;
use crate::assess::select::Decision;
use crate::assess::verdict::verdict;
use crate::cli::{OutputArgs, RetestArgs};
use crate::context::Environment;
use crate::exit::Exit;
use crate::image::{self, NoProgress, Source};
use crate::inventory::{self, LayerCache};
use crate::model::{
    Code, Diagnosis, Digest, Gap, ImageReference, ImageScan, ImageSnapshot, Inventory, Limits, Outcome, Platform,
    ScanDocument, SeverityCounts, ShardName, SnapshotChanges,
};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::state::{Finish, State, folder, verdict_file};

use super::images::listing::{self, Listing};
use super::judgement::Judgement;
use super::{database, parallel, scan, terminal};
use collect::Collector;
use known::{Described as _, Known, Looked};
use log::{Entry, ImportLog, Result as LogResult};

pub(super) fn run(
    args: &RetestArgs,
    output: &OutputArgs,
    environment: &Environment,
    settings: &Settings,
) -> Result<Exit, Diagnosis> {
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("."));
    if !args.merge.is_empty() {
        return merge::run(args, &out, output, environment);
    }
    let judgement = Judgement::of(settings, environment)?;
    let platform = scan::platform(&args.scan(), environment)?;
    let selection = listing::selection(&args.selection, settings)?;
    let every = span("every", environment.get("PLIMSOLL_EVERY"))?;
    let keep = span("keep", environment.get("PLIMSOLL_KEEP"))?.unwrap_or(KEPT);
    let jobs = args.jobs.unwrap_or(listing::JOBS).clamp(1, MOST_JOBS);
    let started = Timestamp::now();
    let state = memory::open(args.selection.state.as_deref(), environment, started)?;
    let mut listing = Listing::take(&args.selection, settings, environment)?;
    let decisions = listing.select(&selection, state.index(), started, jobs);
    for notice in &listing.notices {
        warn!("{notice}");
    }
    let names: Vec<String> = listing.tags.iter().map(listing::ListedTag::name).collect();
    let connection = scan::Connection::new(environment, &names, args.cache_dir.as_deref());
    let layers = args.cache_dir.clone().or_else(|| environment.get("PLIMSOLL_CACHE_DIR").map(PathBuf::from));
    let retest = Retest {
        registry: connection.shared()?,
        layers: layers.map(|directory| LayerCache::new(&directory)),
        revision: inventory::revision(&Limits::default()),
        first_run: state.index().images.is_empty(),
        today: started.to_zoned(TimeZone::UTC).date(),
        state,
        platform,
        judgement,
        started,
        jobs,
        collector: Collector::new(&out)?,
    };
    retest.run(args, environment, output, &listing, &decisions, every, keep, &out)
}

struct Retest {
    state: State,
    registry: Arc<Registry>,
    layers: Option<LayerCache>,
    /// What takes inventories here.
    revision: String,
    platform: Platform,
    judgement: Judgement,
    started: Timestamp,
    today: Date,
    jobs: usize,
    /// Whether nothing was remembered.
    first_run: bool,
    collector: Collector,
}

impl Retest {
    #[allow(clippy::too_many_arguments, reason = "the parts of one job that belong to nothing else")]
    fn run(
        self,
        args: &RetestArgs,
        environment: &Environment,
        output: &OutputArgs,
        listing: &Listing,
        decisions: &[Decision],
        every: Option<SignedDuration>,
        keep: SignedDuration,
        out: &Path,
    ) -> Result<Exit, Diagnosis> {
        let gone = self.note_gone(listing)?;
        let (known, skipped) = self.known(listing, decisions, every);
        info!(
            "{} of {} tags are selected, {} were scanned a short while ago, {} are gone",
            known.len(),
            listing.tags.len(),
            skipped.len(),
            gone.len()
        );
        let looked = parallel::map(&known, self.jobs, |known| self.look(known));
        // Reading an image keeps all cores busy, so only few are read at once.
        let mut pairs: Vec<(Known, Looked)> = known.into_iter().zip(looked).collect();
        let to_read: Vec<usize> =
            pairs.iter().enumerate().filter(|(_, (_, looked))| looked.is_to_read()).map(|(index, _)| index).collect();
        if !to_read.is_empty() {
            info!("{} images are read, as they are new or have moved", to_read.len());
        }
        let read =
            parallel::map(&to_read, READERS, |index| pairs.get(*index).map(|(known, looked)| self.read(known, looked)));
        for (index, read) in to_read.iter().zip(read) {
            if let (Some((_, looked)), Some(read)) = (pairs.get_mut(*index), read) {
                *looked = read;
            }
        }
        memory::tell(&self.state);
        let mut document = scan::empty_document(self.started);
        let wanted: BTreeSet<ShardName> = pairs.iter().flat_map(|(known, looked)| looked.shards(known)).collect();
        let mut failure = None;
        let opened = match database::open_for(&args.scan(), environment, &wanted) {
            Ok(opened) => Some(opened),
            Err(diagnosis) if wanted.is_empty() => {
                info!("no advisories are needed: {diagnosis}");
                None
            }
            Err(diagnosis) => {
                terminal::error(&diagnosis.to_string());
                failure = Some(diagnosis);
                None
            }
        };
        document.database = opened.as_ref().map(|opened| opened.database.info().clone());
        document.diagnoses.extend(failure.clone());

        // Tags of one image are judged together: its packages are matched once.
        let mut groups: BTreeMap<(String, String), Vec<(usize, Known, Looked)>> = BTreeMap::new();
        for (order, (known, looked)) in pairs.into_iter().enumerate() {
            let key = looked.config(&known).map_or_else(|| known.name.clone(), |config| config.to_string());
            groups.entry((known.repository.clone(), key)).or_default().push((order, known, looked));
        }
        let groups: Vec<Vec<(usize, Known, Looked)>> = groups.into_values().collect();
        let (database, gaps) = match &opened {
            Some(opened) => (Some(&opened.database), opened.gaps.as_slice()),
            None => (None, &[][..]),
        };
        let done = parallel::map(&groups, self.jobs, |group| self.judge_group(group, database, gaps));
        let mut done: Vec<Done> = done.into_iter().flatten().collect();
        memory::tell(&self.state);
        done.sort_by_key(|done| done.order);

        let mut changes = SnapshotChanges {
            format: SnapshotChanges::FORMAT.into(),
            started: self.started,
            first_run: self.first_run,
            before: Vec::new(),
            after: gone.clone(),
            unchanged: Vec::new(),
        };
        changes.before.extend(gone.iter().filter_map(|one| self.state.index().images.get(&one.name)).cloned());
        let mut import = ImportLog::new(self.started);
        import.notices.clone_from(&listing.notices);
        import.images.extend(gone.iter().map(|one| Entry::gone(one)));
        import.images.extend(skipped);
        let mut finish = Finish { keep, ..Finish::default() };
        let mut rules = collect::Rules::default();
        for one in done {
            rules.add(one.rules);
            finish.obsolete.extend(one.obsolete);
            if one.entry.result != LogResult::Failed {
                finish.told.insert(one.entry.name.clone());
            }
            match one.news {
                Some((before, after)) => {
                    changes.before.extend(before.map(|before| *before));
                    changes.after.push(*after);
                }
                None => changes.unchanged.push(one.entry.name.clone()),
            }
            import.images.push(one.entry);
        }
        document.rules = rules.all();
        self.judgement.tell(&document.rules);
        let failed = import.images.iter().any(|entry| entry.result == LogResult::Failed) || failure.is_some();
        document.outcome = if failed { Outcome::Failure } else { Outcome::Success };
        document.finished = Timestamp::now();
        import.finished = document.finished;
        let judged = self.collector.count();
        let exit = self.collector.write(document, args, output, environment, out)?;
        collect::write_json(&out.join(SnapshotChanges::FILE), &changes)?;
        collect::write_json(&out.join(ImportLog::FILE), &import)?;
        if self.first_run {
            info!("baseline: first run: {judged} images are remembered now; from now on, what is new is told");
        }
        let (_, notices) = self.state.finish(Timestamp::now(), &finish).map_err(|error| memory::diagnosis(&error))?;
        for notice in notices {
            warn!("{notice}");
        }
        import.tell();
        let nothing = judged == 0 && import.images.iter().all(|entry| entry.result != LogResult::Skipped);
        Ok(match exit {
            _ if nothing && !failed => {
                terminal::error(&nothing_selected(listing.tags.len()).to_string());
                Exit::NothingToScan
            }
            Exit::Incomplete | Exit::NothingToScan if args.keep_going => Exit::Done,
            Exit::Done if failed && !args.keep_going => Exit::Incomplete,
            other => other,
        })
    }

    /// Marks what the registry has not any more.
    fn note_gone(&self, listing: &Listing) -> Result<Vec<ImageSnapshot>, Diagnosis> {
        let mut marked = Vec::new();
        for one in listing.gone(self.state.index()).into_iter().filter(|one| one.gone.is_none()) {
            let gone = ImageSnapshot { gone: Some(self.started), ..one.clone() };
            self.state.record(gone.clone(), false).map_err(|error| memory::diagnosis(&error))?;
            info!("{}: GONE: it is not in the registry any more", one.name);
            marked.push(gone);
        }
        Ok(marked)
    }

    /// The selected tags with what is known of them, and those that are left out because of `every`.
    fn known(
        &self,
        listing: &Listing,
        decisions: &[Decision],
        every: Option<SignedDuration>,
    ) -> (Vec<Known>, Vec<Entry>) {
        let mut chosen = Vec::new();
        let mut skipped = Vec::new();
        for (tag, decision) in listing.tags.iter().zip(decisions) {
            if !matches!(decision, Decision::Selected(_)) || tag.vanished {
                continue;
            }
            let name = tag.name();
            let before = self.state.index().images.get(&name).cloned();
            let last = before.as_ref().filter(|one| one.failure.is_none()).and_then(|one| one.last_scanned);
            match last.zip(every) {
                Some((last, every)) if self.started.duration_since(last) < every => {
                    skipped.push(Entry::skipped(&name, format!("it was scanned at {last}")));
                }
                _ => chosen.push(Known::new(name, tag, before)),
            }
        }
        (chosen, skipped)
    }

    /// Asks what a tag points to: one request.
    fn look(&self, known: &Known) -> Looked {
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
                let before = known.before.as_ref().filter(|before| before.digest == digest && before.gone.is_none());
                match before.and_then(|before| before.config_digest.clone()) {
                    Some(config) => Looked::Unchanged { digest, config },
                    None => Looked::ToRead { digest: Some(digest) },
                }
            }
            Ok(None) => Looked::ToRead { digest: None },
            Err(error) => Looked::Failed(error.diagnosis(&image)),
        }
    }

    /// Reads an image that is new or has moved, and stores what it holds.
    fn read(&self, known: &Known, looked: &Looked) -> Looked {
        let begun = Instant::now();
        match self.try_read(known, looked) {
            Ok(read) => {
                info!("{}: read in {:.1} s", known.name, begun.elapsed().as_secs_f64());
                read
            }
            Err(diagnosis) => Looked::Failed(diagnosis),
        }
    }

    fn try_read(&self, known: &Known, looked: &Looked) -> Result<Looked, Diagnosis> {
        let reference: ImageReference = known.name.parse().map_err(|error: crate::model::InvalidReference| {
            Diagnosis::new(Code::InvalidInput, "this is no image", error.to_string(), "name an image in a registry")
        })?;
        // What the tag pointed to a moment ago, so that it cannot move in between.
        let pinned = looked.digest().map_or_else(|| reference.clone(), |digest| reference.at(digest.clone()));
        let limits = Limits::default();
        let image = image::open(&Source::Registry(pinned), &self.platform, &limits, Some(&self.registry))
            .map_err(|error| error.diagnosis())?;
        let config = image.identity.config_digest.clone();
        let digest = looked.digest().cloned().or_else(|| image.identity.manifest_digest.clone());
        let (Some(config), Some(digest)) = (config, digest) else {
            let why = "it has neither a configuration nor a digest";
            return Err(Diagnosis::new(Code::InvalidManifest, known.name.clone(), why, "push the image again"));
        };
        let stored =
            self.state.inventory(&known.repository, &config, &self.revision).map_err(|e| memory::diagnosis(&e))?;
        let inventory = match stored {
            // The same image under another tag, or from a retest that was killed.
            Some((inventory, true)) => inventory,
            _ => inventory::take_cached(&image, &limits, &NoProgress, self.layers.as_ref()),
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
        self.state
            .keep_inventory(&known.repository, &config, &self.revision, &inventory)
            .map_err(|error| memory::diagnosis(&error))?;
        let snapshot = known.snapshot(&digest, Some(&config), self.started).described(&inventory, shards.clone());
        self.state.record(snapshot, true).map_err(|error| memory::diagnosis(&error))?;
        Ok(Looked::Read { digest, config, shards, inventory: None })
    }

    /// Judges the tags of one image.
    fn judge_group(&self, group: &[(usize, Known, Looked)], database: Option<&Database>, gaps: &[Gap]) -> Vec<Done> {
        let begun = Instant::now();
        let Some((_, first, looked)) = group.first() else { return Vec::new() };
        let matched = match (looked.config(first), database) {
            (Some(config), Some(database)) => self.matched(first, looked, config, database, gaps),
            (Some(_), None) => Err(Diagnosis::new(
                Code::DatabaseUnavailable,
                format!("{} could not be judged", first.name),
                "there is no advisory database",
                "see the line above",
            )),
            (None, _) => Err(looked.failure()),
        };
        let mut all = Vec::new();
        for (order, known, looked) in group {
            let result = match &matched {
                Ok(scan) => {
                    let scan = ImageScan { name: known.name.clone(), ..scan.clone() };
                    self.judge(*order, known, looked, scan)
                }
                Err(diagnosis) => Err(diagnosis.clone()),
            };
            let mut done = result.unwrap_or_else(|diagnosis| self.failed(*order, known, looked, diagnosis));
            done.entry.milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            done.entry.line();
            all.push(done);
        }
        all
    }

    /// The inventory of an image, judged by today's advisories.
    fn matched(
        &self,
        known: &Known,
        looked: &Looked,
        config: &Digest,
        database: &Database,
        gaps: &[Gap],
    ) -> Result<ImageScan, Diagnosis> {
        let inventory = match looked.inventory() {
            Some(inventory) => inventory.clone(),
            None => self.stored(known, looked, config)?,
        };
        let mut scan = scan::whether_complete(known.name.clone(), inventory);
        scan::judge(&mut scan, database, self.today);
        if let Some(inventory) = &mut scan.inventory {
            inventory.gaps.extend_from_slice(gaps);
        }
        Ok(scan)
    }

    /// The stored inventory. Where it is missing, damaged, or was taken by something that saw less, the image is read
    /// again; if that fails, an old inventory is better than none.
    fn stored(&self, known: &Known, looked: &Looked, config: &Digest) -> Result<Inventory, Diagnosis> {
        let stored =
            self.state.inventory(&known.repository, config, &self.revision).map_err(|e| memory::diagnosis(&e))?;
        let old = match stored {
            Some((inventory, true)) => return Ok(inventory),
            Some((inventory, false)) => Some(inventory),
            None => None,
        };
        info!("{}: is read again, as its inventory is {}", known.name, if old.is_some() { "old" } else { "missing" });
        let again = self.try_read(known, looked).and_then(|read| match read {
            Looked::Read { inventory: Some(inventory), .. } => Ok(*inventory),
            _ => match self.state.inventory(&known.repository, config, &self.revision) {
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

    fn judge(&self, order: usize, known: &Known, looked: &Looked, scan: ImageScan) -> Result<Done, Diagnosis> {
        let mut alone = ScanDocument { images: vec![scan], ..scan::empty_document(self.started) };
        self.judgement.judge(&mut alone);
        let rules = std::mem::take(&mut alone.rules);
        let Some(mut scan) = alone.images.pop() else { return Err(looked.failure()) };
        let failed = |error: &crate::state::StateError| memory::diagnosis(error);
        let (Some(digest), Some(config)) = (looked.digest(), looked.config(known)) else {
            return Err(looked.failure());
        };
        let verdict = verdict(&scan);

        let told = known.told(&self.state).map_err(|error| failed(&error))?;
        compare::mark(&mut scan, &verdict, told.as_ref(), config, self.first_run);
        let same = known.before.as_ref().is_some_and(|before| {
            before.digest == *digest
                && before.gone.is_none()
                && before.failure == scan.diagnosis
                && before
                    .told
                    .as_ref()
                    .is_some_and(|told| told.verdict == verdict.hash && told.config_digest == *config)
        });
        let mut obsolete = Vec::new();
        let old = known.before.as_ref().and_then(|before| Some((before, before.verdict.as_ref()?)));
        let is_stored =
            old.is_some_and(|(before, old)| old.hash == verdict.hash && before.config_digest.as_ref() == Some(config));
        if !is_stored {
            self.state.keep_verdict(&known.repository, config, &verdict).map_err(|error| failed(&error))?;
            if let Some((before, old)) = old
                && let Some(config) = &before.config_digest
            {
                obsolete.push((folder(&known.repository), verdict_file(config, &old.hash)));
            }
        }
        if let Some(told) = known.before.as_ref().and_then(|before| before.told.as_ref()).filter(|_| !same) {
            obsolete.push((folder(&known.repository), verdict_file(&told.config_digest, &told.verdict)));
        }
        let mut snapshot = known.snapshot(digest, Some(config), self.started);
        if let Some(inventory) = &scan.inventory {
            snapshot = snapshot.described(inventory, looked.shards(known));
        }
        snapshot.last_scanned = Some(self.started);
        snapshot.failure.clone_from(&scan.diagnosis);
        snapshot.verdict = Some(verdict);
        let counts = snapshot.verdict.as_ref().map(|verdict| verdict.counts).unwrap_or_default();
        self.state.record(snapshot.clone(), !is_stored).map_err(|error| failed(&error))?;
        let entry = Entry::judged(known, looked, &scan, counts, told.is_some(), same);
        let news = (!same).then(|| {
            let before = known.before.clone().zip(told).map(|(before, (told, verdict))| {
                let (digest, config) = (told.digest.clone(), told.config_digest.clone());
                Box::new(ImageSnapshot { digest, config_digest: Some(config), verdict: Some(verdict), ..before })
            });
            (before, Box::new(snapshot))
        });
        self.collector.add(order, scan)?;
        Ok(Done { order, entry, rules, obsolete, news })
    }

    /// A failure is remembered with what was known before, and told like any other news.
    fn failed(&self, order: usize, known: &Known, looked: &Looked, diagnosis: Diagnosis) -> Done {
        let vanished = diagnosis.code == Code::ImageNotFound;
        let entry = if vanished {
            Entry::vanished(&known.name, &diagnosis)
        } else {
            Entry::failed(&known.name, looked.digest(), &diagnosis)
        };
        let mut news = None;
        let digest = looked.digest().or(known.before.as_ref().map(|before| &before.digest)).cloned();
        if let Some(digest) = digest {
            let config = known.before.as_ref().filter(|before| before.digest == digest);
            let config = config.and_then(|before| before.config_digest.clone());
            let mut snapshot = known.snapshot(&digest, config.as_ref(), self.started);
            if vanished {
                snapshot.gone = Some(self.started);
                snapshot.last_seen = known.before.as_ref().map_or(self.started, |before| before.last_seen);
            } else {
                snapshot.failure = Some(diagnosis.clone());
            }
            if let Err(error) = self.state.record(snapshot.clone(), false) {
                warn!("{}: {error}", known.name);
            }
            news = Some((known.before.clone().map(Box::new), Box::new(snapshot)));
        }
        if !vanished {
            let scan = scan::failure(known.name.clone(), diagnosis, None);
            if let Err(diagnosis) = self.collector.add(order, scan) {
                warn!("{diagnosis}");
            }
        }
        Done { order, entry, rules: Vec::new(), obsolete: Vec::new(), news }
    }
}

/// What became of one tag.
struct Done {
    order: usize,
    entry: Entry,
    rules: Vec<crate::model::RuleUse>,
    obsolete: Vec<(String, String)>,
    /// As alerts knew it, and as it is.
    news: Option<(Option<Box<ImageSnapshot>>, Box<ImageSnapshot>)>,
}

fn nothing_selected(listed: usize) -> Diagnosis {
    if listed == 0 {
        let fix = "push an image first, or name another project";
        return Diagnosis::new(Code::NothingToScan, "there is nothing to retest", "the registry holds no tags", fix);
    }
    let why = format!("none of {listed} tags is selected");
    let fix = "change the selection; `plimsoll images --dry-run` says why each tag is in or out";
    Diagnosis::new(Code::NotSelected, "there is nothing to retest", why, fix)
}

/// `6h`, `30d`, `8w`.
pub(super) fn span(what: &str, text: Option<&str>) -> Result<Option<SignedDuration>, Diagnosis> {
    let Some(text) = text else { return Ok(None) };
    let parsed = || {
        let (at, unit) = text.trim().char_indices().last()?;
        let hours = match unit {
            'h' => 1,
            'd' => 24,
            'w' => 24 * 7,
            _ => return None,
        };
        let number: u32 = text.trim().get(..at)?.parse().ok()?;
        Some(SignedDuration::from_hours(i64::from(number) * hours))
    };
    parsed().map(Some).ok_or_else(|| {
        let fix = "write for example 6h, 30d or 8w";
        Diagnosis::new(Code::InvalidInput, format!("`{what}` is wrong"), format!("`{text}` is no span of time"), fix)
    })
}

/// Numbers of findings on one line.
pub(super) fn in_words(counts: &SeverityCounts) -> String {
    format!("C {}  H {}  M {}  L {}", counts.critical, counts.high, counts.medium, counts.low)
}

/// Images that are read at the same time; each keeps all cores busy.
const READERS: usize = 2;
const MOST_JOBS: usize = 64;
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
