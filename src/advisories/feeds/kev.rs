//! CISA's catalogue of known exploited vulnerabilities.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{self, FeedId, ShardName};

pub(in crate::advisories) struct Kev;

const FILE: &str = "kev/known_exploited_vulnerabilities.json";

impl Feed for Kev {
    fn id(&self) -> FeedId {
        FeedId::Kev
    }

    fn license(&self) -> &'static str {
        "CC0-1.0"
    }

    fn folder(&self) -> &'static str {
        "kev"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("kev/").map(|file| format!("https://www.cisa.gov/sites/default/files/feeds/{file}"))
    }

    fn files(&self, _fetch: &dyn Fetch, _wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        vec![FILE.to_owned()]
    }

    fn read(&self, _path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let catalogue: Catalogue<'_> = serde_json::from_slice(bytes).map_err(FeedError::new)?;
        if let Some(date) = catalogue.date_released.and_then(|text| text.parse::<Timestamp>().ok()) {
            sink.dated(date);
        }
        for raw in catalogue.vulnerabilities {
            let entry: Entry = match serde_json::from_slice(raw.get().as_bytes()) {
                Ok(entry) => entry,
                Err(error) => {
                    sink.skip(&format!("{error}: {}", raw.get()), "malformed record");
                    continue;
                }
            };
            sink.cve(&entry.id).kev = Some(model::Kev {
                added: entry.date_added,
                // Agencies' deadline: a wrong one is no reason to forget that the vulnerability is exploited.
                due: entry.due_date.and_then(|date| date.parse().ok()),
                ransomware: entry.ransomware.as_deref() == Some("Known"),
            });
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Catalogue<'a> {
    #[serde(rename = "dateReleased", default)]
    date_released: Option<String>,
    #[serde(borrow)]
    vulnerabilities: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "cveID")]
    id: String,
    #[serde(rename = "dateAdded")]
    date_added: Date,
    #[serde(rename = "dueDate", default)]
    due_date: Option<String>,
    #[serde(rename = "knownRansomwareCampaignUse", default)]
    ransomware: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_entry_costs_only_itself() {
        let json = br#"{"dateReleased":"2026-08-07T16:45:47.0648Z","vulnerabilities":[
            {"cveID":"CVE-2024-1","dateAdded":"2024-05-05","dueDate":"2024-05-26","knownRansomwareCampaignUse":"Known"},
            {"cveID":"CVE-2024-2","dateAdded":"2024-05-06","dueDate":"soon"},
            {"cveID":"CVE-2024-3","dateAdded":"yesterday"}, {"cveID":7}, null]}"#;
        let mut sink = Sink::new(None, "kev".into());
        Kev.read(FILE, json, &mut sink).expect("a catalogue");
        let found: Vec<_> = sink
            .cves
            .iter()
            .filter_map(|(cve, facts)| facts.kev.as_ref().map(|kev| (cve.as_str(), kev.due.is_some(), kev.ransomware)))
            .collect();
        assert_eq!(found, [("CVE-2024-1", true, true), ("CVE-2024-2", false, false)]);
        assert_eq!(sink.source.skipped.get("malformed record").map(|skipped| skipped.count), Some(3));
        assert_eq!(sink.source.newest.map(|stamp| stamp.as_second()), Some(1_786_121_147));
        assert!(Kev.read(FILE, b"[]", &mut sink).is_err());
    }
}
