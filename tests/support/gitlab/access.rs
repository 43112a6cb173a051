//! Who may do what.

use super::super::http::{Reply, Request};
use super::{Project, State, json_reply, refusal};
use serde_json::json;

/// A token and its owner.
#[derive(Clone)]
pub struct Token {
    pub value: String,
    pub user: u64,
    pub username: String,
    /// The project whose job it belongs to; `None` for access tokens.
    pub job_of: Option<u64>,
    pub scopes: Vec<String>,
    pub expires_at: Option<String>,
    pub expired: bool,
    /// The owner's role by project.
    pub roles: Vec<(u64, Level)>,
}

/// A role in a project.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Guest = 10,
    Reporter = 20,
    Developer = 30,
}

impl Token {
    /// The token of a job.
    pub fn job(value: &str, project: u64) -> Self {
        Self {
            value: value.into(),
            user: 1,
            username: "alice".into(),
            job_of: Some(project),
            scopes: vec![],
            expires_at: None,
            expired: false,
            roles: vec![(project, Level::Developer)],
        }
    }

    /// A project access token: its owner is a bot.
    pub fn access(value: &str, project: u64, scopes: &[&str]) -> Self {
        Self {
            value: value.into(),
            user: 90,
            username: format!("project_{project}_bot"),
            job_of: None,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            expires_at: None,
            expired: false,
            roles: vec![(project, Level::Developer)],
        }
    }

    fn has_scope(&self, wanted: &[&str]) -> bool {
        self.scopes.iter().any(|scope| wanted.contains(&scope.as_str()))
    }

    pub fn level(&self, project: u64) -> Option<Level> {
        self.roles.iter().find(|(id, _)| *id == project).map(|(_, level)| *level)
    }
}

/// What a route wants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Any scope: what a token says of itself.
    Own,
    Read,
    Write,
    /// What the job token may do too.
    JobRead,
    JobWrite,
}

/// Whose request this is; `Err` is the answer to nobody.
pub fn identify(state: &State, request: &Request, need: Need) -> Result<Token, Reply> {
    let unauthorized = || refusal(401, "401 Unauthorized");
    let bearer = || request.header("Authorization")?.strip_prefix("Bearer ");
    if let Some(value) = request.header("JOB-TOKEN") {
        // Elsewhere the job token is nobody's.
        let known = state.tokens.iter().find(|token| token.job_of.is_some() && token.value == value);
        return match known {
            Some(token) if matches!(need, Need::JobRead | Need::JobWrite) && !token.expired => Ok(token.clone()),
            _ => Err(unauthorized()),
        };
    }
    let value = request.header("PRIVATE-TOKEN").or_else(bearer).ok_or_else(unauthorized)?;
    let token =
        state.tokens.iter().find(|token| token.job_of.is_none() && token.value == value).ok_or_else(unauthorized)?;
    if token.expired {
        let body = json!({"error": "invalid_token", "error_description": "Token is expired. You can either do re-authorization or token refresh."});
        return Err(json_reply(401, &body));
    }
    let enough = match need {
        Need::Own => true,
        Need::Read | Need::JobRead => token.has_scope(&["api", "read_api"]),
        Need::Write | Need::JobWrite => token.has_scope(&["api"]),
    };
    if enough {
        return Ok(token.clone());
    }
    let scope = if matches!(need, Need::Write | Need::JobWrite) { "api" } else { "api read_api" };
    let words = "The request requires higher privileges than provided by the access token.";
    Err(json_reply(403, &json!({"error": "insufficient_scope", "error_description": words, "scope": scope})))
}

/// The project that a token may see; for others it does not exist.
pub fn visible<'a>(state: &'a mut State, token: &Token, id: u64) -> Result<&'a mut Project, Reply> {
    let hidden = || refusal(404, "404 Project Not Found");
    let project = state.projects.get_mut(&id).ok_or_else(hidden)?;
    let member = token.level(id).is_some() || project.public;
    let let_in = token.job_of.is_none_or(|own| own == id || project.allowlist.contains(&own));
    if member && let_in { Ok(project) } else { Err(hidden()) }
}
