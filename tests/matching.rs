//! Matching from the outside: made-up records of each distribution and ecosystem, made-up inventories, and what must
//! come of them.

mod program;

#[path = "matching/errata.rs"]
mod errata;
#[path = "matching/java.rs"]
mod java;
#[path = "matching/rpm.rs"]
mod rpm;
#[path = "matching/suppressed.rs"]
mod suppressed;

use std::path::Path;

use plimsoll::advisories::{BuildOptions, Database, Folder, build};
use plimsoll::matching::{Matched, Said, Verdict, explain, match_inventory};
use plimsoll::model::{
    CoverageStatus, Distribution, FixState, GapKind, ImageIdentity, Inventory, KnownBy, Location, Package, PackageKind,
    Severity, SourcePackage, SuppressionReason,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A database of feed files, given by their paths in the upstreams' layout.
fn database(files: &[(&str, Value)]) -> (TempDir, Database) {
    let directory = TempDir::new().expect("a temporary directory");
    let feeds = directory.path().join("feeds");
    for (path, content) in files {
        let path = feeds.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        // A text is a file that is no JSON.
        let content = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
        std::fs::write(path, content).expect("written");
    }
    let to = directory.path().join("db");
    build(&Folder::new(&feeds), &to, &BuildOptions::default()).expect("a database");
    let database = Database::open(&to).expect("opened");
    (directory, database)
}

/// An OSV record about one package with one range from the beginning.
fn osv(id: &str, ecosystem: &str, name: &str, fixed: Option<&str>, more: Value) -> Value {
    let mut events = vec![json!({"introduced": "0"})];
    events.extend(fixed.map(|version| json!({"fixed": version})));
    let mut record = json!({"id": id, "modified": "2026-01-01T00:00:00Z", "affected": [
        {"package": {"ecosystem": ecosystem, "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]});
    for (key, value) in more.as_object().into_iter().flatten() {
        record[key] = value.clone();
    }
    record
}

fn distribution(id: &str, version: &str) -> Distribution {
    Distribution {
        id: id.into(),
        version: version.into(),
        name: format!("{id} {version}"),
        codename: None,
        id_like: vec![],
        repository_release: None,
        content_sets: vec![],
    }
}

fn package(kind: PackageKind, name: &str, version: &str) -> Package {
    let locations = vec![Location { path: "var/lib/db".into(), layer: 0 }];
    Package { locations, ..Package::new(kind, name, version) }
}

fn of_source(name: &str, version: &str, package: Package) -> Package {
    Package { source: Some(SourcePackage { name: name.into(), version: version.into() }), ..package }
}

fn inventory(distribution: Option<Distribution>, packages: Vec<Package>) -> Inventory {
    Inventory { image: ImageIdentity::default(), distribution, layers: vec![], packages, gaps: vec![], base: None }
}

fn matched(inventory: &Inventory, database: &Database) -> Matched {
    match_inventory(inventory, database).expect("a sound database")
}

/// `id fix` of each finding, and `id reason` of each suppressed one.
fn told(matched: &Matched) -> (Vec<String>, Vec<String>) {
    let findings = matched.findings.iter().map(|finding| {
        let fix = finding.fix.version.clone().unwrap_or_else(|| format!("{:?}", finding.fix.state));
        format!("{} {} {fix}", finding.id, finding.package.name)
    });
    let suppressed =
        matched.suppressed.iter().map(|s| format!("{} {} {:?}", s.finding.id, s.finding.package.name, s.reason));
    (findings.collect(), suppressed.collect())
}

#[test]
fn each_distribution_is_judged_by_its_own_data_and_names() {
    let debian = json!({"openssl": {
        "CVE-2024-1": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.11-1", "urgency": "high"}}},
        "CVE-2024-2": {"releases": {"bookworm": {"status": "open", "urgency": "low", "nodsa": "Minor", "nodsa_reason": "ignored"}}},
        "CVE-2024-3": {"releases": {"bookworm": {"status": "open", "urgency": "low", "nodsa": "Minor", "nodsa_reason": "postponed"}}},
        "CVE-2024-4": {"releases": {"bookworm": {"status": "open", "urgency": "unimportant", "nodsa": "Minor"}}},
        "CVE-2024-5": {"releases": {"bookworm": {"status": "undetermined"}}},
        "CVE-2024-6": {"releases": {"bookworm": {"status": "open", "urgency": "end-of-life"}}},
        "CVE-2024-7": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "0"}}},
        "CVE-2024-8": {"releases": {"trixie": {"status": "resolved", "fixed_version": "9"}, "bookworm": {"status": "open"}}},
        "CVE-2024-9": {"releases": {"bookworm": {"status": "open", "fixed_version": "3.0.10-1", "nodsa": "Minor", "nodsa_reason": "ignored"}}}}});
    let secdb = |fixes: Value| json!({"packages": [{"pkg": {"name": "openssl", "secfixes": fixes}}]});
    let ubuntu = |ecosystem: &str, id: &str, fixed, status: Value| {
        let mut record = osv(id, ecosystem, "openssl", fixed, json!({}));
        record["affected"][0]["ecosystem_specific"] = status;
        record
    };
    let (_directory, database) = database(&[
        ("debian/tracker/data/json", debian),
        ("alpine-secdb/v3.20/main.json", secdb(json!({"3.3.2-r0": ["CVE-2024-1"], "0": ["CVE-2024-2"]}))),
        ("alpine-secdb/edge/main.json", secdb(json!({"3.3.3-r0": ["CVE-2024-9"]}))),
        ("osv/a.json", ubuntu("Ubuntu:22.04:LTS", "UBUNTU-CVE-2024-1", Some("3.0.2-0ubuntu1.12"), json!({}))),
        ("osv/b.json", ubuntu("Ubuntu:22.04:LTS", "UBUNTU-CVE-2024-2", None, json!({"ubuntu_status": "deferred"}))),
        ("osv/c.json", ubuntu("Ubuntu:22.04:LTS", "UBUNTU-CVE-2024-3", None, json!({"ubuntu_status": "needed"}))),
        ("osv/d.json", ubuntu("Ubuntu:Pro:22.04:LTS", "UBUNTU-CVE-2024-4", Some("3.0.2-0ubuntu1.9+esm1"), json!({}))),
        (
            "osv/e.json",
            osv(
                "ALSA-2024:1",
                "AlmaLinux:9",
                "openssl-libs",
                Some("1:3.0.7-25.el9"),
                json!({"related": ["CVE-2024-1"]}),
            ),
        ),
        (
            "osv/f.json",
            osv(
                "ALSA-2024:2",
                "AlmaLinux:9",
                "openssl-libs",
                Some("1:3.0.7-27.el9"),
                json!({"related": ["CVE-2024-1"]}),
            ),
        ),
        (
            "osv/g.json",
            osv(
                "RLSA-2024:1",
                "Rocky Linux:9",
                "openssl-libs",
                Some("1:3.0.7-24.el9"),
                json!({"related": ["CVE-2024-2"]}),
            ),
        ),
    ]);
    let deb = |version| of_source("openssl", version, package(PackageKind::Deb, "libssl3", version));
    let apk = |version| of_source("openssl", version, package(PackageKind::Apk, "libssl3", version));
    let rpm = |version| of_source("openssl", "3.0.7-24.el9", package(PackageKind::Rpm, "openssl-libs", version));
    let edge = Distribution { repository_release: Some("edge".into()), ..distribution("alpine", "3.20.3") };
    for (system, package, expected) in [
        (
            distribution("debian", "12"),
            deb("3.0.9-1"),
            &[
                "CVE-2024-1 libssl3 3.0.11-1",
                "CVE-2024-2 libssl3 WillNotFix",
                "CVE-2024-3 libssl3 Deferred",
                "CVE-2024-8 libssl3 NotFixed",
                "CVE-2024-6 libssl3 EndOfLife",
                "CVE-2024-4 libssl3 NotFixed",
                "CVE-2024-9 libssl3 3.0.10-1",
            ][..],
        ),
        (distribution("alpine", "3.20.3"), apk("3.3.1-r0"), &["CVE-2024-1 libssl3 3.3.2-r0"]),
        (distribution("alpine", "3.20.3"), apk("3.3.2-r0"), &[]),
        (edge, apk("3.3.1-r0"), &["CVE-2024-9 libssl3 3.3.3-r0"]),
        (
            distribution("ubuntu", "22.04"),
            deb("3.0.2-0ubuntu1.9"),
            &["CVE-2024-1 libssl3 3.0.2-0ubuntu1.12", "CVE-2024-2 libssl3 Deferred", "CVE-2024-3 libssl3 NotFixed"],
        ),
        (
            distribution("ubuntu", "22.04"),
            deb("3.0.2-0ubuntu1.9~esm1"),
            &[
                "CVE-2024-1 libssl3 3.0.2-0ubuntu1.12",
                "CVE-2024-2 libssl3 Deferred",
                "CVE-2024-3 libssl3 NotFixed",
                "CVE-2024-4 libssl3 3.0.2-0ubuntu1.9+esm1",
            ],
        ),
        // The newest fix of several for one CVE; another rebuild's advisories do not count.
        (distribution("almalinux", "9.3"), rpm("1:3.0.7-24.el9"), &["CVE-2024-1 openssl-libs 1:3.0.7-27.el9"]),
        (distribution("rocky", "9.3"), rpm("1:3.0.7-24.el9"), &[]),
        (distribution("rocky", "9.3"), rpm("1:3.0.7-23.el9"), &["CVE-2024-2 openssl-libs 1:3.0.7-24.el9"]),
    ] {
        let name = format!("{} {}", system.id, package.version);
        let inventory = inventory(Some(system), vec![package]);
        let mut findings = told(&matched(&inventory, &database)).0;
        let mut expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        findings.sort();
        expected.sort();
        assert_eq!(findings, expected, "{name}");
    }
}

#[test]
fn names_of_one_flaw_that_a_feed_lists_apart_are_one_finding() {
    let secdb = json!({"packages": [{"pkg": {"name": "argo-cd", "secfixes": {
        "2.9.3-r0": ["CVE-2023-1", "GHSA-2aaa-bbbb-cccc", "GHSA-3xxx-yyyy-zzzz", "CVE-2023-2"]}}}]});
    let known = osv(
        "GHSA-2aaa-bbbb-cccc",
        "Go",
        "github.com/argoproj/argo-cd/v2",
        Some("2.9.3"),
        json!({"aliases": ["CVE-2023-1"]}),
    );
    let (_directory, database) = database(&[("alpine-secdb/wolfi/os.json", secdb), ("osv/Go/known.json", known)]);
    let packages = vec![package(PackageKind::Apk, "argo-cd", "2.9.2-r0")];
    let inventory = inventory(Some(distribution("wolfi", "20230201")), packages);
    let matched = matched(&inventory, &database);
    let mut ids: Vec<_> = matched.findings.iter().map(|finding| finding.identifiers.join(" ")).collect();
    ids.sort();
    assert_eq!(ids, ["CVE-2023-1 GHSA-2aaa-bbbb-cccc", "CVE-2023-2", "GHSA-3xxx-yyyy-zzzz"]);
}

#[test]
fn names_of_language_packages_are_those_of_their_ecosystem() {
    let affected =
        |ecosystem: &str, name: &str| osv("GHSA-1", ecosystem, name, Some("2.0.0"), json!({"aliases": ["CVE-2024-1"]}));
    for (kind, ecosystem, advisory, installed, version, is_found) in [
        (PackageKind::Pypi, "PyPI", "flask-login", "Flask_Login", "1.0", true),
        (PackageKind::Pypi, "PyPI", "Flask.Login", "flask-login", "1.0", true),
        (PackageKind::Npm, "npm", "@babel/core", "@babel/core", "1.0.0", true),
        (PackageKind::Npm, "npm", "@babel/core", "core", "1.0.0", false),
        (PackageKind::Maven, "Maven", "org.apache:log4j", "org.apache:log4j", "1.0", true),
        (PackageKind::Maven, "Maven", "org.apache:log4j", "org.example:log4j", "1.0", false),
        (PackageKind::Golang, "Go", "github.com/a/b/v2", "github.com/a/b/v2", "v1.5.0", true),
        (PackageKind::Golang, "Go", "github.com/a/b", "github.com/a/b/v2", "v1.5.0", false),
        (PackageKind::Golang, "Go", "github.com/a/b", "github.com/a/b", "v1.5.0+incompatible", true),
        (PackageKind::Golang, "Go", "stdlib", "stdlib", "1.21.3", true),
        (PackageKind::Nuget, "NuGet", "Newtonsoft.Json", "newtonsoft.json", "1.0.0", true),
        (PackageKind::Composer, "Packagist", "Symfony/Http-Kernel", "symfony/http-kernel", "1.0.0", true),
        (PackageKind::Gem, "RubyGems", "rack", "rack", "1.0", true),
        (PackageKind::Golang, "Go", "gopkg.in/yaml.v3", "gopkg.in/yaml.v3", "v1.0.0", true),
        (PackageKind::Golang, "Go", "gopkg.in/yaml.v2", "gopkg.in/yaml.v3", "v1.0.0", false),
        (PackageKind::Golang, "Go", "github.com/a/b", "github.com/a/b", "v0.0.0-20210101000000-abcdefabcdef", true),
        (PackageKind::Golang, "Go", "toolchain", "stdlib", "1.21.3", false),
        (PackageKind::Nuget, "NuGet", "newtonsoft.json", "Newtonsoft.Json", "1.0.0", true),
        (PackageKind::Nuget, "NuGet", "Newtonsoft.Json", "Newtonsoft-Json", "1.0.0", false),
        (PackageKind::Pypi, "PyPI", "flask-login", "flasklogin", "1.0", false),
        (PackageKind::Npm, "npm", "lodash", "Lodash", "1.0.0", false),
        (PackageKind::Cargo, "crates.io", "time", "time", "1.0.0", true),
        (PackageKind::Cargo, "crates.io", "serde_yaml", "serde-yaml", "1.0.0", false),
        (PackageKind::Hex, "Hex", "phoenix", "phoenix", "1.0.0", true),
        (PackageKind::Pub, "Pub", "http", "http", "1.0.0", true),
        (PackageKind::Bitnami, "Bitnami", "java", "java", "1.0.0", true),
        (PackageKind::Generic, "Bitnami", "java", "java", "1.0.0", true),
        (PackageKind::Generic, "Bitnami", "python", "python", "1.0.0", true),
        (PackageKind::Generic, "Bitnami", "node", "node", "1.0.0", true),
    ] {
        let (_directory, database) = database(&[("osv/one.json", affected(ecosystem, advisory))]);
        let inventory = inventory(None, vec![package(kind, installed, version)]);
        let found = matched(&inventory, &database).findings.len();
        assert_eq!(found, usize::from(is_found), "{ecosystem} {advisory} {installed} {version}");
    }
}

#[test]
fn malicious_packages_are_critical_and_withdrawn_records_are_none() {
    let malicious = osv("MAL-2024-1", "npm", "evil", None, json!({"database_specific": {"severity": "LOW"}}));
    let withdrawn = osv("GHSA-2", "npm", "evil", None, json!({"withdrawn": "2024-01-01T00:00:00Z"}));
    let (_directory, database) = database(&[("osv/a.json", malicious), ("osv/b.json", withdrawn)]);
    let inventory = inventory(None, vec![package(PackageKind::Npm, "evil", "1.0.0")]);
    let findings = matched(&inventory, &database).findings;
    let told: Vec<_> = findings.iter().map(|finding| (finding.id.as_str(), finding.severity)).collect();
    assert_eq!(told, [("MAL-2024-1", Severity::Critical)]);
}

#[test]
fn what_must_not_count_is_suppressed_with_its_reason() {
    let debian = json!({
        "python-requests": {"CVE-2024-1": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "2.28.1-1"}}}},
        "linux": {"CVE-2024-2": {"releases": {"bookworm": {"status": "open"}}}},
        "docker": {"CVE-2024-3": {"releases": {"bookworm": {"status": "open"}}}},
        "openssl": {"CVE-2024-4": {"releases": {"bookworm": {"status": "open"}}}}});
    let requests = osv("GHSA-1", "PyPI", "requests", Some("2.31.0"), json!({"aliases": ["CVE-2024-1"]}));
    let other = osv("GHSA-5", "PyPI", "requests", Some("2.31.0"), json!({"aliases": ["CVE-2024-5"]}));
    let devel = osv("GHSA-6", "Go", "example.com/app", Some("1.0.0"), json!({"aliases": ["CVE-2024-6"]}));
    let (_directory, database) = database(&[
        ("debian/tracker/data/json", debian),
        ("osv/a.json", requests),
        ("osv/b.json", other),
        ("osv/c.json", devel),
    ]);
    let owned =
        |owner: &str| Package { owned_by: Some(owner.into()), ..package(PackageKind::Pypi, "requests", "2.28.1") };
    let of_commit = |known_by| Package {
        known_by,
        ..package(PackageKind::Golang, "example.com/app", "v0.0.0-20240229181848-0123456789ab")
    };
    let third_party = |package: Package| Package { third_party: true, vendor: Some("Example Inc.".into()), ..package };
    let python = of_source("python-requests", "2.28.1-1", package(PackageKind::Deb, "python3-requests", "2.28.1-1"));
    let debian = |packages| inventory(Some(distribution("debian", "12")), packages);
    for (what, packages, findings, suppressed) in [
        (
            "owned, and the distribution covers the name",
            vec![python.clone(), owned("python3-requests 2.28.1-1")],
            &[][..],
            &["CVE-2024-1 requests OwnedByOsPackage", "CVE-2024-5 requests OwnedByOsPackage"][..],
        ),
        (
            "owned by a package of a third party",
            vec![third_party(python), owned("python3-requests 2.28.1-1")],
            &["CVE-2024-1 requests 2.31.0", "CVE-2024-5 requests 2.31.0"],
            &[],
        ),
        (
            "owned, and the distribution has no data about the owner",
            vec![package(PackageKind::Deb, "in-house", "1"), owned("in-house 1")],
            &["CVE-2024-1 requests 2.31.0", "CVE-2024-5 requests 2.31.0"],
            &[],
        ),
        (
            "a package of a third party",
            vec![third_party(package(PackageKind::Deb, "docker", "1"))],
            &[],
            &["CVE-2024-3 docker ThirdPartyPackage"],
        ),
        (
            "headers of the kernel",
            vec![of_source("linux", "6.1-1", package(PackageKind::Deb, "linux-libc-dev", "6.1-1"))],
            &[],
            &["CVE-2024-2 linux-libc-dev KernelHeaders"],
        ),
        (
            "a version that cannot be compared",
            vec![package(PackageKind::Golang, "example.com/app", "(devel)")],
            &[],
            &["CVE-2024-6 example.com/app NotComparable"],
        ),
        (
            "one version, of a dependency and of the commit that a program was built from",
            vec![of_commit(None), of_commit(Some(KnownBy::Commit))],
            &["CVE-2024-6 example.com/app 1.0.0"],
            &["CVE-2024-6 example.com/app NotComparable"],
        ),
    ] {
        let matched = matched(&debian(packages), &database);
        let (mut have, mut aside) = told(&matched);
        have.sort();
        aside.sort();
        assert_eq!((have, aside), (owned_text(findings), owned_text(suppressed)), "{what}");
        for suppressed in &matched.suppressed {
            assert!(suppressed.explanation.len() > 20, "{what}: {}", suppressed.explanation);
        }
        let incomparable = matched.gaps.iter().any(|gap| gap.kind == GapKind::NotComparable);
        let expected = matched.suppressed.iter().any(|s| s.reason == SuppressionReason::NotComparable);
        assert_eq!(incomparable, expected, "{what}");
    }
}

