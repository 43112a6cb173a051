//! The command line: types for clap, no decisions.

mod alert;
mod db;

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::{Platform, Platforms};

pub use alert::{AlertArgs, NotifyArgs, OverviewArgs};
pub use db::{
    DbBuildArgs, DbCommand, DbExportArgs, DbImportArgs, DbMirrorArgs, DbPushArgs, DbStatusArgs, DbUpdateArgs,
};

/// The container scanner that belongs inside a GitLab pipeline.
#[derive(Debug, Parser)]
#[command(
    name = "plimsoll",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
    /// Settings for what no flag or variable says [default: PLIMSOLL_CONFIG, or .plimsoll.yml if it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Output")]
    pub config: Option<PathBuf>,
    /// How the program talks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How the program talks, the same for all verbs.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// What the log says: error, warn, info, debug or trace [default: info, or SECURE_LOG_LEVEL]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Output")]
    pub log_level: Option<String>,
    /// No table and no progress, only warnings and errors
    #[arg(long, short, global = true, help_heading = "Output")]
    pub quiet: bool,
    /// Colour on the terminal
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, hide_possible_values = true, value_name = "auto|always|never", help_heading = "Output")]
    pub color: Color,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find the vulnerabilities of images and write the reports; exits 0 with findings
    Scan(Box<ScanArgs>),
    /// Write the reports of a scan document again, of all findings or of some
    Report(ReportArgs),
    /// Judge a scan document: exits 1 when the policy fails
    Gate(GateArgs),
    /// Add ignore rules to .plimsoll.yml, or check those that are there
    Ignore(IgnoreArgs),
    /// Tell GitLab: the comment on the merge request, and the baseline for the next one
    Publish(PublishArgs),
    /// Check what a scan needs, and say what to change: registry, tokens, certificates, API, database
    Doctor(DoctorArgs),
    /// Build and inspect the advisory database
    #[command(subcommand)]
    Db(DbCommand),
    /// Tell why an image has a vulnerability, or why it has not
    Explain(ExplainArgs),
    /// Compare versions as a package ecosystem does
    CompareVersions(CompareVersionsArgs),
    /// List the images of a registry: what is new, what has moved, what a selection means
    Images(ImagesArgs),
    /// Judge all known images by today's advisories, without pulling what has not changed
    Retest(Box<RetestArgs>),
    /// Split a retest over runners: write a child pipeline
    Plan(PlanArgs),
    /// Tell people what is news since the last retest; exits 1 when something is
    Alert(AlertArgs),
    /// Show all images of a group: owner, deployment, last scan, findings, and what nobody looks at
    Overview(OverviewArgs),
    /// Print what lets a shell complete commands and flags
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command
    Manual(ManualArgs),
}

