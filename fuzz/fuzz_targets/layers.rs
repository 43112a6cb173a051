//! One to three layers of entries of any kind: the walk, the overlay, the merge, logs of databases and the cache. Unlike
//! `archive`, the input has no checksums and digests that a change would break. Its first byte says how the layers are
//! stored, and whether they are read through a cache, too.

#![no_main]

#[path = "../support/entries.rs"]
mod entries;
#[path = "../support/images.rs"]
mod images;

use libfuzzer_sys::fuzz_target;
use plimsoll::image::{self, NoProgress, Source};
use plimsoll::inventory::{self, LayerCache};
use plimsoll::model::{Limits, Platform};

use images::Packing;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, entries)) = data.split_first() else { return };
    let layers = entries::layers(entries);
    let packing = Packing::ALL[usize::from(choice & 3) % Packing::ALL.len()];
    let archive = match choice & 4 {
        0 => images::docker_archive(&layers, packing),
        _ => images::oci_archive(&layers, packing),
    };
    let folder = std::env::temp_dir().join(format!("plimsoll-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a directory");
    let path = folder.join("image.tar");
    std::fs::write(&path, archive).expect("a file that can be written");
    let source: Source = format!("archive://{}", path.display()).parse().expect("a source");
    let limits = Limits::default();
    let image = image::open(&source, &Platform::linux_amd64(), &limits, None).expect("an image");
    let found = inventory::take(&image, &limits, &NoProgress);
    serde_json::to_vec(&found).expect("an inventory can be written");
    if choice & 8 != 0 {
        let directory = folder.join("cache");
        let cache = LayerCache::new(&directory);
        let take = || inventory::take_cached(&image, &limits, &NoProgress, Some(&cache));
        assert_eq!(take(), found, "with a cache that knows nothing");
        assert_eq!(take(), found, "with a cache that knows the image");
        let reader = std::fs::read_dir(directory.join("layers")).into_iter().flatten().flatten();
        let entries = reader.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().ends_with("-image")) {
            std::fs::remove_file(entry.path()).expect("a file that can be removed");
        }
        assert_eq!(take(), found, "with a cache that knows the layers");
        let _ = std::fs::remove_dir_all(&directory);
    }
});