fn owned_text(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_fixed_version_of_another_numbering_is_named_as_the_sources() {
    let debian = json!({"gcc-defaults": {"CVE-2024-1": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "1.204"}}}}});
    let (_directory, database) = database(&[("debian/tracker/data/json", debian)]);
    let gcc = of_source("gcc-defaults", "1.203", package(PackageKind::Deb, "gcc", "4:12.2.0-3"));
    let matched = matched(&inventory(Some(distribution("debian", "12")), vec![gcc]), &database);
    let fix = matched.findings.first().map(|finding| finding.fix.clone()).expect("a finding");
    assert_eq!(
        (fix.state, fix.version.as_deref(), fix.source.as_deref()),
        (FixState::Fixed, Some("1.204"), Some("gcc-defaults"))
    );
    assert_eq!(fix.version_in_words().as_deref(), Some("1.204 (of source gcc-defaults)"));
}

#[test]
fn kinds_that_nobody_publishes_advisories_for_are_not_taken_for_judged() {
    let (_directory, database) = database(&[("osv/a.json", osv("GHSA-1", "npm", "p", None, json!({})))]);
    let packages = vec![package(PackageKind::Generic, "nginx", "1.25.0"), package(PackageKind::Npm, "q", "1.0.0")];
    let matched = matched(&inventory(None, packages), &database);
    let coverage: Vec<_> = matched.coverage.iter().map(|c| (c.shard.as_str(), c.packages, c.status)).collect();
    assert_eq!(coverage, [("generic", 1, CoverageStatus::NoData), ("npm", 1, CoverageStatus::Covered)]);
    assert!(matched.gaps.iter().any(|gap| gap.kind == GapKind::NoAdvisories && gap.subject == "generic"));
}

