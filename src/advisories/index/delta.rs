//! What changed in a shard between two builds, as a file of the same form: key → change. A list of statements about one
//! package is changed statement by statement, as a kernel has thousands of them and a day changes a few.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use crate::model::Advisory;

use super::write::file_of;
use super::{IndexError, IndexFile, LONGEST, Stack, Table, TableWriter, WriteError};

/// A delta cannot be made.
#[derive(Debug, thiserror::Error)]
pub(in crate::advisories) enum DeltaError {
    /// One of the files cannot be read.
    #[error(transparent)]
    Read(#[from] IndexError),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The value of a key in a delta file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Change<'a> {
    /// The key is gone.
    Removed,
    /// This is its value now.
    Set(#[serde(borrow)] &'a [u8]),
    /// Elements of its list are gone (positions in the old list, ascending), others have come (positions in the new
    /// list, ascending).
    Edited { removed: Vec<u32>, added: Vec<(u32, &'a [u8])> },
}

/// The delta file that makes `new` of `old`.
pub(in crate::advisories) fn delta(old: &Stack, new: &IndexFile) -> Result<Vec<u8>, DeltaError> {
    let mut tables = [TableWriter::new(RECORDS_BLOCK)?, TableWriter::new(DETAILS_BLOCK)?];
    for (table, writer) in [Table::Records, Table::Details].into_iter().zip(&mut tables) {
        let mut keys = BTreeSet::new();
        let mut add = |key: &str, _: &[u8]| {
            keys.insert(key.to_owned());
            Ok::<(), DeltaError>(())
        };
        new.each(table, &mut add)?;
        old.each_file(|file| file.each(table, &mut add))?;
        for key in &keys {
            let (before, after) = (old.get(table, key)?, new.get(table, key)?);
            if before != after {
                writer.add(key, &change(table, before.as_deref(), after.as_deref())?)?;
            }
        }
    }
    Ok(file_of(&new.header().name, &new.header().sources, tables, true)?)
}

/// The encoded change from one value to another.
fn change(table: Table, before: Option<&[u8]>, after: Option<&[u8]>) -> Result<Vec<u8>, WriteError> {
    let encode = |change: &Change<'_>| postcard::to_stdvec(change);
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(encode(&after.map_or(Change::Removed, Change::Set))?);
    };
    let whole = encode(&Change::Set(after))?;
    let Some((old, new)) = elements(before).zip(elements(after)).filter(|_| table == Table::Records) else {
        return Ok(whole);
    };
    let kept: HashSet<&[u8]> = new.iter().copied().collect();
    let known: HashSet<&[u8]> = old.iter().copied().collect();
    let position = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let removed = old.iter().enumerate().filter(|(_, element)| !kept.contains(*element)).map(|(at, _)| position(at));
    let added = new.iter().enumerate().filter(|(_, element)| !known.contains(*element));
    let edit = encode(&Change::Edited {
        removed: removed.collect(),
        added: added.map(|(at, element)| (position(at), *element)).collect(),
    })?;
    // Lists in another order than ours do not come out right, and small ones are shorter as a whole.
    let exact = apply(Some(before.to_vec()), &edit).is_ok_and(|value| value.as_deref() == Some(after));
    Ok(if exact && edit.len() < whole.len() { edit } else { whole })
}

/// What a change makes of a value.
pub(super) fn apply(before: Option<Vec<u8>>, change: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
    let damaged = || IndexError::Damaged("change");
    let (removed, added) = match postcard::from_bytes(change).map_err(|_| damaged())? {
        Change::Removed => return Ok(None),
        Change::Set(value) => return Ok(Some(value.to_vec())),
        Change::Edited { removed, added } => (removed, added),
    };
    let before = before.ok_or_else(damaged)?;
    let old = elements(&before).ok_or_else(damaged)?;
    let mut removed = removed.into_iter().peekable();
    let mut kept = Vec::with_capacity(old.len());
    for (at, element) in old.iter().enumerate() {
        if removed.next_if(|position| *position as usize == at).is_none() {
            kept.push(*element);
        }
    }
    if removed.next().is_some() {
        return Err(damaged());
    }
    let mut kept = kept.into_iter().peekable();
    let mut added = added.into_iter().peekable();
    let mut list = Vec::new();
    let mut length = 0_usize;
    loop {
        let next = match added.next_if(|(position, _)| *position as usize == length) {
            Some((_, element)) => Some(element),
            None => kept.next(),
        };
        let Some(element) = next else { break };
        list.extend_from_slice(element);
        length += 1;
        if list.len() > LONGEST as usize {
            return Err(damaged());
        }
    }
    if added.next().is_some() {
        return Err(damaged());
    }
    let mut value = postcard::to_stdvec(&length).map_err(|_| damaged())?;
    value.extend_from_slice(&list);
    Ok(Some(value))
}

/// The encoded elements of a list of advisories; `None` if it is none.
fn elements(list: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, mut rest) = postcard::take_from_bytes::<usize>(list).ok()?;
    let mut elements = Vec::new();
    for _ in 0..count {
        let (_, after) = postcard::take_from_bytes::<Advisory>(rest).ok()?;
        let (element, _) = rest.split_at_checked(rest.len().checked_sub(after.len())?)?;
        // What takes no bytes could be repeated without end.
        if element.is_empty() {
            return None;
        }
        elements.push(element);
        rest = after;
    }
    rest.is_empty().then_some(elements)
}

const RECORDS_BLOCK: usize = 32 << 10;
const DETAILS_BLOCK: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::super::file;
    use super::*;
    use crate::model::{FeedId, FixState, ShardName};

    type Lists = std::collections::BTreeMap<String, Vec<u16>>;

    fn advisory(number: u16) -> Advisory {
        Advisory {
            id: format!("CVE-2024-{number:05}"),
            aliases: vec![],
            covers: vec![],
            ranges: vec![],
            versions: vec![format!("1.{number}")],
            fix: FixState::NotFixed,
            severity: None,
            constraints: vec![],
            feed: FeedId::Osv,
        }
    }

    fn open(bytes: &[u8]) -> IndexFile {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        IndexFile::open(file).expect("a valid file")
    }

    fn shard(lists: &Lists, details: &[u16]) -> Vec<u8> {
        let mut tables = [TableWriter::new(400).expect("a writer"), TableWriter::new(400).expect("a writer")];
        for (key, numbers) in lists {
            let advisories: Vec<Advisory> = numbers.iter().map(|number| advisory(*number)).collect();
            tables[0].add(key, &postcard::to_stdvec(&advisories).expect("encoded")).expect("added");
        }
        for number in details {
            tables[1].add(&format!("{number:05}"), b"some text").expect("added");
        }
        file(&ShardName::new("debian-12"), &[], tables).expect("a file")
    }

    fn same(stack: &Stack, new: &IndexFile) {
        for table in [Table::Records, Table::Details] {
            let check = |key: &str, value: &[u8]| {
                assert_eq!(stack.get(table, key)?.as_deref(), Some(value), "{key}");
                Ok::<(), IndexError>(())
            };
            new.each(table, check).expect("readable");
            stack
                .each_file(|file| {
                    file.each(table, |key, _| {
                        assert_eq!(stack.get(table, key)?, new.get(table, key)?, "{key}");
                        Ok::<(), IndexError>(())
                    })
                })
                .expect("readable");
        }
    }

    fn lists() -> impl Strategy<Value = Lists> {
        proptest::collection::btree_map("[a-f]{1,2}", proptest::collection::btree_set(0_u16..40, 1..12), 0..8)
            .prop_map(|map| map.into_iter().map(|(key, set)| (key, set.into_iter().collect())).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_stack_says_what_the_newest_build_said(builds in proptest::collection::vec(lists(), 2..5)) {
            let files: Vec<Vec<u8>> = builds.iter().enumerate()
                .map(|(at, lists)| shard(lists, &(at as u16..at as u16 + 3).collect::<Vec<_>>())).collect();
            let mut layers = vec![open(&files[0])];
            for file in &files[1..] {
                let new = open(file);
                let old = Stack::new(layers).expect("a stack");
                let delta = delta(&old, &new).expect("a delta");
                layers = old.into_files();
                layers.push(open(&delta));
                let stack = Stack::new(layers).expect("a stack");
                same(&stack, &new);
                layers = stack.into_files();
            }
        }

        #[test]
        fn no_change_panics(before in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..60)),
                            change in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = apply(before, &change);
        }
    }

    #[test]
    fn one_statement_of_many_costs_one_statement() {
        let mut lists = Lists::from([("linux".to_owned(), (0..4000).collect())]);
        let old = open(&shard(&lists, &[]));
        lists.get_mut("linux").expect("it")[1234] = 9999;
        lists.get_mut("linux").expect("it").sort_unstable();
        let new = open(&shard(&lists, &[]));
        let stack = Stack::new(vec![old]).expect("a stack");
        let delta = delta(&stack, &new).expect("a delta");
        assert!(delta.len() < 300, "{}", delta.len());
        let mut layers = stack.into_files();
        layers.push(open(&delta));
        same(&Stack::new(layers).expect("a stack"), &new);
    }

    #[test]
    fn deltas_only_stand_on_shards() {
        let lists = Lists::from([("a".to_owned(), vec![1])]);
        let base = shard(&lists, &[]);
        let stack = Stack::new(vec![open(&base)]).expect("a stack");
        let delta = delta(&stack, &open(&base)).expect("a delta");
        assert!(Stack::new(vec![open(&delta)]).is_err());
        assert!(Stack::new(vec![open(&base), open(&base)]).is_err());
        assert!(Stack::new(vec![]).is_err());
    }
}
