//! Programs made by hand: no more of ELF than is read.

use std::io::Write;

use proptest::prelude::*;

use super::super::{EXTRACTORS, File, extract_bytes};
use super::*;
use crate::model::{KnownBy, Limits, Package};

const MODULES: &str = "path\texample.org/app\nmod\texample.org/app\t(devel)\t\ndep\tgolang.org/x/net\tv0.1.0\th1:x=\n\
dep\tgithub.com/a/b\tv1.0.0\n=>\tgithub.com/fork/b\tv1.0.1\th1:y=\ndep\tgithub.com/a/local\tv2.0.0\n=>\t./local\t\t\n\
build\tCGO_ENABLED=0\n";

fn counted(bytes: &[u8]) -> Vec<u8> {
    let mut length = bytes.len();
    let mut out = Vec::new();
    while length > 0x7f {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(bytes);
    out
}

fn marked(modules: &str) -> Vec<u8> {
    [&[b'<'; 16][..], modules.as_bytes(), &[b'>'; 16]].concat()
}

fn inline(version: &str, modules: &str) -> Vec<u8> {
    let mut data = b"\xff Go buildinf:\x08\x02".to_vec();
    data.resize(32, 0);
    data.extend(counted(version.as_bytes()));
    data.extend(counted(&marked(modules)));
    data
}

/// A 64-bit little-endian ELF file: one segment that maps the whole file at 0x400000, and one section.
fn elf(section: &str, content: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 128];
    let names = [b"\0", section.as_bytes(), b"\0"].concat();
    let start = file.len();
    file.extend(content);
    let names_at = file.len();
    file.extend(&names);
    let table = file.len();
    for (name, offset, length) in [(0, 0, 0), (1, start, content.len()), (0, names_at, names.len())] {
        let mut header = [0_u8; 64];
        header[..4].copy_from_slice(&(name as u32).to_le_bytes());
        header[4..8].copy_from_slice(&1_u32.to_le_bytes());
        header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(length as u64).to_le_bytes());
        file.extend(header);
    }
    let length = file.len() as u64;
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01");
    put(32, &64_u64.to_le_bytes());
    put(40, &(table as u64).to_le_bytes());
    for (at, number) in [(54, 56_u16), (56, 1), (58, 64), (60, 3), (62, 2)] {
        put(at, &number.to_le_bytes());
    }
    put(64, &1_u32.to_le_bytes());
    put(64 + 16, &0x40_0000_u64.to_le_bytes());
    put(64 + 32, &length.to_le_bytes());
    file
}

fn packages(facts: &[Fact]) -> Vec<String> {
    let row = |fact: &Fact| match fact {
        Fact::Package(Package { name, version, .. }) => format!("{name} {version}"),
        other => panic!("{other:?}"),
    };
    facts.iter().map(row).collect()
}

const EXPECTED: [&str; 5] = [
    "stdlib 1.19.8",
    "example.org/app (devel)",
    "golang.org/x/net v0.1.0",
    "github.com/fork/b v1.0.1",
    "github.com/a/local (devel)",
];

#[test]
fn reads_go_programs() {
    let file = elf(".go.buildinfo", &inline("go1.19.8", MODULES));
    assert_eq!(packages(&extract_bytes("bin/app", &file).expect("a program")), EXPECTED);

    // A packed program has no names of sections.
    let mut nameless = file.clone();
    nameless[62..64].fill(0);
    assert_eq!(packages(&extract_bytes("bin/app", &nameless).expect("a program")), EXPECTED);

    // Before 1.18: addresses of strings, each an address and a length.
    let mut content = b"\xff Go buildinf:\x08\x00".to_vec();
    let base = 0x40_0000_u64 + 128;
    let modules = marked(MODULES);
    for address in [base + 32, base + 48] {
        content.extend(address.to_le_bytes());
    }
    for (at, length) in [(base + 64, 8), (base + 72, modules.len() as u64)] {
        content.extend(at.to_le_bytes());
        content.extend(length.to_le_bytes());
    }
    content.extend(b"go1.19.8");
    content.extend(modules);
    let file = elf(".go.buildinfo", &content);
    assert_eq!(packages(&extract_bytes("bin/app", &file).expect("a program")), EXPECTED);
}

