//! Every feed, one after the other: a real file is read, a malformed record is counted, named and skipped, a file that is
//! cut is noticed, and one that grows to a gigabyte takes neither memory nor the others with it.

mod program;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use plimsoll::advisories::{BuildError, BuildOptions, BuildReport, FEEDS, Folder, SourceReport, build};
use program::shared;
use tempfile::TempDir;

/// What a feed is tried with.
struct Case {
    feed: &'static str,
    /// Where its file is in the common layout.
    path: &'static str,
    /// A real file, below `feeds` of the test data.
    sample: &'static str,
    /// How many records it holds, at least; some samples are of nothing that is kept.
    records: u64,
    /// A file with a record that is malformed, and under which reason it is counted.
    malformed: (&'static str, &'static str),
    /// The beginning of a file that goes on for a gigabyte.
    bomb: &'static str,
}

const NAMELESS_UPDATE: &str = r#"<updates><update type="security"><title>x</title><references><reference id="CVE-2024-1000"/>
    </references><pkglist><collection><package name="a" version="1" release="1" arch="x86_64"/></collection></pkglist></update></updates>"#;
const NAMELESS_OVAL: &str = r#"<oval_definitions><definitions><definition class="vulnerability"><metadata><title> </title></metadata>
    <criteria/></definition></definitions></oval_definitions>"#;
const NO_ID: &str = "no identifier";
const MALFORMED: &str = "malformed record";

