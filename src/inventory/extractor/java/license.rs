//! Licences as project files and manifests of archives state them.

/// Licences of one package.
pub(super) const MOST: usize = 20;
/// The name of one; what is longer is a text, not a name.
const LONGEST: usize = 200;

/// A licence's name on one line; `None` where it is none.
pub(super) fn name(text: &str) -> Option<String> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_name = !name.is_empty() && name.len() <= LONGEST && !name.contains("${") && !name.contains(char::is_control);
    (is_name && name != "<<EXTERNAL>>").then_some(name)
}

/// The licences of a bundle: `"Apache-2.0";link="https://…", MIT`, or addresses. Format: OSGi Core, `Bundle-License`.
pub(super) fn of_bundle(header: &str) -> Vec<String> {
    let mut names = Vec::new();
    for clause in unquoted(header, b',').take(MOST) {
        let first = unquoted(clause, b';').next().unwrap_or(clause);
        names.extend(name(first.trim().trim_matches('"')).filter(|name| !names.contains(name)));
    }
    names
}

/// The parts between separators that do not lie in quotes.
fn unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.bytes().position(|byte| {
            is_quoted ^= byte == b'"';
            byte == separator && !is_quoted
        });
        rest = end.and_then(|end| text.get(end + 1..));
        text.get(..end.unwrap_or(text.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_name_licences_with_parameters() {
        for (header, expected) in [
            (
                "https://www.apache.org/licenses/LICENSE-2.0.txt",
                &["https://www.apache.org/licenses/LICENSE-2.0.txt"][..],
            ),
            ("\"Apache-2.0\";link=\"https://a.example/x,y;z\", MIT; description=b, MIT", &["Apache-2.0", "MIT"]),
            ("Apache  License,", &["Apache License"]),
            ("<<EXTERNAL>>", &[]),
            ("${license}", &[]),
            ("\"open", &["open"]),
            ("", &[]),
        ] {
            assert_eq!(of_bundle(header), expected, "{header}");
        }
        assert_eq!(of_bundle(&"a".repeat(LONGEST + 1)), [""; 0]);
        let many = (0..100).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(of_bundle(&many).len(), MOST);
    }
}
