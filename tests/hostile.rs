//! Images that want to break or exhaust the scanner. Everything is made here, and everything must stay bounded: first
//! the walk over a layer, then whole images, scanned by the program.

#[path = "support/layers.rs"]
mod layers;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use layers::*;
use plimsoll::image::{self, Content, Entry, ImageError, LayerError, NoProgress, Overlay, Visitor};
use plimsoll::model::{Code, Digest, Gap, GapKind, Limits, Platform, ScanDocument};
use tempfile::TempDir;

fn code(layer: Vec<u8>, limits: &Limits) -> (Option<Code>, Everything) {
    let (result, seen) = walk(layer, limits);
    (result.err().map(|error| error.diagnosis().code), seen)
}

fn names(seen: &Everything) -> Vec<&str> {
    seen.0.iter().map(|(path, _)| path.as_str()).collect()
}

#[test]
fn layers_that_are_cut_off_or_damaged() {
    let tar = Tar::default().file("a", b"first").file("b", &vec![7; 200_000]).file("c", b"last").end();
    for (what, packed) in [("gzip", gzip(&tar)), ("zstd", zstd(&tar)), ("plain", tar.clone())] {
        // Of the plain one, what comes before the last file's content.
        let end = if what == "plain" { tar.len() - 1024 - 512 } else { packed.len() };
        for cut in [packed.len() / 3, end - 800.min(end / 4), end - 5] {
            let (found, seen) = code(packed[..cut].to_vec(), &Limits::default());
            assert_eq!(found, Some(Code::CorruptLayer), "{what} cut at {cut}");
            assert!(seen.0.iter().all(|(path, _)| path != "c"), "{what} cut at {cut}");
        }
        let (found, seen) = code(packed, &Limits::default());
        assert_eq!((found, names(&seen)), (None, vec!["a", "b", "c"]), "{what}");
    }
    for (what, layer) in [
        ("a changed bit in gzip", {
            let mut bytes = gzip(&tar);
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            bytes
        }),
        ("a wrong gzip checksum", {
            let mut bytes = gzip(&tar);
            let end = bytes.len();
            bytes[end - 8] ^= 1;
            bytes
        }),
        ("text", b"this is no archive at all, but it is longer than nothing".repeat(20)),
        ("gzip without content", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
    ] {
        assert_eq!(code(layer, &Limits::default()).0, Some(Code::CorruptLayer), "{what}");
    }
}

/// `umoci insert` writes such layers, and runtimes unpack them.
#[test]
fn an_archive_may_end_without_the_last_padding() {
    let mut tar = Tar::default().file("a", b"first").file("b", b"last").0;
    tar.truncate(tar.len() - 512 + b"last".len());
    for (what, layer) in [("gzip", gzip(&tar)), ("zstd", zstd(&tar)), ("plain", tar.clone())] {
        let (found, seen) = code(layer, &Limits::default());
        assert_eq!((found, names(&seen)), (None, vec!["a", "b"]), "{what}");
    }
    let (found, _) = code(gzip(&tar[..tar.len() - 1]), &Limits::default());
    assert_eq!(found, Some(Code::CorruptLayer), "content is missing");
}

#[test]
fn blobs_that_are_not_what_was_promised() {
    let layout = Layout::of(&[gzip(&Tar::default().file("a", &vec![b'a'; 5000]).end())]);
    let image = layout.open();
    let digest: Digest = image.layers[0].digest.clone().expect("layouts have digests");
    let good = std::fs::read(layout.blob_path(&digest)).expect("a blob");
    let mut damaged = good.clone();
    damaged[20] ^= 0x10;
    for (what, bytes, expected) in [
        ("good", good.clone(), None),
        ("followed by something", [&good[..], b"x"].concat(), Some(Code::DigestMismatch)),
        ("cut off", good[..good.len() - 1].to_vec(), Some(Code::DigestMismatch)),
        ("another layer", gzip(&Tar::default().file("b", b"").end()), Some(Code::DigestMismatch)),
        ("damaged so that it cannot be unpacked", damaged, Some(Code::DigestMismatch)),
    ] {
        std::fs::write(layout.blob_path(&digest), bytes).expect("a file");
        let result = image.walk_layer(0, &mut Everything::default(), &Limits::default(), &NoProgress);
        assert_eq!(result.err().map(|error| error.diagnosis().code), expected, "{what}");
    }
    std::fs::remove_file(layout.blob_path(&digest)).expect("a file");
    let missing = image.walk_layer(0, &mut Everything::default(), &Limits::default(), &NoProgress);
    assert!(matches!(missing, Err(LayerError::Read(_))));
}

#[test]
fn documents_that_are_not_what_was_promised() {
    let layout = Layout::of(&[]);
    let open = || {
        let platform = "linux/amd64".parse().expect("a platform");
        let limits = Limits { manifest_size: 10_000, ..Limits::default() };
        image::open(&layout.source(), &platform, &limits, None)
    };
    let image = open().expect("an image without layers");
    assert!(image.layers.is_empty());
    for digest in [image.identity.manifest_digest, image.identity.config_digest].into_iter().flatten() {
        let path = layout.blob_path(&digest);
        let good = std::fs::read(&path).expect("a blob");
        std::fs::write(&path, [&good[..], b" "].concat()).expect("a file");
        assert!(matches!(open(), Err(ImageError::Mismatch(_))), "changed");
        std::fs::write(&path, [&good[..], &[b' '; 20_000]].concat()).expect("a file");
        assert!(matches!(open(), Err(ImageError::Limit { .. })), "too large");
        std::fs::write(&path, good).expect("a file");
    }
    for index in ["", "{", r#"{"schemaVersion":2,"manifests":[]}"#, &"[".repeat(9000)] {
        std::fs::write(layout.path().join("index.json"), index).expect("a file");
        let error = open().expect_err(index);
        assert!(matches!(error.diagnosis().code, Code::InvalidManifest | Code::InvalidInput), "{error}");
    }
}

#[test]
fn archives_that_break_the_rules() {
    let file = header(b'0', "a", "", "00000000001\0");
    let mut wrong_checksum = file;
    wrong_checksum[0] = b'b';
    let mut negative = file;
    negative[124..136].fill(0xff);
    checksum(&mut negative);
    let with = |block: &[u8]| Tar::default().file("ok", b"ok").raw(block).raw(b"x").pad().end();
    for (what, layer) in [
        ("wrong checksum", with(&wrong_checksum)),
        ("negative size", with(&negative)),
        ("a size that is no number", with(&header(b'0', "a", "", "1234567890x\0"))),
        ("a size beyond the end", with(&header(b'0', "a", "", "77777777777\0"))),
        ("a pax header that is none", Tar::default().file("ok", b"ok").entry(b'x', "pax", "", b"rubbish").end()),
        ("a pax size that is none", Tar::default().file("ok", b"ok").pax(&[("size", "-1")]).file("a", b"").end()),
        ("a pax path with a NUL", Tar::default().file("ok", b"ok").pax(&[("path", "a\0b")]).file("a", b"").end()),
        (
            "an absurd pax size",
            Tar::default().file("ok", b"ok").pax(&[("size", &u64::MAX.to_string())]).file("a", b"").end(),
        ),
        ("a single block of zeros", Tar::default().file("ok", b"ok").raw(&[0; 512]).file("a", b"").end()),
        ("half a block", Tar::default().file("ok", b"ok").raw(&[1; 100]).0),
        ("an endless sparse map", {
            let mut sparse = header(b'S', "s", "", "00000000000\0");
            sparse[482] = 1;
            checksum(&mut sparse);
            Tar::default().file("ok", b"ok").raw(&sparse).raw(&[1; 512 * 20]).0
        }),
    ] {
        let (found, seen) = code(layer, &Limits::default());
        assert_eq!((found, names(&seen)), (Some(Code::CorruptLayer), vec!["ok"]), "{what}");
    }
}

#[test]
fn extended_headers_cannot_hide_entries() {
    // CVE-2025-62518: a pax size with a header size of 0. The pax size counts, so `hidden` is content, not an entry.
    let inner = Tar::default().file("hidden", b"").0;
    let desynchronised = Tar::default()
        .pax(&[("size", &inner.len().to_string())])
        .raw(&header(b'0', "outer", "", "00000000000\0"))
        .raw(&inner)
        .file("after", b"x")
        .end();
    let (result, seen) = walk(desynchronised, &Limits::default());
    assert_eq!((result.is_ok(), names(&seen)), (true, vec!["outer", "after"]));
    assert_eq!(seen.0[0].1, inner);
    // CVE-2026-53655: the pax size must not be applied to the GNU long name in between.
    let long = "long/".repeat(40) + "name";
    let between = Tar::default()
        .pax(&[("size", "3")])
        .entry(b'L', "././@LongLink", "", format!("{long}\0").as_bytes())
        .raw(&header(b'0', "short", "", "00000000000\0"))
        .raw(b"abc")
        .pad()
        .file("after", b"x")
        .end();
    let (result, seen) = walk(between, &Limits::default());
    assert_eq!((result.is_ok(), names(&seen)), (true, vec![long.as_str(), "after"]));
    // A size on what has no content is no content.
    let links = Tar::default()
        .raw(&header(b'2', "link", "target", "00000001000\0"))
        .raw(&header(b'5', "dir", "", "00000001000\0"))
        .raw(&header(b'1', "hard", "after", "00000001000\0"))
        .file("after", b"x")
        .end();
    let (result, seen) = walk(links, &Limits::default());
    let tree = result.expect("a sound layer");
    assert_eq!((names(&seen), tree.hard_links.len(), tree.directories.len()), (vec!["after"], 1, 1));
    // Global headers change nothing.
    let global = Tar::default()
        .entry(b'g', "pax", "", pax_records(&[("path", "evil"), ("size", "512")]).as_bytes())
        .file("a", b"x")
        .end();
    assert_eq!(names(&walk(global, &Limits::default()).1), ["a"]);
    // What Go takes from pax: path, link target and size of the next entry only.
    let pax = Tar::default().pax(&[("path", "päth"), ("linkpath", "t")]).symlink("x", "y").file("next", b"").end();
    let (result, seen) = walk(pax, &Limits::default());
    assert_eq!(result.expect("a sound layer").symlinks, [("päth".to_owned(), "t".to_owned())]);
    assert_eq!(names(&seen), ["next"]);
}

#[test]
fn sparse_files_are_passed_over_by_their_stored_size() {
    let mut old = header(b'S', "old", "", "00000000003\0");
    old[483..495].copy_from_slice(b"40000000000\0"); // 4 GiB
    old[482] = 1;
    checksum(&mut old);
    let mut last_map = [0; 512];
    last_map[0] = b'1';
    let layer = Tar::default()
        .raw(&old)
        .raw(&last_map)
        .raw(b"abc")
        .pad()
        .pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "new"), ("GNU.sparse.realsize", "4294967296")])
        .file("GNUSparseFile.0/new", b"1\n0\n512\n")
        .file("after", b"x")
        .end();
    let (result, seen) = walk(layer, &Limits::default());
    assert_eq!(names(&seen), ["after"]);
    let noted: Vec<String> = result.expect("a sound layer").unreadable.into_iter().map(|(path, _)| path).collect();
    assert_eq!(noted, ["old", "new"]);
}