#[test]
fn programs_without_a_package_are_judged_by_records_of_their_upstream_versions() {
    let record = osv("BIT-nginx-2023-1", "Bitnami", "nginx", Some("1.25.3"), json!({"aliases": ["CVE-2023-1"]}));
    let (_directory, database) = database(&[("osv/a.json", record)]);
    let program = |name, version| package(PackageKind::Generic, name, version);
    let packages = vec![
        program("nginx", "1.25.0"),
        program("busybox", "1.36.1"),
        // A build of Bitnami's is no pre-release.
        package(PackageKind::Bitnami, "nginx", "1.25.3-2"),
    ];
    let inventory = inventory(None, packages);
    let matched = matched(&inventory, &database);
    assert_eq!(told(&matched).0, ["CVE-2023-1 nginx 1.25.3"]);
    let coverage: Vec<_> = matched.coverage.iter().map(|c| (c.kind, c.shard.as_str(), c.packages, c.status)).collect();
    assert_eq!(
        coverage,
        [
            (PackageKind::Bitnami, "bitnami", 1, CoverageStatus::Covered),
            (PackageKind::Generic, "bitnami", 1, CoverageStatus::Covered),
            (PackageKind::Generic, "generic", 1, CoverageStatus::NoData),
        ]
    );
}

#[test]
fn chainguard_and_distroless_are_judged_as_what_they_are_made_of() {
    let secdb = json!({"packages": [{"pkg": {"name": "openssl", "secfixes": {"3.3.2-r0": ["CVE-2024-1"], "0": ["CVE-2024-2"]}}}]});
    let debian = json!({"openssl": {"CVE-2024-3": {"releases": {"bookworm": {"status": "open"}}}}});
    let (_directory, database) =
        database(&[("alpine-secdb/chainguard/os.json", secdb), ("debian/tracker/data/json", debian)]);
    let of_openssl = |kind, version| of_source("openssl", version, package(kind, "libssl3", version));
    // Distroless images name Debian's release, and keep each package's description in a file of its own.
    let mut distroless = of_openssl(PackageKind::Deb, "3.0.9-1");
    distroless.locations[0].path = "var/lib/dpkg/status.d/libssl3".into();
    for (system, package, expected) in [
        (
            distribution("chainguard", "20230214"),
            of_openssl(PackageKind::Apk, "3.3.1-r0"),
            "CVE-2024-1 libssl3 3.3.2-r0",
        ),
        (distribution("debian", "12"), distroless, "CVE-2024-3 libssl3 NotFixed"),
    ] {
        let inventory = inventory(Some(system), vec![package]);
        assert_eq!(told(&matched(&inventory, &database)).0, [expected]);
    }
}

