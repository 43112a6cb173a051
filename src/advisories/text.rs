//! Cutting what feeds write to what reports can show.

use crate::model::Reference;

/// Longest description, in characters.
const DESCRIPTION: usize = 1_500;
/// Longest summary, in characters.
const SUMMARY: usize = 300;
/// Most links.
const REFERENCES: usize = 20;
/// Longest link, in bytes.
const URL: usize = 2_000;

/// A description without the white space around it, cut to 1,500 characters.
pub(super) fn description(text: &str) -> String {
    cut(text.trim(), DESCRIPTION)
}

/// One line: runs of white space become a space.
pub(super) fn summary(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    cut(&words.join(" "), SUMMARY)
}

/// The links that a report may show: http, https and ftp, no duplicates, at most 20.
pub(super) fn references<'a>(links: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Reference> {
    let mut kept: Vec<Reference> = Vec::new();
    for (kind, url) in links {
        if kept.len() == REFERENCES {
            break;
        }
        let allowed = ["https://", "http://", "ftp://"].iter().any(|scheme| url.starts_with(scheme))
            && url.len() <= URL
            && !url.chars().any(|c| c.is_whitespace() || c.is_control());
        if allowed && kept.iter().all(|known| known.url != url) {
            kept.push(Reference { kind: cut(kind, 20), url: url.to_owned() });
        }
    }
    kept
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        // The ellipsis takes the place of the last character.
        Some(_) => text.chars().take(characters.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_characters() {
        assert_eq!(description(&"ä".repeat(1_500)).chars().count(), 1_500);
        let long = description(&"ä".repeat(1_501));
        assert_eq!((long.chars().count(), long.ends_with('…')), (1_500, true));
        assert_eq!(summary("  a\n b\t"), "a b");
    }

    #[test]
    fn only_links_to_the_web_are_kept() {
        let links = [("WEB", "javascript:alert(1)"), ("WEB", "https://a"), ("FIX", "https://a"), ("FIX", "ftp://b")];
        let urls: Vec<String> = references(links.into_iter()).into_iter().map(|link| link.url).collect();
        assert_eq!(urls, ["https://a", "ftp://b"]);
    }
}
