//! Scan documents built by hand: what scans of different images leave behind.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll::model::{
    Change, Code, Comparison, Coverage, CoverageStatus, Cvss, DatabaseInfo, Diagnosis, Digest, Distribution, Epss,
    FeedId, Finding, Fix, FixState, Gap, GapKind, ImageChange, ImageConfig, ImageIdentity, ImageScan, Inventory, Kev,
    Layer, Location, Outcome, Package, PackageKind, PackageRef, Platform, Project, Reference, ScanDocument, Severity,
    ShardName, SourceDate, SourcePackage, Statement, Suppressed, SuppressionReason, Tool,
};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::from_sha256(&[byte; 32])
}

/// The typical document of a project whose Dockerfile made its first image.
pub(crate) fn from_dockerfile() -> ScanDocument {
    let mut document = typical();
    document.images.truncate(1);
    let text = "# shop\nFROM debian:12 AS base\nWORKDIR /app\nRUN npm ci --omit=dev\nUSER 1000\n".to_owned();
    document.project.dockerfile = Some(plimsoll::model::Dockerfile { path: "docker/Dockerfile".into(), text });
    document.project.default_branch_image = Some("registry.example.com:5050/shop/web:main".into());
    document
}

/// A document with a database and no image.
pub(crate) fn document() -> ScanDocument {
    let source =
        |source: &str, records| SourceDate { source: source.into(), date: Some(time("2026-11-19T22:00:00Z")), records };
    ScanDocument {
        format: ScanDocument::FORMAT.into(),
        tool: Tool { name: "plimsoll".into(), version: "0.1.0".into() },
        started: time("2026-11-21T07:00:00Z"),
        finished: time("2026-11-21T07:00:02.5Z"),
        outcome: Outcome::Success,
        database: Some(DatabaseInfo {
            origin: "/db".into(),
            built: time("2026-11-20T03:00:00Z"),
            example: false,
            sources: vec![source("debian-tracker", 41_000), source("osv/npm", 9_000)],
        }),
        images: Vec::new(),
        comparison: None,
        diagnoses: Vec::new(),
        rules: Vec::new(),
        project: Project::default(),
    }
}

/// A Debian 12 image of two layers without packages.
pub(crate) fn debian(name: &str) -> ImageScan {
    let layer = |byte, created_by: &str| Layer {
        digest: Some(digest(byte)),
        diff_id: Some(digest(byte + 100)),
        size: 29_000_000,
        created_by: Some(created_by.into()),
    };
    let inventory = Inventory {
        image: ImageIdentity {
            manifest_digest: Some(digest(0xab)),
            config_digest: Some(digest(0xcd)),
            platform: Some(Platform::linux_amd64()),
            config: ImageConfig {
                created: Some(time("2026-11-20T10:00:00Z")),
                user: Some("1000".into()),
                exposed_ports: vec!["8080/tcp".into()],
                labels: BTreeMap::from([("org.opencontainers.image.title".into(), "shop".into())]),
            },
        },
        distribution: Some(Distribution {
            id: "debian".into(),
            version: "12".into(),
            name: "Debian GNU/Linux 12 (bookworm)".into(),
            codename: Some("bookworm".into()),
            id_like: vec![],
            repository_release: None,
            content_sets: vec![],
        }),
        layers: vec![
            layer(1, "/bin/sh -c #(nop) ADD file:abc in / "),
            layer(2, "RUN /bin/sh -c npm ci --omit=dev # buildkit"),
        ],
        packages: Vec::new(),
        gaps: Vec::new(),
        base: None,
    };
    ImageScan {
        name: name.into(),
        outcome: Outcome::Success,
        diagnosis: None,
        inventory: Some(inventory),
        findings: Vec::new(),
        suppressed: Vec::new(),
        coverage: vec![Coverage {
            kind: PackageKind::Deb,
            shard: ShardName::new("debian-12"),
            packages: 3,
            status: CoverageStatus::Covered,
            date: Some(time("2026-11-19T22:00:00Z")),
        }],
        packages: None,
        summary: None,
    }
}

/// A dpkg package of the first layer, built from a source package.
pub(crate) fn deb(name: &str, version: &str, source: &str) -> Package {
    Package {
        arch: Some("amd64".into()),
        source: Some(SourcePackage { name: source.into(), version: version.into() }),
        locations: vec![Location { path: "var/lib/dpkg/status".into(), layer: 0 }],
        ..Package::new(PackageKind::Deb, name, version)
    }
}

