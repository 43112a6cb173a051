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
            // Nor the commit that a main module was built from.
            expected.insert("github.com/evanw/esbuild 0.0.0-20240609211631-fc37c2fa9de2".to_owned());
        }
        // It does not tell what only built a program from what is in it.
        expected.remove("autocfg 1.5.1");
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

/// What a file says may depend on the path that a hard link gives it: who reads it, and what it is taken for.
#[test]
fn a_file_is_read_under_each_name_that_means_something_else() {
    let busybox = b"\x7fELF\0BusyBox v1.36.1 (x)\0";
    for (what, tar, expected) in [
        (
            "a cache that has names and versions in its paths",
            Tar::default()
                .file("root/.bun/install/cache/x@1.0.0/package.json", &package_json("x"))
                .hard_link("srv/node_modules/x/package.json", "root/.bun/install/cache/x@1.0.0/package.json"),
            "x srv/node_modules/x/package.json:0",
        ),
        (
            "a store in which it looks like a program",
            Tar::default()
                .program("store/ab-exec", &package_json("x"))
                .hard_link("srv/node_modules/x/package.json", "store/ab-exec"),
            "x srv/node_modules/x/package.json:0",
        ),
        (
            "a program of several names",
            Tar::default().program("bin/ash", busybox).hard_link("bin/busybox", "bin/ash"),
            "busybox bin/busybox:0",
        ),
        (
            "a hard link to a hard link",
            Tar::default()
                .file("store/a", &package_json("x"))
                .hard_link("store/b", "store/a")
                .hard_link("srv/node_modules/x/package.json", "store/b"),
            "x srv/node_modules/x/package.json:0",
        ),
        (
            "one that is read once",
            Tar::default()
                .file("a/node_modules/x/package.json", &package_json("x"))
                .hard_link("b/node_modules/x/package.json", "a/node_modules/x/package.json"),
            "x a/node_modules/x/package.json:0 b/node_modules/x/package.json:0",
        ),
    ] {
        let inventory = take(&Layout::of(&[gzip(&tar.end())]).open());
        assert_eq!(found(&inventory), [expected], "{what}");
        assert!(
            inventory.gaps.iter().all(|gap| gap.kind == GapKind::UnknownDistribution),
            "{what}: {:?}",
            inventory.gaps
        );
    }
    let tar =
        Tar::default().file("d/x", b"").hard_link("d/y", "c/gone").hard_link("node_modules/x/package.json", "d/y");
    let inventory = take(&Layout::of(&[tar.end()]).open());
    let gaps: Vec<_> = inventory.gaps.iter().map(|gap| (gap.kind, gap.subject.as_str())).collect();
    assert_eq!(gaps, [(GapKind::UnreadableFile, "node_modules/x/package.json")], "{:?}", inventory.gaps);
}

