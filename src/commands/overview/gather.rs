//! What one project contributes to the overview, and why something of it is missing.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::debug;

use super::history::Days;
use crate::assess::deployed;
use crate::assess::owner::{self, CODEOWNERS_PATHS, OwnerFiles};
use crate::gitlab::{Deployment, GitLab, GitLabError, Project, Repository};
use crate::model::{CoverageGap, GapReason, ImageSnapshot, OverviewImage, OverviewProject, StateIndex};
use crate::state::{Overlay, Packages, State, StateError, StoreError};

/// What is the same for all projects.
pub(super) struct Gathering {
    pub(super) gitlab: Arc<GitLab>,
    /// The project whose jobs scan.
    pub(super) own: Option<u64>,
    pub(super) now: Timestamp,
    /// Days after which a scan is too old.
    pub(super) stale_after: i64,
    pub(super) catalog: String,
    pub(super) dockerfile: String,
}

/// What was gathered.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) projects: Vec<OverviewProject>,
    pub(super) history: Vec<Days>,
    pub(super) notices: Vec<String>,
}

impl Gathered {
    pub(super) fn add(&mut self, other: Self) {
        self.projects.extend(other.projects);
        self.history.extend(other.history);
        self.notices.extend(other.notices);
    }
}

impl Gathering {
    /// Everything about one project. What cannot be read is a gap or a notice; nothing stops the others.
    pub(super) fn project(&self, project: &Project, repositories: &[&Repository]) -> Gathered {
        let mut gathered = Gathered::default();
        let (path, url) = (project.path_with_namespace.clone(), project.web_url.clone());
        let mut found = OverviewProject { path, url, ..OverviewProject::default() };
        found.gap = self.registry_gap(project, repositories);
        if found.gap.is_none() {
            match self.index(project) {
                Ok((index, damage)) => {
                    let named = |notice: String| format!("{}: {notice}", project.path_with_namespace);
                    gathered.notices.extend(damage.into_iter().map(named));
                    self.images(project, repositories, &index, &mut found, &mut gathered);
                }
                Err(gap) if repositories.is_empty() => debug!("{}: {}", found.path, gap.detail),
                Err(gap) => {
                    found.images = repositories.iter().map(|one| without_scan(one, gap.clone())).collect();
                    found.gap = Some(gap);
                }
            }
        }
        gathered.projects.push(found);
        gathered
    }

    /// Why a project's registry cannot be seen, or is not there.
    fn registry_gap(&self, project: &Project, repositories: &[&Repository]) -> Option<CoverageGap> {
        let gap = |reason, detail: &str| Some(CoverageGap { reason, detail: detail.to_owned() });
        match project.container_registry_access_level.as_deref() {
            Some("disabled") => gap(
                GapReason::RegistryOff,
                "switch it on in Settings › General › Visibility, or push no images from this project",
            ),
            _ if !repositories.is_empty() => None,
            access => match self.gitlab.repositories(&project.path_with_namespace) {
                // A project without images.
                Ok(_) => None,
                Err(error) if access == Some("private") && is_refusal(&error) => gap(
                    GapReason::MembersOnly,
                    "its registry is for project members: make the owner of the token a member (role Reporter), or let \
                     everyone with access see it",
                ),
                Err(error) => gap(GapReason::TokenTooWeak, &format!("its registry cannot be listed: {error}")),
            },
        }
    }