/// Arguments of `scan`.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = SOURCES)]
pub struct ScanArgs {
    /// Images to scan [default: those that this pipeline pushed]
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// Advisory database: an artifact in a registry, a directory made by `db build`, or a folder of feeds [default: PLIMSOLL_DB, or where the image keeps it]
    #[arg(long, value_name = "REF|DIR")]
    pub db: Option<PathBuf>,
    /// Who vouches for the database, and how old it may be.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// A folder of feeds to use, and to name in all reports, when no database can be had
    #[arg(long, value_name = "DIR")]
    pub fallback_db: Option<PathBuf>,
    /// Directory for all reports [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write only this report; repeat with --output (json, gitlab, cyclonedx, sarif, …)
    #[arg(long = "format", value_name = "FORMAT")]
    pub formats: Vec<String>,
    /// Where the --format before it goes; `-` is standard output
    #[arg(long = "output", value_name = "PATH")]
    pub outputs: Vec<String>,
    /// Platforms to take from an index, separated by commas, or `all` [default: linux/amd64]
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platforms>,
    /// List the suppressed findings in the table, with their reasons
    #[arg(long)]
    pub show_suppressed: bool,
    /// What to compare with: a scan document, an image, or `none` [default: PLIMSOLL_BASELINE, or the target branch]
    #[arg(long, value_name = "FILE|IMAGE")]
    pub baseline: Option<String>,
    /// Time for reading all images, such as 10m [default: PLIMSOLL_TIMEOUT, or none]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// Use the network for registries only, never for advisories
    #[arg(long)]
    pub offline: bool,
    /// Where databases and, if named, what layers hold are kept [default: PLIMSOLL_CACHE_DIR, or the user's cache]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// What counts.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// What counts; the rest is suppressed, and shown as such.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What counts")]
pub struct FilterArgs {
    /// Lowest severity that counts: critical, high, medium, low, info or unknown
    #[arg(long, value_name = "SEVERITY")]
    pub severity_threshold: Option<String>,
    /// Only findings that an upgrade removes
    #[arg(long)]
    pub ignore_unfixed: bool,
    /// No findings whose fix has one of these statuses, such as will_not_fix
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub ignore_statuses: Vec<String>,
    /// No findings in language packages
    #[arg(long)]
    pub exclude_app_vulns: bool,
    /// Ignore rules of another tool: .trivyignore, .snyk, vulnerability-allowlist.yml; repeat for more
    #[arg(long = "ignore-file", value_name = "FILE")]
    pub ignore_files: Vec<PathBuf>,
    /// A VEX document: OpenVEX, CSAF or CycloneDX; repeat for more
    #[arg(long, value_name = "FILE")]
    pub vex: Vec<PathBuf>,
}

const SOURCES: &str = "\
Sources:
  registry.example.com/group/app:1.2   an image in a registry, by tag or @sha256:… digest
  https://gitlab.example.com/group/project/container_registry/12[:1.2]
                                       the same as the browser shows it, in a job of that GitLab
  'app:1.*'  'team/**'  '!app:dev-*'   what the project's registry has under such names
  oci:DIR[:TAG]  oci-archive:FILE      an OCI image layout, as a directory or archive
  docker-archive:FILE  archive://FILE  what `docker save` writes; the second as GitLab names it
  dir:PATH                             a root filesystem, such as dir:/
  sbom:FILE                            CycloneDX, SPDX or Syft JSON, in place of an image";

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The scan document
    #[arg(long, value_name = "FILE", default_value = "plimsoll.json")]
    pub report: PathBuf,
    /// Only findings that match, such as `severity>=high && fixable && !base`; in the language of `gate`
    #[arg(long = "where", value_name = "EXPR")]
    pub filter: Option<String>,
    /// Directory for all reports [default: none, the table on standard output]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write only this report; repeat with --output (gitlab, html, sarif, …)
    #[arg(long = "format", value_name = "FORMAT")]
    pub formats: Vec<String>,
    /// Where the --format before it goes; `-` is standard output
    #[arg(long = "output", value_name = "PATH")]
    pub outputs: Vec<String>,
    /// List the suppressed findings in the table, with their reasons
    #[arg(long)]
    pub show_suppressed: bool,
}

/// Arguments of `gate`.
#[derive(Debug, Args)]
pub struct GateArgs {
    /// The scan document
    #[arg(long, value_name = "FILE", default_value = "plimsoll.json")]
    pub report: PathBuf,
    /// What fails the gate, such as `high`, `critical && fixable`, `kev` or `coverage_gap` [default: PLIMSOLL_FAIL_ON, or `new && critical`]
    #[arg(long, value_name = "EXPR")]
    pub fail_on: Option<String>,
    /// What the gate only warns of [default: PLIMSOLL_WARN_ON, or nothing]
    #[arg(long, value_name = "EXPR")]
    pub warn_on: Option<String>,
    /// Write the verdict as JUnit too, for a job's test report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Arguments of `ignore`.
#[derive(Debug, Args)]
pub struct IgnoreArgs {
    /// Vulnerabilities that do not count: CVE-…, GHSA-…, DSA-…
    #[arg(value_name = "ID", required_unless_present = "check")]
    pub ids: Vec<String>,
    /// Why; shown in every report
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The last day on which the rules apply, 2027-01-31, or how long, 90d
    #[arg(long, value_name = "DAY")]
    pub expires: Option<String>,
    /// Only in this package: its name with wildcards, or its purl
    #[arg(long, value_name = "NAME")]
    pub package: Option<String>,
    /// Only where the package lies, with wildcards
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Only in this image, with wildcards
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// List the rules that have expired, expire within 30 days or match nothing; exits 1 if one is to be removed
    #[arg(long, conflicts_with_all = ["ids", "reason", "expires", "package", "path", "image"])]
    pub check: bool,
    /// With --check, the scan document that tells which rules match [default: plimsoll.json if it is there]
    #[arg(long, value_name = "FILE", requires = "check")]
    pub report: Option<PathBuf>,
}

/// Arguments of `publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The scan document
    #[arg(long, value_name = "FILE", default_value = "plimsoll.json")]
    pub report: PathBuf,
    /// When to comment on the merge request: changes (there is something new or fixed), always or never [default: PLIMSOLL_COMMENT, or changes]
    #[arg(long, value_name = "WHEN")]
    pub comment: Option<String>,
    /// Open a thread at the Dockerfile's FROM line while the gate fails, and resolve it when it passes [default: PLIMSOLL_THREAD]
    #[arg(long)]
    pub thread: bool,
    /// The policy whose verdict the comment tells [default: as for `gate`]
    #[arg(long, value_name = "EXPR")]
    pub fail_on: Option<String>,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Images to check [default: those that this pipeline pushed]
    #[arg(value_name = "IMAGE")]
    pub images: Vec<String>,
    /// Advisory database [default: as for `scan`]
    #[arg(long, value_name = "REF|DIR")]
    pub db: Option<PathBuf>,
    /// How to write the result: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: String,
    /// Print the certificates that the image's registry presents, in PEM, and nothing else. Compare before trusting them
    #[arg(long, requires = "images")]
    pub print_ca: bool,
}

