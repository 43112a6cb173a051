//! An OSV range as intervals: its events put in order and paired.
//!
//! What a record leaves unclear is read on the safe side, and the interval carries the [`Doubt`].

use std::cmp::Ordering;
use std::fmt;

use crate::model::{Event, Range};

use super::{Scheme, compare, is_valid};

/// Affected versions without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval<'a> {
    /// The first affected version; `None`: from before all versions.
    pub(super) start: Option<&'a str>,
    /// Where it ends.
    pub(super) end: End<'a>,
    /// Why it may be wider than was meant.
    pub(super) doubt: Option<Doubt<'a>>,
}

/// The end of an [`Interval`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End<'a> {
    /// No end is known.
    Open,
    /// The first version that is not affected.
    Fixed(&'a str),
    /// The last version that is affected.
    LastAffected(&'a str),
}

/// What is unclear about a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt<'a> {
    /// The version of an event is none of the scheme.
    Unreadable(&'a str),
    /// Introduced and fixed by the same version.
    SameVersion(&'a str),
    /// Fixed, or last affected, before it was introduced.
    EndsBeforeStart(&'a str),
    /// A fixed and a last affected version for one interval.
    TwoKindsOfEnd(&'a str),
    /// No events at all.
    Empty,
}

impl fmt::Display for Doubt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(at) => write!(f, "the record names `{at}`, which is no version of this scheme"),
            Self::SameVersion(at) => write!(f, "the record has {at} both introduce and fix it"),
            Self::EndsBeforeStart(at) => write!(f, "the record ends the range at {at}, before its start"),
            Self::TwoKindsOfEnd(at) => write!(f, "the record ends the range twice, the last time at {at}"),
            Self::Empty => f.write_str("the record's range is empty"),
        }
    }
}

impl Interval<'_> {
    /// Whether a version, which is valid, lies inside.
    pub(super) fn contains(&self, scheme: Scheme, version: &str) -> bool {
        let started = self.start.is_none_or(|start| order(scheme, start, version).is_le());
        started
            && match self.end {
                End::Open => true,
                End::Fixed(at) => order(scheme, at, version).is_gt(),
                End::LastAffected(at) => order(scheme, at, version).is_ge(),
            }
    }
}

/// The intervals of a range, in ascending order.
pub(super) fn intervals(scheme: Scheme, range: &Range) -> Vec<Interval<'_>> {
    let mut doubt = range.events.is_empty().then_some(Doubt::Empty);
    let mut events: Vec<(&str, &Event)> = Vec::with_capacity(range.events.len());
    let mut starts = 0;
    for event in &range.events {
        let (Event::Introduced(text) | Event::Fixed(text) | Event::LastAffected(text)) = event else { continue };
        let is_start = matches!(event, Event::Introduced(_));
        let readable = text == ZERO || is_valid(scheme, text);
        starts += usize::from(is_start);
        if !readable {
            doubt = Some(Doubt::Unreadable(text));
        }
        let at = match (readable, is_start) {
            (true, _) => text.as_str(),
            (false, true) => ZERO,
            (false, false) => continue,
        };
        // Not `sort_by`, which may panic where a record, or a scheme, has comparisons that form a cycle.
        let place = events.partition_point(|(other, _)| order(scheme, other, at).is_le());
        events.insert(place, (at, event));
    }
    let mut pairing = Pairing { intervals: Vec::new(), open: None, stray_end: None, doubt };
    if starts == 0 {
        pairing.open = Some(ZERO);
    }
    for group in events.chunk_by(|a, b| order(scheme, a.0, b.0).is_eq()) {
        pairing.step(group);
    }
    pairing.finish()
}

/// Whether the range speaks about a version: its limits, if it has any, lie above.
pub(super) fn is_within_limits(scheme: Scheme, range: &Range, version: &str) -> bool {
    let mut limits = range.events.iter().filter_map(|event| match event {
        Event::Limit(at) => Some(at.as_str()),
        _ => None,
    });
    // `*` is the limit that is never met, and one that cannot be read limits nothing.
    let above = |at: &str| !is_valid(scheme, at) || order(scheme, at, version).is_gt();
    limits.clone().next().is_none() || limits.any(above)
}

/// The order of two readable versions, one of which may be the `0` before all versions.
pub(super) fn order(scheme: Scheme, a: &str, b: &str) -> Ordering {
    match (a == ZERO, b == ZERO) {
        (false, false) => compare(scheme, a, b).unwrap_or(Ordering::Equal),
        (a_is_zero, b_is_zero) => b_is_zero.cmp(&a_is_zero),
    }
}

/// As an event: before all versions, pre-releases too.
pub(super) const ZERO: &str = "0";

/// Walks over the events of one range.
struct Pairing<'a> {
    intervals: Vec<Interval<'a>>,
    /// Where the interval at hand began.
    open: Option<&'a str>,
    /// An end below the first start.
    stray_end: Option<&'a str>,
    /// What holds for the whole range.
    doubt: Option<Doubt<'a>>,
}

impl<'a> Pairing<'a> {
    /// Takes the events of one version.
    fn step(&mut self, group: &[(&'a str, &'a Event)]) {
        let Some(&(at, _)) = group.first() else { return };
        let has = |wanted: fn(&Event) -> bool| group.iter().any(|(_, event)| wanted(event));
        let starts = has(|event| matches!(event, Event::Introduced(_)));
        let fixed = has(|event| matches!(event, Event::Fixed(_)));
        let last = has(|event| matches!(event, Event::LastAffected(_)));
        match self.open {
            Some(_) if fixed || last => {
                // An end belongs to the interval that is open; a start of the same version opens the next one.
                self.close(if last { End::LastAffected(at) } else { End::Fixed(at) }, None);
                self.open = starts.then_some(at);
            }
            Some(_) => {}
            None if starts && last => {
                self.open = Some(at);
                self.close(End::LastAffected(at), None);
            }
            None if starts && fixed => {
                // `0` fixed is how feeds say "never affected"; any other version is taken as affected itself.
                if at != ZERO {
                    self.open = Some(at);
                    self.close(End::LastAffected(at), Some(Doubt::SameVersion(at)));
                }
            }
            None if starts => self.open = Some(at),
            None => self.close_again(if last { End::LastAffected(at) } else { End::Fixed(at) }, at),
        }
    }

    fn close(&mut self, end: End<'a>, doubt: Option<Doubt<'a>>) {
        if let Some(start) = self.open.take() {
            let start = Some(start).filter(|&start| start != ZERO);
            self.intervals.push(Interval { start, end, doubt: self.doubt.or(doubt) });
        }
    }

    /// An end while nothing is open. Of two ends of different kinds the later one counts.
    fn close_again(&mut self, end: End<'a>, at: &'a str) {
        match self.intervals.last_mut() {
            None => self.stray_end = Some(at),
            Some(interval) => {
                if std::mem::discriminant(&interval.end) != std::mem::discriminant(&end) {
                    interval.end = end;
                    interval.doubt = Some(Doubt::TwoKindsOfEnd(at));
                }
            }
        }
    }

    fn finish(mut self) -> Vec<Interval<'a>> {
        if self.open.is_some() {
            self.close(End::Open, self.stray_end.map(Doubt::EndsBeforeStart).filter(|_| self.intervals.is_empty()));
        }
        self.intervals
    }
}
