//! `plimsoll publish`: what a pipeline leaves at GitLab besides its files: the one comment on the merge request, and the
//! baseline for the next one. Side effects only, after the scan, whose result stands whatever happens here.

mod thread;

use tracing::{debug, info, warn};

use crate::assess::policy::Policy;
use crate::cli::PublishArgs;
use crate::context::{ApiToken, Environment, Job, MergeRequest, NetworkSettings};
use crate::exit::Exit;
use crate::gitlab::{GitLab, GitLabError};
use crate::model::{Code, Diagnosis, Finding, ScanDocument};
use crate::report::comment::{self, CommentContext, GateVerdict};
use crate::report::count;

use super::{baseline, gate, terminal};
use thread::Thread;

pub(super) fn run(args: &PublishArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let when = When::of(args, environment)?;
    let (policy, _) = gate::policy(args.fail_on.as_deref(), environment)?;
    let thread = args.thread || environment.is_true("PLIMSOLL_THREAD");
    let document = gate::read_document(&args.report)?;
    let Some(job) = Job::from_environment(environment) else {
        info!("not in a GitLab pipeline (CI_API_V4_URL and CI_PROJECT_ID are not set): nothing to publish");
        return Ok(Exit::Done);
    };
    let network = NetworkSettings::from_environment(environment, &[]).map_err(|error| {
        let fix = "correct the variable or file that is named";
        Diagnosis::new(Code::InvalidInput, "the network settings are wrong", error.to_string(), fix)
    })?;
    // A refusal is told once and fails nothing: a failed job would lose GitLab's security report.
    if job.keeps_baseline() {
        tell(keep(&job, &network, &document));
    }
    if let Some(merge_request) = &job.merge_request
        && when != When::Never
    {
        let context = CommentContext {
            marker: comment::marker(&job.name),
            gate: Some(GateVerdict {
                policy: policy.to_string(),
                failing: policy.concerned(&document).len(),
                gaps: policy.gaps(&document).len(),
            }),
            job_url: job.url.clone(),
            report_url: report_url(args, environment, &job),
            commit: job.commit.clone(),
        };
        let dockerfile = environment.get("CS_DOCKERFILE_PATH").unwrap_or("Dockerfile");
        let wish = Wish { context, when, policy: &policy, thread: thread.then_some(dockerfile) };
        tell(comment_on(merge_request, &job, &network, &document, &wish));
    }
    Ok(Exit::Done)
}

fn tell(result: Result<(), Diagnosis>) {
    if let Err(diagnosis) = result {
        terminal::error(&diagnosis.to_string());
    }
}

/// What is to be said on the merge request.
struct Wish<'a> {
    context: CommentContext,
    when: When,
    policy: &'a Policy,
    /// The Dockerfile at which a thread is to stand, if one is wanted.
    thread: Option<&'a str>,
}

/// When there is to be a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Changes,
    Always,
    Never,
}

impl When {
    fn of(args: &PublishArgs, environment: &Environment) -> Result<Self, Diagnosis> {
        let named = [
            ("--comment", args.comment.as_deref()),
            (environment.origin("PLIMSOLL_COMMENT"), environment.get("PLIMSOLL_COMMENT")),
        ];
        match named.into_iter().find_map(|(origin, value)| Some((origin, value?))) {
            None | Some((_, "changes")) => Ok(Self::Changes),
            Some((_, "always")) => Ok(Self::Always),
            Some((_, "never")) => Ok(Self::Never),
            Some((origin, value)) => Err(Diagnosis::new(
                Code::InvalidInput,
                format!("{origin} is `{value}`"),
                "it says when the merge request gets a comment",
                "use changes, always or never",
            )),
        }
    }
}

fn keep(job: &Job, network: &NetworkSettings, document: &ScanDocument) -> Result<(), Diagnosis> {
    let purpose = "this scan is not kept as baseline";
    let Some(token) = job.job_token.as_ref().or(job.access_token.as_ref()) else { return Ok(()) };
    let gitlab = GitLab::new(network, &job.api, token.clone()).map_err(|error| error.diagnosis(purpose))?;
    if baseline::keep(&gitlab, job, document).map_err(|error| error.diagnosis(purpose))? {
        let reference = job.reference.as_deref().unwrap_or_default();
        info!("kept as baseline of `{reference}` in the package {}", baseline::PACKAGE);
    }
    Ok(())
}

