//! What a scan by the program costs for images of every size and shape, which are made here, beside the floor of the same
//! run: `igzip -dc` (ISA-L; else `zcat`) of the same layers, two at a time. Best of several runs: read the ratios, not the
//! times.
//!
//! `cargo bench --bench images [-- PART… scale=N plot=FILE]`; the parts, by default the first three:
//! * `growth`: from 10 MB to 2 GB compressed, and from 100 to 200,000 files; `plot=FILE` draws it as SVG;
//! * `applications`: of Node (131 MB, 45,687 files) and of Java (404 MB, 322 archives);
//! * `registry`: the Node application from a registry with TLS on loopback (needs `docker-registry`, `skopeo` and
//!   `openssl`): cold, warm with `--cache-dir`, and with one small new layer;
//! * `large=LAYOUT`: an OCI layout, such as `benches/large-image` makes.
//!
//! `scale=N` divides all sizes by N. `keep=DIR` leaves the layouts of the applications there, for other scanners.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use layers::{Tar, header};
use serde_json::{Value, json};
use support::Bench;
use support::layout::Layout;
use tempfile::TempDir;

#[path = "../tests/support/layers.rs"]
mod layers;
#[path = "../tests/support/mod.rs"]
mod support;

const RUNS: usize = 5;
/// Text that a chunk of a large file has, a multiple of a tar archive's block.
const CHUNK: usize = 16 << 20;
/// Layers of large images have this size, compressed.
const LAYER: usize = 220 << 20;
const MEGABYTE: usize = 1_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let value = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
    let scale: usize = value("scale").map_or(1, |scale| scale.parse().expect("scale=NUMBER"));
    let has_parts = ["growth", "applications", "registry"].iter().any(|part| arguments.iter().any(|a| a == part));
    let is_wanted =
        |part: &str| arguments.iter().any(|argument| argument == part) || !has_parts && value("large").is_none();
    let database = database();
    let program = Program { database: database.path().to_owned() };
    println!("| image | scan | floor | ratio | peak memory |\n|---|---|---|---|---|");
    if is_wanted("growth") {
        growth(&program, scale, value("plot").map(Path::new));
    }
    let node = (is_wanted("applications") || is_wanted("registry")).then(|| node(scale));
    if let Some(node) = node.as_ref().filter(|_| is_wanted("applications")) {
        program.row(&format!("Node, {}", node.size()), &node.local());
        let java = java(scale);
        program.row(&format!("Java, {}", java.size()), &java.local());
        if let Some(folder) = value("keep").map(Path::new) {
            write_layout(&folder.join("node"), &node.layers);
            write_layout(&folder.join("java"), &java.layers);
        }
    }
    if let Some(node) = node.as_ref().filter(|_| is_wanted("registry")) {
        registry(&program, node, scale);
    }
    if let Some(layout) = value("large") {
        program.row(layout, &Local { layout: layout.into() });
    }
}

/// The program, which is measured from its start to its end.
struct Program {
    database: PathBuf,
}

/// One measurement.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    /// MiB.
    memory: u64,
}

/// An image as an OCI layout on this machine.
struct Local {
    layout: PathBuf,
}

impl Program {
    fn scan(&self, source: &str, more: &[&str], variables: &[(String, String)]) -> Cost {
        let output = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(["scan", source, "--quiet", "--db"])
            .arg(&self.database)
            .arg("--out")
            .arg(output.path())
            .args(more);
        command.env_clear().env("HOME", output.path()).env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
        command.envs(variables.iter().cloned()).current_dir(output.path());
        let started = Instant::now();
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (status, is_over) = (format!("/proc/{}/status", process.id()), AtomicBool::new(false));
        let (code, wall, memory) = thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut memory = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let text = fs::read_to_string(&status).unwrap_or_default();
                    let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
                    memory = memory.max(peak.and_then(|peak| peak.parse::<u64>().ok()).unwrap_or(0) / 1024);
                    thread::sleep(Duration::from_millis(2));
                }
                memory
            });
            let code = process.wait().expect("an end").code();
            let wall = started.elapsed();
            is_over.store(true, Ordering::Relaxed);
            (code, wall, watch.join().expect("a number"))
        });
        let mut said = String::new();
        std::io::Read::read_to_string(&mut process.stderr.take().expect("a pipe"), &mut said).expect("its words");
        assert_eq!(code, Some(0), "{source}: {said}");
        Cost { wall, memory }
    }

    fn best(&self, source: &str, more: &[&str], variables: &[(String, String)]) -> Cost {
        let costs = (0..RUNS).map(|_| self.scan(source, more, variables));
        costs.min_by_key(|cost| cost.wall).expect("some runs")
    }

    /// Measures an image and its floor, and prints both.
    fn row(&self, what: &str, image: &Local) -> (Cost, Duration) {
        let (cost, floor) = (self.best(&image.source(), &[], &[]), image.floor());
        print(what, cost, floor);
        (cost, floor)
    }
}

