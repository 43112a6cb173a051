//! Which advisory database a command uses, and how it comes to be.

mod access;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use crate::advisories::delivery::{self, Source, Update, Wanted};
use crate::advisories::{self, BuildOptions, Cache, Database, DatabaseError, Folder, PublicKeys, Trust};
use crate::cli::{ScanArgs, TrustArgs};
use crate::context::{Environment, pipeline_images};
use crate::image;
use crate::model::{Code, Diagnosis, Digest, Distribution, Gap, ImageReference, Inventory, PackageKind, ShardName};

pub(super) use access::{
    AgePolicy, PUBLISHED, Place, cache_directory, collect_garbage, named, not_built, not_delivered, public_keys,
    reference, registry, signing_key, span, unreadable, upstreams,
};

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
    let opened = open_wanted(args, environment, wanted, keys.as_ref()).and_then(|mut opened| {
        opened.gaps.extend(policy.judge(&opened.database)?);
        Ok(opened)
    });
    let failure = match opened {
        Ok(opened) => return Ok(opened),
        Err(diagnosis) => diagnosis,
    };
    let Some(fallback) = &args.fallback_db else { return Err(failure) };
    warn!("{failure}");
    warn!("falling back to {}", fallback.display());
    let cache = cache_directory(args.cache_dir.as_deref(), environment);
    Ok(Opened { database: open_or_build(fallback, &cache, None)?, gaps: Vec::new() })
}

fn open_wanted(
    args: &ScanArgs,
    environment: &Environment,
    wanted: &BTreeSet<ShardName>,
    keys: Option<&PublicKeys>,
) -> Result<Opened, Diagnosis> {
    let directory = cache_directory(args.cache_dir.as_deref(), environment);
    let cache = Cache::new(&directory);
    let local = |path: &Path| {
        let database = open_or_build(path, &directory, keys)?;
        said_unsigned(&database, false);
        Ok(Opened { database, gaps: Vec::new() })
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
            let (database, update) =
                delivery::update(source, &cache, Wanted::Shards(wanted)).map_err(|error| not_delivered(&error))?;
            let gaps = said(&image.to_string(), &update).into_iter().collect();
            said_unsigned(&database, true);
            if update.moved.files > 0 {
                collect_garbage(&cache);
            }
            Ok(Opened { database, gaps })
        }
        None if Path::new(PUBLISHED).is_dir() => local(Path::new(PUBLISHED)),
        None if args.offline => match delivery::stored(&cache) {
            Some(database) => Ok(Opened { database, gaps: Vec::new() }),
            None => Err(Diagnosis::new(
                Code::DatabaseUnavailable,
                "there is no advisory database",
                "--offline forbids to fetch advisories and no database is named",
                "name one with --db or PLIMSOLL_DB; `plimsoll db build` makes one",
            )),
        },
        None => from_upstreams(wanted, &cache, environment),
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
    match Database::open_trusted(path, keys) {
        Err(DatabaseError::Missing(_)) if path.is_dir() => {
            let key = short_hash(path.canonicalize().unwrap_or_default().as_os_str().as_encoded_bytes());
            let to = cache.join("databases").join(key);
            advisories::build(&Folder::new(path), &to, &BuildOptions::default()).map_err(|error| not_built(&error))?;
            // Built here and now: nobody else has to vouch for it.
            Database::open(&to).map_err(|error| unreadable(&error))
        }
        opened => opened.map_err(|error| unreadable(&error)),
    }
}

/// The shards that are needed, from the upstreams' own servers or as they were built a short while ago.
pub(super) fn from_upstreams(
    wanted: &BTreeSet<ShardName>,
    cache: &Cache,
    environment: &Environment,
) -> Result<Opened, Diagnosis> {
    let names: Vec<&str> = wanted.iter().map(ShardName::as_str).collect();
    let names = names.join(", ");
    info!("no database is named: advisories for {names} from their upstreams");
    let fetch = upstreams(None, environment, cache.clone())?;
    let (database, report) =
        delivery::on_demand(&fetch, wanted, cache, FRESH).map_err(|error| not_delivered(&error))?;
    for (source, reason) in &report.failures {
        warn!("{source}: not used: {reason}");
    }
    let update = Update { outdated: report.outdated, ..Update::default() };
    let mut gaps: Vec<Gap> = said("the upstreams", &update).into_iter().collect();
    let hole = |(source, reason)| access::stale(source, format!("not used: {reason}"));
    gaps.extend(report.failures.iter().map(|(source, reason)| hole((source, reason))));
    if !report.built.is_empty() {
        collect_garbage(cache);
    }
    Ok(Opened { database, gaps })
}

/// Tells what an update did; what could not be done is a gap of the report.
pub(super) fn said(origin: &str, update: &Update) -> Option<Gap> {
    match &update.outdated {
        Some(reason) => {
            warn!("{origin} could not be asked, what the cache holds is used: {reason}");
            Some(access::stale(origin, format!("it could not be asked for news: {reason}")))
        }
        None if update.unchanged && update.moved.files == 0 => {
            info!("{origin} has nothing new");
            None
        }
        None => {
            info!("{} files with {} bytes came from {origin}", update.moved.files, update.moved.bytes);
            None
        }
    }
}

/// Tells that nobody vouches for a database; one that was named as a directory is as good as the directory.
fn said_unsigned(database: &Database, remote: bool) {
    let origin = &database.info().origin;
    match database.trust() {
        Trust::Verified => info!("the signature of {origin} holds"),
        Trust::Unverified if remote => {
            warn!("{origin} is signed, but no key is given to verify it: set --db-key or PLIMSOLL_DB_KEY");
        }
        Trust::Unsigned if remote => warn!("{origin} is not signed: anybody who may push there can change it"),
        _ => {}
    }
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
