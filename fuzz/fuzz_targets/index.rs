//! A shard of the database with damage: every look-up answers or fails, nothing else. The input is a list of changes,
//! four bytes of offset and one of content each.

#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use plimsoll::advisories::{BuildOptions, Database, Folder, build};

/// A database made from the example advisories.
struct Sound {
    directory: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
}

fn sound() -> &'static Sound {
    static DATABASE: OnceLock<Sound> = OnceLock::new();
    DATABASE.get_or_init(|| {
        let directory = std::env::temp_dir().join(format!("plimsoll-fuzz-{}", std::process::id()));
        let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/advisories");
        build(&Folder::new(examples), &directory, &BuildOptions::default()).expect("a database");
        let files = std::fs::read_dir(&directory).expect("a directory").flatten().map(|entry| entry.path());
        let files =
            files.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(path).expect("a file")));
        Sound { files: files.collect(), directory }
    })
}

fuzz_target!(|data: &[u8]| {
    let Sound { directory, files } = sound();
    for (path, sound) in files {
        let mut content = sound.clone();
        for change in data.chunks_exact(5) {
            let offset = u32::from_le_bytes([change[0], change[1], change[2], change[3]]) as usize;
            let length = content.len().max(1);
            if let Some(byte) = content.get_mut(offset % length) {
                *byte = change[4];
            }
        }
        std::fs::write(path, content).expect("a file that can be written");
    }
    let Ok(database) = Database::open(directory) else { return };
    for status in database.shards() {
        let Ok(Some(shard)) = database.shard(&status.name) else { continue };
        for key in ["lodash", "openssl", "curl", "glibc", "requests", "CVE-2021-44228"] {
            let _ = shard.lookup(key);
            let _ = shard.details(key);
        }
    }
    let _ = database.cve_facts("CVE-2021-44228");
});
