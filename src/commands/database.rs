//! Which advisory database a command uses, and how it comes to be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use crate::advisories::{self, BuildError, BuildOptions, Database, DatabaseError, FEEDS, Fetch, FetchError, Folder};
use crate::cli::ScanArgs;
use crate::context::{Environment, NetworkSettings};
use crate::model::{Code, Diagnosis, Digest, Distribution, Inventory, ShardName};
use crate::net::HttpFetch;

/// Opens the database of a scan: the one that is named, else where the published image keeps it, else one that is built
/// from the upstreams for what the images hold, else the fallback that is named.
pub(super) fn open<'a>(
    args: &ScanArgs,
    environment: &Environment,
    inventories: impl Iterator<Item = &'a Inventory>,
) -> Result<Database, Diagnosis> {
    let cache = cache_directory(args.cache_dir.as_deref(), environment);
    let failure = match named(args.db.as_deref(), environment) {
        Some((path, origin)) => {
            info!("advisories from {} (from {origin})", path.display());
            match open_or_build(&path, &cache) {
                Ok(database) => return Ok(database),
                Err(diagnosis) => diagnosis,
            }
        }
        None if Path::new(PUBLISHED).is_dir() => match Database::open(Path::new(PUBLISHED)) {
            Ok(database) => return Ok(database),
            Err(error) => unreadable(&error),
        },
        None if args.offline => Diagnosis::new(
            Code::DatabaseUnavailable,
            "there is no advisory database",
            "--offline forbids to fetch advisories and no database is named",
            "name one with --db or PLIMSOLL_DB; `plimsoll db build` makes one",
        ),
        None => {
            let wanted: BTreeSet<ShardName> = inventories.flat_map(shards).collect();
            match from_upstreams(&wanted, &cache, environment) {
                Ok(database) => return Ok(database),
                Err(diagnosis) => diagnosis,
            }
        }
    };
    let Some(fallback) = &args.fallback_db else { return Err(failure) };
    warn!("{failure}");
    warn!("falling back to {}", fallback.display());
    open_or_build(fallback, &cache)
}

/// The database that is named by flag or variable.
pub(super) fn named<'a>(flag: Option<&Path>, environment: &'a Environment) -> Option<(PathBuf, &'a str)> {
    let variable = environment.get("PLIMSOLL_DB").map(|path| (PathBuf::from(path), environment.origin("PLIMSOLL_DB")));
    flag.map(|path| (path.to_owned(), "--db")).or(variable)
}

/// Opens a directory made by `db build`; of a folder of feeds a database is built in the cache first.
pub(super) fn open_or_build(path: &Path, cache: &Path) -> Result<Database, Diagnosis> {
    match Database::open(path) {
        Err(DatabaseError::Missing(_)) if path.is_dir() => {
            let key = short_hash(path.canonicalize().unwrap_or_default().as_os_str().as_encoded_bytes());
            let to = cache.join("databases").join(key);
            advisories::build(&Folder::new(path), &to, &BuildOptions::default()).map_err(|error| not_built(&error))?;
            Database::open(&to).map_err(|error| unreadable(&error))
        }
        opened => opened.map_err(|error| unreadable(&error)),
    }
}

/// Builds the shards that are needed from the upstreams' own servers, unless the same ones were built a short while ago.
fn from_upstreams(
    wanted: &BTreeSet<ShardName>,
    cache: &Path,
    environment: &Environment,
) -> Result<Database, Diagnosis> {
    let names: Vec<&str> = wanted.iter().map(ShardName::as_str).collect();
    let names = names.join(", ");
    let to = cache.join("databases").join(format!("upstream-{}", short_hash(names.as_bytes())));
    if let Ok(database) = Database::open(&to)
        && Timestamp::now().duration_since(database.info().built) < FRESH
    {
        return Ok(database);
    }
    let fetch = Upstreams::new(None, environment)?;
    info!("fetching advisories for {names} from their upstreams");
    advisories::build(&fetch, &to, &BuildOptions { only: Some(wanted.clone()) }).map_err(|error| not_built(&error))?;
    Database::open(&to).map_err(|error| unreadable(&error))
}

fn short_hash(bytes: &[u8]) -> String {
    Digest::from_sha256(&Sha256::digest(bytes).into()).short().to_owned()
}

