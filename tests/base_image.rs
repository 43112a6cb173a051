//! Which image another one was built on, told by its layers, and what follows from it.

#[path = "support/layers.rs"]
mod layers;
mod program;
mod support;

use std::path::Path;

use layers::*;
use plimsoll::model::{Base, BaseImage};
use program::{Scan, run_in, scan_with};
use serde_json::{Value, json};
use support::PlainRegistry;
use support::plain_registry::alpine_layer;

/// The layers of an image: a system, what the base adds to it, and what a project adds.
fn three() -> [Vec<u8>; 3] {
    let package = |name: &str| format!(r#"{{"name":"{name}","version":"4.17.20"}}"#);
    let base = Tar::default().file("base/node_modules/lodash/package.json", package("lodash").as_bytes());
    let own = Tar::default().file("app/node_modules/minimist/package.json", package("minimist").as_bytes());
    [alpine_layer(&[("musl", "1.2.5-r0")]), base.end(), own.end()]
}

fn base(scan: &Scan) -> Option<Base> {
    scan.image().inventory.as_ref().and_then(|inventory| inventory.base.clone())
}

fn source(layout: &Layout) -> String {
    format!("oci:{}", layout.path().display())
}

#[test]
fn the_base_that_a_setting_names_is_told_by_its_layers() {
    let [system, middle, own] = three();
    let image = Layout::of(&[system.clone(), middle.clone(), own.clone()]);
    // The base was pushed again, compressed: what its layers hold is the same.
    let small = Layout::of(std::slice::from_ref(&system));
    let large = Layout::of(&[system.clone(), middle.clone()]);
    let other = Layout::of(&[middle, system.clone()]);
    let bases = |all: &[&Layout]| all.iter().map(|layout| source(layout)).collect::<Vec<_>>().join(",");
    for (what, named, expected) in [
        ("one", bases(&[&large]), Some((&large, 2))),
        ("the longest of several", bases(&[&small, &large, &other]), Some((&large, 2))),
        ("another", bases(&[&other]), None),
        ("the image itself", bases(&[&image]), None),
        ("none that can be read", "oci:/nowhere".to_owned(), None),
    ] {
        let scan = scan_with(&[&source(&image), "--offline"], &[("PLIMSOLL_BASE_IMAGES", &named)]);
        match (base(&scan), expected) {
            (Some(Base::Known(BaseImage { name, digest, layers })), Some((layout, number))) => {
                assert_eq!((name, layers, digest.is_some()), (source(layout), number, true), "{what}");
            }
            (Some(Base::Unknown(reason)), None) => assert!(!reason.is_empty(), "{what}"),
            (found, _) => panic!("{what}: {found:?}\n{}", scan.run.stderr),
        }
    }
    let scan = scan_with(&[&source(&image), "--offline"], &[]);
    assert_eq!(base(&scan), None, "nobody named one");
}

/// Builds a database in `db`, by whose advisories the base and the project bring one finding each.
fn build_database(folder: &Path) {
    let advisory = |id: &str, name: &str| {
        json!({
            "id": id, "modified": "2024-01-01T00:00:00Z",
            "affected": [{"package": {"ecosystem": "npm", "name": name},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "9.0.0"}]}]}],
        })
    };
    let feeds = folder.join("feeds/osv/npm");
    std::fs::create_dir_all(&feeds).expect("a folder");
    for (id, name) in [("GHSA-aaaa-aaaa-aaaa", "lodash"), ("GHSA-bbbb-bbbb-bbbb", "minimist")] {
        std::fs::write(feeds.join(format!("{id}.json")), advisory(id, name).to_string()).expect("a file");
    }
    let path = |name: &str| folder.join(name).display().to_string();
    run_in(folder, &["db", "build", "--from", &path("feeds"), "--to", &path("db")], &[]).expect(0);
}

