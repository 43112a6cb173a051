//! What looking up costs: a process that starts, reads an inventory, opens the shards and matches, against one that starts
//! and reads the inventory only. The inventory is that of the 1,133 packages of a large Debian image.
//!
//! `PLIMSOLL_BENCH_DB=DB[:DB…] cargo bench --bench lookup`, with directories made by `plimsoll db build`. Prints the best of
//! many runs, and by how much memory grew.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use plimsoll::advisories::Database;
use plimsoll::image::{self, NoProgress, Source};
use plimsoll::model::{Inventory, Limits, Platform};
use plimsoll::{inventory, matching};

const RUNS: usize = 60;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match arguments.as_slice() {
        [mode, file] if mode == "read" => drop(read(Path::new(file))),
        [mode, file, database] if mode == "match" => match_once(Path::new(file), Path::new(database)),
        _ => measure(),
    }
}

fn measure() {
    let data = std::env::var_os("PLIMSOLL_TEST_DATA").map_or_else(|| "../shared".into(), PathBuf::from);
    let path = data.join("images/large-debian-12-pkgdb/oci");
    let Some(databases) = std::env::var_os("PLIMSOLL_BENCH_DB").filter(|_| path.is_dir()) else {
        println!("PLIMSOLL_BENCH_DB or {} is not there: skipped", path.display());
        return;
    };
    let limits = Limits::default();
    let image = image::open(&Source::OciLayout { path, tag: None }, &Platform::linux_amd64(), &limits, None);
    let inventory = inventory::take(&image.expect("an image"), &limits, &NoProgress);
    let file = std::env::temp_dir().join(format!("plimsoll-bench-{}.json", std::process::id()));
    std::fs::write(&file, serde_json::to_vec(&inventory).expect("JSON")).expect("a file");
    let file_name = file.display().to_string();
    let (floor, _) = best(&["read", &file_name]);
    println!("{} packages; a process that reads them: {:.1} ms", inventory.packages.len(), milliseconds(floor));
    for database in std::env::split_paths(&databases) {
        let (time, said) = best(&["match", &file_name, &database.display().to_string()]);
        println!(
            "{}: {:.1} ms, of them {:.1} ms to open and match; {}",
            database.display(),
            milliseconds(time),
            milliseconds(time.saturating_sub(floor)),
            said.trim()
        );
    }
    let _ = std::fs::remove_file(file);
}

fn read(file: &Path) -> Inventory {
    serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("an inventory")
}

fn match_once(file: &Path, database: &Path) {
    let inventory = read(file);
    let before = peak_memory();
    let database = Database::open(database).expect("a database");
    let matched = matching::match_inventory(&inventory, &database).expect("a sound database");
    let growth = peak_memory().saturating_sub(before);
    println!("{} findings, memory grew by {:.1} MiB", matched.findings.len(), growth as f64 / 1024.0);
    // Freeing it all takes time that no program takes.
    std::process::exit(0);
}

/// The shortest of several runs of this program, and what it said.
fn best(arguments: &[&str]) -> (Duration, String) {
    let program = std::env::current_exe().expect("this program");
    let runs = (0..RUNS).map(|_| {
        let start = Instant::now();
        let output = Command::new(&program).args(arguments).output().expect("it starts");
        (start.elapsed(), String::from_utf8_lossy(&output.stdout).into_owned())
    });
    runs.min_by_key(|(time, _)| *time).unwrap_or_default()
}

/// KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
