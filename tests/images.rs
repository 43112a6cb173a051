//! Images from every source, through the public interface: the real ones of the test data and some made here.

#[path = "support/layers.rs"]
mod layers;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use layers::*;
use plimsoll::image::overlay::Visible;
use plimsoll::image::{self, Content, Entry, Image, ImageError, NoProgress, Overlay, Progress, Source, Visitor};
use plimsoll::model::{Code, GapKind, Limits, Platform};

fn open(source: &str) -> Image {
    try_open(source, "linux/amd64").expect(source)
}

fn try_open(source: &str, platform: &str) -> Result<Image, ImageError> {
    let platform: Platform = platform.parse().expect("a platform");
    image::open(&source.parse().expect("a source"), &platform, &Limits::default(), None)
}

/// The image's files as they are seen from the top: path → (layer, content).
fn files(image: &Image) -> BTreeMap<String, (usize, Vec<u8>)> {
    let mut overlay = Overlay::new();
    let mut contents = BTreeMap::new();
    for layer in 0..image.layers.len() {
        let mut seen = Everything::default();
        let tree = image.walk_layer(layer, &mut seen, &Limits::default(), &NoProgress).expect("a sound layer");
        overlay.apply(layer, &tree);
        contents.extend(seen.0.into_iter().map(|(path, bytes)| ((layer, path), bytes)));
    }
    overlay
        .visible()
        .map(|Visible { path, layer, at, .. }| {
            let content = contents.get(&(layer, at.to_owned())).expect("visible files were read").clone();
            (path.to_owned(), (layer, content))
        })
        .collect()
}

#[test]
fn whiteouts_of_a_real_image() {
    let Some(data) = test_data() else { return };
    let image = open(&format!("oci:{}:latest", data.join("images/edge-whiteouts/oci").display()));
    let files = files(&image);
    let lodash = files.get("app/node_modules/lodash/package.json").expect("lodash is there");
    assert_eq!(lodash.0, 2);
    assert!(String::from_utf8_lossy(&lodash.1).contains("4.17.21"));
    for gone in ["app/node_modules/minimist/package.json", "app/dir/a", "app/dirthenlink/inner", "opt/opaque/old1"] {
        assert!(!files.contains_key(gone), "{gone} is still there");
    }
    for (path, layer) in [
        ("app/keep.txt", 1),
        ("app/gone.txt", 3),
        ("app/filethendir/now", 2),
        ("opt/opaque/new", 2),
        ("lib/apk/db/installed", 4),
    ] {
        assert_eq!(files.get(path).map(|file| file.0), Some(layer), "{path}");
    }
    assert_eq!(files.get("opt/opaque/sub/old2"), None);
    assert!(files.keys().all(|path| !path.starts_with("usr/share/apk/keys/")), "a directory was whited out");
    assert_eq!(image.layers[2].created_by.as_deref(), Some("layer 2"));
}

#[test]
fn links_of_a_real_image() {
    let Some(data) = test_data() else { return };
    let files = files(&open(&format!("oci:{}", data.join("images/edge-links/oci").display())));
    let text = |path: &str| files.get(path).map(|(layer, bytes)| (*layer, String::from_utf8_lossy(bytes).into_owned()));
    assert_eq!(text("data/hl-to-earlier-layer"), text("etc/os-release"), "a hard link to a lower layer");
    let original = text("data/hl1").expect("a hard link in its layer");
    assert_eq!((original.0, original.1.len()), (1, 5));
    assert_eq!(text("data/hl2"), Some(original), "another, its target written with ./");
    assert_eq!(text("data/orig").map(|file| (file.0, file.1.len())), Some((2, 36)), "the target was replaced since");
    assert_eq!(text("data/hl-missing"), None, "a hard link to nothing");
    assert_eq!(text("outside.txt").map(|file| file.0), Some(2), "../ stops at the root");
    assert_eq!(text("abs-member.txt").map(|file| file.0), Some(2));
    assert_eq!(text("data2.txt").map(|file| file.0), Some(2));
    assert_eq!(text("data/through-symlink.txt").map(|file| file.0), Some(2), "written through opt -> /data");
    assert!(files.keys().all(|path| !path.contains("..") && !path.starts_with('/')));
}

