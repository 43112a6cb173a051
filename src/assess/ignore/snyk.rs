//! Snyk's policy file `.snyk`: under `ignore`, by vulnerability, a list of paths with `reason` and `expires`. A path is
//! `*` or a chain of dependencies, `a > b@1.0`; its last link is the package. Snyk's own ids are found by the links
//! that advisories carry.

use super::{IgnoreError, Rule, Rules, Source, day};
use crate::yaml::{self, Entry, Node, Value};

pub(super) fn read(source: &Source<'_>, text: &str) -> Result<Rules, IgnoreError> {
    let root = yaml::parse(text).map_err(|error| source.yaml(error))?;
    if !matches!(root.value, Value::Map(_) | Value::Null) {
        return Err(source.wrong(root.line, format!("expected `ignore:`, found {}", root.kind())));
    }
    let mut rules = Rules::default();
    for entry in root.entries() {
        match entry.key.as_str() {
            "ignore" => {
                for vulnerability in entry.value.entries() {
                    for path in vulnerability.value.items().iter().flat_map(Node::entries) {
                        rules.rules.push(rule(source, vulnerability, path)?);
                    }
                    if vulnerability.value.items().is_empty() {
                        rules.not_understood.push(source.not_understood(vulnerability.line, &vulnerability.key));
                    }
                }
            }
            "version" => {}
            _ if entry.value.entries().is_empty() && entry.value.items().is_empty() => {}
            key => rules.not_understood.push(source.not_understood(entry.line, format!("`{key}`"))),
        }
    }
    Ok(rules)
}

fn rule(source: &Source<'_>, vulnerability: &Entry, path: &Entry) -> Result<Rule, IgnoreError> {
    let mut rule =
        Rule { origin: source.at(path.line), id: Some(vulnerability.key.trim().to_owned()), ..Rule::default() };
    let last = path.key.rsplit('>').next().unwrap_or_default().trim();
    // `@scope/name@version`: the version follows the last `@` that does not begin the name.
    let name = match last.rfind('@') {
        Some(at) if at > 0 => last.get(..at).unwrap_or(last),
        _ => last,
    };
    if name != "*" && !name.is_empty() {
        // Distributions' packages are written `source/binary`.
        let binary = if name.starts_with('@') { name } else { name.rsplit('/').next().unwrap_or(name) };
        rule.package = Some(binary.to_owned());
    }
    rule.reason = path.value.get("reason").and_then(Node::text).unwrap_or_default().trim().to_owned();
    if let Some(expires) = path.value.get("expires") {
        let text = expires.text().unwrap_or_default();
        let wrong = || {
            source.wrong(expires.line, format!("`expires`: `{text}` is not a moment; write 2026-12-31T00:00:00.000Z"))
        };
        rule.expires = Some(day(text).ok_or_else(wrong)?);
    }
    Ok(rule)
}

#[cfg(test)]
mod tests {
    use super::super::tests::applied;
    use super::*;

    #[test]
    fn reads_paths_and_finds_snyks_ids_by_their_links() {
        let text = "# Snyk policy\nversion: v1.25.0\nignore:\n  SNYK-JS-LODASH-1040724:\n    - 'app > lodash@4.17.20':\n        reason: not reachable\n        expires: 2027-01-01T00:00:00.000Z\n  CVE-2023-45853:\n    - '*':\n        reason: old\n        expires: 2026-01-01T00:00:00.000Z\n  SNYK-X-1:\n    - zlib/zlib1g:\n        reason: x\n  SNYK-X-2: {}\npatch: {}\nlanguage-settings:\n  python: 3\n";
        let (suppressed, said) = applied(&read(&Source { file: ".snyk" }, text).unwrap());
        assert_eq!(suppressed, ["CVE-2021-23337: not reachable (.snyk, line 5, until 2027-01-01)"]);
        assert_eq!(
            said[1..],
            [
                ".snyk, line 9: CVE-2023-45853: Expired",
                ".snyk, line 13: SNYK-X-1 in zlib1g: Unused",
                ".snyk, line 15: SNYK-X-2: NotUnderstood",
                ".snyk, line 17: `language-settings`: NotUnderstood"
            ]
        );
        assert!(read(&Source { file: ".snyk" }, "ignore: {A: [{'*': {expires: soon}}]}").is_err());
        assert!(read(&Source { file: ".snyk" }, "- a").is_err());
    }
}
