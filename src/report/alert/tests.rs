use serde_json::Value;

use super::webhook::{Service, payload};
use super::*;
use crate::model::{
    AlertReport, Digest, FixState, GapKind, KnownFinding, KnownGap, News, PackageKind, SeverityCounts, Standing, Tool,
};

/// What hostile names may hold: mentions, quick actions, markup of every service, control characters.
const HOSTILE: &str = "@all <!here> `x` [a](http://evil)\n/close | <b>--> \x1b[31m*b* &";

fn finding(name: &str) -> KnownFinding {
    KnownFinding {
        package: format!("pkg:deb/debian/{name}"),
        id: "CVE-2026-1".into(),
        path: String::new(),
        kind: PackageKind::Deb,
        name: name.into(),
        version: "1.0".into(),
        severity: Severity::High,
        fix: FixState::Fixed,
        fixed_in: Some("1.1".into()),
        kev: None,
        suppressed: None,
    }
}

fn alert(news: News) -> Alert {
    let images = ["a", "b", "c", "d", "e", "f", "g"].map(|tag| format!("reg.io/g/p:{tag}")).to_vec();
    Alert { key: "0123456789abcdef0123456789abcdef".into(), repository: "reg.io/g/p".into(), images, heard: None, news }
}

fn every_sort(name: &str) -> Vec<Alert> {
    let finding = || finding(name);
    let digest = Digest::from_sha256(&[1; 32]);
    let rule = News::RuleExpiring {
        rule: name.into(),
        origin: name.into(),
        last: jiff::civil::date(2026, 12, 1),
        findings: 2,
    };
    vec![
        alert(News::Disclosed { finding: finding() }),
        alert(News::Raised { finding: finding(), was: Severity::Low }),
        alert(News::FixAvailable { finding: finding() }),
        alert(News::Exploited { finding: finding() }),
        alert(News::Resurfaced { finding: finding(), was: crate::model::SuppressionReason::IgnoreRule }),
        alert(News::Sunk { from: digest.clone(), to: digest, findings: vec![finding(), finding()], brought: 7 }),
        alert(News::Gap { gap: KnownGap { kind: GapKind::NoAdvisories, subject: name.into() } }),
        alert(News::Unscannable { code: crate::model::Code::RegistryBusy, what: name.into() }),
        Alert { repository: String::new(), images: vec![], ..alert(rule) },
    ]
}

fn report(alerts: &[Alert]) -> AlertReport {
    AlertReport {
        format: AlertReport::FORMAT.into(),
        tool: Tool { name: "plimsoll".into(), version: "0.0.0".into() },
        started: "2026-11-21T06:00:00Z".parse().unwrap(),
        first_run: false,
        policy: "high || kev".into(),
        alerts: alerts.to_vec(),
        summary: AlertSummary {
            images: 12,
            counts: SeverityCounts { high: 1, ..SeverityCounts::default() },
            ..AlertSummary::default()
        },
    }
}

#[test]
fn sentences_read_well() {
    insta::assert_snapshot!(lines(&every_sort("zlib1g")).join("\n"));
    let name = pipeline_name(&report(&every_sort("x")), &every_sort("x"), 255);
    let expected = "Retest: 1 known to be exploited (worst: high), 1 newly disclosed (worst: high), ";
    assert!(name.starts_with(expected) && name.chars().count() == 255, "{name}");
    assert_eq!(pipeline_name(&report(&[]), &[], 255), "Retest: nothing new, 12 images");
    let first = AlertReport { first_run: true, ..report(&[]) };
    assert_eq!(pipeline_name(&first, &[], 255), "Retest: first run, 12 images, 0 critical and 1 high finding");
}

