//! `plimsoll db update`, `push`, `mirror`, `export` and `import`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use tracing::{info, warn};

use crate::advisories::delivery::{self, Exported, Source, Wanted};
use crate::advisories::{Cache, Database, Trust};
use crate::cli::{DbExportArgs, DbImportArgs, DbMirrorArgs, DbPushArgs, DbUpdateArgs};
use crate::commands::database::{self, Place};
use crate::commands::terminal;
use crate::context::Environment;
use crate::exit::Exit;
use crate::image::{self, NoProgress};
use crate::inventory;
use crate::model::{Code, Diagnosis, ImageReference, Limits, Platform, ShardName};
use crate::registry::Registry;

pub(in crate::commands) fn update(args: &DbUpdateArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let policy = database::policy(&args.trust, environment)?;
    let keys = database::public_keys(args.trust.db_key.as_deref(), environment)?;
    let cache = Cache::new(database::cache_directory(args.cache_dir.as_deref(), environment));
    let Some(reference) = artifact(args.reference.as_deref(), environment)? else {
        return from_upstreams(args, &cache, environment);
    };
    let registry = database::registry(environment, std::slice::from_ref(&reference))?;
    let source = Source { reference: &reference, registry: Some(&registry), keys: keys.as_ref() };
    let failed = |error| database::not_delivered(&error);
    let found = delivery::find(source, &cache).map_err(failed)?;
    let mut names = BTreeSet::new();
    for wanted in &args.wanted {
        names.extend(needed(wanted, Some(&found.shards()), environment)?);
    }
    let wanted = if args.wanted.is_empty() { Wanted::All } else { Wanted::Shards(&names) };
    let (database, update) = found.bring(wanted).map_err(failed)?;
    database::collect_garbage(&cache);
    let gap = database::said(&reference.to_string(), &update);
    let (files, bytes) = (update.moved.files, update.moved.bytes);
    let signed = if database.trust() == Trust::Verified { ", signature verified" } else { "" };
    let text = if files == 0 {
        format!("{reference}: nothing new{signed}\n")
    } else {
        format!("{reference}: {files} files with {bytes} bytes brought{signed}\n")
    };
    terminal::print(text.as_bytes());
    policy.judge(&database)?;
    Ok(if gap.is_some() { Exit::Incomplete } else { Exit::Done })
}

/// Without an artifact: builds the shards that are named, for scans of the next hours.
fn from_upstreams(args: &DbUpdateArgs, cache: &Cache, environment: &Environment) -> Result<Exit, Diagnosis> {
    if args.wanted.is_empty() {
        return Err(Diagnosis::new(
            Code::InvalidInput,
            "it is not said what to bring",
            "there is no REF, and PLIMSOLL_DB does not name an artifact in a registry",
            "give registry/group/project/name:tag, or name shards with --for to build them from the upstreams",
        ));
    }
    let mut names = BTreeSet::new();
    for wanted in &args.wanted {
        names.extend(needed(wanted, None, environment)?);
    }
    let opened = database::from_upstreams(&names, cache, environment)?;
    let built: BTreeSet<ShardName> = opened.database.shards().into_iter().map(|shard| shard.name).collect();
    let text: String = opened
        .database
        .shards()
        .iter()
        .map(|shard| format!("{}: {} records, {} bytes\n", shard.name, shard.records, shard.size))
        .collect();
    terminal::print(text.as_bytes());
    for missing in names.difference(&built) {
        warn!("the upstreams have nothing for `{missing}`");
    }
    let complete = opened.gaps.is_empty() && names.is_subset(&built);
    Ok(if complete { Exit::Done } else { Exit::Incomplete })
}

/// The artifact that is named by argument or variable.
fn artifact(argument: Option<&str>, environment: &Environment) -> Result<Option<ImageReference>, Diagnosis> {
    if let Some(text) = argument {
        return database::reference(text).map(Some);
    }
    Ok(match database::named(None, environment)? {
        Some((Place::Artifact(reference), _)) => Some(reference),
        _ => None,
    })
}

/// The shards that are meant: one of that name, or those of an image's packages. `known`: those that there are.
fn needed(
    wanted: &str,
    known: Option<&BTreeSet<ShardName>>,
    environment: &Environment,
) -> Result<BTreeSet<ShardName>, Diagnosis> {
    let name = ShardName::new(wanted);
    let is_image = wanted.contains([':', '/', '@']);
    match known {
        Some(known) if known.contains(&name) => return Ok(BTreeSet::from([name])),
        Some(known) if !is_image => {
            let known: Vec<&str> = known.iter().map(ShardName::as_str).collect();
            return Err(Diagnosis::new(
                Code::InvalidInput,
                format!("there is no shard `{wanted}`"),
                format!("the database has {}", known.join(", ")),
                "name one of them, or an image with its registry or tag",
            ));
        }
        None if !is_image => return Ok(BTreeSet::from([name])),
        _ => {}
    }
    let shards = of_image(wanted, environment)?;
    let names: Vec<&str> = shards.iter().map(ShardName::as_str).collect();
    info!("{wanted} needs {}", names.join(", "));
    for missing in shards.iter().filter(|name| known.is_some_and(|known| !known.contains(*name))) {
        warn!("the database has no shard `{missing}`");
    }
    Ok(shards)
}

