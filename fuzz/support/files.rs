//! Files of images, made by hand: archives of Java and Python, databases of rpm, manifests.

#![allow(dead_code, unreachable_pub)] // every program uses another part

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::entries::{Entry, Form, seal};
use super::programs;

/// What dpkg knows of two packages.
pub const DPKG_STATUS: &str = "Package: libssl3\nStatus: install ok installed\nSource: openssl (3.0.11-1)\n\
    Version: 3.0.11-1~deb12u2\nArchitecture: amd64\n\nPackage: base-files\nStatus: install ok installed\n\
    Version: 12.4\nArchitecture: all\nMaintainer: S <s@debian.org>\n\n";
/// A system that dpkg is of.
pub const OS_RELEASE: &str = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\nVERSION_ID=\"12\"\n";
/// A package of npm.
pub const PACKAGE_JSON: &str = r#"{"name":"lodash","version":"4.17.20","license":"MIT"}"#;
/// What a wheel says of itself.
const METADATA: &str = "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\nLicense: MIT\n\nText\n";

/// A zip archive whose members are deflated if they become smaller by it.
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).expect("writing to memory");
        let deflated = encoder.finish().expect("writing to memory");
        let is_smaller = deflated.len() < content.len();
        let stored = if is_smaller { &deflated } else { *content };
        let mut checksum = flate2::Crc::new();
        checksum.update(content);
        let mut facts = vec![20, 0, 0, 0, if is_smaller { 8 } else { 0 }, 0, 0, 0, 0, 0];
        for number in [checksum.sum(), stored.len() as u32, content.len() as u32] {
            facts.extend(number.to_le_bytes());
        }
        facts.extend((name.len() as u16).to_le_bytes());
        facts.extend([0, 0]);
        let offset = archive.len() as u32;
        archive.extend([b"PK\x03\x04", facts.as_slice(), name.as_bytes(), stored].concat());
        directory.extend([b"PK\x01\x02\x14\0", facts.as_slice(), &[0; 10]].concat());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, length, count) = (archive.len() as u32, directory.len() as u32, members.len() as u16);
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    for number in [count, count] {
        archive.extend(number.to_le_bytes());
    }
    for number in [length, start] {
        archive.extend(number.to_le_bytes());
    }
    archive.extend([0, 0]);
    archive
}

/// An application with a library in it.
pub fn jar() -> Vec<u8> {
    let pom = |name: &str| format!("version=1.0\ngroupId=org.x\nartifactId={name}\n");
    let place = "META-INF/maven/org.x/a/pom.properties";
    let library = zip(&[(place, pom("library").as_bytes())]);
    let bundle = zip(&[("META-INF/MANIFEST.MF", b"Bundle-SymbolicName: org.x.bundle\nBundle-Version: 2.0\n")]);
    zip(&[
        (place, pom("app").as_bytes()),
        ("META-INF/MANIFEST.MF", b"Implementation-Title: app\nImplementation-Version: 1.0\n"),
        ("BOOT-INF/lib/library-1.0.jar", &library),
        ("WEB-INF/lib/bundle.jar", &bundle),
    ])
}

/// A package header of rpm's.
pub fn rpm_header(name: &str) -> Vec<u8> {
    /// Type, count, value.
    type Entry = (u32, u32, Vec<u8>);
    let text = |text: &str| (6, 1, [text.as_bytes(), b"\0"].concat());
    let tags: [(u32, Entry); 10] = [
        (1003, (4, 1, 1_u32.to_be_bytes().to_vec())),
        (1116, (4, 1, 0_u32.to_be_bytes().to_vec())),
        (1000, text(name)),
        (1001, text("3.0.7")),
        (1002, text("24.el9")),
        (1011, text("AlmaLinux")),
        (1022, text("x86_64")),
        (1044, text("openssl-3.0.7-24.el9.src.rpm")),
        (1117, (8, 1, b"a\0".to_vec())),
        (1118, (8, 1, b"/etc/\0".to_vec())),
    ];
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (tag, (kind, count, value)) in &tags {
        for number in [*tag, *kind, data.len() as u32, *count] {
            index.extend(number.to_be_bytes());
        }
        data.extend(value);
    }
    let counts = [tags.len() as u32, data.len() as u32].map(u32::to_be_bytes).concat();
    [counts, index, data].concat()
}

/// rpm's database as SQLite has it.
pub fn rpm_sqlite(names: &[&str]) -> Vec<u8> {
    let headers: Vec<Vec<u8>> = names.iter().map(|name| rpm_header(name)).collect();
    let rows: Vec<Vec<&[u8]>> = headers.iter().map(|header| vec![b"1".as_slice(), header]).collect();
    programs::sqlite("Packages", &rows)
}

