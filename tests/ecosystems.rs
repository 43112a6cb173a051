//! Every form of package source that is promised, each as it lies in an image, through the whole inventory; and that what
//! the table of coverage claims is what is read.

#[path = "support/layers.rs"]
mod layers;
#[path = "support/programs.rs"]
mod programs;

use std::collections::{BTreeMap, BTreeSet};

use layers::*;
use plimsoll::image::{Entry, NoProgress};
use plimsoll::inventory;
use plimsoll::inventory::extractor::{EXTRACTORS, extractor_for};
use plimsoll::model::{Inventory, KnownBy, Limits, Package};
use programs::*;

type Files = Vec<(String, Vec<u8>)>;

/// A form: what people call it, the extractor that reads it, its files, and what they hold:
/// `type name version [licences] (known by)`.
struct Form {
    name: &'static str,
    source: &'static str,
    files: Files,
    found: Vec<&'static str>,
}

fn form(name: &'static str, source: &'static str, files: Files, found: &[&'static str]) -> Form {
    Form { name, source, files, found: found.to_vec() }
}

fn file(path: &str, content: impl AsRef<[u8]>) -> Files {
    vec![(path.to_owned(), content.as_ref().to_vec())]
}

fn inventory(files: &Files) -> Inventory {
    let tar = files.iter().fold(Tar::default(), |tar, (path, content)| tar.program(path, content));
    inventory::take(&Layout::of(&[tar.end()]).open(), &Limits::default(), &NoProgress)
}

fn row(package: &Package) -> String {
    let licenses =
        if package.licenses.is_empty() { String::new() } else { format!(" [{}]", package.licenses.join("; ")) };
    let known_by = package.known_by.map(|known_by| format!(" ({})", known_by.label())).unwrap_or_default();
    format!("{} {} {}{licenses}{known_by}", package.kind.purl_type(), package.name, package.version)
}

#[test]
fn every_form_is_found_through_the_whole_inventory() {
    let mut wrong = Vec::new();
    for Form { name, source, files, found } in forms() {
        let inventory = inventory(&files);
        let mut rows: Vec<String> = inventory.packages.iter().map(row).collect();
        rows.sort();
        let mut wanted = found.clone();
        wanted.sort_unstable();
        if rows != wanted {
            wrong.push(format!("{name}: {rows:?} instead of {wanted:?}; {:?}", inventory.gaps));
        }
        for (path, content) in &files {
            let entry = Entry { path, size: content.len() as u64, mode: 0o755 };
            let reader = extractor_for(&entry).map(|extractor| extractor.name());
            if reader != Some(source) {
                wrong.push(format!("{name}: {path} is read by {reader:?} instead of {source}"));
            }
        }
        for package in &inventory.packages {
            let is_there = |place: &plimsoll::model::Location| {
                files.iter().any(|(path, _)| place.path == *path || place.path.starts_with(&format!("{path}!/")))
            };
            if !package.locations.iter().all(is_there) {
                wrong.push(format!("{name}: {:?}", package.locations));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What an extractor claims in `docs/coverage.md` is what it reads: each of its patterns is that of a form above, and each
/// form's path is in a pattern.
#[test]
fn claims_are_what_is_read() {
    let mut paths: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for Form { source, files, .. } in forms() {
        paths.entry(source).or_default().extend(files.into_iter().map(|(path, _)| path));
    }
    let none = BTreeSet::new();
    let mut wrong = Vec::new();
    for extractor in EXTRACTORS {
        let paths = paths.get(extractor.name()).unwrap_or(&none);
        if paths.is_empty() {
            wrong.push(format!("{}: no form above is read by it", extractor.name()));
        }
        let patterns: Vec<String> = extractor.claims().iter().flat_map(|claim| patterns(claim)).collect();
        for pattern in &patterns {
            if !paths.iter().any(|path| matches(pattern, path)) {
                wrong.push(format!("{}: nothing shows that `{pattern}` is read", extractor.name()));
            }
        }
        // Programs have no paths of their own.
        // It says that it reads its endings in any case.
        let written = |path: &str| if extractor.name() == "java" { path.to_lowercase() } else { path.to_owned() };
        let is_claimed = |path: &str| patterns.iter().any(|pattern| matches(pattern, &written(path)));
        let unclaimed = paths.iter().filter(|path| !is_claimed(path));
        let unclaimed = unclaimed.filter(|_| !patterns.is_empty());
        wrong.extend(unclaimed.map(|path| format!("{}: `{path}` is in none of its claims", extractor.name())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The path patterns in a claim, without alternatives. What lies within archives is none.
fn patterns(claim: &str) -> Vec<String> {
    let quoted = claim.split('`').skip(1).step_by(2);
    let is_within = |text: &str| ["pom.", ".pnpm", "META-INF/sbom"].iter().any(|part| text.contains(part));
    let of_layers = quoted.filter(|text| text.contains('/') && !is_within(text));
    of_layers.flat_map(expanded).collect()
}

fn expanded(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let (inner, after) = rest.split_once('}').expect("a closing brace");
    inner.split(',').flat_map(|one| expanded(&format!("{before}{one}{after}"))).collect()
}

/// `**/` is any folders, or none; `*` and `<name>` are anything without a slash.
fn matches(pattern: &str, path: &str) -> bool {
    let mut regex = String::from("^");
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**/") {
            regex.push_str("(.*/)?");
            rest = after;
        } else if let Some((_, after)) = rest.strip_prefix('<').and_then(|inner| inner.split_once('>')) {
            regex.push_str("[^/]+");
            rest = after;
        } else {
            match c {
                '*' => regex.push_str("[^/]*"),
                c if c.is_ascii_alphanumeric() || c == '/' => regex.push(c),
                c => regex.push_str(&format!("\\{c}")),
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    regex_lite::Regex::new(&format!("{regex}$")).expect(pattern).is_match(path)
}

/// Names of distributions as their images have them, and what is made of them.
#[test]
fn every_distribution_is_recognised() {
    for (name, path, content, id, release) in [
        ("Debian", "etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n", "debian", "12"),
        ("Ubuntu", "etc/os-release", "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n", "ubuntu", "24.04"),
        ("Raspbian", "etc/os-release", "ID=raspbian\nID_LIKE=debian\nVERSION_ID=\"11\"\n", "raspbian", "11"),
        ("Alpine", "etc/os-release", "ID=alpine\nVERSION_ID=3.20.3\n", "alpine", "3.20"),
        ("Wolfi", "etc/os-release", "ID=wolfi\nVERSION_ID=20230201\n", "wolfi", "20230201"),
        ("Chainguard", "etc/os-release", "ID=chainguard\nVERSION_ID=20230214\n", "chainguard", "20230214"),
        ("RHEL and UBI", "etc/os-release", "ID=\"rhel\"\nVERSION_ID=\"9.3\"\n", "rhel", "9"),
        ("CentOS", "etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n", "centos", "7"),
        ("CentOS Stream", "etc/os-release", "NAME=\"CentOS Stream\"\nID=\"centos\"\nVERSION_ID=\"9\"\n", "centos", "9"),
        ("Fedora", "etc/os-release", "ID=fedora\nVERSION_ID=40\n", "fedora", "40"),
        ("AlmaLinux", "etc/os-release", "ID=\"almalinux\"\nVERSION_ID=\"9.3\"\n", "almalinux", "9"),
        ("Rocky", "etc/os-release", "ID=\"rocky\"\nVERSION_ID=\"8.9\"\n", "rocky", "8"),
        ("Oracle", "etc/os-release", "ID=\"ol\"\nVERSION_ID=\"9.3\"\n", "ol", "9"),
        ("Amazon Linux 1", "etc/system-release", "Amazon Linux AMI release 2018.03\n", "amzn", "2018"),
        ("Amazon Linux 2", "etc/os-release", "ID=\"amzn\"\nVERSION_ID=\"2\"\n", "amzn", "2"),
        ("Amazon Linux 2023", "etc/os-release", "ID=\"amzn\"\nVERSION_ID=\"2023\"\n", "amzn", "2023"),
        ("SLES", "etc/os-release", "ID=\"sles\"\nVERSION_ID=\"15.5\"\n", "sles", "15.5"),
        ("openSUSE Leap", "etc/os-release", "ID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"\n", "opensuse-leap", "15.6"),
        (
            "openSUSE Tumbleweed",
            "etc/os-release",
            "ID=\"opensuse-tumbleweed\"\nVERSION_ID=\"20240101\"\n",
            "opensuse-tumbleweed",
            "20240101",
        ),
        ("SLE Micro", "etc/os-release", "ID=\"sle-micro\"\nVERSION_ID=\"5.5\"\n", "sle-micro", "5.5"),
        ("SUSE Linux Micro", "etc/os-release", "ID=\"sl-micro\"\nVERSION_ID=\"6.0\"\n", "sl-micro", "6.0"),
        (
            "openSUSE Leap Micro",
            "etc/os-release",
            "ID=\"opensuse-leap-micro\"\nVERSION_ID=\"5.2\"\n",
            "opensuse-leap-micro",
            "5.2",
        ),
        ("Photon", "etc/os-release", "ID=photon\nVERSION_ID=5.0\n", "photon", "5.0"),
        ("Azure Linux", "etc/os-release", "ID=azurelinux\nVERSION_ID=\"3.0\"\n", "azurelinux", "3.0"),
        ("Mariner", "etc/mariner-release", "CBL-Mariner 2.0.20220226\nMARINER_BUILD_NUMBER=1\n", "mariner", "2.0"),
        ("Arch", "usr/lib/os-release", "ID=arch\n", "arch", ""),
        (
            "distroless",
            "usr/lib/os-release",
            "ID=debian\nVERSION_ID=\"12\"\nNAME=\"Debian GNU/Linux\"\nVARIANT_ID=\"distroless\"\n",
            "debian",
            "12",
        ),
    ] {
        let inventory = inventory(&file(path, content));
        let found = inventory.distribution.unwrap_or_else(|| panic!("{name} is not recognised"));
        assert_eq!((found.id.as_str(), found.release().as_str()), (id, release), "{name}");
    }
    // BusyBox alone says nothing of its system, and `scratch` has none.
    let busybox = inventory(&file("bin/busybox", elf("x", b"BusyBox v1.36.1 (2023-05-18)\0")));
    assert_eq!((busybox.distribution, busybox.gaps.len()), (None, 1));
    assert_eq!(busybox.packages.iter().map(row).collect::<Vec<_>>(), ["generic busybox 1.36.1 (version-string)"]);
    let scratch = inventory(&file("app", elf("x", b"")));
    assert_eq!((scratch.distribution, scratch.gaps.len(), scratch.packages.len()), (None, 0, 0));
}

/// The last release file is the least trusted, and each is read where it alone is there.
#[test]
fn every_release_file_is_read() {
    for (path, content, id) in [
        ("etc/os-release", "ID=a1\n", "a1"),
        ("usr/lib/os-release", "ID=a2\n", "a2"),
        ("etc/initrd-release", "ID=a3\n", "a3"),
        ("usr/lib/initrd-release", "ID=a4\n", "a4"),
        ("etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=14.04\n", "ubuntu"),
        ("etc/oracle-release", "Oracle Linux Server release 6.10\n", "ol"),
        ("etc/almalinux-release", "AlmaLinux release 8.3\n", "almalinux"),
        ("etc/rocky-release", "Rocky Linux release 8.3\n", "rocky"),
        ("etc/centos-release", "CentOS release 6.10 (Final)\n", "centos"),
        ("etc/fedora-release", "Fedora release 20 (Heisenbug)\n", "fedora"),
        ("etc/mariner-release", "CBL-Mariner 1.0\n", "mariner"),
        ("etc/azurelinux-release", "Microsoft Azure Linux 3.0\n", "azurelinux"),
        ("etc/photon-release", "VMware Photon OS 4.0\n", "photon"),
        ("etc/redhat-release", "Red Hat Enterprise Linux Server release 6.10\n", "rhel"),
        ("etc/system-release", "Amazon Linux release 2 (Karoo)\n", "amzn"),
        ("etc/SuSE-release", "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\n", "sles"),
        ("etc/alpine-release", "3.4.6\n", "alpine"),
        ("etc/arch-release", "", "arch"),
        ("etc/debian_version", "7.11\n", "debian"),
    ] {
        let found = inventory(&file(path, content)).distribution.unwrap_or_else(|| panic!("{path} is not read"));
        assert_eq!(found.id, id, "{path}");
    }
}

/// The repositories decide which release Alpine's packages are of, and Red Hat's manifests name their content sets.
#[test]
fn package_sources_belong_to_the_distribution() {
    for path in ["etc/apk/repositories", "etc/apk/repositories.d/x.list"] {
        let mut files = file("etc/os-release", "ID=alpine\nVERSION_ID=3.20.3\n");
        files.extend(file(path, "https://dl-cdn.alpinelinux.org/alpine/edge/main\n"));
        let found = inventory(&files).distribution.expect("Alpine");
        assert_eq!(found.repository_release.as_deref(), Some("edge"), "{path}");
    }
    for path in ["root/buildinfo/content_manifests/ubi9.json", "usr/share/buildinfo/content-sets.json"] {
        let mut files = file("etc/os-release", "ID=rhel\nVERSION_ID=9.4\n");
        files.extend(file(path, r#"{"content_sets":["rhel-9-for-x86_64-baseos-rpms"]}"#));
        let found = inventory(&files).distribution.expect("Red Hat");
        assert_eq!(found.content_sets, ["rhel-9-for-x86_64-baseos-rpms"], "{path}");
    }
}

/// Debian's database has no licences; packages of one source may share the file that has them.
#[test]
fn licences_of_debian_lie_beside_its_database() {
    let status = |name: &str| format!("Package: {name}\nStatus: install ok installed\nVersion: 1\n\n");
    let layer = Tar::default()
        .file("var/lib/dpkg/status", [status("gcc-12-base"), status("libgcc-s1"), status("x")].concat().as_bytes())
        .file("usr/share/doc/gcc-12-base/copyright", b"see /usr/share/common-licenses/GPL-3, please\n")
        .symlink("usr/share/doc/libgcc-s1", "gcc-12-base");
    let inventory = inventory::take(&Layout::of(&[layer.end()]).open(), &Limits::default(), &NoProgress);
    let rows: Vec<String> = inventory.packages.iter().map(row).collect();
    assert_eq!(rows, ["deb gcc-12-base 1 [GPL-3]", "deb libgcc-s1 1 [GPL-3]", "deb x 1"]);
}

/// Files of an OS package and a program among them: by whatever list the package manager keeps.
#[test]
fn every_list_of_files_tells_the_owner() {
    let status = "Package: p\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";
    let distroless = "Package: p\nArchitecture: amd64\nVersion: 1\n";
    let wall = r#"{"jsonwall":"1.0","count":3}
{"kind":"package","name":"p","version":"1","arch":"amd64"}
{"kind":"path","path":"/usr/lib/x-1.dist-info/METADATA","slices":["p_all"]}
"#;
    let line = "/usr/lib/x-1.dist-info/METADATA\n";
    let sum = "d41d8cd98f00b204e9800998ecf8427e  usr/lib/x-1.dist-info/METADATA\n";
    let package: (&str, &str, &str, &[&str]) = ("p", "1", "AlmaLinux", &["x-1.dist-info/METADATA"]);
    let forms: [(&str, Files); 9] = [
        ("dpkg .list", [file("var/lib/dpkg/status", status), file("var/lib/dpkg/info/p.list", line)].concat()),
        (
            "dpkg .md5sums",
            [file("var/lib/dpkg/status", status), file("var/lib/dpkg/info/p:amd64.md5sums", sum)].concat(),
        ),
        (
            "distroless",
            [file("var/lib/dpkg/status.d/p", distroless), file("var/lib/dpkg/status.d/p.md5sums", sum)].concat(),
        ),
        ("chisel", file("var/lib/chisel/manifest.wall", zstd(wall.as_bytes()))),
        ("apk", file("lib/apk/db/installed", "P:p\nV:1\nF:usr/lib/x-1.dist-info\nR:METADATA\n\n")),
        ("rpm", file("var/lib/rpm/Packages", berkeley_db(&[rpm_header(&package, &[])]))),
        (
            "pacman",
            [
                file("var/lib/pacman/local/p-1-1/desc", "%NAME%\np\n\n%VERSION%\n1\n"),
                file("var/lib/pacman/local/p-1-1/files", "%FILES%\nusr/lib/x-1.dist-info/METADATA\n"),
            ]
            .concat(),
        ),
        (
            "opkg",
            [
                file("usr/lib/opkg/status", "Package: p\nStatus: install user installed\nVersion: 1\n"),
                file("usr/lib/opkg/info/p.list", line),
            ]
            .concat(),
        ),
        (
            "portage",
            file(
                "var/db/pkg/a/p-1/CONTENTS",
                "obj /usr/lib/x-1.dist-info/METADATA d41d8cd98f00b204e9800998ecf8427e 1\n",
            ),
        ),
    ];
    for (name, mut files) in forms {
        files.extend(file("usr/lib/x-1.dist-info/METADATA", "Name: x\nVersion: 1\n"));
        let inventory = inventory(&files);
        let found = inventory.packages.iter().find(|package| package.name == "x").expect(name);
        let owner = found.owned_by.as_deref().unwrap_or_else(|| panic!("{name}: nobody owns it"));
        assert!(["p 1", "p 1-1", "a/p 1"].contains(&owner), "{name}: {owner}");
    }
}

fn forms() -> Vec<Form> {
    let mut forms = systems();
    forms.extend(languages());
    forms.extend(archives());
    forms.extend(executables());
    forms.extend(documents());
    forms
}

fn systems() -> Vec<Form> {
    let package: (&str, &str, &str, &[&str]) = ("bash", "5.1", "Red Hat, Inc.", &[]);
    let header = rpm_header(&package, &[(1014, "GPLv3+"), (5096, "nodejs:18:1:x")]);
    let status = "Package: libssl3\nStatus: install ok installed\nMaintainer: D <d@debian.org>\nArchitecture: amd64\nSource: openssl\nVersion: 3.0.11-1~deb12u2\n\n";
    let wall = "{\"jsonwall\":\"1.0\",\"count\":1}\n{\"kind\":\"package\",\"name\":\"libc6\",\"version\":\"2.39-0ubuntu8.3\",\"arch\":\"amd64\"}\n";
    let desc = "%NAME%\nbash\n\n%VERSION%\n5.2.026-2\n\n%ARCH%\nx86_64\n\n%LICENSE%\nGPL-3.0-or-later\n";
    let opkg = "Package: busybox\nVersion: 1.36.1-1\nStatus: install user installed\nArchitecture: x86_64\n\n";
    let apk = "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\n\n";
    let mut forms = vec![
        form("dpkg", "dpkg", file("var/lib/dpkg/status", status), &["deb libssl3 3.0.11-1~deb12u2"]),
        form("distroless", "dpkg", file("var/lib/dpkg/status.d/libssl3", status), &["deb libssl3 3.0.11-1~deb12u2"]),
        form(
            "licences of Debian's packages",
            "copyright",
            file("usr/share/doc/libssl3/copyright", "Format: x\n\nFiles: *\nLicense: Apache-2.0\n"),
            &[],
        ),
        form("a list of files", "dpkg", file("var/lib/dpkg/info/a.list", "/usr/lib/x\n"), &[]),
        form("sums of files", "dpkg", file("var/lib/dpkg/info/a.md5sums", "0  x\n"), &[]),
        form("sums of distroless", "dpkg", file("var/lib/dpkg/status.d/a.md5sums", "0  x\n"), &[]),
        form(
            "chisel",
            "chisel",
            file("var/lib/chisel/manifest.wall", zstd(wall.as_bytes())),
            &["deb libc6 2.39-0ubuntu8.3"],
        ),
        form("apk v2", "apk", file("lib/apk/db/installed", apk), &["apk musl 1.2.5-r0 [MIT]"]),
        form("apk v3", "apk", file("usr/lib/apk/db/installed", apk), &["apk musl 1.2.5-r0 [MIT]"]),
        form("repositories", "apk", file("etc/apk/repositories", ""), &[]),
        form("further repositories", "apk", file("etc/apk/repositories.d/a.list", ""), &[]),
        form("an rpm log", "rpm", file("var/lib/rpm/rpmdb.sqlite-wal", ""), &[]),
        form(
            "distroless rpm",
            "rpm",
            file(
                "var/lib/rpmmanifest/container-manifest-2",
                "zlib\t1.2.11-1.cm2\t1\t1\tMicrosoft\t(none)\t1\tx86_64\t0\tzlib-1.2.11-1.cm2.src.rpm\n",
            ),
            &["rpm zlib 1.2.11-1.cm2"],
        ),
        form(
            "pacman",
            "pacman",
            file("var/lib/pacman/local/bash-5.2.026-2/desc", desc),
            &["alpm bash 5.2.026-2 [GPL-3.0-or-later]"],
        ),
        form("files of pacman", "pacman", file("var/lib/pacman/local/bash-5.2.026-2/files", "%FILES%\n"), &[]),
        form("opkg", "opkg", file("usr/lib/opkg/status", opkg), &["opkg busybox 1.36.1-1"]),
        form("opkg of Yocto", "opkg", file("var/lib/opkg/status", opkg), &["opkg busybox 1.36.1-1"]),
        form("files of opkg", "opkg", file("usr/lib/opkg/info/a.list", ""), &[]),
        form("files of Yocto's", "opkg", file("var/lib/opkg/info/a.list", ""), &[]),
        form(
            "portage",
            "portage",
            file("var/db/pkg/dev-libs/openssl-3.0.9-r1/CONTENTS", ""),
            &["ebuild dev-libs/openssl 3.0.9-r1"],
        ),
        form("content manifest", "content manifest", file("root/buildinfo/content_manifests/a.json", "{}"), &[]),
        form("content sets", "content manifest", file("usr/share/buildinfo/a.json", "{}"), &[]),
    ];
    // Each form of the database in each of the places.
    for folder in ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"] {
        let found = &["rpm bash 5.1-1 [GPLv3+]"];
        let database = sqlite("Packages", &[vec![b"", &header]]);
        forms.push(form("rpm, SQLite", "rpm", file(&format!("{folder}/rpmdb.sqlite"), database), found));
        let database = rpm_database(&[package]);
        forms.push(form("rpm, NDB", "rpm", file(&format!("{folder}/Packages.db"), database), &["rpm bash 5.1-1"]));
        let database = berkeley_db(std::slice::from_ref(&header));
        forms.push(form("rpm, Berkeley DB", "rpm", file(&format!("{folder}/Packages"), database), found));
        forms.push(form("an rpm log", "rpm", file(&format!("{folder}/rpmdb.sqlite-wal"), ""), &[]));
    }
    for path in inventory::extractor::RELEASE_FILES {
        forms.push(form("a release file", "distribution", file(path, ""), &[]));
    }
    forms.push(form("Fedora's variants", "distribution", file("usr/lib/os.release.d/os-release-fedora", ""), &[]));
    forms
}

fn languages() -> Vec<Form> {
    let npm = |name: &str| format!(r#"{{"name":"{name}","version":"4.17.21","license":"MIT"}}"#);
    let python = "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\nLicense: MIT\n\nText\n";
    let six: &[&str] = &["pypi six 1.16.0 [MIT]"];
    let lodash: &[&str] = &["npm lodash 4.17.21 [MIT]"];
    let gem = "# -*- encoding: utf-8 -*-\n# stub: rack 2.2.7 ruby lib\n\nGem::Specification.new do |s|\n  s.name = \"rack\".freeze\n  s.version = \"2.2.7\"\n  s.licenses = [\"MIT\".freeze]\nend\n";
    let rack: &[&str] = &["gem rack 2.2.7 [MIT]"];
    let pnpm = "app/node_modules/.pnpm/lodash@4.17.21/node_modules/lodash/package.json";
    let archive = |inside: &str, content: &str| zip(&[(inside, content.as_bytes())], false);
    let installed = r#"{"packages":[{"name":"monolog/monolog","version":"2.9.1","license":["MIT"]}]}"#;
    let deps = r#"{"libraries":{"Newtonsoft.Json/13.0.1":{"type":"package"},"App/1.0.0":{"type":"project"},
        "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1":{"type":"runtimepack"}}}"#;
    let lock =
        r#"{"dependencies":{"net8.0":{"Serilog":{"type":"Direct","resolved":"3.1.1"},"App":{"type":"Project"}}}}"#;
    let manifest = "julia_version = \"1.9.4\"\n\n[[deps.JSON]]\nuuid = \"6\"\nversion = \"0.21.4\"\n";
    let plugin = "<?php\n/*\nPlugin Name: Hello\nVersion: 1.7.2\n*/\n";
    let author = "Gem::Specification.new do |s|\n  s.name = 'rack'\n  s.version = '2.2.7'\n  s.license = 'MIT'\nend\n";
    let haskell = "name: aeson\nversion:\n    2.1.0.0\nlicense: BSD-3-Clause\n";
    let r = "Package: jsonlite\nVersion: 1.8.8\nLicense: MIT\nBuilt: R 4.3.2; ; 2024; unix\n";
    let release = "IMPLEMENTOR=\"Eclipse Adoptium\"\nJAVA_RUNTIME_VERSION=\"17.0.10+7\"\nJAVA_VERSION=\"17.0.10\"\n";
    let conan = sqlite("packages", &[vec![b"zlib/1.2.13", b"f52e03ae"]]);
    let go: &[&str] = &["golang stdlib 1.22.1", "golang toolchain 1.22.1"];
    vec![
        form("npm", "npm", file("app/node_modules/lodash/package.json", npm("lodash")), lodash),
        form(
            "npm, scoped",
            "npm",
            file("app/node_modules/@babel/core/package.json", npm("@babel/core")),
            &["npm @babel/core 4.17.21 [MIT]"],
        ),
        form("pnpm's store in a project", "npm", file(pnpm, npm("lodash")), lodash),
        form("an unpacked archive", "npm", file("opt/lodash-v4.17.21/package.json", npm("lodash")), lodash),
        form("an unpacked archive", "npm", file("opt/lodash-4.17.21/package.json", npm("lodash")), lodash),
        form(
            "Corepack",
            "npm",
            file("root/.cache/node/corepack/v1/lodash/4.17.21/package.json", npm("lodash")),
            lodash,
        ),
        form(
            "Yarn's store",
            "npm",
            file(
                "app/.yarn/cache/lodash-npm-4.17.21-6382451519.zip",
                archive("node_modules/lodash/package.json", &npm("lodash")),
            ),
            lodash,
        ),
        form(
            "Yarn's shared store",
            "npm",
            file(
                "root/.yarn/berry/cache/lodash-npm-4.17.21-6382451519.zip",
                archive("node_modules/lodash/package.json", &npm("lodash")),
            ),
            lodash,
        ),
        form("dist-info", "python", file("usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA", python), six),
        form(
            "egg-info, a folder",
            "python",
            file("usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO", python),
            six,
        ),
        form("egg-info, a file", "python", file("usr/lib/python3/dist-packages/six-1.16.0.egg-info", python), six),
        form("an unpacked egg", "python", file("usr/lib/python3/six-1.16.0-py3.11.egg/EGG-INFO/PKG-INFO", python), six),
        form(
            "an egg",
            "python",
            file("usr/lib/python3/six-1.16.0-py3.11.egg", archive("EGG-INFO/PKG-INFO", python)),
            six,
        ),
        form(
            "direct_url",
            "python",
            [
                file("a/six-1.16.0.dist-info/METADATA", python),
                file(
                    "a/six-1.16.0.dist-info/direct_url.json",
                    r#"{"url":"https://git.example/six","vcs_info":{"vcs":"git","commit_id":"1"}}"#,
                ),
            ]
            .concat(),
            six,
        ),
        form(
            "dist-info without a name",
            "python",
            [
                file("opt/six/dist-info/METADATA", python),
                file("opt/six/dist-info/direct_url.json", r#"{"url":"https://files.example/six-1.16.0.whl"}"#),
            ]
            .concat(),
            six,
        ),
        form("egg-info without a name", "python", file("opt/six/egg-info/PKG-INFO", python), six),
        form(
            "conda",
            "conda",
            file(
                "opt/conda/conda-meta/openssl-3.0.9-hd590300_0.json",
                r#"{"name":"openssl","version":"3.0.9","license":"Apache-2.0"}"#,
            ),
            &["conda openssl 3.0.9 [Apache-2.0]"],
        ),
        form("a gem", "gem", file("usr/lib/ruby/gems/3.1.0/specifications/rack-2.2.7.gemspec", gem), rack),
        form(
            "a default gem",
            "gem",
            file("usr/lib/ruby/gems/3.1.0/specifications/default/rack-2.2.7.gemspec", gem),
            rack,
        ),
        form(
            "a gem that Bundler checked out",
            "gem",
            file("usr/local/bundle/bundler/gems/rack-1234567890ab/rack.gemspec", author),
            rack,
        ),
        form(
            "one of several gems that Bundler checked out",
            "gem",
            file("usr/local/bundle/bundler/gems/all-1234567890ab/rack/rack.gemspec", author),
            rack,
        ),
        form(
            "Composer",
            "composer",
            file("app/vendor/composer/installed.json", installed),
            &["composer monolog/monolog 2.9.1 [MIT]"],
        ),
        form(
            "deps.json",
            "dotnet",
            file("app/App.deps.json", deps),
            &["nuget Microsoft.NETCore.App.Runtime.linux-x64 8.0.1", "nuget Newtonsoft.Json 13.0.1"],
        ),
        form("packages.lock.json", "dotnet", file("app/packages.lock.json", lock), &["nuget Serilog 3.1.1"]),
        form(
            "Erlang",
            "erlang",
            file("app/lib/cowboy-2.9.0/ebin/cowboy.app", "{application, 'cowboy', [{vsn, \"2.9.0\"}]}."),
            &["hex cowboy 2.9.0"],
        ),
        form(
            "Erlang/OTP itself",
            "erlang",
            file("usr/lib/erlang/lib/ssl-11.0/ebin/ssl.app", "{application, ssl, [{vsn, \"11.0\"}]}."),
            &["generic ssl 11.0"],
        ),
        form(
            "Erlang/OTP in a release",
            "erlang",
            file("app/lib/ssl-11.1/ebin/ssl.app", "{application, ssl, [{vsn, \"11.1\"}]}."),
            &["generic ssl 11.1"],
        ),
        form(
            "Elixir",
            "erlang",
            file(
                "app/_build/prod/lib/plug/ebin/plug.app",
                "{application,plug,[{description,\"x\"},{vsn,\"1.15.2\"}]}.",
            ),
            &["hex plug 1.15.2"],
        ),
        form(
            "Lua",
            "folders",
            file("usr/local/lib/luarocks/rocks-5.1/luasocket/3.1.0-1/luasocket-3.1.0-1.rockspec", ""),
            &["luarocks luasocket 3.1.0-1"],
        ),
        form(
            "Dart",
            "folders",
            file("root/.pub-cache/hosted/pub.dev/http-1.1.0/pubspec.yaml", ""),
            &["pub http 1.1.0"],
        ),
        form(
            "Conan 1",
            "folders",
            file("root/.conan/data/zlib/1.2.13/_/_/package/ab/conaninfo.txt", ""),
            &["conan zlib 1.2.13"],
        ),
        form("Conan 2", "conan", file("root/.conan2/p/cache.sqlite3", conan), &["conan zlib 1.2.13"]),
        form("R", "r", file("usr/lib/R/site-library/jsonlite/DESCRIPTION", r), &["cran jsonlite 1.8.8 [MIT]"]),
        form(
            "Haskell",
            "haskell",
            file("root/.ghcup/ghc/9.4/lib/package.conf.d/aeson-2.1.0.0.conf", haskell),
            &["hackage aeson 2.1.0.0 [BSD-3-Clause]"],
        ),
        form(
            "Cabal",
            "haskell",
            file("root/.cabal/store/ghc-9.4.7/package.db/aeson.conf", haskell),
            &["hackage aeson 2.1.0.0 [BSD-3-Clause]"],
        ),
        form("Julia", "julia", file("root/.julia/environments/v1.9/Manifest.toml", manifest), &["julia JSON 0.21.4"]),
        form(
            "WordPress",
            "wordpress",
            file("var/www/html/wp-includes/version.php", "<?php\n$wp_version = '6.4.2';\n"),
            &["wordpress wordpress 6.4.2"],
        ),
        form(
            "a plugin",
            "wordpress",
            file(
                "var/www/html/wp-content/plugins/akismet/akismet.php",
                "<?php\n/**\n * Plugin Name: Akismet\n * Version: 5.3\n */\n",
            ),
            &["wordpress plugin/akismet 5.3"],
        ),
        form(
            "plugins in one file, and one that is always on",
            "wordpress",
            [
                file("www/wp-content/plugins/hello.php", plugin),
                file("www/wp-content/mu-plugins/loader.php", plugin),
                file("www/wp-content/mu-plugins/own/own.php", plugin),
            ]
            .concat(),
            &["wordpress plugin/hello 1.7.2", "wordpress plugin/loader 1.7.2", "wordpress plugin/own 1.7.2"],
        ),
        form(
            "a theme",
            "wordpress",
            file("var/www/html/wp-content/themes/astra/style.css", "/*\nTheme Name: Astra\nVersion: 4.5.2\n*/\n"),
            &["wordpress theme/astra 4.5.2"],
        ),
        form("OpenJDK", "jdk", file("opt/java/openjdk/release", release), &["generic java 17.0.10"]),
        form("Go's toolchain", "go toolchain", file("usr/local/go/VERSION", "go1.22.1\ntime 2024\n"), go),
        form("Debian's Go", "go toolchain", file("usr/share/go-1.22/VERSION", "go1.22.1"), go),
        form("a Go beside others", "go toolchain", file("root/sdk/go1.22.1/VERSION", "go1.22.1"), go),
    ]
}

/// Java: every ending, and each way by which an archive is known.
fn archives() -> Vec<Form> {
    const POM: &str = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties";
    let properties = b"groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n";
    let log4j = &["maven org.apache.logging.log4j:log4j-core 2.14.1"];
    let jar = zip(&[(POM, properties)], false);
    let endings = ["jar", "war", "ear", "par", "sar", "kar", "nar", "rar", "hpi", "jpi", "lpkg"];
    let mut forms: Vec<Form> = endings
        .iter()
        .map(|ending| form("an archive", "java", file(&format!("app/x.{ending}"), &jar), log4j))
        .collect();
    let shaded = b"groupId=com.google.guava\nartifactId=guava\nversion=31.0\n";
    let shaded = zip(&[(POM, properties), ("META-INF/maven/com.google.guava/guava/pom.properties", shaded)], false);
    forms.push(form("shaded", "java", file("app/all.jar", shaded), &[log4j[0], "maven com.google.guava:guava 31.0"]));
    let mut nested = jar;
    for level in ["BOOT-INF/lib/a.jar", "b.jar", "c.jar", "d.jar"] {
        nested = zip(&[(level, &nested)], false);
    }
    forms.push(form("nested to depth 5", "java", file("app/app.war", nested), log4j));
    let pom = b"<project><groupId>org.x</groupId><artifactId>y</artifactId><version>1.2</version></project>";
    let pom = zip(&[("META-INF/maven/org.x/y/pom.xml", pom)], false);
    forms.push(form("pom.xml", "java", file("app/y.jar", pom), &["maven org.x:y 1.2"]));
    let manifest = b"Manifest-Version: 1.0\nImplementation-Vendor-Id: org.apache\nImplementation-Version: 2.6\n";
    let manifest = zip(&[("META-INF/MANIFEST.MF", manifest)], false);
    forms.push(form(
        "manifest",
        "java",
        file("app/commons.jar", manifest),
        &["maven org.apache:commons 2.6 (manifest)"],
    ));
    let nothing = zip(&[("a.class", b"\xca\xfe\xba\xbe")], false);
    let by_name = &["maven commons-lang 2.6 (file-name)"];
    forms.push(form("file name", "java", file("app/commons-lang-2.6.jar", &nothing), by_name));
    forms.push(form(
        "an ending in capitals",
        "java",
        file("app/COMMONS-LANG-2.6.JAR", &nothing),
        &["maven COMMONS-LANG 2.6 (file-name)"],
    ));
    let bill = br#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"purl":"pkg:maven/org.x/y@1.2"},{"purl":"pkg:maven/org.x/z@3"}]}"#;
    let app = zip(&[("META-INF/sbom/application.cdx.json", bill), ("BOOT-INF/lib/y-1.2.jar", &nothing)], false);
    let found = &["maven org.x:y 1.2 (sbom)", "maven org.x:z 3 (sbom)"];
    forms.push(form("an application with a bill of materials", "java", file("app/app.jar", app), found));
    forms
}

fn executables() -> Vec<Form> {
    let modules = "path\texample.org/app\nmod\texample.org/app\t(devel)\t\ndep\tgolang.org/x/net\tv0.17.0\th1:x=\n";
    let go = |more: &str| {
        let information = go_information("go1.22.1", &format!("{modules}{more}"));
        elf(".go.buildinfo", &information)
    };
    let audit = zlib(br#"{"packages":[{"name":"time","version":"0.1.44","source":"crates.io"}]}"#);
    let net = "golang golang.org/x/net v0.17.0";
    let devel = &["golang stdlib 1.22.1", "golang example.org/app (devel)", net];
    let commit = "build\tvcs.revision=0123456789abcdef0123456789abcdef01234567\nbuild\tvcs.time=2024-02-29T18:18:48Z\n";
    let program = |name, path: &str, content: Vec<u8>, found: &[&'static str]| {
        form(name, "executable", file(path, content), found)
    };
    let data =
        |data: &[u8]| go_information("go1.22.1", modules).into_iter().chain(data.iter().copied()).collect::<Vec<u8>>();
    let mut forms = vec![
        program("Go, ELF", "usr/bin/app", go(""), devel),
        program("Go, stripped", "usr/bin/app", stripped(go("")), devel),
        program("Go, PE", "app/app.exe", pe(".data", &data(b"")), devel),
        program("Go, Mach-O", "app/app", mach_o("__go_buildinfo", &data(b"")), devel),
        program(
            "Go, main module from linker flags",
            "usr/bin/app",
            go("build\t-ldflags=\"-s -X main.version=1.2.3\"\n"),
            &["golang stdlib 1.22.1", "golang example.org/app v1.2.3", net],
        ),
        program(
            "Go, main module from VCS settings",
            "usr/bin/app",
            go(commit),
            &["golang stdlib 1.22.1", "golang example.org/app v0.0.0-20240229181848-0123456789ab (commit)", net],
        ),
        program("cargo auditable, ELF", "usr/bin/rg", elf(".dep-v0", &audit), &["cargo time 0.1.44"]),
        program("cargo auditable, a plugin", "opt/app/plugins/rg.so", elf(".dep-v0", &audit), &["cargo time 0.1.44"]),
        program("cargo auditable, PE", "app/rg.exe", pe(".dep-v0", &audit), &["cargo time 0.1.44"]),
        program("cargo auditable, Mach-O", "app/rg", mach_o(".dep-v0", &audit), &["cargo time 0.1.44"]),
    ];
    let known: [(&str, &str, &str); 43] = [
        ("usr/local/bin/node", "node.js/v18.17.1\0", "generic node 18.17.1 (version-string)"),
        ("usr/local/bin/python3.11", "\x003.11.4\0", "generic python 3.11.4 (version-string)"),
        ("usr/local/lib/libpython3.12.so.1.0", "\x003.12.1\0", "generic python 3.12.1 (version-string)"),
        ("usr/sbin/nginx", "nginx/1.25.3\0", "generic nginx 1.25.3 (version-string)"),
        ("usr/local/apache2/bin/httpd", "Apache/2.4.58 (Unix)\0", "generic apache 2.4.58 (version-string)"),
        ("usr/local/sbin/haproxy", "HAProxy version 2.9.1-0a3ce3c\0", "generic haproxy 2.9.1 (version-string)"),
        ("usr/local/bin/memcached", "memcached 1.6.22\0", "generic memcached 1.6.22 (version-string)"),
        (
            "usr/local/bin/redis-server",
            "\x007.2.4buildkitsandbox-1704805203000000000\0",
            "generic redis 7.2.4 (version-string)",
        ),
        (
            "usr/local/bin/valkey-server",
            "\x007.2.5buildkitsandbox-1704805203000000000\0",
            "generic valkey 7.2.5 (version-string)",
        ),
        ("usr/local/bin/postgres", "postgres (PostgreSQL) 16.1\0", "generic postgresql 16.1 (version-string)"),
        ("usr/sbin/mysqld", "/build/mysql-8.0.35/sql/x.cc\0", "generic mysql 8.0.35 (version-string)"),
        ("usr/sbin/mariadbd", "\x0010.11.6-MariaDB\0", "generic mariadb 10.11.6 (version-string)"),
        ("usr/local/bin/php", "X-Powered-By: PHP/8.2.10\0", "generic php 8.2.10 (version-string)"),
        ("usr/local/lib/libruby.so.3.2", "ruby 3.2.2 (2023-03-30)\0", "generic ruby 3.2.2 (version-string)"),
        ("usr/local/bin/perl", "/usr/lib/perl5/5.36.0\0", "generic perl 5.36.0 (version-string)"),
        ("usr/local/bin/lua5.4", "Lua 5.4.6\0", "generic lua 5.4.6 (version-string)"),
        ("opt/jdk/bin/java", "\0openjdk\0java\x0017.0\x0017.0.10+7\0", "generic java 17.0.10 (version-string)"),
        ("usr/local/lib/erlang/erts/bin/erlexec", "/otp_src_25.3.2/erts\0", "generic erlang 25.3.2 (version-string)"),
        ("root/.rustup/bin/rustc", "rustc version 1.75.0 (82e1608df)\0", "generic rust 1.75.0 (version-string)"),
        ("opt/julia/lib/libjulia-internal.so.1", "__init__\x001.9.4\0", "generic julia 1.9.4 (version-string)"),
        ("bin/bash", "@(#)Bash version 5.2.15(1) release\0", "generic bash 5.2.15 (version-string)"),
        ("bin/busybox", "BusyBox v1.36.1 (2023)\0", "generic busybox 1.36.1 (version-string)"),
        ("usr/local/lib/libssl.so.3", "OpenSSL 3.0.11 19 Sep 2023\0", "generic openssl 3.0.11 (version-string)"),
        ("usr/local/sbin/sshd", "OpenSSH_9.2p1\0", "generic openssh 9.2p1 (version-string)"),
        ("usr/local/lib/libcurl.so.4", "libcurl/8.4.0\0", "generic curl 8.4.0 (version-string)"),
        ("usr/sbin/lighttpd", "lighttpd/1.4.76\0", "generic lighttpd 1.4.76 (version-string)"),
        ("usr/local/bin/ffmpeg", "%s version 6.1.1 Copyright\0", "generic ffmpeg 6.1.1 (version-string)"),
        ("usr/local/bin/xz", "xz (XZ Utils) 5.6.1\n\0", "generic xz 5.6.1 (version-string)"),
        ("usr/local/bin/deno", "Deno/2.6.3\0", "generic deno 2.6.3 (version-string)"),
        ("usr/bin/mongod", "x\x007.0.28\0heap_size\0", "generic mongodb 7.0.28 (version-string)"),
        ("fluent-bit/bin/fluent-bit", "\x003.0.2\0%sFluent Bit\0", "generic fluent-bit 3.0.2 (version-string)"),
        ("usr/local/bin/envoy", "\x001.31.0\0x\0ValidationError\0", "generic envoy 1.31.0 (version-string)"),
        ("usr/lib/dart/bin/dart", "\x003.5.2 (stable)\0", "generic dart 3.5.2 (version-string)"),
        ("usr/lib/swipl/bin/swipl", "/usr/lib/swipl-9.1.2/\0", "generic swipl 9.1.2 (version-string)"),
        ("opt/ghc/bin/ghc-9.4.7", "\0GHC 9.4.7\0", "generic ghc 9.4.7 (version-string)"),
        ("usr/local/bin/gcc", "GCC: (GNU) 12.3.0\0", "generic gcc 12.3.0 (version-string)"),
        ("usr/local/bin/git", "git/2.43.0\0", "generic git 2.43.0 (version-string)"),
        ("usr/local/bin/curl", "\0curl/8.5.0\0", "generic curl 8.5.0 (version-string)"),
        ("usr/local/bin/jq", "\x001.7.1\0", "generic jq 1.7.1 (version-string)"),
        ("usr/local/bin/gzip", "\x001.13\0", "generic gzip 1.13 (version-string)"),
        ("usr/local/bin/zstd", "\0v1.5.6\0", "generic zstd 1.5.6 (version-string)"),
        ("usr/local/lib/libavutil.so.58", "FFmpeg version 6.1.1\0", "generic ffmpeg 6.1.1 (version-string)"),
        ("usr/local/lib/libz.so.1", " deflate 1.2.13 Copyright\0", "generic zlib 1.2.13 (version-string)"),
    ];
    forms.extend(
        known.map(|(path, text, found)| program("a well-known program", path, elf("x", text.as_bytes()), &[found])),
    );
    let phar = "#!/usr/bin/env php\n<?php\n'pretty_version' => '2.7.1',\n";
    let composer = &["composer composer/composer 2.7.1 (version-string)"];
    forms.push(program("Composer itself", "usr/local/bin/composer", phar.into(), composer));
    let phar = "#!/usr/bin/env php\n<?php\nwp-cli/wp-cli 2.9.0\n";
    forms.push(program("wp-cli", "usr/local/bin/wp", phar.into(), &["composer wp-cli/wp-cli 2.9.0 (version-string)"]));
    forms
}

fn documents() -> Vec<Form> {
    let cyclonedx = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"purl":"pkg:npm/lodash@4.17.21"}]}"#;
    let spdx = r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"node","licenseDeclared":"MIT","externalRefs":[
        {"referenceType":"purl","referenceLocator":"pkg:bitnami/node@18.17.1-1"}]}]}"#;
    let tags = "SPDXVersion: SPDX-2.3\nPackageName: six\nExternalRef: PACKAGE-MANAGER purl pkg:pypi/six@1.16.0\n";
    let xml = "<bom xmlns='http://cyclonedx.org/schema/bom/1.5'><components><component><purl>pkg:npm/lodash@4.17.21</purl></component></components></bom>";
    let mut forms = Vec::new();
    for path in ["app/a.cdx.json", "app/a.bom.json", "app/a.sbom.json", "app/bom.json", "app/sbom.json"] {
        forms.push(form("CycloneDX", "sbom", file(path, cyclonedx), &["npm lodash 4.17.21 (sbom)"]));
    }
    for path in ["opt/bitnami/node/.spdx-node.spdx", "opt/a.spdx.json"] {
        forms.push(form("SPDX", "sbom", file(path, spdx), &["bitnami node 18.17.1-1 [MIT] (sbom)"]));
    }
    forms.push(form("SPDX with tags", "sbom", file("opt/six.spdx", tags), &["pypi six 1.16.0 (sbom)"]));
    for path in ["app/a.cdx.xml", "app/bom.xml"] {
        forms.push(form("CycloneDX as XML", "sbom", file(path, xml), &["npm lodash 4.17.21 (sbom)"]));
    }
    forms
}

/// Where one place names a package itself and another only its file does, the surer one counts.
#[test]
fn the_surest_of_several_places_counts() {
    let nothing = zip(&[("a.class", b"x")], false);
    let manifest = zip(&[("META-INF/MANIFEST.MF", b"Bundle-Version: 2.6\n")], false);
    let files = [file("a/x-2.6.jar", &nothing), file("b/x-2.6.jar", &manifest), file("c/x-2.6.jar", &nothing)].concat();
    let inventory = inventory(&files);
    let [package] = inventory.packages.as_slice() else { panic!("{:?}", inventory.packages) };
    assert_eq!((package.known_by, package.locations.len()), (Some(KnownBy::Manifest), 3));
}
