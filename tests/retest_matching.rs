//! What was found for the packages of one image is remembered for the next: with that memory, every real image has exactly
//! the findings that it has without, whatever was judged before.

mod program;

use std::path::PathBuf;

use plimsoll::advisories::Database;
use plimsoll::image::{self, NoProgress, Source};
use plimsoll::inventory;
use plimsoll::matching::{Matched, Memo, match_inventory, match_with};
use plimsoll::model::{Inventory, Limits, Platform};
use program::shared;

/// The inventories of all images of the test data, and variants of each that lack some packages, or have them elsewhere.
fn inventories() -> Option<Vec<(String, Inventory)>> {
    let entries = std::fs::read_dir(shared()?.join("images")).expect("images");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("oci")).collect();
    paths.sort();
    let limits = Limits::default();
    let mut all = Vec::new();
    for path in paths.into_iter().filter(|path| path.is_dir()) {
        let name = path.display().to_string();
        let source = Source::OciLayout { path, tag: None };
        let Ok(image) = [Platform::linux_amd64(), "linux/arm64".parse().unwrap()]
            .iter()
            .map(|platform| image::open(&source, platform, &limits, None))
            .find(Result::is_ok)
            .unwrap_or_else(|| image::open(&source, &Platform::linux_amd64(), &limits, None))
        else {
            continue;
        };
        let whole = inventory::take(&image, &limits, &NoProgress);
        let mut fewer = whole.clone();
        let mut number = 0;
        fewer.packages.retain(|_| {
            number += 1;
            number % 7 != 3
        });
        let mut turned = whole.clone();
        turned.packages.reverse();
        turned.packages.iter_mut().for_each(|package| package.locations.truncate(1));
        let mut changed = whole.clone();
        for package in changed.packages.iter_mut().step_by(5) {
            package.version.push('0');
            package.arch = None;
        }
        let mut moved = whole.clone();
        if let Some(distribution) = &mut moved.distribution {
            distribution.version.push('1');
        }
        for (what, inventory) in
            [("whole", whole), ("fewer", fewer), ("turned", turned), ("changed", changed), ("moved", moved)]
        {
            all.push((format!("{name}, {what}"), inventory));
        }
    }
    Some(all)
}

fn assert_same(what: &str, one: &Matched, other: &Matched) {
    assert_eq!(one.findings, other.findings, "{what}");
    assert_eq!(one.suppressed, other.suppressed, "{what}");
    assert_eq!(one.coverage, other.coverage, "{what}");
    assert_eq!(one.gaps, other.gaps, "{what}");
}

#[test]
fn a_memo_changes_no_result() {
    let Some(inventories) = inventories() else { return };
    let database = program::osv_database(&shared().expect("test data"));
    let database = Database::open(database).expect("a database");
    let expected: Vec<Matched> =
        inventories.iter().map(|(_, inventory)| match_inventory(inventory, &database).expect("readable")).collect();
    assert!(inventories.len() >= 60 && expected.iter().any(|matched| matched.findings.len() > 100));
    // So large that all is kept, so small that it is emptied again and again, and too small for anything.
    for (bytes, turns) in [(usize::MAX, 2), (200_000, 1), (10, 1)] {
        let memo = Memo::new(bytes);
        // Forwards, then backwards: what is known differs each time.
        for turn in 0..turns {
            let mut order: Vec<usize> = (0..inventories.len()).collect();
            if turn == 1 {
                order.reverse();
            }
            for index in order {
                let (what, inventory) = &inventories[index];
                let matched = match_with(inventory, &database, Some(&memo)).expect("readable");
                assert_same(&format!("{what}, turn {turn}, {bytes} bytes"), &expected[index], &matched);
            }
        }
    }
}

#[test]
fn threads_share_a_memo() {
    let Some(inventories) = inventories() else { return };
    let database = program::osv_database(&shared().expect("test data"));
    let database = Database::open(database).expect("a database");
    let matched = |(_, inventory): &(String, Inventory)| match_inventory(inventory, &database).expect("readable");
    let expected: Vec<Matched> = inventories.iter().map(matched).collect();
    let memo = Memo::new(1 << 20);
    std::thread::scope(|scope| {
        for part in 0..2 {
            let (inventories, expected, database, memo) = (&inventories, &expected, &database, &memo);
            scope.spawn(move || {
                for ((what, inventory), expected) in inventories.iter().zip(expected).skip(part) {
                    let matched = match_with(inventory, database, Some(memo)).expect("readable");
                    assert_same(what, expected, &matched);
                }
            });
        }
    });
}
