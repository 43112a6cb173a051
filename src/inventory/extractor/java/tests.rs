//! Archives written here.

use std::io::{self, BufRead, Read};

use proptest::prelude::*;

use super::super::extract_bytes;
use super::super::zip::{Lengths, of as zip, written};
use super::*;
use crate::model::Package;

const POM: &str = "META-INF/maven/g/a/pom.properties";

fn pom(artifact: &str) -> Vec<u8> {
    format!("#Created by Apache Maven\nversion=1.0\r\ngroupId=org.x\nartifactId={artifact}\n").into_bytes()
}

fn found(path: &str, archive: &[u8]) -> Vec<String> {
    let row = |fact: &Fact| match fact {
        Fact::Package(p) => format!("{} {}", p.name, p.version),
        Fact::Nested { inside, package } => format!("{} {} in {inside}", package.name, package.version),
        Fact::Incomplete(reason) | Fact::LimitMet(reason) => reason.clone(),
        other => panic!("{other:?}"),
    };
    extract_bytes(path, archive).expect("an archive").iter().map(row).collect()
}

#[test]
fn reads_shaded_and_nested_archives() {
    let library = zip(&[(POM, &pom("library"))]);
    let named = zip(&[("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n")]);
    let inner = zip(&[("deep/named-2.0.jar", &named)]);
    let archive = zip(&[
        ("META-INF/maven/org.x/app/pom.properties", &pom("app")),
        ("META-INF/maven/org.x/shaded/pom.properties", &pom("shaded")),
        ("pom.properties", &pom("other-tool")),
        ("BOOT-INF/lib/library.jar", &library),
        ("BOOT-INF/lib/inner.jar", &inner),
        ("BOOT-INF/lib/empty.jar", b""),
        ("BOOT-INF/lib/broken.jar", b"broken"),
        ("com/x/Class.class", b"\xca\xfe\xba\xbe"),
    ]);
    let expected = [
        "org.x:app 1.0",
        "org.x:shaded 1.0",
        "org.x:other-tool 1.0",
        "org.x:library 1.0 in BOOT-INF/lib/library.jar",
        "named 2.0 in BOOT-INF/lib/inner.jar!/deep/named-2.0.jar",
        "`BOOT-INF/lib/broken.jar` in it could not be read: not a zip archive",
    ];
    assert_eq!(found("app/app.jar", &archive), expected);
    // An executable jar has a script before the archive.
    assert_eq!(found("app/app.jar", &[b"#!/bin/sh\n", archive.as_slice()].concat()), expected);
}

/// Name, version, licences, namespaces and by what it is known.
fn told(path: &str, archive: &[u8]) -> Vec<String> {
    let row = |package: &Package| {
        let mut row = format!("{} {}", package.name, package.version);
        if !package.licenses.is_empty() {
            row.push_str(&format!(" [{}]", package.licenses.join("; ")));
        }
        if !package.namespaces.is_empty() {
            row.push_str(&format!(" in {}", package.namespaces.join(", ")));
        }
        row.push_str(&package.known_by.map(|known| format!(" ({})", known.label())).unwrap_or_default());
        row
    };
    let facts = extract_bytes(path, archive).expect("an archive");
    let rows = facts.iter().map(|fact| match fact {
        Fact::Package(package) => row(package),
        Fact::Nested { inside, package } => format!("{inside}: {}", row(package)),
        Fact::Incomplete(reason) | Fact::LimitMet(reason) => reason.clone(),
        other => panic!("{other:?}"),
    });
    rows.collect()
}

#[test]
fn endings_may_be_written_in_any_case() {
    let library = zip(&[(POM, &pom("library"))]);
    let archive = zip(&[("lib/A.JAR", &library), ("lib/b.Nar", &library)]);
    for path in ["APP.JAR", "x.WAR", "y.Hpi"] {
        assert_eq!(
            found(path, &archive),
            ["org.x:library 1.0 in lib/A.JAR", "org.x:library 1.0 in lib/b.Nar"],
            "{path}"
        );
    }
}

#[test]
fn maven_names_an_archive_whose_file_name_has_numbers() {
    for (path, artifact, version) in [
        ("log4j-1.2-api-2.17.1.jar", "log4j-1.2-api", "2.17.1"),
        ("hibernate-jpa-2.1-api-1.0.0.Final.jar", "hibernate-jpa-2.1-api", "1.0.0.Final"),
        ("x-2-extra-3-y-1.0.jar", "x-2-extra", "3-y-1.0"),
        ("netty-epoll-4.1.77.Final-linux-x86_64.jar", "netty-epoll", "4.1.77.Final"),
    ] {
        let properties = format!("groupId=g\nartifactId={artifact}\nversion={version}\n");
        let archive = zip(&[(POM, properties.as_bytes()), ("META-INF/MANIFEST.MF", b"Bundle-Version: 9\n")]);
        assert_eq!(found(path, &archive), [format!("g:{artifact} {version}")], "{path}");
    }
}

