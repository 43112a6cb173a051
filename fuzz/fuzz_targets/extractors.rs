//! One file of an image, under a path that an extractor wants. The first line of the input is the path. What follows is
//! read as a bill of materials in place of an image, too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::inventory::bom;
use plimsoll::inventory::extractor::extract_bytes;
use plimsoll::model::Limits;

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|&byte| byte == b'\n') else { return };
    let Ok(path) = std::str::from_utf8(&data[..end]) else { return };
    let _ = extract_bytes(path, &data[end + 1..]);
    let _ = bom::read(&data[end + 1..], path, &Limits::default());
});
