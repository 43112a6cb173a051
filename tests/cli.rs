//! The program from the outside: exit codes, files, messages.

#[path = "support/layers.rs"]
mod layers;
mod program;

use std::path::Path;

use plimsoll::model::{Code, GapKind, Outcome};
use program::{Scan, run, scan, scan_with, shared};

fn oci(shared: &Path, image: &str) -> String {
    format!("oci:{}", shared.join("images").join(image).join("oci").display())
}

fn code(scan: &Scan) -> Option<Code> {
    let of_image = scan.document.images.iter().find_map(|image| image.diagnosis.as_ref());
    of_image.or(scan.document.diagnoses.first()).map(|diagnosis| diagnosis.code)
}

#[test]
fn a_scan_with_findings_exits_0_and_leaves_every_report() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let scan = scan(&[&oci(&shared, "edge-whiteouts"), "--db", &database]);
    assert_eq!(scan.run.code, 0, "{}", scan.run.stderr);
    assert!(scan.run.stdout.contains("lodash"), "{}", scan.run.stdout);
    for name in ["plimsoll.json", "gl-container-scanning-report.json", "plimsoll.sarif"] {
        assert!(scan.json(name).is_object(), "{name}");
    }
    let bills: Vec<_> = std::fs::read_dir(scan.directory.path())
        .expect("the directory")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(bills.iter().any(|name| name.starts_with("gl-sbom-") && name.ends_with(".cdx.json")), "{bills:?}");
    assert!(!bills.iter().any(|name| name.ends_with(".tmp")), "{bills:?}");
    let gitlab = scan.json("gl-container-scanning-report.json");
    assert_eq!(gitlab["scan"]["status"], "success");
    assert_eq!(
        gitlab["vulnerabilities"].as_array().map(Vec::len),
        Some(2),
        "two of the three records are one vulnerability"
    );
}

#[test]
fn the_gate_passes_fails_and_refuses() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let scan = scan(&[&oci(&shared, "edge-whiteouts"), "--db", &database]);
    let report = scan.directory.path().join("plimsoll.json").display().to_string();
    for (policy, expected) in
        [("low", 1), ("package==lodash", 1), ("none", 0), ("critical && kev", 0), ("sevrity>=high", 2)]
    {
        let run = run(&["gate", "--report", &report, "--fail-on", policy], &[]);
        assert_eq!(run.code, expected, "{policy}: {}{}", run.stdout, run.stderr);
    }
    let missing = run(&["gate", "--report", "nothing.json"], &[]).expect(2);
    assert!(missing.stderr.contains("error[D30]"), "{}", missing.stderr);
}

#[test]
fn nothing_to_scan_exits_3_with_reports() {
    let scan = scan(&["--offline"]);
    assert_eq!(scan.run.code, 3, "{}", scan.run.stderr);
    assert_eq!(code(&scan), Some(Code::NothingToScan));
    assert_eq!(scan.json("gl-container-scanning-report.json")["scan"]["status"], "failure");
    let scan = scan_with(&["--offline"], &[("GITLAB_CI", "true"), ("CI_COMMIT_SHA", "abc")]);
    assert_eq!((scan.run.code, code(&scan)), (3, Some(Code::RegistryDisabled)), "{}", scan.run.stderr);
}

#[test]
fn an_image_without_packages_is_not_clean() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let scan = scan(&[&oci(&shared, "busybox-glibc"), "--db", &database]);
    assert_eq!((scan.run.code, code(&scan)), (3, Some(Code::NothingToScan)), "{}", scan.run.stderr);
    assert_eq!(scan.json("gl-container-scanning-report.json")["scan"]["status"], "failure");
}

#[test]
fn a_distribution_without_data_is_not_clean() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let scan = scan(&[&oci(&shared, "rpmdb-mariner-2.0-sqlite"), "--db", &database]);
    assert_eq!((scan.run.code, code(&scan)), (2, Some(Code::DatabaseUnavailable)), "{}", scan.run.stderr);
    assert_eq!(scan.image().inventory.as_ref().map(|inventory| inventory.packages.len()), Some(129));
}

