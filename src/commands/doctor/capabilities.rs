//! What each token at hand can do, and which one would do what it cannot.
//!
//! Whatever can be read is asked for; nothing is written to find out. The right to write is what GitLab says of the token
//! (its scopes and the role of its owner), or, for the job token, which cannot be asked, what GitLab documents.

use serde::Serialize;

use crate::commands::baseline;
use crate::context::{ApiToken, Credentials, Environment, Job, NetworkSettings};
use crate::gitlab::{GitLab, GitLabError, Probe, TokenInfo};
use crate::model::ImageReference;
use crate::registry::{Registry, RegistryError};

/// A token with what it can do.
#[derive(Debug, Serialize)]
pub(super) struct TokenReport {
    /// The variables that it comes from.
    token: String,
    /// `job token`, `project access token`, ….
    kind: &'static str,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    capabilities: Vec<Capability>,
}

/// One thing that a token can do, or not.
#[derive(Debug, Serialize)]
struct Capability {
    /// The name for programs.
    capability: Ability,
    allowed: Answer,
    /// How that is known.
    found: String,
    /// Which token or setting would do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// It was tried, or GitLab says so of the token.
    Yes,
    /// It was refused, or GitLab says so of the token.
    No,
    /// GitLab documents it, and only writing would prove it.
    Documented,
    /// It could not be found out: an answer is missing, or says nothing.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Ability {
    PullImages,
    PushImages,
    ListRegistry,
    ListGroupRegistry,
    ReadState,
    WriteState,
    ReadFiles,
    ReadArtifacts,
    ReadNotes,
    WriteComments,
    WriteIssues,
    NamePipeline,
}

impl Ability {
    fn in_words(self) -> &'static str {
        match self {
            Self::PullImages => "pull images",
            Self::PushImages => "push (db push)",
            Self::ListRegistry => "list the registry",
            Self::ListGroupRegistry => "list the group's registry",
            Self::ReadState => "read the state",
            Self::WriteState => "write the state",
            Self::ReadFiles => "read repository files",
            Self::ReadArtifacts => "read artifacts",
            Self::ReadNotes => "read merge-request notes",
            Self::WriteComments => "write comments",
            Self::WriteIssues => "write issues",
            Self::NamePipeline => "name the pipeline",
        }
    }

    /// Which token or setting has it, for those that lack it.
    fn source(self) -> &'static str {
        match self {
            Self::PullImages => {
                "CI_REGISTRY_PASSWORD in a job of the project; elsewhere a deploy token or access token with read_registry, \
                 or the project's job token permissions"
            }
            Self::PushImages => "CI_REGISTRY_PASSWORD in a job of the project, or a token with write_registry",
            Self::ListRegistry => {
                "CI_JOB_TOKEN in a job of the project with a registry, or an access token with read_api"
            }
            Self::ListGroupRegistry => "a group access token with read_api in PLIMSOLL_GITLAB_TOKEN",
            Self::ReadState | Self::WriteState => {
                "CI_JOB_TOKEN in a job of the project, with its package registry turned on (Settings › General › Visibility)"
            }
            Self::ReadFiles => "CI_JOB_TOKEN in a job of the project, or an access token with read_api",
            Self::ReadArtifacts => {
                "an access token with read_api; GitLab documents the job token for Premium and Ultimate only"
            }
            Self::ReadNotes => "CI_JOB_TOKEN in a job of the project, or an access token with read_api",
            Self::WriteComments | Self::WriteIssues => {
                "a project access token with the scope api and the role Developer, masked, in PLIMSOLL_GITLAB_TOKEN"
            }
            Self::NamePipeline => "CI_JOB_TOKEN in a job of the project",
        }
    }
}

