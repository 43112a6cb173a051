//! Whether a version is affected by what a record says (OSV schema, "Evaluation"), and by which comparison.
//!
//! A record that contradicts itself or names a version that the scheme cannot read is taken on the safe side, as affected,
//! and the comparison says so. A version of the package that cannot be read is not comparable, never affected.

use std::cmp::Ordering;

use crate::model::{Event, Range};

use super::interval::{End, Interval, ZERO, intervals, is_within_limits, order};
use super::{Scheme, compare, is_valid, is_valid_where_ordered};

/// The answer for one version and one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The record concerns the version.
    Affected {
        /// The comparison made, for people: `1.1.1n-0+deb11u4 < 1.1.1n-0+deb11u5 (deb)`.
        comparison: String,
        /// The lowest fixed version that ends the range in which the version lies, and lies in no other range itself.
        fixed: Option<String>,
    },
    /// The record does not concern the version.
    NotAffected {
        /// The comparison made, for people: `1.6 >= 1.5 (npm)`.
        comparison: String,
    },
    /// The version cannot be compared with the record.
    NotComparable {
        /// Why, for people.
        reason: String,
    },
}

/// Evaluates a record for one version.
///
/// `versions` are affected one by one; `ranges` are alternatives of each other. Neither: every version is affected. The
/// events of a range may stand in any order; `0` as an event is before all versions, pre-releases too.
#[must_use]
pub fn evaluate(scheme: Scheme, ranges: &[Range], versions: &[String], version: &str) -> Verdict {
    let record = Record { scheme, ranges, versions };
    let listed = record.lists(version);
    if !is_valid(scheme, version) && !listed {
        return Verdict::NotComparable { reason: format!("`{version}` is no version that can be ordered ({scheme})") };
    }
    let hit = record.hits(version).next();
    if !listed && hit.is_none() && !record.is_unconditional() {
        return Verdict::NotAffected { comparison: record.describe_outside(version) };
    }
    let comparison = match hit {
        Some(interval) => describe_inside(scheme, &interval, version),
        None if listed => format!("{version} is in the record's list of affected versions ({scheme})"),
        None => format!("every version is affected ({scheme})"),
    };
    Verdict::Affected { comparison, fixed: record.way_out(version).map(str::to_owned) }
}

/// The answer of [`evaluate`] without the words; `None` when the version cannot be compared.
#[must_use]
pub fn is_affected(scheme: Scheme, ranges: &[Range], versions: &[String], version: &str) -> Option<bool> {
    // Most records are of this form, and an image asks about tens of thousands.
    if let ([range], []) = (ranges, versions)
        && let [Event::Introduced(start), Event::Fixed(end)] = range.events.as_slice()
        && start == ZERO
        && end != ZERO
        && version != ZERO
    {
        let is_ordered = if is_valid_where_ordered(scheme) {
            // Then comparing them is asking whether both are versions.
            !end.trim().is_empty() && !version.trim().is_empty()
        } else {
            is_valid(scheme, end) && is_valid(scheme, version)
        };
        if let Some(order) = is_ordered.then(|| compare(scheme, end, version)).flatten() {
            return Some(order.is_gt());
        }
    }
    let record = Record { scheme, ranges, versions };
    if record.lists(version) {
        return Some(true);
    }
    is_valid(scheme, version).then(|| record.is_unconditional() || record.hits(version).next().is_some())
}

struct Record<'a> {
    scheme: Scheme,
    ranges: &'a [Range],
    versions: &'a [String],
}

impl<'a> Record<'a> {
    fn is_unconditional(&self) -> bool {
        self.ranges.is_empty() && self.versions.is_empty()
    }

    fn lists(&self, version: &str) -> bool {
        if self.versions.is_empty() {
            return false;
        }
        let valid = is_valid(self.scheme, version);
        let same = |other: &String| {
            other == version
                || valid
                    && is_valid(self.scheme, other)
                    && compare(self.scheme, other, version) == Some(Ordering::Equal)
        };
        self.versions.iter().any(same)
    }

