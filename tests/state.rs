//! The memory between pipelines: whatever writers do at the same time, whoever is killed when, nothing is lost; what is
//! corrupt or foreign is set aside. In a directory and in a package registry.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plimsoll::context::NetworkSettings;
use plimsoll::gitlab::GitLab;
use plimsoll::model::{Digest, ImageIdentity, ImageSnapshot, Inventory, Secret, Severity, SeverityCounts, Verdict};
use plimsoll::net::ApiToken;
use plimsoll::state::{Directory, Finish, Packages, State, Store, folder, inventory_file};
use support::gitlab::{GitLabDouble, Token};
use tempfile::TempDir;

const REPOSITORY: &str = "reg.io/grp/proj/app";

fn digest(number: u8) -> Digest {
    Digest::from_sha256(&[number; 32])
}

fn snapshot(tag: &str, number: u8, now: Timestamp) -> ImageSnapshot {
    ImageSnapshot {
        name: format!("{REPOSITORY}:{tag}"),
        repository: REPOSITORY.into(),
        tag: tag.into(),
        digest: digest(number),
        config_digest: Some(digest(number)),
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
        shards: vec![],
        verdict: Some(Verdict {
            hash: format!("{number:016x}"),
            counts: SeverityCounts::of([Severity::High]),
            ..Verdict::default()
        }),
        told: None,
    }
}

fn inventory(number: u8) -> Inventory {
    Inventory {
        image: ImageIdentity { config_digest: Some(digest(number)), ..ImageIdentity::default() },
        distribution: None,
        layers: vec![],
        packages: vec![],
        gaps: vec![],
        base: None,
    }
}

/// A place: its name, what opens it, and what keeps it alive.
type Place = (&'static str, Box<dyn Fn() -> Arc<dyn Store>>, Box<dyn std::any::Any>);

/// Places for state: what opens each of them, again and again.
fn places() -> Vec<Place> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_owned();
    let mut places: Vec<Place> =
        vec![("directory", Box::new(move || Arc::new(Directory::new(&path))), Box::new(directory))];
    for (name, no_duplicates) in [("package", false), ("package without duplicates", true)] {
        let double = GitLabDouble::start();
        double.add_project(7, "grp/proj");
        double.add_token(Token::job("glcbt-job", 7));
        double.state().projects.get_mut(&7).unwrap().no_duplicates = no_duplicates;
        let api = double.api();
        let open = move || {
            let token = ApiToken::Job(Secret::new("glcbt-job"));
            let gitlab = GitLab::new(&NetworkSettings::default(), &api, token).unwrap();
            Arc::new(Packages::new(Arc::new(gitlab), "7")) as Arc<dyn Store>
        };
        places.push((name, Box::new(open), Box::new(double)));
    }
    places
}

fn open(store: Arc<dyn Store>) -> (State, Vec<String>) {
    let state = State::open(store, Timestamp::now()).unwrap();
    let notices = state.take_notices();
    (state, notices)
}

fn finish() -> Finish {
    Finish { keep: SignedDuration::from_hours(24), ..Finish::default() }
}

#[test]
fn what_was_recorded_is_read_back_with_or_without_an_end() {
    for (name, place, _keep) in places() {
        let now = Timestamp::now();
        let (state, _) = open(place());
        state.keep_inventory(REPOSITORY, &digest(1), "r1", &inventory(1)).unwrap();
        state.keep_verdict(REPOSITORY, &digest(1), &snapshot("1", 1, now).verdict.unwrap()).unwrap();
        state.record(snapshot("1", 1, now), true).unwrap();
        // As if the process had been killed.
        drop(state);
        let (state, notices) = open(place());
        assert_eq!(notices, Vec::<String>::new(), "{name}");
        assert_eq!(state.index().images.len(), 1, "{name}");
        assert_eq!(state.inventory(REPOSITORY, &digest(1), "r1").unwrap(), Some((inventory(1), true)), "{name}");
        assert_eq!(state.inventory(REPOSITORY, &digest(1), "r2").unwrap(), Some((inventory(1), false)), "{name}");
        assert!(state.verdict(REPOSITORY, &digest(1), &format!("{:016x}", 1)).unwrap().is_some(), "{name}");
        assert_eq!(state.verdict(REPOSITORY, &digest(1), "other").unwrap(), None, "{name}");
        state.record(snapshot("2", 2, now), false).unwrap();
        // Of the second another verdict was told.
        let told = |tag: &str, number: u8| (format!("{REPOSITORY}:{tag}"), format!("{number:016x}"));
        let told = [told("1", 1), told("2", 3)].into();
        let (index, notices) = state.finish(now, &Finish { told, ..finish() }).unwrap();
        assert_eq!(notices, Vec::<String>::new(), "{name}");
        assert_eq!(index.images.len(), 2, "{name}");
        let (state, _) = open(place());
        assert_eq!(state.index().images, index.images, "{name}");
        assert_eq!(state.index().history.len(), 1, "{name}");
        let told = |tag: &str| state.index().images[&format!("{REPOSITORY}:{tag}")].told.is_some();
        assert_eq!((told("1"), told("2")), (true, false), "{name}");
        // One revision and the copy for readers.
        let files = place().list("index").unwrap();
        let names: Vec<&str> = files.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names.len(), 2, "{name}: {names:?}");
        let copy = place().read("index", "index.json").unwrap().unwrap();
        let copy: plimsoll::model::StateIndex = serde_json::from_slice(&copy).unwrap();
        assert_eq!(copy.images, index.images, "{name}");
    }
}

