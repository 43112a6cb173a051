//! Revisions of an index made one. Pure; the order and number of revisions do not matter, so that any number of writers
//! and mergers come to the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::{DayCounts, ImageSnapshot, SeverityCounts, StateIndex};

/// Takes what another revision knows. Of a tag the newest knowledge stays, and the oldest first sight. Returns the older
/// knowledge that names another image or verdict: its files may be of no use any more.
pub fn merge(into: &mut StateIndex, other: StateIndex) -> Vec<ImageSnapshot> {
    let mut superseded = Vec::new();
    into.written = into.written.max(other.written);
    for (name, mut snapshot) in other.images {
        match into.images.get_mut(&name) {
            Some(known) => {
                let first_seen = known.first_seen.min(snapshot.first_seen);
                if rank(&snapshot) > rank(known) {
                    std::mem::swap(known, &mut snapshot);
                }
                known.first_seen = first_seen;
                if has_other_files(&snapshot, known) {
                    superseded.push(snapshot);
                }
            }
            None => {
                into.images.insert(name, snapshot);
            }
        }
    }
    for (day, repositories) in other.history {
        let known = into.history.entry(day).or_default();
        for (repository, counts) in repositories {
            let newer = known.get(&repository).is_none_or(|old| old.at <= counts.at);
            if newer {
                known.insert(repository, counts);
            }
        }
    }
    superseded
}

/// Whether a snapshot names files that another of the same tag does not.
fn has_other_files(old: &ImageSnapshot, new: &ImageSnapshot) -> bool {
    let verdict = |snapshot: &ImageSnapshot| snapshot.verdict.as_ref().map(|verdict| verdict.hash.clone());
    let differs = |old: Option<String>, new| old.is_some() && old != new;
    let config = |snapshot: &ImageSnapshot| snapshot.config_digest.as_ref().map(ToString::to_string);
    differs(config(old), config(new)) || differs(verdict(old), verdict(new))
}

/// What makes one record of a tag newer than another; the last parts only decide between equals, the same for everybody.
fn rank(snapshot: &ImageSnapshot) -> impl Ord {
    let scanned = snapshot.last_scanned;
    let verdict = snapshot.verdict.as_ref().map(|verdict| verdict.hash.clone());
    let told = snapshot.told.as_ref();
    let is_told = told.map(|told| &told.verdict) == snapshot.verdict.as_ref().map(|verdict| &verdict.hash);
    let told = told.map(|told| (told.at, told.verdict.clone()));
    let seen = snapshot.last_seen.max(snapshot.gone.unwrap_or(snapshot.last_seen));
    (seen, scanned, is_told, snapshot.digest.clone(), verdict, told)
}

/// Forgets tags that have been gone for longer than `keep`, and days that are older than [`HISTORY_DAYS`]. Returns the
/// names that were forgotten.
pub fn retain(index: &mut StateIndex, now: Timestamp, keep: SignedDuration) -> Vec<String> {
    let old = |snapshot: &ImageSnapshot| snapshot.gone.is_some_and(|gone| now.duration_since(gone) > keep);
    let forgotten: Vec<String> = index.images.values().filter(|one| old(one)).map(|one| one.name.clone()).collect();
    for name in &forgotten {
        index.images.remove(name);
    }
    let oldest = (now - SignedDuration::from_hours(24 * HISTORY_DAYS)).to_zoned(TimeZone::UTC).date();
    index.history = index.history.split_off(&oldest);
    forgotten
}

/// Adds today's counts to the history.
pub fn day_counts(index: &mut StateIndex, now: Timestamp) {
    let mut today: BTreeMap<String, (DayCounts, BTreeSet<String>)> = BTreeMap::new();
    for snapshot in index.images.values().filter(|snapshot| snapshot.gone.is_none()) {
        let Some(verdict) = &snapshot.verdict else { continue };
        let empty = DayCounts { at: now, images: 0, counts: SeverityCounts::default(), fixable: 0, kev: 0 };
        let (counts, seen) = today.entry(snapshot.repository.clone()).or_insert_with(|| (empty, BTreeSet::new()));
        let config = snapshot.config_digest.as_ref().unwrap_or(&snapshot.digest);
        if seen.insert(config.to_string()) {
            counts.images += 1;
            counts.counts.add(&verdict.counts);
            counts.fixable += verdict.fixable;
            counts.kev += verdict.kev;
        }
    }
    let day: Date = now.to_zoned(TimeZone::UTC).date();
    let known = index.history.entry(day).or_default();
    known.extend(today.into_iter().map(|(repository, (counts, _))| (repository, counts)));
}