const CASES: &[Case] = &[
    Case {
        feed: "osv",
        path: "osv/npm/all.zip",
        sample: "samples/npm/osv/testdata/fixtures/all.zip",
        records: 1,
        malformed: ("ID/GO-1.json|{", MALFORMED),
        bomb: "",
    },
    Case {
        feed: "debian-tracker",
        path: "debian/tracker/data/json",
        sample: "samples/debian/tracker/api/testdata/fixtures/advisory.json",
        records: 1,
        malformed: (r#"{"zlib":{"CVE-2024-1000":7}}"#, MALFORMED),
        bomb: r#"{"zlib":"#,
    },
    Case {
        feed: "alpine-secdb",
        path: "alpine-secdb/edge/main.json",
        sample: "samples/alpine/secdb/testdata/fixtures/edge/main.json",
        records: 1,
        malformed: (r#"{"packages":[7]}"#, MALFORMED),
        bomb: r#"{"packages":"#,
    },
    Case {
        feed: "redhat",
        path: "redhat/vex-archive.tar.zst",
        sample: "samples/redhat/vex/v2/testdata/fixtures/vex-archive.tar.zst",
        records: 10,
        malformed: ("2024/cve-2024-1000.json|{", MALFORMED),
        bomb: "tar",
    },
    Case {
        feed: "redhat-oval",
        path: "redhat-oval/RHEL7/rhel-7-including-unpatched.oval.xml.bz2",
        sample: "samples/redhat/oval/v2/testdata/fixtures/oval/v2/RHEL9/rhel-9-including-unpatched.oval.xml.bz2",
        records: 2,
        malformed: (NAMELESS_OVAL, NO_ID),
        bomb: "<oval_definitions><definitions><definition><metadata><title>",
    },
    Case {
        feed: "oracle",
        path: "oracle/com.oracle.elsa-all.xml.bz2",
        sample: "samples/oracle/linux/testdata/fixtures/com.oracle.elsa-all.xml.bz2",
        records: 1,
        malformed: (NAMELESS_OVAL, NO_ID),
        bomb: "<oval_definitions><definitions><definition><metadata><title>",
    },
    Case {
        feed: "suse",
        path: "suse/opensuse.leap.15.2.xml.gz",
        sample: "samples/suse/oval/testdata/fixtures/happy/opensuse.leap.15.2.xml.gz",
        records: 1,
        malformed: (NAMELESS_OVAL, NO_ID),
        bomb: "<oval_definitions><definitions><definition class='",
    },
    Case {
        feed: "amazon",
        path: "amazon/2/core/updateinfo.xml.gz",
        sample: "samples/amazon/testdata/fixtures/updateinfo_2.xml.gz",
        records: 1,
        malformed: (NAMELESS_UPDATE, NO_ID),
        bomb: "<updates><update><description>",
    },
    Case {
        feed: "fedora",
        path: "fedora/updates/43/Everything/x86_64/u.xml.zst",
        sample: "samples/fedora/updateinfo/testdata/fixtures/happy/fedora/linux/updates/43/Everything/x86_64/repodata/74f58a91baa4a290e7ab058c6298b46ef49fc5ee990ede14d181340e5d22fca9-updateinfo.xml.zst",
        // Of bug fixes only.
        records: 0,
        malformed: (NAMELESS_UPDATE, NO_ID),
        bomb: "<updates><update><!--",
    },
    Case {
        feed: "photon",
        path: "photon/com.vmware.phsa-photon5.xml.gz",
        sample: "samples/photon/oval/testdata/fixtures/happy/com.vmware.phsa-photon5.xml.gz",
        records: 1,
        malformed: (NAMELESS_OVAL, NO_ID),
        bomb: "<oval_definitions><definitions><definition><metadata><title>",
    },
    Case {
        feed: "azure-linux",
        path: "azure-linux/azurelinux-3.0-oval.xml",
        sample: "",
        records: 0,
        malformed: (NAMELESS_OVAL, NO_ID),
        bomb: "<oval_definitions><definitions><definition><metadata><title>",
    },
    Case {
        feed: "almalinux",
        path: "almalinux/8/errata.full.json",
        sample: "samples/alma/errata/testdata/fixtures/errata.full.json",
        records: 1,
        malformed: (r#"{"data":[{"id":7}]}"#, MALFORMED),
        bomb: r#"{"data":"#,
    },
    Case {
        feed: "rocky",
        path: "rocky/9/BaseOS/x86_64/os/u.xml.gz",
        sample: "samples/rocky/updateinfo/testdata/fixtures/happy/pub/rocky/9/BaseOS/x86_64/os/repodata/aaaa587b7c2316f0b357a284fc32836ceee13fe54e277cc841b30ecefb7cbb42a-updateinfo.xml.gz",
        records: 1,
        malformed: (NAMELESS_UPDATE, NO_ID),
        bomb: "<updates><update><description>",
    },
    Case {
        feed: "govulndb",
        path: "govulndb/vulndb.zip",
        sample: "osv/Go/all.zip",
        records: 2,
        malformed: ("ID/GO-1.json|{", MALFORMED),
        bomb: "",
    },
    Case {
        feed: "ubuntu-oval",
        path: "ubuntu-oval/oci.com.ubuntu.jammy.cve.oval.xml.bz2",
        sample: "samples/ubuntu/oval/testdata/fixtures/oci.com.ubuntu.jammy.cve.oval.xml.bz2",
        records: 2,
        malformed: (NAMELESS_OVAL, NO_ID),
        bomb: "<oval_definitions><variables><value>",
    },
    Case {
        feed: "endoflife",
        path: "endoflife/api/debian.json",
        sample: "endoflife/api/debian.json",
        records: 5,
        malformed: (r#"[{"cycle":7}]"#, MALFORMED),
        bomb: "",
    },
    Case {
        feed: "kev",
        path: "kev/known_exploited_vulnerabilities.json",
        sample: "samples/cisa/kev/testdata/fixtures/known_exploited_vulnerabilities.json",
        records: 1,
        malformed: (r#"{"vulnerabilities":[{"cveID":7}]}"#, MALFORMED),
        bomb: r#"{"vulnerabilities":"#,
    },
    Case {
        feed: "epss",
        path: "epss/epss_scores-current.csv.gz",
        sample: "samples/epss/testdata/fixtures/epss_scores-2023-03-07.csv.gz",
        records: 1,
        malformed: ("cve,epss,percentile\nCVE-1,2,3\n", "not a CVE with two shares"),
        bomb: "cve,epss,percentile\n",
    },
    Case {
        feed: "cvss",
        path: "cve/cvss.csv.gz",
        sample: "cve/cvss.csv.gz",
        records: 1000,
        malformed: ("cve,vector,score,severity,source\nCVE-1,x,1,low,nvd\n", "not a CVE with a CVSS vector"),
        bomb: "cve,vector,score,severity,source\n",
    },
];

/// A record that makes a database of any of these: without one there is nothing to build.
const OTHER: (&str, &str) = (
    "osv/other.json",
    r#"{"id":"GHSA-other","affected":[{"package":{"ecosystem":"Hex","name":"other"},"versions":["1"]}]}"#,
);

/// What comes of the file of a case with this content, beside another feed's.
fn read(case: &Case, content: &[u8]) -> SourceReport {
    let (folder, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    put(folder.path(), OTHER.0, OTHER.1.as_bytes());
    for (path, content) in files(case, content) {
        put(folder.path(), &path, &content);
    }
    let report: BuildReport = match build(&Folder::new(folder.path()), to.path(), &BuildOptions::default()) {
        Ok(report) => report,
        Err(BuildError::NothingFound(_)) => panic!("{}: the other feed is lost", case.feed),
        Err(error) => panic!("{}: {error}", case.feed),
    };
    assert!(report.shards.iter().any(|shard| shard.name.as_str() == "hex"), "{}: the other feed is lost", case.feed);
    let source = report
        .sources
        .iter()
        .find(|source| source.source.starts_with(case.path.split('/').next().unwrap()) && source.source != OTHER.0);
    let source = source.unwrap_or_else(|| panic!("{}: not read: {report:#?}", case.feed));
    source.clone()
}

/// The file of a case, and what leads to it.
fn files(case: &Case, content: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![(case.path.to_owned(), content.to_vec())];
    if matches!(case.feed, "fedora" | "rocky") {
        let (folder, name) = case.path.rsplit_once('/').unwrap();
        let repomd = format!("<repomd><data type='updateinfo'><location href='{name}'/></data></repomd>");
        files.push((format!("{folder}/repodata/repomd.xml"), repomd.into_bytes()));
    }
    files
}

fn put(folder: &Path, path: &str, content: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// The real file; of some, made of real records.
fn sample(case: &Case) -> Option<Vec<u8>> {
    let feeds = shared()?.join("feeds");
    match case.feed {
        "azure-linux" => Some(AZURE_LINUX.as_bytes().to_vec()),
        // The upstream's own layout: real reports of OSV's copy of them.
        "govulndb" => Some(zip(&go_reports(&fs::read(feeds.join(case.sample)).unwrap()), None)),
        _ => Some(fs::read(feeds.join(case.sample)).unwrap_or_else(|error| panic!("{}: {error}", case.sample))),
    }
}

/// In the upstream's form, by hand: there is no sample.
const AZURE_LINUX: &str = r#"<oval_definitions><definitions><definition class="vulnerability" id="oval:x:def:1"><metadata>
  <title>CVE-2024-1000 affecting package zlib for versions less than 1.3-2</title><affected><platform>Azure Linux</platform></affected>
  <reference ref_id="CVE-2024-1000" source="CVE"/><patchable>true</patchable><severity>High</severity></metadata>
  <criteria operator="AND"><criterion comment="Package zlib is earlier than 1.3-2, affected by CVE-2024-1000" test_ref="oval:x:tst:1"/></criteria>
  </definition></definitions><tests><rpminfo_test id="oval:x:tst:1"><object object_ref="oval:x:obj:1"/><state state_ref="oval:x:ste:1"/></rpminfo_test></tests>
  <objects><rpminfo_object id="oval:x:obj:1"><name>zlib</name></rpminfo_object></objects>
  <states><rpminfo_state id="oval:x:ste:1"><evr datatype="evr_string" operation="less than">0:1.3-2.azl3</evr></rpminfo_state></states></oval_definitions>"#;

/// The first reports of an export, under the names that the Go database gives them, and an index.
fn go_reports(export: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = vec![("index/db.json".to_owned(), b"{}".to_vec())];
    let mut at = 0;
    while found.len() < 40 && export.get(at..at + 4) == Some(b"PK\x03\x04") {
        let word = |from: usize| u32::from_le_bytes(export[at + from..at + from + 4].try_into().unwrap()) as usize;
        let half = |from: usize| usize::from(u16::from_le_bytes(export[at + from..at + from + 2].try_into().unwrap()));
        let (name, start) = (at + 30, at + 30 + half(26) + half(28));
        let data = &export[start..start + word(18)];
        let mut content = Vec::new();
        match half(8) {
            0 => content.extend_from_slice(data),
            _ => {
                std::io::Read::read_to_end(&mut flate2::read::DeflateDecoder::new(data), &mut content).unwrap();
            }
        }
        let name = String::from_utf8(export[name..name + half(26)].to_vec()).unwrap();
        if name.starts_with("GO-") {
            found.push((format!("ID/{name}"), content));
        }
        at = start + word(18);
    }
    found
}

/// A zip file of stored entries; one that claims to be larger than it is.
fn zip(files: &[(String, Vec<u8>)], claimed: Option<u32>) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(crc32fast::hash(content).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend(claimed.unwrap_or(content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00".iter().chain(&common));
        directory.extend([0; 10]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.bytes());
        out.extend(b"PK\x03\x04".iter().chain(&common));
        out.extend(name.bytes());
        out.extend(content);
    }
    let (start, size) = (out.len() as u32, directory.len() as u32);
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((files.len() as u16).to_le_bytes().repeat(2));
    out.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}

/// A tar archive of one file that says to have `size` bytes, without its end.
fn tar(name: &str, size: usize, content: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend_from_slice(content);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

#[test]
fn there_is_a_case_for_every_feed() {
    let known: Vec<&str> = CASES.iter().map(|case| case.feed).collect();
    for feed in FEEDS {
        assert!(known.contains(&feed.id().name()), "{} has no case", feed.id());
    }
    assert_eq!(known.len(), FEEDS.len());
}

#[test]
fn real_files_are_read_and_cut_ones_are_noticed() {
    for case in CASES {
        let Some(content) = sample(case) else { return };
        let SourceReport { records, skipped, failure, .. } = read(case, &content);
        assert_eq!(failure, None, "{}", case.feed);
        assert!(records >= case.records, "{}: {records} records, left out: {skipped:?}", case.feed);
        assert!(!skipped.iter().any(|(reason, ..)| reason == MALFORMED), "{}: {skipped:?}", case.feed);
        for part in [1, 5, 9] {
            let cut = content.get(..content.len() * part / 10).unwrap();
            assert!(read(case, cut).failure.is_some(), "{}: {part} of ten parts", case.feed);
        }
    }
}

#[test]
fn a_malformed_record_is_counted_named_and_skipped() {
    for case in CASES {
        let (text, expected) = case.malformed;
        let content = match (case.path.rsplit('.').next(), text.split_once('|')) {
            (Some("zip"), Some((name, text))) => zip(&[(name.to_owned(), text.as_bytes().to_vec())], None),
            (Some("zst"), Some((name, text))) => {
                let archive = [tar(name, text.len(), text.as_bytes()), vec![0; 1024]].concat();
                zstd::encode_all(archive.as_slice(), 1).unwrap()
            }
            _ => text.as_bytes().to_vec(),
        };
        let SourceReport { records, skipped, failure, .. } = read(case, &content);
        assert_eq!((failure, records), (None, 0), "{}: {skipped:?}", case.feed);
        let [(reason, 1, named)] = skipped.as_slice() else { panic!("{}: {skipped:?}", case.feed) };
        assert!(reason == expected && named.len() == 1, "{}: {skipped:?}", case.feed);
    }
}

/// All of them at once, read by the program, which must not take much memory for any.
#[test]
fn a_gigabyte_takes_no_memory() {
    let (folder, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    put(folder.path(), OTHER.0, OTHER.1.as_bytes());
    let compressed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    // A gigabyte of members that are one megabyte each.
    let endless = compressed(&vec![b'a'; 1 << 20]).repeat(1 << 10);
    for case in CASES {
        let content = match case.bomb {
            "tar" => {
                let start = zstd::encode_all(tar("2024/cve-2024-1000.json", 1 << 30, b"").as_slice(), 1).unwrap();
                [start, zstd::encode_all(vec![b' '; 1 << 20].as_slice(), 1).unwrap().repeat(1 << 10)].concat()
            }
            "" if case.path.ends_with(".zip") => zip(&[("ID/GO-1.json".to_owned(), b"{}".to_vec())], Some(1 << 30)),
            start if case.path.ends_with("json") => [start.as_bytes(), &vec![b'['; 8 << 20]].concat(),
            start => [compressed(start.as_bytes()), endless.clone()].concat(),
        };
        for (path, content) in files(case, &content) {
            put(folder.path(), &path, &content);
        }
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["db", "build", "--from", &folder.path().display().to_string(), "--to", &to.path().display().to_string()])
        .env_clear()
        .stdout(Stdio::null())
        .stderr(fs::File::create(to.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let status = loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        peak = peak.max(line.trim().trim_end_matches(" kB").parse().unwrap_or(0_u64));
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let log = fs::read_to_string(to.path().join("log")).unwrap();
    assert_eq!(status.code(), Some(2), "{log}");
    for case in CASES {
        let about = |line: &&str| line.contains(case.path) && (line.contains("not used") || line.contains("left out"));
        assert!(log.lines().any(|line| about(&line)), "{}: {log}", case.feed);
    }
    // What two tables may have at once, as text and as bytes, is the most.
    assert!(peak > 1_000 && peak < 700 << 10, "{peak} KiB");
    println!("{peak} KiB at the peak");
}
