use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::date;

use super::*;
use crate::model::{
    Code, Diagnosis, Digest, FixState, GapKind, Kev, KnownGap, PackageKind, SeverityCounts, Standing,
    SuppressionReason, Verdict,
};

const TODAY: Date = date(2026, 11, 21);

fn finding(name: &str, id: &str, severity: Severity) -> KnownFinding {
    KnownFinding {
        package: format!("pkg:deb/debian/{name}"),
        id: id.into(),
        path: String::new(),
        kind: PackageKind::Deb,
        name: name.into(),
        version: "1.0".into(),
        severity,
        fix: FixState::NotFixed,
        fixed_in: None,
        kev: None,
        suppressed: None,
    }
}

fn image(tag: &str, content: u8, findings: &[KnownFinding]) -> ImageSnapshot {
    let now: Timestamp = "2026-11-21T06:00:00Z".parse().unwrap();
    let counted = findings.iter().filter(|finding| finding.suppressed.is_none());
    let verdict = Verdict {
        counts: SeverityCounts::of(counted.map(|finding| finding.severity)),
        findings: findings.to_vec(),
        ..Verdict::default()
    };
    ImageSnapshot {
        name: format!("reg.io/g/p:{tag}"),
        repository: "reg.io/g/p".into(),
        tag: tag.into(),
        digest: Digest::from_sha256(&[content; 32]),
        config_digest: Some(Digest::from_sha256(&[content + 100; 32])),
        platform: None,
        first_seen: now,
        last_seen: now,
        last_scanned: Some(now),
        advisories: None,
        policy: None,
        gone: None,
        failure: None,
        failure_untold: false,
        created: None,
        distribution: None,
        labels: BTreeMap::new(),
        shards: Vec::new(),
        verdict: Some(verdict),
        told: None,
    }
}

fn changes(before: &[ImageSnapshot], after: &[ImageSnapshot]) -> SnapshotChanges {
    SnapshotChanges {
        format: SnapshotChanges::FORMAT.into(),
        started: "2026-11-21T06:00:00Z".parse().unwrap(),
        first_run: false,
        before: before.to_vec(),
        after: after.to_vec(),
        unchanged: vec![],
    }
}

fn policy(text: &str) -> AlertPolicy {
    AlertPolicy { findings: Policy::parse(text).unwrap(), today: TODAY, rule_notice: 14 }
}

fn news(before: &[ImageSnapshot], after: &[ImageSnapshot]) -> Vec<(&'static str, usize)> {
    let report = compare(&changes(before, after), &[], &policy("high || kev"));
    report.alerts.iter().map(|alert| (alert.news.name(), alert.images.len())).collect()
}

