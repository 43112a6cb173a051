//! Version order: comparing never fails, both ways agree, and a version equals itself. The first byte chooses the
//! scheme; a tab parts the two versions.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::version::{Constraint, Scheme, compare};

fuzz_target!(|text: &str| {
    let Some(choice) = text.bytes().next().filter(u8::is_ascii) else { return };
    let scheme = Scheme::ALL[usize::from(choice) % Scheme::ALL.len()];
    let (a, b) = text[1..].split_once('\t').unwrap_or((&text[1..], "1"));
    assert_eq!(compare(scheme, a, b), compare(scheme, b, a).map(std::cmp::Ordering::reverse));
    if let Some(order) = compare(scheme, a, a) {
        assert!(order.is_eq(), "{scheme}: `{a}` is not equal to itself");
    }
    if let Ok(constraint) = Constraint::parse(scheme, a) {
        let _ = constraint.contains(b);
    }
});