/// The shards that an inventory's packages need.
fn shards(inventory: &Inventory) -> BTreeSet<ShardName> {
    let os = inventory.distribution.as_ref().map(Distribution::shard);
    inventory
        .packages
        .iter()
        .filter_map(|package| if package.kind.is_os() { os.clone() } else { package.kind.shard() })
        .collect()
}

/// Where databases that are built on the way are kept.
pub(super) fn cache_directory(flag: Option<&Path>, environment: &Environment) -> PathBuf {
    if let Some(path) = flag {
        return path.to_owned();
    }
    let variable = |name| environment.get(name).map(PathBuf::from);
    variable("PLIMSOLL_CACHE_DIR")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("plimsoll")))
        .or_else(|| Some(variable("HOME")?.join(".cache/plimsoll")))
        .unwrap_or_else(|| std::env::temp_dir().join("plimsoll"))
}

/// Feeds over the network: under one base in the common layout, or at their upstreams.
pub(super) struct Upstreams {
    http: HttpFetch,
    base: Option<String>,
}

impl Upstreams {
    pub(super) fn new(base: Option<&str>, environment: &Environment) -> Result<Self, Diagnosis> {
        let invalid = |error: String| {
            Diagnosis::new(
                Code::InvalidInput,
                "the network settings are wrong",
                error,
                "correct the variable or file that is named",
            )
        };
        let mut network =
            NetworkSettings::from_environment(environment, &[]).map_err(|error| invalid(error.to_string()))?;
        // A machine without a network should be told so, not kept waiting.
        network.retry_budget = network.retry_budget.min(FEED_RETRY_BUDGET);
        let http = HttpFetch::new(&network).map_err(|error| invalid(error.to_string()))?;
        Ok(Self { http, base: base.map(|base| base.trim_end_matches('/').to_owned()) })
    }
}

impl Fetch for Upstreams {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError> {
        let url = match &self.base {
            Some(base) => Some(format!("{base}/{}", path.replace(' ', "%20"))),
            None if path == "osv/ecosystems.txt" => Some(format!("{OSV}/ecosystems.txt")),
            None => FEEDS.iter().find_map(|feed| feed.upstream(path)),
        };
        let Some(url) = url else { return Ok(None) };
        info!("fetching {url}");
        self.http.get(&url).map_err(|error| FetchError {
            path: path.to_owned(),
            reason: error.to_string(),
            unreachable: error.is_unreachable(),
        })
    }

    fn list(&self, _folder: &str) -> Option<Vec<String>> {
        None
    }

    fn origin(&self) -> String {
        self.base.clone().unwrap_or_else(|| "the upstreams".to_owned())
    }
}

/// What people are told of a database that cannot be used.
pub(super) fn unreadable(error: &DatabaseError) -> Diagnosis {
    let fix = match error {
        DatabaseError::Missing(_) => {
            "name a directory made by `plimsoll db build`, or a folder of feeds, with --db or PLIMSOLL_DB"
        }
        DatabaseError::Read { .. } => "check the path and its permissions",
        DatabaseError::Corrupt { .. } => "build the database again with `plimsoll db build`",
    };
    Diagnosis::new(Code::DatabaseUnavailable, "the advisory database cannot be used", error.to_string(), fix)
}

/// What people are told of a database that cannot be built.
pub(super) fn not_built(error: &BuildError) -> Diagnosis {
    let fix = match error {
        BuildError::Unreachable(_) => "check network and proxy, or name a database with --db or PLIMSOLL_DB",
        BuildError::NothingFound(_) => {
            "give a folder or URL in the layout that docs/database.md shows, with osv/, debian/ or alpine-secdb/ in it"
        }
        BuildError::Write { .. } => "give a directory that can be written",
    };
    Diagnosis::new(Code::DatabaseUnavailable, "the advisory database cannot be built", error.to_string(), fix)
}

/// Databases built from the upstreams are used again for this long.
const FRESH: SignedDuration = SignedDuration::from_hours(6);

const FEED_RETRY_BUDGET: Duration = Duration::from_secs(8);

/// Where the published container image carries its database.
pub(super) const PUBLISHED: &str = "/usr/share/plimsoll/database";

const OSV: &str = "https://osv-vulnerabilities.storage.googleapis.com";