#[test]
fn ubuntus_lines_for_subscribers_do_not_mix_with_the_plain_one() {
    let (_directory, database) = database(&[
        ("osv/a.json", osv("UBUNTU-CVE-2024-1", "Ubuntu:22.04:LTS", "openssl", Some("3.0.2-0ubuntu1.17"), json!({}))),
        (
            "osv/b.json",
            osv("UBUNTU-CVE-2024-2", "Ubuntu:Pro:22.04:LTS", "openssl", Some("3.0.2-0ubuntu1.10+esm1"), json!({})),
        ),
        (
            "osv/c.json",
            osv(
                "UBUNTU-CVE-2024-1",
                "Ubuntu:Pro:FIPS-updates:22.04:LTS",
                "openssl",
                Some("3.0.2-0ubuntu1.17+Fips1"),
                json!({}),
            ),
        ),
    ]);
    for (version, expected) in [
        ("3.0.2-0ubuntu1.16", &["CVE-2024-1 libssl3 3.0.2-0ubuntu1.17"][..]),
        ("3.0.2-0ubuntu1.17", &[]),
        (
            "3.0.2-0ubuntu1.10~esm1",
            &["CVE-2024-1 libssl3 3.0.2-0ubuntu1.17", "CVE-2024-2 libssl3 3.0.2-0ubuntu1.10+esm1"],
        ),
        ("3.0.2-0ubuntu1.16+Fips1", &["CVE-2024-1 libssl3 3.0.2-0ubuntu1.17+Fips1"]),
        ("3.0.2-0ubuntu1.17+Fips1", &[]),
    ] {
        let openssl = of_source("openssl", version, package(PackageKind::Deb, "libssl3", version));
        let inventory = inventory(Some(distribution("ubuntu", "22.04")), vec![openssl]);
        let mut found = told(&matched(&inventory, &database)).0;
        found.sort();
        assert_eq!(found, owned_text(expected), "{version}");
    }
}

