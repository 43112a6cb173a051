//! Documents of each format.

use proptest::prelude::*;

use super::*;

const CYCLONE_DX: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","metadata":{"component":{"type":"container","name":"x"}},"components":[
  {"type":"operating-system","name":"debian","version":"12.4"},
  {"type":"library","name":"libssl3","version":"3.0.11-1","purl":"pkg:deb/debian/libssl3@3.0.11-1%2Bb1?arch=amd64&distro=debian-12.4",
   "licenses":[{"license":{"name":"Apache-2.0"}}],
   "properties":[{"name":"aquasecurity:trivy:SrcName","value":"openssl"},{"name":"aquasecurity:trivy:SrcVersion","value":"3.0.11"},{"name":"aquasecurity:trivy:SrcRelease","value":"1"}]},
  {"type":"application","name":"app","components":[{"type":"library","name":"core","purl":"pkg:npm/%40babel/core@7.0.0",
   "evidence":{"occurrences":[{"location":"/app/node_modules/@babel/core/package.json"}]}}]},
  {"type":"file","name":"/bin/x"}]}"#;

/// The oldest form that tools still write: tools as a list, a hash, a licence as an expression, no evidence.
const CYCLONE_DX_1_4: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.4","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79","version":1,
  "metadata":{"timestamp":"2022-05-01T00:00:00Z","tools":[{"vendor":"x","name":"y","version":"1"}],"component":{"bom-ref":"i","type":"container","name":"x"}},
  "components":[
  {"bom-ref":"os","type":"operating-system","name":"alpine","version":"3.15.4"},
  {"bom-ref":"a","type":"library","publisher":"M","name":"libssl1.1","version":"1.1.1n-r0","hashes":[{"alg":"SHA-1","content":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}],
   "licenses":[{"expression":"OpenSSL"}],"cpe":"cpe:2.3:a:x:x:1:*:*:*:*:*:*:*","purl":"pkg:apk/alpine/libssl1.1@1.1.1n-r0?arch=x86_64&upstream=openssl&distro=alpine-3.15.4"},
  {"bom-ref":"b","type":"framework","group":"@angular","name":"core","version":"13.0.0","scope":"required","purl":"pkg:npm/%40angular/core@13.0.0",
   "licenses":[{"license":{"id":"MIT"}}],"externalReferences":[{"type":"vcs","url":"https://a.example/b"}]}],
  "dependencies":[{"ref":"i","dependsOn":["a","b"]}],"compositions":[{"aggregate":"complete","assemblies":["i"]}],
  "vulnerabilities":[{"id":"CVE-2022-0778","affects":[{"ref":"a"}]}]}"#;

const SPDX: &str = r#"{"spdxVersion":"SPDX-2.3","packages":[
  {"name":"alpine","versionInfo":"3.20.3","primaryPackagePurpose":"OPERATING-SYSTEM"},
  {"name":"libssl3","licenseDeclared":"Apache-2.0","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:apk/alpine/libssl3@3.3.1-r0?upstream=openssl"}]},
  {"name":"image","primaryPackagePurpose":"CONTAINER"},{"name":"unknown"}]}"#;

const SYFT: &str = r#"{"schema":{"version":"16.0.0"},"distro":{"id":"debian","versionID":"12","prettyName":"Debian 12"},"artifacts":[
  {"id":"a","name":"python3-six","version":"1.16.0-4","purl":"pkg:deb/debian/python3-six@1.16.0-4?distro=debian-12","locations":[{"path":"/var/lib/dpkg/status"}],
   "licenses":[{"value":"MIT","spdxExpression":"MIT"}],"metadata":{"source":"six","sourceVersion":"1.16.0-4+x","maintainer":"M","architecture":"all"}},
  {"id":"b","purl":"pkg:pypi/six@1.16.0","licenses":["MIT"],"metadata":null}],
  "artifactRelationships":[{"parent":"a","child":"b","type":"ownership-by-file-overlap"},{"parent":"b","child":"a","type":"ownership-by-file-overlap"}]}"#;

fn told(inventory: &Inventory) -> Vec<String> {
    let row = |p: &Package| {
        let source = p.source.as_ref().map(|s| format!(" [{} {}]", s.name, s.version)).unwrap_or_default();
        let owner = p.owned_by.as_ref().map(|owner| format!(" ({owner})")).unwrap_or_default();
        let place = p.locations.first().map_or("", |place| place.path.as_str());
        format!("{} {} {}{source}{owner} {} {place}", p.kind.purl_type(), p.name, p.version, p.licenses.join(" "))
    };
    inventory.packages.iter().map(row).collect()
}

