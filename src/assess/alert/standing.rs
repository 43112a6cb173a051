//! What was told and still holds: the contents of a place that is kept up to date, such as an issue.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use super::identity;
use crate::model::{Alert, AlertReport, ImageSnapshot, News, SnapshotChanges, Standing};

/// What stands after a retest for one repository: of what stood before, that whose cause is still there in at least one
/// image, and the news. Nothing is said of images that the retest did not look at. Second: which alerts are new here.
#[must_use]
pub fn settle(
    stood: Vec<Standing>,
    report: &AlertReport,
    repository: &str,
    changes: &SnapshotChanges,
    today: Date,
) -> (Vec<Standing>, Vec<Alert>) {
    let after: HashMap<&str, &ImageSnapshot> = changes.after.iter().map(|image| (image.name.as_str(), image)).collect();
    let mut standing: Vec<Standing> = stood
        .into_iter()
        .filter_map(|mut one| {
            if let News::RuleExpiring { last, .. } = &one.alert.news {
                return (*last >= today).then_some(one);
            }
            one.alert
                .images
                .retain(|name| after.get(name.as_str()).is_none_or(|image| still_holds(&one.alert.news, image)));
            (!one.alert.images.is_empty()).then_some(one)
        })
        .collect();
    let mut news = Vec::new();
    for alert in report.alerts.iter().filter(|alert| alert.repository == repository) {
        match standing.iter_mut().find(|one| one.alert.key == alert.key) {
            Some(one) => {
                // The same news about further tags is no news; the words may be newer.
                let images: HashSet<String> = one.alert.images.drain(..).chain(alert.images.iter().cloned()).collect();
                one.alert = alert.clone();
                one.alert.images = images.into_iter().collect();
                one.alert.images.sort();
            }
            None => {
                news.push(alert.clone());
                standing.push(Standing { since: today, alert: alert.clone() });
            }
        }
    }
    (standing, news)
}

fn still_holds(news: &News, image: &ImageSnapshot) -> bool {
    if image.gone.is_some() {
        return false;
    }
    if let News::Unscannable { .. } = news {
        return image.failure.is_some();
    }
    // What could not be judged today is as it was.
    let Some(verdict) = &image.verdict else { return true };
    match news {
        News::Gap { gap } => verdict.gaps.contains(gap),
        News::Sunk { to, .. } if *to != image.digest => false,
        _ => {
            let counts: HashSet<_> =
                verdict.findings.iter().filter(|found| found.suppressed.is_none()).map(identity).collect();
            news.findings().iter().any(|finding| counts.contains(&identity(finding)))
        }
    }
}
