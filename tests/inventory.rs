//! Inventories of whole images: the real ones of the test data against what an independent reader found, and images
//! made here that are broken or odd.

#[path = "support/layers.rs"]
mod layers;

use std::collections::BTreeSet;
use std::path::Path;

use layers::*;
use plimsoll::image::{self, Image, NoProgress};
use plimsoll::inventory::{self, LayerCache};
use plimsoll::model::{GapKind, Inventory, Limits, Package, PackageKind, Platform};
use serde_json::Value;

fn take(image: &Image) -> Inventory {
    inventory::take(image, &Limits::default(), &NoProgress)
}

fn open(source: &str, platform: &str) -> Image {
    let platform: Platform = platform.parse().expect("a platform");
    image::open(&source.parse().expect("a source"), &platform, &Limits::default(), None).expect(source)
}

/// The image of a folder of the test data, as an OCI layout or in `dir:` form.
fn open_data(folder: &Path, architecture: &str) -> Image {
    let layout = folder.join("oci");
    let source = if layout.exists() {
        format!("oci:{}:latest", layout.display())
    } else {
        format!("dir:{}", folder.join("dir").display())
    };
    open(&source, &format!("linux/{architecture}"))
}

/// The rows of a list in `inventory.json`, as far as both say the same thing. The independent reader writes rpm's epoch
/// 0 and lists imported keys as packages.
fn expected_rows(document: &Value, list: &str) -> BTreeSet<String> {
    let rows = document.get(list).and_then(Value::as_array).expect(list);
    rows.iter()
        .map(|row| {
            row.as_array().expect("a row").iter().map(|cell| cell.as_str().unwrap_or_default()).collect::<Vec<_>>()
        })
        .filter(|row| row[0] != "gpg-pubkey")
        .map(|row| row.join(" ").replace(" 0:", " ").replace("(none)", "-"))
        .collect()
}

fn rows(inventory: &Inventory, kind: PackageKind) -> BTreeSet<String> {
    let row = |package: &Package| {
        let Package { name, version, arch, source, module, .. } = package;
        let arch = arch.as_deref().unwrap_or("-");
        match (kind, source) {
            (PackageKind::Deb, Some(source)) => format!("{name} {version} {} {} {arch}", source.name, source.version),
            (PackageKind::Apk, Some(source)) => format!("{name} {version} {} {arch}", source.name),
            (PackageKind::Rpm, Some(source)) => {
                let module = module.as_deref().unwrap_or("-");
                format!("{name} {version} {arch} {}-{}.src.rpm {module}", source.name, source.version)
            }
            _ => format!("{name} {version}"),
        }
    };
    inventory.packages.iter().filter(|package| package.kind == kind).map(row).collect()
}