#[test]
fn each_format_is_read() {
    for (document, system, packages, gaps) in [
        (
            CYCLONE_DX,
            "debian-12",
            &[
                "deb libssl3 3.0.11-1+b1 [openssl 3.0.11-1] Apache-2.0 a.json",
                "npm @babel/core 7.0.0  app/node_modules/@babel/core/package.json",
            ][..],
            1,
        ),
        (
            CYCLONE_DX_1_4,
            "alpine-3.15",
            &["apk libssl1.1 1.1.1n-r0 [openssl 1.1.1n-r0] OpenSSL a.json", "npm @angular/core 13.0.0 MIT a.json"],
            0,
        ),
        (SPDX, "alpine-3.20", &["apk libssl3 3.3.1-r0 [openssl 3.3.1-r0] Apache-2.0 a.json"], 1),
        (
            SYFT,
            "debian-12",
            &[
                "deb python3-six 1.16.0-4 [six 1.16.0-4+x] MIT var/lib/dpkg/status",
                "pypi six 1.16.0 (python3-six 1.16.0-4) MIT a.json",
            ],
            0,
        ),
    ] {
        let inventory = read(document.as_bytes(), "a.json", &Limits::default()).expect("a document");
        assert_eq!(inventory.distribution.as_ref().map(|d| d.shard().to_string()).as_deref(), Some(system));
        assert_eq!(told(&inventory), packages);
        assert_eq!(inventory.gaps.len(), gaps, "{:?}", inventory.gaps);
    }
}