#[test]
fn parallel_writers_lose_nothing() {
    for (name, place, _keep) in places() {
        let (writers, tags) = (6, 8);
        std::thread::scope(|scope| {
            for writer in 0..writers {
                let store = place();
                scope.spawn(move || {
                    for round in 0..2 {
                        let state = State::open(Arc::clone(&store), Timestamp::now()).unwrap();
                        for tag in 0..tags {
                            let tag = format!("{writer}-{round}-{tag}");
                            state.record(snapshot(&tag, writer, Timestamp::now()), writer % 2 == 0).unwrap();
                        }
                        state.finish(Timestamp::now(), &finish()).unwrap();
                    }
                });
            }
        });
        let (state, notices) = open(place());
        assert_eq!(notices, Vec::<String>::new(), "{name}");
        assert_eq!(state.index().images.len(), usize::from(writers) * 2 * tags, "{name}");
    }
}

#[test]
fn one_state_takes_records_of_many_threads() {
    let directory = TempDir::new().unwrap();
    let (state, _) = open(Arc::new(Directory::new(directory.path())));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (state, path) = (&state, directory.path());
            scope.spawn(move || {
                for tag in 0..20 {
                    let name = format!("{thread}-{tag}");
                    state.record(snapshot(&name, 1, Timestamp::now()), true).unwrap();
                    // What has been waited for is there for others.
                    let (other, _) = open(Arc::new(Directory::new(path)));
                    assert!(other.index().images.contains_key(&format!("{REPOSITORY}:{name}")), "{name}");
                }
            });
        }
    });
    let (other, _) = open(Arc::new(Directory::new(directory.path())));
    assert_eq!(other.index().images.len(), 160);
}

