//! The verbs of `db` and their arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::TrustArgs;

/// The verbs of `db`.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Build the database from the feeds
    Build(DbBuildArgs),
    /// Show age, sources and sizes of a database
    Status(DbStatusArgs),
    /// Bring a database, or the shards that are named, into the cache
    Update(DbUpdateArgs),
    /// Send a database to a registry: what changed, as deltas
    Push(DbPushArgs),
    /// Copy a database from one repository to another, signature included
    Mirror(DbMirrorArgs),
    /// Write a database into one file
    Export(DbExportArgs),
    /// Read a database from such a file
    Import(DbImportArgs),
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
    /// Private key (PEM, a file) to sign the catalogue with [default: PLIMSOLL_DB_SIGNING_KEY, a file or the text]
    #[arg(long, value_name = "FILE")]
    pub sign_key: Option<String>,
}

/// Arguments of `db status`.
#[derive(Debug, Args)]
pub struct DbStatusArgs {
    /// The database [default: as for `scan`]
    #[arg(long, value_name = "REF|DIR")]
    pub db: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
    /// Show what the cache holds, without asking the registry
    #[arg(long)]
    pub offline: bool,
    /// The cache [default: PLIMSOLL_CACHE_DIR, or the user's cache]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Who vouches for the database, and how old it may be.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Arguments of `db update`.
#[derive(Debug, Args)]
pub struct DbUpdateArgs {
    /// The artifact [default: PLIMSOLL_DB; without one, shards are built from the upstreams]
    #[arg(value_name = "REF")]
    pub reference: Option<String>,
    /// Only what these need: shards (debian-12, npm, …) or images, as for `scan` [default: all shards]
    #[arg(long = "for", value_name = "IMAGE|ECOSYSTEM", num_args = 1..)]
    pub wanted: Vec<String>,
    /// The cache [default: PLIMSOLL_CACHE_DIR, or the user's cache]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Who vouches for the database, and how old it may be.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Arguments of `db push`.
#[derive(Debug, Args)]
pub struct DbPushArgs {
    /// Where the artifact goes
    #[arg(value_name = "REF")]
    pub reference: String,
    /// The directory made by `db build`
    #[arg(long, value_name = "DIR")]
    pub db: PathBuf,
    /// Private key (PEM, a file) to sign with [default: PLIMSOLL_DB_SIGNING_KEY, a file or the text]
    #[arg(long, value_name = "FILE")]
    pub sign_key: Option<String>,
    /// Send changed shards as a whole, not as deltas
    #[arg(long)]
    pub whole: bool,
    /// The cache [default: PLIMSOLL_CACHE_DIR, or the user's cache]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
}

/// Arguments of `db mirror`.
#[derive(Debug, Args)]
pub struct DbMirrorArgs {
    /// The artifact
    #[arg(value_name = "SOURCE")]
    pub from: String,
    /// Where the copy goes
    #[arg(value_name = "DESTINATION")]
    pub to: String,
    /// Public key (PEM, a file) that must have signed it [default: PLIMSOLL_DB_KEY, a file or the text]
    #[arg(long, value_name = "FILE")]
    pub db_key: Option<String>,
}

/// Arguments of `db export`.
#[derive(Debug, Args)]
pub struct DbExportArgs {
    /// The file to write: an archive of an OCI layout
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The database [default: as for `scan`]
    #[arg(long, value_name = "REF|DIR")]
    pub db: Option<PathBuf>,
    /// Public key (PEM, a file) that must have signed it [default: PLIMSOLL_DB_KEY, a file or the text]
    #[arg(long, value_name = "FILE")]
    pub db_key: Option<String>,
    /// The cache [default: PLIMSOLL_CACHE_DIR, or the user's cache]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
}

/// Arguments of `db import`.
#[derive(Debug, Args)]
pub struct DbImportArgs {
    /// The file that `db export` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A directory for the database [default: the cache, under the reference that the file names]
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// The reference under which the cache is to know it
    #[arg(long = "as", value_name = "REF")]
    pub reference: Option<String>,
    /// Public key (PEM, a file) that must have signed it [default: PLIMSOLL_DB_KEY, a file or the text]
    #[arg(long, value_name = "FILE")]
    pub db_key: Option<String>,
    /// The cache [default: PLIMSOLL_CACHE_DIR, or the user's cache]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
}
