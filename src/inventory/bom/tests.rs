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
        let inventory = read(document.as_bytes(), "a.json").expect("a document");
        assert_eq!(inventory.distribution.as_ref().map(|d| d.shard().to_string()).as_deref(), Some(system));
        assert_eq!(told(&inventory), packages);
        assert_eq!(inventory.gaps.len(), gaps, "{:?}", inventory.gaps);
    }
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
    let inventory = read(unknown.as_bytes(), "a.json").expect("a document");
    assert!(inventory.gaps.iter().any(|gap| gap.kind == GapKind::UnknownDistribution), "{:?}", inventory.gaps);
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
        let error = read(document.as_bytes(), "a.json").expect_err(document).to_string();
        assert!(error.contains(words), "{document}: {error}");
    }
    // Parts within parts without end.
    let deep = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":{}"#,
        r#"[{"components":"#.repeat(100_000)
    );
    assert!(read(deep.as_bytes(), "a.json").is_err());
}

proptest! {
    #[test]
    fn nothing_panics(
        seed in prop::sample::select(&[CYCLONE_DX, SPDX, SYFT][..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
    ) {
        let mut content = seed.as_bytes().to_vec();
        for (index, byte) in changes {
            let at = index.index(content.len());
            content[at] = byte;
        }
        let _ = read(&content, "a.json");
    }
}
