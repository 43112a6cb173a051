//! The list under `ignore` in `.plimsoll.yml`:
//!
//! ```yaml
//! ignore:
//!   - id: CVE-2023-45853            # any identifier of the vulnerability
//!     package: zlib1g               # name with wildcards, or a purl
//!     path: "usr/lib/**"            # where it lies
//!     image: "registry.example.com/group/**"
//!     reason: minizip is not built
//!     expires: 2026-12-31           # the last day
//! ```
//! One of `id`, `package` and `path` is needed, and a `reason`.

use super::{IgnoreError, ImageCondition, Rule, Rules, Source, day};
use crate::assess::purl_pattern::PurlPattern;
use crate::context::nearest;
use crate::yaml::{Node, Value};

pub(super) fn read(source: &Source<'_>, list: &Node) -> Result<Rules, IgnoreError> {
    if !matches!(list.value, Value::List(_) | Value::Null) {
        return Err(source.wrong(list.line, format!("`ignore`: expected a list of rules, found {}", list.kind())));
    }
    let rules = list.items().iter().map(|item| rule(source, item)).collect::<Result<_, _>>()?;
    Ok(Rules { rules, not_understood: Vec::new() })
}

fn rule(source: &Source<'_>, item: &Node) -> Result<Rule, IgnoreError> {
    if !matches!(item.value, Value::Map(_)) {
        return Err(source.wrong(item.line, format!("a rule is a mapping such as `id: CVE-…`, found {}", item.kind())));
    }
    let mut rule = Rule { origin: source.at(item.line), ..Rule::default() };
    for entry in item.entries() {
        if !KEYS.contains(&entry.key.as_str()) {
            let hint =
                nearest(&entry.key, KEYS).map_or_else(String::new, |(name, _)| format!("; did you mean `{name}`?"));
            return Err(source.wrong(entry.line, format!("`{}` is not part of a rule{hint}", entry.key)));
        }
        let Some(text) = entry.value.text().map(str::trim).filter(|text| !text.is_empty()) else {
            let found = entry.value.kind();
            return Err(source.wrong(entry.value.line, format!("`{}`: expected a text, found {found}", entry.key)));
        };
        let owned = text.to_owned();
        match entry.key.as_str() {
            "id" => rule.id = Some(owned),
            "package" if text.starts_with("pkg:") => rule.purls.push(
                PurlPattern::parse(text)
                    .ok_or_else(|| source.wrong(entry.value.line, format!("`{text}` is not a package URL")))?,
            ),
            "package" => rule.package = Some(owned),
            "path" => rule.paths.push(owned),
            "image" => rule.image = Some(ImageCondition::Glob(owned)),
            "reason" => rule.reason = owned,
            _ => {
                let date = day(text).filter(|_| text.len() == 10);
                let wrong =
                    || source.wrong(entry.value.line, format!("`expires`: `{text}` is not a day; write 2026-12-31"));
                rule.expires = Some(date.ok_or_else(wrong)?);
            }
        }
    }
    if rule.id.is_none() && rule.package.is_none() && rule.purls.is_empty() && rule.paths.is_empty() {
        return Err(source.wrong(item.line, "a rule needs an `id`, a `package` or a `path`"));
    }
    if rule.reason.is_empty() {
        return Err(source.wrong(item.line, "a rule needs a `reason`"));
    }
    Ok(rule)
}

const KEYS: [&str; 6] = ["id", "package", "path", "image", "reason", "expires"];

#[cfg(test)]
mod tests {
    use super::super::tests::applied;
    use super::*;
    use crate::yaml;

    fn rules(text: &str) -> Result<Rules, String> {
        let list = yaml::parse(text).unwrap();
        read(&Source { file: ".plimsoll.yml" }, &list).map_err(|error| error.to_string())
    }

    #[test]
    fn a_rule_concerns_what_it_says() {
        for (rule, expected) in [
            ("id: CVE-2023-45853", vec!["CVE-2023-45853"]),
            ("id: ghsa-35jh-r3h4-6jhm", vec!["CVE-2021-23337"]),
            ("package: 'z*'", vec!["CVE-2023-45853"]),
            ("package: pkg:npm/lodash", vec!["CVE-2021-23337"]),
            ("package: 'pkg:npm/lodash@4.17.19'", vec![]),
            ("path: '**/node_modules/**'", vec!["CVE-2021-23337"]),
            // It lies elsewhere as well.
            ("path: 'app/**'", vec![]),
            ("path: '/var/lib/dpkg/status'", vec!["CVE-2023-45853"]),
            ("package: '*', image: 'reg.example.com/group/*'", vec!["CVE-2023-45853", "CVE-2021-23337"]),
            ("package: '*', image: other", vec![]),
            ("id: CVE-2023-45853, package: lodash", vec![]),
            ("id: CVE-2023-45853, expires: 2026-06-01", vec!["CVE-2023-45853"]),
            ("id: CVE-2023-45853, expires: 2026-05-31", vec![]),
        ] {
            let rules = rules(&format!("[{{{rule}, reason: because}}]")).expect(rule);
            let (suppressed, _) = applied(&rules);
            let ids: Vec<_> = suppressed.iter().filter_map(|line| line.split(": ").next()).collect();
            assert_eq!(ids, expected, "{rule}");
        }
    }

    #[test]
    fn every_rule_says_what_it_did() {
        let text = "- id: CVE-2023-45853\n  reason: not built\n  expires: 2027-01-01\n- id: CVE-1\n  reason: old\n\
                    - id: CVE-2021-23337\n  reason: was checked\n  expires: 2026-01-01\n";
        let (suppressed, said) = applied(&rules(text).unwrap());
        assert_eq!(suppressed, ["CVE-2023-45853: not built (.plimsoll.yml, line 1, until 2027-01-01)"]);
        assert_eq!(
            said,
            [
                ".plimsoll.yml, line 1: CVE-2023-45853: Applied",
                ".plimsoll.yml, line 4: CVE-1: Unused",
                ".plimsoll.yml, line 6: CVE-2021-23337: Expired"
            ]
        );
    }

    #[test]
    fn refuses_with_line_and_the_right_form() {
        for (text, expected) in [
            ("a: b", "line 1: `ignore`: expected a list of rules, found a mapping"),
            ("- CVE-1", "line 1: a rule is a mapping such as `id: CVE-…`, found a text"),
            ("- id: CVE-1\n  packages: x\n", "line 2: `packages` is not part of a rule; did you mean `package`?"),
            ("- reason: x\n", "a rule needs an `id`, a `package` or a `path`"),
            ("- id: CVE-1\n", "a rule needs a `reason`"),
            (
                "- id: CVE-1\n  reason: x\n  expires: tomorrow\n",
                "line 3: `expires`: `tomorrow` is not a day; write 2026-12-31",
            ),
            ("- id: [CVE-1]\n", "`id`: expected a text, found a list"),
            ("- package: 'pkg:x'\n", "`pkg:x` is not a package URL"),
        ] {
            let error = rules(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
