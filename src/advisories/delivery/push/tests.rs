//! What an update costs, on real data: a hundredth of all records is made another one.

use std::path::{Path, PathBuf};

use super::*;
use crate::advisories::catalogue::file_name;
use crate::advisories::index::{Table, TableWriter, file};
use crate::advisories::{BuildOptions, Folder, build};
use crate::model::{Advisory, AdvisoryDetails, CveFacts, Event, ShardName};

fn feeds() -> Option<PathBuf> {
    let given = std::env::var_os("PLIMSOLL_TEST_DATA").map(PathBuf::from);
    let path = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")).join("feeds");
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "the test data is missing: {}", path.display());
    eprintln!("ignored: no test data at {}", path.display());
    None
}

/// Every hundredth record, whatever it is about.
fn changes(id: &str) -> bool {
    crc32fast::hash(id.as_bytes()).is_multiple_of(100)
}

/// The same shard with a hundredth of its records changed: other versions, one more reference, another date.
fn changed(old: &IndexFile, is_facts: bool) -> (Vec<u8>, u64) {
    let mut tables = [TableWriter::new(32 << 10).unwrap(), TableWriter::new(128 << 10).unwrap()];
    let mut count = 0;
    old.each(Table::Records, |key, value| {
        if is_facts {
            let mut facts: CveFacts = postcard::from_bytes(value).unwrap();
            if changes(key) {
                facts.epss = None;
                facts.cvss.clear();
                count += 1;
            }
            tables[0].add(key, &postcard::to_stdvec(&facts).unwrap())?;
            return Ok::<(), DeltaError>(());
        }
        let mut advisories: Vec<Advisory> = postcard::from_bytes(value).unwrap();
        for advisory in advisories.iter_mut().filter(|advisory| changes(&advisory.id)) {
            advisory.ranges.iter_mut().flat_map(|range| &mut range.events).for_each(|event| {
                if let Event::Fixed(version) = event {
                    version.push_str("+new1");
                }
            });
            advisory.aliases.push("CVE-2026-99999".into());
            count += 1;
        }
        tables[0].add(key, &postcard::to_stdvec(&advisories).unwrap())?;
        Ok(())
    })
    .unwrap();
    old.each(Table::Details, |key, value| {
        if is_facts {
            // Ends of releases.
            tables[1].add(key, value)?;
            return Ok(());
        }
        let mut details: AdvisoryDetails = postcard::from_bytes(value).unwrap();
        if changes(key) {
            details.modified = Some("2026-11-21T07:00:00Z".parse().unwrap());
            details.summary.push_str(" (updated)");
        }
        tables[1].add(key, &postcard::to_stdvec(&details).unwrap())?;
        Ok::<(), DeltaError>(())
    })
    .unwrap();
    (file(&old.header().name, &old.header().sources, tables).unwrap(), count)
}

#[test]
fn a_hundredth_of_the_records_is_less_than_a_twentieth_of_the_bytes() {
    let Some(feeds) = feeds() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().join("cache"));
    let wanted = ["debian-12", "alpine-3.20", "pypi", "npm", "go"];
    let only = Some(wanted.iter().map(ShardName::new).collect());
    build(&Folder::new(feeds), &folder.path().join("built"), &BuildOptions { only, ..BuildOptions::default() })
        .unwrap();
    let built = directory::read(&folder.path().join("built")).unwrap().catalogue;
    let (mut whole, mut moved, mut after) = (0, 0, built.clone());
    for (entry, after) in built.shards.iter().zip(&mut after.shards) {
        let layer = Layer { digest: entry.digest.clone(), size: entry.size };
        directory::into_cache(&folder.path().join("built"), entry, &layer, &cache).unwrap();
        let old = IndexFile::open(std::fs::File::open(cache.path(&layer.digest)).unwrap()).unwrap();
        let (bytes, count) = changed(&old, entry.name.as_str() == "cve");
        let new = cache.put(&bytes).unwrap();
        let new_file = file_name(&entry.name, &new.digest);
        let new = ShardEntry { file: new_file, digest: new.digest, size: new.size, ..entry.clone() };
        let stacked = (entry.size >= SMALLEST).then(|| stacked(entry, &new, &cache).unwrap()).flatten();
        let bytes = stacked.as_ref().map_or(new.size, |stacked| stacked.deltas.iter().map(|delta| delta.size).sum());
        println!(
            "{:<14} {count:>5} of {:>6} records changed: {bytes:>7} of {:>8} bytes, {:.1} %",
            entry.name,
            entry.records,
            new.size,
            bytes as f64 * 100.0 / new.size as f64
        );
        whole += new.size;
        moved += bytes;
        *after = stacked.unwrap_or(new);
    }
    let catalogue = compress(&after.to_bytes()).unwrap().len() as u64;
    let files: Vec<Layer> = after.shards.iter().flat_map(ShardEntry::layers).collect();
    let layer = Layer { digest: built.shards[0].digest.clone(), size: catalogue };
    let manifest = Manifest { catalogue: layer, files, signature: Some(vec![0; 64]) }.to_bytes(&after).len() as u64;
    println!(
        "all: {moved} of {whole} bytes, {:.1} %; manifest {manifest}, catalogue {catalogue} bytes",
        moved as f64 * 100.0 / whole as f64
    );
    assert!((moved + manifest + catalogue) * 20 < whole, "{moved} + {manifest} + {catalogue} of {whole}");
}

/// Six deltas on every shard say the same as the last build. With `PLIMSOLL_BENCH_DELTAS=DIR` the database stays there,
/// for `benches/lookup.rs`.
#[test]
fn six_deltas_are_read_as_one_shard() {
    let Some(feeds) = feeds() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (built, cache) = (folder.path().join("built"), Cache::new(folder.path().join("cache")));
    let only = Some([ShardName::new("debian-12")].into());
    build(&Folder::new(feeds), &built, &BuildOptions { only, ..BuildOptions::default() }).unwrap();
    let mut catalogue = directory::read(&built).unwrap().catalogue;
    for entry in &mut catalogue.shards {
        let base = Layer { digest: entry.digest.clone(), size: entry.size };
        directory::into_cache(&built, entry, &base, &cache).unwrap();
        let open = |layer: &Layer| IndexFile::open(std::fs::File::open(cache.path(&layer.digest)).unwrap()).unwrap();
        let mut last = base;
        for round in 1..=6_usize {
            let (bytes, _) = changed(&open(&last), entry.name.as_str() == "cve");
            last = cache.put(&bytes).unwrap();
            let new_file = file_name(&entry.name, &last.digest);
            let new = ShardEntry {
                file: new_file,
                digest: last.digest.clone(),
                size: last.size,
                deltas: vec![],
                ..entry.clone()
            };
            let old = Stack::new(entry.layers().map(|layer| open(&layer)).collect()).unwrap();
            let delta = cache.put(&delta(&old, &open(&last)).unwrap()).unwrap();
            entry.deltas.push(delta);
            entry.whole = Some(new.digest);
            assert_eq!(entry.deltas.len(), round);
        }
        let stack = Stack::new(entry.layers().map(|layer| open(&layer)).collect()).unwrap();
        for table in [Table::Records, Table::Details] {
            open(&last)
                .each(table, |key, value| {
                    assert_eq!(stack.get(table, key)?.as_deref(), Some(value), "{} {key}", entry.name);
                    Ok::<(), DeltaError>(())
                })
                .unwrap();
        }
    }
    if let Some(to) = std::env::var_os("PLIMSOLL_BENCH_DELTAS") {
        directory::write(Path::new(&to), &catalogue, &catalogue.to_bytes(), None, &cache).unwrap();
    }
}
