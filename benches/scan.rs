//! What a cold scan costs beside its floor, inflating the same bytes: the bare walk over a layer, the inventory of the
//! image, and the matching of it where `PLIMSOLL_BENCH_DB` names a database; then also the matching of the 1,133 packages
//! of a large Debian image and 910 of npm.
//!
//! `cargo bench --bench scan [-- OCI-LAYOUT…]`; without arguments the Debian 12 image of the test data. Prints the best of
//! several runs: read the ratios, not the times.

use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plimsoll::advisories::Database;
use plimsoll::image::inflate::{HISTORY, Inflate, OUTPUT_SLACK, Status};
use plimsoll::image::{self, Content, Entry, NoProgress, Source, Visitor};
use plimsoll::model::{Limits, Package, PackageKind, Platform};
use plimsoll::{inventory, matching};

const RUNS: usize = 7;

fn main() {
    let mut layouts: Vec<PathBuf> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).map(Into::into).collect();
    if layouts.is_empty() {
        let data = std::env::var_os("PLIMSOLL_TEST_DATA").map_or_else(|| "../shared".into(), PathBuf::from);
        layouts.push(data.join("images/debian-12-minbase/oci"));
    }
    for layout in layouts {
        if layout.is_dir() {
            measure(&layout);
        } else {
            println!("{} is not there: skipped", layout.display());
        }
    }
    if let Some(path) = std::env::var_os("PLIMSOLL_BENCH_DB") {
        measure_matching(Path::new(&path));
    }
}

/// A large image against shards that are open already.
fn measure_matching(database: &Path) {
    let data = std::env::var_os("PLIMSOLL_TEST_DATA").map_or_else(|| "../shared".into(), PathBuf::from);
    let path = data.join("images/large-debian-12-pkgdb/oci");
    if !path.is_dir() {
        println!("{} is not there: skipped", path.display());
        return;
    }
    let limits = Limits::default();
    let image = image::open(&Source::OciLayout { path, tag: None }, &Platform::linux_amd64(), &limits, None);
    let mut inventory = inventory::take(&image.expect("an image"), &limits, &NoProgress);
    for number in 0..NPM_PACKAGES {
        // One in ten is a package that advisories speak of.
        let known = NPM_NAMES.get(number / 10).filter(|_| number % 10 == 0);
        let name = known.map_or_else(|| format!("package-{:03}", number * 7919 % 1000), |name| (*name).to_owned());
        inventory.packages.push(Package::new(PackageKind::Npm, name, format!("{}.{}.0", number % 4, number % 10)));
    }
    let database = Database::open(database).expect("a database");
    let (time, matched) = best(|| matching::match_inventory(&inventory, &database).expect("a sound database"));
    println!(
        "matching {} packages with open shards: {} findings, {} suppressed, in {:.1} ms, peak memory {}",
        inventory.packages.len(),
        matched.findings.len(),
        matched.suppressed.len(),
        milliseconds(time),
        peak_memory()
    );
}

const NPM_PACKAGES: usize = 910;

const NPM_NAMES: [&str; 40] = [
    "lodash",
    "minimist",
    "axios",
    "express",
    "qs",
    "ws",
    "ip",
    "semver",
    "tar",
    "debug",
    "ms",
    "braces",
    "micromatch",
    "json5",
    "node-fetch",
    "follow-redirects",
    "glob-parent",
    "ansi-regex",
    "postcss",
    "undici",
    "word-wrap",
    "y18n",
    "ini",
    "path-parse",
    "cookie",
    "body-parser",
    "send",
    "serve-static",
    "path-to-regexp",
    "cross-spawn",
    "handlebars",
    "moment",
    "jsonwebtoken",
    "ejs",
    "marked",
    "async",
    "decode-uri-component",
    "loader-utils",
    "nth-check",
    "tough-cookie",
];