fn print(what: &str, cost: Cost, floor: Duration) {
    let ratio = cost.wall.as_secs_f64() / floor.as_secs_f64();
    println!("| {what} | {} | {} | {ratio:.2} | {} MiB |", text_of(cost.wall), text_of(floor), cost.memory);
}

fn text_of(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Advisories from the examples: what is measured is the way to the packages.
fn database() -> TempDir {
    let directory = tempfile::tempdir().expect("a folder");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/advisories");
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    support::run(command.args(["db", "build", "--from"]).arg(examples).arg("--to").arg(directory.path()));
    directory
}

impl Local {
    fn source(&self) -> String {
        format!("oci:{}", self.layout.display())
    }

    /// Inflating the layers and doing nothing else, two at a time.
    fn floor(&self) -> Duration {
        floor(&self.blobs())
    }

    /// The files of the layers.
    fn blobs(&self) -> Vec<PathBuf> {
        let blobs = fs::read_dir(self.layout.join("blobs/sha256")).expect("a layout").flatten();
        let is_gzip = |path: &PathBuf| {
            let mut start = [0; 2];
            fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start)).is_ok()
                && start == [0x1f, 0x8b]
        };
        blobs.map(|entry| entry.path()).filter(is_gzip).collect()
    }
}

fn floor(blobs: &[PathBuf]) -> Duration {
    let tool = if support::has_program("igzip") { "igzip" } else { "zcat" };
    let script = format!(r#"printf '%s\0' "$@" | xargs -0 -P 2 -n 1 sh -c '{tool} -dc <"$0" >/dev/null'"#);
    let time = || {
        let started = Instant::now();
        support::run(Command::new("sh").arg("-c").arg(&script).arg("sh").args(blobs));
        started.elapsed()
    };
    (0..RUNS).map(|_| time()).min().expect("some runs")
}

/// An image that was made here.
struct Made {
    folder: TempDir,
    layers: Vec<Vec<u8>>,
    files: usize,
}

impl Made {
    /// Writes an image of gzip layers.
    fn of(layers: Vec<Vec<u8>>, files: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write_layout(folder.path(), &layers);
        Self { folder, layers, files }
    }

    fn local(&self) -> Local {
        Local { layout: self.folder.path().to_owned() }
    }

    fn bytes(&self) -> usize {
        self.layers.iter().map(Vec::len).sum()
    }

    fn size(&self) -> String {
        format!("{} MB, {} files", self.bytes() / MEGABYTE, self.files)
    }
}

fn write_layout(folder: &Path, layers: &[Vec<u8>]) {
    let layout = Layout::new(folder);
    // Nobody checks these against the layers: unpacking them here would take longer than all that is measured.
    let diff_ids: Vec<String> = layers.iter().map(|layer| layers::digest(layer).to_string()).collect();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    let blobs: Vec<Value> =
        layers.iter().map(|layer| layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", layer)).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layout.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()),
        "layers": blobs,
    });
    let manifest = layout.blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
    layout.finish(manifest);
}