/// A log that makes `to` of a database of its size.
pub fn sqlite_log(to: &[u8]) -> Vec<u8> {
    const PAGE: usize = 4096;
    let mut log = vec![0; 32];
    log[4..8].copy_from_slice(&3_007_000_u32.to_be_bytes());
    log[8..12].copy_from_slice(&(PAGE as u32).to_be_bytes());
    log[16..24].copy_from_slice(b"saltsalt");
    let pages = to.len() / PAGE;
    for (index, page) in to.chunks_exact(PAGE).enumerate() {
        log.extend((index as u32 + 1).to_be_bytes());
        log.extend(if index + 1 == pages { pages as u32 } else { 0 }.to_be_bytes());
        log.extend([0; 16]);
        log.extend(page);
    }
    seal(&log)
}

/// rpm's own form of its database.
pub fn rpm_ndb(names: &[&str]) -> Vec<u8> {
    let mut file = vec![0; 4096];
    file[..4].copy_from_slice(b"RpmP");
    file[12] = 1;
    for slot in file[32..].chunks_exact_mut(16) {
        slot[..4].copy_from_slice(b"Slot");
    }
    for (index, name) in names.iter().enumerate() {
        let (number, block, slot) = (index as u32 + 1, (file.len() / 16) as u32, 32 + index * 16);
        file[slot + 4..slot + 8].copy_from_slice(&number.to_le_bytes());
        file[slot + 8..slot + 12].copy_from_slice(&block.to_le_bytes());
        let header = rpm_header(name);
        file.extend(b"BlbS");
        for number in [number, 0, header.len() as u32] {
            file.extend(number.to_le_bytes());
        }
        file.extend(header);
        file.resize(file.len().next_multiple_of(16), 0);
    }
    file
}

/// The manifest of a chiselled image.
pub fn chisel() -> Vec<u8> {
    let lines = "{\"jsonwall\":\"1.0\",\"schema\":\"1.0\",\"count\":4}\n\
        {\"kind\":\"package\",\"name\":\"libc6\",\"version\":\"2.39-0ubuntu8\",\"sha256\":\"a\",\"arch\":\"amd64\"}\n\
        {\"kind\":\"slice\",\"name\":\"libc6_libs\"}\n\
        {\"kind\":\"path\",\"path\":\"/lib/libc.so.6\",\"mode\":\"0644\",\"slices\":[\"libc6_libs\"]}\n";
    zstd::encode_all(lines.as_bytes(), 3).expect("writing to memory")
}

/// Single files, by a path that an extractor wants.
pub fn single() -> Vec<(&'static str, Vec<u8>)> {
    let go = programs::go_information("go1.22.1", "path\ta\nmod\ta\t(devel)\t\nbuild\tvcs.revision=0123456789ab\n");
    let rust = programs::zlib(br#"{"packages":[{"name":"a","version":"1.0.0"}]}"#);
    let database = rpm_sqlite(&["openssl-libs"]);
    vec![
        ("root/.conan2/p/cache.sqlite3", programs::sqlite("packages", &[vec![b"zlib/1.2.13", b"f52e03ae"]])),
        ("usr/local/go/VERSION", b"go1.22.1\ntime 2024-02-29T18:18:48Z\n".to_vec()),
        ("var/lib/rpm/Packages", programs::berkeley_db(&[rpm_header("openssl-libs"), vec![0; 600], vec![1; 20]])),
        ("var/lib/rpm/rpmdb.sqlite-wal", sqlite_log(&database)),
        ("var/lib/rpm/rpmdb.sqlite", database),
        ("usr/lib/sysimage/rpm/Packages.db", rpm_ndb(&["openssl-libs", "bash"])),
        ("var/lib/chisel/manifest.wall", chisel()),
        ("app/app.jar", jar()),
        ("app/lib/six-1.16.0-py3.9.egg", zip(&[("EGG-INFO/PKG-INFO", METADATA.as_bytes()), ("six.py", b"")])),
        ("usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA", METADATA.into()),
        ("var/lib/dpkg/status", DPKG_STATUS.into()),
        ("etc/os-release", OS_RELEASE.into()),
        ("app/node_modules/lodash/package.json", PACKAGE_JSON.into()),
        ("lib/apk/db/installed", b"P:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nL:MIT\nF:lib\nR:ld-musl-x86_64.so.1\n\n".to_vec()),
        ("usr/bin/app", programs::elf(".go.buildinfo", &go)),
        ("app/app.exe", programs::pe(".data", &go)),
        ("app/app", programs::mach_o("__go_buildinfo", &go)),
        ("usr/bin/rg", programs::elf(".dep-v0", &rust)),
        ("usr/sbin/mariadbd", programs::elf("x", b"\x0010.11.6-MariaDB\0")),
        ("usr/share/doc/a/copyright", b"Format: x\n\nLicense: GPL-2+ or Expat\n".to_vec()),
        (
            "app/app.cdx.json",
            br#"{"bomFormat":"CycloneDX","specVersion":"1.4","components":[{"type":"library","name":"a","purl":"pkg:npm/a@1",
            "properties":[{"name":"plimsoll:kind","value":"npm"},{"name":"plimsoll:name","value":"a%09b"}]}]}"#
                .to_vec(),
        ),
        (
            "app/app.spdx.json",
            br#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"a","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/a@1"}]}]}"#
                .to_vec(),
        ),
    ]
}

