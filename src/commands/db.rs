//! `plimsoll db`: building, inspecting and moving the advisory database.

mod status;
mod transfer;

use std::time::Instant;

use crate::advisories::{self, BuildOptions, Cache, Fetch, Folder, delivery};
use crate::cli::DbBuildArgs;
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::Diagnosis;

use super::{database, terminal};

pub(super) use status::status;
pub(super) use transfer::{export, import, mirror, push, update};

pub(super) fn build(args: &DbBuildArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let started = Instant::now();
    let key = database::signing_key(args.sign_key.as_deref(), environment)?;
    let is_url = |text: &&String| text.starts_with("https://") || text.starts_with("http://");
    let fetch: Box<dyn Fetch> = match &args.from {
        Some(folder) if !is_url(&folder) => Box::new(Folder::new(folder)),
        base => {
            let cache = Cache::new(database::cache_directory(None, environment));
            database::collect_garbage(&cache);
            Box::new(database::upstreams(base.as_deref(), environment, cache)?)
        }
    };
    let options = BuildOptions { keep_last_good: !database::accepts_losses(environment), ..BuildOptions::default() };
    let report = advisories::build(fetch.as_ref(), &args.to, &options);
    let report = report.map_err(|error| database::not_built(&error))?;
    delivery::sign(&args.to, key.as_ref()).map_err(|error| database::not_delivered(&error))?;
    // A feed that could not be read leaves a hole that the exit code must show.
    let holes = database::build_told(&report);
    let (records, bytes) =
        report.shards.iter().fold((0, 0), |(records, bytes), shard| (records + shard.records, bytes + shard.size));
    let seconds = started.elapsed().as_secs_f64();
    let text = format!(
        "{} shards, {records} records, {:.2} MB in {} after {seconds:.1} s{}\n",
        report.shards.len(),
        bytes as f64 / 1e6,
        args.to.display(),
        if key.is_some() { ", signed" } else { "" }
    );
    terminal::print(text.as_bytes());
    Ok(if holes.is_empty() { Exit::Done } else { Exit::Incomplete })
}