#[test]
fn each_sort_of_news_is_told_apart() {
    let low = finding("zlib", "CVE-1", Severity::Low);
    let high = KnownFinding { severity: Severity::High, ..low.clone() };
    let critical = KnownFinding { severity: Severity::Critical, ..low.clone() };
    let fixed = KnownFinding { fixed_in: Some("2".into()), fix: FixState::Fixed, ..high.clone() };
    let kev = Kev { added: TODAY, due: None, ransomware: false };
    let exploited = KnownFinding { kev: Some(kev), ..low.clone() };
    let ignored = KnownFinding { suppressed: Some(SuppressionReason::IgnoreRule), ..high.clone() };
    let other = finding("curl", "CVE-2", Severity::High);
    for (name, before, after, expected) in [
        ("nothing", vec![&high], vec![&high], vec![]),
        ("disclosed", vec![&high], vec![&high, &other], vec!["disclosed"]),
        ("below the policy", vec![], vec![&low], vec![]),
        ("raised", vec![&low], vec![&high], vec!["raised"]),
        ("raised within the policy", vec![&high], vec![&critical], vec!["raised"]),
        ("lowered", vec![&critical], vec![&high], vec![]),
        ("fix", vec![&high], vec![&fixed], vec!["fix-available"]),
        ("fix of a new version", vec![&fixed], vec![&fixed], vec![]),
        ("exploited, though low", vec![&low], vec![&exploited], vec!["exploited"]),
        ("ignored", vec![&high], vec![&ignored], vec![]),
        ("no longer ignored", vec![&ignored], vec![&high], vec!["resurfaced"]),
        ("gone", vec![&high], vec![], vec![]),
    ] {
        let owned = |findings: Vec<&KnownFinding>| findings.into_iter().cloned().collect::<Vec<_>>();
        let found = news(&[image("1", 1, &owned(before))], &[image("1", 1, &owned(after))]);
        assert_eq!(found.iter().map(|(news, _)| *news).collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn the_same_news_about_many_tags_is_one_alert() {
    let new = [finding("zlib", "CVE-1", Severity::High)];
    let tags = ["1", "2", "3"];
    let before = tags.map(|tag| image(tag, 1, &[]));
    let after = tags.map(|tag| image(tag, 1, &new));
    assert_eq!(news(&before, &after), [("disclosed", 3)]);
    let keys = |after: &[ImageSnapshot]| {
        let report = compare(&changes(&before, after), &[], &policy("high"));
        report.alerts.into_iter().map(|alert| alert.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(&after), keys(&after[1..]), "the key does not depend on the tag");
}

#[test]
fn a_tag_that_moved_sinks_only_by_what_it_brings() {
    let old = finding("zlib", "CVE-1", Severity::High);
    let new = finding("curl", "CVE-2", Severity::Critical);
    let before = image("1", 1, std::slice::from_ref(&old));
    assert_eq!(news(std::slice::from_ref(&before), &[image("1", 2, &[old.clone(), new.clone()])]), [("sunk", 1)]);
    assert_eq!(news(std::slice::from_ref(&before), &[image("1", 2, std::slice::from_ref(&old))]), []);
    let report = compare(&changes(&[before], &[image("1", 2, &[old, new])]), &[], &policy("high"));
    let News::Sunk { findings, brought, .. } = &report.alerts[0].news else { panic!("{report:?}") };
    assert_eq!((findings.len(), *brought), (1, 1));
}

#[test]
fn what_was_never_seen_is_its_own_baseline() {
    let found = [finding("zlib", "CVE-1", Severity::Critical)];
    assert_eq!(news(&[], &[image("1", 1, &found)]), []);
    let mut first = changes(&[image("1", 1, &[])], &[image("1", 1, &found)]);
    first.first_run = true;
    let report = compare(&first, &[], &policy("high"));
    assert!(report.alerts.is_empty() && report.first_run);
    assert_eq!((report.summary.images, report.summary.counts.critical), (1, 1));
}

#[test]
fn gaps_and_failures_are_news_once() {
    let whole = image("1", 1, &[]);
    let gap = |kind| {
        let mut image = whole.clone();
        image.verdict.as_mut().unwrap().gaps = vec![KnownGap { kind, subject: "debian-12".into() }];
        image
    };
    assert_eq!(news(std::slice::from_ref(&whole), &[gap(GapKind::NoAdvisories)]), [("gap", 1)]);
    assert_eq!(news(&[gap(GapKind::NoAdvisories)], &[gap(GapKind::NoAdvisories)]), []);
    assert_eq!(news(std::slice::from_ref(&whole), &[gap(GapKind::UnreadableFile)]), []);
    let mut failed = whole.clone();
    failed.failure = Some(Diagnosis::new(Code::RegistryBusy, "the image cannot be read", "", ""));
    assert_eq!(news(std::slice::from_ref(&whole), std::slice::from_ref(&failed)), [("unscannable", 1)]);
    assert_eq!(news(std::slice::from_ref(&failed), std::slice::from_ref(&failed)), []);
    let mut gone = whole.clone();
    gone.gone = Some("2026-11-21T06:00:00Z".parse().unwrap());
    assert_eq!(news(&[whole], &[gone]), []);
}

#[test]
fn rules_are_spoken_of_before_they_end() {
    let rule = |state, days: i32| RuleUse {
        origin: ".plimsoll.yml, line 3".into(),
        rule: "CVE-1".into(),
        state,
        findings: 1,
        expires: Some(TODAY.checked_add(jiff::Span::new().days(days)).unwrap()),
    };
    for (state, days, expected) in [
        (RuleState::Applied, 3, 1),
        (RuleState::Applied, 0, 1),
        (RuleState::Applied, 40, 0),
        (RuleState::Applied, -1, 0),
        (RuleState::Unused, 3, 0),
        (RuleState::Expired, -1, 0),
    ] {
        let report = compare(&changes(&[], &[]), &[rule(state, days)], &policy("high"));
        assert_eq!(report.alerts.len(), expected, "{state:?} {days}");
    }
}

#[test]
fn what_was_told_stands_until_its_cause_is_gone() {
    let found = [finding("zlib", "CVE-1", Severity::High)];
    let (clean, affected) = (|tag| image(tag, 1, &[]), |tag| image(tag, 1, &found));
    let run = |stood, before: &[ImageSnapshot], after: &[ImageSnapshot], today| {
        let changes = changes(before, after);
        let report = compare(&changes, &[], &policy("high"));
        settle(stood, &report, "reg.io/g/p", &changes, today)
    };
    let tomorrow = TODAY.tomorrow().unwrap();
    let (stands, news) = run(vec![], &[clean("1"), clean("2")], &[affected("1"), affected("2")], TODAY);
    assert_eq!((stands.len(), news.len(), stands[0].alert.images.len()), (1, 1, 2));
    // The same run again has nothing new.
    let (again, news) = run(stands.clone(), &[clean("1"), clean("2")], &[affected("1"), affected("2")], tomorrow);
    assert_eq!((&again, news.len()), (&stands, 0));
    // A run that looks elsewhere changes nothing; one tag fixed leaves the other; a third tag joins.
    assert_eq!(run(stands.clone(), &[], &[], tomorrow).0, stands);
    let (left, _) = run(stands.clone(), &[affected("1")], &[clean("1")], tomorrow);
    assert_eq!(left[0].alert.images, ["reg.io/g/p:2"]);
    let (joined, news) = run(left, &[clean("3")], &[affected("3")], tomorrow);
    assert_eq!((joined[0].alert.images.len(), news.len(), joined[0].since), (2, 0, TODAY));
    assert_eq!(run(stands, &[affected("1"), affected("2")], &[clean("1"), clean("2")], tomorrow).0, []);
}

#[test]
fn the_first_that_is_due_counts() {
    let sla = Sla::parse("critical=7d,high=30d").unwrap();
    let standing = |since, severity, kev_due: Option<Date>| {
        let mut finding = finding("zlib", "CVE-1", severity);
        finding.kev = kev_due.map(|due| Kev { added: since, due: Some(due), ransomware: false });
        let alert = Alert {
            key: String::new(),
            repository: String::new(),
            images: vec![],
            heard: None,
            news: News::Disclosed { finding },
        };
        Standing { since, alert }
    };
    let high = standing(TODAY, Severity::High, None);
    let critical = standing(TODAY, Severity::Critical, None);
    for (stands, expected) in [
        (vec![], None),
        (vec![high.clone()], Some(date(2026, 12, 21))),
        (vec![high, critical], Some(date(2026, 11, 28))),
        (vec![standing(TODAY, Severity::Low, None)], None),
        (vec![standing(TODAY, Severity::High, Some(date(2026, 11, 25)))], Some(date(2026, 11, 25))),
        (vec![standing(TODAY, Severity::High, Some(date(2021, 11, 25)))], Some(date(2026, 12, 21))),
    ] {
        assert_eq!(sla.due(&stands), expected);
    }
}

#[test]
fn a_failure_is_told_until_somebody_heard_of_it() {
    let failed = |untold: bool| {
        let failure = Diagnosis::new(Code::RegistryBusy, "busy", "503", "again");
        ImageSnapshot { failure: Some(failure), failure_untold: untold, verdict: None, ..image("1", 1, &[]) }
    };
    assert_eq!(news(&[image("1", 1, &[])], &[failed(true)]), [("unscannable", 1)]);
    assert_eq!(news(&[failed(true)], &[failed(true)]), [("unscannable", 1)], "nobody was told");
    assert_eq!(news(&[failed(false)], &[failed(false)]), []);
}
