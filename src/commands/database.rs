//! Which advisory database a command uses, and how it comes to be.

mod access;
mod told;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use crate::advisories::delivery::{self, DeliveryError, Source, Wanted};
use crate::advisories::{self, BuildOptions, Cache, Database, DatabaseError, Folder, PublicKeys};
use crate::cli::{ScanArgs, TrustArgs};
use crate::context::{Environment, pipeline_images};
use crate::image;
use crate::model::{Code, Diagnosis, Digest, Distribution, Gap, ImageReference, Inventory, PackageKind, ShardName};

pub(super) use access::{
    AgePolicy, PUBLISHED, Place, accepts_losses, cache_directory, collect_garbage, named, not_built, not_delivered,
    public_keys, reference, registry, signing_key, span, unreadable, upstreams,
};
pub(super) use told::{build_told, said};

/// A database, and what reports have to say about it.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) gaps: Vec<Gap>,
}

/// Opens the database of a scan: the one that is named, else where the published image keeps it, else one of shards that
/// are built from the upstreams for what the images hold, else the fallback that is named.
pub(super) fn open<'a>(
    args: &ScanArgs,
    environment: &Environment,
    inventories: impl Iterator<Item = &'a Inventory>,
) -> Result<Opened, Diagnosis> {
    open_for(args, environment, &inventories.flat_map(shards).collect())
}

/// The same for shards that are known to be needed.
pub(super) fn open_for(
    args: &ScanArgs,
    environment: &Environment,
    wanted: &BTreeSet<ShardName>,
) -> Result<Opened, Diagnosis> {
    let policy = AgePolicy::from(&args.trust, environment)?;
    let keys = public_keys(args.trust.db_key.as_deref(), environment)?;
    let mut opened = match (open_wanted(args, environment, wanted, keys.as_ref()), &args.fallback_db) {
        (Ok(opened), _) => opened,
        // One that is there and cannot be trusted is no reason to use another.
        (Err(Unopened { diagnosis, is_about_nothing: true }), Some(fallback)) => {
            let cache = cache_directory(args.cache_dir.as_deref(), environment);
            fall_back(fallback, &diagnosis, &cache, keys.as_ref())?
        }
        (Err(unopened), _) => return Err(unopened.diagnosis),
    };
    opened.gaps.extend(policy.judge(&opened.database)?);
    Ok(opened)
}

/// Why there is no database.
struct Unopened {
    diagnosis: Diagnosis,
    /// Whether there is none at all, as against one that is refused.
    is_about_nothing: bool,
}

impl From<Diagnosis> for Unopened {
    fn from(diagnosis: Diagnosis) -> Self {
        Self { diagnosis, is_about_nothing: false }
    }
}

impl From<DeliveryError> for Unopened {
    fn from(error: DeliveryError) -> Self {
        Self { diagnosis: not_delivered(&error), is_about_nothing: error.is_about_nothing() }
    }
}

/// Opens the database that takes the place of one that could not be had, by the same rules; reports say so.
fn fall_back(path: &Path, failure: &Diagnosis, cache: &Path, keys: Option<&PublicKeys>) -> Result<Opened, Diagnosis> {
    warn!("{failure}");
    warn!("falling back to {}", path.display());
    let mut opened = local(path, cache, keys).map_err(|error| {
        let Diagnosis { code, what, why, fix } = not_delivered(&error);
        Diagnosis::new(
            code,
            format!("{what}, nor can the one that it stands in for"),
            format!("{why}; {}", failure.why),
            fix,
        )
    })?;
    let newest = opened.database.info().sources.iter().filter_map(|source| source.date).max();
    let age = match newest {
        Some(newest) => {
            let age = span(Timestamp::now().duration_since(newest));
            format!("its newest record is of {}, {age} ago", newest.strftime("%Y-%m-%d"))
        }
        None => "its records have no dates".to_owned(),
    };
    let reason = format!("it is used as a fallback ({age}), because {}: {}", failure.what, failure.why);
    opened.gaps.insert(0, access::stale(&path.display().to_string(), reason));
    Ok(opened)
}