#[test]
fn an_archive_without_a_group_has_what_may_tell_it() {
    let manifest =
        b"Implementation-Title: spring-beans\nImplementation-Version: 5.3.17\nBundle-SymbolicName: a.b;x:=y\n\
                     Automatic-Module-Name: spring.beans\nBundle-License: Apache-2.0\n";
    let beans = zip(&[
        ("META-INF/MANIFEST.MF", manifest),
        ("org/springframework/beans/A.class", b"x"),
        ("org/springframework/beans/factory/B.class", b"x"),
    ]);
    let row = "spring-beans 5.3.17 [Apache-2.0] in a.b, org.springframework.beans, spring.beans (manifest)";
    assert_eq!(told("spring-beans-5.3.17.jar", &beans), [row]);
    let named = zip(&[("META-INF/MANIFEST.MF", b"Implementation-Vendor-Id: a.b\n"), ("org/x/A.class", b"x")]);
    assert_eq!(told("y-1.jar", &named), ["a.b:y 1 (manifest)"]);
}

#[test]
fn licences_come_from_project_files_else_from_the_bundle() {
    let project = |licenses: &str| {
        format!("<project><groupId>org.x</groupId><artifactId>a</artifactId><version>1.0</version>{licenses}</project>")
    };
    let stated = project("<licenses><license><name>MIT</name></license></licenses>");
    let none = project("");
    let bundle = ("META-INF/MANIFEST.MF", &b"Bundle-License: BSD\n"[..]);
    let (properties, beside) = (("META-INF/maven/g/a/pom.properties", &*pom("a")), "META-INF/maven/g/a/pom.xml");
    for (members, expected) in [
        (&[(beside, stated.as_bytes()), properties, bundle][..], &["org.x:a 1.0 [MIT]"][..]),
        (&[(beside, none.as_bytes()), properties, bundle], &["org.x:a 1.0 [BSD]"]),
        (&[(beside, stated.as_bytes()), bundle], &["org.x:a 1.0 [MIT]"]),
        (&[properties, bundle], &["org.x:a 1.0 [BSD]"]),
        (&[("META-INF/maven/g/b/pom.xml", stated.as_bytes()), properties], &["org.x:a 1.0"]),
        // What is known is not made less so.
        (&[(beside, b"<project>"), properties], &["org.x:a 1.0"]),
    ] {
        assert_eq!(told("a-1.0.jar", &zip(members)), expected, "{members:?}");
    }
}

#[test]
fn what_is_broken_or_too_much_is_told_once() {
    let more: Vec<(String, &[u8])> =
        (0..3).map(|n| (format!("META-INF/maven/g/{n}/pom.properties"), &b"a=b"[..])).collect();
    let members: Vec<(&str, &[u8])> = more.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    let expected = "`META-INF/maven/g/0/pom.properties` and 2 more in it could not be read: it does not name group, artifact and \
                    version";
    assert_eq!(found("app.jar", &zip(&members)), [expected]);
    assert_eq!(found("app.jar", &zip(&[("x/pom.properties", b"a=b")])), [""; 0], "of another tool");
    let long = format!("groupId=g\nartifactId={}\nversion=1\n", "a".repeat(LONGEST_VALUE + 1));
    assert_eq!(found("app.jar", &zip(&[(POM, long.as_bytes())])).len(), 1);
    let broken = zip(&[("META-INF/maven/g/a/pom.xml", b"<project>")]);
    let expected = "`META-INF/maven/g/a/pom.xml` in it could not be read: it is no XML document";
    assert_eq!(found("app.jar", &broken), [expected]);
    let poms: Vec<String> = (0..1_002).map(|n| format!("META-INF/maven/g/{n}/pom.xml")).collect();
    let members: Vec<(&str, &[u8])> = poms.iter().map(|name| (name.as_str(), &b"<project/>"[..])).collect();
    assert_eq!(found("app.jar", &zip(&members)), ["it has 2 more project files than the 1000 that were read"]);
}