/// The shards that an image's packages need.
fn of_image(name: &str, environment: &Environment) -> Result<BTreeSet<ShardName>, Diagnosis> {
    let invalid = |error: image::InvalidSource| {
        let fix = "name a shard of the database or an image, as for `plimsoll scan`";
        Diagnosis::new(Code::InvalidInput, "this is neither a shard nor an image", error.to_string(), fix)
    };
    let source: image::Source = name.parse().map_err(invalid)?;
    let registry: Option<Arc<Registry>> = match &source {
        image::Source::Registry(reference) => {
            Some(Arc::new(database::registry(environment, std::slice::from_ref(reference))?))
        }
        _ => None,
    };
    let limits = Limits::default();
    let opened = image::open(&source, &Platform::linux_amd64(), &limits, registry.as_ref());
    let image = opened.map_err(|error| error.diagnosis())?;
    Ok(database::shards(&inventory::take(&image, &limits, &NoProgress)))
}

pub(in crate::commands) fn push(args: &DbPushArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let reference = database::reference(&args.reference)?;
    let key = database::signing_key(args.sign_key.as_deref(), environment)?;
    let cache = Cache::new(database::cache_directory(args.cache_dir.as_deref(), environment));
    let registry = database::registry(environment, std::slice::from_ref(&reference))?;
    let report = delivery::push(&registry, &reference, &args.db, &cache, key.as_ref(), args.whole)
        .map_err(|error| database::not_delivered(&error))?;
    database::collect_garbage(&cache);
    if let Some(reason) = &report.replaced {
        warn!("what was there is replaced as a whole: {reason}");
    }
    if !report.signed {
        warn!("the database is not signed: give --sign-key or PLIMSOLL_DB_SIGNING_KEY");
    }
    let text = format!(
        "{reference}@{}: {} shards, {} unchanged, {} with a new delta; {} files with {} bytes sent of {}{}\n",
        report.digest,
        report.shards,
        report.unchanged,
        report.deltas,
        report.sent.files,
        report.sent.bytes,
        report.total,
        if report.signed { ", signed" } else { "" }
    );
    terminal::print(text.as_bytes());
    Ok(Exit::Done)
}

pub(in crate::commands) fn mirror(args: &DbMirrorArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let (from, to) = (database::reference(&args.from)?, database::reference(&args.to)?);
    let keys = database::public_keys(args.db_key.as_deref(), environment)?;
    let registry = database::registry(environment, &[from.clone(), to.clone()])?;
    let (digest, moved) =
        delivery::mirror(&registry, &from, &to, keys.as_ref()).map_err(|error| database::not_delivered(&error))?;
    let text = format!("{to}@{digest}: {} files with {} bytes sent\n", moved.files, moved.bytes);
    terminal::print(text.as_bytes());
    Ok(Exit::Done)
}

pub(in crate::commands) fn export(args: &DbExportArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let cache = Cache::new(database::cache_directory(args.cache_dir.as_deref(), environment));
    let keys = database::public_keys(args.db_key.as_deref(), environment)?;
    let failed = |error| database::not_delivered(&error);
    let moved = match database::place(args.db.as_deref(), environment)? {
        Some(Place::Path(path)) => {
            Database::open_trusted(&path, keys.as_ref()).map_err(|error| database::unreadable(&error))?;
            delivery::export(Exported::Directory(&path), &args.file, &cache).map_err(failed)?
        }
        Some(Place::Artifact(reference)) => {
            let registry = database::registry(environment, std::slice::from_ref(&reference))?;
            let source = Source { reference: &reference, registry: Some(&registry), keys: keys.as_ref() };
            delivery::export(Exported::Artifact(source), &args.file, &cache).map_err(failed)?
        }
        None => {
            let why = "there is neither --db nor PLIMSOLL_DB";
            let fix = "name the directory or the artifact that is to be exported";
            return Err(Diagnosis::new(Code::InvalidInput, "no database is named", why, fix));
        }
    };
    let text = format!("{}: {} files with {} bytes\n", args.file.display(), moved.files, moved.bytes);
    terminal::print(text.as_bytes());
    Ok(Exit::Done)
}

pub(in crate::commands) fn import(args: &DbImportArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let cache = Cache::new(database::cache_directory(args.cache_dir.as_deref(), environment));
    let keys = database::public_keys(args.db_key.as_deref(), environment)?;
    let reference = args.reference.as_deref().map(database::reference).transpose()?;
    let to: Option<&Path> = args.to.as_deref();
    let imported = delivery::import(&args.file, to, reference.as_ref(), &cache, keys.as_ref())
        .map_err(|error| database::not_delivered(&error))?;
    let place = match (to, &imported.reference) {
        (Some(to), _) => to.display().to_string(),
        (None, Some(reference)) => reference.to_string(),
        (None, None) => {
            let why = "the file does not say where its database was, and neither --to nor --as is given";
            let fix = "give --to DIR, or --as with the reference that scans will use";
            return Err(Diagnosis::new(Code::InvalidInput, "the database has no place", why, fix));
        }
    };
    let signed = match imported.trust {
        Trust::Verified => ", signature verified",
        Trust::Unverified => ", signature not verified: no key is given",
        Trust::Unsigned => ", not signed",
    };
    let built = imported.info.built.strftime("%Y-%m-%d %H:%M UTC");
    let (files, bytes) = (imported.files.files, imported.files.bytes);
    let text = format!("{place}: {files} files with {bytes} bytes, built {built}{signed}\n");
    terminal::print(text.as_bytes());
    Ok(Exit::Done)
}