fn open_wanted(
    args: &ScanArgs,
    environment: &Environment,
    wanted: &BTreeSet<ShardName>,
    keys: Option<&PublicKeys>,
) -> Result<Opened, Unopened> {
    let directory = cache_directory(args.cache_dir.as_deref(), environment);
    let cache = Cache::new(&directory);
    let local = |path: &Path| {
        let opened = local(path, &directory, keys)?;
        told::unsigned(&opened.database, false);
        Ok(opened)
    };
    match named(args.db.as_deref(), environment)? {
        Some((Place::Path(path), origin)) => {
            info!("advisories from {} (from {origin})", path.display());
            local(&path)
        }
        Some((Place::Artifact(image), origin)) => {
            info!("advisories from {image} (from {origin})");
            // Credentials and settings without a host of their own belong to what is scanned, not to the database.
            let images = [scanned(args, environment), vec![image.clone()]].concat();
            let registry = if args.offline { None } else { Some(registry(environment, &images)?) };
            let source = Source { reference: &image, registry: registry.as_ref(), keys };
            let (database, update) = delivery::update(source, &cache, Wanted::Shards(wanted))?;
            let gaps = said(&image.to_string(), &update).into_iter().collect();
            told::unsigned(&database, true);
            if update.moved.files > 0 {
                collect_garbage(&cache);
            }
            Ok(Opened { database, gaps })
        }
        None if Path::new(PUBLISHED).is_dir() => local(Path::new(PUBLISHED)),
        None if args.offline => match delivery::stored(&cache) {
            Some(database) => Ok(Opened { database, gaps: Vec::new() }),
            None => Err(Unopened {
                diagnosis: Diagnosis::new(
                    Code::DatabaseUnavailable,
                    "there is no advisory database",
                    "--offline forbids to fetch advisories and no database is named",
                    "name one with --db or PLIMSOLL_DB; `plimsoll db build` makes one",
                ),
                is_about_nothing: true,
            }),
        },
        None => of_upstreams(wanted, &cache, environment),
    }
}

/// Images that the scan reads from registries.
fn scanned(args: &ScanArgs, environment: &Environment) -> Vec<ImageReference> {
    let mut names = args.sources.clone();
    if names.is_empty() {
        names = pipeline_images(environment).into_iter().map(|image| image.image).collect();
    }
    let reference = |name: &String| match name.parse() {
        Ok(image::Source::Registry(reference)) => Some(reference),
        _ => None,
    };
    names.iter().filter_map(reference).collect()
}

/// Opens a directory made by `db build`; of a folder of feeds a database is built in the cache first.
pub(super) fn open_or_build(path: &Path, cache: &Path, keys: Option<&PublicKeys>) -> Result<Database, Diagnosis> {
    local(path, cache, keys).map(|opened| opened.database).map_err(|error| not_delivered(&error))
}

/// The same with what reports have to say about it: files of feeds that could not be read are holes in it.
fn local(path: &Path, cache: &Path, keys: Option<&PublicKeys>) -> Result<Opened, DeliveryError> {
    match Database::open_trusted(path, keys) {
        Err(DatabaseError::Missing(_)) if path.is_dir() => {
            let key = short_hash(path.canonicalize().unwrap_or_default().as_os_str().as_encoded_bytes());
            let to = cache.join("databases").join(key);
            let report = advisories::build(&Folder::new(path), &to, &BuildOptions::default())?;
            // Built here and now: nobody else has to vouch for it.
            Ok(Opened { database: Database::open(&to)?, gaps: build_told(&report) })
        }
        opened => Ok(Opened { database: opened?, gaps: Vec::new() }),
    }
}

/// The shards that are needed, from the upstreams' own servers or as they were built a short while ago.
pub(super) fn from_upstreams(
    wanted: &BTreeSet<ShardName>,
    cache: &Cache,
    environment: &Environment,
) -> Result<Opened, Diagnosis> {
    of_upstreams(wanted, cache, environment).map_err(|unopened| unopened.diagnosis)
}

fn of_upstreams(wanted: &BTreeSet<ShardName>, cache: &Cache, environment: &Environment) -> Result<Opened, Unopened> {
    let names: Vec<&str> = wanted.iter().map(ShardName::as_str).collect();
    let names = names.join(", ");
    info!("no database is named: advisories for {names} from their upstreams");
    let fetch = upstreams(None, environment, cache.clone())?;
    let (database, report) = delivery::on_demand(&fetch, wanted, cache, FRESH)?;
    let gaps = told::made(&report);
    if !report.built.is_empty() {
        collect_garbage(cache);
    }
    Ok(Opened { database, gaps })
}

fn short_hash(bytes: &[u8]) -> String {
    Digest::from_sha256(&Sha256::digest(bytes).into()).short().to_owned()
}

/// The shards that an inventory's packages need.
pub(super) fn shards(inventory: &Inventory) -> BTreeSet<ShardName> {
    let os = inventory.distribution.as_ref().map(Distribution::shard);
    inventory
        .packages
        .iter()
        .filter_map(|package| match package.kind {
            kind if kind.is_os() => os.clone(),
            // Programs without a package are asked for among Bitnami's records.
            PackageKind::Generic => PackageKind::Bitnami.shard(),
            kind => kind.shard(),
        })
        .collect()
}

/// The directory of a database that is named, or that the published image carries.
pub(super) fn place(flag: Option<&Path>, environment: &Environment) -> Result<Option<Place>, Diagnosis> {
    let published = || Path::new(PUBLISHED).is_dir().then(|| Place::Path(PathBuf::from(PUBLISHED)));
    Ok(named(flag, environment)?.map(|(place, _)| place).or_else(published))
}

/// For commands that show a database.
pub(super) fn policy(args: &TrustArgs, environment: &Environment) -> Result<AgePolicy, Diagnosis> {
    AgePolicy::from(args, environment)
}

/// Shards built from the upstreams are used again for this long.
const FRESH: Duration = Duration::from_secs(6 * 3600);
