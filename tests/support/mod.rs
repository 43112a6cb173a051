//! A registry with GitLab's token flow on this machine's loopback, for tests.
//!
//! [`Bench`] is Debian's `docker-registry` behind a [`TokenService`] that behaves like GitLab's `/jwt/auth`, with
//! certificates of a private authority, filled by `skopeo`. A [`Front`] stands before it and misbehaves on demand.
//! Where a program or the test data is missing, a test that needs it is skipped; with `CI=true` it fails.

// Each test binary uses a part of this.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports)]

pub mod bench;
pub mod front;
pub mod gitlab;
pub mod http;
pub mod keys;
pub mod layout;
pub mod plain_registry;
pub mod token_service;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use bench::Bench;
pub use front::Front;
pub use gitlab::GitLabDouble;
pub use plain_registry::PlainRegistry;

/// A file or folder of the test data (`PLIMSOLL_TEST_DATA`, else `../shared`); `None` means: skip this test.
pub fn test_data(path: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let found = std::env::var_os("PLIMSOLL_TEST_DATA").map_or(default, PathBuf::from).join(path);
    if found.exists() { Some(found) } else { skip(&format!("test data `{}`", found.display())) }
}

/// Says what is missing, as a reason to skip a test; fails where nothing may be missing.
pub fn skip<T>(what: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "missing: {what}");
    eprintln!("skipped: missing: {what}");
    None
}

/// Whether a program is installed.
pub fn has_program(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

/// Runs a program to its end and returns what it wrote; fails with its messages if it fails.
pub fn run(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