    /// The intervals in which a version lies.
    fn hits(&self, version: &str) -> impl Iterator<Item = Interval<'a>> {
        let scheme = self.scheme;
        let within = move |range: &&Range| is_valid(scheme, version) && is_within_limits(scheme, range, version);
        let inside = move |interval: &Interval<'_>| interval.contains(scheme, version);
        self.ranges.iter().filter(within).flat_map(move |range| intervals(scheme, range)).filter(inside)
    }

    /// The lowest version to go to: the end of the interval, and again while that lies in another one.
    fn way_out(&self, version: &str) -> Option<&'a str> {
        let mut fixed: Option<&'a str> = None;
        let most = self.ranges.iter().map(|range| range.events.len()).sum::<usize>();
        for _ in 0..=most {
            let at = fixed.unwrap_or(version);
            let mut next: Option<&'a str> = None;
            let mut inside = false;
            for interval in self.hits(at) {
                inside = true;
                let End::Fixed(end) = interval.end else { return None };
                next = next.filter(|other| order(self.scheme, other, end).is_ge()).or(Some(end));
            }
            if !inside {
                if !self.lists(at) {
                    return fixed;
                }
                next = self.next_fix(at);
            }
            fixed = Some(next?);
        }
        None
    }

    /// The lowest fixed version above one that is affected by the list only.
    fn next_fix(&self, version: &str) -> Option<&'a str> {
        let scheme = self.scheme;
        let ends = self.ranges.iter().flat_map(move |range| intervals(scheme, range)).filter_map(|interval| {
            match interval.end {
                End::Fixed(at) => Some(at),
                _ => None,
            }
        });
        let above = ends.filter(|at| is_valid(scheme, version) && order(scheme, at, version).is_gt());
        above.reduce(|a, b| if order(scheme, b, a).is_lt() { b } else { a })
    }

    /// The nearest boundaries of a version that lies in no interval.
    fn describe_outside(&self, version: &str) -> String {
        let scheme = self.scheme;
        let all = || self.ranges.iter().flat_map(|range| intervals(scheme, range));
        let end = |interval: &Interval<'a>| match interval.end {
            End::Fixed(at) => Some((at, "<=")),
            End::LastAffected(at) => Some((at, "<")),
            End::Open => None,
        };
        let below = all()
            .filter_map(|interval| end(&interval))
            .filter(|(at, _)| order(scheme, at, version).is_le())
            .reduce(|a, b| if order(scheme, b.0, a.0).is_gt() { b } else { a });
        let above = all()
            .filter_map(|interval| interval.start)
            .filter(|at| order(scheme, at, version).is_gt())
            .reduce(|a, b| if order(scheme, b, a).is_lt() { b } else { a });
        match (below, above) {
            (Some((low, sign)), Some(high)) => format!("{low} {sign} {version} < {high} ({scheme})"),
            (Some((low, "<=")), None) => format!("{version} >= {low} ({scheme})"),
            (Some((low, _)), None) => format!("{version} > {low} ({scheme})"),
            (None, Some(high)) => format!("{version} < {high} ({scheme})"),
            (None, None) if all().next().is_some() => format!("{version} is above the limits of the record ({scheme})"),
            (None, None) if self.versions.is_empty() => format!("no version is affected ({scheme})"),
            (None, None) => {
                let count = self.versions.len();
                format!("{version} is not among the {count} affected versions that the record lists ({scheme})")
            }
        }
    }
}

fn describe_inside(scheme: Scheme, interval: &Interval<'_>, version: &str) -> String {
    let comparison = match (interval.start, interval.end) {
        (None, End::Open) => format!("every version is affected ({scheme})"),
        (None, End::Fixed(at)) => format!("{version} < {at} ({scheme})"),
        (None, End::LastAffected(at)) => format!("{version} <= {at} ({scheme})"),
        (Some(start), End::Open) => format!("{version} >= {start} ({scheme})"),
        (Some(start), End::Fixed(at)) => format!("{start} <= {version} < {at} ({scheme})"),
        (Some(start), End::LastAffected(at)) => format!("{start} <= {version} <= {at} ({scheme})"),
    };
    match interval.doubt {
        Some(doubt) => format!("{comparison}; {doubt}: taken as affected"),
        None => comparison,
    }
}
