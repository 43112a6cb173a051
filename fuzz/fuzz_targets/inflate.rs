//! Inflating agrees with zlib on every input: the same bytes, or both refuse.

#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use plimsoll::image::inflate::inflate_slice;

const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let mut expected = Vec::new();
    let read = flate2::bufread::DeflateDecoder::new(data).take(LIMIT as u64 + 1).read_to_end(&mut expected);
    match inflate_slice(data, LIMIT) {
        Ok(found) => assert!(read.is_ok() && found == expected, "zlib says otherwise"),
        Err(error) => assert!(read.is_err() || expected.len() > LIMIT, "{error}, zlib reads it"),
    }
});
