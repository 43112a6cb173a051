//! `plimsoll overview`: all images of a group, from what each project remembers; nothing is pulled or matched.

mod gather;
mod history;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tracing::{info, warn};

use crate::cli::OverviewArgs;
use crate::context::{ApiToken, Environment, NetworkSettings};
use crate::exit::Exit;
use crate::gitlab::{GitLab, Repository};
use crate::model::{Code, Diagnosis, Overview, Secret, Tool};
use crate::report::overview::OverviewFormat;

use super::{gate, parallel, terminal};
use gather::{Gathered, Gathering};

pub(super) fn run(args: &OverviewArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let stale_after = days(&args.stale_after)?;
    let fails_on_gap = fails_on_gap(args, environment)?;
    let scope = args.group.as_deref().or_else(|| environment.get("CI_PROJECT_ROOT_NAMESPACE"));
    let Some(scope) = scope else {
        let fix = "name a group with --group, by path or id";
        return Err(Diagnosis::new(
            Code::InvalidInput,
            "no group is named",
            "CI_PROJECT_ROOT_NAMESPACE is not set",
            fix,
        ));
    };
    let gitlab = client(environment)?;
    let purpose = format!("there is no overview of the group {scope}");
    let mut projects = gitlab.group_projects(scope).map_err(|error| error.diagnosis(&purpose))?;
    let repositories = gitlab.group_repositories(scope).map_err(|error| error.diagnosis(&purpose))?;
    let mut notices: Vec<String> = projects.cut.take().into_iter().chain(repositories.cut).collect();
    let now = Timestamp::now();
    let gathering = Gathering {
        gitlab: Arc::clone(&gitlab),
        own: environment.get("CI_PROJECT_ID").and_then(|id| id.parse().ok()),
        now,
        stale_after,
        catalog: environment.get("PLIMSOLL_CATALOG_FILE").unwrap_or(crate::assess::owner::CATALOG_PATH).to_owned(),
        dockerfile: environment.get("PLIMSOLL_DOCKERFILE").unwrap_or("Dockerfile").to_owned(),
    };
    info!("{} projects and {} repositories in {scope}", projects.items.len(), repositories.items.len());
    let of = |id: u64| -> Vec<&Repository> { repositories.items.iter().filter(|one| one.project_id == id).collect() };
    let all = parallel::map(&projects.items, AT_ONCE, |project| gathering.project(project, &of(project.id)));
    let mut gathered = Gathered::default();
    for one in all {
        gathered.add(one);
    }
    notices.extend(gathered.notices);
    // Projects without images and without a reason to speak of them are none of ours.
    gathered.projects.retain(|project| project.gap.is_some() || !project.images.is_empty());
    gathered.projects.sort_by(|a, b| a.path.cmp(&b.path));
    let overview = Overview {
        format: Overview::FORMAT.into(),
        tool: Tool { name: env!("CARGO_PKG_NAME").into(), version: env!("CARGO_PKG_VERSION").into() },
        written: now,
        scope: scope.to_owned(),
        projects: gathered.projects,
        history: history::of_all(&gathered.history),
        notices,
    };
    for notice in &overview.notices {
        warn!("{notice}");
    }
    let out = args.out.clone().or_else(|| environment.get("PLIMSOLL_OUT").map(PathBuf::from)).unwrap_or_default();
    for format in OverviewFormat::ALL {
        write(&overview, format, &out)?;
    }
    tell(&overview);
    Ok(if fails_on_gap && overview.gaps() > 0 { Exit::PolicyFailed } else { Exit::Done })
}

/// Whether what is missing fails the job. What else a policy of the project asks for is for its gates.
fn fails_on_gap(args: &OverviewArgs, environment: &Environment) -> Result<bool, Diagnosis> {
    let (policy, _) = gate::policy(args.fail_on.as_deref(), environment)?;
    Ok(args.fail_on_gap || policy.concerns_every_gap())
}

fn client(environment: &Environment) -> Result<Arc<GitLab>, Diagnosis> {
    let missing = |why: &str, fix: &str| Diagnosis::new(Code::InvalidInput, "GitLab cannot be asked", why, fix);
    let api = environment
        .get("CI_API_V4_URL")
        .ok_or_else(|| missing("CI_API_V4_URL is not set", "set it to the address of the API, https://…/api/v4"))?;
    let token = environment.get("PLIMSOLL_GITLAB_TOKEN").map(|token| ApiToken::Access(Secret::new(token)));
    let token = token.ok_or_else(|| {
        missing(
            "PLIMSOLL_GITLAB_TOKEN is not set, and the job token may not list a group",
            "put a group access token (scope read_api, role Reporter; Maintainer to see job token allowlists) into that masked \
             variable",
        )
    })?;
    let network = NetworkSettings::from_environment(environment, &[])
        .map_err(|error| missing(&error.to_string(), "correct the variable or file that is named"))?;
    GitLab::new(&network, api, token).map(Arc::new).map_err(|error| error.diagnosis("GitLab cannot be asked"))
}

fn write(overview: &Overview, format: OverviewFormat, out: &Path) -> Result<(), Diagnosis> {
    let path = out.join(format.file());
    let write = || -> std::io::Result<()> {
        if !out.as_os_str().is_empty() {
            std::fs::create_dir_all(out)?;
        }
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
        format.write(overview, &mut file)?;
        std::io::Write::flush(&mut file)
    };
    write().map_err(|error| {
        let what = format!("cannot write `{}`", path.display());
        Diagnosis::new(Code::InvalidInput, what, error.to_string(), "give --out a directory that can be written")
    })
}

fn tell(overview: &Overview) {
    let counts = overview.counts();
    let mut text = format!(
        "{}: {} images in {} projects, {} critical, {} high, {} coverage gaps\n",
        overview.scope,
        overview.images().count(),
        overview.projects.len(),
        counts.critical,
        counts.high,
        overview.gaps()
    );
    for project in &overview.projects {
        if let Some(gap) = &project.gap {
            text.push_str(&format!("  {}: {}: {}\n", project.path, gap.reason.label(), gap.detail));
        }
    }
    for (_, image) in overview.images() {
        if let Some(gap) = &image.gap {
            text.push_str(&format!("  {}: {}: {}\n", image.name, gap.reason.label(), gap.detail));
        }
    }
    terminal::print(terminal::neutralised(&text).as_bytes());
}

/// `7d`, in days.
fn days(text: &str) -> Result<i64, Diagnosis> {
    let number = text.strip_suffix('d').and_then(|number| number.parse().ok()).filter(|days| (1..=3650).contains(days));
    number.ok_or_else(|| {
        let what = format!("--stale-after is `{text}`");
        Diagnosis::new(Code::InvalidInput, what, "it is no number of days", "write for example 7d")
    })
}

/// Projects that are asked about at the same time.
const AT_ONCE: usize = 4;
