//! What is in a registry: through GitLab's API, else through the registry itself.
//!
//! The API lists a project with the job token, a group with an access token. Where it cannot be asked, repositories that
//! are named are listed by the registry (`/v2/<repository>/tags/list`), which needs the right to pull only.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use tracing::{info, warn};

use crate::assess::select::{Candidate, Decision, Selection};
use crate::cli::SelectionArgs;
use crate::commands::connection::Connection;
use crate::commands::parallel;
use crate::context::{ApiToken, Environment, Job, NetworkSettings};
use crate::gitlab::{GitLab, GitLabError, Repository};
use crate::model::{Code, Diagnosis, Digest, ImageReference, ImageSnapshot, StateIndex};
use crate::registry::Registry;
use crate::settings::{Origin, Settings};

use super::place::{Source, Whose, exact, repositories, sources, web_address, whole};

pub(in crate::commands) type Selected = Decision;

/// Requests at the same time.
pub(in crate::commands) const JOBS: usize = 8;

/// The tags of a registry.
#[derive(Debug)]
pub(in crate::commands) struct Listing {
    pub(in crate::commands) tags: Vec<ListedTag>,
    /// What could not be listed, and why.
    pub(in crate::commands) notices: Vec<String>,
    /// Repositories of which all tags are listed.
    complete: BTreeSet<String>,
    /// Path of the project, which patterns may leave out.
    project: String,
    /// What the API listed, and who asks about it.
    repositories: Vec<(Repository, Arc<GitLab>)>,
    clients: Vec<Arc<GitLab>>,
    registry: Option<Arc<Registry>>,
    /// Questions to the registry.
    requests: AtomicU32,
}

/// One tag.
#[derive(Debug, Clone)]
pub(in crate::commands) struct ListedTag {
    /// `registry/repository`.
    pub(in crate::commands) repository: String,
    pub(in crate::commands) tag: String,
    pub(in crate::commands) digest: Option<Digest>,
    pub(in crate::commands) created: Option<Timestamp>,
    pub(in crate::commands) size: Option<u64>,
    /// Whether all was asked.
    detailed: bool,
    /// Whether it has vanished since it was listed.
    pub(in crate::commands) vanished: bool,
    /// Index of its repository in the API's list.
    listed: Option<usize>,
}

/// The answer to a question about one tag.
pub(in crate::commands) enum Details {
    Known { digest: Option<Digest>, created: Option<Timestamp>, size: Option<u64> },
    Vanished,
    Unknown(String),
}