fn measure(layout: &Path) {
    let (platform, limits) = (Platform::linux_amd64(), Limits::default());
    let source = Source::OciLayout { path: layout.to_owned(), tag: None };
    let image = image::open(&source, &platform, &limits, None).expect("an image");
    println!("{}", layout.display());
    let (scan, found) = best(|| {
        // A new handle each time: nothing of the run before is left.
        let image = image::open(&source, &platform, &limits, None).expect("an image");
        inventory::take(&image, &limits, &NoProgress)
    });
    println!(
        "inventory: {} packages in {:.1} ms, peak memory {}",
        found.packages.len(),
        milliseconds(scan),
        peak_memory()
    );
    if let Some(path) = std::env::var_os("PLIMSOLL_BENCH_DB") {
        let (matching, matched) = best(|| {
            let database = Database::open(Path::new(&path)).expect("a database");
            matching::match_inventory(&found, &database).expect("a sound database")
        });
        let findings = matched.findings.len();
        println!("matching:  {findings} findings in {:.1} ms, opening the database included", milliseconds(matching));
    }
    let mut floor = Duration::ZERO;
    for (index, layer) in image.layers.iter().enumerate() {
        let digest = layer.digest.as_ref().expect("layouts have digests");
        let (walk, files) = best(|| {
            let mut visitor = Count(0);
            image.walk_layer(index, &mut visitor, &limits, &NoProgress).expect("a sound layer");
            visitor.0
        });
        let memory = peak_memory();
        let blob = std::fs::read(layout.join("blobs/sha256").join(digest.hex())).expect("a blob");
        println!("layer {index}: {:.1} MB, {files} files, peak memory after the walk {memory}", megabytes(blob.len()));
        if !blob.starts_with(&[0x1f, 0x8b]) {
            println!("  walk            {:>8.1} ms (not gzip: no floor)", milliseconds(walk));
            continue;
        }
        let (zlib, size) = best(|| zlib_rs(&blob));
        let (own, own_size) = best(|| own_inflate(&blob));
        assert_eq!(size, own_size, "both inflate the same");
        floor += own;
        for (what, time) in [("zlib-rs inflate", zlib), ("own inflate", own), ("walk", walk)] {
            println!(
                "  {what:<15} {:>8.1} ms {:>6.0} MB/s   {:>5.2} × own inflate   {:>5.2} × zlib-rs",
                milliseconds(time),
                megabytes(size) / time.as_secs_f64(),
                time.as_secs_f64() / own.as_secs_f64(),
                time.as_secs_f64() / zlib.as_secs_f64(),
            );
        }
    }
    if !floor.is_zero() {
        println!(
            "inventory {:.2} × own inflate of all layers one after the other",
            scan.as_secs_f64() / floor.as_secs_f64()
        );
    }
}

/// Looks at every file and wants none.
struct Count(u64);

impl Visitor for Count {
    fn wants(&mut self, _entry: &Entry<'_>) -> bool {
        self.0 += 1;
        false
    }

    fn file(&mut self, _entry: &Entry<'_>, _content: &mut Content<'_>) {}
}

fn zlib_rs(blob: &[u8]) -> usize {
    let mut decoder = flate2::bufread::MultiGzDecoder::new(blob);
    let (mut buffer, mut total) = (vec![0; 128 * 1024], 0);
    loop {
        match decoder.read(&mut buffer).expect("sound gzip data") {
            0 => return total,
            read => total += read,
        }
        black_box(&buffer);
    }
}

/// The decoder alone, without checksum, for files of one member with the shortest header.
fn own_inflate(blob: &[u8]) -> usize {
    let mut at = header_length(blob);
    let mut window = vec![0; HISTORY + 192 * 1024];
    let (mut inflate, mut position, mut total) = (Inflate::default(), 0, 0);
    loop {
        if window.len() - position < 16 * 1024 + OUTPUT_SLACK {
            window.copy_within(position - HISTORY..position, 0);
            position = HISTORY;
        }
        let progress = inflate.run(&blob[at..], true, &mut window, position).expect("sound DEFLATE data");
        at += progress.used;
        position += progress.made;
        total += progress.made;
        if progress.status == Status::Done {
            return total;
        }
        black_box(&window);
    }
}

fn header_length(blob: &[u8]) -> usize {
    let name = if blob[3] & 8 == 0 { 0 } else { blob[10..].iter().position(|&byte| byte == 0).expect("a name") + 1 };
    10 + name
}

fn best<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut result = None;
    let mut least = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        result = Some(black_box(work()));
        least = least.min(start.elapsed());
    }
    (least, result.expect("at least one run"))
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map_or("unknown".into(), |text| text.trim().to_owned())
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