#[test]
fn finds_build_information_in_a_large_program() {
    for at in [128, BLOCK - 16, BLOCK, 2 * BLOCK - 32, 3 * BLOCK + 160] {
        let mut data = elf("", &[]);
        data.resize(at, 0);
        // A program that looks for the mark has it too.
        data.get_mut(64..78).expect("room").copy_from_slice(b"\xff Go buildinf:");
        data.extend(inline("go1.19.8", MODULES));
        data.resize(5 * BLOCK + 7, 0);
        let (size, mut buffer, limits) = (data.len() as u64, Vec::new(), Limits::default());
        let mut content = data.as_slice();
        let mut file = File::new("bin/app", size, &limits, &mut content, &mut buffer);
        let mut magic = [0; 4];
        file.read_exact(&mut magic).expect("the file's head");
        assert_eq!(packages(&search(&mut file, magic, "app").expect("a program")), EXPECTED, "at {at}");
    }
}

/// What of a program is left out is said.
#[test]
fn what_cannot_be_read_is_told() {
    let mut pointers = b"\xff Go buildinf:\x08\x00".to_vec();
    pointers.extend([0xee; 16]);
    let many = "dep\ta\tv1\n".repeat(20_001);
    let mut damaged = inline("go1.22.1", MODULES);
    let at = memchr::memmem::find(&damaged, b"github.com/fork").expect("a module");
    damaged[at] = 0xff;
    for (what, content, count) in [
        ("addresses that lead nowhere", pointers, 0),
        ("too many modules", inline("go1.22.1", &many), 20_001),
        ("damage", damaged, 4),
    ] {
        let facts = extract_bytes("bin/app", &elf(go::SECTION, &content)).expect(what);
        let Some((Fact::Incomplete(_) | Fact::LimitMet(_), found)) = facts.split_last() else {
            panic!("{what}: {} facts", facts.len())
        };
        assert_eq!(found.len(), count, "{what}");
    }
    // Without a section the mark may be there by chance.
    let chance = elf(".data", b"\xff Go buildinf:\x08\x00\xee\xee");
    assert_eq!(extract_bytes("bin/app", &chance).expect("a program"), []);
}

#[test]
fn audit_data_in_a_large_program_is_told() {
    for (section, at, expected) in
        [("\0.dep-v0\0", 2 * BLOCK - 4, 1), ("\0.dep-v0\0", 300, 1), ("no .dep-v0\0", BLOCK, 0), ("", BLOCK, 0)]
    {
        let mut data = elf("", &[]);
        data.resize(at, b'x');
        data.extend(section.as_bytes());
        data.resize(3 * BLOCK + 7, b'x');
        let (size, mut buffer, limits) = (data.len() as u64, Vec::new(), Limits::default());
        let mut content = data.as_slice();
        let mut file = File::new("bin/app", size, &limits, &mut content, &mut buffer);
        let mut magic = [0; 4];
        file.read_exact(&mut magic).expect("the file's head");
        let facts = search(&mut file, magic, "app").expect("a program");
        assert_eq!(
            facts.iter().filter(|fact| matches!(fact, Fact::LimitMet(_))).count(),
            expected,
            "{section} at {at}"
        );
    }
}

#[test]
fn writes_standard_library_versions_as_the_advisories_do() {
    for (version, expected) in [
        ("go1.21.3", "1.21.3"),
        ("go1.20", "1.20"),
        ("go1.21rc2", "1.21.0-rc.2"),
        ("go1.18beta1", "1.18.0-beta.1"),
        ("go1.20.12 X:boringcrypto", "1.20.12"),
        ("devel go1.22-abcdef", "devel go1.22-abcdef"),
    ] {
        let facts = extract_bytes("bin/app", &elf(".go.buildinfo", &inline(version, ""))).expect(version);
        assert_eq!(packages(&facts), [format!("stdlib {expected}")]);
    }
}