#[test]
fn real_images_hold_what_an_independent_reader_found() {
    let Some(data) = test_data() else { return };
    let mut differences = Vec::new();
    let mut images = 0;
    for entry in std::fs::read_dir(data.join("images")).expect("images") {
        let folder = entry.expect("an entry").path();
        let Ok(text) = std::fs::read_to_string(folder.join("inventory.json")) else { continue };
        let document: Value = serde_json::from_slice(text.as_bytes()).expect("inventory.json");
        let name = document["image"].as_str().expect("a name").to_owned();
        images += 1;
        let inventory = take(&open_data(&folder, document["arch"].as_str().expect("an architecture")));
        let id = inventory.distribution.as_ref().map_or("", |distribution| &distribution.id);
        if id != document["os"]["ID"].as_str().unwrap_or_default() {
            differences.push(format!("{name}: distribution `{id}`"));
        }
        for (list, kind) in [
            ("deb", PackageKind::Deb),
            ("apk", PackageKind::Apk),
            ("rpm", PackageKind::Rpm),
            ("npm", PackageKind::Npm),
            ("python", PackageKind::Pypi),
            ("gems", PackageKind::Gem),
        ] {
            // The independent reader has no eyes for NDB; another test looks at that image.
            if name == "rpmdb-sle15-bci-ndb" && list == "rpm" {
                continue;
            }
            let (found, expected) = (rows(&inventory, kind), expected_rows(&document, list));
            differences.extend(expected.difference(&found).map(|row| format!("{name}: {list}: missing: {row}")));
            differences.extend(found.difference(&expected).map(|row| format!("{name}: {list}: unexpected: {row}")));
        }
        let unread = inventory.gaps.iter().filter(|gap| gap.kind != GapKind::UnknownDistribution);
        differences.extend(unread.map(|gap| format!("{name}: {gap}")));
    }
    assert!(images >= 15, "only {images} images were looked at");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn reads_the_ndb_database_of_a_real_image() {
    let Some(data) = test_data() else { return };
    let inventory = take(&open_data(&data.join("images/rpmdb-sle15-bci-ndb"), "amd64"));
    let found = rows(&inventory, PackageKind::Rpm);
    assert!(found.len() > 20, "{found:?}");
    assert!(found.iter().any(|row| row.starts_with("glibc 2.31-")), "{found:?}");
    assert!(inventory.packages.iter().all(|p| p.name != "gpg-pubkey" && p.vendor.is_some() && !p.third_party));
}

#[test]
fn reads_docker_schema_2_from_a_directory() {
    let Some(data) = test_data() else { return };
    let inventory = take(&open_data(&data.join("images/docker-v2s2-alpine-3.17"), "amd64"));
    assert_eq!(rows(&inventory, PackageKind::Apk).len(), 15);
    assert_eq!(inventory.distribution.map(|distribution| distribution.release()).as_deref(), Some("3.17"));
}

/// (name, version) pairs of a JSON file.
fn pairs(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).expect("a list");
    let pairs: Vec<(String, String)> = serde_json::from_slice(text.as_bytes()).expect("pairs");
    pairs.into_iter().map(|(name, version)| format!("{name} {version}")).collect()
}

#[test]
fn programs_say_what_they_were_built_from() {
    let Some(data) = test_data() else { return };
    for (image, list, kind) in [
        ("go-bins-scratch", "go-modules.json", PackageKind::Golang),
        ("distroless-like-debian12", "rust-crates.json", PackageKind::Cargo),
    ] {
        let folder = data.join("images").join(image);
        let inventory = take(&open_data(&folder, "amd64"));
        // The independent reader leaves out the `v` and programs' own modules, which have no version.
        let found: BTreeSet<String> = rows(&inventory, kind)
            .into_iter()
            .filter(|row| !row.ends_with(" (devel)"))
            .map(|row| row.replace(" v", " "))
            .collect();
        let mut expected = pairs(&folder.join(list));
        if kind == PackageKind::Golang {
            // It does not read what the linker was told about the main module either.
            expected.insert("github.com/vercel/turborepo/cli 1.4.2".to_owned());
        }
        let missing: Vec<_> = expected.difference(&found).collect();
        let unexpected: Vec<_> = found.difference(&expected).collect();
        assert!(missing.is_empty() && unexpected.is_empty(), "{image}: missing {missing:?}, unexpected {unexpected:?}");
    }
}

#[test]
fn an_unknown_system_is_said_and_no_system_is_none() {
    let Some(data) = test_data() else { return };
    let inventory = take(&open_data(&data.join("images/busybox-glibc"), "amd64"));
    assert_eq!(inventory.gaps.iter().map(|gap| gap.kind).collect::<Vec<_>>(), [GapKind::UnknownDistribution]);
    let inventory = take(&open_data(&data.join("images/go-bins-scratch"), "amd64"));
    assert_eq!(inventory.gaps, []);
}

#[test]
fn every_package_of_a_layered_image_has_its_layer() {
    let Some(data) = test_data() else { return };
    let inventory = take(&open_data(&data.join("images/edge-whiteouts"), "amd64"));
    let lodash = inventory.packages.iter().find(|package| package.name == "lodash").expect("lodash");
    assert_eq!(lodash.locations.iter().map(|place| place.layer).collect::<Vec<_>>(), [2]);
    for package in &inventory.packages {
        assert!(!package.locations.is_empty(), "{package:?}");
        assert!(package.locations.iter().all(|place| place.layer < inventory.layers.len()), "{package:?}");
    }
}