/// All tokens of the job, those for the registry first.
pub(super) fn of(environment: &Environment, network: Option<&NetworkSettings>) -> Vec<TokenReport> {
    let Some(network) = network else { return Vec::new() };
    let mut reports: Vec<TokenReport> =
        LOGINS.iter().filter_map(|login| registry(login, environment, network)).collect();
    if let Some(job) = Job::from_environment(environment) {
        let group = environment.get("CI_PROJECT_ROOT_NAMESPACE").or_else(|| {
            let path = environment.get("CI_PROJECT_PATH")?;
            path.rsplit_once('/').map(|(group, _)| group)
        });
        let tokens = [&job.job_token, &job.access_token].into_iter().flatten();
        reports.extend(tokens.filter_map(|token| Desk { job: &job, network, group }.report(token)));
    }
    reports
}

/// For people: a block for each token.
pub(super) fn text(reports: &[TokenReport]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for TokenReport { token, kind, user, capabilities } in reports {
        let user = user.as_ref().map_or_else(String::new, |user| format!(" of {user}"));
        // Writing into a string cannot fail.
        let _ = writeln!(text, "\n{token}: {kind}{user}");
        for Capability { capability, allowed, found, instead } in capabilities {
            let mark = match allowed {
                Answer::Yes => "✓",
                Answer::No => "–",
                Answer::Documented | Answer::Unknown => "?",
            };
            let _ = writeln!(text, "  {mark} {:<26} {found}", capability.in_words());
            if let Some(instead) = instead {
                let _ = writeln!(text, "    {:<26} can: {instead}", "");
            }
        }
    }
    if !reports.is_empty() {
        text.push_str("\n  ✓ it can, – it cannot, ? GitLab documents it; nothing was written to find out\n");
    }
    text
}

/// Variables of a login for registries: user, password.
const LOGINS: [(&str, &str); 3] = [
    ("CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"),
    ("CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD"),
    ("CS_REGISTRY_USER", "CS_REGISTRY_PASSWORD"),
];

/// What one login may do in the registry, as the token service grants it.
fn registry(login: &(&str, &str), environment: &Environment, network: &NetworkSettings) -> Option<TokenReport> {
    let (user, password) = login;
    environment.get(password)?;
    let image = match *user {
        "CS_REGISTRY_USER" => environment.get("CS_IMAGE").or_else(|| environment.get("CI_REGISTRY_IMAGE")),
        _ => environment.get("CI_REGISTRY_IMAGE"),
    }?;
    let image: ImageReference = image.parse().ok()?;
    // Of all logins only this one.
    let other = |name: &str| {
        let is_login = |suffix: &str| name.ends_with(suffix) && !login_of(login, name);
        ["_USER", "_USERNAME", "_PASSWORD"].iter().any(|suffix| is_login(suffix))
            || ["DOCKER_AUTH_CONFIG", "DOCKER_CONFIG", "HOME", "CI_JOB_TOKEN"].contains(&name)
    };
    let only: Environment = environment
        .names()
        .filter(|name| !other(name))
        .filter_map(|name| Some((name.to_owned(), environment.get(name)?.to_owned())))
        .collect();
    let credentials = Credentials::from_environment(&only, std::slice::from_ref(&image)).ok()?;
    let login = credentials.resolve(&image).login?;
    let granted = Registry::new(network, credentials).and_then(|registry| registry.granted(&image));
    let name = format!("{}/{}", image.registry, image.repository);
    let capability = |ability, action: &str| match &granted {
        Ok(Some(actions)) if actions.iter().any(|granted| granted == action || granted == "*") => {
            Capability::yes(ability, format!("{name}: the token service grants `{action}`"))
        }
        Ok(Some(_)) => Capability::no(ability, format!("{name}: the token service grants no `{action}`")),
        Ok(None) => Capability::documented(ability, format!("{name}: this registry tells its rights by trying only")),
        Err(
            error @ (RegistryError::WrongCredentials { .. }
            | RegistryError::Denied(_)
            | RegistryError::TokenRejected { .. }),
        ) => Capability::no(ability, format!("{name}: {error}")),
        Err(error) => Capability::unknown(ability, format!("{name}: {error}")),
    };
    let capabilities = vec![capability(Ability::PullImages, "pull"), capability(Ability::PushImages, "push")];
    Some(TokenReport {
        token: format!("{user}/{password}"),
        kind: kind_of_login(&login),
        user: Some(login.user),
        capabilities,
    })
}

