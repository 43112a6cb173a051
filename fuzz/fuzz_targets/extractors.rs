//! One file of an image, under a path that an extractor wants. The first line of the input is the path.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::inventory::extractor::extract_bytes;

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|&byte| byte == b'\n') else { return };
    let Ok(path) = std::str::from_utf8(&data[..end]) else { return };
    let _ = extract_bytes(path, &data[end + 1..]);
});