#[test]
fn bombs() {
    let started = Instant::now();
    let tar = Tar::default().raw(&header(b'0', "zeros", "", "10000000000\0")).0; // 1 GiB
    let zeros = vec![0; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    for output in [&mut gzip as &mut dyn Write, &mut zstd] {
        output.write_all(&tar).expect("writing to memory");
        for _ in 0..200 {
            output.write_all(&zeros).expect("writing to memory");
        }
    }
    for (what, bomb) in [("gzip", gzip.finish()), ("zstd", zstd.finish())] {
        let bomb = bomb.expect("writing to memory");
        let small = Limits { layer_size: 10 << 20, ..Limits::default() };
        let (found, seen) = code(bomb, &small);
        assert_eq!(found, Some(Code::LimitExceeded), "{what}: size");
        assert!(seen.0.is_empty(), "{what}");
    }
    // A frame that asks for a window of 2 GiB.
    let mut window = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    window.window_log(31).expect("a window");
    window.long_distance_matching(true).expect("a setting");
    window.write_all(&zeros).expect("writing to memory");
    assert_eq!(code(window.finish().expect("writing to memory"), &Limits::default()).0, Some(Code::CorruptLayer));
    // Bytes behind the archive's end are read, for the digest, but not without limit.
    let behind = self::gzip(&[Tar::default().file("a", b"x").end(), vec![0; 100 << 20]].concat());
    let (found, seen) = code(behind, &Limits { layer_size: 50 << 20, ..Limits::default() });
    assert_eq!((found, names(&seen)), (Some(Code::LimitExceeded), vec!["a"]));
    assert!(started.elapsed() < Duration::from_secs(60), "bombs take too long: {:?}", started.elapsed());
}

#[test]
fn endless_names_and_numbers() {
    let limits = Limits { entries_per_layer: 1000, ..Limits::default() };
    let many = (0..1001).fold(Tar::default(), |tar, i| tar.file(&format!("f{i}"), b""));
    assert_eq!(code(many.end(), &limits).0, Some(Code::LimitExceeded), "entries");
    let headers = (0..600).fold(Tar::default(), |tar, _| tar.pax(&[("path", "x")]).pax(&[("path", "y")]));
    assert_eq!(code(headers.end(), &limits).0, Some(Code::LimitExceeded), "extended headers count as entries");

    let huge = vec![b'n'; (1 << 20) + 1];
    for kind in [b'L', b'K', b'x', b'g'] {
        let layer = Tar::default().entry(kind, "long", "", &huge).file("a", b"").end();
        assert_eq!(code(layer, &limits).0, Some(Code::LimitExceeded), "extended header of more than 1 MiB");
    }

    // A path of a megabyte, one of 300 components and one that is only long before it is normalised.
    let long = "p/".repeat(500_000) + "x";
    let deep = "d/".repeat(300) + "x";
    let winding = "w/../".repeat(5000) + "x";
    let layer =
        [long, deep, winding].iter().fold(Tar::default(), |tar, path| tar.pax(&[("path", path)]).file("s", b"1"));
    let (result, seen) = walk(layer.file("after", b"x").end(), &Limits::default());
    let tree = result.expect("the rest of the layer is read");
    assert_eq!((names(&seen), tree.unreadable.len()), (vec!["after"], 3));
    assert!(tree.unreadable.iter().all(|(path, _)| path.len() <= 512));

    // 130 MB of names in 130 entries that compress to nothing.
    let target = "t".repeat(4000);
    let links = (0..17_000)
        .fold(Tar::default(), |tar, i| tar.entry(b'K', "long", "", target.as_bytes()).symlink(&format!("link{i}"), ""));
    let (result, _) = walk(gzip(&links.end()), &Limits { layer_ratio: u64::MAX, ..Limits::default() });
    assert!(matches!(result, Err(LayerError::Limit { .. })), "names are kept without limit");
}

#[test]
fn links_without_end() {
    let mut tar = Tar::default();
    for i in 0..3000 {
        tar = tar.symlink(&format!("l{i}"), &format!("l{}/x", (i + 1) % 3000));
    }
    tar = tar.symlink("self", "self/self/self").symlink("up", "../../../..");
    for i in 0..3000 {
        tar = tar.file(&format!("l{i}/file"), b"").file(&format!("self/{i}"), b"").file(&format!("up/up/{i}"), b"");
    }
    let started = Instant::now();
    let (result, _) = walk(gzip(&tar.end()), &Limits::default());
    let mut overlay = Overlay::new();
    overlay.apply(0, &result.expect("a sound layer"));
    assert_eq!(overlay.visible().count(), 9000);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn entries_of_no_use_are_passed_over() {
    let layer = Tar::default()
        .entry(b'V', "label", "", b"volume")
        .entry(b'Z', "unknown", "", &[1; 700])
        .entry(b'3', "dev/null", "", b"")
        .entry(b'0', "./", "", b"a file in place of the root")
        .entry(0, "old/", "", b"")
        .entry(0, "old/file", "", b"x")
        .entry(b'7', "contiguous", "", b"y")
        .raw(&[0; 512]); // one block of zeros and then nothing
    let (result, seen) = walk(layer.0, &Limits::default());
    assert!(result.is_ok_and(|tree| tree.directories.len() == 1 && tree.non_directories.len() == 3));
    assert_eq!(names(&seen), ["old/file", "contiguous"]);
    assert!(walk(Vec::new(), &Limits::default()).0.is_ok(), "an empty blob");
    assert!(walk(Tar::default().file("a", b"x").0, &Limits::default()).0.is_ok(), "no blocks of zeros");
}

#[test]
fn mutated_layers_never_panic() {
    let sound = Tar::default()
        .pax(&[("path", "a/b"), ("mtime", "1.5")])
        .file("x", b"content")
        .entry(b'L', "././@LongLink", "", &[b'n'; 200])
        .file("y", &[5; 900])
        .hard_link("h", "a/b")
        .symlink("s", "/a")
        .file("a/.wh.c", b"")
        .end();
    let mut state = 0x2545f4914f6cdd1du64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let layout = Layout::of(&[]);
    let limits = Limits { layer_size: 1 << 20, ..Limits::default() };
    let mut read = 0;
    for round in 0..600 {
        let mut layer = match round % 3 {
            0 => sound.clone(),
            1 => gzip(&sound),
            _ => zstd(&sound),
        };
        for _ in 0..=random(3) {
            let at = random(layer.len());
            layer[at] = random(256) as u8;
        }
        // A mutated header is refused by its checksum: put it right in half of the cases.
        if round % 6 == 0 {
            let start = 512 * random(sound.len() / 512);
            let block: &mut [u8; 512] = layer[start..start + 512].first_chunk_mut().expect("a block");
            checksum(block);
        }
        let manifest = layout.image(&[layer], "linux", "amd64");
        layout.index(&[manifest]);
        let result = layout.open().walk_layer(0, &mut Everything::default(), &limits, &NoProgress);
        read += usize::from(result.is_ok());
    }
    assert!((10..590).contains(&read), "{read} of 600 mutated layers were accepted");
}

/// What a scan by the program told of an image, and what it cost.
struct Scanned {
    gaps: Vec<Gap>,
    /// `name version`.
    packages: Vec<String>,
    /// The most memory that the process had, in MiB.
    memory: u64,
    /// Processor time of all its threads: the clock also counts what others do.
    time: Duration,
}

impl Scanned {
    /// Fails unless the part that is sound was read, and there is a gap of this kind whose subject and reason have the words.
    #[track_caller]
    fn expect(&self, what: &str, kind: GapKind, words: &[&str]) {
        assert!(self.packages.iter().any(|package| package == "sound 1"), "{what}: {} packages", self.packages.len());
        let is_it = |gap: &&Gap| {
            let text = format!("{} {}", gap.subject, gap.reason);
            gap.kind == kind && words.iter().all(|word| text.contains(word))
        };
        assert!(self.gaps.iter().any(|gap| is_it(&gap)), "{what}: no {kind:?} with {words:?} in {:#?}", self.gaps);
        self.within(what, 600);
    }

    #[track_caller]
    fn within(&self, what: &str, memory: u64) {
        assert!(self.memory <= memory, "{what}: {} MiB", self.memory);
        assert!(self.time < Duration::from_secs(60), "{what}: {:?}", self.time);
    }
}

/// The example's advisories: what matters here is that there are some.
fn database() -> &'static Path {
    static DATABASE: OnceLock<TempDir> = OnceLock::new();
    let database = DATABASE.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/advisories");
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command.args(["db", "build", "--from"]).arg(examples).arg("--to").arg(directory.path());
        let output = command.env_clear().env("HOME", directory.path()).output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        directory
    });
    database.path()
}