    /// What the project remembers, and what of it cannot be used.
    fn index(&self, project: &Project) -> Result<(StateIndex, Vec<String>), CoverageGap> {
        let too_weak = |refusal: &GitLabError| CoverageGap {
            reason: GapReason::TokenTooWeak,
            detail: format!(
                "its package registry cannot be read: {refusal}; the token needs read_api and the role Reporter"
            ),
        };
        let id = project.id.to_string();
        let store = Arc::new(Packages::new(Arc::clone(&self.gitlab), &id));
        let place = std::env::temp_dir().join(format!("plimsoll-overview-{}-{}", std::process::id(), project.id));
        let state = State::open(Arc::new(Overlay::new(store, place)), self.now).map_err(|error| match &error {
            StateError::Store { cause: StoreError::GitLab(refusal), .. } if is_refusal(refusal) => too_weak(refusal),
            _ => CoverageGap { reason: GapReason::Unreadable, detail: error.to_string() },
        })?;
        let damage = state.take_notices();
        if state.index().images.is_empty() {
            // A memory whose files may not be listed looks like an empty one.
            match self.gitlab.package_files(&id, Packages::PACKAGE, "index") {
                Err(refusal) if is_refusal(&refusal) => return Err(too_weak(&refusal)),
                _ => {}
            }
            if let Some(first) = damage.first() {
                let detail = format!("{first}; the next retest builds it again");
                return Err(CoverageGap { reason: GapReason::Unreadable, detail });
            }
        }
        Ok((state.index().clone(), damage))
    }

    fn images(
        &self,
        project: &Project,
        repositories: &[&Repository],
        index: &StateIndex,
        found: &mut OverviewProject,
        gathered: &mut Gathered,
    ) {
        let known: BTreeSet<&str> = index.images.values().map(|image| image.repository.as_str()).collect();
        let unknown: Vec<&&Repository> =
            repositories.iter().filter(|one| !known.contains(one.location.as_str())).collect();
        let present: Vec<&ImageSnapshot> = index.images.values().filter(|image| image.gone.is_none()).collect();
        if present.is_empty() && unknown.is_empty() {
            return;
        }
        let files = self.owner_files(project, gathered);
        let deployments = self.deployments(project, gathered);
        let root =
            repositories.iter().map(|one| one.location.as_str()).find_map(|location| registry_root(location, project));
        for image in present {
            let part = root.and_then(|root| image.repository.strip_prefix(root)).unwrap_or_default();
            let path = image.repository.split_once('/').map_or(image.repository.as_str(), |(_, path)| path);
            let owned = owner::resolve(&files, part.trim_matches('/'), path, &self.dockerfile, &image.labels);
            let verdict = image.verdict.as_ref();
            found.images.push(OverviewImage {
                name: image.name.clone(),
                owners: owned.owners,
                owner_source: owned.source,
                lifecycle: owned.lifecycle,
                deployed: deployed(image, &deployments),
                distribution: image.distribution.clone(),
                last_scanned: image.last_scanned,
                advisories: image.advisories,
                policy: image.policy.clone(),
                counts: verdict.map(|verdict| verdict.counts),
                fixable: verdict.map_or(0, |verdict| verdict.fixable),
                kev: verdict.map_or(0, |verdict| verdict.kev),
                gap: self.image_gap(image),
            });
        }
        if !unknown.is_empty() {
            let gap = self.never_scanned(project);
            found.images.extend(unknown.into_iter().map(|one| {
                let part = root.and_then(|root| one.location.strip_prefix(root)).unwrap_or_default();
                let labels = std::collections::BTreeMap::new();
                let owned = owner::resolve(&files, part.trim_matches('/'), &one.path, &self.dockerfile, &labels);
                OverviewImage { owners: owned.owners, owner_source: owned.source, ..without_scan(one, gap.clone()) }
            }));
        }
        found.images.sort_by(|a, b| a.name.cmp(&b.name));
        let names: BTreeSet<&String> = index.history.values().flat_map(|day| day.keys()).collect();
        gathered.history.extend(names.into_iter().map(|name| {
            index.history.iter().filter_map(|(date, day)| Some((*date, *day.get(name)?))).collect::<Days>()
        }));
    }