/// The gate, the report and the bill of materials tell base and own apart by it.
#[test]
fn what_the_base_brings_is_not_the_projects_own() {
    let [system, middle, own] = three();
    let (image, below) = (Layout::of(&[system.clone(), middle.clone(), own]), Layout::of(&[system, middle]));
    let folder = tempfile::tempdir().expect("a directory");
    build_database(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let named = source(&below);
    let scan =
        |image: &str, variables: &[(&str, &str)]| scan_with(&[image, "--db", &path("db"), "--offline"], variables);
    let of_image = scan(&source(&image), &[("PLIMSOLL_BASE_IMAGES", &named)]);
    let report = of_image.directory.path().join("plimsoll.json").display().to_string();
    let failing = |expression: &str| {
        let run = run_in(folder.path(), &["gate", "--report", &report, "--fail-on", expression], &[]);
        (run.code, ["lodash", "minimist"].map(|name| run.stdout.contains(name) || run.stderr.contains(name)))
    };
    assert_eq!(failing("own"), (1, [false, true]));
    assert_eq!(failing("base"), (1, [true, false]));
    let gitlab = of_image.json("gl-container-scanning-report.json");
    let origins: Vec<(&str, &str)> = gitlab["vulnerabilities"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|finding| {
            let package = finding["location"]["dependency"]["package"]["name"].as_str()?;
            Some((package, finding["details"]["origin"]["value"].as_str()?))
        })
        .collect();
    assert!(origins.contains(&("lodash", "the base image")), "{origins:?}");
    assert!(origins.iter().any(|(name, origin)| *name == "minimist" && *origin != "the base image"), "{origins:?}");
    // Nothing of it is lost on the way through a bill of materials.
    for entry in std::fs::read_dir(of_image.directory.path()).expect("reports").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".cdx.json") || name.ends_with(".spdx.json") {
            let again = scan(&format!("sbom:{}", entry.path().display()), &[]);
            assert_eq!(base(&again), base(&of_image), "{name}");
        }
    }
}

/// Pushes an image of several layers, with annotations.
fn push(registry: &PlainRegistry, name: &str, layers: &[Vec<u8>], annotations: Value) -> String {
    let single: Vec<String> = layers.iter().map(|layer| registry.push("scratch/part:1", "amd64", layer)).collect();
    let mut state = registry.state();
    let parts: Vec<Value> =
        single.iter().map(|digest| serde_json::from_slice(&state.manifests[digest].1).expect("a manifest")).collect();
    let diff_ids: Vec<&Value> = parts.iter().map(|part| &part["layers"][0]["digest"]).collect();
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    let config = config.to_string().into_bytes();
    let descriptor = json!({"mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": digest(&config).to_string(), "size": config.len()});
    let layers: Vec<&Value> = parts.iter().map(|part| &part["layers"][0]).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor, "layers": layers, "annotations": annotations});
    let manifest = manifest.to_string().into_bytes();
    let own = digest(&manifest).to_string();
    state.blobs.insert(digest(&config).to_string(), config);
    state.manifests.insert(own.clone(), ("application/vnd.oci.image.manifest.v1+json".into(), manifest));
    state.tags.insert(name.to_owned(), own.clone());
    own
}