#[test]
fn names_of_members_are_bounded() {
    let library = zip(&[(POM, &pom("library"))]);
    let (long, longer) = (format!("{}.jar", "a".repeat(3_000)), format!("{}.jar", "b".repeat(5_000)));
    let inner = zip(&[(long.as_str(), &library)]);
    let properties = format!("{}/pom.properties", "c".repeat(5_000));
    let archive = zip(&[(long.as_str(), &inner), (&longer, &library), (&properties, &pom("a"))]);
    let expected = |first: &str| format!("`{}` in it could not be read: its name is too long", first.repeat(200));
    assert_eq!(found("app.jar", &archive), [expected("c"), expected("a"), expected("b")]);
    // Many packages whose place has a long name: the more so where none of them is too long.
    let properties: Vec<String> = (0..20_000).map(|number| format!("x/{number}/pom.properties")).collect();
    let content = pom("a");
    let members: Vec<(&str, &[u8])> = properties.iter().map(|name| (name.as_str(), &*content)).collect();
    let long = format!("{}.jar", "a".repeat(4_000));
    let rows = found("app.jar", &zip(&[(&long, &zip(&members))]));
    assert_eq!(
        rows.last().map(String::as_str),
        Some("the names in it take more than 64 MiB; the other packages are left out")
    );
    assert!((16_000..17_000).contains(&rows.len()), "{}", rows.len());
}

#[test]
fn a_bill_of_materials_names_archives_and_what_none_of_them_shows() {
    let document = |purls: &[&str]| {
        let components: Vec<String> = purls.iter().map(|purl| format!(r#"{{"purl":"pkg:{purl}"}}"#)).collect();
        format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{}]}}"#, components.join(","))
    };
    const BILL: &str = "META-INF/sbom/application.cdx.json";
    let bill = document(&["maven/g/a@1", "maven/g/b@1", "maven/h/b@1", "maven/org.x/library@1.0", "npm/c@1"]);
    let library =
        zip(&[(POM, &pom("library")), ("META-INF/sbom/bom.json", document(&["maven/g/built-with@1"]).as_bytes())]);
    let nothing = zip(&[("x/y/A.class", b"x")]);
    let archive = zip(&[
        (BILL, bill.as_bytes()),
        ("lib/a-1.jar", &nothing),
        ("lib/b-1.jar", &nothing),
        ("lib/library.jar", &library),
    ]);
    let expected =
        ["lib/a-1.jar: g:a 1 (sbom)", "lib/b-1.jar: b 1 in x.y (file-name)", "lib/library.jar: org.x:library 1.0"];
    let rows = told("app.jar", &archive);
    assert_eq!(rows.get(..3).unwrap_or_default(), expected);
    let others: Vec<&str> = rows.iter().filter_map(|row| row.strip_prefix(BILL)).collect();
    assert_eq!(others.len(), 3, "{rows:#?}");
    for name in [": g:b 1 (sbom)", ": h:b 1 (sbom)", ": c 1 (sbom)"] {
        assert!(others.contains(&name), "{name}: {rows:#?}");
    }
    let rows = found("app.jar", &zip(&[(BILL, b"{")]));
    assert!(rows[0].starts_with(&format!("`{BILL}` in it could not be read: ")), "{rows:?}");
}

#[test]
fn an_archive_has_a_name_beside_what_was_shaded_into_it() {
    let manifest = |version: &str| format!("Bundle-Version: {version}\n").into_bytes();
    for (path, version, expected) in [
        ("guice.jar", "4.2.3", &["org.x:cglib 1.0", "guice 4.2.3"][..]),
        ("guice-4.2.3.jar", "", &["org.x:cglib 1.0", "guice 4.2.3"]),
        // Its own properties, under another name or with another version.
        ("app.jar", "1.0", &["org.x:cglib 1.0"]),
        ("cglib-nodep.jar", "1.0", &["org.x:cglib 1.0"]),
        ("cglib.jar", "1.0.0", &["org.x:cglib 1.0"]),
        ("app.jar", "", &["org.x:cglib 1.0"]),
    ] {
        let archive = zip(&[("META-INF/MANIFEST.MF", &manifest(version)), (POM, &pom("cglib"))]);
        assert_eq!(found(path, &archive), expected, "{path} {version}");
        let nested = zip(&[(POM, &pom("cglib")), (&format!("lib/{path}"), &archive)]);
        let rows = found("cglib.jar", &nested);
        let inside = expected.iter().map(|row| format!("{row} in lib/{path}"));
        assert_eq!(rows, ["org.x:cglib 1.0".to_owned()].into_iter().chain(inside).collect::<Vec<_>>(), "{path}");
    }
}

