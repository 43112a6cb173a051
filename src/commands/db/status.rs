//! `plimsoll db status`: what a database holds, how old it is, and who vouches for it.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::advisories::delivery::{self, Source, Wanted};
use crate::advisories::{Cache, Database, Trust};
use crate::cli::DbStatusArgs;
use crate::commands::database::{self, Place};
use crate::commands::terminal;
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::{Code, Diagnosis};

/// Ends with 2 where the age policy refuses the database.
pub(in crate::commands) fn status(args: &DbStatusArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let policy = database::policy(&args.trust, environment)?;
    let database = open(args, environment)?;
    let text = if args.json { json(&database) } else { table(&database) };
    terminal::print(terminal::neutralised(&text).as_bytes());
    policy.judge(&database)?;
    Ok(Exit::Done)
}

fn open(args: &DbStatusArgs, environment: &Environment) -> Result<Database, Diagnosis> {
    let directory = database::cache_directory(args.cache_dir.as_deref(), environment);
    let cache = Cache::new(&directory);
    let keys = database::public_keys(args.trust.db_key.as_deref(), environment)?;
    match database::place(args.db.as_deref(), environment)? {
        Some(Place::Path(path)) => database::open_or_build(&path, &directory, keys.as_ref()),
        Some(Place::Artifact(image)) => {
            let registry = match args.offline {
                true => None,
                false => Some(database::registry(environment, std::slice::from_ref(&image))?),
            };
            let source = Source { reference: &image, registry: registry.as_ref(), keys: keys.as_ref() };
            let (database, update) =
                delivery::update(source, &cache, Wanted::Catalogue).map_err(|error| database::not_delivered(&error))?;
            database::said(&image.to_string(), &update);
            Ok(database)
        }
        None => delivery::stored(&cache).ok_or_else(|| {
            Diagnosis::new(
                Code::DatabaseUnavailable,
                "there is no advisory database",
                format!("none is named, and none was built on demand in {}", directory.display()),
                "name one with --db or PLIMSOLL_DB; `plimsoll db build` makes one, `plimsoll db update` brings one",
            )
        }),
    }
}

fn json(database: &Database) -> String {
    let age = Timestamp::now().duration_since(database.info().built).as_secs();
    let value = serde_json::json!({
        "database": database.info(), "age_seconds": age, "signature": database.trust(), "shards": database.shards(),
    });
    format!("{value:#}\n")
}

fn table(database: &Database) -> String {
    let (info, shards) = (database.info(), database.shards());
    let mut text = String::new();
    let date =
        |stamp: Option<Timestamp>| stamp.map_or_else(|| "-".to_owned(), |stamp| stamp.strftime("%Y-%m-%d").to_string());
    let age = database::span(Timestamp::now().duration_since(info.built));
    let _ = writeln!(text, "{} built {}, {age} ago", info.origin, info.built.strftime("%Y-%m-%d %H:%M UTC"));
    let trust = match database.trust() {
        Trust::Verified => "signed, by the key that is given",
        Trust::Unverified => "signed, not verified: no key is given",
        Trust::Unsigned => "not signed",
    };
    let _ = writeln!(text, "{trust}");
    if info.example {
        let _ = writeln!(text, "EXAMPLE DATA: a small set for trying the program out, not a basis for decisions");
    }
    let _ = writeln!(text, "\n{:<24} {:>10} {:>12} {:>7}  newest", "shard", "records", "bytes", "deltas");
    for shard in &shards {
        let newest = date(shard.newest);
        let _ =
            writeln!(text, "{:<24} {:>10} {:>12} {:>7}  {newest}", shard.name, shard.records, shard.size, shard.deltas);
    }
    let (records, size) =
        shards.iter().fold((0, 0), |(records, size), shard| (records + shard.records, size + shard.size));
    let _ = writeln!(text, "{:<24} {records:>10} {size:>12}", format!("{} shards", shards.len()));
    let _ = writeln!(text, "\n{:<24} {:>10}  newest", "source", "records");
    for source in &info.sources {
        let _ = writeln!(text, "{:<24} {:>10}  {}", source.source, source.records, date(source.date));
    }
    text
}
