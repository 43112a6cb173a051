//! What a token is allowed to do.

use gitlab::api::job::Job;
use gitlab::api::personal_access_tokens::PersonalAccessTokenSelf;
use jiff::civil::Date;
use serde::Deserialize;

use super::notes::invalid;
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