#[test]
fn the_main_module_has_the_version_that_the_linker_was_told() {
    for (flags, expected) in [
        ("\"-s -w -X main.version=1.2.3\"", "v1.2.3"),
        ("\"-X 'example.org/app/internal/build.Version=v1.2.3-rc.1' -X main.commit=abc\"", "v1.2.3-rc.1"),
        ("\"-X example.org/other.Version=1.0.0\"", "(devel)"),
        ("\"-X example.org/apple.Version=1.0.0\"", "(devel)"),
        ("\"-X main.version=dev -X main.Version=unknown\"", "(devel)"),
        ("\"-X main.version=1.0.0 -X main.Version=2.0.0\"", "(devel)"),
        ("\"-s -w\"", "(devel)"),
    ] {
        let modules = format!("path\texample.org/app\nmod\texample.org/app\t(devel)\t\nbuild\t-ldflags={flags}\n");
        let facts = extract_bytes("bin/app", &elf(go::SECTION, &inline("go1.22.1", &modules))).expect("a program");
        assert_eq!(packages(&facts), ["stdlib 1.22.1".to_owned(), format!("example.org/app {expected}")], "{flags}");
    }
}

/// A commit has no place among releases, so that the version that is made of it is marked.
#[test]
fn the_main_module_is_known_by_its_commit_else() {
    let commit = "build\tvcs=git\nbuild\tvcs.revision=0123456789abcdef0123456789abcdef01234567\nbuild\tvcs.time=2024-02-29T18:18:48Z\n";
    let cut = commit.replace("0123456789abcdef0123456789abcdef01234567", "0123");
    let flags = "build\t-ldflags=\"-X main.version=1.2.3\"\n";
    for (version, settings, expected, is_marked) in [
        ("(devel)", commit.to_owned(), "v0.0.0-20240229181848-0123456789ab", true),
        ("(devel)", format!("{commit}build\tvcs.modified=true\n"), "v0.0.0-20240229181848-0123456789ab+dirty", true),
        ("(devel)", format!("{flags}{commit}"), "v1.2.3", false),
        ("(devel)", cut, "(devel)", false),
        ("(devel)", commit.replace("vcs.time", "vcs.when"), "(devel)", false),
        ("v1.2.3", commit.to_owned(), "v1.2.3", false),
        // Since 1.24 Go does the same itself.
        ("v0.0.0-20250301101010-0123456789ab", commit.to_owned(), "v0.0.0-20250301101010-0123456789ab", true),
        ("v0.0.0-20250301101010-0123456789ab+dirty", format!("{flags}{commit}"), "v1.2.3", false),
    ] {
        let modules = format!(
            "path\texample.org/app\nmod\texample.org/app\t{version}\t\ndep\ta.org/b\tv0.0.0-20200101000000-abcdefabcdef\th1:=\n{settings}"
        );
        let facts = extract_bytes("bin/app", &elf(go::SECTION, &inline("go1.22.1", &modules))).expect("a program");
        let [_, Fact::Package(main), Fact::Package(dependency)] = facts.as_slice() else { panic!("{facts:?}") };
        let known_by = is_marked.then_some(KnownBy::Commit);
        assert_eq!((main.version.as_str(), main.known_by), (expected, known_by), "{version} {settings}");
        assert_eq!(dependency.known_by, None);
    }
}