fn login_of((user, password): &(&str, &str), name: &str) -> bool {
    name == *user || name == *password
}

fn kind_of_login(login: &crate::context::Login) -> &'static str {
    use crate::context::LoginKind::{AccessToken, DeployToken, JobToken, Password};
    match login.kind() {
        JobToken => "job token",
        DeployToken => "deploy token",
        AccessToken => "access token",
        Password => "password",
    }
}

/// Where tokens for the API are tried.
struct Desk<'a> {
    job: &'a Job,
    network: &'a NetworkSettings,
    group: Option<&'a str>,
}

impl Desk<'_> {
    fn report(&self, token: &ApiToken) -> Option<TokenReport> {
        let name = match token {
            ApiToken::Job(_) => "CI_JOB_TOKEN",
            ApiToken::Access(_) => "PLIMSOLL_GITLAB_TOKEN",
        };
        let report = |kind, user, capabilities| TokenReport { token: name.to_owned(), kind, user, capabilities };
        if matches!(token, ApiToken::Access(secret) if secret.expose().starts_with("gldt-")) {
            let no =
                |ability| Capability::no(ability, "a deploy token is for the registry and packages, not for the API");
            return Some(report("deploy token", None, OF_THE_API.map(no).into()));
        }
        let gitlab = GitLab::new(self.network, &self.job.api, token.clone()).ok()?;
        Some(match token {
            ApiToken::Job(_) => {
                let user = gitlab.job().ok().and_then(|job| job.user).map(|user| format!("@{}", user.username));
                report("job token", user, self.of_job_token(&gitlab))
            }
            ApiToken::Access(_) => {
                let user = gitlab.user().ok().map(|user| user.username);
                report(
                    kind_of_user(user.as_deref()),
                    user.map(|user| format!("@{user}")),
                    self.of_access_token(&gitlab),
                )
            }
        })
    }

    fn of_job_token(&self, gitlab: &GitLab) -> Vec<Capability> {
        let mut all = self.readable(gitlab);
        let counts = gitlab.job();
        let grants = |ability, why: &str| match &counts {
            Ok(_) => Capability::documented(ability, why),
            Err(error) if is_refusal(error) => Capability::no(ability, "the token does not count: its job has ended"),
            Err(error) => Capability::unknown(ability, error.to_string()),
        };
        let state = all.iter().find(|one| one.capability == Ability::ReadState);
        let write = match state {
            Some(Capability { allowed: Answer::No, found, .. }) => Capability::no(Ability::WriteState, found.clone()),
            _ => grants(Ability::WriteState, "GitLab lets jobs of Developers store packages in their own project"),
        };
        all.push(write);
        all.push(grants(Ability::NamePipeline, "GitLab lets jobs name their own pipeline"));
        let nobody = "GitLab takes none from a job token";
        all.push(Capability::no(Ability::WriteComments, nobody));
        all.push(Capability::no(Ability::WriteIssues, nobody));
        all
    }

    fn of_access_token(&self, gitlab: &GitLab) -> Vec<Capability> {
        let mut all = self.readable(gitlab);
        let role = gitlab.role(&self.job.project);
        let token = gitlab.token();
        let write = |ability| match (&token, &role) {
            (Err(error), _) => Capability::failed(ability, error),
            (Ok(info), _) if !info.may_write() => {
                Capability::no(ability, format!("its scopes are {}; `api` is missing", scopes(info)))
            }
            (Ok(_), Err(error)) => Capability::failed(ability, error),
            (Ok(_), Ok(Some(level))) if *level >= DEVELOPER => {
                Capability::yes(ability, format!("scope api, role {}", role_name(*level)))
            }
            (Ok(_), Ok(Some(level))) => {
                let role = role_name(*level);
                Capability::no(ability, format!("scope api, but {role} in the project, and Developer is needed"))
            }
            // GitLab names no role of administrators, nor one that comes by sharing with a group.
            (Ok(_), Ok(None)) => Capability::unknown(ability, "scope api, but GitLab names no role in the project"),
        };
        for ability in [Ability::WriteState, Ability::NamePipeline, Ability::WriteComments, Ability::WriteIssues] {
            all.push(write(ability));
        }
        all
    }

    /// What can be found out by reading.
    fn readable(&self, gitlab: &GitLab) -> Vec<Capability> {
        let job = self.job;
        let reference = job.baseline_branch().unwrap_or("main");
        let notes = job.merge_request.as_ref().map(|merge_request| merge_request.iid);
        let notes_in = job.merge_request.as_ref().map_or(&job.project, |merge_request| &merge_request.project);
        let own = &job.project;
        let name = if job.name.is_empty() { "container_scanning" } else { &job.name };
        let file = baseline::file_name(reference);
        let mut probes = vec![
            (Ability::ListRegistry, own, Probe::Repositories),
            (Ability::ReadState, own, Probe::PackageFile(baseline::PACKAGE, baseline::VERSION, &file)),
            (Ability::ReadFiles, own, Probe::File(".plimsoll.yml", reference)),
            (Ability::ReadArtifacts, own, Probe::Artifact(reference, name, "plimsoll-report/plimsoll.json")),
            (Ability::ReadNotes, notes_in, Probe::Notes(notes)),
        ];
        if let Some(group) = self.group {
            probes.push((Ability::ListGroupRegistry, own, Probe::GroupRepositories(group)));
        }
        let answer = |(ability, project, probe): (Ability, &String, Probe<'_>)| match gitlab.probe(project, probe) {
            Ok(true) => Capability::yes(ability, "tried"),
            Ok(false) => Capability::yes(ability, "tried; there is nothing yet"),
            Err(error) => Capability::failed(ability, &error),
        };
        probes.into_iter().map(answer).collect()
    }
}

