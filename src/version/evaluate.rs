//! Whether a version lies in an advisory's ranges (OSV schema 1.7, "Evaluation").

use std::cmp::Ordering;

use crate::model::{Event, Range};

use super::{Scheme, compare, is_valid};

/// The answer, with the comparison in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// In a range, or enumerated.
    Affected {
        /// For people: `1.0-1 < 1.0-2 (deb)`.
        comparison: String,
        /// The version that ends the range it lies in.
        fixed: Option<String>,
    },
    /// In none.
    NotAffected {
        /// For people.
        comparison: String,
    },
    /// The version or a range cannot be ordered.
    NotComparable {
        /// Which, for people.
        reason: String,
    },
}

/// Evaluates ranges and enumerated versions. A range whose events cannot be ordered affects nothing by itself and
/// makes the answer [`Verdict::NotComparable`] unless another range or the enumeration says "affected".
#[must_use]
pub fn evaluate(scheme: Scheme, ranges: &[Range], versions: &[String], version: &str) -> Verdict {
    if !is_valid(scheme, version) {
        return Verdict::NotComparable { reason: format!("`{version}` is not a {scheme} version") };
    }
    let mut beyond: Option<String> = None;
    let mut broken = None;
    for range in ranges {
        match in_range(scheme, range, version) {
            Ok(Some(Inside { comparison, fixed })) => return Verdict::Affected { comparison, fixed },
            Ok(None) => beyond = beyond.or_else(|| nearest_bound(scheme, range, version)),
            Err(reason) => broken = Some(reason),
        }
    }
    if versions.iter().any(|listed| listed == version || compare(scheme, listed, version) == Some(Ordering::Equal)) {
        return Verdict::Affected { comparison: format!("{version} is listed as affected ({scheme})"), fixed: None };
    }
    match broken {
        Some(reason) => Verdict::NotComparable { reason },
        None => {
            Verdict::NotAffected { comparison: beyond.unwrap_or_else(|| format!("{version} is not listed ({scheme})")) }
        }
    }
}

struct Inside {
    comparison: String,
    fixed: Option<String>,
}

/// The events before the version decide, in version order.
fn in_range(scheme: Scheme, range: &Range, version: &str) -> Result<Option<Inside>, String> {
    let mut affected = false;
    let mut introduced = "0";
    let mut sorted: Vec<(&str, u8, &Event)> = Vec::with_capacity(range.events.len());
    for event in &range.events {
        // At the same version an introduction comes before its end.
        let (at, order) = match event {
            Event::Introduced(at) => (at, 0),
            Event::LastAffected(at) => (at, 1),
            Event::Fixed(at) | Event::Limit(at) => (at, 2),
        };
        if at != "0" && !is_valid(scheme, at) && !(matches!(event, Event::Limit(_)) && at == "*") {
            return Err(format!("`{at}` in a range is not a {scheme} version"));
        }
        sorted.push((at, order, event));
    }
    sorted.sort_by(|a, b| bound_order(scheme, a.0, b.0).then(a.1.cmp(&b.1)));
    let mut end: Option<(&Event, &str)> = None;
    for (at, _, event) in sorted {
        let reached = bound_order(scheme, at, version);
        match event {
            Event::Introduced(_) if reached.is_le() => (affected, introduced, end) = (true, at, None),
            Event::Fixed(_) | Event::Limit(_) if reached.is_le() => affected = false,
            Event::LastAffected(_) if reached.is_lt() => affected = false,
            Event::Introduced(_) => {}
            _ => {
                end.get_or_insert((event, at));
            }
        }
    }
    if !affected {
        return Ok(None);
    }
    let from = if introduced == "0" { String::new() } else { format!("{introduced} <= ") };
    let (comparison, fixed) = match end {
        Some((Event::Fixed(_), at)) => (format!("{from}{version} < {at} ({scheme})"), Some(at.to_owned())),
        Some((Event::LastAffected(_), at)) => (format!("{from}{version} <= {at} ({scheme})"), None),
        Some((_, at)) if at != "*" => (format!("{from}{version} < {at} ({scheme})"), None),
        _ if from.is_empty() => ("all versions".to_owned(), None),
        _ => (format!("{from}{version} ({scheme})"), None),
    };
    Ok(Some(Inside { comparison, fixed }))
}

/// `0` is before all versions and `*` after them.
fn bound_order(scheme: Scheme, a: &str, b: &str) -> Ordering {
    match (a, b) {
        (a, b) if a == b => Ordering::Equal,
        ("0", _) | (_, "*") => Ordering::Less,
        (_, "0") | ("*", _) => Ordering::Greater,
        _ => compare(scheme, a, b).unwrap_or(Ordering::Less),
    }
}

/// Why a version is outside a range: the bound it has reached.
fn nearest_bound(scheme: Scheme, range: &Range, version: &str) -> Option<String> {
    range.events.iter().rev().find_map(|event| match event {
        Event::Fixed(at) if bound_order(scheme, at, version).is_le() => Some(format!("{version} >= {at} ({scheme})")),
        Event::LastAffected(at) if bound_order(scheme, at, version).is_lt() => {
            Some(format!("{version} > {at} ({scheme})"))
        }
        Event::Introduced(at) if bound_order(scheme, at, version).is_gt() => {
            Some(format!("{version} < {at} ({scheme})"))
        }
        _ => None,
    })
}
