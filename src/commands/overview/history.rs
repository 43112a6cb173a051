//! Counts per day of many repositories, added up.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::model::{DayCounts, OverviewDay};

/// The counts of one repository.
pub(super) type Days = BTreeMap<Date, DayCounts>;

/// The sum for each day on which anything was counted. A repository that was not counted that day has its last count,
/// unless that is more than a month old.
pub(super) fn of_all(repositories: &[Days]) -> BTreeMap<Date, OverviewDay> {
    let mut all: BTreeMap<Date, OverviewDay> = BTreeMap::new();
    for days in repositories {
        all.extend(days.keys().map(|date| (*date, OverviewDay::default())));
    }
    for (date, sum) in &mut all {
        for days in repositories {
            let Some((counted, day)) = days.range(..=*date).next_back() else { continue };
            if counted.until(*date).is_ok_and(|span| span.get_days() <= LONGEST) {
                sum.images += day.images;
                sum.counts.add(&day.counts);
                sum.kev += day.kev;
            }
        }
    }
    all
}

const LONGEST: i32 = 31;

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::model::{Severity, SeverityCounts};

    #[test]
    fn the_last_count_holds_for_a_month() {
        let day = |high: usize| DayCounts {
            at: jiff::Timestamp::UNIX_EPOCH,
            images: 1,
            counts: SeverityCounts::of(vec![Severity::High; high]),
            fixable: 0,
            kev: 0,
        };
        let first = Days::from([(date(2026, 10, 1), day(2)), (date(2026, 10, 3), day(1))]);
        let second = Days::from([(date(2026, 10, 2), day(5)), (date(2026, 12, 1), day(0))]);
        let all = of_all(&[first, second]);
        let found: Vec<_> = all.values().map(|day| (day.images, day.counts.high)).collect();
        assert_eq!(found, [(1, 2), (2, 7), (2, 6), (1, 0)]);
    }
}
