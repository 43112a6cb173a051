//! What a token is allowed to do.

use std::borrow::Cow;

use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};
use gitlab::api::job::Job;
use gitlab::api::personal_access_tokens::PersonalAccessTokenSelf;
use jiff::civil::Date;
use serde::Deserialize;

use super::notes::invalid;
use super::registry::escaped;
use super::{GitLab, GitLabError, User};

/// An access token about itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TokenInfo {
    /// The name that its owner gave it.
    #[serde(default)]
    pub name: String,
    /// What it may do: `api`, `read_api`, `read_registry`, ….
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The day on which it ends.
    #[serde(default)]
    pub expires_at: Option<Date>,
    /// Whether it still counts.
    #[serde(default)]
    pub active: Option<bool>,
}

/// The job that a job token belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TokenJob {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Who started it, with whose rights it runs.
    #[serde(default)]
    pub user: Option<User>,
}

impl GitLab {
    /// The job whose token this is.
    ///
    /// # Errors
    /// The API refuses: the job has ended, or this is no job token.
    pub fn job(&self) -> Result<TokenJob, GitLabError> {
        let action = "ask which job this is";
        let endpoint = Job::builder().build().map_err(|error| invalid(action, &error))?;
        self.ask(action, &endpoint)
    }

    /// What an access token says of itself. The job token has nothing to say.
    ///
    /// # Errors
    /// The API refuses: the token has expired or was revoked.
    pub fn token(&self) -> Result<TokenInfo, GitLabError> {
        let action = "ask what the token may do";
        let endpoint = PersonalAccessTokenSelf::builder().build().map_err(|error| invalid(action, &error))?;
        self.ask(action, &endpoint)
    }
}

/// Something that a token may be able to read, to be asked for without reading much.
#[derive(Debug, Clone, Copy)]
pub enum Probe<'a> {
    /// The list of the project's image repositories.
    Repositories,
    /// The same of a group, by its path.
    GroupRepositories(&'a str),
    /// A file of a generic package: package, version, name.
    PackageFile(&'a str, &'a str, &'a str),
    /// A file of the repository at a branch, tag or commit.
    File(&'a str, &'a str),
    /// A file of the artifacts of a job: branch or tag, job, path.
    Artifact(&'a str, &'a str, &'a str),
    /// Merge requests, or the notes of one.
    Notes(Option<u64>),
}

impl GitLab {
    /// Whether there is what is asked for; `false` where it may be looked for, and there is none. Its content is not
    /// fetched.
    ///
    /// # Errors
    /// The API refuses.
    pub fn probe(&self, project: &str, probe: Probe<'_>) -> Result<bool, GitLabError> {
        let action = probe.action();
        let ask = |method: Method| self.tell(&action, Get { path: probe.path(project), query: probe.query(), method });
        let head = match ask(Method::HEAD) {
            // Lists are short, and old instances know no other question.
            Err(GitLabError::Refused { status: 404 | 405, .. }) => ask(Method::GET),
            other => other,
        };
        match head {
            Ok(()) => Ok(true),
            // Storage elsewhere: where to is not needed.
            Err(GitLabError::Refused { status: 300..400, .. }) => Ok(true),
            Err(GitLabError::Refused { status: 404, ref message, .. }) if probe.is_missing(message) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The role of a token's owner in a project: 10 for a guest, 20 reporter, 30 developer, 40 maintainer; `None` for who
    /// is no member. The job token has nothing to say.
    ///
    /// # Errors
    /// The API refuses: the project cannot be seen.
    pub fn role(&self, project: &str) -> Result<Option<u64>, GitLabError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Permissions {
            project_access: Option<Access>,
            group_access: Option<Access>,
        }
        #[derive(Deserialize)]
        struct Access {
            access_level: u64,
        }
        #[derive(Deserialize)]
        struct Project {
            #[serde(default)]
            permissions: Option<Permissions>,
        }
        let path = format!("projects/{}", escaped(project));
        let found: Project =
            self.ask("ask for the role in the project", &Get { path, query: Vec::new(), method: Method::GET })?;
        let Permissions { project_access, group_access } = found.permissions.unwrap_or_default();
        Ok(project_access.into_iter().chain(group_access).map(|access| access.access_level).max())
    }
}

impl Probe<'_> {
    fn action(&self) -> String {
        match self {
            Self::Repositories => "list the repositories of the registry".into(),
            Self::GroupRepositories(group) => format!("list the repositories of the group {group}"),
            Self::PackageFile(package, ..) => format!("look into the package `{package}`"),
            Self::File(path, _) => format!("look for the file `{path}`"),
            Self::Artifact(reference, ..) => format!("look for artifacts of `{reference}`"),
            Self::Notes(Some(iid)) => format!("read the notes of !{iid}"),
            Self::Notes(None) => "list the merge requests".into(),
        }
    }

    fn path(&self, project: &str) -> String {
        let project = escaped(project);
        match self {
            Self::Repositories => format!("projects/{project}/registry/repositories"),
            Self::GroupRepositories(group) => format!("groups/{}/registry/repositories", escaped(group)),
            Self::PackageFile(package, version, file) => {
                format!(
                    "projects/{project}/packages/generic/{}/{}/{}",
                    escaped(package),
                    escaped(version),
                    escaped(file)
                )
            }
            Self::File(path, _) => format!("projects/{project}/repository/files/{}/raw", escaped(path)),
            Self::Artifact(reference, _, path) => {
                format!("projects/{project}/jobs/artifacts/{}/raw/{path}", escaped(reference))
            }
            Self::Notes(Some(iid)) => format!("projects/{project}/merge_requests/{iid}/notes"),
            Self::Notes(None) => format!("projects/{project}/merge_requests"),
        }
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::File(_, reference) => vec![("ref", (*reference).to_owned())],
            Self::Artifact(_, job, _) => vec![("job", (*job).to_owned())],
            Self::PackageFile(..) => Vec::new(),
            Self::Repositories | Self::GroupRepositories(_) | Self::Notes(_) => vec![("per_page", "1".to_owned())],
        }
    }

    /// Whether a 404 is about the thing itself, not about a project that cannot be seen.
    fn is_missing(&self, message: &str) -> bool {
        match self {
            // No list is missing.
            Self::Repositories | Self::GroupRepositories(_) | Self::Notes(_) => false,
            Self::PackageFile(..) | Self::File(..) | Self::Artifact(..) => !message.contains("Project Not Found"),
        }
    }
}

struct Get {
    path: String,
    query: Vec<(&'static str, String)>,
    method: Method,
}

impl Endpoint for Get {
    fn method(&self) -> Method {
        self.method.clone()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.path.clone().into()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        parameters.extend(self.query.iter().map(|(name, value)| (*name, value.as_str())));
        parameters
    }
}

impl TokenInfo {
    /// Whether it may write comments.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "api")
    }

    /// Whether it may read the API.
    #[must_use]
    pub fn may_read(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "api" || scope == "read_api")
    }
}