/// A row of another tool's document, as SPDX and as CycloneDX, and the package that it stands for.
#[test]
fn source_packages_in_the_words_of_other_tools() {
    let spdx = |purl: &str, source: &str, supplier: &str| {
        format!(
            r#"{{"spdxVersion":"SPDX-2.3","packages":[{{"name":"x","primaryPackagePurpose":"LIBRARY","supplier":"{supplier}",
            "sourceInfo":"{source}","externalRefs":[{{"referenceType":"purl","referenceLocator":"{purl}"}}]}},
            {{"name":"bin/app","primaryPackagePurpose":"APPLICATION","annotations":[{{"comment":"Class: lang-pkgs"}}]}},
            {{"name":"none","primaryPackagePurpose":"OPERATING-SYSTEM"}}]}}"#
        )
    };
    let cyclonedx = |purl: &str, properties: &[(&str, &str)], supplier: &str| {
        let property = |(name, value): &(&str, &str)| format!(r#"{{"name":"{name}","value":"{value}"}}"#);
        let properties: Vec<String> = properties.iter().map(property).collect();
        format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{{"type":"library","name":"x","purl":"{purl}",
            "supplier":{{"name":"{supplier}"}},"properties":[{}]}},{{"type":"application","name":"bin/app",
            "properties":[{{"name":"aquasecurity:trivy:Class","value":"lang-pkgs"}}]}}]}}"#,
            properties.join(",")
        )
    };
    let (name, version) = ("aquasecurity:trivy:SrcName", "aquasecurity:trivy:SrcVersion");
    let (release, epoch) = ("aquasecurity:trivy:SrcRelease", "aquasecurity:trivy:SrcEpoch");
    let bash = "pkg:deb/debian/bash@5.2.15-2%2Bb13?arch=amd64&distro=debian-12.15";
    let gcc = "pkg:deb/debian/gcc-12-base@12.2.0-14?arch=amd64&distro=debian-12.15&epoch=4";
    let ssl = "pkg:apk/alpine/libssl3@3.3.2-r0?arch=x86_64&distro=3.20.3";
    let ca = "pkg:rpm/cbl-mariner/ca-certificates-base@2.0.0-1.cm2?arch=noarch&distro=cbl-mariner-2.0&epoch=1";
    let npm = "pkg:rpm/redhat/npm@8.19.2-1?arch=x86_64&distro=redhat-9.3&modularitylabel=nodejs%3A18%3A9020020221213170149%3Arhel9";
    let docker = "pkg:deb/debian/docker-ce@26.0.0-1?distro=debian-12&epoch=5";
    for (what, document, expected) in [
        (
            "Trivy, Debian",
            spdx(bash, "built package from: bash 5.2.15-2", "Organization: M <m@debian.org>"),
            "deb bash 5.2.15-2+b13 [bash 5.2.15-2] M <m@debian.org>  debian-12",
        ),
        (
            "Trivy, Debian, epoch",
            spdx(gcc, "built package from: gcc-12 4:12.2.0-14", "NOASSERTION"),
            "deb gcc-12-base 4:12.2.0-14 [gcc-12 4:12.2.0-14]   debian-12",
        ),
        (
            "Trivy, Debian, epoch",
            cyclonedx(gcc, &[(name, "gcc-12"), (version, "12.2.0"), (release, "14"), (epoch, "4")], "M"),
            "deb gcc-12-base 4:12.2.0-14 [gcc-12 4:12.2.0-14] M  debian-12",
        ),
        (
            "Trivy, Alpine",
            spdx(ssl, "built package from: openssl 3.3.2-r0", "Organization: M"),
            "apk libssl3 3.3.2-r0 [openssl 3.3.2-r0] M  alpine-3.20",
        ),
        (
            "Trivy, rpm",
            spdx(ca, "built package from: ca-certificates 1:2.0.0-1.cm2", "Organization: Microsoft Corporation"),
            "rpm ca-certificates-base 1:2.0.0-1.cm2 [ca-certificates 2.0.0-1.cm2] Microsoft Corporation  mariner-2.0",
        ),
        (
            "Trivy, rpm",
            cyclonedx(
                ca,
                &[(name, "ca-certificates"), (version, "2.0.0"), (release, "1.cm2"), (epoch, "1")],
                "Microsoft Corporation",
            ),
            "rpm ca-certificates-base 1:2.0.0-1.cm2 [ca-certificates 2.0.0-1.cm2] Microsoft Corporation  mariner-2.0",
        ),
        (
            "Trivy, module",
            spdx(npm, "built package from: nodejs 18.12.1-2", "Organization: Red Hat, Inc."),
            "rpm npm 8.19.2-1 [nodejs 18.12.1-2] Red Hat, Inc. nodejs:18:9020020221213170149:rhel9 rhel-9",
        ),
        (
            "somebody else's",
            spdx(docker, "built package from: docker-ce 5:26.0.0-1", "Organization: Docker <support@docker.com>"),
            "deb docker-ce 5:26.0.0-1 [docker-ce 5:26.0.0-1] Docker <support@docker.com>  debian-12 third-party",
        ),
        (
            "Syft, Debian",
            spdx(
                "pkg:deb/debian/perl-base@5.36.0-7%2Bb1?arch=amd64&upstream=perl%405.36.0-7&distro=debian-12",
                "acquired package info from DPKG DB: /var/lib/dpkg/status, /var/lib/dpkg/info/perl-base.list",
                "Person: Niko Tyni (ntyni@debian.org)",
            ),
            "deb perl-base 5.36.0-7+b1 [perl 5.36.0-7] Niko Tyni (ntyni@debian.org)  debian-12 var/lib/dpkg/status",
        ),
        (
            "Syft, rpm",
            spdx(
                "pkg:rpm/almalinux/openssl-libs@3.0.7-24.el9?arch=x86_64&epoch=1&upstream=openssl-3.0.7-24.el9.src.rpm&distro=almalinux-9.3",
                "acquired package info from RPM DB: /var/lib/rpm/rpmdb.sqlite",
                "Organization: AlmaLinux",
            ),
            "rpm openssl-libs 1:3.0.7-24.el9 [openssl 3.0.7-24.el9] AlmaLinux  almalinux-9 var/lib/rpm/rpmdb.sqlite",
        ),
        (
            "Syft, Alpine",
            cyclonedx(
                "pkg:apk/alpine/libssl3@3.3.2-r0?arch=x86_64&distro=alpine-3.20.3",
                &[("syft:metadata:originPackage", "openssl"), ("syft:location:0:path", "/lib/apk/db/installed")],
                "",
            ),
            "apk libssl3 3.3.2-r0 [openssl 3.3.2-r0]   alpine-3.20 lib/apk/db/installed",
        ),
        (
            "Syft, where a crate comes from",
            cyclonedx(
                "pkg:cargo/time@0.1.44",
                &[("syft:metadata:source", "registry+https://crates.example.com/index")],
                "",
            ),
            "cargo time 0.1.44",
        ),
        (
            "Syft, CentOS Stream",
            spdx(
                "pkg:rpm/centos/centos-stream-release@8.6-1.el8?arch=noarch&distro=centos-8",
                "acquired package info from RPM DB: /var/lib/rpm/rpmdb.sqlite",
                "Organization: CentOS",
            ),
            "rpm centos-stream-release 8.6-1.el8  CentOS  centos-stream-8 var/lib/rpm/rpmdb.sqlite",
        ),
        (
            "Trivy, a program",
            spdx("pkg:golang/stdlib@v1.22.1", "package found in: bin/app", "NOASSERTION"),
            "golang stdlib 1.22.1     bin/app",
        ),
    ] {
        let inventory = read(document.as_bytes(), "", &Limits::default()).expect(what);
        let [p] = inventory.packages.as_slice() else { panic!("{what}: {inventory:?}") };
        let source = p.source.as_ref().map(|s| format!("[{} {}]", s.name, s.version)).unwrap_or_default();
        let (vendor, module) = (p.vendor.as_deref().unwrap_or_default(), p.module.as_deref().unwrap_or_default());
        let system = inventory.distribution.map(|d| d.shard().to_string()).unwrap_or_default();
        let place = if p.third_party { "third-party" } else { p.locations[0].path.as_str() };
        let told =
            format!("{} {} {} {source} {vendor} {module} {system} {place}", p.kind.purl_type(), p.name, p.version);
        assert_eq!(told.trim_end(), expected, "{what}");
        assert_eq!(inventory.gaps, [], "{what}");
    }
    // Go's names have capitals, their package URLs have none.
    for document in [
        r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"github.com/Masterminds/goutils","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:golang/github.com/masterminds/goutils@v1.1.0"}]}]}"#,
        r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"github.com/Masterminds/goutils","purl":"pkg:golang/github.com/masterminds/goutils@v1.1.0"}]}"#,
        r#"{"artifacts":[{"id":"a","name":"github.com/Masterminds/goutils","purl":"pkg:golang/github.com/masterminds/goutils@v1.1.0"}]}"#,
    ] {
        let inventory = read(document.as_bytes(), "", &Limits::default()).expect("a document");
        assert_eq!(inventory.packages[0].name, "github.com/Masterminds/goutils", "{document}");
    }
    let own = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"x","properties":[
        {"name":"plimsoll:kind","value":"pypi"},{"name":"plimsoll:name","value":"x"},{"name":"plimsoll:origin","value":"git+https://a.example/x@1"}]}]}"#;
    let inventory = read(own.as_bytes(), "", &Limits::default()).expect("a document");
    assert_eq!(inventory.packages[0].origin.as_deref(), Some("git+https://a.example/x@1"));
    // A key that rpm knows is no package.
    let keys = spdx("pkg:rpm/almalinux/gpg-pubkey@b86b3716-61e69f29?distro=almalinux-9.3", "", "");
    let inventory = read(keys.as_bytes(), "", &Limits::default()).expect("a document");
    assert_eq!((inventory.packages, inventory.gaps), (vec![], vec![]));
}

