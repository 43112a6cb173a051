//! Making untrusted text harmless to whoever shows it: no control characters, no hidden or reordering ones, bounded.

/// Several lines: line breaks and tabs stay, all else that does not print goes.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").chars().filter(|&c| c == '\n' || c == '\t' || is_visible(c)).collect()
}

/// One line: white space of every kind becomes single spaces, all else that does not print goes.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace()).filter(|word| !word.is_empty()) {
        let before = out.len();
        out.extend(word.chars().filter(|&c| is_visible(c)));
        if before > 0 && out.len() > before {
            out.insert(before, ' ');
        }
    }
    out
}

/// The text if it has at most `limit` characters, else its beginning and `…`, together `limit` characters.
pub(super) fn cut(text: String, limit: usize) -> String {
    if text.len() <= limit || text.chars().count() <= limit {
        return text;
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// Whether the address may become a link: http, https or ftp, a plain host, and after it only what RFC 3987 allows.
pub(super) fn is_link(url: &str) -> bool {
    let Some(rest) = ["https://", "http://", "ftp://"].iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        return false;
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    url.len() <= 2048
        && host.starts_with(|c: char| c.is_ascii_alphanumeric())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && port.parse::<u16>().is_ok()
        && path.chars().all(|c| c.is_alphanumeric() || "-._~:/?#@!$&'()*+,;=%".contains(c))
        && path.matches('#').count() <= 1
        && path.split('%').skip(1).all(|after| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

/// Control characters, and those of Unicode that reorder or hide text, are not.
fn is_visible(c: char) -> bool {
    let hides = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !c.is_control() && !hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neutralises_what_terminals_and_browsers_obey() {
        for (text, expected) in [
            ("a\u{1b}[31mred", "a[31mred"),
            ("  two\r\n words\t\u{0}here ", "two words here"),
            ("safe\u{202e}txt.exe", "safetxt.exe"),
            ("\u{200b} \u{200b}", ""),
            ("a \u{7} b", "a b"),
            ("grüße 世界", "grüße 世界"),
        ] {
            assert_eq!(line(text), expected, "{text:?}");
        }
        assert_eq!(lines("a\r\nb\tc\u{9b}d"), "a\nb\tcd");
    }

    #[test]
    fn cuts_by_characters() {
        assert_eq!(cut("äöü".into(), 3), "äöü");
        assert_eq!(cut("äöüß".into(), 3), "äö…");
        assert_eq!(cut("ab".into(), 0), "…");
    }

    #[test]
    fn only_web_addresses_are_links() {
        for url in ["https://nvd.nist.gov/vuln/detail/CVE-2024-1", "http://a.b:80/?x=(y)&z=%20#ü", "ftp://h/f"] {
            assert!(is_link(url), "{url}");
        }
        for url in [
            "javascript:alert(1)",
            "https://",
            "data:text/html,x",
            "//h/x",
            "https://a b",
            "https://h/\"x",
            "h",
            "https://u@h/",
            "https://h/%zz",
            "https://h/[x]",
        ] {
            assert!(!is_link(url), "{url}");
        }
    }
}
