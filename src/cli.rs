//! The command line: types for clap, no decisions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::Platform;

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
    Scan(ScanArgs),
    /// Judge a scan document: exits 1 when the policy fails
    Gate(GateArgs),
    /// Tell GitLab: the comment on the merge request, and the baseline for the next one
    Publish(PublishArgs),
    /// Check what a scan needs, and say what to change: registry, tokens, certificates, API, database
    Doctor(DoctorArgs),
    /// Build and inspect the advisory database
    #[command(subcommand)]
    Db(DbCommand),
    /// Compare versions as a package ecosystem does
    CompareVersions(CompareVersionsArgs),
}

/// Arguments of `scan`.
#[derive(Debug, Args)]
#[command(after_help = SOURCES)]
pub struct ScanArgs {
    /// Images to scan [default: those that this pipeline pushed]
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// Advisory database: a directory made by `db build`, or a folder of feeds [default: PLIMSOLL_DB, or where the image keeps it]
    #[arg(long, value_name = "DIR")]
    pub db: Option<PathBuf>,
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
    /// Platform to take from an index [default: linux/amd64]
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<Platform>,
    /// What to compare with: a scan document, an image, or `none` [default: PLIMSOLL_BASELINE, or the target branch]
    #[arg(long, value_name = "FILE|IMAGE")]
    pub baseline: Option<String>,
    /// Use the network for registries only, never for advisories
    #[arg(long)]
    pub offline: bool,
    /// Where databases built on the way are kept [default: PLIMSOLL_CACHE_DIR, or the user's cache]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
}

const SOURCES: &str = "\
Sources:
  registry.example.com/group/app:1.2   an image in a registry, by tag or @sha256:… digest
  oci:DIR[:TAG]  oci-archive:FILE      an OCI image layout, as a directory or archive
  docker-archive:FILE  archive://FILE  what `docker save` writes; the second as GitLab names it
  dir:PATH                             a root filesystem, such as dir:/";

/// Arguments of `gate`.
#[derive(Debug, Args)]
pub struct GateArgs {
    /// The scan document
    #[arg(long, value_name = "FILE", default_value = "plimsoll.json")]
    pub report: PathBuf,
    /// What fails the gate, such as `high`, `critical && fixable` or `kev` [default: PLIMSOLL_FAIL_ON, or `new && critical`]
    #[arg(long, value_name = "EXPR")]
    pub fail_on: Option<String>,
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
    #[arg(long, value_name = "DIR")]
    pub db: Option<PathBuf>,
    /// How to write the result: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: String,
}

/// The verbs of `db`.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Build the database from the feeds
    Build(DbBuildArgs),
    /// Show age, sources and sizes of a database
    Status(DbStatusArgs),
}

/// Arguments of `db build`.
#[derive(Debug, Args)]
pub struct DbBuildArgs {
    /// A folder or URL that holds the feeds in their upstreams' layout [default: the upstreams]
    #[arg(long, value_name = "DIR|URL")]
    pub from: Option<String>,
    /// Where the database goes
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// Arguments of `db status`.
#[derive(Debug, Args)]
pub struct DbStatusArgs {
    /// The database [default: as for `scan`]
    #[arg(long, value_name = "DIR")]
    pub db: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
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
