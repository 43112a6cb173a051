//! An entry of the cache of layers, of any content under a checksum that is right: it is used or not, nothing else. The
//! first byte chooses the entry that is replaced, two more are the length of the first part.

#![no_main]

#[path = "../support/entries.rs"]
mod entries;
#[path = "../support/files.rs"]
mod files;
#[path = "../support/images.rs"]
mod images;
#[path = "../support/kept.rs"]
mod kept;
#[path = "../../tests/support/programs.rs"]
mod programs;

use std::fs;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use plimsoll::image::NoProgress;
use plimsoll::inventory;
use plimsoll::model::Limits;

fn sound() -> &'static kept::Kept {
    static KEPT: OnceLock<kept::Kept> = OnceLock::new();
    KEPT.get_or_init(|| kept::fill(&std::env::temp_dir().join(format!("plimsoll-fuzz-{}", std::process::id()))))
}

fuzz_target!(|data: &[u8]| {
    let Some((&[choice, low, high], rest)) = data.split_first_chunk() else { return };
    let (first, second) = rest.split_at(usize::from(u16::from_le_bytes([low, high])).min(rest.len()));
    let kept = sound();
    let replaced = usize::from(choice) % kept.entries.len();
    for (number, (path, sound)) in kept.entries.iter().enumerate() {
        if number == replaced {
            fs::write(path, kept::entry(first, second)).expect("a file that can be written");
        } else if path.to_string_lossy().ends_with("-image") {
            // Where the whole image is known, its layers are not asked for.
            let _ = fs::remove_file(path);
        } else {
            fs::write(path, sound).expect("a file that can be written");
        }
    }
    let found = inventory::take_cached(&kept.image, &Limits::default(), &NoProgress, Some(&kept.cache));
    serde_json::to_vec(&found).expect("an inventory can be written");
});
