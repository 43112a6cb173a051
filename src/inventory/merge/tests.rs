//! Layers put together by hand.

use std::collections::HashMap;

use super::*;
use crate::image::LayerTree;
use crate::inventory::extractor::extract_bytes;
use crate::inventory::layer::Targets;

/// A layer of files, each with what its extractor says.
fn layer(files: &[(&str, &str)]) -> LayerFacts {
    let mut layer = LayerFacts::default();
    for &(path, content) in files {
        let facts = match extract_bytes(path, content.as_bytes()) {
            Ok(facts) => FileFacts { facts, trouble: None },
            Err(error) => FileFacts { facts: vec![], trouble: Some((GapKind::UnreadableFile, error.to_string())) },
        };
        layer.files.insert(path.to_owned(), facts);
        layer.tree.files.push(path.to_owned());
        layer.tree.non_directories.push(path_hash(path));
    }
    layer
}

fn whiteout(path: &str) -> LayerFacts {
    LayerFacts { tree: LayerTree { whiteouts: vec![path.into()], ..LayerTree::default() }, ..LayerFacts::default() }
}

fn deb(packages: &[(&str, &str)]) -> String {
    packages
        .iter()
        .map(|(name, version)| {
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
        })
        .collect()
}

/// `name version @layers`, and the owner.
fn rows(layers: &[LayerFacts]) -> Vec<String> {
    let merged = merge(layers, &Reread::default());
    let row = |package: &Package| {
        let places: Vec<_> = package.locations.iter().map(|place| place.layer.to_string()).collect();
        let owner = package.owned_by.as_deref().map(|owner| format!(" ({owner})")).unwrap_or_default();
        format!("{} {} @{}{owner}", package.name, package.version, places.join(","))
    };
    merged.packages.iter().map(row).collect()
}

const OS_RELEASE: (&str, &str) = ("etc/os-release", "ID=debian\nVERSION_ID=12\n");
const STATUS: &str = "var/lib/dpkg/status";

#[test]
fn a_package_belongs_to_the_layer_that_introduced_its_version() {
    let layers = [
        layer(&[OS_RELEASE, (STATUS, &deb(&[("a", "1"), ("b", "1"), ("c", "1")]))]),
        layer(&[(STATUS, &deb(&[("a", "1"), ("b", "2"), ("c", "1")]))]),
        layer(&[(STATUS, &deb(&[("a", "1"), ("b", "2")]))]),
        layer(&[(STATUS, &deb(&[("a", "1"), ("b", "2"), ("c", "1"), ("d", "1")]))]),
    ];
    assert_eq!(rows(&layers), ["a 1 @0", "b 2 @1", "c 1 @3", "d 1 @3"]);
}

