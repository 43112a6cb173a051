//! CVSS vectors per CVE in a table `cve,vector,score,severity,source`. No upstream publishes this form; it is how a
//! mirror hands on what the National Vulnerability Database and CISA's Vulnrichment say.

use std::collections::BTreeSet;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{self, FeedId, ShardName};

use super::csv;

pub(in crate::advisories) struct Cvss;

impl Feed for Cvss {
    fn id(&self) -> FeedId {
        FeedId::Cvss
    }

    fn license(&self) -> &'static str {
        "CC0-1.0"
    }

    fn upstream(&self, _path: &str) -> Option<String> {
        None
    }

    fn files(&self, _fetch: &dyn Fetch, _wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        vec!["cve/cvss.csv.gz".to_owned()]
    }

    fn read(&self, _path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let text = csv::text(bytes)?;
        for row in csv::rows(&text, "cve")? {
            let parsed = match row.as_slice() {
                [cve, vector, _, _, source, ..] if cve.starts_with("CVE-") => {
                    score(vector).map(|score| (*cve, *vector, score, *source))
                }
                _ => None,
            };
            match parsed {
                Some((cve, vector, score, source)) => {
                    let cvss = model::Cvss { vector: vector.to_owned(), score, source: source.to_owned() };
                    sink.cve(cve).cvss.push(cvss);
                }
                None => sink.skip(&row.join(","), "not a CVE with a CVSS vector"),
            }
        }
        Ok(())
    }
}

/// The base score of a vector, versions 2 to 4; `None` where it is malformed.
pub(super) fn score(vector: &str) -> Option<f64> {
    if vector.starts_with("CVSS:") {
        return Some(vector.parse::<::cvss::Cvss>().ok()?.score());
    }
    Some(vector.trim_start_matches('(').trim_end_matches(')').parse::<::cvss::v2::Vector>().ok()?.score().value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_all_versions() {
        for (vector, expected) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(9.8)),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Some(9.3)),
            ("AV:N/AC:L/Au:N/C:P/I:P/A:P", Some(7.5)),
            ("CVSS:3.1/AV:X", None),
            ("", None),
        ] {
            assert_eq!(score(vector), expected, "{vector}");
        }
    }
}
