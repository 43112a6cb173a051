//! FIRST's exploit prediction scores: `cve,epss,percentile`, with the day of the scores in a comment above. The day is
//! that of the source, not stored with every score: otherwise every day would change them all.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{self, FeedId, ShardName};

use super::csv;

pub(in crate::advisories) struct Epss;

impl Feed for Epss {
    fn id(&self) -> FeedId {
        FeedId::Epss
    }

    fn license(&self) -> &'static str {
        "free to use with attribution to FIRST"
    }

    fn folder(&self) -> &'static str {
        "epss"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("epss/").map(|file| format!("https://epss.empiricalsecurity.com/{file}"))
    }

    fn files(&self, _fetch: &dyn Fetch, _wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        vec!["epss/epss_scores-current.csv.gz".to_owned()]
    }

    fn read(&self, _path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let text = csv::text(bytes)?;
        let day = text.lines().next().and_then(date);
        if let Some(stamp) = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok()) {
            sink.dated(stamp.timestamp());
        }
        for row in csv::rows(&text, "cve")? {
            let share = |index: usize| {
                row.get(index).and_then(|text| text.parse::<f64>().ok()).filter(|share| (0.0..=1.0).contains(share))
            };
            match (row.first(), share(1), share(2)) {
                (Some(cve), Some(score), Some(percentile)) if cve.starts_with("CVE-") => {
                    sink.cve(cve).epss = Some(model::Epss { score, percentile, date: None });
                }
                _ => sink.skip(&row.join(","), "not a CVE with two shares"),
            }
        }
        Ok(())
    }
}

/// The day in `#model_version:v2025.03.14,score_date:2026-08-21T12:55:00Z`; older files have no such line.
fn date(comment: &str) -> Option<Date> {
    comment
        .strip_prefix('#')?
        .split(',')
        .find_map(|part| part.trim().strip_prefix("score_date:"))?
        .get(..10)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_with_the_day_that_they_are_of() {
        let table = b"#model_version:v2022.01.01,score_date:2022-02-04T00:00:00+0000\ncve,epss,percentile\n\
            CVE-2020-5902,0.96817,0.99999\nCVE-1,0.5\nCVE-2,2,0.5\nCVE-3,NaN,0.5\nGHSA-4,0.5,0.5\n";
        let mut sink = Sink::new(None, "epss".into());
        Epss.read("epss/epss_scores-current.csv.gz", table, &mut sink).expect("a table");
        let scores: Vec<_> = sink.cves.iter().map(|(cve, facts)| (cve.as_str(), facts.epss.clone())).collect();
        let expected = model::Epss { score: 0.96817, percentile: 0.99999, date: None };
        assert_eq!(scores, [("CVE-2020-5902", Some(expected))]);
        assert_eq!(sink.source.newest.map(|stamp| stamp.to_string()).as_deref(), Some("2022-02-04T00:00:00Z"));
        assert_eq!(sink.source.skipped.values().map(|skipped| skipped.count).sum::<u64>(), 4);
    }
}