#[test]
fn a_broken_package_database_is_told_whatever_else_is_broken() {
    let mut tar = Tar::default().file("var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0 and then nothing");
    for number in 0..1100 {
        tar = tar.file(&format!("app/node_modules/x{number}/package.json"), b"{");
    }
    let inventory = take(&Layout::of(&[gzip(&tar.end())]).open());
    let subjects: Vec<&str> = inventory.gaps.iter().map(|gap| gap.subject.as_str()).collect();
    assert_eq!(subjects.len(), 1001);
    assert!(subjects.contains(&"var/lib/rpm/rpmdb.sqlite"));
    let further = inventory.gaps.iter().find(|gap| gap.subject == "further files").expect("a count");
    assert_eq!(further.reason, "101 more could not be read");
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

/// A package of an operating system: name, version, who made it, files below `/usr/lib/`.
type Row<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

fn dpkg(rows: &[Row<'_>], tar: Tar) -> Tar {
    let entry = |(name, version, maker, _): &Row<'_>| {
        format!(
            "Package: {name}\nStatus: install ok installed\nMaintainer: {maker}\nVersion: {version}\nArchitecture: amd64\n\n"
        )
    };
    let status: String = rows.iter().map(entry).collect();
    rows.iter().fold(tar.file("var/lib/dpkg/status", status.as_bytes()), |tar, (name, _, _, files)| {
        let list: String = files.iter().map(|file| format!("/usr/lib/{file}\n")).collect();
        tar.file(&format!("var/lib/dpkg/info/{name}.list"), list.as_bytes())
    })
}

fn apk(rows: &[Row<'_>], tar: Tar) -> Tar {
    let entry = |(name, version, maker, files): &Row<'_>| {
        let files: String = files
            .iter()
            .map(|file| match file.rsplit_once('/') {
                Some((folder, file)) => format!("F:usr/lib/{folder}\nR:{file}\n"),
                None => format!("F:usr/lib\nR:{file}\n"),
            })
            .collect();
        format!("P:{name}\nV:{version}\nA:x86_64\nm:{maker}\n{files}\n")
    };
    tar.file("lib/apk/db/installed", rows.iter().map(entry).collect::<String>().as_bytes())
}

fn rpm(rows: &[Row<'_>], tar: Tar) -> Tar {
    tar.file("usr/lib/sysimage/rpm/Packages.db", &rpm_database(rows))
}

/// For each package manager: the layer that brought the version that is there now, with its instruction; which OS package
/// brought a Python package; and what is somebody else's.
#[test]
fn packages_are_traced_to_layers_owners_and_makers() {
    const OWNED: &str = "python3/site-packages/six-1.16.0.dist-info/METADATA";
    type Manager = fn(&[Row<'_>], Tar) -> Tar;
    let managers: [(&str, Manager, &[u8], &str, bool); 3] = [
        ("dpkg", dpkg, OS_RELEASE, "Debian <debian-x@lists.debian.org>", true),
        // Its database does not say from where a package came.
        ("apk", apk, b"ID=alpine\nVERSION_ID=3.20.3\n", "Alpine <a@alpinelinux.org>", false),
        ("rpm", rpm, b"ID=almalinux\nVERSION_ID=9.3\n", "AlmaLinux", true),
    ];
    for (manager, write, os_release, maker, knows_makers) in managers {
        let docker = "Docker <support@docker.com>";
        let base: Row<'_> = ("base", "1", maker, &[]);
        let other: Row<'_> = ("other", "1", maker, &[]);
        let six: Row<'_> = ("python3-six", "1.16.0", maker, &[OWNED]);
        let metadata = |name: &str| format!("Name: {name}\nVersion: 1.16.0\n").into_bytes();
        let first =
            Tar::default().file("etc/os-release", os_release).file(&format!("usr/lib/{OWNED}"), &metadata("six"));
        let layers = [
            write(&[base, ("tool", "1", maker, &[]), six, other], first),
            write(&[base, ("tool", "2", maker, &[]), six], Tar::default()),
            write(
                &[base, ("tool", "2", maker, &[]), six, other, ("docker-ce", "26", docker, &[])],
                Tar::default().file("usr/local/lib/idna-3.dist-info/METADATA", &metadata("idna")),
            ),
        ];
        let inventory = take(&Layout::of(&layers.map(Tar::end)).open());
        assert_eq!(inventory.gaps, [], "{manager}");
        let row = |package: &Package| {
            let [place] = package.locations.as_slice() else { panic!("{manager}: {package:?}") };
            let step = inventory.layers[place.layer].created_by.as_deref().unwrap_or_default();
            let owner =
                package.owned_by.as_deref().map(|owner| format!(" of {}", owner.replace("-1", ""))).unwrap_or_default();
            let foreign = if package.third_party { " third-party" } else { "" };
            format!("{} {}: {step}{owner}{foreign}", package.name, package.version.trim_end_matches("-1"))
        };
        let mut rows: Vec<String> = inventory.packages.iter().map(row).collect();
        rows.sort();
        let docker = if knows_makers { "docker-ce 26: step 2 third-party" } else { "docker-ce 26: step 2" };
        assert_eq!(
            rows,
            [
                "base 1: step 0",
                docker,
                "idna 1.16.0: step 2",
                "other 1: step 2",
                "python3-six 1.16.0: step 0",
                "six 1.16.0: step 0 of python3-six 1.16.0",
                "tool 2: step 1",
            ],
            "{manager}"
        );
    }
}

#[test]
fn a_python_package_from_an_address_is_named_as_such() {
    let metadata = b"Name: x\nVersion: 1.0\n";
    let url = br#"{"url":"https://u:secret@git.example/x.git","vcs_info":{"vcs":"git","commit_id":"ab12"}}"#;
    let layer = Tar::default()
        .file("a/x-1.0.dist-info/METADATA", metadata)
        .file("a/x-1.0.dist-info/direct_url.json", url)
        .file("b/x-1.0.dist-info/METADATA", metadata);
    let again = Tar::default().file("b/x-1.0.dist-info/.wh.RECORD", b"");
    let inventory = take(&Layout::of(&[layer.end(), again.end()]).open());
    assert_eq!(inventory.gaps, []);
    let rows: Vec<_> = inventory.packages.iter().map(|p| (p.origin.as_deref(), p.purl(None).to_string())).collect();
    assert_eq!(
        rows,
        [
            (None, "pkg:pypi/x@1.0".to_owned()),
            (
                Some("git+https://git.example/x.git@ab12"),
                "pkg:pypi/x@1.0?vcs_url=git%2Bhttps:%2F%2Fgit.example%2Fx.git%40ab12".to_owned()
            ),
        ]
    );
}

/// What Trivy and Syft say of an image, in the shape of their documents, and the image itself.
#[test]
fn documents_of_other_tools_hold_what_the_image_holds() {
    let status = "Package: bash\nStatus: install ok installed\nMaintainer: M <m@debian.org>\nArchitecture: amd64\nVersion: 5.2.15-2+b13\nSource: bash (5.2.15-2)\n\n\
                  Package: gcc-12-base\nStatus: install ok installed\nMaintainer: M <m@debian.org>\nArchitecture: amd64\nVersion: 4:12.2.0-14\nSource: gcc-12\n\n\
                  Package: docker-ce\nStatus: install ok installed\nMaintainer: Docker <support@docker.com>\nArchitecture: amd64\nVersion: 5:26.0.0-1\n\n";
    let layer = Tar::default()
        .file("etc/os-release", b"ID=debian\nVERSION_ID=12\n")
        .file("var/lib/dpkg/status", status.as_bytes())
        .file("app/node_modules/lodash/package.json", br#"{"name":"lodash","version":"4.17.21"}"#);
    let inventory = take(&Layout::of(&[layer.end()]).open());
    // purl without epoch as qualifier, its epoch, source, source version, Syft's upstream, maker
    let system = [
        ("bash@5.2.15-2%2Bb13", "", "bash", "5.2.15-2", "&upstream=bash%405.2.15-2", "M <m@debian.org>"),
        ("gcc-12-base@12.2.0-14", "4", "gcc-12", "4:12.2.0-14", "&upstream=gcc-12", "M <m@debian.org>"),
        ("docker-ce@26.0.0-1", "5", "docker-ce", "5:26.0.0-1", "", "Docker <support@docker.com>"),
    ];
    let lodash = "pkg:npm/lodash@4.17.21";
    let trivy = |(name, epoch, ..): &(&str, &str, &str, &str, &str, &str)| {
        let epoch = if epoch.is_empty() { String::new() } else { format!("&epoch={epoch}") };
        format!("pkg:deb/debian/{name}?arch=amd64&distro=debian-12.15{epoch}")
    };
    let syft = |(name, epoch, _, _, upstream, _): &(&str, &str, &str, &str, &str, &str)| {
        let name = if epoch.is_empty() { (*name).to_owned() } else { name.replace('@', &format!("@{epoch}%3A")) };
        format!("pkg:deb/debian/{name}?arch=amd64&distro=debian-12{upstream}")
    };
    let spdx =
        |rows: Vec<String>, os: &str| format!(r#"{{"spdxVersion":"SPDX-2.3","packages":[{}{os}]}}"#, rows.join(","));
    let element = |purl: &str, info: &str, supplier: &str| {
        format!(
            r#"{{"name":"x","primaryPackagePurpose":"LIBRARY","sourceInfo":"{info}","supplier":"{supplier}",
            "externalRefs":[{{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"{purl}"}}]}}"#
        )
    };
    let mut of_trivy: Vec<_> = system
        .iter()
        .map(|row| {
            element(
                &trivy(row),
                &format!("built package from: {} {}", row.2, row.3),
                &format!("Organization: {}", row.5),
            )
        })
        .collect();
    of_trivy.push(element(lodash, "package found in: app/node_modules/lodash/package.json", "NOASSERTION"));
    let mut of_syft: Vec<_> = system
        .iter()
        .map(|row| {
            let info = "acquired package info from DPKG DB: /var/lib/dpkg/status";
            element(&syft(row), info, &format!("Person: {}", row.5))
        })
        .collect();
    of_syft.push(element(
        lodash,
        "acquired package info from installed node module manifest file: /app/node_modules/lodash/package.json",
        "NOASSERTION",
    ));
    let property = |name: &str, value: &str| format!(r#"{{"name":"aquasecurity:trivy:{name}","value":"{value}"}}"#);
    let components: Vec<String> = system
        .iter()
        .map(|row| {
            let (epoch, version) = row.3.split_once(':').unwrap_or(("", row.3));
            let (version, release) = version.rsplit_once('-').expect("a revision");
            let said = [("SrcName", row.2), ("SrcVersion", version), ("SrcRelease", release), ("SrcEpoch", epoch)];
            let said: Vec<_> = said.iter().filter(|(_, value)| !value.is_empty()).map(|(n, v)| property(n, v)).collect();
            let (purl, supplier) = (trivy(row), row.5);
            format!(r#"{{"type":"library","name":"x","supplier":{{"name":"{supplier}"}},"purl":"{purl}","properties":[{}]}}"#, said.join(","))
        })
        .collect();
    let cyclonedx = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{},
        {{"type":"library","name":"lodash","purl":"{lodash}","properties":[{}]}},
        {{"type":"operating-system","name":"debian","version":"12.15","properties":[{}]}}]}}"#,
        components.join(","),
        property("FilePath", "app/node_modules/lodash/package.json"),
        property("Class", "os-pkgs"),
    );
    let os = r#",{"name":"debian","versionInfo":"12.15","primaryPackagePurpose":"OPERATING-SYSTEM","annotations":[{"comment":"Class: os-pkgs"}]}"#;
    // What a finding hangs on; where the database lies is not told by Trivy.
    let rows = |inventory: &Inventory| -> Vec<String> {
        let row = |p: &Package| {
            let place = if p.kind.is_os() { "" } else { p.locations[0].path.as_str() };
            format!("{} {} {:?} {:?} {:?} {} {place}", p.name, p.version, p.arch, p.source, p.vendor, p.third_party)
        };
        inventory.packages.iter().map(row).collect()
    };
    assert!(inventory.packages.iter().any(|package| package.third_party));
    for (what, document) in
        [("Trivy's SPDX", spdx(of_trivy, os)), ("Trivy's CycloneDX", cyclonedx), ("Syft's SPDX", spdx(of_syft, ""))]
    {
        let read = inventory::bom::read(document.as_bytes(), "bom.json", &Limits::default()).expect(what);
        assert_eq!(rows(&read), rows(&inventory), "{what}");
        assert_eq!(read.gaps, [], "{what}");
        let shard = |inventory: &Inventory| inventory.distribution.as_ref().map(|distribution| distribution.shard());
        assert_eq!(shard(&read), shard(&inventory), "{what}");
    }
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
