//! Ranges as people write them: `>=1.2,<2`.

use std::cmp::Ordering;

use super::{Scheme, compare, is_valid};

/// Comparisons that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    scheme: Scheme,
    terms: Vec<(Operator, String)>,
}

/// The text is not a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a comparison such as `>=1.2`")]
pub struct InvalidConstraint(pub String);

type Operator = (&'static str, fn(Ordering) -> bool);

const OPERATORS: [Operator; 7] = [
    (">=", Ordering::is_ge),
    ("<=", Ordering::is_le),
    ("==", Ordering::is_eq),
    ("!=", Ordering::is_ne),
    (">", Ordering::is_gt),
    ("<", Ordering::is_lt),
    ("=", Ordering::is_eq),
];

impl Constraint {
    /// Parses comparisons separated by commas.
    ///
    /// # Errors
    /// A part is not an operator followed by a version of the scheme.
    pub fn parse(scheme: Scheme, text: &str) -> Result<Self, InvalidConstraint> {
        let term = |part: &str| {
            let part = part.trim();
            let found = OPERATORS.iter().find_map(|operator| Some((*operator, part.strip_prefix(operator.0)?.trim())));
            match found {
                Some((operator, version)) if is_valid(scheme, version) => Ok((operator, version.to_owned())),
                _ => Err(InvalidConstraint(part.to_owned())),
            }
        };
        Ok(Self { scheme, terms: text.split(',').map(term).collect::<Result<_, _>>()? })
    }

    /// Whether a version satisfies all comparisons; `None` where it is no version of the scheme.
    #[must_use]
    pub fn contains(&self, version: &str) -> Option<bool> {
        let mut all = true;
        for ((_, holds), bound) in &self.terms {
            all &= holds(compare(self.scheme, version, bound)?);
        }
        Some(all)
    }
}