impl ListedTag {
    fn new(repository: &str, tag: &str, listed: Option<usize>) -> Self {
        Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            digest: None,
            created: None,
            size: None,
            detailed: false,
            vanished: false,
            listed,
        }
    }

    /// `registry/repository:tag`.
    pub(in crate::commands) fn name(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

/// The selection that arguments and settings ask for.
pub(in crate::commands) fn selection(args: &SelectionArgs, settings: &Settings) -> Result<Selection, Diagnosis> {
    let (patterns, origin) = patterns(args, settings);
    let mut names: Vec<String> = Vec::new();
    for pattern in patterns {
        match web_address(&pattern) {
            Some(page) => names.extend(page.names()),
            None => names.push(pattern),
        }
    }
    let select = settings.get("select");
    Selection::parse(&names, select.map(|chosen| chosen.text())).map_err(|error| {
        let place = match select {
            Some(chosen) => format!("{origin} or {}", chosen.origin),
            None => origin,
        };
        let fix = "write for example `app:1.*` and `tag =~ ^v && newest(5)`; see docs/retest.md";
        Diagnosis::new(Code::InvalidInput, format!("the selection given by {place} is wrong"), error.to_string(), fix)
    })
}

/// Patterns of the command line, else those of the setting `images`.
fn patterns(args: &SelectionArgs, settings: &Settings) -> (Vec<String>, String) {
    let (patterns, origin) = match settings.get("images") {
        // CS_IMAGE says what a pipeline pushed, not what is in the registry.
        Some(chosen)
            if args.patterns.is_empty() && !matches!(chosen.origin, Origin::Variable("CS_IMAGE" | "DOCKER_IMAGE")) =>
        {
            (chosen.texts.clone(), chosen.origin.to_string())
        }
        _ => (args.patterns.clone(), "the command line".to_owned()),
    };
    (patterns, origin)
}

impl Listing {
    /// Lists what the arguments speak of.
    pub(in crate::commands) fn take(
        args: &SelectionArgs,
        settings: &Settings,
        environment: &Environment,
    ) -> Result<Self, Diagnosis> {
        let (patterns, _) = patterns(args, settings);
        let job = Job::from_environment(environment);
        let path = environment.get("CI_PROJECT_PATH").unwrap_or_default().to_lowercase();
        let mut listing = Self {
            tags: Vec::new(),
            notices: Vec::new(),
            complete: BTreeSet::new(),
            project: path,
            repositories: Vec::new(),
            clients: Vec::new(),
            registry: None,
            requests: AtomicU32::new(0),
        };
        let exact = exact(&patterns);
        let sources = sources(args, &patterns, job.as_ref(), &listing.project);
        // Another project or group has other repositories than this job's.
        let own = args.group.is_none() && args.project.is_none();
        let named = repositories(&patterns, if own { environment.get("CI_REGISTRY_IMAGE") } else { None });
        let mut names: Vec<String> = exact.iter().chain(&named).map(ToString::to_string).collect();
        if names.is_empty() {
            names.extend(environment.get("CI_REGISTRY_IMAGE").map(str::to_owned));
        }
        listing.registry = Connection::new(environment, &names, None).shared().ok();
        if !exact.is_empty() && exact.len() == patterns.len() {
            // Nothing needs to be listed.
            for image in exact {
                listing.tags.push(ListedTag::new(&image.name(), image.selector(), None));
            }
            listing.tags.dedup_by(|a, b| a.name() == b.name());
            return Ok(listing);
        }
        let mut failure = None;
        for source in &sources {
            match job.as_ref().map(|job| listing.by_api(job, environment, source)) {
                Some(Ok(())) | None => {}
                Some(Err(diagnosis)) => {
                    if !named.is_empty() || sources.len() > 1 {
                        warn!("{diagnosis}");
                    }
                    failure.get_or_insert(diagnosis);
                }
            }
        }
        listing.keep_what_is_meant(&patterns, &sources)?;
        if listing.clients.is_empty() {
            return match failure {
                _ if !named.is_empty() => listing.by_registry(&named).map(|()| listing),
                Some(diagnosis) => Err(diagnosis),
                None => Err(Diagnosis::new(
                    Code::NothingToScan,
                    "it is not known which registry is meant",
                    "this is no job of GitLab (CI_API_V4_URL and CI_PROJECT_ID are not set), and no repository is named",
                    "name images, such as registry.example.com/group/app or registry.example.com/group/app:1.*",
                )),
            };
        }
        listing.elsewhere(&patterns, &exact)?;
        Ok(listing)
    }

    /// Lists what patterns name by its whole name and the API has not listed: repositories of other registries and projects.
    fn elsewhere(&mut self, patterns: &[String], exact: &[ImageReference]) -> Result<(), Diagnosis> {
        let listed: BTreeSet<String> = self.repositories.iter().map(|(one, _)| one.location.clone()).collect();
        let mut seen = BTreeSet::new();
        for image in exact.iter().filter(|image| !listed.contains(&image.name())) {
            if seen.insert(image.to_string()) {
                self.tags.push(ListedTag::new(&image.name(), image.selector(), None));
            }
        }
        let others: Vec<String> = patterns.iter().filter(|one| whole(one).is_none()).cloned().collect();
        let mut named = repositories(&others, None);
        named.retain(|image| !listed.contains(&image.name()));
        if !named.is_empty() && self.by_registry(&named).is_err() && self.tags.is_empty() {
            info!("no other registry could be listed either");
        }
        let mut names = BTreeSet::new();
        self.tags.retain(|tag| names.insert(tag.name()));
        Ok(())
    }

    /// Where a project is listed as a whole, and one of its repositories is also addressed by its number, the address
    /// means that repository only.
    fn keep_what_is_meant(&mut self, patterns: &[String], sources: &[Source]) -> Result<(), Diagnosis> {
        if sources.iter().all(|source| !source.is_mixed) {
            return Ok(());
        }
        let mut others: Vec<String> = Vec::new();
        for pattern in patterns {
            match web_address(pattern) {
                None => others.push(pattern.clone()),
                Some(page) if page.repository.is_none() => others.extend(page.names()),
                Some(_) => {}
            }
        }
        let names_any = others.iter().any(|pattern| !pattern.starts_with('!'));
        let selection = Selection::parse(&others, None).map_err(|error| {
            Diagnosis::new(Code::InvalidInput, "the selection is wrong", error.to_string(), "see docs/retest.md")
        })?;
        let none = StateIndex::new(Timestamp::UNIX_EPOCH);
        let candidates: Vec<Candidate> = self.tags.iter().map(|tag| candidate(tag, &none)).collect();
        let decisions = selection.decide(&candidates, &self.project, Timestamp::UNIX_EPOCH);
        let addressed = |tag: &ListedTag| {
            let repository = tag.listed.and_then(|listed| self.repositories.get(listed)).map(|(one, _)| one.id);
            let ids = || sources.iter().flat_map(|source| &source.repositories);
            repository.is_some_and(|repository| ids().any(|id| *id == repository))
        };
        let keep: Vec<bool> = self
            .tags
            .iter()
            .zip(&decisions)
            .map(|(tag, decision)| (names_any && matches!(decision, Decision::Selected(_))) || addressed(tag))
            .collect();
        for (tag, _) in self.tags.iter().zip(&keep).filter(|(_, keep)| !**keep) {
            self.complete.remove(&tag.repository);
        }
        let mut keep = keep.into_iter();
        self.tags.retain(|_| keep.next().unwrap_or(true));
        Ok(())
    }

    fn by_api(&mut self, job: &Job, environment: &Environment, source: &Source) -> Result<(), Diagnosis> {
        let purpose = "the registry cannot be listed through the API";
        let own = match &source.whose {
            Whose::Project(project) => *project == job.project || project.to_lowercase() == self.project,
            Whose::Group(_) => false,
        };
        // The job token may ask about its own project only.
        let token: Option<&ApiToken> = match own {
            true => job.job_token.as_ref().or(job.access_token.as_ref()),
            false => job.access_token.as_ref().or(job.job_token.as_ref()),
        };
        let Some(token) = token else {
            let why = "neither CI_JOB_TOKEN nor PLIMSOLL_GITLAB_TOKEN is set";
            return Err(Diagnosis::new(Code::InsufficientScope, purpose, why, "run this in a job of GitLab"));
        };
        let network = NetworkSettings::from_environment(environment, &[]).map_err(|error| {
            Diagnosis::new(Code::InvalidInput, purpose, error.to_string(), "correct the variable that is named")
        })?;
        let failed = |error: GitLabError| error.diagnosis(purpose);
        let gitlab = Arc::new(GitLab::new(&network, &job.api, token.clone()).map_err(failed)?);
        let repositories = match &source.whose {
            Whose::Project(project) => gitlab.repositories(project),
            Whose::Group(group) => gitlab.group_repositories(group),
        };
        let repositories = repositories.map_err(failed)?;
        if let Some(cut) = repositories.cut {
            self.notices.push(format!("the list of repositories may be incomplete: {cut}"));
        }
        let mut wanted: Vec<Repository> = Vec::new();
        for repository in repositories.items {
            let is_own = format!("{}:x", repository.location).parse::<ImageReference>().is_ok();
            if !source.is_mixed && !source.repositories.is_empty() && !source.repositories.contains(&repository.id) {
                continue;
            }
            if repository.is_being_deleted() {
                self.notices.push(format!("{} is left out: it is being deleted", repository.path));
            } else if !is_own {
                self.notices
                    .push(format!("`{}` is left out: its location is no name of a repository", repository.path));
            } else {
                wanted.push(repository);
            }
        }
        let lists = parallel::map(&wanted, JOBS, |repository| gitlab.repository_tags(repository));
        let before = self.repositories.len();
        for (index, (repository, tags)) in wanted.iter().zip(lists).enumerate() {
            match tags {
                Ok(tags) => {
                    match tags.cut {
                        Some(cut) => self.notices.push(format!("{}: tags may be missing: {cut}", repository.path)),
                        None => {
                            self.complete.insert(repository.location.clone());
                        }
                    }
                    let mut seen = BTreeSet::new();
                    for tag in tags.items {
                        // What is no tag must not become a part of an address.
                        let valid = format!("{}:{}", repository.location, tag.name).parse::<ImageReference>().is_ok();
                        if valid && seen.insert(tag.name.clone()) {
                            self.tags.push(ListedTag::new(&repository.location, &tag.name, Some(before + index)));
                        }
                    }
                }
                Err(error) if error.status() == Some(404) => {
                    self.notices.push(format!("{} is left out: it was deleted meanwhile", repository.path));
                }
                Err(error) => self.notices.push(format!("{} is left out: {error}", repository.path)),
            }
        }
        info!("{} tags in {} repositories through the API ({})", self.tags.len(), wanted.len(), gitlab.host());
        self.repositories.extend(wanted.into_iter().map(|repository| (repository, Arc::clone(&gitlab))));
        self.clients.push(gitlab);
        Ok(())
    }

    fn by_registry(&mut self, named: &[ImageReference]) -> Result<(), Diagnosis> {
        let Some(registry) = self.registry.clone() else {
            let why = "the registry client cannot be set up";
            return Err(Diagnosis::new(
                Code::InvalidInput,
                "the registry cannot be listed",
                why,
                "see the lines above",
            ));
        };
        let lists = parallel::map(named, JOBS, |image| registry.tags(image));
        let mut failure = None;
        for (image, tags) in named.iter().zip(lists) {
            self.requests.fetch_add(1, Ordering::Relaxed);
            match tags {
                Ok(tags) => {
                    self.complete.insert(image.name());
                    self.tags.extend(tags.iter().map(|tag| ListedTag::new(&image.name(), tag, None)));
                }
                Err(error) => {
                    let diagnosis = error.diagnosis(image);
                    self.notices.push(format!("{} is left out: {diagnosis}", image.name()));
                    failure.get_or_insert(diagnosis);
                }
            }
        }
        match failure {
            Some(diagnosis) if self.tags.is_empty() => Err(diagnosis),
            _ => Ok(()),
        }
    }

    /// Decides about each tag, and asks about those for which it matters.
    pub(in crate::commands) fn select(
        &mut self,
        selection: &Selection,
        index: &StateIndex,
        now: Timestamp,
        jobs: usize,
    ) -> Vec<Selected> {
        for _ in 0..ROUNDS {
            let candidates: Vec<Candidate> = self.tags.iter().map(|tag| candidate(tag, index)).collect();
            let decisions = selection.decide(&candidates, &self.project, now);
            let open = decisions.iter().enumerate().filter(|(_, decision)| **decision == Decision::Undecided);
            let open: Vec<usize> = open.map(|(index, _)| index).collect();
            if open.is_empty() {
                return decisions;
            }
            self.ask(&open, jobs);
        }
        vec![Decision::Undecided; self.tags.len()]
    }

    /// What more can be known of a tag.
    pub(in crate::commands) fn details(&self, index: usize) -> Details {
        let Some(tag) = self.tags.get(index) else { return Details::Vanished };
        if let Some((repository, gitlab)) = tag.listed.and_then(|listed| self.repositories.get(listed)) {
            return match gitlab.tag_details(repository, &tag.tag) {
                Ok(Some(found)) => Details::Known {
                    digest: found.digest.and_then(|digest| digest.parse().ok()),
                    created: found.created_at,
                    size: found.total_size,
                },
                Ok(None) => Details::Vanished,
                Err(error) => Details::Unknown(error.to_string()),
            };
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (Some(registry), Ok(image)) = (&self.registry, tag.name().parse::<ImageReference>()) else {
            return Details::Unknown("it cannot be asked for".to_owned());
        };
        let digest = match registry.digest(&image) {
            Ok(digest) => digest,
            Err(error) => {
                let diagnosis = error.diagnosis(&image);
                return match diagnosis.code {
                    Code::ImageNotFound => Details::Vanished,
                    _ => Details::Unknown(diagnosis.to_string()),
                };
            }
        };
        // When it was built only its configuration says.
        let platform = crate::model::Platform::linux_amd64();
        let opened = crate::image::open(
            &crate::image::Source::Registry(image),
            &platform,
            &crate::model::Limits::default(),
            Some(registry),
        );
        let (created, size) = opened.map_or((None, None), |image| {
            (image.identity.config.created, Some(image.layers.iter().map(|layer| layer.size).sum()))
        });
        Details::Known { digest, created, size }
    }

    pub(in crate::commands) fn note(&mut self, index: usize, details: Details) {
        let Some(tag) = self.tags.get_mut(index) else { return };
        tag.detailed = true;
        match details {
            Details::Known { digest, created, size } => {
                tag.digest = digest.or(tag.digest.take());
                tag.created = created.or(tag.created);
                tag.size = size.or(tag.size);
            }
            Details::Vanished => {
                tag.vanished = true;
                self.notices.push(format!("{} has vanished since it was listed", tag.name()));
            }
            Details::Unknown(reason) => self.notices.push(format!("{}: {reason}", tag.name())),
        }
    }

    /// Tags that the memory knows and the registry has not any more.
    pub(in crate::commands) fn gone<'a>(&self, index: &'a StateIndex) -> Vec<&'a ImageSnapshot> {
        let present: BTreeSet<String> = self.tags.iter().filter(|tag| !tag.vanished).map(ListedTag::name).collect();
        let is_gone = |one: &&ImageSnapshot| self.complete.contains(&one.repository) && !present.contains(&one.name);
        index.images.values().filter(is_gone).collect()
    }

    pub(in crate::commands) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed) + self.clients.iter().map(|client| client.requests()).sum::<u32>()
    }
}

fn candidate(tag: &ListedTag, index: &StateIndex) -> Candidate {
    let known = index.images.get(&tag.name());
    let changed = known.zip(tag.digest.as_ref()).map(|(known, digest)| known.digest != *digest);
    Candidate {
        repository: tag.repository.clone(),
        tag: tag.tag.clone(),
        created: tag.created,
        changed,
        detailed: tag.detailed,
        scanned: known.and_then(|known| known.last_scanned),
        known: known.is_some(),
    }
}

/// Details, then what details make possible.
const ROUNDS: usize = 4;
