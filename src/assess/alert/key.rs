//! The key of an alert: what a channel remembers, so that nothing is told twice.

use sha2::{Digest as _, Sha256};

use crate::model::{KnownFinding, News};

/// 32 hexadecimal digits. News about a finding does not depend on the tag; news about an image does.
pub(super) fn of(repository: &str, image: Option<&str>, news: &News) -> String {
    let image = image.unwrap_or_default();
    let about = |finding: &KnownFinding, more: &str| {
        vec![finding.package.clone(), finding.id.clone(), finding.path.clone(), more.to_owned()]
    };
    let parts = match news {
        News::Disclosed { finding }
        | News::FixAvailable { finding }
        | News::Exploited { finding }
        | News::Resurfaced { finding, .. } => about(finding, ""),
        // It may rise again.
        News::Raised { finding, .. } => about(finding, finding.severity.label()),
        News::Sunk { to, .. } => vec![image.to_owned(), to.to_string()],
        News::Gap { gap } => vec![gap.kind.label().to_owned(), gap.subject.clone()],
        News::Unscannable { code, .. } => vec![image.to_owned(), code.to_string()],
        News::RuleExpiring { rule, last, .. } => vec![rule.clone(), last.to_string()],
    };
    let mut hash = Sha256::new();
    for part in [news.name(), repository].into_iter().chain(parts.iter().map(String::as_str)) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    hash.finalize().iter().take(16).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
