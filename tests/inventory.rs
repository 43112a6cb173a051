//! The inventories of real images equal those of an independent reader.

mod program;

use std::collections::BTreeSet;
use std::path::Path;

use plimsoll::image::{self, NoProgress, Source};
use plimsoll::inventory;
use plimsoll::model::{Inventory, Limits, PackageKind, Platform};
use program::shared;
use serde_json::Value;

fn take(source: &str, platform: &Platform) -> Inventory {
    let source: Source = source.parse().expect("a source");
    let limits = Limits::default();
    let image = image::open(&source, platform, &limits, None).unwrap_or_else(|error| panic!("{source:?}: {error}"));
    inventory::take(&image, &limits, &NoProgress)
}

/// Rows of the expectation as `kind name version source`, in this program's notation: the independent reader prints
/// epoch 0 and lists signing keys, which are not packages.
fn expected(file: &Value) -> BTreeSet<String> {
    let rows = |kind: &str| file[kind].as_array().cloned().unwrap_or_default();
    let text = |row: &Value, index: usize| row[index].as_str().unwrap_or_default().to_owned();
    let mut expected = BTreeSet::new();
    expected.extend(
        rows("deb")
            .iter()
            .map(|r| format!("deb {} {} {} {} {}", text(r, 0), text(r, 1), text(r, 2), text(r, 3), text(r, 4))),
    );
    expected.extend(
        rows("apk").iter().map(|r| format!("apk {} {} {} {1} {}", text(r, 0), text(r, 1), text(r, 2), text(r, 3))),
    );
    for row in rows("rpm").iter().filter(|row| text(row, 0) != "gpg-pubkey") {
        let version = text(row, 1);
        let version = version.strip_prefix("0:").unwrap_or(&version);
        expected.insert(format!("rpm {} {version} {} {}", text(row, 0), text(row, 3), text(row, 2)));
    }
    expected.extend(rows("npm").iter().map(|r| format!("npm {} {}", text(r, 0), text(r, 1))));
    expected.extend(rows("python").iter().map(|r| format!("pypi {} {}", text(r, 0), text(r, 1))));
    expected
}

fn found(inventory: &Inventory) -> BTreeSet<String> {
    let packages = inventory.packages.iter().filter_map(|package| {
        let source = package
            .source
            .clone()
            .unwrap_or(plimsoll::model::SourcePackage { name: String::new(), version: String::new() });
        let arch = package.arch.as_deref().unwrap_or("");
        let (name, version) = (&package.name, &package.version);
        Some(match package.kind {
            PackageKind::Deb => format!("deb {name} {version} {} {} {arch}", source.name, source.version),
            PackageKind::Apk => format!("apk {name} {version} {} {version} {arch}", source.name),
            PackageKind::Rpm => format!("rpm {name} {version} {}-{}.src.rpm {arch}", source.name, source.version),
            PackageKind::Npm => format!("npm {name} {version}"),
            PackageKind::Pypi => format!("pypi {name} {version}"),
            _ => return None,
        })
    });
    packages.collect()
}

#[test]
fn inventories_equal_the_independent_reader() {
    let Some(shared) = shared() else { return };
    let mut wrong = Vec::new();
    let mut images: Vec<_> =
        std::fs::read_dir(shared.join("images")).expect("images").flatten().map(|e| e.path()).collect();
    images.sort();
    for image in images.iter().filter(|image| image.join("oci").is_dir()) {
        let name = image.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let file: Value = serde_json::from_slice(&std::fs::read(image.join("inventory.json")).expect("an expectation"))
            .expect("JSON");
        let platform = if file["arch"] == "arm64" { "linux/arm64" } else { "linux/amd64" };
        let inventory = take(&format!("oci:{}", image.join("oci").display()), &platform.parse().expect("a platform"));
        let (want, have) = (expected(&file), found(&inventory));
        wrong.extend(want.difference(&have).map(|row| format!("{name}: missing {row}")));
        wrong.extend(have.difference(&want).map(|row| format!("{name}: unexpected {row}")));
        let id = inventory.distribution.as_ref().map(|distribution| distribution.id.as_str());
        if file["os"]["ID"].as_str() != id {
            wrong.push(format!("{name}: distribution {id:?}"));
        }
        if inventory.layers.len() as u64 != file["layers"].as_u64().unwrap_or_default() {
            wrong.push(format!("{name}: {} layers", inventory.layers.len()));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_docker_schema_2_directory_is_read() {
    let Some(shared) = shared() else { return };
    let inventory =
        take(&format!("dir:{}", shared.join("images/docker-v2s2-alpine-3.17/dir").display()), &Platform::linux_amd64());
    assert_eq!(inventory.packages.len(), 15, "{:?}", inventory.gaps);
}

#[test]
fn packages_name_the_layer_that_introduced_them() {
    let Some(shared) = shared() else { return };
    let inventory =
        take(&format!("oci:{}", shared.join("images/edge-whiteouts/oci").display()), &Platform::linux_amd64());
    let layer = |name: &str| {
        inventory.packages.iter().find(|p| p.name == name).and_then(|p| p.locations.first()).map(|l| l.layer)
    };
    assert_eq!((layer("musl"), layer("lodash")), (Some(4), Some(2)), "{:#?}", inventory.packages.last());
}

/// The table in the documentation is what the code does.
#[test]
fn the_coverage_table_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coverage.md");
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    let table = inventory::coverage_table();
    assert!(documented.contains(&table), "docs/coverage.md must contain:\n{table}");
}