#[test]
fn without_a_database_the_inventory_is_still_reported() {
    let Some(shared) = shared() else { return };
    for arguments in [vec!["--offline"], vec!["--db", "/nonexistent"]] {
        let image = oci(&shared, "alpine-3.20.3");
        let scan = scan(&[&[image.as_str()], arguments.as_slice()].concat());
        assert_eq!(
            (scan.run.code, code(&scan)),
            (2, Some(Code::DatabaseUnavailable)),
            "{arguments:?}: {}",
            scan.run.stderr
        );
        assert_eq!(
            scan.image().inventory.as_ref().map(|inventory| inventory.packages.len()),
            Some(14),
            "{arguments:?}"
        );
        assert!(scan.run.stderr.contains("error[D21]"), "{}", scan.run.stderr);
    }
}

/// Copies an OCI layout so that it can be damaged.
fn copy_layout(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a layout").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_layout(&entry.path(), &target);
        } else {
            std::fs::write(&target, std::fs::read(entry.path()).expect("a file")).expect("a copy");
        }
    }
}

fn largest_blob(layout: &Path) -> std::path::PathBuf {
    let blobs = std::fs::read_dir(layout.join("blobs/sha256")).expect("blobs").flatten();
    blobs.max_by_key(|blob| blob.metadata().map(|m| m.len()).unwrap_or(0)).expect("a blob").path()
}

#[test]
fn damaged_layers_are_diagnosed_and_the_rest_is_reported() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("truncated", |bytes| bytes.truncate(bytes.len() / 2)),
        ("a flipped byte", |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x55;
        }),
        ("empty", Vec::clear),
        ("garbage", |bytes| bytes.fill(0x41)),
    ];
    for (damage, apply) in damages {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let layout = directory.path().join("oci");
        copy_layout(&shared.join("images/alpine-3.20.3/oci"), &layout);
        let blob = largest_blob(&layout);
        let mut bytes = std::fs::read(&blob).expect("a blob");
        apply(&mut bytes);
        std::fs::write(&blob, bytes).expect("a damaged blob");
        let scan = scan(&[&format!("oci:{}", layout.display()), "--db", &database]);
        assert_eq!(scan.run.code, 2, "{damage}: {}", scan.run.stderr);
        assert_eq!(scan.document.outcome, Outcome::Failure, "{damage}");
        assert!(matches!(code(&scan), Some(Code::CorruptLayer | Code::DigestMismatch)), "{damage}: {:?}", code(&scan));
        assert_eq!(scan.json("gl-container-scanning-report.json")["scan"]["status"], "failure", "{damage}");
        assert!(!scan.run.stdout.contains("0 vulnerabilities"), "{damage}: {}", scan.run.stdout);
    }
}

#[test]
fn wrong_input_is_refused_with_a_code_and_a_fix() {
    for (arguments, expected) in [
        (vec!["scan", "UPPER/case", "--offline"], "error[D30]"),
        (vec!["scan", "oci:/nonexistent", "--offline"], "error[D31]"),
        (vec!["scan", "dir:/nonexistent", "--offline"], "error[D31]"),
        (vec!["scan", "docker-archive:/nonexistent.tar", "--offline"], "error[D31]"),
        (vec!["scan", "dir:/nonexistent", "--format", "pdf"], "error[D30]"),
        (vec!["scan", "dir:/nonexistent", "--output", "x"], "error[D30]"),
        (vec!["gate", "--fail-on", "high &&"], "error[D30]"),
        (vec!["compare-versions", "slackware", "1", "2"], "error[D30]"),
        (vec!["db", "build", "--from", "/nonexistent", "--to", "db"], "error[D21]"),
    ] {
        let run = run(&arguments, &[]);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(expected), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn one_report_goes_to_standard_output() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let image = oci(&shared, "edge-whiteouts");
    let run = run(&["scan", &image, "--db", &database, "--format", "json", "--output", "-", "--quiet"], &[]).expect(0);
    let document: serde_json::Value =
        serde_json::from_slice(run.stdout.as_bytes()).expect("only the report is on standard output");
    assert_eq!(document["format"], "plimsoll-scan-1");
}

#[test]
fn versions_are_compared_on_request() {
    for (arguments, expected) in [
        (vec!["compare-versions", "deb", "1.0~rc1", "1.0"], "<\n"),
        (vec!["compare-versions", "npm", "1.2.3", "--in", ">=1.2,<2"], "in\n"),
        (vec!["compare-versions", "npm", "2.0.0", "--in", ">=1.2,<2"], "out\n"),
        (vec!["compare-versions", "go", "(devel)", "1.0.0"], "invalid\n"),
    ] {
        assert_eq!(run(&arguments, &[]).expect(0).stdout, expected, "{arguments:?}");
    }
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell], &[]).expect(0).stdout;
        for part in ["compare-versions", "retest", "fail-on", "max-db-age"] {
            assert!(script.contains(part), "{shell} does not complete {part}");
        }
    }
    let page = run(&["manual"], &[]).expect(0).stdout;
    assert!(page.contains(".TH plimsoll 1") && page.contains("plimsoll\\-scan(1)"), "{page}");
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("man").display().to_string();
    run(&["manual", "--to", &place], &[]).expect(0);
    for (file, part) in [("plimsoll-scan.1", "ignore\\-unfixed"), ("plimsoll-db-push.1", "DIR")] {
        let page = std::fs::read_to_string(format!("{place}/{file}")).expect(file);
        assert!(page.contains(part), "{file}: {page}");
    }
}

