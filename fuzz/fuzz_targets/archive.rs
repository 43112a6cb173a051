//! An image archive of any form: manifests, configuration, compression, tar entries and everything inside them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::image::{self, NoProgress, Source};
use plimsoll::inventory;
use plimsoll::model::{Limits, Platform};

fuzz_target!(|data: &[u8]| {
    let path = std::env::temp_dir().join(format!("plimsoll-fuzz-{}.tar", std::process::id()));
    std::fs::write(&path, data).expect("a file that can be written");
    let source: Source = format!("archive://{}", path.display()).parse().expect("a source");
    let limits = Limits::default();
    if let Ok(image) = image::open(&source, &Platform::linux_amd64(), &limits, None) {
        let inventory = inventory::take(&image, &limits, &NoProgress);
        serde_json::to_vec(&inventory).expect("an inventory can be written");
    }
});