#[test]
fn a_language_package_that_is_copied_again_stays_where_it_came_from() {
    let (lodash, other) = ("app/node_modules/lodash/package.json", "srv/node_modules/lodash/package.json");
    let version = |version: &str| format!(r#"{{"name":"lodash","version":"{version}"}}"#);
    let layers =
        [layer(&[(lodash, &version("1.0.0"))]), layer(&[(lodash, &version("1.0.0")), (other, &version("1.0.0"))])];
    assert_eq!(rows(&layers), ["lodash 1.0.0 @0,1"]);
    let layers = [layer(&[(lodash, &version("1.0.0"))]), layer(&[(lodash, &version("2.0.0"))])];
    assert_eq!(rows(&layers), ["lodash 2.0.0 @1"]);
    let layers =
        [layer(&[(lodash, &version("1.0.0"))]), whiteout("app/node_modules"), layer(&[(lodash, &version("1.0.0"))])];
    assert_eq!(rows(&layers), ["lodash 1.0.0 @2"]);
}

#[test]
fn packages_know_their_owner_on_merged_usr_systems_too() {
    let python = "usr/lib/python3/dist-packages/six-1.16.0.egg-info";
    let metadata = "Name: six\nVersion: 1.16.0\n";
    for (list, listed, owned) in [
        ("var/lib/dpkg/info/python3-six.list", "/usr/lib/python3/dist-packages/six-1.16.0.egg-info\n", true),
        ("var/lib/dpkg/info/python3-six:amd64.list", "/lib/python3/dist-packages/six-1.16.0.egg-info\n", true),
        ("var/lib/dpkg/info/python3-gone.list", "/usr/lib/python3/dist-packages/six-1.16.0.egg-info\n", false),
        ("var/lib/dpkg/info/python3-six:arm64.list", "/usr/lib/python3/dist-packages/six-1.16.0.egg-info\n", false),
    ] {
        let layers = [layer(&[(STATUS, &deb(&[("python3-six", "1.16.0-4")])), (list, listed), (python, metadata)])];
        let expected = if owned { "six 1.16.0 @0 (python3-six 1.16.0-4)" } else { "six 1.16.0 @0" };
        assert_eq!(rows(&layers)[1], expected, "{list}: {listed}");
    }
}

/// `usr/sbin` is a link to `bin` in newer releases of Fedora; packages list files as they were before.
#[test]
fn owners_are_found_through_the_links_between_directories_of_programs() {
    let mut system = layer(&[
        ("var/lib/dpkg/status", &deb(&[("p", "1")])),
        ("var/lib/dpkg/info/p.list", "/usr/sbin/tool.jar\n/usr/lib64/node_modules/x/package.json\n"),
        ("usr/lib/node_modules/x/package.json", r#"{"name":"x","version":"1.0.0"}"#),
    ]);
    system.tree.symlinks = vec![("usr/sbin".into(), "bin".into()), ("usr/lib64".into(), "/usr/lib".into())];
    let rows = rows(&[system]);
    assert!(rows.iter().any(|row| row.contains('x') && row.contains("(p 1)")), "{rows:?}");
}

#[test]
fn a_program_is_only_known_by_its_version_where_no_package_owns_it() {
    let status = deb(&[("openssl", "3.0.11-1")]);
    let list = ("var/lib/dpkg/info/openssl.list", "/usr/bin/openssl\n");
    let program = "MZ\0\0OpenSSL 3.0.11 19 Sep 2023\0";
    let own = layer(&[OS_RELEASE, (STATUS, &status), list, ("usr/bin/openssl", program)]);
    assert_eq!(rows(&[own]), ["openssl 3.0.11-1 @0"]);
    let copied = layer(&[OS_RELEASE, (STATUS, &status), list, ("usr/local/bin/openssl", program)]);
    assert_eq!(rows(&[copied]), ["openssl 3.0.11-1 @0", "openssl 3.0.11 @0"]);
    // Of a program with many names only its own counts.
    let mut first = layer(&[("bin/[", "MZ\0\0BusyBox v1.36.1 (2023)\0")]);
    for link in ["bin/ls", "bin/busybox"] {
        first.tree.hard_links.push((link.into(), "bin/[".into()));
        first.tree.non_directories.push(path_hash(link));
    }
    let merged = merge(&[first], &Reread::default());
    let paths: Vec<_> = merged.packages[0].locations.iter().map(|place| place.path.as_str()).collect();
    assert_eq!(paths, ["bin/[", "bin/busybox"]);
}

#[test]
fn content_sets_of_all_layers_come_together() {
    let sets = |name: &str| format!(r#"{{"content_sets":["{name}","b"]}}"#);
    let layers = [
        layer(&[OS_RELEASE, ("root/buildinfo/content_manifests/base.json", &sets("c"))]),
        layer(&[("root/buildinfo/content_manifests/own.json", &sets("a"))]),
    ];
    let distribution = merge(&layers, &Reread::default()).distribution.expect("a distribution");
    assert_eq!(distribution.content_sets, ["a", "b", "c"]);
}

#[test]
fn the_most_trusted_file_names_the_distribution() {
    let release = |layers: &[LayerFacts]| {
        let distribution = merge(layers, &Reread::default()).distribution?;
        Some(format!("{} {}", distribution.id, distribution.release()))
    };
    let alpine = ("etc/os-release", "ID=alpine\nVERSION_ID=3.19.1\n");
    let main = |release: &str| {
        format!("https://dl.example/alpine/{release}/main\nhttps://dl.example/alpine/{release}/community\n")
    };
    for (files, expected) in [
        (
            vec![("etc/debian_version", "12.1"), ("usr/lib/os-release", "ID=ubuntu\nVERSION_ID=24.04")],
            Some("ubuntu 24.04"),
        ),
        (vec![("etc/os-release", "ID=debian\n"), ("etc/debian_version", "11.2")], Some("debian 11")),
        (vec![("etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)")], Some("centos 7")),
        (vec![alpine, ("etc/apk/repositories", &main("v3.19"))], Some("alpine 3.19")),
        (vec![alpine, ("etc/apk/repositories", &main("edge"))], Some("alpine edge")),
        (
            vec![alpine, ("etc/apk/repositories", &(main("v3.19") + "@edge https://dl.example/alpine/edge/main"))],
            Some("alpine 3.19"),
        ),
        (
            vec![alpine, ("etc/apk/repositories", &(main("v3.19") + "https://dl.example/alpine/edge/testing"))],
            Some("alpine 3.19"),
        ),
        (vec![alpine, ("etc/apk/repositories", &(main("v3.9") + &main("v3.20")))], Some("alpine 3.20")),
        (vec![], None),
    ] {
        assert_eq!(release(&[layer(&files)]).as_deref(), expected, "{files:?}");
    }
}

#[test]
fn what_is_not_known_is_said() {
    let gaps = |layers: &[LayerFacts]| -> Vec<String> {
        merge(layers, &Reread::default()).gaps.iter().map(|gap| format!("{:?} {}", gap.kind, gap.subject)).collect()
    };
    let status = deb(&[("a", "1")]);
    let broken = "app/node_modules/x/package.json";
    for (files, expected) in [
        (vec![OS_RELEASE, (STATUS, status.as_str())], vec![]),
        (vec![], vec![]),
        (vec![("bin/sh", "")], vec!["UnknownDistribution operating system"]),
        (vec![(STATUS, status.as_str())], vec!["UnknownDistribution operating system"]),
        (vec![OS_RELEASE], vec!["UnknownDistribution debian"]),
        (vec![(broken, "{")], vec!["UnreadableFile app/node_modules/x/package.json"]),
    ] {
        assert_eq!(gaps(&[layer(&files)]), expected, "{files:?}");
    }
    // What a higher layer replaces or removes is no gap.
    assert!(gaps(&[layer(&[(broken, "{")]), whiteout(broken)]).is_empty());
    assert!(gaps(&[layer(&[(broken, "{")]), layer(&[(broken, "{}")])]).is_empty());
}

#[test]
fn hard_links_to_files_that_nobody_wanted_are_asked_for() {
    let visible = "app/node_modules/x/package.json";
    let mut first = layer(&[]);
    first.tree.non_directories.push(path_hash("store/ab"));
    first.tree.hard_links.push((visible.into(), "store/ab".into()));
    first.tree.non_directories.push(path_hash(visible));
    let layers = [first];
    let missing = missing_targets(&layers);
    assert_eq!(missing, BTreeMap::from([(0, Targets::from([("store/ab".into(), [visible.into()].into())]))]));
    let facts = extract_bytes(visible, br#"{"name":"x","version":"1.0.0"}"#).expect("a package");
    let linked = HashMap::from([((0, "store/ab".into(), visible.into()), FileFacts { facts, trouble: None })]);
    let merged = merge(&layers, &Reread { linked, ..Reread::default() });
    assert_eq!(merged.packages.len(), 1);
    assert_eq!(merged.packages[0].locations, [Location { path: visible.into(), layer: 0 }]);
}
