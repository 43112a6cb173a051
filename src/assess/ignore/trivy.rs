//! Trivy's `.trivyignore` (an id a line, `exp:2026-12-31` behind it, `#` comments) and `.trivyignore.yaml`
//! (`vulnerabilities` with `id`, `paths`, `purls`, `expired_at`, `statement`).

use super::{IgnoreError, Rule, Rules, Source, day};
use crate::assess::purl_pattern::PurlPattern;
use crate::yaml::{self, Node, Value};

pub(super) fn read_lines(source: &Source<'_>, text: &str) -> Result<Rules, IgnoreError> {
    let mut rules = Rules::default();
    for (line, text) in (1..).zip(text.lines().take(MAX_LINES)) {
        let content = text.split('#').next().unwrap_or_default();
        let mut words = content.split_whitespace();
        let Some(id) = words.next() else { continue };
        let mut rule = Rule { origin: source.at(line), id: Some(id.to_owned()), ..Rule::default() };
        let mut understood = true;
        for word in words {
            match word.strip_prefix("exp:") {
                Some(text) => {
                    let wrong = || source.wrong(line, format!("`{word}`: write exp:2026-12-31"));
                    rule.expires = Some(day(text).ok_or_else(wrong)?);
                }
                None => understood = false,
            }
        }
        if let Some((_, comment)) = text.split_once('#') {
            comment.trim().clone_into(&mut rule.reason);
        }
        if understood && is_id(id) {
            rules.rules.push(rule);
        } else {
            rules.not_understood.push(source.not_understood(line, content.trim()));
        }
    }
    Ok(rules)
}

/// Misconfigurations and secrets have ids without a number at their end that vulnerabilities have.
fn is_id(id: &str) -> bool {
    id.contains('-') && !id.starts_with("AVD-") && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_:.".contains(c))
}

pub(super) fn read_yaml(source: &Source<'_>, text: &str) -> Result<Rules, IgnoreError> {
    let root = yaml::parse(text).map_err(|error| source.yaml(error))?;
    if !matches!(root.value, Value::Map(_) | Value::Null) {
        return Err(source.wrong(root.line, format!("expected `vulnerabilities:`, found {}", root.kind())));
    }
    let mut rules = Rules::default();
    for entry in root.entries() {
        if entry.key == "vulnerabilities" {
            for item in entry.value.items() {
                match rule(source, item)? {
                    Some(rule) => rules.rules.push(rule),
                    None => rules.not_understood.push(source.not_understood(item.line, "a rule without an id")),
                }
            }
        } else if !entry.value.items().is_empty() {
            rules.not_understood.push(source.not_understood(entry.line, format!("`{}`", entry.key)));
        }
    }
    Ok(rules)
}

fn rule(source: &Source<'_>, item: &Node) -> Result<Option<Rule>, IgnoreError> {
    let Some(id) = item.get("id").and_then(Node::text) else { return Ok(None) };
    let texts = |key: &str| item.get(key).map(Node::items).unwrap_or_default();
    let mut rule = Rule { origin: source.at(item.line), id: Some(id.trim().to_owned()), ..Rule::default() };
    rule.paths.extend(texts("paths").iter().filter_map(Node::text).map(str::to_owned));
    for purl in texts("purls") {
        let text = purl.text().unwrap_or_default();
        let wrong = || source.wrong(purl.line, format!("`{text}` is not a package URL"));
        rule.purls.push(PurlPattern::parse(text).ok_or_else(wrong)?);
    }
    if let Some(expired) = item.get("expired_at") {
        let text = expired.text().unwrap_or_default();
        let wrong = || source.wrong(expired.line, format!("`expired_at`: `{text}` is not a day; write 2026-12-31"));
        rule.expires = Some(day(text).ok_or_else(wrong)?);
    }
    rule.reason = item.get("statement").and_then(Node::text).unwrap_or_default().trim().to_owned();
    Ok(Some(rule))
}

const MAX_LINES: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::super::tests::applied;
    use super::*;

    #[test]
    fn reads_lines() {
        let text = "# accepted\nCVE-2023-45853 exp:2027-01-01 # not built\n\nCVE-2021-23337 exp:2026-01-01\nAVD-DS-0002\nwhat is this\n";
        let (suppressed, said) = applied(&read_lines(&Source { file: ".trivyignore" }, text).unwrap());
        assert_eq!(suppressed, ["CVE-2023-45853: not built (.trivyignore, line 2, until 2027-01-01)"]);
        assert_eq!(
            said[1..],
            [
                ".trivyignore, line 4: CVE-2021-23337: Expired",
                ".trivyignore, line 5: AVD-DS-0002: NotUnderstood",
                ".trivyignore, line 6: what is this: NotUnderstood"
            ]
        );
        let error = read_lines(&Source { file: "x" }, "CVE-1 exp:soon").unwrap_err();
        assert_eq!(error.to_string(), "x, line 1: `exp:soon`: write exp:2026-12-31");
    }

    #[test]
    fn reads_yaml() {
        let text = "vulnerabilities:\n  - id: CVE-2021-23337\n    paths:\n      - '**/package.json'\n    purls: ['pkg:npm/lodash']\n    statement: checked\n  - paths: [x]\nmisconfigurations:\n  - id: AVD-DS-0001\nsecrets: []\n";
        let (suppressed, said) = applied(&read_yaml(&Source { file: "t.yaml" }, text).unwrap());
        assert_eq!(suppressed, ["CVE-2021-23337: checked (t.yaml, line 2)"]);
        assert_eq!(said.iter().filter(|line| line.ends_with("NotUnderstood")).count(), 2, "{said:?}");
        for text in ["- a", "vulnerabilities: [{id: a, purls: [x]}]", "vulnerabilities: [{id: a, expired_at: x}]"] {
            assert!(read_yaml(&Source { file: "t.yaml" }, text).is_err(), "{text}");
        }
    }
}
