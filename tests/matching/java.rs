//! Archives of Java's that do not say their group.

#[path = "../support/layers.rs"]
mod layers;

use layers::{Layout, Tar, zip};
use plimsoll::matching::{Memo, match_with};

use super::*;

fn advisories() -> (TempDir, Database) {
    let record = |id: &str, name: &str, fixed| osv(id, "Maven", name, Some(fixed), json!({}));
    database(&[
        ("osv/a.json", record("GHSA-beans", "org.springframework:spring-beans", "5.3.18")),
        ("osv/b.json", record("GHSA-okhttp", "com.squareup.okhttp3:okhttp", "4.9.2")),
        ("osv/c.json", record("GHSA-one", "org.one:core", "2.0")),
        ("osv/d.json", record("GHSA-two", "org.two:core", "2.0")),
        ("osv/f.json", record("GHSA-tomcat", "org.apache.tomcat:tomcat-catalina", "9.0.2")),
        ("osv/e.json", record("GHSA-io", "commons-io:commons-io", "2.7")),
    ])
}

#[test]
fn they_are_judged_under_the_group_that_their_code_confirms() {
    let (_directory, database) = advisories();
    for (name, version, namespaces, found, set_aside) in [
        (
            "spring-beans",
            "5.3.17",
            &["org.springframework.beans"][..],
            &["GHSA-beans spring-beans 5.3.18"][..],
            &[][..],
        ),
        ("spring-beans", "5.3.18", &["org.springframework.beans"], &[], &[]),
        ("spring-beans", "5.3.17", &["com.example.beans"], &[], &[]),
        ("commons-io", "2.6", &["org.apache.commons.io"], &["GHSA-io commons-io 2.7"], &[]),
        ("core", "1.0", &["org.two.core"], &["GHSA-two core 2.0"], &[]),
        ("core", "1.0", &[], &[], &["GHSA-one core NotComparable", "GHSA-two core NotComparable"]),
        ("okhttp", "4.9.1", &["okhttp3"], &[], &["GHSA-okhttp okhttp NotComparable"]),
        ("okhttp", "4.9.2", &["okhttp3"], &[], &[]),
        ("other", "1.0", &["okhttp3"], &[], &[]),
        // As Tomcat's own archives, whose bundles have the artifact's name.
        ("catalina", "9.0.1", &["org.apache", "org.apache.tomcat-catalina"], &["GHSA-tomcat catalina 9.0.2"], &[]),
        ("catalina", "9.0.1", &["org.apache.catalina"], &[], &[]),
    ] {
        let namespaces: Vec<String> = namespaces.iter().map(|&name| name.to_owned()).collect();
        let package = Package { namespaces, ..package(PackageKind::Maven, name, version) };
        let inventory = inventory(None, vec![package]);
        let matched = matched(&inventory, &database);
        let (findings, mut suppressed) = told(&matched);
        suppressed.sort();
        assert_eq!(
            (findings.as_slice(), suppressed.as_slice()),
            (&texts(found)[..], &texts(set_aside)[..]),
            "{name} {version}"
        );
        // What was set aside is told, and no package URL is made up.
        let gaps: Vec<_> = matched.gaps.iter().map(|gap| (gap.kind, gap.subject.as_str())).collect();
        let subject = format!("{name} {version}");
        let expected = if set_aside.is_empty() { vec![] } else { vec![(GapKind::NotComparable, subject.as_str())] };
        assert_eq!(gaps, expected, "{name} {version}");
        for finding in matched.findings.iter().chain(matched.suppressed.iter().map(|one| &one.finding)) {
            assert_eq!(finding.package.purl.as_str(), format!("pkg:maven/{name}@{version}"));
        }
        for id in ["GHSA-beans", "GHSA-io", "GHSA-two"] {
            let explanation = explain(id, &inventory, &matched, &database).expect("a sound database");
            let is_found = explanation.cases.iter().any(|case| matches!(case.verdict, Verdict::Found(_)));
            assert_eq!(is_found, findings.iter().any(|row| row.starts_with(id)), "{id} of {name} {version}");
        }
    }
}

fn texts(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|&row| row.to_owned()).collect()
}

#[test]
fn a_memo_knows_them_by_where_their_code_lies() {
    let (_directory, database) = advisories();
    let memo = Memo::new(1 << 20);
    let of = |name: &str, namespace: &str| Package {
        namespaces: vec![namespace.to_owned()],
        ..package(PackageKind::Maven, name, "1.0")
    };
    for packages in [
        vec![of("core", "org.one")],
        vec![of("core", "org.two")],
        vec![of("core", "org.three")],
        vec![of("core", "org.one"), package(PackageKind::Maven, "org.one:core", "1.0")],
        vec![package(PackageKind::Maven, "org.one:core", "1.0")],
    ] {
        let inventory = inventory(None, packages);
        let with = match_with(&inventory, &database, Some(&memo)).expect("a sound database");
        assert_eq!(told(&with), told(&matched(&inventory, &database)), "{:?}", inventory.packages);
    }
}

#[test]
fn bills_of_materials_keep_what_tells_the_group() {
    let (directory, _) = advisories();
    let database = directory.path().join("db").display().to_string();
    let manifest = b"Implementation-Title: spring-beans\nImplementation-Version: 5.3.17\n";
    let beans = zip(&[("META-INF/MANIFEST.MF", manifest), ("org/springframework/beans/A.class", b"x")], false);
    let app =
        zip(&[("BOOT-INF/lib/spring-beans-5.3.17.jar", &beans), ("BOOT-INF/lib/okhttp-4.9.1.jar", &beans)], false);
    let layout = Layout::of(&[Tar::default().file("app/APP.JAR", &app).end()]);
    let source = format!("oci:{}", layout.path().display());
    let outputs = [("json", "plimsoll.json"), ("cyclonedx", "a.cdx.json"), ("spdx", "a.spdx.json")];
    let formats = outputs.map(|(format, path)| ["--format", format, "--output", path]).concat();
    let of_image = program::scan(&[&[source.as_str(), "--db", &database], formats.as_slice()].concat());
    let rows = |scan: &program::Scan| {
        let image = scan.image();
        let found = image.findings.iter().map(|finding| format!("{} {}", finding.id, finding.package.purl));
        let suppressed = image.suppressed.iter().map(|one| format!("{} {}", one.finding.id, one.explanation));
        found.chain(suppressed).collect::<Vec<_>>()
    };
    assert_eq!(rows(&of_image), ["GHSA-beans pkg:maven/spring-beans@5.3.17"]);
    for document in ["a.cdx.json", "a.spdx.json"] {
        let path = of_image.directory.path().join(document);
        let of_document = program::scan(&[&format!("sbom:{}", path.display()), "--db", &database]);
        assert_eq!(rows(&of_document), rows(&of_image), "{document}");
    }
}