const HISTORY_DAYS: i64 = 400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Digest, Verdict};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn snapshot(tag: u8, first: i64, seen: i64, digest: u8, hash: u8) -> ImageSnapshot {
        ImageSnapshot {
            name: format!("reg.io/a:{tag}"),
            repository: "reg.io/a".into(),
            tag: tag.to_string(),
            digest: Digest::from_sha256(&[digest; 32]),
            config_digest: None,
            platform: None,
            first_seen: at(first),
            last_seen: at(seen),
            last_scanned: Some(at(seen)),
            advisories: None,
            policy: None,
            gone: None,
            failure: None,
            failure_untold: false,
            created: None,
            distribution: None,
            labels: BTreeMap::new(),
            shards: vec![],
            verdict: Some(Verdict { hash: hash.to_string(), ..Verdict::default() }),
            told: None,
        }
    }

    fn revision(snapshots: &[(u8, i64, i64, u8, u8)]) -> StateIndex {
        let mut index = StateIndex::new(at(0));
        for &(tag, first, seen, digest, hash) in snapshots {
            let one = snapshot(tag, first, seen, digest, hash);
            index.images.insert(one.name.clone(), one);
        }
        day_counts(&mut index, at(snapshots.first().map_or(0, |one| one.2)));
        index
    }

    fn merged(revisions: &[StateIndex]) -> StateIndex {
        let mut index = StateIndex::new(at(0));
        for revision in revisions {
            merge(&mut index, revision.clone());
        }
        index
    }

    proptest! {
        #[test]
        fn order_repetition_and_grouping_do_not_matter(
            tags in prop::collection::vec(prop::collection::vec((0u8..3, 0i64..4, 0i64..4, 0u8..2, 0u8..2), 1..4), 1..5),
            rotate in 0usize..5,
        ) {
            let revisions: Vec<StateIndex> = tags.iter().map(|tags| revision(tags)).collect();
            let mut turned = revisions.clone();
            turned.rotate_left(rotate % revisions.len());
            let whole = merged(&revisions);
            prop_assert_eq!(&merged(&turned).images, &whole.images);
            let (left, right) = revisions.split_at(revisions.len() / 2);
            let grouped = merged(&[merged(left), merged(right), merged(left)]);
            prop_assert_eq!(&grouped.images, &whole.images);
            prop_assert!(revisions.iter().flat_map(|one| one.images.keys()).all(|name| whole.images.contains_key(name)));
        }
    }

    #[test]
    fn what_is_gone_is_forgotten_in_time() {
        let mut index = revision(&[(1, 0, 0, 0, 0), (2, 0, 0, 0, 0)]);
        if let Some(one) = index.images.get_mut("reg.io/a:1") {
            one.gone = Some(at(0));
        }
        let keep = SignedDuration::from_secs(100);
        assert!(retain(&mut index, at(100), keep).is_empty());
        assert_eq!(retain(&mut index, at(101), keep), ["reg.io/a:1"]);
        assert_eq!(index.images.len(), 1);
        assert_eq!(index.history.len(), 1);
        retain(&mut index, at(86_400 * 500), keep);
        assert!(index.history.is_empty());
    }

    #[test]
    fn a_day_counts_an_image_once_however_many_tags_it_has() {
        let mut index = revision(&[(1, 0, 0, 7, 0), (2, 0, 0, 7, 0), (3, 0, 0, 8, 0)]);
        for snapshot in index.images.values_mut() {
            if let Some(verdict) = &mut snapshot.verdict {
                verdict.counts.high = 2;
            }
        }
        day_counts(&mut index, at(5));
        let counts = index.history.values().next().and_then(|day| day.get("reg.io/a")).copied().unwrap();
        assert_eq!((counts.images, counts.counts.high), (2, 4));
    }
}