#[test]
fn all_real_images_can_be_read() {
    let Some(data) = test_data() else { return };
    let mut images = 0;
    for directory in std::fs::read_dir(data.join("images")).expect("a directory").flatten() {
        let layout = directory.path().join("oci");
        if !layout.is_dir() {
            continue;
        }
        let image = open(&format!("oci:{}", layout.display()));
        for index in 0..image.layers.len() {
            let mut nothing = Nothing;
            let counted = Counted::default();
            let tree = image.walk_layer(index, &mut nothing, &Limits::default(), &counted).expect("a sound layer");
            assert_eq!(tree.files, Vec::<String>::new());
            assert!(tree.unreadable.is_empty());
            assert_eq!(counted.0.load(Ordering::Relaxed), image.layers[index].size, "all bytes are told of");
        }
        assert!(image.identity.platform.is_some() && image.identity.config_digest.is_some());
        images += 1;
    }
    assert!(images > 10);
}

struct Nothing;

impl Visitor for Nothing {
    fn wants(&mut self, _entry: &Entry<'_>) -> bool {
        false
    }

    fn file(&mut self, entry: &Entry<'_>, _content: &mut Content<'_>) {
        panic!("nobody asked for {}", entry.path);
    }
}

#[derive(Default)]
struct Counted(AtomicU64);