/// Text that packs as programs do, about three to one, always the same.
fn text(length: usize) -> Vec<u8> {
    const WORDS: [&str; 24] = [
        "function",
        "return",
        "const",
        "module.exports",
        "require",
        "string",
        "prototype",
        "undefined",
        "=>",
        "(",
        ");\n",
        "{\n",
        "}\n",
        " = ",
        "index",
        "value",
        "options",
        "callback",
        "this.",
        "error",
        "null",
        "length",
        "\t",
        "while",
    ];
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut text = Vec::with_capacity(length + 32);
    while text.len() < length {
        let next = random.next();
        let word = WORDS[(next % 24) as usize];
        text.extend_from_slice(word.as_bytes());
        // Names and numbers, which do not repeat.
        if next & 0x300 == 0 {
            text.extend_from_slice(format!("{:x}", next >> 36).as_bytes());
        }
    }
    text.truncate(length);
    text
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// An operating system with a hundred packages.
fn base() -> Tar {
    let package = |number: usize| format!("Package: p{number}\nStatus: install ok installed\nVersion: 1.{number}\n\n");
    let status: String = (0..100).map(package).collect();
    Tar::default().file("etc/os-release", b"ID=debian\nVERSION_ID=12\n").file("var/lib/dpkg/status", status.as_bytes())
}

/// An image of this many bytes, compressed: a thousand small files and a large one in each layer.
fn of_bytes(bytes: usize) -> Made {
    let chunk = text(CHUNK);
    let packed = gzip(&chunk);
    let many = (bytes / LAYER).max(1);
    let layers = (0..many).map(|number| {
        let small = (0..1000).fold(if number == 0 { base() } else { Tar::default() }, |tar, file| {
            tar.file(&format!("srv/{number}/{file}"), &chunk[file * 100..file * 101])
        });
        let times = (bytes / many / packed.len()).max(1);
        let large = header(b'0', &format!("srv/{number}/large"), "", &format!("{:011o}\0", CHUNK * times));
        // gzip members one after the other are one stream: the same chunk again and again.
        [gzip(&small.raw(&large).0), packed.repeat(times), gzip(&[0; 1024])].concat()
    });
    let layers: Vec<_> = layers.collect();
    Made::of(layers, many * 1001)
}

/// An image of this many files and always the same bytes, one file in forty a package of npm.
fn of_files(files: usize, bytes: usize) -> Made {
    let content = text(bytes.max(1 << 20));
    let length = bytes / files;
    let tar = (0..files).fold(base(), |tar, number| {
        let package = number / 40;
        if number % 40 == 0 {
            return tar.file(&format!("app/node_modules/p{package}/package.json"), &package_json(package));
        }
        let at = number * length % (content.len() - length);
        tar.file(&format!("app/node_modules/p{package}/lib/f{number}.js"), &content[at..at + length])
    });
    Made::of(vec![gzip(&tar.end())], files)
}

fn package_json(number: usize) -> Vec<u8> {
    format!(r#"{{"name":"p{number}","version":"1.{number}.0","license":"MIT","main":"index.js"}}"#).into_bytes()
}

fn node(scale: usize) -> Made {
    of_files(45_687 / scale, 430 * MEGABYTE / scale)
}

/// Archives with what is packed already.
fn java(scale: usize) -> Made {
    let archives = (322 / scale).max(1);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let tar = (0..archives).fold(base(), |tar, number| {
        let packed: Vec<u8> = (0..157_000).flat_map(|_| random.next().to_le_bytes()).collect();
        let properties = format!("groupId=org.example\nartifactId=a{number}\nversion=1.{number}\n");
        let members = [("META-INF/maven/org.example/a/pom.properties", properties.as_bytes()), ("a.bin", &packed)];
        tar.file(&format!("app/lib/a{number}.jar"), &layers::zip(&members, true))
    });
    Made::of(vec![gzip(&tar.end())], archives + 2)
}

/// A point of a plot: how much, how long, and how long the floor took, in seconds.
type Point = (f64, f64, f64);

fn growth(program: &Program, scale: usize, plot: Option<&Path>) {
    let point = |image: &Made, amount: f64| -> Point {
        let (cost, floor) = program.row(&image.size(), &image.local());
        (amount, cost.wall.as_secs_f64(), floor.as_secs_f64())
    };
    let sizes = [10, 30, 100, 300, 1000, 2000].map(|size| size * MEGABYTE / scale);
    let by_bytes: Vec<Point> = sizes
        .iter()
        .map(|&size| {
            let image = of_bytes(size);
            point(&image, image.bytes() as f64 / MEGABYTE as f64)
        })
        .collect();
    let by_files: Vec<Point> = [100, 1000, 10_000, 50_000, 200_000]
        .iter()
        .map(|files| (files / scale).max(10))
        .map(|files| point(&of_files(files, 100 * MEGABYTE / scale), files as f64))
        .collect();
    if let Some(path) = plot {
        let mut svg = String::from(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"320\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"760\" height=\"320\" fill=\"white\"/>\n",
        );
        panel(&mut svg, 60.0, "MB of the image, compressed", &by_bytes);
        panel(&mut svg, 430.0, "files, always the same bytes", &by_files);
        svg.push_str("</svg>\n");
        fs::write(path, svg).expect("the plot can be written");
    }
}

/// One diagram, both axes by powers of ten: the scan as a line, the floor as a broken one.
fn panel(svg: &mut String, left: f64, title: &str, points: &[Point]) {
    const WIDTH: f64 = 300.0;
    const HEIGHT: f64 = 220.0;
    const TOP: f64 = 40.0;
    let bounds = |values: &[f64]| {
        let least = values.iter().copied().fold(f64::MAX, f64::min).log10().floor();
        let most = values.iter().copied().fold(0.0, f64::max).log10().ceil();
        (least, if most > least { most } else { least + 1.0 })
    };
    let amounts: Vec<f64> = points.iter().map(|point| point.0).collect();
    let times: Vec<f64> = points.iter().flat_map(|point| [point.1, point.2]).collect();
    let ((x0, x1), (y0, y1)) = (bounds(&amounts), bounds(&times));
    let x = |value: f64| left + (value.log10() - x0) / (x1 - x0) * WIDTH;
    let y = |value: f64| TOP + HEIGHT - (value.log10() - y0) / (y1 - y0) * HEIGHT;
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"24\">seconds by {title}</text>");
    for power in x0 as i32..=x1 as i32 {
        let at = x(10_f64.powi(power));
        let (bottom, label) = (TOP + HEIGHT, TOP + HEIGHT + 18.0);
        let _ = writeln!(svg, "<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#ddd\"/>");
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{label}\" text-anchor=\"middle\">{}</text>", 10_f64.powi(power));
    }
    for power in y0 as i32..=y1 as i32 {
        let at = y(10_f64.powi(power));
        let _ = writeln!(svg, "<path d=\"M{left} {at:.1}H{}\" stroke=\"#ddd\"/>", left + WIDTH);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            at + 4.0,
            10_f64.powi(power)
        );
    }
    for (name, style, value) in [
        ("scan", "stroke=\"#0a5\" stroke-width=\"2\"", (|point| point.1) as fn(&Point) -> f64),
        ("floor", "stroke=\"#666\" stroke-dasharray=\"5 4\"", |point| point.2),
    ] {
        let line: Vec<String> =
            points.iter().map(|point| format!("{:.1} {:.1}", x(point.0), y(value(point)))).collect();
        let _ = writeln!(svg, "<path d=\"M{}\" fill=\"none\" {style}><title>{name}</title></path>", line.join("L"));
    }
    let bottom = TOP + HEIGHT + 40.0;
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"{bottom}\">line: scan; broken: inflating alone</text>");
}