/// An npm package of the second layer.
pub(crate) fn npm(name: &str, version: &str) -> Package {
    Package {
        licenses: vec!["MIT".into()],
        locations: vec![Location { path: format!("app/node_modules/{name}/package.json"), layer: 1 }],
        ..Package::new(PackageKind::Npm, name, version)
    }
}

/// Adds a package and gives its index.
pub(crate) fn add(image: &mut ImageScan, package: Package) -> usize {
    let packages = &mut image.inventory.as_mut().unwrap().packages;
    packages.push(package);
    packages.len() - 1
}

/// A finding in a package of the image.
pub(crate) fn finding(image: &ImageScan, package: usize, id: &str, severity: Severity, fix: Option<&str>) -> Finding {
    let inventory = image.inventory.as_ref().unwrap();
    let found = &inventory.packages[package];
    Finding {
        id: id.into(),
        identifiers: vec![id.into()],
        package: PackageRef {
            index: package,
            kind: found.kind,
            name: found.name.clone(),
            version: found.version.clone(),
            purl: found.purl(inventory.distribution.as_ref()),
        },
        fix: Fix {
            state: if fix.is_some() { FixState::Fixed } else { FixState::NotFixed },
            version: fix.map(Into::into),
            source: None,
        },
        severity,
        severity_source: "debian-tracker".into(),
        cvss: Vec::new(),
        title: String::new(),
        description: String::new(),
        references: Vec::new(),
        cwes: Vec::new(),
        published: Some(time("2026-01-02T03:04:05Z")),
        modified: None,
        kev: None,
        epss: None,
        statements: vec![Statement {
            feed: FeedId::DebianTracker,
            advisory: id.into(),
            name: found.source.as_ref().map_or(&found.name, |source| &source.name).clone(),
            comparison: format!("{} < {} (deb)", found.version, fix.unwrap_or("∞")),
        }],
        change: None,
        original_severity: None,
        factors: Vec::new(),
        score: 0,
    }
}