#[test]
fn an_explanation_leads_from_the_evidence_to_the_verdict() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let image = oci(&shared, "edge-whiteouts");
    let scan = scan(&[&image, "--db", &database]);
    let report = scan.directory.path().join("plimsoll.json").display().to_string();
    let id = scan.image().findings.first().expect("a finding").id.clone();
    for arguments in [vec![id.as_str(), image.as_str()], vec![id.as_str(), "--report", &report]] {
        let all = [&["explain"], arguments.as_slice(), &["--db", &database, "--quiet"]].concat();
        let text = run(&all, &[]).expect(0).stdout;
        for part in [
            ": found in 1 package",
            "lodash",
            "AFFECTED",
            "evidence",
            "package.json, layer ",
            "osv ",
            " < ",
            "(decides)",
            "upgrade to",
            "severity",
        ] {
            assert!(text.contains(part), "{arguments:?}: no `{part}` in\n{text}");
        }
    }
    for (id, expected) in
        [("CVE-2021-44228", "npm: has nothing about it"), ("cve-1999-99999", "no feed of this database describes it")]
    {
        let text = run(&["explain", id, &image, "--db", &database, "--quiet"], &[]).expect(0).stdout;
        assert!(text.contains("not found") && text.contains(expected), "{id}: {text}");
    }
    let wrong = run(&["explain", "no id", &image], &[]).expect(2);
    assert!(wrong.stderr.contains("error[D30]"), "{}", wrong.stderr);
}

#[test]
fn suppressed_findings_are_counted_and_listed_on_request() {
    let Some(shared) = shared() else { return };
    let database = program::database_of(&shared, &["debian"]);
    let database = database.path().display().to_string();
    let image = oci(&shared, "large-debian-12-pkgdb");
    let short = scan(&[&image, "--db", &database]);
    let suppressed = &short.image().suppressed;
    assert!(!suppressed.is_empty());
    let counted = format!("Suppressed {}:", suppressed.len());
    assert!(short.run.stdout.contains(&counted), "{}", short.run.stdout);
    let long = scan(&[&image, "--db", &database, "--show-suppressed"]);
    let first = &suppressed.first().expect("one").finding;
    assert!(
        long.run.stdout.contains(&first.id) && !short.run.stdout.contains("headers of the kernel: "),
        "{}",
        long.run.stdout
    );
    let results = long.json("plimsoll.sarif")["runs"][0]["results"].as_array().cloned().unwrap_or_default();
    assert!(results.iter().any(|result| result["suppressions"].is_array()));
}

#[test]
fn a_second_scan_with_a_cache_needs_no_layers() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let layout = directory.path().join("layout");
    copy(&shared.join("images/edge-whiteouts/oci"), &layout);
    let (source, cache) = (format!("oci:{}", layout.display()), directory.path().join("cache").display().to_string());
    let arguments = [source.as_str(), "--db", &database, "--cache-dir", &cache];
    let cold = scan(&arguments);
    assert_eq!(cold.run.code, 0, "{}", cold.run.stderr);
    let inventory = |scan: &Scan| scan.document.images[0].inventory.clone().expect("an inventory");
    for layer in inventory(&cold).layers {
        let digest = layer.digest.expect("a digest");
        std::fs::remove_file(layout.join("blobs/sha256").join(digest.hex())).expect("a blob");
    }
    let warm = scan(&arguments);
    assert_eq!(warm.run.code, 0, "{}", warm.run.stderr);
    assert_eq!(inventory(&warm), inventory(&cold));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::write(target, std::fs::read(entry.path()).expect("a file")).expect("a copy");
        }
    }
}