#[test]
fn distributions_by_the_names_that_documents_use() {
    for (namespace, distro, expected) in [
        ("debian", "debian-12.4", Some("debian-12")),
        ("debian", "12.4", Some("debian-12")),
        ("redhat", "redhat-9.3", Some("rhel-9")),
        ("redhat", "rhel-8.10", Some("rhel-8")),
        ("alma", "alma-9.3", Some("almalinux-9")),
        ("opensuse", "opensuse-leap-15.5", Some("opensuse-leap-15.5")),
        ("wolfi", "wolfi-20230201", Some("wolfi")),
        ("wolfi", "wolfi", Some("wolfi")),
        ("", "", None),
    ] {
        let found = of_qualifier(namespace, distro).map(|distribution| distribution.shard().to_string());
        assert_eq!(found.as_deref(), expected, "{namespace} {distro}");
    }
    let unknown = r#"{"spdxVersion":"SPDX-2.3","packages":[{"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:deb/debian/a@1"}]}]}"#;
    let inventory = read(unknown.as_bytes(), "a.json", &Limits::default()).expect("a document");
    assert!(inventory.gaps.iter().any(|gap| gap.kind == GapKind::UnknownDistribution), "{:?}", inventory.gaps);
}

/// Parts that say nothing take no room; packages beyond those that may be kept are left out, and that is said.
#[test]
fn no_more_is_kept_than_may_be() {
    let part = r#"{"purl":"pkg:npm/a@1"}"#;
    let list = |count: usize| vec![part; count].join(",{},");
    for (components, kept, is_cut) in [
        (list(1), 1, false),
        (list(2), 2, false),
        (list(3), 2, true),
        (format!(r#"{},{{"components":[{}]}}"#, list(1), list(1)), 2, false),
        (format!(r#"{{"components":[{{"components":[{}]}}]}},{}"#, list(2), list(1)), 2, true),
    ] {
        let document = format!(r#"{{"components":[{components}]}}"#);
        let contents = Contents { most: 2, ..Contents::default() };
        let contents = cyclonedx::read(document.as_bytes(), contents).expect(&document);
        assert_eq!((contents.packages.len(), contents.is_cut), (kept, is_cut), "{document}");
        let gaps = contents.into_inventory("a.json").gaps;
        assert_eq!(gaps.iter().any(|gap| gap.kind == GapKind::LimitMet), is_cut, "{gaps:?}");
    }
    let properties = format!("{}{{}}", r#"{"name":"syft:a","value":"b"},{},"#.repeat(bounded::MOST + 1));
    let document = format!(r#"{{"components":[{{"purl":"pkg:npm/a@1","properties":[{properties}]}}]}}"#);
    let contents = cyclonedx::read(document.as_bytes(), Contents::default()).expect("a document");
    assert_eq!((contents.packages.len(), contents.is_cut), (1, true));
    let element = r#"{"name":"a","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/a@1"}]}"#;
    let document = format!(r#"{{"packages":[{{}},{element},{{}},{element},{element}]}}"#);
    let contents = spdx::read(document.as_bytes(), Contents { most: 2, ..Contents::default() }).expect("a document");
    assert_eq!((contents.packages.len(), contents.left_out, contents.is_cut), (2, 0, true));
}

/// A scan that did not know the system has said so in its document.
#[test]
fn a_gap_that_a_document_tells_is_told_once() {
    let own = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"container","name":"x","properties":[
        {"name":"plimsoll:gap","value":"{\"kind\":\"unknown-distribution\",\"subject\":\"operating system\",\"reason\":\"no os-release\"}"}]}},
        "components":[{"type":"library","name":"a","properties":[{"name":"plimsoll:kind","value":"deb"},{"name":"plimsoll:name","value":"a"}]}]}"#;
    let inventory = read(own.as_bytes(), "a.json", &Limits::default()).expect("a document");
    assert_eq!(inventory.packages.len(), 1);
    let expected = Gap::new(GapKind::UnknownDistribution, "operating system", "no os-release");
    assert_eq!(inventory.gaps, [expected]);
}

#[test]
fn other_documents_are_refused() {
    for (document, words) in [
        ("{}", "neither"),
        ("[]", "malformed"),
        ("SPDXVersion: SPDX-2.3", "malformed"),
        (r#"{"bomFormat":"CycloneDX","specVersion":"9.0"}"#, "CycloneDX 9.0 is not read"),
        (r#"{"spdxVersion":"SPDX-3.0"}"#, "is not read"),
        (r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":1}"#, "malformed"),
        ("", "malformed"),
    ] {
        let error = read(document.as_bytes(), "a.json", &Limits::default()).expect_err(document).to_string();
        assert!(error.contains(words), "{document}: {error}");
    }
    // Parts within parts without end.
    let deep = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":{}"#,
        r#"[{"components":"#.repeat(100_000)
    );
    assert!(read(deep.as_bytes(), "a.json", &Limits::default()).is_err());
}

proptest! {
    #[test]
    fn nothing_panics(
        seed in prop::sample::select(&[CYCLONE_DX, CYCLONE_DX_1_4, SPDX, SYFT][..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
    ) {
        let mut content = seed.as_bytes().to_vec();
        for (index, byte) in changes {
            let at = index.index(content.len());
            content[at] = byte;
        }
        let _ = read(&content, "a.json", &Limits::default());
    }
}
