//! A database as one file, of any content: imported or refused, nothing else; and keys of any text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::advisories::{Cache, PublicKeys, SigningKey, delivery};

fuzz_target!(|data: &[u8]| {
    let folder = std::env::temp_dir().join(format!("plimsoll-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a directory");
    let file = folder.join("database.tar");
    std::fs::write(&file, data).expect("a file that can be written");
    let to = folder.join("to");
    let _ = delivery::import(&file, Some(&to), None, &Cache::new(folder.join("cache")), None);
    let _ = (PublicKeys::from_pem(data), SigningKey::from_pem(data));
});