impl Capability {
    fn yes(capability: Ability, found: impl Into<String>) -> Self {
        Self { capability, allowed: Answer::Yes, found: found.into(), instead: None }
    }

    fn documented(capability: Ability, found: impl Into<String>) -> Self {
        Self { capability, allowed: Answer::Documented, found: found.into(), instead: None }
    }

    fn unknown(capability: Ability, found: impl Into<String>) -> Self {
        Self { capability, allowed: Answer::Unknown, found: found.into(), instead: None }
    }

    /// What did not work: refused, or not found out.
    fn failed(capability: Ability, error: &GitLabError) -> Self {
        match is_refusal(error) {
            true => Self::no(capability, error.to_string()),
            false => Self::unknown(capability, error.to_string()),
        }
    }

    fn no(capability: Ability, found: impl Into<String>) -> Self {
        Self { capability, allowed: Answer::No, found: found.into(), instead: Some(capability.source()) }
    }
}

/// Whether GitLab has said no; a 404 is its no to those who may not know.
fn is_refusal(error: &GitLabError) -> bool {
    matches!(error.status(), Some(401 | 403 | 404))
}

/// Bots of projects and groups are named after them.
fn kind_of_user(user: Option<&str>) -> &'static str {
    match user {
        Some(user) if user.starts_with("project_") && user.contains("_bot") => "project access token",
        Some(user) if user.starts_with("group_") && user.contains("_bot") => "group access token",
        Some(_) => "personal access token",
        None => "access token",
    }
}

fn scopes(info: &TokenInfo) -> String {
    if info.scopes.is_empty() { "none".into() } else { info.scopes.join(", ") }
}

fn role_name(level: u64) -> &'static str {
    match level {
        0..15 => "Guest",
        15..20 => "Planner",
        20..30 => "Reporter",
        30..40 => "Developer",
        40..50 => "Maintainer",
        _ => "Owner",
    }
}

const DEVELOPER: u64 = 30;

/// What concerns the API, not the registry.
const OF_THE_API: [Ability; 9] = [
    Ability::ListRegistry,
    Ability::ReadState,
    Ability::ReadFiles,
    Ability::ReadArtifacts,
    Ability::ReadNotes,
    Ability::WriteState,
    Ability::NamePipeline,
    Ability::WriteComments,
    Ability::WriteIssues,
];