    fn image_gap(&self, image: &ImageSnapshot) -> Option<CoverageGap> {
        let gap = |reason, detail: String| Some(CoverageGap { reason, detail });
        if let Some(failure) = &image.failure {
            return gap(GapReason::Unscannable, format!("{}: {}; {}", failure.code, failure.what, failure.fix));
        }
        let (Some(scanned), Some(verdict)) = (image.last_scanned, &image.verdict) else {
            return gap(GapReason::NeverScanned, "it is in the registry, and no scan of it ever ended".into());
        };
        let days = self.now.duration_since(scanned).as_hours() / 24;
        if days >= self.stale_after {
            return gap(GapReason::Stale, format!("it was judged {days} days ago: look at the schedule of the retest"));
        }
        let missing: BTreeSet<String> =
            verdict.gaps.iter().map(|gap| format!("{}: {}", gap.kind.label(), gap.subject)).collect();
        if missing.is_empty() {
            return None;
        }
        let shown: Vec<String> = missing.iter().take(3).cloned().collect();
        let more = missing.len() - shown.len();
        gap(
            GapReason::Incomplete,
            format!("{}{}", shown.join("; "), if more > 0 { format!(" and {more} more") } else { String::new() }),
        )
    }

    /// Why the images of a project were never scanned.
    fn never_scanned(&self, project: &Project) -> CoverageGap {
        let own = self.own.filter(|own| *own != project.id);
        match own.map(|own| self.gitlab.lets_in(project.id, own)) {
            Some(Ok(false)) => CoverageGap {
                reason: GapReason::NotOnAllowlist,
                detail: "this project's jobs are not on its allowlist: Settings › CI/CD › Job token permissions".into(),
            },
            _ => CoverageGap {
                reason: GapReason::NeverScanned,
                detail: "include the component container-scanning or retest in its pipeline".into(),
            },
        }
    }

    fn owner_files(&self, project: &Project, gathered: &mut Gathered) -> OwnerFiles {
        let Some(branch) = &project.default_branch else { return OwnerFiles::default() };
        let mut first = |paths: &[&str]| {
            for path in paths {
                match self.gitlab.file(&project.id.to_string(), path, branch) {
                    Ok(Some(bytes)) if bytes.len() <= MAX_FILE => {
                        return Some(((*path).to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
                    }
                    Ok(Some(_)) => gathered
                        .notices
                        .push(format!("{}: {path} is too large to be read", project.path_with_namespace)),
                    Ok(None) => {}
                    Err(error) => {
                        gathered.notices.push(format!("{}: {error}", project.path_with_namespace));
                        return None;
                    }
                }
            }
            None
        };
        OwnerFiles { codeowners: first(&CODEOWNERS_PATHS), catalog: first(&[self.catalog.as_str()]) }
    }

    fn deployments(&self, project: &Project, gathered: &mut Gathered) -> Vec<Deployment> {
        self.gitlab.deployments(project.id).unwrap_or_else(|error| {
            // Deployments may be switched off, or be for members only.
            if !is_refusal(&error) {
                gathered.notices.push(format!("{}: {error}", project.path_with_namespace));
            }
            Vec::new()
        })
    }
}

fn without_scan(repository: &Repository, gap: CoverageGap) -> OverviewImage {
    OverviewImage { name: repository.location.clone(), gap: Some(gap), ..OverviewImage::default() }
}

/// `registry.example.com/group/project` of a repository of that project. Registry paths are in small letters.
fn registry_root<'a>(location: &'a str, project: &Project) -> Option<&'a str> {
    let wanted = format!("/{}", project.path_with_namespace.to_lowercase());
    location.find(&wanted).and_then(|at| location.get(..at + wanted.len()))
}

/// The environments whose last deployment is of the commit, branch or tag that an image is named after or says it is
/// from.
fn deployed(image: &ImageSnapshot, deployments: &[Deployment]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let last = deployments.iter().filter(|deployment| seen.insert(deployment.environment.name.as_str()));
    let is_of = |deployment: &&Deployment| {
        deployed::is_of(Some(&image.tag), &image.labels, &deployment.reference, &deployment.sha)
    };
    let mut names: Vec<String> = last.filter(is_of).map(|deployment| deployment.environment.name.clone()).collect();
    names.sort();
    names
}

fn is_refusal(error: &GitLabError) -> bool {
    matches!(error.status(), Some(401 | 403 | 404))
}

const MAX_FILE: usize = 1 << 20;