/// Two images: one with findings of all sorts, one clean.
pub(crate) fn typical() -> ScanDocument {
    let mut image = debian("registry.example.com/shop/web:main");
    let openssl = add(&mut image, deb("openssl", "3.0.11-1~deb12u2", "openssl"));
    let libssl = add(&mut image, deb("libssl3", "3.0.11-1~deb12u2", "openssl"));
    let zlib = add(&mut image, deb("zlib1g", "1:1.2.13.dfsg-1", "zlib"));
    let lodash = add(&mut image, npm("lodash", "4.17.20"));
    let requests = add(
        &mut image,
        Package {
            owned_by: Some("python3-requests 2.28.1+dfsg-1".into()),
            locations: vec![Location {
                path: "usr/lib/python3/dist-packages/requests-2.28.1.egg-info".into(),
                layer: 0,
            }],
            ..Package::new(PackageKind::Pypi, "requests", "2.28.1")
        },
    );
    let fixed = "3.0.15-1~deb12u1";
    let mut log = Vec::new();
    for package in [libssl, openssl] {
        for (id, severity) in [
            ("CVE-2026-0001", Severity::Critical),
            ("CVE-2025-1002", Severity::High),
            ("CVE-2025-1003", Severity::High),
            ("CVE-2025-1004", Severity::Medium),
            ("CVE-2025-1005", Severity::Medium),
            ("CVE-2025-1006", Severity::Low),
            ("CVE-2025-1007", Severity::Low),
            ("CVE-2025-1008", Severity::Unknown),
        ] {
            log.push(finding(&image, package, id, severity, Some(fixed)));
        }
        log.push(finding(&image, package, "CVE-2026-0009", Severity::Medium, Some("3.0.16-1~deb12u1")));
        log.push(finding(&image, package, "CVE-2024-2001", Severity::Low, None));
    }
    let worst = &mut log[0];
    worst.identifiers = vec!["CVE-2026-0001".into(), "DSA-6000-1".into(), "GHSA-aaaa-bbbb-cccc".into()];
    worst.title = "openssl: remote code execution in the X.509 parser".into();
    worst.description = "A *crafted* certificate leads to a heap overflow.\n\n- found by @somebody".into();
    worst.cwes = vec!["CWE-787".into(), "CWE-20".into()];
    worst.references = ["https://www.openssl.org/news/secadv/x.txt", "javascript:alert(1)", "https://bad url"]
        .map(|url| Reference { kind: "WEB".into(), url: url.into() })
        .into();
    let cvss = |vector: &str, score, source: &str| Cvss { vector: vector.into(), score, source: source.into() };
    worst.cvss = vec![
        cvss("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3, "nvd"),
        cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, "nvd"),
        cvss("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5, ""),
    ];
    worst.kev =
        Some(Kev { added: "2026-02-01".parse().unwrap(), due: Some("2026-02-22".parse().unwrap()), ransomware: true });
    worst.epss = Some(Epss { score: 0.9712, percentile: 0.9991, date: Some("2026-11-20".parse().unwrap()) });
    let mut minor = finding(&image, zlib, "CVE-2023-45853", Severity::Critical, None);
    minor.fix.state = FixState::WillNotFix;
    log.push(minor);
    log.push(finding(&image, lodash, "GHSA-35jh-r3h4-6jhm", Severity::High, Some("4.17.21")));
    log.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
    image.findings = log;
    image.suppressed = vec![Suppressed {
        finding: finding(&image, requests, "CVE-2023-32681", Severity::Medium, Some("2.31.0")),
        reason: SuppressionReason::OwnedByOsPackage,
        explanation: "python3-requests 2.28.1+dfsg-1 owns it and debian-12 covers that name".into(),
    }];
    image.coverage.push(Coverage {
        kind: PackageKind::Npm,
        shard: ShardName::new("npm"),
        packages: 1,
        status: CoverageStatus::Covered,
        date: None,
    });
    image.coverage.push(Coverage {
        kind: PackageKind::Pypi,
        shard: ShardName::new("pypi"),
        packages: 1,
        status: CoverageStatus::NoData,
        date: None,
    });
    image.inventory.as_mut().unwrap().gaps = vec![
        Gap::new(GapKind::UnreadableFile, "app/node_modules/x/package.json", "unexpected end of file at line 3")
            .in_layer(1),
        Gap::new(GapKind::NoAdvisories, "pypi", "the database has no shard `pypi`"),
    ];
    let mut clean = debian("registry.example.com/shop/worker:main");
    add(&mut clean, deb("zlib1g", "1:1.3-1", "zlib"));
    weighed(ScanDocument { images: vec![image, clean], ..document() })
}

/// A document as after a comparison: something is new, disclosed, already there and fixed.
pub(crate) fn compared(mut document: ScanDocument) -> ScanDocument {
    let mut images = Vec::new();
    for image in &mut document.images {
        let fixed: Vec<Finding> = image.findings.last().cloned().into_iter().collect();
        for (number, finding) in image.findings.iter_mut().enumerate() {
            finding.change = Some(match number {
                0 => Change::Introduced,
                1 => Change::Disclosed,
                n if n % 2 == 0 && finding.severity < Severity::Medium => Change::Introduced,
                _ => Change::Existing,
            });
        }
        images.push(ImageChange { name: image.name.clone(), baseline: image.name.clone(), fixed });
    }
    let scanned = Some(time("2026-11-20T07:00:00Z"));
    document.comparison = Some(Comparison { baseline: "branch main".into(), scanned, images });
    document
}

/// The same with example data.
pub(crate) fn example() -> ScanDocument {
    let mut document = typical();
    document.database.as_mut().unwrap().example = true;
    document
}

/// An image that could not be read at all.
pub(crate) fn failure() -> ScanDocument {
    let diagnosis = Diagnosis::new(
        Code::InsufficientScope,
        "the registry refused to let registry.example.com/shop/web be pulled",
        "the token for `repository:shop/web:pull` carries no rights",
        "add this project to the job token allowlist of shop/web",
    );
    let image = ImageScan {
        name: "registry.example.com/shop/web:main".into(),
        outcome: Outcome::Failure,
        diagnosis: Some(diagnosis),
        inventory: None,
        findings: Vec::new(),
        suppressed: Vec::new(),
        coverage: Vec::new(),
        packages: None,
        summary: None,
    };
    ScanDocument { outcome: Outcome::Failure, database: None, images: vec![image], ..document() }
}

/// Nothing to scan.
pub(crate) fn empty() -> ScanDocument {
    let diagnosis = Diagnosis::new(Code::NothingToScan, "there is nothing to scan", "no image was named", "name one");
    ScanDocument { outcome: Outcome::Failure, database: None, diagnoses: vec![diagnosis], ..document() }
}

/// An image whose packages nothing is known about.
pub(crate) fn not_judged() -> ScanDocument {
    let mut image = debian("dir:/");
    add(&mut image, deb("zlib1g", "1:1.3-1", "zlib"));
    image.coverage[0].status = CoverageStatus::NoData;
    image.inventory.as_mut().unwrap().distribution = None;
    ScanDocument { images: vec![image], ..document() }
}

/// One image with many findings.
pub(crate) fn many(number: usize) -> ScanDocument {
    let mut image = debian("registry.example.com/shop/huge:main");
    let severities = Severity::ALL;
    for index in 0..number {
        let (package, id) = (index / 10, format!("CVE-2025-{index:05}"));
        if index % 10 == 0 {
            add(&mut image, npm(&format!("package-{package}"), "1.0.0"));
        }
        let fix = (index % 3 > 0).then_some("1.0.1");
        let mut finding = finding(&image, package, &id, severities[index % 6], fix);
        finding.title = format!("Something is wrong in part {index} of package-{package}");
        finding.description = "A long description of what is wrong. ".repeat(10);
        let score = f64::from(u32::try_from(index % 1000).unwrap()) / 1000.0;
        finding.epss = Some(Epss { score, percentile: score, date: Some("2026-11-20".parse().unwrap()) });
        if index % 200 == 0 {
            finding.kev = Some(Kev { added: "2026-02-01".parse().unwrap(), due: None, ransomware: false });
        }
        image.findings.push(finding);
    }
    image.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    weighed(ScanDocument { images: vec![image], ..document() })
}

/// The document with the factors of its findings, as scans leave it.
fn weighed(mut document: ScanDocument) -> ScanDocument {
    plimsoll::assess::factors::Factors::default().apply(&mut document);
    document
}

/// Texts that break out of formats, terminals and limits.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "\u{0}\u{1}\u{7f}\u{9b}31m",
    "\x1b]0;title\x07\x1b[2J\x1b[31mred",
    "a\r\nb\u{2028}c",
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "]]>&amp;<!--",
    "`code` | **bold** [x](javascript:alert(1)) @all #1 !2",
    "/close\n/assign @root",
    "\u{202e}gnp.exe\u{200b}\u{feff}\u{fffe}\u{ffff}",
    "名前はとても長い😀👨‍👩‍👧",
    "CVE-",
    "CWE-",
    "../../../etc/passwd",
    "urn:cdx:x/1#y",
    "https://[broken",
];