/// A release without support is not clean, however little is said about it.
#[test]
fn the_end_of_support_is_said() {
    let Some(shared) = shared() else { return };
    let database = program::database_of(&shared, &["osv", "endoflife"]);
    let database = database.path().display().to_string();
    for (image, is_over) in [("debian-11-minbase-pkgdb", true), ("debian-12-minbase", false)] {
        let source = format!("oci:{}", shared.join("images").join(image).join("oci").display());
        let scan = scan(&[&source, "--db", &database]);
        let gaps = scan.image().inventory.as_ref().map(|inventory| inventory.gaps.clone()).unwrap_or_default();
        let said = gaps.iter().any(|gap| gap.kind == GapKind::EndOfLife);
        assert_eq!(said, is_over, "{image}: {gaps:?}");
        assert_eq!(scan.run.stdout.contains("no security updates since 20"), is_over, "{}", scan.run.stdout);
    }
}

#[test]
fn a_bill_of_materials_stands_for_an_image_and_other_files_are_refused() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("written");
        format!("sbom:{}", path.display())
    };
    let document = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
        {"type":"library","name":"lodash","version":"4.17.4","purl":"pkg:npm/lodash@4.17.4"}]}"#;
    let found = scan(&[&write("a.cdx.json", document), "--db", &database]);
    assert_eq!(found.run.code, 0, "{}", found.run.stderr);
    assert!(found.run.stdout.contains("lodash"), "{}", found.run.stdout);
    for source in [write("other.json", "{}"), write("text", "no JSON"), "sbom:missing.json".to_owned()] {
        let refused = scan(&[&source, "--db", &database]);
        assert_eq!((refused.run.code, code(&refused)), (2, Some(Code::SourceUnreadable)), "{source}");
    }
    let source = write("large.cdx.json", document);
    for (size, expected) in [(document.len(), None), (document.len() - 1, Some(Code::LimitExceeded))] {
        let found = scan_with(&[&source, "--db", &database], &[("PLIMSOLL_LIMITS", &format!("sbom_size={size}"))]);
        assert_eq!(code(&found), expected, "{size}");
    }
}

#[test]
fn programs_without_a_package_are_judged_and_the_system_is_a_gap() {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let (feeds, database) = (directory.path().join("feeds/osv"), directory.path().join("db"));
    std::fs::create_dir_all(&feeds).expect("a folder");
    let record = serde_json::json!({"id": "BIT-nginx-2021-23017", "aliases": ["CVE-2021-23017"],
        "modified": "2026-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "Bitnami", "name": "nginx"},
        "ranges": [{"type": "SEMVER", "events": [{"introduced": "0.6.18"}, {"fixed": "1.20.1"}]}]}]});
    std::fs::write(feeds.join("nginx.json"), record.to_string()).expect("written");
    let (from, to) = (directory.path().join("feeds").display().to_string(), database.display().to_string());
    run(&["db", "build", "--from", &from, "--to", &to], &[]).expect(0);
    let bill = serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [
        {"type": "application", "name": "nginx", "version": "1.20.0", "purl": "pkg:generic/nginx@1.20.0"}]});
    let path = directory.path().join("bill.cdx.json");
    std::fs::write(&path, bill.to_string()).expect("written");
    let scan = scan(&[&format!("sbom:{}", path.display()), "--db", &to]);
    assert_eq!((scan.run.code, scan.document.outcome), (0, Outcome::Success), "{}", scan.run.stderr);
    let found: Vec<_> = scan.image().findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(found, ["CVE-2021-23017"]);
    let gaps = scan.image().inventory.iter().flat_map(|inventory| &inventory.gaps);
    assert_eq!(gaps.filter(|gap| gap.kind == GapKind::UnknownDistribution).count(), 1);
}