/// Writes or updates the comment; the right number of comments is one.
fn comment_on(
    merge_request: &MergeRequest,
    job: &Job,
    network: &NetworkSettings,
    document: &ScanDocument,
    wish: &Wish<'_>,
) -> Result<(), Diagnosis> {
    let MergeRequest { project, iid, is_from_fork, .. } = merge_request;
    let Some(token) = &job.access_token else {
        let why = if *is_from_fork { " (pipelines of forks get no tokens)" } else { "" };
        info!(
            "no comment on !{iid}: PLIMSOLL_GITLAB_TOKEN is not set{why}; the job token may not comment. A masked \
             variable with a project access token (scope api, role Developer) turns it on"
        );
        return Ok(());
    };
    let purpose = format!("merge request !{iid} gets no comment");
    let gitlab = GitLab::new(network, &job.api, token.clone()).map_err(|error| error.diagnosis(&purpose))?;
    let refused = |error: &GitLabError| explained(&gitlab, token, error, &purpose);
    let author = gitlab.user().map_err(|error| refused(&error))?;
    let found = gitlab.find_note(project, *iid, &wish.context.marker, author.id).map_err(|error| refused(&error))?;
    let body = comment::render(document, &wish.context);
    match found {
        Some(note) if note.body.trim() == body.trim() => info!("the comment on !{iid} says it already"),
        Some(note) => {
            gitlab.update_note(project, *iid, note.id, &body).map_err(|error| refused(&error))?;
            info!("updated the comment on !{iid} as @{}", author.username);
        }
        None if wish.when == When::Changes && !comment::is_news(document) => {
            info!("no comment on !{iid}: nothing is new or fixed");
        }
        None => {
            gitlab.create_note(project, *iid, &body).map_err(|error| refused(&error))?;
            info!("commented on !{iid} as @{}", author.username);
        }
    }
    if let Some(dockerfile) = &wish.thread {
        let thread = Thread { gitlab: &gitlab, project, iid: *iid, author: author.id, dockerfile };
        let failing: Vec<&Finding> = wish.policy.concerned(document).into_iter().map(|(_, finding)| finding).collect();
        let purpose = format!("merge request !{iid} gets no thread");
        let gaps = wish.policy.gaps(document);
        thread.keep(&job.name, &wish.context, &failing, &gaps).map_err(|error| error.diagnosis(&purpose))?;
    }
    debug!("{} to the API", count(gitlab.requests() as usize, "request"));
    Ok(())
}

/// A refusal with the scopes that the token has, where it can be asked for them.
fn explained(gitlab: &GitLab, token: &ApiToken, error: &GitLabError, purpose: &str) -> Diagnosis {
    let mut diagnosis = error.diagnosis(purpose);
    if matches!(error.status(), Some(403)) && matches!(token, ApiToken::Access(_)) {
        match gitlab.token() {
            Ok(info) if !info.may_write() => {
                diagnosis.why.push_str(&format!("; its scopes are {}, and api is missing", info.scopes.join(", ")));
            }
            Ok(_) => diagnosis.fix = format!("give the owner of {} the role Developer in the project", token.name()),
            Err(error) => warn!("the token cannot be asked for its scopes: {error}"),
        }
    }
    diagnosis
}

/// The HTML report among this job's artifacts, if it lies in the project's directory.
fn report_url(args: &PublishArgs, environment: &Environment, job: &Job) -> Option<String> {
    let mut folder = args.report.parent()?;
    if folder.is_absolute() {
        folder = folder.strip_prefix(environment.get("CI_PROJECT_DIR")?).ok()?;
    }
    let folder = folder.to_str()?.trim_start_matches("./");
    let slash = if folder.is_empty() { "" } else { "/" };
    Some(format!("{}/artifacts/file/{folder}{slash}index.html", job.url.as_ref()?))
}