/// A PE file of 64 bits whose one section is mapped at its address.
fn pe(section: &str, content: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 64];
    file[..2].copy_from_slice(b"MZ");
    file[60..64].copy_from_slice(&64_u32.to_le_bytes());
    file.extend(b"PE\0\0");
    file.extend(0x8664_u16.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend([0; 12]);
    file.extend(240_u16.to_le_bytes());
    file.extend(0x22_u16.to_le_bytes());
    let mut optional = vec![0; 240];
    optional[..2].copy_from_slice(&0x20b_u16.to_le_bytes());
    optional[24..32].copy_from_slice(&0x40_0000_u64.to_le_bytes());
    optional[108..112].copy_from_slice(&16_u32.to_le_bytes());
    file.extend(optional);
    let start = 64 + 24 + 240 + 40;
    let mut name = section.as_bytes().to_vec();
    name.resize(8, 0);
    file.extend(name);
    for number in [content.len(), 0x1000, content.len(), start] {
        file.extend((number as u32).to_le_bytes());
    }
    file.extend([0; 16]);
    file.extend(content);
    file
}

/// A 64-bit Mach-O file with one segment and one section.
fn mach_o(section: &str, content: &[u8]) -> Vec<u8> {
    let command = 72 + 80;
    let start = 32 + command;
    let mut file = Vec::new();
    for number in [0xfeed_facf_u32, 0x0100_0007, 3, 2, 1, command as u32, 0, 0, 0x19, command as u32] {
        file.extend(number.to_le_bytes());
    }
    let name = |name: &str| {
        let mut name = name.as_bytes().to_vec();
        name.resize(16, 0);
        name
    };
    file.extend(name("__DATA"));
    for number in [0x1000, content.len(), start, content.len()] {
        file.extend((number as u64).to_le_bytes());
    }
    for number in [3_u32, 3, 1, 0] {
        file.extend(number.to_le_bytes());
    }
    file.extend(name(section));
    file.extend(name("__DATA"));
    for number in [0x1000, content.len()] {
        file.extend((number as u64).to_le_bytes());
    }
    file.extend((start as u32).to_le_bytes());
    file.extend([0; 28]);
    file.extend(content);
    file
}