#[test]
fn bombs_and_depths_are_limited() {
    let mut archive = zip(&[(POM, &pom("innermost"))]);
    for _ in 0..6 {
        archive = zip(&[("x.jar", &archive)]);
    }
    let rows = found("app.jar", &archive);
    assert_eq!(rows, ["`x.jar!/x.jar!/x.jar!/x.jar!/x.jar` in it could not be read: it is nested too deep"]);
    // A directory that promises little for a member that unpacks to much.
    let mut bomb = zip(&[(POM, &vec![b'x'; 10 << 20])]);
    assert_eq!(found("app.jar", &bomb), [format!("`{POM}` in it could not be read: it is too large")]);
    let directory = memchr::memmem::find(&bomb, b"PK\x01\x02").expect("a directory");
    bomb[directory + 24..directory + 28].copy_from_slice(&100_u32.to_le_bytes());
    assert_eq!(found("app.jar", &bomb), [format!("`{POM}` in it could not be read: it is corrupt")]);
}

#[test]
fn only_real_archives_are_errors_when_broken() {
    assert!(extract_bytes("a.jar", b"broken").is_err());
    assert_eq!(extract_bytes("a.jar", b"").expect("an empty file"), []);
    assert_eq!(extract_bytes("a.rar", b"Rar!").expect("another format"), []);
}

const LENGTHS: [Lengths; 4] =
    [Lengths::Before, Lengths::Both, Lengths::Behind { signed: true }, Lengths::Behind { signed: false }];

/// Shows some bytes at a time, as layers do.
struct Chunks<'a> {
    left: &'a [u8],
    most: usize,
}

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.left.read(buffer)
    }
}

impl BufRead for Chunks<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(&self.left[..self.left.len().min(self.most)])
    }

    fn consume(&mut self, amount: usize) {
        self.left = &self.left[amount..];
    }
}

/// What an archive says of which only some is in memory, and how many bytes are.
fn streamed(archive: &[u8], most: usize) -> (Result<Vec<Fact>, &'static str>, usize) {
    let limits = Limits::default();
    let (mut content, mut buffer) = (Chunks { left: archive, most }, Vec::new());
    let mut file = File::new("app.jar", archive.len() as u64, &limits, &mut content, &mut buffer);
    let kept = Kept::read(&mut file, deepest(&limits), wish).expect("a file");
    (facts("app.jar", kept.data(), &limits), kept.size())
}

#[test]
fn what_nobody_wants_is_not_in_memory() {
    // What cannot be packed.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(1 << 20)
    .collect();
    for (lengths, is_small) in [
        (Lengths::Before, true),
        (Lengths::Both, true),
        (Lengths::Behind { signed: true }, true),
        // Nothing tells where the first member ends that nobody wants.
        (Lengths::Behind { signed: false }, false),
    ] {
        let inner = written(&[("x/A.class", &noise), (POM, &pom("inner")), ("x/B.class", &noise)], lengths);
        let members: [(&str, &[u8]); 4] =
            [("x/C.class", &noise), ("lib/inner.jar", &inner), (POM, &pom("outer")), ("x/D.class", &noise)];
        let archive = written(&members, lengths);
        let whole = facts("app.jar", archive.as_slice().into(), &Limits::default());
        assert_eq!(whole.as_ref().map(Vec::len), Ok(2), "{lengths:?}");
        for most in [1000, 192 << 10, usize::MAX] {
            let (found, size) = streamed(&archive, most);
            assert_eq!(found, whole, "{lengths:?}");
            assert_eq!(size < 2_000, is_small, "{lengths:?}: {size}");
            let script = b"#!/bin/sh\nexec java -jar $0\n";
            let (found, size) = streamed(&[&script[..], &archive].concat(), most);
            assert_eq!(found, whole, "{lengths:?}");
            assert_eq!(size < 2_000, is_small, "{lengths:?} behind a script: {size}");
        }
    }
}

#[test]
fn a_changed_byte_of_a_nested_archive_is_told_wherever_it_is() {
    let inner = zip(&[("x/A.class", &[7; 500]), (POM, &pom("inner")), ("x/B.class", b"x")]);
    let archive = zip(&[("lib/inner.jar", &inner)]);
    let start = memchr::memmem::find(&archive, &inner).expect("a stored archive");
    for at in (start..start + inner.len()).step_by(7) {
        let mut archive = archive.clone();
        archive[at] ^= 1;
        let expected = "`lib/inner.jar` in it could not be read: its checksum is wrong";
        assert_eq!(found("app.jar", &archive), [expected], "{at}");
    }
}