/// What images hold, each with another difficulty of layers.
pub fn images() -> Vec<Vec<Entry<'static>>> {
    const LONG: &str = "app/a-directory-whose-name-is-long/another-directory-whose-name-is-long/a-third-directory/\
        a-fourth-directory/node_modules/lodash/package.json";
    let status = || Entry::file("var/lib/dpkg/status", DPKG_STATUS);
    let release = || Entry::file("etc/os-release", OS_RELEASE);
    let old = rpm_sqlite(&["openssl-libs"]);
    let log = sqlite_log(&rpm_sqlite(&["openssl-libs", "bash"]));
    vec![
        vec![
            Entry::new(Form::Directory, "var/lib/dpkg/"),
            release(),
            status(),
            Entry::file("var/lib/dpkg/info/libssl3.list", "/.\n/usr/lib\n/usr/lib/libssl.so.3\n"),
            Entry::file("app/node_modules/lodash/package.json", PACKAGE_JSON).in_next_layer(),
            Entry::file("app/app.jar", jar()),
            Entry::new(Form::File, "app/node_modules/.wh.lodash").in_next_layer(),
            Entry::new(Form::File, "app/.wh..wh..opq"),
        ],
        // Names in each way in which they may be long.
        vec![
            Entry::file(LONG, PACKAGE_JSON),
            Entry { content: PACKAGE_JSON.into(), ..Entry::new(Form::PaxFile, "b/node_modules/lodash/package.json") },
            Entry { content: b"c/node_modules/lodash/package.json".into(), ..Entry::new(Form::LongName, "") },
            Entry::file("x", PACKAGE_JSON),
            Entry { content: b"30 mtime=1700000000.123456789\n".into(), ..Entry::new(Form::GlobalRecords, "g") },
            Entry { content: b"20 path=d/app/a.jar\n".into(), ..Entry::new(Form::PaxRecords, "p") },
            Entry::file("x", jar()),
        ],
        // Links of both kinds, to what is wanted and what is not, and over layers.
        vec![
            Entry::file("store/lodash", PACKAGE_JSON),
            Entry::link(Form::HardLink, "app/node_modules/lodash/package.json", "store/lodash"),
            Entry::link(Form::PaxLink, "b/node_modules/lodash/package.json", "store/lodash"),
            Entry::link(Form::Symlink, "lib", "usr/lib"),
            Entry::file("usr/lib/os-release", OS_RELEASE),
            Entry::link(Form::Symlink, "etc/os-release", "../usr/lib/os-release"),
            Entry::link(Form::Symlink, "var/lib/dpkg", "/data/dpkg"),
            Entry::file("data/dpkg/status", DPKG_STATUS).in_next_layer(),
            Entry::link(Form::Symlink, "loop", "loop"),
            Entry::link(Form::HardLink, "c/node_modules/lodash/package.json", "store/lodash"),
        ],
        // A database and its log, in one layer and in two.
        vec![
            Entry::file("var/lib/rpm/rpmdb.sqlite", old.clone()),
            Entry::file("var/lib/rpm/rpmdb.sqlite-wal", log.clone()),
            Entry::file("etc/os-release", "ID=almalinux\nVERSION_ID=\"9.3\"\n"),
        ],
        vec![
            Entry::file("usr/lib/sysimage/rpm/rpmdb.sqlite", old),
            Entry::link(Form::Symlink, "var/lib/rpm", "../../usr/lib/sysimage/rpm"),
            Entry::file("usr/lib/sysimage/rpm/rpmdb.sqlite-wal", log).in_next_layer(),
            Entry::new(Form::File, "usr/lib/sysimage/rpm/.wh.rpmdb.sqlite-wal").in_next_layer(),
        ],
        // Files with holes, devices, kinds that nobody knows.
        vec![
            Entry {
                content: PACKAGE_JSON.into(),
                ..Entry::link(Form::OldSparse, "a/node_modules/a/package.json", "x")
            },
            Entry { content: DPKG_STATUS.into(), ..Entry::new(Form::PaxSparse, "var/lib/dpkg/status") },
            Entry::new(Form::Device, "dev/null"),
            Entry { content: b"x".into(), ..Entry::link(Form::Any, "v", "V") },
            Entry { content: OS_RELEASE.into(), ..Entry::new(Form::OldFile, "etc/os-release") },
            Entry { content: DPKG_STATUS.into(), ..Entry::new(Form::Contiguous, "var/lib/dpkg/status.d/a") },
            Entry { mode: 0o755, content: b"#!/bin/sh\n".into(), ..Entry::new(Form::File, "usr/bin/a") },
        ],
    ]
}