#[test]
fn the_same_image_gives_the_same_inventory() {
    let Some(data) = test_data() else { return };
    let image = open_data(&data.join("images/edge-links"), "amd64");
    let first = take(&image);
    assert_eq!(first, take(&image));
    let sorted = first.packages.is_sorted_by_key(|p| (p.kind, p.name.clone(), p.version.clone(), p.arch.clone()));
    assert!(sorted);
    let text = serde_json::to_string(&first).expect("an inventory is JSON");
    assert_eq!(serde_json::from_slice::<Inventory>(text.as_bytes()).expect("and is read back"), first);
}

const OS_RELEASE: &[u8] = b"ID=debian\nVERSION_ID=12\n";
const STATUS: &[u8] = b"Package: a\nStatus: install ok installed\nVersion: 1\n";

fn package_json(name: &str) -> Vec<u8> {
    format!(r#"{{"name":"{name}","version":"1.0.0"}}"#).into_bytes()
}

/// `name @layers` of each package.
fn found(inventory: &Inventory) -> Vec<String> {
    let row = |package: &Package| {
        let layers: Vec<_> = package.locations.iter().map(|place| format!("{}:{}", place.path, place.layer)).collect();
        format!("{} {}", package.name, layers.join(" "))
    };
    inventory.packages.iter().map(row).collect()
}

#[test]
fn packages_that_are_hard_links_into_a_store_are_found() {
    let base = Tar::default()
        .file("etc/os-release", OS_RELEASE)
        .file("var/lib/dpkg/status", STATUS)
        .file("store/aa", &package_json("x"))
        .file("store/bb", &package_json("y"))
        .hard_link("app/node_modules/x/package.json", "store/aa");
    let own = Tar::default()
        .hard_link("srv/node_modules/x/package.json", "store/aa")
        .hard_link("srv/node_modules/y/package.json", "store/bb");
    let layout = Layout::of(&[gzip(&base.end()), gzip(&own.end())]);
    let inventory = take(&layout.open());
    assert_eq!(inventory.gaps, []);
    assert_eq!(
        found(&inventory),
        [
            "a var/lib/dpkg/status:0",
            "x app/node_modules/x/package.json:0 srv/node_modules/x/package.json:1",
            "y srv/node_modules/y/package.json:1",
        ]
    );
}

#[test]
fn a_database_is_found_through_symbolic_links() {
    let base = Tar::default()
        .symlink("lib", "usr/lib")
        .symlink("etc/os-release", "../usr/lib/os-release")
        .file("usr/lib/os-release", b"ID=alpine\nVERSION_ID=3.20.3\n");
    let own = Tar::default().file("lib/apk/db/installed", b"P:a\nV:1\n\n");
    let inventory = take(&Layout::of(&[base.end(), own.end()]).open());
    assert_eq!(found(&inventory), ["a usr/lib/apk/db/installed:1"]);
    assert_eq!(inventory.distribution.map(|distribution| distribution.id).as_deref(), Some("alpine"));
}

#[test]
fn a_layer_that_breaks_off_leaves_what_was_read_and_a_gap() {
    let whole = Tar::default().file("etc/os-release", OS_RELEASE).file("var/lib/dpkg/status", STATUS).end();
    let broken = Tar::default().file("app/node_modules/x/package.json", &package_json("x")).raw(&[b'!'; 512]).end();
    let inventory = take(&Layout::of(&[whole, broken]).open());
    assert_eq!(found(&inventory), ["a var/lib/dpkg/status:0", "x app/node_modules/x/package.json:1"]);
    let gaps: Vec<_> = inventory.gaps.iter().map(|gap| (gap.kind, gap.layer)).collect();
    assert_eq!(gaps, [(GapKind::IncompleteLayer, Some(1))]);
}

#[test]
fn a_layer_that_is_not_what_its_digest_promises_counts_for_nothing() {
    let whole = Tar::default().file("etc/os-release", OS_RELEASE).file("var/lib/dpkg/status", STATUS).end();
    let promised = Tar::default().file("app/node_modules/x/package.json", &package_json("x")).end();
    let other = Tar::default().file("app/node_modules/x/package.json", &package_json("z")).end();
    let layout = Layout::of(&[whole, promised.clone()]);
    std::fs::write(layout.blob_path(&digest(&promised)), other).expect("the blob can be replaced");
    let inventory = take(&layout.open());
    assert_eq!(found(&inventory), ["a var/lib/dpkg/status:0"]);
    let gaps: Vec<_> = inventory.gaps.iter().map(|gap| (gap.kind, gap.layer)).collect();
    assert_eq!(gaps, [(GapKind::IncompleteLayer, Some(1))]);
}

#[test]
fn unreadable_files_are_gaps_with_path_and_reason() {
    let layer = Tar::default()
        .file("etc/os-release", OS_RELEASE)
        .file("var/lib/dpkg/status", STATUS)
        .file("app/node_modules/x/package.json", b"{\"name\":")
        .file("var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0 and then nothing")
        .file("big/node_modules/y/package.json", &[b' '; 5000]);
    let image = Layout::of(&[layer.end()]);
    let limits = Limits { file_size: 4096, ..Limits::default() };
    let inventory = inventory::take(&image.open(), &limits, &NoProgress);
    let gaps: Vec<_> = inventory.gaps.iter().map(|gap| (gap.kind, gap.subject.as_str())).collect();
    assert_eq!(
        gaps,
        [
            (GapKind::UnreadableFile, "app/node_modules/x/package.json"),
            (GapKind::LimitMet, "big/node_modules/y/package.json"),
            (GapKind::UnreadableFile, "var/lib/rpm/rpmdb.sqlite"),
        ]
    );
    assert_eq!(found(&inventory), ["a var/lib/dpkg/status:0"]);
}

#[test]
fn known_layers_are_not_read_again() {
    let base = Tar::default()
        .file("etc/os-release", OS_RELEASE)
        .file("var/lib/dpkg/status", STATUS)
        .file("store/aa", &package_json("x"))
        .hard_link("app/node_modules/x/package.json", "store/aa")
        .end();
    let own = Tar::default().file("app/node_modules/y/package.json", &package_json("y")).end();
    let broken = Tar::default().file("app/node_modules/z/package.json", &package_json("z")).raw(&[b'!'; 512]).end();
    let directory = tempfile::tempdir().expect("a directory");
    let cache = LayerCache::new(directory.path());
    let take = |image: &Layout| inventory::take_cached(&image.open(), &Limits::default(), &NoProgress, Some(&cache));
    let layout = Layout::of(&[base.clone(), own.clone()]);
    let cold = take(&layout);
    assert_eq!(cold, inventory::take(&layout.open(), &Limits::default(), &NoProgress));
    // Without the blobs everything must come from the cache.
    for layer in [&base, &own] {
        std::fs::remove_file(layout.blob_path(&digest(layer))).expect("a blob");
    }
    assert_eq!(take(&layout), cold);
    // Another image has the same base; its own layer breaks off and is not kept.
    let other = Layout::of(&[base.clone(), broken.clone()]);
    std::fs::remove_file(other.blob_path(&digest(&base))).expect("a blob");
    for _ in 0..2 {
        let inventory = take(&other);
        assert_eq!(inventory.gaps.iter().map(|gap| gap.layer).collect::<Vec<_>>(), [Some(1)]);
        assert!(found(&inventory).iter().any(|row| row.starts_with("x ")), "{:?}", found(&inventory));
    }
    // Without the cache the missing blobs are gaps.
    assert_eq!(inventory::take(&layout.open(), &Limits::default(), &NoProgress).gaps.len(), 2);
}

#[test]
fn an_image_that_was_read_whole_is_known_by_its_configuration_and_layers() {
    let layers = [Tar::default().file("etc/os-release", OS_RELEASE).file("var/lib/dpkg/status", STATUS).end()];
    let directory = tempfile::tempdir().expect("a directory");
    let cache = LayerCache::new(directory.path());
    let take = |image: &Layout| inventory::take_cached(&image.open(), &Limits::default(), &NoProgress, Some(&cache));
    let layout = Layout::of(&layers);
    let cold = take(&layout);
    let entries = || {
        let folders = std::fs::read_dir(directory.path().join("layers")).expect("a folder").flatten();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).expect("a folder").flatten());
        files.map(|file| file.path()).collect::<Vec<_>>()
    };
    let is_image = |path: &std::path::PathBuf| path.to_string_lossy().ends_with("-image");
    assert_eq!(entries().iter().filter(|path| is_image(path)).count(), 1);
    // What is known of the layer is not needed any more.
    for path in entries().iter().filter(|path| !is_image(path)) {
        std::fs::remove_file(path).expect("an entry");
    }
    std::fs::remove_file(layout.blob_path(&digest(&layers[0]))).expect("a blob");
    assert_eq!(take(&layout), cold);
    // An image with a layer more is another one, and one with gaps is not kept.
    let broken = Layout::of(&[layers[0].clone(), Tar::default().file("a", b"").raw(&[b'!'; 512]).end()]);
    assert_eq!(take(&broken).gaps.len(), 1);
    assert_eq!(entries().iter().filter(|path| is_image(path)).count(), 1);
}

