//! What a retest costs: stored inventories of real images, varied, whose tags did not move, against a registry on loopback
//! and a memory in a directory. Two runs per number of images: the first writes verdicts, the second has no news. Then the
//! same inventories are matched alone, on as many threads, by the time that these threads were on a processor.
//!
//! `PLIMSOLL_BENCH_DB=DIR cargo bench --bench retest [-- NUMBER…]`, by default 100, 1000 and 10000.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use plimsoll::advisories::Database;
use plimsoll::image::{self, NoProgress, Source};
use plimsoll::inventory;
use plimsoll::matching;
use plimsoll::model::{Digest, Distribution, ImageSnapshot, Inventory, Limits, Platform, ShardName};
use plimsoll::state::{Directory, Finish, State};
use sha2::{Digest as _, Sha256};
use support::PlainRegistry;

#[path = "../tests/support/mod.rs"]
mod support;

fn main() {
    let Some(database) = std::env::var_os("PLIMSOLL_BENCH_DB").map(PathBuf::from) else {
        println!("PLIMSOLL_BENCH_DB names no database: skipped");
        return;
    };
    let originals = originals();
    if originals.is_empty() {
        println!("there are no images: skipped");
        return;
    }
    let mut numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if numbers.is_empty() {
        numbers = vec![100, 1000, 10_000];
    }
    println!("| images | run | wall | CPU | peak memory | CPU of matching alone |");
    println!("|---|---|---|---|---|---|");
    // Each image once: what opening the shards and the program's start cost, whatever comes then.
    let start = measure(originals.len(), &originals, &database);
    let costs: Vec<(usize, f64)> =
        numbers.into_iter().map(|number| (number, measure(number, &originals, &database))).collect();
    println!(
        "\nThe first {} images, with the program's start and all shards, cost {:.2} s of CPU.",
        originals.len(),
        start
    );
    println!("CPU for each image more, without news:\n\n```text");
    let each =
        |(number, cost): &(usize, f64)| (cost - start) * 1e3 / (number.saturating_sub(originals.len()).max(1)) as f64;
    let most = costs.iter().map(each).fold(f64::MIN_POSITIVE, f64::max);
    for row in &costs {
        let cost = each(row).max(0.0);
        println!("{:>6}  {:<50}  {cost:.2} ms", row.0, "#".repeat((cost / most * 50.0).round() as usize));
    }
    println!("```");
}

/// The inventories of the test data's images.
fn originals() -> Vec<Inventory> {
    let data = std::env::var_os("PLIMSOLL_TEST_DATA").map_or_else(|| "../shared".into(), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(data.join("images")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("oci")).collect();
    paths.sort();
    let limits = Limits::default();
    let mut all = Vec::new();
    for path in paths.into_iter().filter(|path| path.is_dir()) {
        let source = Source::OciLayout { path, tag: None };
        if let Ok(image) = image::open(&source, &Platform::linux_amd64(), &limits, None) {
            all.push(inventory::take(&image, &limits, &NoProgress));
        }
    }
    all.retain(|inventory| !inventory.packages.is_empty());
    all
}

/// Seconds of CPU in the last run.
fn measure(number: usize, originals: &[Inventory], database: &Path) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = PlainRegistry::start();
    let now = Timestamp::now();
    let revision = inventory::revision(&Limits::default());
    let state = State::open(Arc::new(Directory::new(&folder.path().join("state"))), now).expect("a state");
    let mut patterns: Vec<String> = Vec::new();
    let mut kept: Vec<Kept> = Vec::new();
    for index in 0..number {
        let repository = format!("{}/grp/proj/app-{}", registry.host(), index / 50);
        let mut inventory = originals[index % originals.len()].clone();
        // Another package is missing in each.
        if inventory.packages.len() > 1 {
            let left_out = index / originals.len() % inventory.packages.len();
            inventory.packages.remove(left_out);
        }
        let config = digest(&format!("config {index}"));
        let manifest = digest(&format!("manifest {index}"));
        let tag = format!("v{index}");
        state.keep_inventory(&repository, &config, &revision, &inventory).expect("kept");
        {
            let mut contents = registry.state();
            contents.tags.insert(format!("grp/proj/app-{}:{tag}", index / 50), manifest.to_string());
            contents.manifests.insert(manifest.to_string(), (String::new(), b"{}".to_vec()));
        }
        let needs = shards(&inventory);
        kept.push((needs.clone(), repository.clone(), config.clone()));
        let snapshot = ImageSnapshot {
            name: format!("{repository}:{tag}"),
            repository: repository.clone(),
            tag,
            digest: manifest,
            config_digest: Some(config),
            platform: None,
            first_seen: now,
            last_seen: now,
            last_scanned: None,
            advisories: None,
            policy: None,
            gone: None,
            failure: None,
            failure_untold: false,
            created: None,
            distribution: None,
            labels: BTreeMap::new(),
            shards: needs,
            verdict: None,
            told: None,
        };
        state.record(snapshot, false).expect("recorded");
        if patterns.last() != Some(&repository) {
            patterns.push(repository);
        }
    }
    state.finish(now, &Finish { keep: SignedDuration::from_hours(24), ..Finish::default() }).expect("stored");
    let mut cost = 0.0;
    for run in ["first", "without news"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.arg("retest").args(&patterns).arg("--db").arg(database);
        command.arg("--state").arg(folder.path().join("state")).arg("--out").arg(folder.path().join("out"));
        command.arg("--keep-going").env_clear().env("CS_REGISTRY_INSECURE", "true").env("HOME", folder.path());
        command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0").current_dir(folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (wall, cpu, memory) = watch(command);
        cost = cpu;
        let matching = match run {
            "first" => "–".to_owned(),
            _ => format!("{:.2} s", matching(&mut kept, &folder.path().join("state"), database, now)),
        };
        println!(
            "| {number} | {run} | {:.2} s | {cpu:.2} s | {:.0} MiB | {matching} |",
            wall.as_secs_f64(),
            memory as f64 / 1024.0
        );
    }
    cost
}

