//! GitLab's API: whether it is reached, what the tokens are and what each can do.

use jiff::Zoned;

use super::Check;
use crate::commands::baseline;
use crate::context::{ApiToken, Job, NetworkSettings};
use crate::gitlab::{GitLab, TokenInfo};
use crate::model::{Code, Diagnosis};

pub(super) fn check(job: &Job, network: &NetworkSettings) -> Vec<Check> {
    let mut checks = Vec::new();
    let Some(token) = job.job_token.as_ref().or(job.access_token.as_ref()) else {
        checks.push(Check::off("API", "there is no token: neither CI_JOB_TOKEN nor PLIMSOLL_GITLAB_TOKEN is set"));
        return checks;
    };
    let gitlab = match GitLab::new(network, &job.api, token.clone()) {
        Ok(gitlab) => gitlab,
        Err(error) => return vec![Check::failed("API", error.diagnosis("the API cannot be used"))],
    };
    match gitlab.clock_skew() {
        // Nothing else would say anything more.
        Err(error) => return vec![Check::failed("API", error.diagnosis("GitLab cannot be reached"))],
        Ok(Some(seconds)) if seconds.abs() > TOLERATED_SKEW => checks.push(Check::failed(
            "API",
            Diagnosis::new(
                Code::ClockSkew,
                "the clocks of this runner and of GitLab differ",
                format!("GitLab's clock is {seconds} s ahead: tokens count as expired or not yet valid"),
                "set both clocks by NTP",
            ),
        )),
        Ok(_) => checks.push(Check::fine("API", format!("{} answers, clocks agree", gitlab.host()))),
    }
    checks.push(job_token(job, network));
    let access = access_token(job, network);
    let may_write = access.1;
    checks.push(access.0);
    checks.push(baseline_check(job, &gitlab));
    checks.push(comment(job, network, may_write));
    checks
}

fn job_token(job: &Job, network: &NetworkSettings) -> Check {
    const NAME: &str = "job token";
    let Some(token) = &job.job_token else { return Check::off(NAME, "CI_JOB_TOKEN is not set") };
    let asked = GitLab::new(network, &job.api, token.clone()).and_then(|gitlab| gitlab.job());
    match asked {
        Ok(found) => {
            let user = found.user.map_or_else(String::new, |user| format!(" of @{}", user.username));
            Check::fine(
                NAME,
                format!("CI_JOB_TOKEN{user}, ends with the job; may pull, list and keep baselines, not comment"),
            )
        }
        Err(error) => Check::failed(NAME, error.diagnosis("the job token does not count")),
    }
}

/// The token for comments, and whether it may write them.
fn access_token(job: &Job, network: &NetworkSettings) -> (Check, bool) {
    const NAME: &str = "access token";
    let Some(token) = &job.access_token else {
        return (
            Check::off(NAME, "PLIMSOLL_GITLAB_TOKEN is not set (it may be protected, and this branch not)"),
            false,
        );
    };
    let asked = GitLab::new(network, &job.api, token.clone()).and_then(|gitlab| gitlab.token());
    match asked {
        Ok(info) => (token_state(NAME, token, &info), info.may_write()),
        Err(error) => (Check::failed(NAME, error.diagnosis("the access token does not count")), false),
    }
}

fn token_state(name: &'static str, token: &ApiToken, info: &TokenInfo) -> Check {
    let scopes = if info.scopes.is_empty() { "none".to_owned() } else { info.scopes.join(", ") };
    let ends = info.expires_at.map_or_else(|| "never ends".to_owned(), |day| format!("ends {day}"));
    let found = format!("{}: scopes {scopes}; {ends}", token.name());
    let days = info.expires_at.and_then(|day| Some(Zoned::now().date().until(day).ok()?.get_days()));
    match days {
        Some(days) if days < 0 || info.active == Some(false) => Check::failed(
            name,
            Diagnosis::new(
                Code::TokenExpired,
                "the access token has expired",
                found,
                "make a new one in Settings › Access tokens",
            ),
        ),
        Some(days) if days < SOON => Check::warning(name, format!("{found}, in {days} days: rotate it")),
        _ => Check::fine(name, found),
    }
}

/// Whether the target branch has a stored scan, and whether this pipeline keeps one.
fn baseline_check(job: &Job, gitlab: &GitLab) -> Check {
    const NAME: &str = "baseline";
    let keeps = if job.keeps_baseline() { "; this pipeline keeps one" } else { "" };
    match baseline::stored(gitlab, job) {
        Ok(Some((branch, true))) => Check::fine(NAME, format!("branch {branch} has a stored scan{keeps}")),
        Ok(Some((branch, false))) => {
            Check::off(NAME, format!("branch {branch} has no stored scan yet: everything counts as new{keeps}"))
        }
        Ok(None) => Check::off(NAME, "no branch to compare with: CI_DEFAULT_BRANCH is not set"),
        Err(error) => Check::failed(NAME, error.diagnosis("the stored scan cannot be read")),
    }
}

fn comment(job: &Job, network: &NetworkSettings, may_write: bool) -> Check {
    const NAME: &str = "comment";
    let Some(merge_request) = &job.merge_request else { return Check::off(NAME, "this pipeline has no merge request") };
    let Some(token) = &job.access_token else {
        let found =
            "needs PLIMSOLL_GITLAB_TOKEN: a project access token, scope api, role Developer, in a masked variable";
        return Check::off(NAME, found);
    };
    let asked = GitLab::new(network, &job.api, token.clone())
        .and_then(|gitlab| gitlab.merge_request(&merge_request.project, merge_request.iid));
    match asked {
        Ok(_) if may_write => Check::fine(NAME, format!("merge request !{} can be commented on", merge_request.iid)),
        Ok(_) => Check::failed(
            NAME,
            Diagnosis::new(
                Code::InsufficientScope,
                format!("merge request !{} cannot be commented on", merge_request.iid),
                format!("{} does not have the scope api", token.name()),
                "make a project access token with the scope api and the role Developer",
            ),
        ),
        Err(error) => Check::failed(NAME, error.diagnosis("the merge request cannot be read")),
    }
}

/// Seconds by which clocks may differ before tokens suffer.
const TOLERATED_SKEW: i64 = 60;
/// Days before the end of a token from which on it is worth a word.
const SOON: i32 = 14;
