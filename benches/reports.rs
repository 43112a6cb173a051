//! What the report writers cost: all of them as a scan writes them, into files, with wall time, CPU and peak memory;
//! then the time of each format.
//!
//! `cargo bench --bench reports`, or with a number of findings: `cargo bench --bench reports -- 100000`. Prints the best
//! wall time and the mean CPU of several runs beside the floor, writing the same document as plain JSON into memory: read
//! the ratios.

#[path = "../tests/formats/documents.rs"]
#[allow(dead_code)]
mod documents;

use std::time::{Duration, Instant};

use plimsoll::commands::write_reports;
use plimsoll::report::RENDERERS;
use plimsoll::report::comment::{self, CommentContext};
use plimsoll::report::table::{self, TableOptions};

const FINDINGS: usize = 20_000;
const RUNS: u32 = 5;

fn main() {
    let findings = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(FINDINGS);
    let document = documents::many(findings);
    let before = peak();
    // A job begins without reports: replacing a file makes the file system write the new one out at once.
    let (place, mut run) = (tempfile::tempdir().expect("a directory"), 0);
    let all = cost(|| {
        run += 1;
        let directory = place.path().join(run.to_string());
        write_reports(&document, &directory).expect("nothing fails");
        let files = std::fs::read_dir(&directory).expect("a directory");
        files.map(|file| file.expect("a file").metadata().expect("a file").len() as usize).sum()
    });
    let after = peak();
    let floor = cost(|| serde_json::to_vec(&document).expect("JSON").len());
    println!("{findings} findings");
    tell("floor", &floor, &floor);
    tell("all, as a scan writes them", &all, &floor);
    println!("peak memory {} MiB, of which the document {} MiB", after >> 10, before >> 10);
    for renderer in RENDERERS {
        let cost = cost(|| {
            let mut out = Counter(0);
            for part in 0..renderer.files(&document).len() {
                renderer.render(&document, part, &mut out).expect("nothing fails");
            }
            out.0
        });
        tell(renderer.format(), &cost, &floor);
    }
    let table = cost(|| {
        let mut out = Counter(0);
        table::render(&document, &TableOptions::default(), &mut out).expect("nothing fails");
        out.0
    });
    tell("table", &table, &floor);
    tell("comment", &cost(|| comment::render(&document, &CommentContext::default()).len()), &floor);
}

fn tell(name: &str, cost: &Cost, floor: &Cost) {
    let ratio = cost.cpu.as_secs_f64() / floor.cpu.as_secs_f64();
    println!(
        "{name:>26}: {:5.0} ms wall, {:5.0} ms CPU, {ratio:4.1} x the floor's, {:5.1} MB",
        millis(cost.wall),
        millis(cost.cpu),
        cost.bytes as f64 / 1e6
    );
}

/// The best wall time of several runs, the mean of their CPU, and the bytes.
struct Cost {
    wall: Duration,
    cpu: Duration,
    bytes: usize,
}

/// What is written is counted and forgotten.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn cost(mut work: impl FnMut() -> usize) -> Cost {
    let before = cpu();
    let run = |_| {
        let start = Instant::now();
        let bytes = work();
        (start.elapsed(), bytes)
    };
    let (wall, bytes) = (0..RUNS).map(run).min().expect("some runs");
    Cost { wall, cpu: (cpu() - before) / RUNS, bytes }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What this process has used of the processors, in steps of 10 ms (proc(5), fields 14 and 15).
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

/// Peak memory of this process in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