/// What is left of Markdown outside code spans.
fn outside_code(markdown: &str) -> String {
    let mut out = String::new();
    let mut rest = markdown;
    while let Some(start) = rest.find('`') {
        out.push_str(&rest[..start]);
        let fence: String = rest[start..].chars().take_while(|c| *c == '`').collect();
        let inner = &rest[start + fence.len()..];
        // A span ends at a run of exactly as many backticks.
        let mut at = 0;
        let end = loop {
            let found = at + inner[at..].find(&fence).expect("the span ends");
            let run = inner[found..].chars().take_while(|c| *c == '`').count();
            if run == fence.len() {
                break found;
            }
            at = found + run;
        };
        rest = &inner[end + fence.len()..];
    }
    out + rest
}

#[test]
fn nothing_foreign_is_markup_in_an_issue() {
    let alerts = every_sort(HOSTILE);
    let standing: Vec<Standing> =
        alerts.iter().map(|alert| Standing { since: jiff::civil::date(2026, 11, 21), alert: alert.clone() }).collect();
    let context =
        AlertContext { project: Some(HOSTILE.into()), job_url: Some("https://gitlab.example.com/j/1".into()) };
    for text in [body(HOSTILE, &standing, "high"), note(&alerts, &context)] {
        let outside = outside_code(&text);
        for forbidden in ["@all", "evil", "<b>", "/close", "\x1b"] {
            assert!(!outside.contains(forbidden), "{forbidden} in\n{outside}");
        }
        assert!(!text.lines().any(|line| line.trim_start().starts_with('/')), "{text}");
    }
    assert!(!title(HOSTILE).contains('\n'));
}

#[test]
fn nothing_foreign_is_markup_in_a_message() {
    let alerts = every_sort(HOSTILE);
    let context =
        AlertContext { project: Some(HOSTILE.into()), job_url: Some("https://gitlab.example.com/j/1".into()) };
    let report = report(&alerts);
    let slack = payload(Service::Slack, &report, &alerts, &context);
    assert!(!slack["text"].as_str().unwrap().contains('<'), "{slack}");
    assert_eq!(kinds(&slack["blocks"]), ["link", "rich_text", "rich_text_list", "rich_text_section", "text"]);
    let teams = payload(Service::Teams, &report, &alerts, &context);
    let card = &teams["attachments"][0]["content"];
    assert_eq!(kinds(&card["body"]), ["RichTextBlock", "TextRun"], "no text block, whose text is Markdown");
    let mattermost = payload(Service::Mattermost, &report, &alerts, &context);
    let outside = outside_code(mattermost["text"].as_str().unwrap());
    assert!(!outside.contains("@all") && !outside.contains("evil"), "{outside}");
    let json = payload(Service::Json, &report, &alerts, &context);
    assert_eq!(json["alerts"].as_array().map(Vec::len), Some(alerts.len()));
}

/// Every `type` in a value, each once.
fn kinds(value: &Value) -> Vec<String> {
    fn collect(value: &Value, into: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Object(fields) => {
                into.extend(fields.get("type").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| collect(value, into));
            }
            _ => {}
        }
    }
    let mut all = std::collections::BTreeSet::new();
    collect(value, &mut all);
    all.into_iter().collect()
}

#[test]
fn messages_fit_whatever_they_hold() {
    let long = "é".repeat(5000);
    let alerts: Vec<Alert> = (0..500).flat_map(|_| every_sort(&long)).take(500).collect();
    let context = AlertContext::default();
    let report = report(&alerts);
    let length = |service| payload(service, &report, &alerts, &context).to_string().len();
    assert!(length(Service::Teams) < 28 * 1024, "{}", length(Service::Teams));
    let text = payload(Service::Mattermost, &report, &alerts, &context)["text"].as_str().unwrap().chars().count();
    assert!(text < 16_383, "{text}");
    assert!(body("r", &[], "high").len() < 200 && note(&alerts, &context).chars().count() < 100_000);
}

#[test]
fn notes_remember_what_they_told() {
    let alerts = every_sort("x");
    let text = format!("{}\n{}", told_marker(&alerts[..1]), note(&alerts[..1], &AlertContext::default()));
    assert_eq!(told_in_note(&text).collect::<Vec<_>>(), [alerts[0].key.as_str()]);
    assert_eq!(told_in_note("nothing of ours").count(), 0);
}
