//! Which memory a command has: a directory that is named, else the package registry of the job's project.
//!
//! Only pipelines of the default branch, of tags and of schedules write it, so that no merge request can change what
//! others are compared with. A child pipeline does not say what its parent is; the job that plans it tells its jobs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tracing::{info, warn};

use crate::context::{Environment, Job, NetworkSettings};
use crate::gitlab::GitLab;
use crate::model::{Code, Diagnosis, StateIndex};
use crate::state::{Directory, Overlay, Packages, State, StateError, Store};

/// Opens the memory to change it; with `remember` in a pipeline of any kind.
pub(in crate::commands) fn open(
    flag: Option<&Path>,
    environment: &Environment,
    now: Timestamp,
    remember: bool,
) -> Result<State, Diagnosis> {
    let (store, writable) = place(flag, environment)?;
    if !writable && !remember {
        info!("memory: read only: {READ_ONLY}");
    }
    let store: Arc<dyn Store> = if writable || remember {
        store
    } else {
        let directory = std::env::temp_dir().join(format!("plimsoll-state-{}", std::process::id()));
        Arc::new(Overlay::new(store, directory))
    };
    opened(store, now)
}

/// Opens the memory to look into it.
pub(in crate::commands) fn open_to_read(
    flag: Option<&Path>,
    environment: &Environment,
    now: Timestamp,
) -> Result<State, Diagnosis> {
    let (store, _) = place(flag, environment)?;
    let directory = std::env::temp_dir().join(format!("plimsoll-state-{}", std::process::id()));
    opened(Arc::new(Overlay::new(store, directory)), now)
}

fn opened(store: Arc<dyn Store>, now: Timestamp) -> Result<State, Diagnosis> {
    let state = State::open(store, now).map_err(|error| diagnosis(&error))?;
    info!("memory: {} images in {}", state.index().images.len(), state.place());
    tell(&state);
    Ok(state)
}

/// Says what was strange.
pub(super) fn tell(state: &State) {
    for notice in state.take_notices() {
        warn!("{notice}");
    }
}

/// Where it is, and whether this job may change it.
fn place(flag: Option<&Path>, environment: &Environment) -> Result<(Arc<dyn Store>, bool), Diagnosis> {
    let named = flag.map(Path::to_owned).or_else(|| environment.get("PLIMSOLL_STATE").map(PathBuf::from));
    if let Some(directory) = named {
        return Ok((Arc::new(Directory::new(&directory)), true));
    }
    let wrong = |why: String| {
        let fix = "set the variable that is named, or keep the state in a directory with --state DIR";
        Diagnosis::new(Code::InvalidInput, "there is no memory between pipelines", why, fix)
    };
    let job = Job::from_environment(environment);
    let Some((job, token)) = job.and_then(|job| {
        let token = job.job_token.clone().or_else(|| job.access_token.clone())?;
        Some((job, token))
    }) else {
        return Err(wrong("this is no job of GitLab, and --state names no directory".to_owned()));
    };
    let network = NetworkSettings::from_environment(environment, &[]).map_err(|error| wrong(error.to_string()))?;
    let gitlab = GitLab::new(&network, &job.api, token)
        .map_err(|error| error.diagnosis("there is no memory between pipelines"))?;
    Ok((Arc::new(Packages::new(Arc::new(gitlab), &job.project)), job.keeps_baseline()))
}

/// Whether jobs of this pipeline may change the memory.
pub(in crate::commands) fn is_writable(environment: &Environment) -> bool {
    Job::from_environment(environment).is_some_and(|job| job.keeps_baseline())
}

/// Whether alerts were never handed anything: a first retest that was killed goes on as one.
pub(in crate::commands) fn is_first_run(index: &StateIndex) -> bool {
    index.images.values().all(|image| image.told.is_none())
}

/// Why a pipeline may only look.
pub(in crate::commands) const READ_ONLY: &str = "this is no pipeline of the default branch, of a tag or of a schedule";

/// What people are told when the memory fails.
pub(in crate::commands) fn diagnosis(error: &StateError) -> Diagnosis {
    let what = "the memory between pipelines cannot be used";
    match error {
        StateError::Store { cause: crate::state::StoreError::GitLab(error), .. } => error.diagnosis(what),
        StateError::Newer { .. } => {
            Diagnosis::new(Code::InvalidInput, what, error.to_string(), "use the same version in all pipelines")
        }
        _ => Diagnosis::new(Code::TransferFailed, what, error.to_string(), "correct the rights, or name another place"),
    }
}