/// Annotations and the Dockerfile name the base too; it is looked up in the registry that the image itself comes from.
#[test]
fn annotations_and_the_dockerfile_name_the_base() {
    let registry = PlainRegistry::start();
    let [system, middle, own] = three();
    let host = registry.host();
    let digest = push(&registry, "base/node:20", &[system.clone(), middle.clone()], json!({}));
    let said = json!({"org.opencontainers.image.base.name": format!("{host}/base/node:20"),
        "org.opencontainers.image.base.digest": digest});
    let layers = [system.clone(), middle.clone(), own.clone()];
    push(&registry, "app:annotated", &layers, said);
    push(&registry, "app:plain", &layers, json!({}));
    push(
        &registry,
        "app:elsewhere",
        &layers,
        json!({"org.opencontainers.image.base.name": "registry.invalid/node:20"}),
    );
    let insecure = ("CS_REGISTRY_INSECURE", "true");
    let known = |name: &str, layers| {
        Some(Base::Known(BaseImage { name: name.to_owned(), digest: digest.parse().ok(), layers }))
    };

    let scan = scan_with(&[&format!("{host}/app:annotated")], &[insecure]);
    assert_eq!(base(&scan), known(&format!("{host}/base/node:20@{digest}"), 2), "{}", scan.run.stderr);

    let folder = tempfile::tempdir().expect("a directory");
    let text = format!("ARG TAG=20\nFROM golang AS build\nFROM {host}/base/node:$TAG\nCOPY . /app\n");
    std::fs::write(folder.path().join("Dockerfile"), text).expect("a file");
    run_in(folder.path(), &["scan", &format!("{host}/app:plain"), "--out", "out"], &[insecure]);
    let document = std::fs::read(folder.path().join("out/plimsoll.json")).expect("a document");
    let document: plimsoll::model::ScanDocument = serde_json::from_slice(&document).expect("a document");
    let found = document.images[0].inventory.as_ref().and_then(|inventory| inventory.base.clone());
    assert_eq!(found, known(&format!("{host}/base/node:20"), 2));

    // Another registry is not asked because an image says so.
    let scan = scan_with(&[&format!("{host}/app:elsewhere")], &[insecure]);
    let Some(Base::Unknown(reason)) = base(&scan) else { panic!("{:?}", base(&scan)) };
    assert!(reason.contains("registry.invalid is asked if `base_images` names it"), "{reason}");
}

/// A retest looks for the base when it reads an image, and remembers it with what the image holds.
#[test]
fn a_retest_tells_base_and_own_apart() {
    let registry = PlainRegistry::start();
    let [_, below, own] = three();
    let host = registry.host();
    push(&registry, "base/node:20", std::slice::from_ref(&below), json!({}));
    push(&registry, "grp/proj/app:1", &[below, own], json!({}));
    let folder = tempfile::tempdir().expect("a directory");
    build_database(folder.path());
    let (app, base) = (format!("{host}/grp/proj/app:*"), format!("{host}/base/node:20"));
    let image = format!("{host}/grp/proj");
    let variables = [("CS_REGISTRY_INSECURE", "true"), ("CI_REGISTRY_IMAGE", &image), ("PLIMSOLL_BASE_IMAGES", &base)];
    for what in ["read", "remembered"] {
        let arguments = ["retest", "--db", "db", "--state", "state", "--out", "out", &app];
        run_in(folder.path(), &arguments, &variables).expect(0);
        for (expression, expected) in [("own", [false, true]), ("base", [true, false])] {
            let arguments = ["gate", "--report", "out/plimsoll.json", "--fail-on", expression];
            let run = run_in(folder.path(), &arguments, &[]);
            let found = ["lodash", "minimist"].map(|name| run.stdout.contains(name) || run.stderr.contains(name));
            assert_eq!((run.code, found), (1, expected), "{what}, {expression}: {}", run.stderr);
        }
    }
}

#[test]
fn limits_are_settings() {
    let [system, middle, own] = three();
    let image = Layout::of(&[system, middle, own]);
    let scan = scan_with(&[&source(&image), "--offline"], &[("PLIMSOLL_LIMITS", "layers=2")]);
    assert!(scan.run.stderr.contains("the number of layers, 3, exceeds the limit of 2"), "{}", scan.run.stderr);
    let scan = scan_with(&[&source(&image), "--offline"], &[("PLIMSOLL_LIMITS", "path_length=10, entries=1")]);
    let gaps = &scan.image().inventory.as_ref().expect("an inventory").gaps;
    assert!(gaps.iter().any(|gap| gap.reason.contains("number of entries exceeds the limit of 1")), "{gaps:?}");
    let scan = scan_with(&[&source(&image), "--offline"], &[("PLIMSOLL_LIMITS", "document_depth=2")]);
    assert!(scan.run.stderr.contains("its values are more than 2 deep"), "{}", scan.run.stderr);
    let folder = tempfile::tempdir().expect("a directory");
    let run = run_in(folder.path(), &["scan", &source(&image)], &[("PLIMSOLL_LIMITS", "layer_sise=1GiB")]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("there is no limit `layer_sise`; use layers, entries"), "{}", run.stderr);
}