/// Who vouches for a database, and how old it may be.
#[derive(Debug, Clone, Default, Args)]
pub struct TrustArgs {
    /// Public key (PEM, a file) that must have signed the database [default: PLIMSOLL_DB_KEY, a file or the text]
    #[arg(long, value_name = "FILE")]
    pub db_key: Option<String>,
    /// Age from which a database is stale, such as 36h or 7d [default: PLIMSOLL_MAX_DB_AGE, or 7d]
    #[arg(long, value_name = "AGE")]
    pub max_db_age: Option<String>,
    /// What to do with a stale database [default: PLIMSOLL_STALE_DB, or warn]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "warn|fail")]
    pub stale_db: Option<StaleDb>,
}

/// What to do with a stale database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StaleDb {
    /// Use it and say so.
    Warn,
    /// Refuse it.
    Fail,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The vulnerability or advisory: CVE-…, GHSA-…, DSA-…, …
    #[arg(value_name = "ID")]
    pub id: String,
    /// The image to look into, as for `scan` [default: those of the scan document]
    #[arg(value_name = "IMAGE")]
    pub image: Option<String>,
    /// The scan document
    #[arg(long, value_name = "FILE", default_value = "plimsoll.json", conflicts_with = "image")]
    pub report: PathBuf,
    /// Advisory database [default: as for `scan`]
    #[arg(long, value_name = "DIR")]
    pub db: Option<PathBuf>,
    /// Platform to take from an index [default: linux/amd64]
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platform>,
    /// Use the network for registries only, never for advisories
    #[arg(long)]
    pub offline: bool,
    /// How far it is trusted.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Arguments of `compare-versions`.
#[derive(Debug, Args)]
#[command(
    after_help = "With neither B nor --in, pairs are read from standard input, one `A<TAB>B` a line, and answered\nwith `<`, `=`, `>` or `invalid`, one a line."
)]
pub struct CompareVersionsArgs {
    /// The scheme: deb, rpm, apk, npm, pypi, maven, gem, composer, nuget, go, …
    pub scheme: String,
    /// A version
    pub a: Option<String>,
    /// Another
    pub b: Option<String>,
    /// Ask whether A lies in a range, such as `>=1.2,<2`
    #[arg(long = "in", value_name = "RANGE", conflicts_with = "b")]
    pub range: Option<String>,
}

