//! Our bills of materials hold the inventory: what is read back is what was written.

use plimsoll::inventory::bom;
use plimsoll::model::{GapKind, Inventory, Limits, Location};

use super::{all, documents, files};

const FORMATS: [&str; 2] = ["cyclonedx", "spdx"];

/// What a scan makes of an image before it is matched, in its order.
fn taken(mut inventory: Inventory) -> Inventory {
    // Matching tells the first two each time; that nobody knows the system is told by a scan, which these documents lack.
    let is_told_again =
        |kind| matches!(kind, GapKind::NoAdvisories | GapKind::NotComparable | GapKind::UnknownDistribution);
    inventory.gaps.retain(|gap| !is_told_again(gap.kind));
    for package in &mut inventory.packages {
        // A text that is empty says nothing, and no extractor says it.
        package.licenses.retain(|license| !license.is_empty());
        package.source = package.source.take().filter(|source| !source.name.is_empty());
        for text in [&mut package.vendor, &mut package.module, &mut package.owned_by] {
            *text = text.take().filter(|text| !text.is_empty());
        }
    }
    inventory.packages.sort_by(|a, b| (a.kind, &a.name, &a.version).cmp(&(b.kind, &b.name, &b.version)));
    inventory
}

#[track_caller]
fn assert_same(back: &Inventory, inventory: &Inventory, what: &str) {
    let odd = back.packages.iter().zip(&inventory.packages).find(|(a, b)| a != b);
    assert!(odd.is_none(), "{what}: {odd:#?}");
    let rest = |inventory: &Inventory| Inventory { packages: Vec::new(), ..inventory.clone() };
    assert_eq!(rest(back), rest(inventory), "{what}");
    assert_eq!(back.packages.len(), inventory.packages.len(), "{what}");
}

#[test]
fn inventories_come_back_as_they_were() {
    for (what, document) in all() {
        let inventories: Vec<&Inventory> =
            document.images.iter().filter_map(|image| image.inventory.as_ref()).collect();
        for format in FORMATS {
            let files = files(format, &document);
            assert_eq!(files.len(), inventories.len(), "{format} of {what}");
            for ((name, text), inventory) in files.iter().zip(&inventories) {
                let back = bom::read(text.as_bytes(), "a.json", &Limits::default()).unwrap();
                assert_same(&taken(back), &taken((*inventory).clone()), &format!("{name} of {what}"));
            }
        }
    }
}

/// Every character that may stand in a path, and what looks as if it were escaped.
#[test]
fn paths_of_any_text_come_back_and_steer_nothing() {
    let mut document = documents::typical();
    document.images.truncate(1);
    let inventory = document.images[0].inventory.as_mut().unwrap();
    let steering =
        ['\u{7f}', '\u{85}', '\u{61c}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{fffe}', '\u{1b}'];
    let paths = steering.iter().map(|c| format!("app/a{c}b/package.json"));
    let paths = paths.chain(["a\tb", "a\nb", "a%09b", "a%b", "%%41", "100%", "ä %e2%80%ae"].map(str::to_owned));
    inventory.packages[0].locations = paths.map(|path| Location { path, layer: 1 }).collect();
    let inventory = inventory.clone();
    for format in FORMATS {
        let text = &files(format, &document)[0].1;
        let back = bom::read(text.as_bytes(), "a.json", &Limits::default()).unwrap();
        assert_same(&taken(back), &taken(inventory.clone()), format);
        assert!(!text.contains(&steering[..]), "{format}");
    }
}