#[test]
fn what_a_record_leaves_unclear_is_taken_as_affected_and_told() {
    let contradictory = |id: &str, name: &str, events: Value| {
        let mut record = osv(id, "npm", name, None, json!({}));
        record["affected"][0]["ranges"][0]["events"] = events;
        record
    };
    let (_directory, database) = database(&[
        ("osv/a.json", contradictory("GHSA-1", "a", json!([{"introduced": "2.0.0"}, {"fixed": "not a version"}]))),
        ("osv/b.json", contradictory("GHSA-2", "b", json!([{"introduced": "2.0.0"}, {"fixed": "1.0.0"}]))),
        ("osv/c.json", osv("GHSA-3", "npm", "c", Some("1.0.0"), json!({}))),
    ]);
    for (name, version, statement, gap) in [
        ("a", "2.1.0", Some(("GHSA-1", "`not a version`")), None),
        ("b", "2.1.0", Some(("GHSA-2", "before its start")), None),
        (
            "c",
            "next",
            None,
            Some("`next` is not a version that npm can order; 1 advisories about it were not compared (GHSA-3)"),
        ),
    ] {
        let matched = matched(&inventory(None, vec![package(PackageKind::Npm, name, version)]), &database);
        let told = matched.findings.iter().flat_map(|finding| &finding.statements).next();
        match statement {
            Some((record, words)) => {
                let told = told.expect("a finding");
                assert_eq!(told.advisory, record);
                assert!(told.comparison.contains(words), "{}", told.comparison);
            }
            None => assert!(told.is_none(), "{name} {version}"),
        }
        let gaps: Vec<_> = matched.gaps.iter().map(|gap| (gap.subject.as_str(), gap.reason.as_str())).collect();
        let subject = format!("{name} {version}");
        assert_eq!(gaps, gap.map(|reason| (subject.as_str(), reason)).into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn an_explanation_tells_found_and_not_found_from_the_records() {
    let debian = json!({"openssl": {
        "CVE-2024-1": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.11-1", "urgency": "high"}}},
        "CVE-2024-2": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.8-1"}}}}});
    let advisory =
        osv("DSA-1-1", "Debian:12", "openssl", Some("3.0.11-1"), json!({"upstream": ["CVE-2024-1", "CVE-2024-2"]}));
    let pro = osv("UBUNTU-CVE-2024-3", "Ubuntu:Pro:22.04:LTS", "openssl", Some("3.0.11-1+esm1"), json!({}));
    let (_directory, database) =
        database(&[("debian/tracker/data/json", debian), ("osv/a.json", advisory), ("osv/b.json", pro)]);
    let openssl = of_source("openssl", "3.0.9-1", package(PackageKind::Deb, "libssl3", "3.0.9-1"));
    let debian = inventory(Some(distribution("debian", "12")), vec![openssl.clone()]);
    let ubuntu = inventory(Some(distribution("ubuntu", "22.04")), vec![openssl]);
    for (id, inventory, found, records) in [
        (
            "CVE-2024-1",
            &debian,
            1,
            &[
                ("CVE-2024-1", Said::Affected, true, "3.0.9-1 < 3.0.11-1 (deb)"),
                ("DSA-1-1", Said::Affected, false, "3.0.9-1 < 3.0.11-1 (deb)"),
            ][..],
        ),
        (
            "CVE-2024-2",
            &debian,
            0,
            &[
                ("CVE-2024-2", Said::NotAffected, true, "3.0.9-1 >= 3.0.8-1 (deb)"),
                ("DSA-1-1", Said::Affected, false, "3.0.9-1 < 3.0.11-1 (deb)"),
            ],
        ),
        (
            "DSA-1-1",
            &debian,
            1,
            &[
                ("CVE-2024-1", Said::Affected, true, "3.0.9-1 < 3.0.11-1 (deb)"),
                ("CVE-2024-2", Said::NotAffected, true, "3.0.9-1 >= 3.0.8-1 (deb)"),
                ("DSA-1-1", Said::Affected, false, "3.0.9-1 < 3.0.11-1 (deb)"),
            ],
        ),
        (
            "CVE-2024-3",
            &ubuntu,
            0,
            &[(
                "UBUNTU-CVE-2024-3",
                Said::NotConcerned,
                false,
                "it is about packages from `esm`, which this one is not",
            )],
        ),
        ("CVE-2024-99", &debian, 0, &[]),
    ] {
        let matched = matched(inventory, &database);
        let explanation = explain(id, inventory, &matched, &database).expect("an explanation");
        let case = explanation.cases.first();
        let told: Vec<_> = case
            .map_or(&[][..], |case| &case.records)
            .iter()
            .map(|r| (r.advisory.as_str(), r.said, r.decides, r.comparison.as_str()))
            .collect();
        assert_eq!(told, records, "{id}");
        let findings = match case.map(|case| &case.verdict) {
            Some(Verdict::Found(findings)) => findings.len(),
            _ => 0,
        };
        assert_eq!(findings, found, "{id}");
        assert_eq!(explanation.lookups.len(), 1, "{id}");
    }
}

#[test]
fn an_explanation_says_why_something_was_not_found() {
    let (_directory, database) = database(&[
        (
            "osv/a.json",
            osv("GHSA-1", "npm", "absent", Some("1.0.0"), json!({"summary": "s", "aliases": ["CVE-2024-1"]})),
        ),
        ("osv/b.json", osv("GHSA-2", "npm", "here", Some("1.0.0"), json!({"aliases": ["CVE-2024-2"]}))),
        ("osv/c.json", osv("GHSA-3", "npm", "odd", Some("1.0.0"), json!({"aliases": ["CVE-2024-3"]}))),
        ("osv/d.json", osv("GHSA-4", "npm", "here", None, json!({"withdrawn": "2024-01-01T00:00:00Z"}))),
    ]);
    let packages = vec![
        package(PackageKind::Npm, "here", "1.0.0"),
        package(PackageKind::Npm, "odd", "next"),
        package(PackageKind::Gem, "rack", "1.0"),
    ];
    let inventory = inventory(None, packages);
    let matched = matched(&inventory, &database);
    // Whether the npm data describes it, the records about installed packages, and whether something was set aside.
    for (what, id, describes, records, suppressed) in [
        ("for another package", "GHSA-1", true, &[][..], false),
        ("not affected", "CVE-2024-2", false, &[(Said::NotAffected, "1.0.0 >= 1.0.0 (npm)")], false),
        (
            "no version",
            "CVE-2024-3",
            false,
            &[(Said::NotComparable, "`next` is no version that can be ordered (npm)")],
            true,
        ),
        ("withdrawn", "GHSA-4", false, &[], false),
        ("unknown", "CVE-1999-1", false, &[], false),
    ] {
        let explanation = explain(id, &inventory, &matched, &database).expect("an explanation");
        let case = explanation.cases.first();
        let told: Vec<_> =
            case.iter().flat_map(|case| &case.records).map(|r| (r.said, r.comparison.as_str())).collect();
        assert_eq!(told, records, "{what}");
        let is_suppressed = matches!(case.map(|case| &case.verdict), Some(Verdict::Suppressed(_)));
        assert_eq!(is_suppressed, suppressed, "{what}");
        let asked: Vec<_> =
            explanation.lookups.iter().map(|l| (l.shard.as_str(), l.has_data, l.describes_it)).collect();
        assert_eq!(asked, [("npm", true, describes), ("rubygems", false, false)], "{what}");
    }
}

#[test]
fn a_damaged_database_is_an_error_not_a_clean_image() {
    let (directory, _) = database(&[("osv/a.json", osv("GHSA-1", "npm", "p", None, json!({})))]);
    let shards = std::fs::read_dir(directory.path().join("db")).expect("a folder").flatten();
    for file in shards.filter(|file| file.file_name() != "catalogue.json") {
        damage(&file.path());
    }
    let inventory = inventory(None, vec![package(PackageKind::Npm, "p", "1.0.0")]);
    let result =
        Database::open(&directory.path().join("db")).and_then(|database| match_inventory(&inventory, &database));
    assert!(result.is_err(), "{result:?}");
}

fn damage(path: &Path) {
    if let Ok(mut bytes) = std::fs::read(path) {
        bytes.iter_mut().for_each(|byte| *byte = 0x41);
        let _ = std::fs::write(path, bytes);
    }
}