impl Progress for Counted {
    fn read(&self, _layer: usize, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[test]
fn docker_schema_2_in_a_directory_of_skopeo() {
    let Some(data) = test_data() else { return };
    let image = open(&format!("dir:{}", data.join("images/docker-v2s2-alpine-3.17/dir").display()));
    assert_eq!(image.layers.len(), 1);
    assert!(image.identity.manifest_digest.is_some());
    assert!(files(&image).contains_key("lib/apk/db/installed"));
}

fn two_layers() -> Vec<Vec<u8>> {
    let base = Tar::default().directory("etc/").file("etc/os-release", b"ID=x\n").file("a", &[b'a'; 300_000]).end();
    let top = Tar::default().file("etc/.wh.os-release", b"").file("b", b"two").end();
    vec![base, top]
}

fn assert_two_layers(image: &Image) {
    let files = files(image);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(files["a"].1.len(), 300_000);
    assert_eq!(files["b"], (1, b"two".to_vec()));
}

#[test]
fn layers_are_told_by_their_content() {
    let [base, top] = two_layers().try_into().expect("two layers");
    for layers in [
        vec![base.clone(), top.clone()],
        vec![gzip(&base), zstd(&top)],
        vec![zstd(&base), gzip(&top)],
        vec![[gzip(&base[..9000]), gzip(&base[9000..])].concat(), [zstd(&top[..512]), zstd(&top[512..])].concat()],
    ] {
        assert_two_layers(&Layout::of(&layers).open());
    }
}

/// The layout's files in one tar archive.
fn archived(layout: &Path) -> Vec<u8> {
    let mut tar = Tar::default().directory("blobs/").directory("blobs/sha256/");
    for name in ["oci-layout", "index.json"] {
        tar = tar.file(name, &std::fs::read(layout.join(name)).expect("a file"));
    }
    for blob in std::fs::read_dir(layout.join("blobs/sha256")).expect("a directory").flatten() {
        let name = format!("./blobs/sha256/{}", blob.file_name().to_string_lossy());
        tar = tar.file(&name, &std::fs::read(blob.path()).expect("a file"));
    }
    tar.end()
}

#[test]
fn oci_archives_of_any_compression() {
    let layout = Layout::of(&two_layers().iter().map(|layer| gzip(layer)).collect::<Vec<_>>());
    let archive = archived(layout.path());
    let path = layout.path().join("archive");
    for bytes in [archive.clone(), gzip(&archive), zstd(&archive)] {
        std::fs::write(&path, bytes).expect("a file");
        for prefix in ["oci-archive:", "archive://"] {
            assert_two_layers(&open(&format!("{prefix}{}", path.display())));
        }
        let error = try_open(&format!("docker-archive:{}", path.display()), "linux/amd64").expect_err("not Docker's");
        assert_eq!(error.diagnosis().code, Code::SourceUnreadable);
    }
}

/// What `docker save` wrote for many years, with the second layer a link to another directory, and a compressed layer as
/// other tools write it.
fn docker_archive(layers: &[Vec<u8>], plain: bool) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("\"{}\"", digest(layer))).collect();
    let config = format!(r#"{{"os":"linux","architecture":"amd64","rootfs":{{"diff_ids":[{}]}}}}"#, diff_ids.join(","));
    let name = format!("{}.json", digest(config.as_bytes()).hex());
    let stored = |layer: &[u8]| if plain { layer.to_vec() } else { gzip(layer) };
    Tar::default()
        .file(&name, config.as_bytes())
        .directory("one/")
        .file("one/layer.tar", &stored(&layers[0]))
        .file("shared/layer.tar", &stored(&layers[1]))
        .symlink("two/layer.tar", "../shared/layer.tar")
        .file(
            "manifest.json",
            format!(r#"[{{"Config":"{name}","RepoTags":["r:1"],"Layers":["one/layer.tar","two/layer.tar"]}}]"#)
                .as_bytes(),
        )
        .end()
}

#[test]
fn docker_archives() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("image.tar");
    for plain in [true, false] {
        let archive = docker_archive(&two_layers(), plain);
        for bytes in [archive.clone(), gzip(&archive)] {
            std::fs::write(&path, bytes).expect("a file");
            for prefix in ["docker-archive:", "archive://"] {
                let image = open(&format!("{prefix}{}", path.display()));
                assert_two_layers(&image);
                assert_eq!(image.references, ["r:1"]);
                assert_eq!(image.layers[0].digest.is_some(), plain, "only what is verified has a digest");
            }
        }
    }
    // A layer that is not the one of the configuration.
    let mut other = docker_archive(&two_layers(), true);
    let at = other.windows(3).position(|window| window == b"two").expect("the content of b");
    other[at] = b'T';
    std::fs::write(&path, &other).expect("a file");
    let image = open(&format!("docker-archive:{}", path.display()));
    let error = image.walk_layer(1, &mut Everything::default(), &Limits::default(), &NoProgress);
    assert_eq!(error.expect_err("a changed layer").diagnosis().code, Code::DigestMismatch);
}

#[test]
fn images_are_chosen_by_name_and_platform() {
    let layout = Layout::new();
    let layer = |name: &str| vec![Tar::default().file(name, b"x").end()];
    let amd64 = layout.image(&layer("amd64"), "linux", "amd64");
    let arm64 = layout.image(&layer("arm64"), "linux", "arm64");
    let platform = |os: &str, arch: &str| format!(r#","platform":{{"os":"{os}","architecture":"{arch}"}}"#);
    let named = |name: &str| format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#);
    let source = format!("oci:{}", layout.path().display());
    let only_file = |image: &Image| files(image).into_keys().collect::<Vec<_>>().join(" ");

    layout.index(&[amd64.clone() + &named("one"), arm64.clone() + &named("example.org/x:two")]);
    assert_eq!(only_file(&open(&format!("{source}:one"))), "amd64");
    assert_eq!(only_file(&open(&format!("{source}:two"))), "arm64");
    for (source, text) in [(source.clone(), "several images"), (format!("{source}:three"), "no image named `three`")] {
        let error = try_open(&source, "linux/amd64").expect_err(text);
        assert!(error.to_string().contains(text) && error.to_string().contains("one, "), "{error}");
    }

    let index = layout.blob(
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{{amd64}{}}},{{{amd64}{}}},{{{arm64}{}}}]}}"#,
            platform("unknown", "unknown"),
            platform("linux", "amd64"),
            platform("linux", "arm64")
        )
        .as_bytes(),
    );
    layout.index(&[index]);
    assert_eq!(only_file(&try_open(&source, "linux/arm64").expect("there is one")), "arm64");
    let error = try_open(&source, "linux/s390x").expect_err("there is none");
    assert_eq!(error.diagnosis().code, Code::PlatformMissing);
    assert!(error.to_string().contains("linux/amd64, linux/arm64") && !error.to_string().contains("unknown"));

    layout.index(&[amd64 + &platform("linux", "amd64"), arm64 + &platform("linux", "arm64")]);
    assert_eq!(only_file(&open(&source)), "amd64");
}

