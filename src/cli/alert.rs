//! Arguments of the verbs that tell people: `alert` and `overview`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `alert`.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = CHANNELS)]
pub struct AlertArgs {
    /// What the retest changed; repeat for those of several jobs [default: plimsoll-snapshots.json]
    #[arg(long, value_name = "FILE")]
    pub changes: Vec<PathBuf>,
    /// The retest's scan document, for ignore rules that are about to end [default: plimsoll.json, if it is there]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Directory for plimsoll-alerts.json [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only show what would be told
    #[arg(long)]
    pub dry_run: bool,
    /// Note in the memory that it was told, where a retest with --tell-later did not; `plan` says so to its last job
    #[arg(long, conflicts_with = "dry_run")]
    pub remember: bool,
    /// Where the memory is [default: as for `retest`]
    #[arg(long, value_name = "DIR", requires = "remember")]
    pub state: Option<PathBuf>,
    /// What is told, and where.
    #[command(flatten)]
    pub notify: NotifyArgs,
}

/// What is told, and where.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Alerts")]
pub struct NotifyArgs {
    /// Where alerts go: exit, pipeline, issue, webhook; or auto, all or none [default: PLIMSOLL_NOTIFY, or all]
    #[arg(long, value_name = "CHANNEL", value_delimiter = ',')]
    pub notify: Vec<String>,
    /// Which findings are worth an alert, a policy as for `gate` [default: PLIMSOLL_ALERT_ON, or `high || kev`]
    #[arg(long, value_name = "EXPR")]
    pub alert_on: Option<String>,
    /// Days until an issue is due, by severity [default: PLIMSOLL_SLA, or `critical=7d,high=30d,medium=90d`]
    #[arg(long, value_name = "LIST")]
    pub sla: Option<String>,
    /// The pipeline that is named [default: CI_PIPELINE_ID]; a child pipeline names its parent, which is seen in lists
    #[arg(long, value_name = "ID")]
    pub pipeline: Option<u64>,
}

const CHANNELS: &str = "\
Channels:
  exit      exit code 1, so that GitLab mails whoever owns the schedule
  pipeline  the name of the pipeline; the job token is enough
  issue     an issue per repository, kept up to date; PLIMSOLL_GITLAB_TOKEN with the scope api
  webhook   one message to PLIMSOLL_WEBHOOK_URL: Slack, Teams, Mattermost or JSON
  auto      pipeline, issue and webhook, as far as they are set up
  all       the same and exit
  none      nobody";

/// Arguments of `overview`.
#[derive(Debug, Args)]
pub struct OverviewArgs {
    /// The group, by path or id [default: CI_PROJECT_ROOT_NAMESPACE]
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Directory for overview.json, overview.csv and index.html [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Age from which a scan is too old
    #[arg(long, value_name = "AGE", default_value = "7d")]
    pub stale_after: String,
    /// Exit with 1 when something is not covered
    #[arg(long)]
    pub fail_on_gap: bool,
    /// The same as a policy: coverage_gap [default: PLIMSOLL_FAIL_ON, as far as it is about that]
    #[arg(long, value_name = "EXPR", value_parser = ["coverage_gap"])]
    pub fail_on: Option<String>,
}
