//! Runs the built program as a user would, and reads what it left behind.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use plimsoll::model::{ImageScan, ScanDocument};
use tempfile::TempDir;

/// The folder with real images, feeds and schemas: `PLIMSOLL_TEST_DATA`, else `../shared`. Without it tests that need
/// it say so and pass; with `CI=true` they fail.
pub fn shared() -> Option<PathBuf> {
    let given = std::env::var_os("PLIMSOLL_TEST_DATA").map(PathBuf::from);
    let path = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    if path.join("images").is_dir() {
        return path.canonicalize().ok();
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "the test data is missing: {}", path.display());
    eprintln!("ignored: no test data at {}", path.display());
    None
}

/// What a run of the program left.
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Fails with all output unless the exit code is the expected one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

/// The program with an empty environment but for `variables`, in a working directory of its own.
pub fn run_in(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(arguments)
        .env_clear()
        .env("HOME", directory)
        .envs(variables.iter().copied())
        .current_dir(directory)
        .output()
        .expect("the program starts");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The same in a temporary directory.
pub fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let directory = TempDir::new().expect("a temporary directory");
    run_in(directory.path(), arguments, variables)
}

/// A scan and everything it wrote.
pub struct Scan {
    /// The run.
    pub run: Run,
    /// `plimsoll.json`.
    pub document: ScanDocument,
    /// Where the reports are.
    pub directory: TempDir,
}

impl Scan {
    /// The first image.
    pub fn image(&self) -> &ImageScan {
        self.document.images.first().expect("an image")
    }

    /// A report, parsed as JSON.
    pub fn json(&self, name: &str) -> serde_json::Value {
        let bytes = std::fs::read(self.directory.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// Scans with the given arguments and variables; whatever the exit code, the document must be there.
pub fn scan_with(arguments: &[&str], variables: &[(&str, &str)]) -> Scan {
    let directory = TempDir::new().expect("a temporary directory");
    let arguments: Vec<&str> = std::iter::once("scan").chain(arguments.iter().copied()).collect();
    let run = run_in(directory.path(), &arguments, variables);
    let bytes = std::fs::read(directory.path().join("plimsoll.json"));
    let bytes = bytes.unwrap_or_else(|error| panic!("no document: {error}\n{}\n{}", run.stdout, run.stderr));
    let document = serde_json::from_slice(&bytes).expect("the document can be read back");
    Scan { run, document, directory }
}

/// [`scan_with`] without variables.
pub fn scan(arguments: &[&str]) -> Scan {
    scan_with(arguments, &[])
}

/// A database of the OSV exports, what the expectations beside the images were made from. Built once per test binary.
pub fn osv_database(shared: &Path) -> &'static Path {
    static DATABASE: OnceLock<TempDir> = OnceLock::new();
    DATABASE.get_or_init(|| database_of(shared, &["osv"])).path()
}

/// A database of some of the feeds.
pub fn database_of(shared: &Path, feeds: &[&str]) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    let from = directory.path().join("feeds");
    std::fs::create_dir(&from).expect("a folder");
    for feed in feeds {
        std::os::unix::fs::symlink(shared.join("feeds").join(feed), from.join(feed)).expect("a link");
    }
    let to = TempDir::new().expect("a temporary directory");
    let (from, target) = (from.display().to_string(), to.path().display().to_string());
    run(&["db", "build", "--from", &from, "--to", &target], &[]).expect(0);
    to
}
