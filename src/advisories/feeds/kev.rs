//! CISA's catalogue of known exploited vulnerabilities.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

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

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("kev/").map(|file| format!("https://www.cisa.gov/sites/default/files/feeds/{file}"))
    }

    fn files(&self, _fetch: &dyn Fetch, _wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        vec![FILE.to_owned()]
    }

    fn read(&self, _path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let catalogue: Catalogue = serde_json::from_slice(bytes).map_err(FeedError::new)?;
        if let Some(date) = catalogue.date_released.and_then(|text| text.parse::<Timestamp>().ok()) {
            sink.dated(date);
        }
        for entry in catalogue.vulnerabilities {
            let Ok(added) = entry.date_added.parse::<Date>() else {
                sink.skip(&entry.id, "no date");
                continue;
            };
            sink.cve(&entry.id).kev = Some(model::Kev {
                added,
                due: entry.due_date.and_then(|date| date.parse().ok()),
                ransomware: entry.ransomware.as_deref() == Some("Known"),
            });
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Catalogue {
    #[serde(rename = "dateReleased")]
    date_released: Option<String>,
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "cveID")]
    id: String,
    #[serde(rename = "dateAdded")]
    date_added: String,
    #[serde(rename = "dueDate")]
    due_date: Option<String>,
    #[serde(rename = "knownRansomwareCampaignUse")]
    ransomware: Option<String>,
}