#[test]
fn reads_programs_of_other_systems() {
    let audit = zlib(br#"{"packages":[{"name":"a","version":"1.0.0"}]}"#);
    for (form, make) in [("pe", pe as fn(&str, &[u8]) -> Vec<u8>), ("mach-o", mach_o)] {
        // The mark must lie at a multiple of its alignment.
        let head = make(".data", &[]).len();
        let padded = [vec![0; head.next_multiple_of(16) - head], inline("go1.19.8", MODULES)].concat();
        let facts = extract_bytes("bin/app.exe", &make(".data", &padded)).expect(form);
        assert_eq!(packages(&facts), EXPECTED, "{form}");
        let facts = extract_bytes("bin/app.exe", &make(rust::SECTION, &audit)).expect(form);
        assert_eq!(packages(&facts), ["a 1.0.0"], "{form}");
    }
    assert!(extract_bytes("A.class", b"\xca\xfe\xba\xbe\0\0\0\x34").expect("a class").is_empty());
}

#[test]
fn well_known_programs_are_told_by_their_versions() {
    let found = |path: &str, data: &[u8]| packages(&extract_bytes(path, data).expect("a program"));
    assert_eq!(found("usr/local/bin/node", &elf("x", b"node.js/v18.17.1\0")), ["node 18.17.1"]);
    assert_eq!(found("usr/local/lib/libssl.so.3", &elf("x", b"OpenSSL 3.0.11 19 Sep 2023\0")), ["openssl 3.0.11"]);
    assert!(found("usr/local/bin/other", &elf("x", b"node.js/v18.17.1\0")).is_empty());
    // In a large program, also across blocks.
    for at in [200, BLOCK - 5, 3 * BLOCK - 1] {
        let mut data = elf("", &[]);
        data.resize(at, 0);
        data.extend(b"node.js/v18.17.1\0");
        data.resize(5 * BLOCK + 7, 0);
        // What old releases have, which new ones may have of something else.
        data.get_mut(150..158).expect("room").copy_from_slice(b"\0v0.1.2\0");
        let (size, mut buffer, limits) = (data.len() as u64, Vec::new(), Limits::default());
        let mut content = data.as_slice();
        let mut file = File::new("bin/node", size, &limits, &mut content, &mut buffer);
        let mut magic = [0; 4];
        file.read_exact(&mut magic).expect("the file's head");
        let facts = search(&mut file, magic, "node").expect("a program");
        assert_eq!(packages(&facts), ["node 18.17.1"], "at {at}");
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

#[test]
fn reads_rust_programs() {
    let json = br#"{"packages":[{"name":"a","version":"1.0.0","source":"crates.io","dependencies":[1]},{"name":"b","version":"2.0.0","kind":"build"},{"name":"c","version":"3.0.0","kind":"runtime"}]}"#;
    for path in ["bin/app", "opt/app/libapp.so"] {
        let facts = extract_bytes(path, &elf(".dep-v0", &zlib(json))).expect("a program");
        assert_eq!(packages(&facts), ["a 1.0.0", "c 3.0.0"], "{path}");
    }
    let bomb = zlib(&vec![b' '; 9 << 20]);
    for broken in [b"".as_slice(), b"x", b"not zlib", &zlib(b"{"), &bomb] {
        assert!(extract_bytes("bin/app", &elf(".dep-v0", broken)).is_err(), "{} bytes", broken.len());
    }
}

#[test]
fn wants_programs_only() {
    for (path, mode, expected) in [
        ("usr/bin/app", 0o755, true),
        ("app", 0o100, true),
        ("opt/app-1.2.3", 0o755, true),
        ("opt/bin/app/app", 0o644, false),
        ("usr/bin/app.sh", 0o755, false),
        ("lib/libc.so.6", 0o755, false),
        ("lib/libx.so", 0o755, false),
        ("usr/lib/x86_64-linux-gnu/libx.so.1", 0o644, false),
        ("app/venv/lib/python3.12/site-packages/x/_x.abi3.so", 0o755, false),
        ("app/node_modules/x/build/x.so", 0o755, false),
        ("root/.cache/uv/archive-v0/x/torch/lib/libtorch.so", 0o755, false),
        ("usr/local/cuda-12.4/targets/x86_64-linux/lib/libx.so.12", 0o755, false),
        ("fluent-bit/plugins/out_x.so", 0o644, true),
        ("opt/app/lib/libx.so.1.2", 0o755, true),
        ("lib/libssl.so.3", 0o644, true),
        ("opt/app.exe", 0o644, true),
        ("usr/local/bin/app", 0o644, true),
        ("sbin/app", 0o644, true),
        ("sbin/app.sh", 0o644, false),
        ("usr/local/bin/composer", 0o644, true),
        ("opt/composer.phar", 0o644, true),
    ] {
        assert_eq!(Executable.wants(&Entry { path, size: 0, mode }), expected, "{path}");
    }
    assert!(extract_bytes("bin/sh", b"#!/bin/sh\n").expect("a script").is_empty());
    assert!(extract_bytes("bin/x", b"ab").expect("two bytes").is_empty());
    let phar = b"#!/usr/bin/env php\n<?php\n'pretty_version' => '2.7.1',\n";
    let facts = extract_bytes("usr/local/bin/composer", phar).expect("a script");
    assert_eq!(packages(&facts), ["composer/composer 2.7.1"]);
    let last = EXTRACTORS.last().expect("extractors").name();
    assert_eq!(last, "executable", "others may want files that are executable");
}

proptest! {
    #[test]
    fn nothing_panics(rust in any::<bool>(), form in 0..3, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut in any::<prop::sample::Index>()) {
        let (section, content) =
            if rust { (".dep-v0", zlib(b"{\"packages\":[]}")) } else { (".go", inline("go1.19.8", MODULES)) };
        let mut file = match form { 0 => elf(section, &content), 1 => pe(section, &content), _ => mach_o(section, &content) };
        for (index, byte) in changes {
            let at = index.index(file.len());
            file[at] = byte;
        }
        let _ = extract_bytes("bin/app", &file);
        file.truncate(cut.index(file.len()));
        let _ = extract_bytes("bin/app", &file);
    }
}