/// The shards that an inventory needs, its repository and its configuration.
type Kept = (Vec<ShardName>, String, Digest);

/// Seconds that the threads which match all inventories spend at that, in the order and with the memory of a retest.
fn matching(kept: &mut [Kept], state: &Path, database: &Path, now: Timestamp) -> f64 {
    kept.sort();
    let state = State::open(Arc::new(Directory::new(state)), now).expect("the state");
    let revision = inventory::revision(&Limits::default());
    let database = Database::open(database).expect("a database");
    database.keep(32 << 20);
    let memo = matching::Memo::new(16 << 20);
    let (next, nanoseconds) = (AtomicUsize::new(0), AtomicU64::new(0));
    let work = || {
        // Several at a time, so that what the clock leaves out does not count.
        while let Some(some) = kept.chunks(20).nth(next.fetch_add(1, Ordering::Relaxed)) {
            let read =
                |(_, repository, config): &Kept| state.inventory(repository, config, &revision).expect("readable");
            let inventories: Vec<Inventory> = some.iter().filter_map(read).map(|(inventory, _)| inventory).collect();
            let begun = on_processor();
            for inventory in &inventories {
                let matched =
                    matching::match_with(inventory, &database, Some(&memo)).expect("a database that can be read");
                std::hint::black_box(matched);
            }
            nanoseconds.fetch_add(on_processor() - begun, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    nanoseconds.into_inner() as f64 / 1e9
}

/// Nanoseconds that this thread was on a processor.
fn on_processor() -> u64 {
    // Giving the processor away brings the kernel's count up to date.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the scheduler's count");
    text.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

fn shards(inventory: &Inventory) -> Vec<ShardName> {
    let os = inventory.distribution.as_ref().map(Distribution::shard);
    let shard =
        |package: &plimsoll::model::Package| if package.kind.is_os() { os.clone() } else { package.kind.shard() };
    let mut all: Vec<ShardName> = inventory.packages.iter().filter_map(shard).collect();
    all.sort();
    all.dedup();
    all
}

fn digest(text: &str) -> Digest {
    Digest::from_sha256(&Sha256::digest(text.as_bytes()).into())
}

/// Runs a command; wall time, seconds of CPU, and KiB of memory at most.
fn watch(mut command: Command) -> (Duration, f64, u64) {
    let begun = Instant::now();
    let mut child = command.spawn().expect("the program starts");
    let (mut cpu, mut memory) = (0.0, 0);
    loop {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
        // User and system time in hundredths of a second, after the name in brackets.
        if let Some((_, rest)) = read("stat").rsplit_once(')') {
            let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
            cpu = f64::max(cpu, ticks as f64 / 100.0);
        }
        let peak = read("status");
        let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        memory = memory.max(peak.unwrap_or(0));
        if child.try_wait().expect("its end").is_some() {
            return (begun.elapsed(), cpu, memory);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
