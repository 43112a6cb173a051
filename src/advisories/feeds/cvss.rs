//! CVSS vectors per CVE in a table `cve,vector,score,severity,source`. No upstream publishes this form; it is how a
//! mirror hands on what the National Vulnerability Database and CISA's Vulnrichment say.

use std::collections::BTreeSet;

use crate::advisories::vector::base_score;
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

    fn folder(&self) -> &'static str {
        "cve"
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
                // The vector decides; the file's own score is not read.
                [cve, vector, _, _, source, ..] if cve.starts_with("CVE-") => {
                    base_score(vector).map(|score| (*cve, *vector, score, *source))
                }
                _ => None,
            };
            match parsed {
                Some((cve, vector, score, source)) => {
                    let known = &mut sink.cve(cve).cvss;
                    if known.iter().all(|known| known.vector != vector) {
                        let cvss = model::Cvss { vector: vector.to_owned(), score, source: source.to_owned() };
                        known.push(cvss);
                        // Who analyses vulnerabilities comes before who collects; then the newer version.
                        known.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| b.vector.cmp(&a.vector)));
                    }
                }
                None => sink.skip(&row.join(","), "not a CVE with a CVSS vector"),
            }
        }
        Ok(())
    }
}

fn rank(cvss: &model::Cvss) -> u8 {
    u8::from(!cvss.source.ends_with("nvd"))
}