/// A layout with an index: npm's lodash 4.17.15 for amd64, a version without flaws for arm64, the first again for s390x.
fn index_of_platforms() -> layers::Layout {
    let layout = layers::Layout::new();
    let image = |version: &str, architecture: &str| {
        let package = format!(r#"{{"name":"lodash","version":"{version}","license":"MIT"}}"#);
        let layer = layers::Tar::default().file("app/node_modules/lodash/package.json", package.as_bytes()).end();
        layout.image(&[layer], "linux", architecture)
    };
    let on = |image: &str, os: &str, architecture: &str| {
        format!(r#"{{{image},"platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#)
    };
    let (old, new) = (image("4.17.15", "amd64"), image("4.17.21", "arm64"));
    let entries = [
        on(&old, "linux", "amd64"),
        on(&new, "linux", "arm64"),
        on(&old, "linux", "s390x"),
        on(&new, "unknown", "unknown"),
    ];
    let index = layout.blob(format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(",")).as_bytes());
    layout.index(&[index]);
    layout
}

#[test]
fn each_platform_that_is_wanted_is_a_subject_of_its_own() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let layout = index_of_platforms();
    let source = format!("oci:{}", layout.path().display());
    let (amd64, arm64) = (format!("{source} (linux/amd64)"), format!("{source} (linux/arm64)"));
    let names = |scan: &Scan| scan.document.images.iter().map(|image| image.name.clone()).collect::<Vec<_>>();

    let one = scan(&[&source, "--db", &database]);
    assert_eq!((one.run.code, names(&one)), (0, vec![source.clone()]), "{}", one.run.stderr);
    assert!(one.run.stderr.contains("linux/amd64 is scanned, of 3 platforms"), "{}", one.run.stderr);

    let both = scan(&[&source, "--db", &database, "--platform", "linux/arm64,linux/amd64"]);
    assert_eq!((both.run.code, names(&both)), (0, vec![arm64.clone(), amd64.clone()]), "{}", both.run.stderr);
    assert!(both.document.images[0].findings.len() < both.document.images[1].findings.len());
    assert!(!both.run.stderr.contains("is scanned, of"), "{}", both.run.stderr);

    // Attestations are no platforms, and what is the same image is taken once.
    let all = scan_with(&[&source, "--db", &database], &[("PLIMSOLL_PLATFORM", "all")]);
    assert_eq!((all.run.code, names(&all)), (0, vec![amd64.clone(), arm64.clone()]), "{}", all.run.stderr);
    assert!(all.run.stderr.contains("linux/s390x is the same image as"), "{}", all.run.stderr);
    assert_eq!(all.image().findings, one.image().findings);
    let report = all.json("gl-container-scanning-report.json");
    let place = report["vulnerabilities"][0]["location"]["image"].as_str().expect("an image");
    assert!(place.ends_with(":local-linux-amd64"), "{place}");
    for name in ["index.html", "summary.md", "plimsoll.sarif", "plimsoll-junit.xml"] {
        let path = all.directory.path().join(name);
        let Ok(text) = std::fs::read_to_string(&path) else { panic!("no {name}") };
        assert!(text.contains("(linux/amd64)"), "{name}");
    }
    let listed = std::fs::read_dir(all.directory.path()).expect("the folder").flatten();
    let boms = listed.map(|entry| entry.file_name().display().to_string()).filter(|name| name.ends_with(".cdx.json"));
    let mut boms: Vec<String> = boms.collect();
    boms.sort();
    assert!(boms.len() == 2 && boms[0].contains("linux-amd64") && boms[1].contains("linux-arm64"), "{boms:?}");

    // What is not there fails, and the other is scanned all the same.
    let missing = scan(&[&source, "--db", &database, "--platform", "linux/amd64,linux/riscv64"]);
    assert_eq!((missing.run.code, names(&missing).len()), (2, 2), "{}", missing.run.stderr);
    assert!(missing.image().diagnosis.is_none());
    let diagnosis = missing.document.images[1].diagnosis.as_ref().map(|diagnosis| diagnosis.code);
    assert_eq!(diagnosis, Some(Code::PlatformMissing));
    assert_eq!(missing.image().findings, one.image().findings);

    // An image without an index is what it is.
    let plain = oci(&shared, "edge-whiteouts");
    let scanned = scan(&[&plain, "--db", &database, "--platform", "linux/amd64,linux/arm64"]);
    assert_eq!((scanned.run.code, names(&scanned)), (0, vec![plain]), "{}", scanned.run.stderr);

    // A baseline is compared platform by platform.
    let compared = scan(&[&source, "--db", &database, "--platform", "all", "--baseline", &source]);
    let comparison = compared.document.comparison.as_ref().expect("a comparison");
    let pairs: Vec<_> = comparison.images.iter().map(|change| (&change.name, &change.baseline)).collect();
    assert_eq!(pairs, [(&amd64, &amd64), (&arm64, &arm64)]);
    assert!(comparison.images.iter().all(|change| change.fixed.is_empty()));
}