/// Changes that are committed beside a database count: a page that is there only in the log.
#[test]
fn a_write_ahead_log_belongs_to_its_database() {
    let Some(data) = test_data() else { return };
    let image = open_data(&data.join("images/rpmdb-mariner-2.0-sqlite"), "amd64");
    let want = take(&image);
    let mut database = None;
    for layer in 0..image.layers.len() {
        let mut seen = Everything::default();
        image.walk_layer(layer, &mut seen, &Limits::default(), &NoProgress).expect("a sound layer");
        database = seen.0.into_iter().find(|(path, _)| path.ends_with("rpmdb.sqlite")).or(database);
    }
    let (path, whole) = database.expect("an rpm database");
    let page_size = match u16::from_be_bytes([whole[16], whole[17]]) {
        1 => 65_536,
        size => usize::from(size),
    };
    let pages = whole.len() / page_size;
    let mut cut = whole.clone();
    let moved: Vec<usize> = (1..pages).filter(|page| page % 3 == 1).collect();
    let mut log = Log::new(page_size);
    for &page in &moved {
        let at = page * page_size..(page + 1) * page_size;
        log.commit(page + 1, &whole[at.clone()], pages);
        cut[at].fill(0);
    }
    let release = b"ID=mariner\nVERSION_ID=\"2.0\"\n";
    let without = Tar::default().file("etc/os-release", release).file(&path, &cut);
    let with = without.clone().file(&format!("{path}-wal"), &log.bytes);
    let names = |inventory: &Inventory| {
        inventory.packages.iter().map(|p| format!("{} {}", p.name, p.version)).collect::<Vec<_>>()
    };
    let broken = take(&Layout::of(&[without.end()]).open());
    assert_ne!(names(&broken), names(&want), "the pages that were taken out must matter");
    assert_eq!(names(&take(&Layout::of(&[with.end()]).open())), names(&want));
}

