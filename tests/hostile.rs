//! Images that want to break or exhaust the scanner. Everything is made here, and everything must stay bounded.

#[path = "support/layers.rs"]
mod layers;

use std::io::Write;
use std::time::{Duration, Instant};

use layers::*;
use plimsoll::image::{ImageError, LayerError, NoProgress, Overlay};
use plimsoll::model::{Code, Digest, Limits};

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
        plimsoll::image::open(&layout.source(), &platform, &limits, None)
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
    let strict = Limits { layer_ratio: 200, ..Limits::default() };
    for (what, bomb) in [("gzip", gzip.finish()), ("zstd", zstd.finish())] {
        let bomb = bomb.expect("writing to memory");
        let (found, seen) = code(bomb.clone(), &strict);
        assert_eq!(found, Some(Code::LimitExceeded), "{what}: ratio");
        assert!(seen.0.is_empty(), "{what}");
        let small = Limits { layer_size: 10 << 20, ..Limits::default() };
        assert_eq!(code(bomb, &small).0, Some(Code::LimitExceeded), "{what}: size");
    }
    // A frame that asks for a window of 2 GiB.
    let mut window = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    window.window_log(31).expect("a window");
    window.long_distance_matching(true).expect("a setting");
    window.write_all(&zeros).expect("writing to memory");
    assert_eq!(code(window.finish().expect("writing to memory"), &Limits::default()).0, Some(Code::CorruptLayer));
    // Bytes behind the archive's end are read, for the digest, but not without limit.
    let behind = self::gzip(&[Tar::default().file("a", b"x").end(), vec![0; 100 << 20]].concat());
    let (found, seen) = code(behind, &strict);
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