/// Every text of the document is hostile, some very long; indexes point nowhere.
pub(crate) fn hostile() -> ScanDocument {
    let long = "x".repeat(5000);
    let texts: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str()]).collect();
    let mut images = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let text = *text;
        let mut image = debian(text);
        let inventory = image.inventory.as_mut().unwrap();
        let distribution = inventory.distribution.as_mut().unwrap();
        distribution.id = text.into();
        distribution.version = if number % 2 == 0 { text.into() } else { String::new() };
        distribution.name = text.into();
        inventory.layers[0].created_by = Some(text.into());
        inventory.image.config.labels = BTreeMap::from([(text.into(), text.into())]);
        inventory.gaps = vec![Gap::new(GapKind::UnreadableFile, text, text)];
        for kind in [PackageKind::Deb, PackageKind::Npm, PackageKind::Maven, PackageKind::Golang] {
            let package = Package {
                kind,
                licenses: vec![text.into()],
                vendor: Some(text.into()),
                module: Some(text.into()),
                owned_by: Some(text.into()),
                locations: vec![Location { path: text.into(), layer: number % 4 }],
                ..deb(text, text, text)
            };
            let index = add(&mut image, package);
            let mut found =
                finding(&image, index, text, Severity::ALL[number % 6], Some(text).filter(|_| number % 3 > 0));
            found.identifiers =
                texts.iter().map(|&id| id.to_owned()).chain((0..40).map(|n| format!("CVE-2020-{n}"))).collect();
            found.severity_source = text.into();
            found.title = text.into();
            found.description = text.repeat(if number % 5 == 0 { 300 } else { 1 });
            found.cwes = vec![text.into(), "CWE-0".into(), "CWE-79".into(), "CWE-79".into()];
            found.references = texts.iter().map(|&url| Reference { kind: text.into(), url: url.into() }).collect();
            found.published = Some(Timestamp::MIN);
            found.cvss = [text, "CVSS:3.1/AV:N", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\n"]
                .map(|vector| Cvss { vector: vector.into(), score: f64::NAN, source: text.into() })
                .into();
            found.epss = Some(Epss { score: f64::INFINITY, percentile: -1.0, date: None });
            found.statements[0].comparison = text.into();
            let lost = Finding { package: PackageRef { index: 9999, ..found.package.clone() }, ..found.clone() };
            image.suppressed.push(Suppressed {
                finding: lost.clone(),
                reason: SuppressionReason::IgnoreRule,
                explanation: text.into(),
            });
            image.findings.extend([found, lost]);
        }
        images.push(image);
    }
    let diagnosis = Diagnosis::new(Code::InvalidInput, texts.join(" "), texts.join(" "), "");
    let mut all = ScanDocument { images, diagnoses: vec![diagnosis], ..document() };
    all.tool.version = String::new();
    all
}