/// Which images of a registry are meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which images")]
pub struct SelectionArgs {
    /// Names with wildcards: app, app:1.*, team/**, !app:dev-*, or whole references [default: PLIMSOLL_IMAGES, or all]
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// Which of those, such as `new`, `tag =~ ^v && newest(5)` or `age < 30d` [default: PLIMSOLL_SELECT, or all]
    #[arg(long, value_name = "EXPR")]
    pub select: Option<String>,
    /// The project whose registry is meant, by id or path [default: that of the job]
    #[arg(long, value_name = "PROJECT", conflicts_with = "group")]
    pub project: Option<String>,
    /// A group, with all its projects; needs a token with read_api
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Where the memory between pipelines is kept [default: PLIMSOLL_STATE, or the package registry of the project]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Arguments of `images`.
#[derive(Debug, Args)]
pub struct ImagesArgs {
    /// Which images.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Only names that contain this, in any case
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Say for each tag why it is selected or not
    #[arg(long)]
    pub dry_run: bool,
    /// Ask about each tag: digest, size and age; one request per tag
    #[arg(long)]
    pub details: bool,
    /// How to write the list: table, json or csv
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: String,
}

/// Arguments of `retest`.
#[derive(Debug, Clone, Default, Args)]
pub struct RetestArgs {
    /// Which images.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Leave out what was scanned more recently than this, such as 6h or 1d [default: PLIMSOLL_EVERY, or nothing]
    #[arg(long, value_name = "AGE")]
    pub every: Option<String>,
    /// Images that are asked for or judged at the same time [default: 8]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// How long images that are gone are remembered [default: PLIMSOLL_KEEP, or 30d]
    #[arg(long, value_name = "AGE")]
    pub keep: Option<String>,
    /// End with 0 even if some images failed
    #[arg(long)]
    pub keep_going: bool,
    /// Tell what is new at the end, as `alert` does: exit, pipeline, issue, webhook, auto or all [default: nobody]
    #[arg(long, value_name = "CHANNEL", value_delimiter = ',')]
    pub notify: Vec<String>,
    /// Which findings are worth an alert, as for `alert`
    #[arg(long, value_name = "EXPR", requires = "notify")]
    pub alert_on: Option<String>,
    /// Days until an issue is due, by severity, as for `alert`
    #[arg(long, value_name = "LIST", requires = "notify")]
    pub sla: Option<String>,
    /// Write the memory from a pipeline of any kind; `plan` says so to the jobs of a schedule
    #[arg(long)]
    pub remember: bool,
    /// Nothing is news, whatever is remembered; `plan` says so to all jobs of a first run
    #[arg(long)]
    pub first_run: bool,
    /// What is new counts as told only when `alert --remember` has told it; `plan` says so to its jobs
    #[arg(long, conflicts_with = "notify")]
    pub tell_later: bool,
    /// Scan nothing: make one of the documents that other retests wrote into these directories
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with_all = ["patterns", "select", "every", "group", "project", "notify"])]
    pub merge: Vec<PathBuf>,
    /// Advisory database [default: as for `scan`]
    #[arg(long, value_name = "REF|DIR")]
    pub db: Option<PathBuf>,
    /// Who vouches for the database, and how old it may be.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// A folder of feeds to use, and to name in all reports, when no database can be had
    #[arg(long, value_name = "DIR")]
    pub fallback_db: Option<PathBuf>,
    /// Directory for all reports [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Platform to take from an index [default: linux/amd64]
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platform>,
    /// Use the network for registries only, never for advisories
    #[arg(long)]
    pub offline: bool,
    /// Where databases and, if named, what layers hold are kept [default: PLIMSOLL_CACHE_DIR, or the user's cache]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// What counts.
    #[command(flatten)]
    pub filter: FilterArgs,
}

impl RetestArgs {
    /// What it has in common with a scan of its images.
    #[must_use]
    pub fn scan(&self) -> ScanArgs {
        ScanArgs {
            db: self.db.clone(),
            trust: self.trust.clone(),
            fallback_db: self.fallback_db.clone(),
            out: self.out.clone(),
            platform: self.platform.clone().map(|platform| Platforms::Each(vec![platform])),
            offline: self.offline,
            cache_dir: self.cache_dir.clone(),
            filter: self.filter.clone(),
            ..ScanArgs::default()
        }
    }
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which images.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Jobs at most, up to 199, and one that puts their results together [default: 20]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=199))]
    pub shards: Option<usize>,
    /// The image that the jobs run in [default: that of this job, CI_JOB_IMAGE]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Leave out what was scanned more recently than this, as for `retest`
    #[arg(long, value_name = "AGE")]
    pub every: Option<String>,
    /// The policy of the last job, as for `gate` [default: never]
    #[arg(long, value_name = "EXPR")]
    pub fail_on: Option<String>,
    /// Channels that the last job tells what is new, as for `alert` [default: none]
    #[arg(long, value_name = "CHANNEL", value_delimiter = ',')]
    pub notify: Vec<String>,
    /// Where the child pipeline goes
    #[arg(long, value_name = "FILE", default_value = "plimsoll-retest.yml")]
    pub to: PathBuf,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Arguments of `manual`.
#[derive(Debug, Args)]
pub struct ManualArgs {
    /// Write the pages of all commands there, as `plimsoll.1`, `plimsoll-scan.1` and so on
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}