#[test]
fn a_report_can_be_made_of_some_findings_and_says_so() {
    let Some(shared) = shared() else { return };
    let database = program::osv_database(&shared).display().to_string();
    let layout = index_of_platforms();
    let source = format!("oci:{}", layout.path().display());
    let scan = scan(&[&source, "--db", &database]);
    let folder = scan.directory.path();
    let report = |arguments: &[&str]| {
        let arguments: Vec<&str> = std::iter::once("report").chain(arguments.iter().copied()).collect();
        program::run_in(folder, &arguments, &[])
    };
    let all = scan.image().findings.len();
    let high =
        scan.image().findings.iter().filter(|finding| finding.severity >= plimsoll::model::Severity::High).count();
    assert!(0 < high && high < all, "{high} of {all}");
    let word = format!("FILTERED — {} finding{} left out", all - high, if all - high == 1 { "" } else { "s" });

    let whole = report(&[]).expect(0);
    assert!(!whole.stdout.contains("FILTERED") && whole.stdout.contains("lodash"), "{}", whole.stdout);
    let table = report(&["--where", "severity>=high"]).expect(0);
    assert!(table.stdout.contains(&word) && table.stdout.contains("`severity>=high`"), "{}", table.stdout);

    // Every report says so; the scan document is not among them.
    let before = std::fs::read(folder.join("plimsoll.json")).expect("the document");
    report(&["--where", "severity>=high", "--out", "some"]).expect(0);
    assert!(!folder.join("some/plimsoll.json").exists());
    let mut told = 0;
    for entry in std::fs::read_dir(folder.join("some")).expect("the folder").flatten() {
        let name = entry.file_name().display().to_string();
        let text = std::fs::read_to_string(entry.path()).expect("text");
        if !name.ends_with(".env") {
            assert!(text.contains(&word), "{name}");
            told += 1;
        }
    }
    assert!(told >= 7, "{told} reports");
    let gitlab = std::fs::read(folder.join("some/gl-container-scanning-report.json")).expect("a report");
    let gitlab: serde_json::Value = serde_json::from_slice(&gitlab).expect("JSON");
    assert_eq!(gitlab["vulnerabilities"].as_array().map(Vec::len), Some(high));

    // By name it is written, but not over the whole one, and what matches nothing or is wrong is told.
    report(&["--where", "severity>=high", "--format", "json", "--output", "some.json"]).expect(0);
    for place in [["--output", "plimsoll.json"], ["--out", "."]] {
        let over = report(&[&["--where", "high", "--format", "json"], &place[..]].concat()).expect(2);
        assert!(over.stderr.contains("is the scan document itself"), "{}", over.stderr);
    }
    assert_eq!(std::fs::read(folder.join("plimsoll.json")).expect("the document"), before);
    let none = report(&["--where", "package==no-such"]).expect(0);
    assert!(none.stdout.contains(&format!("FILTERED — {all} findings left out")), "{}", none.stdout);
    let wrong = report(&["--where", "severty>=high"]).expect(2);
    assert!(wrong.stderr.contains("the policy given by --where is wrong"), "{}", wrong.stderr);
    let gap = report(&["--where", "high || coverage_gap"]).expect(2);
    assert!(gap.stderr.contains("which is no finding"), "{}", gap.stderr);

    // A document that does not list all packages, as a retest writes it, makes no bill of materials.
    let mut partial = scan.document.clone();
    partial.images[0].packages = Some(999);
    std::fs::write(folder.join("partial.json"), serde_json::to_vec(&partial).unwrap()).unwrap();
    report(&["--report", "partial.json", "--out", "partial"]).expect(0);
    let files = std::fs::read_dir(folder.join("partial")).expect("the folder").flatten();
    let names: Vec<String> = files.map(|entry| entry.file_name().display().to_string()).collect();
    assert!(names.len() >= 8 && !names.iter().any(|name| name.contains("sbom")), "{names:?}");
    let refused = report(&["--report", "partial.json", "--format", "spdx"]).expect(2);
    assert!(refused.stderr.contains("lists packages with findings only"), "{}", refused.stderr);
}
