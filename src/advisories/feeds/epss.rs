//! FIRST's exploit prediction scores: `cve,epss,percentile`, with the day of the scores in a comment above.

use std::collections::BTreeSet;

use jiff::Timestamp;
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

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("epss/").map(|file| format!("https://epss.empiricalsecurity.com/{file}"))
    }

    fn files(&self, _fetch: &dyn Fetch, _wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        vec!["epss/epss_scores-current.csv.gz".to_owned()]
    }

    fn read(&self, _path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let text = csv::text(bytes)?;
        let stamp = text
            .lines()
            .next()
            .and_then(|line| line.split("score_date:").nth(1))
            .map(|rest| rest.split(',').next().unwrap_or(rest));
        let stamp: Option<Timestamp> = stamp.and_then(|text| text.trim().parse().ok());
        if let Some(stamp) = stamp {
            sink.dated(stamp);
        }
        let date = stamp.map(|stamp| stamp.to_zoned(TimeZone::UTC).date());
        for row in csv::rows(&text, "cve")? {
            let share = |index: usize| {
                row.get(index).and_then(|text| text.parse::<f64>().ok()).filter(|share| (0.0..=1.0).contains(share))
            };
            match (row.first(), share(1), share(2)) {
                (Some(cve), Some(score), Some(percentile)) if cve.starts_with("CVE-") => {
                    sink.cve(cve).epss = Some(model::Epss { score, percentile, date });
                }
                _ => sink.skip(&row.join(","), "not a CVE with two shares"),
            }
        }
        Ok(())
    }
}