#[test]
fn archives_that_never_end_cost_no_more_than_their_size() {
    // Stored archives, each of one header whose content has no end.
    let header = |flags: u8, packed: u8, name: &[u8]| {
        let mut header = b"PK\x03\x04\x14\0".to_vec();
        header.extend([
            flags,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            packed,
            0,
            0,
            0,
            packed,
            0,
            0,
            0,
            name.len() as u8,
            0,
            0,
            0,
        ]);
        header.extend(name);
        header
    };
    let one = [header(0, 30, b".jar"), header(8, 0, b"")].concat();
    assert_eq!(one.len(), 64);
    assert!(extract_bytes("app.jar", &one.repeat(1 << 17)).is_err());
    let (found, size) = streamed(&[one.repeat(1 << 10), zip(&[(POM, &pom("a"))])].concat(), 10_000);
    assert_eq!(found.map(|facts| facts.len()), Ok(1));
    assert!(size < 100_000, "{size}");
}

#[test]
fn a_header_that_lies_costs_no_more_than_what_it_covers_and_is_told() {
    let good = zip(&[("a.class", b"12345678"), (POM, &pom("a"))]);
    let packed = u32::from_le_bytes(good[18..22].try_into().expect("four bytes"));
    // The first member seems to end behind the second one, or before its end.
    for (length, expected) in [
        (packed, "org.x:a 1.0"),
        (packed + 40, "`META-INF/maven/g/a/pom.properties` in it could not be read: it is cut off"),
        (packed - 1, "org.x:a 1.0"),
        // Behind the archive.
        (0xffff_fffe, "org.x:a 1.0"),
        (good.len() as u32, "org.x:a 1.0"),
    ] {
        let mut archive = good.clone();
        archive[18..22].copy_from_slice(&length.to_le_bytes());
        assert_eq!(found("app.jar", &archive), [expected], "{length}");
    }
    // Nothing is left of it.
    let mut archive = good.clone();
    archive[18..22].copy_from_slice(&(good.len() as u32 - 50).to_le_bytes());
    assert!(extract_bytes("app.jar", &archive).is_err());
}

proptest! {
    #[test]
    fn it_does_not_matter_what_is_in_memory(
        members in prop::collection::vec((0_usize..6, prop::collection::vec(any::<u8>(), 0..300), 0_usize..3), 0..9),
        before in prop::collection::vec(any::<u8>(), 0..50),
        lengths in 0_usize..LENGTHS.len(),
        most in 1_usize..2000,
    ) {
        let lengths = LENGTHS[lengths];
        let mut outer: Vec<(String, Vec<u8>)> = Vec::new();
        for (index, (kind, content, nested)) in members.iter().enumerate() {
            let inner: Vec<(String, Vec<u8>)> = outer.iter().rev().take(*nested).cloned().collect();
            let inner: Vec<(&str, &[u8])> = inner.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
            outer.push(match kind {
                0 => (POM.to_owned(), pom("a")),
                1 => ("META-INF/MANIFEST.MF".to_owned(), b"Implementation-Version: 1\n".to_vec()),
                2 => (format!("lib/n{index}-1.0.jar"), written(&inner, lengths)),
                3 => (format!("lib/n{index}-1.0.war"), written(&inner, lengths)),
                4 => (format!("{index}/"), Vec::new()),
                _ => (format!("{index}.class"), content.clone()),
            });
        }
        let outer: Vec<(&str, &[u8])> = outer.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
        let archive = [before, written(&outer, lengths)].concat();
        let whole = facts("app.jar", archive.as_slice().into(), &Limits::default());
        prop_assert_eq!(streamed(&archive, most).0, whole);
    }

    #[test]
    fn nothing_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
        cut in any::<prop::sample::Index>(),
        lengths in 0_usize..LENGTHS.len(),
        most in 1_usize..2000,
    ) {
        let inner = written(&[("META-INF/MANIFEST.MF", b"A: b\n c\n"), ("x.class", b"x")], LENGTHS[lengths]);
        let mut archive = written(&[(POM, &pom("a")), ("b-1.jar", &inner), ("y.class", b"y")], LENGTHS[lengths]);
        for (index, byte) in changes {
            let at = index.index(archive.len());
            archive[at] = byte;
        }
        let _ = streamed(&archive, most);
        archive.truncate(cut.index(archive.len()));
        let _ = streamed(&archive, most);
    }
}
