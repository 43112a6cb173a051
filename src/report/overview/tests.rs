use super::*;
use crate::model::{CoverageGap, GapReason, OverviewDay, OverviewImage, OverviewProject, SeverityCounts, Tool};

const HOSTILE: &str = "</td><script>alert(1)</script>\"'=1+1,@all\n";

fn overview(name: &str) -> Overview {
    let gap = |reason| Some(CoverageGap { reason, detail: name.into() });
    let counts = Some(SeverityCounts { critical: 1, high: 12, ..SeverityCounts::default() });
    let image = OverviewImage {
        name: format!("reg.io/g/p:{name}"),
        owners: vec![format!("@{name}")],
        owner_source: "CODEOWNERS".into(),
        deployed: vec![name.into()],
        last_scanned: Some("2026-11-20T06:00:00Z".parse().unwrap()),
        advisories: Some("2026-11-19T05:00:00Z".parse().unwrap()),
        counts,
        kev: 1,
        ..OverviewImage::default()
    };
    let never =
        OverviewImage { name: "reg.io/g/q".into(), gap: gap(GapReason::NeverScanned), ..OverviewImage::default() };
    let day = |high| OverviewDay { images: 1, counts: SeverityCounts { high, ..SeverityCounts::default() }, kev: 0 };
    Overview {
        format: Overview::FORMAT.into(),
        tool: Tool { name: "plimsoll".into(), version: "0.0.0".into() },
        written: "2026-11-21T06:00:00Z".parse().unwrap(),
        scope: name.into(),
        projects: vec![
            OverviewProject {
                path: format!("g/{name}"),
                url: "javascript:alert(1)".into(),
                gap: None,
                images: vec![image, never],
            },
            OverviewProject { path: "g/off".into(), gap: gap(GapReason::RegistryOff), ..OverviewProject::default() },
        ],
        history: [("2026-11-19", 20), ("2026-11-20", 13)].map(|(date, high)| (date.parse().unwrap(), day(high))).into(),
        notices: vec![name.into()],
    }
}

fn written(format: OverviewFormat, name: &str) -> String {
    let mut out = Vec::new();
    format.write(&overview(name), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn nothing_foreign_is_markup_on_the_page() {
    let page = written(OverviewFormat::Html, HOSTILE);
    assert_eq!(page.matches("<script").count(), 1, "our own only");
    assert!(!page.contains("javascript:") && !page.contains("alert(1)</script>"));
    assert!(!page.contains(" style=") && !page.contains(" onclick="), "the policy allows none");
    // Every digest of the policy is that of what is on the page.
    for (element, directive) in [("style", "style-src"), ("script", "script-src")] {
        let content =
            page.split(&format!("<{element}>")).nth(1).and_then(|rest| rest.split(&format!("</{element}>")).next());
        let digest = crate::report::html::digest(content.unwrap());
        assert!(page.contains(&format!("{directive} {digest}")), "{element}");
    }
}

#[test]
fn the_page_says_what_is_known_and_what_is_not() {
    let page = written(OverviewFormat::Html, "shop");
    for expected in [
        "<b>1</b>Critical",
        "<b>2</b>Coverage gaps",
        "registry off",
        "never scanned",
        "from 20 to 13",
        "<td class=\"count\">–</td>",
        "1 exploited",
        "@shop<small>CODEOWNERS</small>",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn every_row_of_the_list_has_all_cells() {
    for name in ["shop", HOSTILE] {
        let text = written(OverviewFormat::Csv, name);
        let rows: Vec<&str> = text.split("\r\n").filter(|row| !row.is_empty()).collect();
        assert_eq!(rows.len(), 4, "{text}");
        for row in rows {
            let mut quoted = false;
            let commas = row.chars().filter(|c| {
                quoted ^= *c == '"';
                *c == ',' && !quoted
            });
            assert_eq!(commas.count(), 19, "{row}");
        }
    }
    assert!(
        written(OverviewFormat::Csv, "shop")
            .contains("g/shop,reg.io/g/p:shop,\"'@shop\",CODEOWNERS,,shop,,2026-11-20T06:00:00Z,2026-11-19T05:00:00Z,,1,12,0,0,0,0,0,1,,")
    );
}

#[test]
fn the_document_is_read_back() {
    assert_eq!(
        serde_json::from_slice::<Overview>(written(OverviewFormat::Json, HOSTILE).as_bytes()).unwrap(),
        overview(HOSTILE)
    );
}