/// The same image over the network, and what a cache spares.
fn registry(program: &Program, image: &Made, scale: usize) {
    let Some(bench) = Bench::start() else { return };
    let tag = "latest";
    bench.push(&format!("{}:{tag}", image.local().source()), "node:1");
    // A layer more: 1 MB of text and a package.
    let small = Tar::default()
        .file("srv/node_modules/new/package.json", &package_json(7))
        .file("srv/new", &text(3 * MEGABYTE / scale));
    let small = gzip(&small.end());
    let rebuilt = Made::of([image.layers.clone(), vec![small.clone()]].concat(), image.files + 2);
    bench.push(&format!("{}:{tag}", rebuilt.local().source()), "node:2");
    let variables = bench.job(&bench.host());
    let name = |tag: usize| format!("{}/grp/proj/node:{tag}", bench.host());

    let local = program.best(&image.local().source(), &[], &[]);
    print(
        &format!("registry, cold, {} (floor: the layout)", image.size()),
        program.best(&name(1), &[], &variables),
        local.wall,
    );

    let cache = tempfile::tempdir().expect("a folder");
    let cached = |folder: &Path| ["--cache-dir".to_owned(), folder.display().to_string()];
    let with = |folder: &Path, tag: usize| {
        let more = cached(folder);
        program.scan(&name(tag), &[more[0].as_str(), more[1].as_str()], &variables)
    };
    with(cache.path(), 1);
    let layout = tempfile::tempdir().expect("a folder");
    write_layout(layout.path(), &[small]);
    let floor = Local { layout: layout.path().to_owned() }.floor();
    let warm = (0..2 * RUNS).map(|_| with(cache.path(), 1)).min_by_key(|cost| cost.wall).expect("some runs");
    println!("| registry, warm | {} | – | – | {} MiB |", text_of(warm.wall), warm.memory);
    let rebuilt = (0..RUNS).map(|_| {
        // As it was before the new layer was known.
        let copy = tempfile::tempdir().expect("a folder");
        support::run(Command::new("cp").arg("-r").arg(format!("{}/.", cache.path().display())).arg(copy.path()));
        with(copy.path(), 2)
    });
    let rebuilt = rebuilt.min_by_key(|cost| cost.wall).expect("some runs");
    print("registry, one small new layer (floor: inflating it)", rebuilt, floor);
}
