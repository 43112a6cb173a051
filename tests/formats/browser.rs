//! The page in a browser, where there is one.

use std::path::Path;
use std::process::Command;

use plimsoll::model::ScanDocument;
use serde_json::Value;

use crate::{documents, files};

/// With 5,000 findings, whatever people do to the list draws a hundred rows at most and takes a small part of what drawing
/// all of them takes in the same page load: what is long on this machine is not what the test asks.
#[test]
fn five_thousand_findings_are_searched_sorted_and_scrolled_without_lag() {
    let Some(chromium) = chromium() else { return };
    let measured = run_in_page(chromium, &documents::many(5000), include_str!("probe.js"), "light");
    assert_eq!(measured["total"], 5000);
    let all = measured["all"].as_f64().expect("a time");
    let uses = measured["uses"].as_object().expect("uses");
    assert!(uses.len() >= 13, "{uses:?}");
    for (name, one) in uses {
        let (time, rows) = (one["time"].as_f64().expect("a time"), one["rows"].as_u64().expect("rows"));
        println!("{name:>30}: {time:6.1} ms, {:.3} of all at once ({all:.0} ms), {rows} rows", time / all);
        assert!(time < all / 4.0, "{name}: {time} ms, and all at once {all} ms");
        // Five pages more were asked for by then; at the end, all.
        let most = match name.as_str() {
            "show more" | "scroll" => 600,
            "scroll through all" => 5000,
            _ => 100,
        };
        assert!(rows <= most, "{name}: {rows} rows");
    }
    assert_eq!(uses["search for nothing there"]["rows"], 0);
    assert!(uses["search for nothing there"]["status"].as_str().is_some_and(|status| status.starts_with("0 of 5000")));
    assert_eq!(uses["scroll through all"]["rows"], 5000, "what is asked for is drawn");
}

/// An independent judge of pages that everybody can use: contrast, names, roles and order, by day and by night, with all open.
#[test]
fn everybody_can_use_the_page() {
    let Some(chromium) = chromium() else { return };
    let Some(axe) = std::env::var_os("PLIMSOLL_AXE") else { return skip("PLIMSOLL_AXE names no axe.min.js") };
    let probe = std::fs::read_to_string(axe).expect("axe.min.js") + include_str!("axe.js");
    for (what, document) in [
        ("typical", documents::typical()),
        ("compared", documents::compared(documents::typical())),
        ("failure", documents::failure()),
        ("not judged", documents::not_judged()),
        ("hostile", documents::hostile()),
    ] {
        for scheme in ["light", "dark"] {
            let found = run_in_page(chromium, &document, &probe, scheme);
            assert!(found["passes"].as_u64().is_some_and(|passes| passes > 15), "{what}: {found}");
            assert_eq!(found["dark"], scheme == "dark", "{what}");
            assert_eq!(found["violations"], Value::Array(Vec::new()), "{what}, {scheme}");
        }
    }
}

fn chromium() -> Option<&'static Path> {
    let chromium = Path::new("/usr/bin/chromium");
    if !chromium.exists() {
        skip("there is no chromium");
    }
    Some(chromium).filter(|path| path.exists())
}

/// Where everything must be there, nothing is skipped.
fn skip(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true, and {why}");
    eprintln!("skipped: {why}");
}

/// What a script leaves in the element `measured` of a document's page.
fn run_in_page(chromium: &Path, document: &ScanDocument, script: &str, scheme: &str) -> Value {
    let place = tempfile::tempdir().unwrap();
    let page = place.path().join("index.html");
    let text = &files("html", document)[0].1;
    // The page's own policy lets no other script run.
    let (before, rest) = text.split_once("<meta http-equiv=\"Content-Security-Policy\"").expect("a policy");
    let (_, rest) = rest.split_once('>').expect("its end");
    let (body, end) = rest.rsplit_once("</body>").expect("the end of the page");
    std::fs::write(&page, format!("{before}{body}<script>{script}</script></body>{end}")).unwrap();
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900", "--dump-dom"])
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(scheme == "light")))
        // For scripts that answer later: as much time as they ask for, without waiting for it.
        .args((!script.contains("performance.now")).then_some("--virtual-time-budget=60000"))
        .arg(format!("--user-data-dir={}", place.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("chromium starts");
    let drawn = String::from_utf8_lossy(&output.stdout);
    let measured = drawn.rsplit_once("<pre id=\"measured\">").and_then(|(_, rest)| Some(rest.split_once("</pre>")?.0));
    let measured = measured.unwrap_or_else(|| panic!("no measure: {}", String::from_utf8_lossy(&output.stderr)));
    let measured = measured.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_slice(measured.as_bytes()).expect("JSON")
}