/// A write-ahead log of SQLite, checksums over big-endian words.
struct Log {
    bytes: Vec<u8>,
    sums: (u32, u32),
}

impl Log {
    fn new(page_size: usize) -> Self {
        let mut log = Self { bytes: Vec::new(), sums: (0, 0) };
        for number in [0x377f_0683, 3_007_000, u32::try_from(page_size).expect("a size"), 0] {
            log.bytes.extend(number.to_be_bytes());
        }
        log.bytes.extend(b"saltsalt");
        let head = log.bytes.clone();
        log.sum(&head);
        log.write_sums();
        log
    }

    fn commit(&mut self, number: usize, page: &[u8], pages: usize) {
        let word = |number: usize| u32::try_from(number).expect("a number").to_be_bytes();
        let head = [word(number), word(pages)].concat();
        self.sum(&head);
        self.sum(page);
        self.bytes.extend(&head);
        self.bytes.extend(b"saltsalt");
        self.write_sums();
        self.bytes.extend(page);
    }

    fn sum(&mut self, data: &[u8]) {
        for pair in data.chunks(8) {
            let word = |at: usize| u32::from_be_bytes(pair[at..at + 4].try_into().expect("four"));
            self.sums.0 = self.sums.0.wrapping_add(word(0)).wrapping_add(self.sums.1);
            self.sums.1 = self.sums.1.wrapping_add(word(4)).wrapping_add(self.sums.0);
        }
    }

    fn write_sums(&mut self) {
        self.bytes.extend([self.sums.0.to_be_bytes(), self.sums.1.to_be_bytes()].concat());
    }
}
