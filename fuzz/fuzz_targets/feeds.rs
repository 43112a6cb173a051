//! A file of an advisory feed. The first byte chooses the feed, the first line after it is the path.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::advisories::{FEEDS, Sink};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return };
    let Ok(path) = std::str::from_utf8(&rest[..end]) else { return };
    let feed = FEEDS[usize::from(choice) % FEEDS.len()];
    let _ = feed.read(path, &rest[end + 1..], &mut Sink::new(None, path.to_owned()));
});
