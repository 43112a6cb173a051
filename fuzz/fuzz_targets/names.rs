//! Names that people and variables give: what is understood is written back as it was meant.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::assess::policy::Policy;
use plimsoll::image::Source;
use plimsoll::model::{Digest, ImageReference, Platform};

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<ImageReference>() {
        assert_eq!(reference.to_string().parse(), Ok(reference));
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string().parse(), Ok(platform));
    }
    let _ = text.parse::<Source>();
    let _ = Policy::parse(text);
});