fn scan(source: &str) -> Scanned {
    const LONGEST: Duration = Duration::from_secs(600);
    const TICK: Duration = Duration::from_millis(10);
    let database = database();
    let directory = tempfile::tempdir().expect("a directory");
    let started = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.args(["scan", source, "--quiet", "--db"]).arg(database).arg("--out").arg(directory.path());
    command.env_clear().env("HOME", directory.path()).current_dir(directory.path());
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let folder = PathBuf::from(format!("/proc/{}", process.id()));
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let (mut memory, mut time) = (0, Duration::ZERO);
    let code = loop {
        if let Some(status) = process.try_wait().expect("a process") {
            break status.code();
        }
        let number = |line: &str| line.split_whitespace().next()?.parse::<u64>().ok();
        let peak = text("status").lines().find_map(|line| number(line.strip_prefix("VmHWM:")?));
        memory = memory.max(peak.unwrap_or(0) / 1024);
        // Behind the name in brackets the fields from the third on: the 14th and 15th are user and system time.
        let fields = text("stat").rsplit(')').next().unwrap_or_default().to_owned();
        let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        time = time.max(TICK * u32::try_from(ticks).expect("a short time"));
        if started.elapsed() > LONGEST {
            process.kill().expect("it can be ended");
            panic!("{source}: no end after {LONGEST:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // Neither a panic nor a signal.
    assert!(matches!(code, Some(0 | 2 | 3)), "{source}: {code:?}");
    let document = std::fs::read(directory.path().join("plimsoll.json")).expect("a document");
    let document: ScanDocument = serde_json::from_slice(&document).expect("the document can be read");
    let inventory = document.images.into_iter().next().and_then(|image| image.inventory).expect("an inventory");
    let packages = inventory.packages.iter().map(|package| format!("{} {}", package.name, package.version));
    Scanned { packages: packages.collect(), gaps: inventory.gaps, memory, time }
}

/// A sound layer, on which a hostile one lies.
fn sound() -> Tar {
    Tar::default()
        .file("etc/os-release", b"ID=debian\nVERSION_ID=12\n")
        .file("var/lib/dpkg/status", b"Package: sound\nStatus: install ok installed\nVersion: 1\n")
}

/// Scans an image of a sound layer and these.
fn scan_layers(hostile: Vec<Vec<u8>>) -> Scanned {
    let layers: Vec<Vec<u8>> = [vec![sound().end()], hostile].concat();
    let layout = Layout::of(&layers);
    scan(&format!("oci:{}", layout.path().display()))
}

/// Scans an image of a sound layer and one file more.
fn scan_file(path: &str, content: &[u8]) -> Scanned {
    scan_layers(vec![zstd(&Tar::default().program(path, content).end())])
}

#[test]
fn images_with_bombs_as_layers() {
    // 8 GiB of zeros behind a sound header, as many gzip members and zstd frames as it takes.
    let head = Tar::default().raw(&header(b'0', "zeros", "", "100000000000")).0;
    let zeros = vec![0; 64 << 20];
    let bomb = |pack: fn(&[u8]) -> Vec<u8>, times: usize| [pack(&head), pack(&zeros).repeat(times)].concat();
    let scanned = scan_layers(vec![bomb(zstd, 128)]);
    scanned.expect("zstd", GapKind::LimitMet, &["inflated size"]);
    scanned.within("zstd", 200);
    let scanned = scan_layers(vec![bomb(gzip, 128)]);
    scanned.expect("gzip", GapKind::LimitMet, &["divided by its compressed size", "200"]);
    scanned.within("gzip", 200);
}

/// A bomb ends soon after the first GiB that comes out of it, however much would follow.
#[test]
fn a_bomb_is_refused_within_a_bounded_amount_of_output() {
    const MOST: u64 = (1 << 30) + (1 << 26);
    let head = Tar::default().raw(&header(b'0', "node_modules/a/package.json", "", "100000000000")).0; // 8 GiB
    for (what, pack) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd)] {
        let bomb = [pack(&head), pack(&vec![0; 64 << 20]).repeat(128)].concat();
        let mut counted = Counted(0);
        let result =
            Layout::of(&[bomb]).open().walk_layer(0, &mut counted, &Limits::default(), &NoProgress).map(|_| ());
        assert!(matches!(result, Err(LayerError::Limit { .. })), "{what}: {result:?}");
        assert!(((1 << 30) - (1 << 20)..MOST).contains(&counted.0), "{what}: {} bytes came out", counted.0);
    }
}

/// Reads all there is and counts it.
struct Counted(u64);

impl Visitor for Counted {
    fn wants(&mut self, _: &Entry<'_>) -> bool {
        true
    }

    fn file(&mut self, _: &Entry<'_>, content: &mut Content<'_>) {
        let claimed = content.left();
        let _ = std::io::copy(content, &mut std::io::sink());
        self.0 += claimed - content.left();
    }
}

#[test]
fn an_image_with_ten_million_entries() {
    let frame = (0..100_000).fold(Tar::default(), |tar, number| tar.file(&format!("d/{number:09}"), b""));
    let layer = zstd::encode_all(frame.0.as_slice(), 1).expect("writing to memory").repeat(100);
    let scanned = scan_layers(vec![layer]);
    scanned.expect("entries", GapKind::LimitMet, &["number of entries", "4000000"]);
}

#[test]
fn images_with_archives_that_are_bombs() {
    let zeros = vec![0; 300 << 20];
    let manifest: &[u8] = b"Implementation-Title: a\nImplementation-Version: 1\n";
    // One member that unpacks to more than may be kept, in each kind of archive that is opened.
    let metadata = &zeros[..8 << 20];
    let inner = zip(&[("b.jar", &zeros), ("META-INF/MANIFEST.MF", manifest)], true);
    for (path, content) in [
        ("app/a.jar", inner),
        ("app/a.jar", zip(&[("META-INF/maven/g/a/pom.properties", metadata)], true)),
        ("app/.yarn/cache/a.zip", zip(&[("node_modules/a/package.json", metadata)], true)),
        ("lib/a.egg", zip(&[("EGG-INFO/PKG-INFO", metadata)], true)),
    ] {
        let scanned = scan_file(path, &content);
        scanned.expect(path, GapKind::LimitMet, &[path, "too large"]);
        scanned.within(path, 300);
    }
    // Each of five levels unpacks to 90 MB: not all of them may be in memory at once.
    let padding = vec![0; 90 << 20];
    let mut nested = zip(&[("META-INF/MANIFEST.MF", manifest)], true);
    for _ in 0..5 {
        nested = zip(&[("n.jar", &nested), ("padding", b"")], true);
        let mut padded = padding.clone();
        padded.extend(&nested);
        // What stands before an archive does not count.
        nested = padded;
    }
    let scanned = scan_file("app/deep.jar", &zip(&[("n.jar", &nested)], true));
    scanned.expect("nested", GapKind::LimitMet, &["app/deep.jar", "too large"]);
    // One packed content that a directory names 4,000 times.
    let inside = [&zeros[..2 << 20], &zip(&[("META-INF/MANIFEST.MF", manifest)], true)].concat();
    let shared = zip(&[("m.jar", &inside)], true);
    let start = shared.windows(4).rposition(|window| window == b"PK\x01\x02").expect("a directory");
    let directory = &shared[start..shared.len() - 22];
    let scanned = scan_file("app/many.jar", &zip_end(shared[..start].to_vec(), &directory.repeat(4000)));
    scanned.expect("overlapping members", GapKind::LimitMet, &["app/many.jar", "holds too much"]);
}

#[test]
fn reading_ends_when_its_time_is_over() {
    let limits = Limits { deadline: Some(Instant::now()), ..Limits::default() };
    let layout = Layout::of(&[gzip(&sound().end())]);
    let result = layout.open().walk_layer(0, &mut Everything::default(), &limits, &NoProgress);
    assert!(matches!(result, Err(LayerError::OutOfTime)), "{result:?}");
    let root = tempfile::tempdir().expect("a directory");
    std::fs::write(root.path().join("a"), "").expect("a file");
    let image = image::open(
        &format!("dir:{}", root.path().display()).parse().expect("a source"),
        &"linux/amd64".parse().expect("a platform"),
        &limits,
        None,
    );
    let result = image.expect("a directory").walk_layer(0, &mut Everything::default(), &limits, &NoProgress);
    assert!(matches!(result, Err(LayerError::OutOfTime)), "{result:?}");
}

#[test]
fn an_image_with_archives_nested_too_deep() {
    let properties = b"groupId=g\nartifactId=inner\nversion=1\n";
    let mut archive = zip(&[("META-INF/maven/g/inner/pom.properties", properties)], false);
    for _ in 0..8 {
        archive = zip(&[("n.jar", &archive)], false);
    }
    let scanned = scan_file("app/outer.jar", &archive);
    scanned.expect("nested", GapKind::LimitMet, &["app/outer.jar", "n.jar!/n.jar!/n.jar", "nested too deep"]);
    assert!(scanned.packages.iter().all(|package| !package.contains("inner")), "{:?}", scanned.packages);
    // Whoever trusts the image raises the limit.
    let limits = Limits { archive_depth: 9, ..Limits::default() };
    let layer = sound().file("app/outer.jar", &archive).end();
    let inventory = plimsoll::inventory::take(&Layout::of(&[layer]).open(), &limits, &NoProgress);
    assert!(inventory.packages.iter().any(|package| package.name == "g:inner"), "{:?}", inventory.packages);
    assert_eq!(inventory.gaps, []);
}

#[test]
fn an_image_with_documents_nested_too_deep() {
    let json = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let in_package = [br#"{"name":"a","version":"1","x":"#, &json[..], b"}"].concat();
    let xml = format!("<bom>{}</bom>", "<a>".repeat(100_000));
    for (path, content, words) in [
        ("app/vendor/composer/installed.json", &json[..], "its values are more than 128 deep"),
        ("app/node_modules/a/package.json", &in_package, "its values are more than 128 deep"),
        ("app/bom.xml", xml.as_bytes(), "its elements are more than 128 deep"),
    ] {
        scan_file(path, content).expect(path, GapKind::LimitMet, &[path, words]);
    }
    // What is allowed is read: a limit is a setting.
    let json = [&br#"{"name":"inner","version":"1","x":"#[..], &[b'['; 9], &[b']'; 9], b"}"].concat();
    let layer = sound().file("app/node_modules/inner/package.json", &json).end();
    for (document_depth, expected) in [(9, false), (10, true)] {
        let limits = Limits { document_depth, ..Limits::default() };
        let inventory =
            plimsoll::inventory::take(&Layout::of(std::slice::from_ref(&layer)).open(), &limits, &NoProgress);
        assert_eq!(inventory.packages.iter().any(|package| package.name == "inner"), expected, "{document_depth}");
        assert_eq!(inventory.gaps.is_empty(), expected, "{document_depth}: {:?}", inventory.gaps);
    }
}

/// What says nothing takes no memory, in whatever document.
#[test]
fn an_image_with_lists_of_nothing() {
    let filled = |before: &str, element: &str, after: &str| {
        let elements = element.repeat((32 << 20) / element.len());
        [before, elements.trim_end_matches(','), after].concat().into_bytes()
    };
    let field = (0..3_000_000).map(|number| format!("\"{number}\":1,")).collect::<String>();
    for (path, content, packages) in [
        ("app/bom.json", filled(r#"{"bomFormat":"CycloneDX","components":["#, "{},", "]}"), 1),
        (
            "app/a.cdx.json",
            filled(r#"{"bomFormat":"CycloneDX","components":[{"components":[{"properties":["#, "{},", "]}]}]}"),
            1,
        ),
        ("app/a.spdx.json", filled(r#"{"spdxVersion":"SPDX-2.3","packages":["#, "{},", "]}"), 1),
        ("app/vendor/composer/installed.json", filled("[", "{},", "]"), 1),
        ("app/a.deps.json", filled(r#"{"libraries":{"#, r#""":{},"#, "}}"), 1),
        ("usr/share/buildinfo/a.json", filled(r#"{"content_sets":["#, r#""","#, "]}"), 1),
        ("app/node_modules/a/package.json", format!(r#"{{{field}"name":"a","version":"1"}}"#).into_bytes(), 2),
        ("app/node_modules/b/package.json", filled(r#"{"name":"a","version":"1","license":["#, "[],", "]}"), 2),
    ] {
        let scanned = scan_file(path, &content);
        assert_eq!((scanned.packages.len(), &scanned.gaps[..]), (packages, &[][..]), "{path}");
        scanned.within(path, 200);
    }
}

#[test]
fn images_with_links_without_end() {
    let mut tar = Tar::default().symlink("lib/apk", "../lib/apk/../apk").symlink("usr/lib/os-release", "os-release");
    for number in 0..5000 {
        tar = tar.symlink(&format!("l{number}"), &format!("l{}/x", (number + 1) % 5000));
        tar = tar.file(&format!("l{number}/node_modules/a/package.json"), b"{}");
        tar = tar.hard_link(
            &format!("node_modules/h{number}/package.json"),
            &format!("node_modules/h{}/package.json", number + 1),
        );
    }
    let mut layers = vec![zstd(&tar.end())];
    // The system's own name leads in a circle.
    layers.push(Tar::default().symlink("etc/os-release", "../etc/./os-release").end());
    let scanned = scan_layers(layers);
    scanned.expect("links", GapKind::UnknownDistribution, &[]);
    scanned.within("links", 300);
}

/// A small file that says much, under very many names, and many such files.
#[test]
fn images_that_say_too_much() {
    let parts: Vec<String> = (0..50_000).map(|number| format!("{{\"purl\":\"pkg:npm/p{number}@1\"}}")).collect();
    let document = format!("{{\"bomFormat\":\"CycloneDX\",\"components\":[{}]}}", parts.join(","));
    let linked = |first: &str| {
        let mut tar = Tar::default().file(first, document.as_bytes());
        for number in 0..30 {
            tar = tar.hard_link(&format!("l/{number:03}/bom.json"), first);
        }
        zstd(&tar.end())
    };
    let mut many = Tar::default();
    for number in 0..10 {
        many = many.file(&format!("m/{number:03}/bom.json"), document.as_bytes());
    }
    let many = zstd(&many.end());
    for (what, layers, words) in [
        ("links to a document", vec![linked("a/bom.json")], ["l/", "hard links"]),
        ("links to a store", vec![linked("store/x")], ["l/", "left out"]),
        ("many documents", vec![many.clone()], ["m/", "left out"]),
        ("the same layer many times", vec![many; 4], ["sha256:", "layers say more"]),
    ] {
        scan_layers(layers).expect(what, GapKind::LimitMet, &words);
    }
    // Files of a package, two bytes of the list each; and directories of a megabyte for very many files.
    let list = "a\n".repeat(40 << 20);
    let scanned = scan_file("var/lib/dpkg/info/sound.list", list.as_bytes());
    scanned.expect("files", GapKind::LimitMet, &["sound.list", "more than 4000000 files"]);
    let installed = format!("P:p\nV:1\nF:{}\n{}\n", "d".repeat(1 << 20), "R:x\n".repeat(2_000_000));
    let scanned = scan_file("lib/apk/db/installed", installed.as_bytes());
    assert!(scanned.packages.iter().any(|package| package == "p 1"), "{:?}", scanned.packages);
    scanned.within("directories", 300);
}

#[test]
fn archives_whose_names_take_too_much() {
    let named = |length: usize, times: usize| {
        let mut tar = Tar::default();
        for number in 0..times {
            tar = tar.pax(&[("path", &format!("{}{number}", "p".repeat(length)))]).file("x", b"");
        }
        let file = tempfile::Builder::new().suffix(".tar").tempfile().expect("a file");
        std::fs::write(file.path(), zstd(&tar.end())).expect("it can be written");
        let source = format!("docker-archive:{}", file.path().display()).parse().expect("a source");
        let platform: Platform = "linux/amd64".parse().expect("a platform");
        image::open(&source, &platform, &Limits::default(), None).expect_err("no image").diagnosis()
    };
    let diagnosis = named(4_000, 17_000);
    assert_eq!(diagnosis.code, Code::LimitExceeded, "{diagnosis}");
    // Names that no part of an image has are passed over.
    let diagnosis = named(500_000, 3);
    assert_eq!(diagnosis.code, Code::SourceUnreadable, "{diagnosis}");
}

#[test]
fn images_with_files_of_four_gigabytes() {
    // In an archive: with holes, and without them but cut off.
    let mut sparse = header(b'S', "var/lib/rpm/rpmdb.sqlite", "", "00000000003\0");
    sparse[483..495].copy_from_slice(b"40000000000\0");
    sparse[100..108].copy_from_slice(b"0000755\0");
    checksum(&mut sparse);
    let scanned = scan_layers(vec![Tar::default().raw(&sparse).raw(b"abc").pad().end()]);
    scanned.expect("sparse", GapKind::UnreadableFile, &["var/lib/rpm/rpmdb.sqlite"]);
    let large = Tar::default().raw(&header(b'0', "app/a.jar", "", "40000000000\0")).raw(b"PK").0;
    let scanned = scan_layers(vec![large]);
    scanned.expect("cut off", GapKind::IncompleteLayer, &["ends"]);

    // In a folder, as the file system has them.
    let root = tempfile::tempdir().expect("a directory");
    let place = |path: &str| {
        let place = root.path().join(path);
        std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        place
    };
    std::fs::write(place("etc/os-release"), "ID=debian\nVERSION_ID=12\n").expect("a file");
    let status = "Package: sound\nStatus: install ok installed\nVersion: 1\n";
    std::fs::write(place("var/lib/dpkg/status"), status).expect("a file");
    for (path, start) in [
        ("app/a.jar", &b"PK\x03\x04"[..]),
        ("var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0"),
        ("usr/bin/app", b"\x7fELF\x02\x01\x01"),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        let mut file = std::fs::File::create(place(path)).expect("a file");
        file.write_all(start).expect("its start");
        file.set_len(4 << 30).expect("a sparse file");
        file.set_permissions(std::fs::Permissions::from_mode(0o755)).expect("a program");
    }
    let scanned = scan(&format!("dir:{}", root.path().display()));
    for path in ["app/a.jar", "var/lib/rpm/rpmdb.sqlite"] {
        scanned.expect("folder", GapKind::LimitMet, &[path, "4294967296"]);
    }
    scanned.within("folder", 300);
}

#[test]
fn an_image_with_paths_of_a_megabyte() {
    let long = "p/".repeat(500_000) + "node_modules/x/package.json";
    let deep = "d/".repeat(300) + "node_modules/x/package.json";
    let tar = Tar::default().pax(&[("path", &long)]).file("s", b"{}").pax(&[("path", &deep)]).file("s", b"{}");
    let name = Tar::default().entry(b'L', "././@LongLink", "", &[b'n'; (1 << 20) + 1]).file("a", b"");
    let scanned = scan_layers(vec![tar.end(), name.end()]);
    scanned.expect("long", GapKind::UnreadableFile, &["p/p/p/"]);
    scanned.expect("deep", GapKind::UnreadableFile, &["d/d/d/"]);
    scanned.expect("a name of more than 1 MiB", GapKind::LimitMet, &["extended header"]);
    assert!(scanned.gaps.iter().all(|gap| gap.subject.len() + gap.reason.len() < 2000), "a gap is for reading");
}

#[test]
fn images_with_malformed_databases_and_programs() {
    let rpm = "var/lib/rpm/rpmdb.sqlite";
    // SQLite: a schema whose page is its own child.
    let mut sqlite = vec![0; 2048];
    sqlite[..16].copy_from_slice(b"SQLite format 3\0");
    sqlite[16..18].copy_from_slice(&1024_u16.to_be_bytes());
    sqlite[100] = 5;
    sqlite[100 + 8..100 + 12].copy_from_slice(&1_u32.to_be_bytes());
    // NDB: a slot that points beyond the end; a header that claims 4 billion tags.
    let ndb = rpm_database(&[("a", "1", "x", &["f"])]);
    let mut pointing = ndb.clone();
    pointing[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut counting = ndb.clone();
    counting[4096 + 16..4096 + 20].copy_from_slice(&u32::MAX.to_be_bytes());
    // Berkeley DB: a page of a chain that is its own successor.
    let mut bdb = vec![0; 3 * 512];
    bdb[12..16].copy_from_slice(&0x0006_1561_u32.to_le_bytes());
    bdb[20..24].copy_from_slice(&512_u32.to_le_bytes());
    bdb[32] = 2;
    bdb[512 + 25] = 13;
    bdb[512 + 20] = 2;
    bdb[512 + 26..512 + 28].copy_from_slice(&511_u16.to_le_bytes());
    bdb[512 + 28..512 + 30].copy_from_slice(&499_u16.to_le_bytes());
    bdb[512 + 499] = 3;
    bdb[512 + 503] = 2;
    bdb[512 + 507..512 + 511].copy_from_slice(&u32::MAX.to_le_bytes());
    bdb[1024 + 16] = 2;
    bdb[1024 + 22] = 200;
    bdb[1024 + 25] = 7;
    for (what, content, words) in [
        ("a cycle in SQLite", sqlite, "a page has two parents"),
        ("a slot of NDB that points nowhere", pointing, "a slot points at no blob"),
        ("a header of NDB with 4 billion tags", counting, "headers are malformed"),
        ("a cycle in Berkeley DB", bdb, "a chain of overflow pages is broken"),
        ("no database", b"rubbish".repeat(1000), "not an rpm database"),
    ] {
        scan_file(rpm, &content).expect(what, GapKind::UnreadableFile, &[rpm, words]);
    }
    let scanned = scan_file("var/lib/rpm/Packages.db", &ndb);
    assert!(scanned.packages.iter().any(|package| package == "a 1-1"), "the sound one: {:?}", scanned.packages);

    // Programs: tables of sections beyond the end, that overlap themselves, and Go's mark everywhere. They say nothing.
    let mut elf = vec![0; 4096];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[16] = 2;
    elf[18] = 62;
    elf[52..64].copy_from_slice(&[64, 0, 56, 0, 0xff, 0xff, 64, 0, 0xff, 0xff, 0, 0]);
    let mut beyond = elf.clone();
    beyond[32..48].fill(0xff);
    let mut itself = elf.clone();
    itself[32] = 0;
    itself[40] = 0;
    let mark = b"\xff Go buildinf:\x08\x02\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f";
    let marks = [elf, mark.repeat(1_000_000)].concat();
    let cut = b"\x7fELF\x02\x01\x01".to_vec();
    let mach = [&b"\xca\xfe\xba\xbe\xff\xff\xff\xff"[..], &[0xff; 4096]].concat();
    let windows = [&b"MZ"[..], &[0xff; 4096]].concat();
    let tar =
        [("beyond", beyond), ("itself", itself), ("marks", marks), ("cut", cut), ("mach", mach), ("pe.exe", windows)]
            .iter()
            .fold(Tar::default(), |tar, (name, content)| tar.program(&format!("usr/bin/{name}"), content));
    let scanned = scan_layers(vec![zstd(&tar.end())]);
    assert_eq!(scanned.packages, ["sound 1"]);
    assert!(scanned.gaps.iter().all(|gap| gap.kind != GapKind::ExtractorFailed), "{:?}", scanned.gaps);
    scanned.within("programs", 300);
}