#[test]
fn corrupt_and_foreign_files_are_set_aside_and_named() {
    for (name, place, _keep) in places() {
        let now = Timestamp::now();
        let (state, _) = open(place());
        state.keep_inventory(REPOSITORY, &digest(1), "r", &inventory(1)).unwrap();
        state.record(snapshot("1", 1, now), true).unwrap();
        let store = place();
        store.write("index", "revision-00000000000001-x-1.json", b"{\"half").unwrap();
        store.write("index", "notes.txt", b"mine").unwrap();
        store.write("index", "index.json", br#"{"format":"other"}"#).unwrap();
        store.write(&folder(REPOSITORY), &inventory_file(&digest(1)), b"no zstd").unwrap();
        let (state, notices) = open(place());
        assert_eq!(state.index().images.len(), 1, "{name}");
        assert_eq!(notices.len(), 3, "{name}: {notices:?}");
        for file in ["revision-00000000000001-x-1.json", "notes.txt", "index.json"] {
            assert!(notices.iter().any(|notice| notice.contains(&format!("`index/{file}`"))), "{name}: {notices:?}");
            let aside = place().read("set-aside", &format!("index--{file}")).unwrap();
            assert!(aside.is_some(), "{name}: {file}");
        }
        assert_eq!(state.inventory(REPOSITORY, &digest(1), "r").unwrap(), None, "{name}");
        let notices = state.take_notices();
        assert!(notices.iter().any(|notice| notice.contains("inventory.zst")), "{name}: {notices:?}");
        // The second time there is nothing to say.
        let (_, notices) = open(place());
        assert_eq!(notices, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_newer_format_is_not_touched() {
    let directory = TempDir::new().unwrap();
    let store = Directory::new(directory.path());
    store.write("index", "index.json", br#"{"format":"plimsoll-state-2","other":1}"#).unwrap();
    let error = State::open(Arc::new(store), Timestamp::now()).unwrap_err().to_string();
    assert!(error.contains("plimsoll-state-2"), "{error}");
    assert!(directory.path().join("index/index.json").is_file());
}

/// A newer version may have written something that looks like ours.
#[test]
fn a_newer_format_that_can_be_read_is_not_touched_either() {
    let directory = TempDir::new().unwrap();
    let store = Directory::new(directory.path());
    let mut index = plimsoll::model::StateIndex::new(Timestamp::now());
    index.format = "plimsoll-state-2".into();
    store.write("index", "revision-1-x-1.json", &serde_json::to_vec(&index).unwrap()).unwrap();
    let error = State::open(Arc::new(store), Timestamp::now()).unwrap_err().to_string();
    assert!(error.contains("plimsoll-state-2"), "{error}");
    assert!(directory.path().join("index/revision-1-x-1.json").is_file());
}

/// With or without kills between a move and the end of a run, each followed by another move and another verdict.
#[test]
fn what_a_tag_has_left_is_removed() {
    for (name, place, _keep) in places() {
        for kills in 0..4_u8 {
            let now = Timestamp::now();
            let tag = || format!("{REPOSITORY}:1");
            let told = |number: u8| Finish { told: [(tag(), format!("{number:016x}"))].into(), ..finish() };
            let (state, _) = open(place());
            state.keep_inventory(REPOSITORY, &digest(1), "r", &inventory(1)).unwrap();
            state.record(snapshot("1", 1, now), true).unwrap();
            state.finish(now, &told(1)).unwrap();
            let last = 2 + kills;
            for number in 2..=last {
                let (state, _) = open(place());
                let later = now + SignedDuration::from_secs(number.into());
                let told_of = state.index().images[&tag()].told.clone();
                assert!(told_of.is_some(), "{name}");
                state.keep_inventory(REPOSITORY, &digest(number), "r", &inventory(number)).unwrap();
                // Judged by other advisories first, for which nobody was told either.
                for hash in ["0", &format!("{number:016x}")] {
                    let verdict = Verdict { hash: hash.into(), ..Verdict::default() };
                    state.keep_verdict(REPOSITORY, &digest(number), &verdict).unwrap();
                    let seen = later + SignedDuration::from_millis(i64::from(hash != "0"));
                    let told = told_of.clone();
                    let one = ImageSnapshot { told, verdict: Some(verdict), ..snapshot("1", number, seen) };
                    state.record(one, true).unwrap();
                }
                if number == last {
                    state.finish(later, &told(number)).unwrap();
                }
            }
            let files = place().list(&folder(REPOSITORY)).unwrap();
            let mut files: Vec<&str> = files.iter().map(|item| item.name.as_str()).collect();
            files.sort_unstable();
            let verdict = plimsoll::state::verdict_file(&digest(last), &format!("{last:016x}"));
            let mut expected = [inventory_file(&digest(last)), verdict];
            expected.sort_unstable();
            assert_eq!(files, expected, "{name}, killed {kills} times");
            // Back to nothing.
            for folder in ["index", &folder(REPOSITORY)] {
                for item in place().list(folder).unwrap() {
                    place().remove(folder, &item).unwrap();
                }
            }
        }
    }
}

#[test]
fn what_is_gone_for_long_is_forgotten_with_its_files() {
    for (name, place, _keep) in places() {
        let now = Timestamp::now();
        let old = now - SignedDuration::from_hours(48);
        let (state, _) = open(place());
        for number in [1, 2] {
            state.keep_inventory(REPOSITORY, &digest(number), "r", &inventory(number)).unwrap();
        }
        state.record(ImageSnapshot { gone: Some(old), ..snapshot("1", 1, old) }, false).unwrap();
        state.record(snapshot("2", 2, now), false).unwrap();
        let (index, notices) = state.finish(now, &finish()).unwrap();
        assert_eq!(index.images.len(), 1, "{name}");
        assert!(notices.iter().any(|notice| notice.contains("app:1")), "{name}: {notices:?}");
        let files: Vec<String> = place().list(&folder(REPOSITORY)).unwrap().into_iter().map(|item| item.name).collect();
        assert_eq!(files, [inventory_file(&digest(2))], "{name}");
    }
}

/// A file that is half written bears another name, and is no part of the state.
#[test]
fn half_written_files_do_not_count() {
    let directory = TempDir::new().unwrap();
    let (state, _) = open(Arc::new(Directory::new(directory.path())));
    state.record(snapshot("1", 1, Timestamp::now()), true).unwrap();
    fs::write(directory.path().join("index/.123.4.tmp"), b"{").unwrap();
    let (state, notices) = open(Arc::new(Directory::new(directory.path())));
    assert_eq!((state.index().images.len(), notices.len()), (1, 0));
    assert!(Path::new(&directory.path().join("index/.123.4.tmp")).is_file());
}
