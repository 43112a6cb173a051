//! `plimsoll retest`: all known images, judged by today's advisories.
//!
//! One request tells whether a tag still points to the same image. If so, its stored inventory is judged again and
//! nothing is pulled; if not, or if none is stored, the image is read now. Everything is stored when it is done, image by
//! image, so that a retest that is killed goes on where it stopped. One bad image never stops the rest.

mod collect;
mod compare;
mod judge;
mod known;
mod log;
pub(super) mod memory;
mod merge;
mod read;
pub(super) mod sbom;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use crate::assess::select::Decision;
use crate::cli::{NotifyArgs, OutputArgs, RetestArgs};
use crate::context::Environment;
use crate::exit::Exit;
use crate::inventory::{self, LayerCache};
use crate::matching::Memo;
use crate::model::{
    Code, Diagnosis, ImageSnapshot, Limits, Outcome, Platform, RuleUse, SeverityCounts, ShardName, SnapshotChanges,
};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::state::{Finish, State, folder, verdict_file};

use super::connection::Connection;
use super::images::listing::{self, Listing};
use super::judgement::Judgement;
use super::section::Section;
use super::{alert, base, database, parallel, platforms, scan, terminal};
use alert::{Notified, Wish};
use collect::{Changes, Collector};
use judge::{Done, Judging};
use known::{Known, Looked};
use log::{Entry, ImportLog, Result as LogResult};
pub(super) use merge::merge_changes;
use sbom::Sboms;

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
    let wish = wish(args, environment)?;
    let judgement = Judgement::of(settings, environment)?;
    let platform = platforms::Wanted::of(&args.scan(), environment)?.only();
    let limits = super::limits::of(environment)?;
    let selection = listing::selection(&args.selection, settings)?;
    let every = span("every", environment.get("PLIMSOLL_EVERY"))?;
    let keep = span("keep", environment.get("PLIMSOLL_KEEP"))?.unwrap_or(KEPT);
    let jobs = args.jobs.unwrap_or(listing::JOBS).clamp(1, MOST_JOBS);
    let started = Timestamp::now();
    let state = memory::open(args.selection.state.as_deref(), environment, started, args.remember)?;
    let mut listing = Listing::take(&args.selection, settings, environment)?;
    let decisions = listing.select(&selection, state.index(), started, jobs);
    for notice in &listing.notices {
        warn!("{notice}");
    }
    let names: Vec<String> = listing.tags.iter().map(listing::ListedTag::name).collect();
    let connection = Connection::new(environment, &names, args.cache_dir.as_deref());
    let layers = args.cache_dir.clone().or_else(|| environment.get("PLIMSOLL_CACHE_DIR").map(PathBuf::from));
    let retest = Retest {
        registry: connection.shared()?,
        hints: base::Hints::of(environment, judgement.project.dockerfile.as_ref()),
        layers: layers.map(|directory| LayerCache::new(&directory)),
        revision: inventory::revision(&limits),
        limits,
        first_run: args.first_run || memory::is_first_run(state.index()),
        wish,
        today: started.to_zoned(TimeZone::UTC).date(),
        state,
        platform,
        judgement,
        policy: policy(environment),
        started,
        jobs,
        collector: Collector::new(&out)?,
        changes: Changes::new(&out)?,
    };
    retest.run(args, environment, output, &listing, &decisions, every, keep, &out)
}

/// Tags of one image, with their places in the document.
type Group<'a> = Vec<(usize, Known<'a>, Looked)>;

