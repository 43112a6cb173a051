//! When support of a distribution's release ends.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// What is known of the end of a release. Stored in the advisory index in the order of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndOfLife {
    /// The last day with security updates for everybody; none where it is not known.
    pub ends: Option<Date>,
    /// Whether it was over when the data was made, for releases without a date.
    pub is_over: bool,
    /// The last day with updates for those who pay or take part (LTS, ESM, LTSS, ELS).
    pub extended_ends: Option<Date>,
}

impl EndOfLife {
    /// Whether security updates for everybody are over on a day.
    #[must_use]
    pub fn is_over_on(&self, day: Date) -> bool {
        self.ends.map_or(self.is_over, |ends| ends < day)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_last_day_is_still_supported() {
        let dated = EndOfLife { ends: Some(date(2026, 7, 11)), ..EndOfLife::default() };
        assert_eq!([dated.is_over_on(date(2026, 7, 11)), dated.is_over_on(date(2026, 7, 12))], [false, true]);
        let undated = EndOfLife { is_over: true, ..EndOfLife::default() };
        assert!(undated.is_over_on(date(2000, 1, 1)));
    }
}