#[test]
fn layers_in_unknown_forms_are_gaps() {
    let layout = Layout::new();
    let tar = Tar::default().file("a", b"x").end();
    let config = layout.blob(format!(r#"{{"rootfs":{{"diff_ids":["{0}","{0}","{0}"]}}}}"#, digest(&tar)).as_bytes());
    let plain = layout.blob(&tar);
    let xz = layout.blob(b"\xfd7zXZ\0 and so on");
    let manifest = layout.blob(
        format!(
            r#"{{"schemaVersion":2,"config":{{{config}}},"layers":[
            {{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",{plain}}},
            {{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",{xz}}},
            {{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",{plain}}}]}}"#
        )
        .as_bytes(),
    );
    layout.index(&[manifest]);
    let image = layout.open();
    let kinds = [0, 1, 2].map(|layer| {
        let result = image.walk_layer(layer, &mut Everything::default(), &Limits::default(), &NoProgress);
        result.err().map(|error| error.gap_kind())
    });
    assert_eq!(kinds, [Some(GapKind::UnsupportedLayer), Some(GapKind::UnsupportedLayer), None]);
}

#[test]
fn a_directory_is_an_image_of_one_layer() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().join("root");
    std::fs::create_dir_all(root.join("usr/lib")).expect("a directory");
    std::fs::create_dir_all(root.join("etc")).expect("a directory");
    std::fs::write(root.join("usr/lib/os-release"), "ID=x\n").expect("a file");
    std::fs::write(directory.path().join("secret"), "outside").expect("a file");
    std::os::unix::fs::symlink("../usr/lib/os-release", root.join("etc/os-release")).expect("a link");
    std::os::unix::fs::symlink(directory.path(), root.join("outside")).expect("a link");
    std::os::unix::fs::symlink("..", root.join("usr/up")).expect("a link");
    let socket = std::os::unix::net::UnixListener::bind(root.join("socket")).expect("a socket");

    let image = open(&format!("dir:{}", root.display()));
    let mut seen = Everything::default();
    let tree = image.walk_layer(0, &mut seen, &Limits::default(), &NoProgress).expect("a directory");
    drop(socket);
    assert_eq!(seen.0, [("usr/lib/os-release".to_owned(), b"ID=x\n".to_vec())]);
    assert_eq!(tree.symlinks.len(), 3);
    let mut overlay = Overlay::new();
    overlay.apply(0, &tree);
    assert_eq!(overlay.resolve("etc/os-release"), "usr/lib/os-release");

    let few = Limits { entries_per_layer: 3, ..Limits::default() };
    let error = image.walk_layer(0, &mut Everything::default(), &few, &NoProgress).expect_err("more than three");
    assert_eq!(error.diagnosis().code, Code::LimitExceeded);
    assert!(try_open(&format!("dir:{}/no", root.display()), "linux/amd64").is_err());
}

#[test]
fn sources_that_cannot_be_opened_are_diagnosed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path().display().to_string();
    std::fs::write(directory.path().join("text"), "this is no archive").expect("a file");
    std::fs::write(directory.path().join("empty"), "").expect("a file");
    for (source, code) in [
        (format!("oci:{place}/no"), Code::SourceUnreadable),
        (format!("oci:{place}"), Code::SourceUnreadable),
        (format!("oci-archive:{place}/no"), Code::SourceUnreadable),
        (format!("oci-archive:{place}/text"), Code::SourceUnreadable),
        (format!("docker-archive:{place}/empty"), Code::SourceUnreadable),
        (format!("archive://{place}"), Code::SourceUnreadable),
        ("registry.example/a:1".to_owned(), Code::SourceUnreadable),
    ] {
        let error = try_open(&source, "linux/amd64").expect_err(&source);
        assert_eq!(error.diagnosis().code, code, "{source}: {error}");
    }
    assert!(matches!("oci:x".parse(), Ok(Source::OciLayout { .. })));
}

#[test]
fn a_visitor_reads_as_much_as_it_likes() {
    struct Bits(Vec<String>);
    impl Visitor for Bits {
        fn wants(&mut self, entry: &Entry<'_>) -> bool {
            entry.path != "skipped"
        }
        fn file(&mut self, entry: &Entry<'_>, content: &mut Content<'_>) {
            let mut start = [0; 3];
            let read = content.read(&mut start).expect("a sound layer");
            self.0.push(format!("{}={}", entry.path, String::from_utf8_lossy(&start[..read])));
        }
    }
    let big = vec![b'y'; 700_000];
    let layer =
        Tar::default().file("a", b"").file("b", b"bytes").file("skipped", &big).file("c", &big).file("d", b"dd");
    let mut bits = Bits(Vec::new());
    let image = Layout::of(&[gzip(&layer.end())]);
    image.open().walk_layer(0, &mut bits, &Limits::default(), &NoProgress).expect("a sound layer");
    assert_eq!(bits.0, ["a=", "b=byt", "c=yyy", "d=dd"]);
}