struct Retest {
    state: State,
    registry: Arc<Registry>,
    /// What says on which images others were built.
    hints: base::Hints,
    layers: Option<LayerCache>,
    /// What takes inventories here.
    revision: String,
    /// What an image may cost.
    limits: Limits,
    platform: Platform,
    judgement: Judgement,
    /// What a gate fails for, where one is asked for.
    policy: Option<String>,
    started: Timestamp,
    today: Date,
    jobs: usize,
    /// Whether this is the first retest of all: nothing is news then.
    first_run: bool,
    /// Who is told at the end.
    wish: Option<Wish>,
    collector: Collector,
    changes: Changes,
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
        let mut pairs: Vec<(Known<'_>, Looked)> = known.into_iter().zip(looked).collect();
        let to_read: Vec<usize> =
            pairs.iter().enumerate().filter(|(_, (_, looked))| looked.is_to_read()).map(|(index, _)| index).collect();
        let section = (!to_read.is_empty()).then(|| {
            info!("{} images are read, as they are new or have moved", to_read.len());
            Section::open(environment, "read", &format!("{} images are read", to_read.len()))
        });
        let read =
            parallel::map(&to_read, READERS, |index| pairs.get(*index).map(|(known, looked)| self.read(known, looked)));
        drop(section);
        for (index, read) in to_read.iter().zip(read) {
            if let (Some((_, looked)), Some(read)) = (pairs.get_mut(*index), read) {
                *looked = read;
            }
        }
        memory::tell(&self.state);
        let mut document = scan::empty_document(self.started);
        let wanted: BTreeSet<ShardName> =
            pairs.iter().flat_map(|(known, looked)| looked.shards(known)).cloned().collect();
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

        let read = pairs.iter().enumerate().filter(|(_, (_, looked))| looked.is_read());
        let sboms = Sboms::of(read.map(|(place, (known, _))| (place, known.name.as_str())), out);
        // Tags of one image are judged together: its packages are matched once.
        let mut groups: BTreeMap<(&str, String), Group<'_>> = BTreeMap::new();
        for (order, (known, looked)) in pairs.into_iter().enumerate() {
            let key = looked.config().map_or_else(|| known.name.clone(), |config| config.to_string());
            groups.entry((known.repository, key)).or_default().push((order, known, looked));
        }
        // Images of one system after each other: what was read of its advisories is at hand.
        let mut groups: Vec<Group<'_>> = groups.into_values().collect();
        groups.sort_by_cached_key(|group| group.first().map(|(_, known, looked)| looked.shards(known).to_vec()));
        let (database, gaps) = match &opened {
            Some(opened) => (Some(&opened.database), opened.gaps.as_slice()),
            None => (None, &[][..]),
        };
        if let Some(database) = database {
            database.keep(BLOCKS_KEPT);
        }
        let number: usize = groups.iter().map(Vec::len).sum();
        let (memo, judged) = (Memo::new(FOUND_KEPT), AtomicUsize::new(0));
        let judging = Judging { database, gaps, sboms: &sboms, memo: &memo, progress: (&judged, number) };
        let section = Section::open(environment, "judged", &format!("{number} images are judged"));
        let done = parallel::map(groups, self.jobs.min(JUDGED_AT_ONCE), |group| self.judge_group(group, &judging));
        let mut done: Vec<Done> = done.into_iter().flatten().collect();
        drop(section);
        drop((memo, opened));
        memory::tell(&self.state);
        done.sort_by_key(|done| done.order);

        let mut changes = SnapshotChanges {
            format: SnapshotChanges::FORMAT.into(),
            started: self.started,
            first_run: self.first_run,
            before: Vec::new(),
            after: Vec::new(),
            unchanged: Vec::new(),
        };
        for one in &gone {
            self.changes.add(self.state.index().images.get(&one.name), one)?;
        }
        let mut import = ImportLog::new(self.started);
        import.notices.clone_from(&listing.notices);
        import.images.extend(gone.iter().map(Entry::gone));
        import.images.extend(skipped);
        let mut finish = Finish { keep, ..Finish::default() };
        let mut rules = collect::Rules::default();
        for one in done {
            rules.add(one.rules);
            finish.obsolete.extend(one.obsolete);
            finish.failures_told.insert(one.entry.name.clone());
            if let Some(verdict) = one.verdict.filter(|_| one.entry.result != LogResult::Failed) {
                finish.told.insert(one.entry.name.clone(), verdict);
            }
            if !one.news {
                changes.unchanged.push(one.entry.name.clone());
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
        let rules = document.rules.clone();
        let exit = self.collector.write(document, args, output, environment, out)?;
        let changes_file = out.join(SnapshotChanges::FILE);
        self.changes.write(&changes_file, &changes)?;
        import.write(out)?;
        if self.first_run {
            info!("baseline: first run: {judged} images are remembered now; from now on, what is new is told");
        }
        let nothing = import.images.is_empty() && !failed;
        let notified = match &self.wish {
            Some(wish) if !nothing => tell(wish, &changes_file, &rules, environment, out),
            _ => Notified { exit: Exit::Done, complete: true },
        };
        if args.tell_later {
            finish.failures_told.clear();
            finish.told.clear();
        }
        if !notified.complete {
            // Who was told already is not told twice.
            warn!("not everybody could be told what is new: the next retest tells it again");
            finish.failures_told.clear();
            // What a first run remembers is no news that could be told again; forgotten, it would make the next one first.
            if !self.first_run {
                finish.told.clear();
            }
        }
        let (_, notices) = self.state.finish(Timestamp::now(), &finish).map_err(|error| memory::diagnosis(&error))?;
        for notice in notices {
            warn!("{notice}");
        }
        import.tell();
        Ok(match exit {
            _ if nothing => {
                terminal::error(&nothing_selected(listing.tags.len()).to_string());
                Exit::NothingToScan
            }
            _ if failed && !args.keep_going => Exit::Incomplete,
            _ if !notified.complete => Exit::Incomplete,
            _ if notified.exit != Exit::Done => notified.exit,
            // Images that failed, or tags that have all vanished.
            Exit::Incomplete | Exit::NothingToScan => Exit::Done,
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
    fn known<'a>(
        &'a self,
        listing: &'a Listing,
        decisions: &[Decision],
        every: Option<SignedDuration>,
    ) -> (Vec<Known<'a>>, Vec<Entry>) {
        let mut chosen = Vec::new();
        let mut skipped = Vec::new();
        for (tag, decision) in listing.tags.iter().zip(decisions) {
            if !matches!(decision, Decision::Selected(_)) || tag.vanished {
                continue;
            }
            let name = tag.name();
            let before = self.state.index().images.get(&name);
            let last = before.filter(|one| one.failure.is_none()).and_then(|one| one.last_scanned);
            match last.zip(every) {
                Some((last, every)) if self.started.duration_since(last) < every => {
                    skipped.push(Entry::skipped(&name, format!("it was scanned at {last}")));
                }
                _ => chosen.push(Known::new(name, tag, before)),
            }
        }
        (chosen, skipped)
    }
}

/// The policy that a gate enforces on what is judged here: the one of the component, which calls the gate with it, else the
/// project's.
fn policy(environment: &Environment) -> Option<String> {
    let named = ["PLIMSOLL_JOB_FAIL_ON", "PLIMSOLL_FAIL_ON"].into_iter().find_map(|name| environment.get(name));
    named.filter(|text| !matches!(*text, "" | "never")).map(|text| text.chars().take(LONGEST_POLICY).collect())
}

/// Who is told at the end; nobody unless the command line says so. A setting would make each job of a plan tell its part.
fn wish(args: &RetestArgs, environment: &Environment) -> Result<Option<Wish>, Diagnosis> {
    if args.notify.is_empty() {
        return Ok(None);
    }
    let (notify, alert_on, sla) = (args.notify.clone(), args.alert_on.clone(), args.sla.clone());
    Wish::of(&NotifyArgs { notify, alert_on, sla, pipeline: None }, environment).map(Some)
}

/// Tells what is new. This comes before the news counts as told, so that whoever is killed here is followed by one who
/// tells it again; the channels know what they were told.
fn tell(wish: &Wish, changes: &Path, rules: &[RuleUse], environment: &Environment, out: &Path) -> Notified {
    let notified = alert::read(changes).and_then(|changes| alert::notify(&changes, rules, wish, environment, out));
    notified.unwrap_or_else(|diagnosis| {
        terminal::error(&diagnosis.to_string());
        Notified { exit: Exit::Done, complete: false }
    })
}

/// Notes in the memory that what a retest with `--tell-later` found is told now, and with `failures` that failures are.
pub(super) fn remember_told(
    changes: &SnapshotChanges,
    failures: bool,
    state: Option<&Path>,
    environment: &Environment,
) -> Result<(), Diagnosis> {
    let keep = span("keep", environment.get("PLIMSOLL_KEEP"))?.unwrap_or(KEPT);
    let now = Timestamp::now();
    // Who says so knows that this pipeline may.
    let state = memory::open(state, environment, now, true)?;
    let verdict = |image: &ImageSnapshot| {
        // Of an image that failed or is gone, no finding was told.
        let verdict = image.verdict.as_ref().filter(|_| image.failure.is_none() && image.gone.is_none())?;
        Some((image.name.clone(), verdict.hash.clone()))
    };
    let old = changes.before.iter().filter_map(|image| {
        let file = verdict_file(image.config_digest.as_ref()?, &image.verdict.as_ref()?.hash);
        Some((folder(&image.repository), file))
    });
    let finish = Finish {
        told: changes.after.iter().filter_map(verdict).collect(),
        failures_told: changes.after.iter().filter(|_| failures).map(|image| image.name.clone()).collect(),
        obsolete: old.collect(),
        keep,
    };
    let (_, notices) = state.finish(now, &finish).map_err(|error| memory::diagnosis(&error))?;
    for notice in notices {
        warn!("{notice}");
    }
    Ok(())
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
/// Images that are judged at the same time: what is found in each is in memory meanwhile.
const JUDGED_AT_ONCE: usize = 4;
/// Bytes of the database that are kept unpacked.
const BLOCKS_KEPT: usize = 32 << 20;
/// Bytes of findings that are kept for the next image with the same packages.
const FOUND_KEPT: usize = 16 << 20;
const LONGEST_POLICY: usize = 500;
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
