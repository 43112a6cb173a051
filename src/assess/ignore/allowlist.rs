//! GitLab's `vulnerability-allowlist.yml`: CVEs under `generalallowlist`, and under `images` by image name. An image is
//! meant if its name contains the key, as in GitLab's analyzer. The values are comments; they become the reason.

use super::{IgnoreError, ImageCondition, Rule, Rules, Source};
use crate::yaml::{self, Entry, Node, Value};

pub(super) fn read(source: &Source<'_>, text: &str) -> Result<Rules, IgnoreError> {
    let root = yaml::parse(text).map_err(|error| source.yaml(error))?;
    mapping(source, &root, "the file")?;
    let mut rules = Rules::default();
    for entry in root.entries() {
        match entry.key.as_str() {
            "generalallowlist" => {
                mapping(source, &entry.value, "`generalallowlist`")?;
                rules.rules.extend(entry.value.entries().iter().map(|allowed| rule(source, allowed, None)));
            }
            "images" => {
                mapping(source, &entry.value, "`images`")?;
                for image in entry.value.entries() {
                    mapping(source, &image.value, &format!("`{}`", image.key))?;
                    rules
                        .rules
                        .extend(image.value.entries().iter().map(|allowed| rule(source, allowed, Some(&image.key))));
                }
            }
            key => rules.not_understood.push(source.not_understood(entry.line, format!("`{key}`"))),
        }
    }
    Ok(rules)
}

fn rule(source: &Source<'_>, allowed: &Entry, image: Option<&str>) -> Rule {
    Rule {
        origin: source.at(allowed.line),
        id: Some(allowed.key.trim().to_owned()),
        image: image.map(|image| ImageCondition::Contains(image.to_owned())),
        reason: allowed.value.text().unwrap_or_default().trim().to_owned(),
        ..Rule::default()
    }
}

fn mapping(source: &Source<'_>, node: &Node, what: &str) -> Result<(), IgnoreError> {
    match node.value {
        Value::Map(_) | Value::Null => Ok(()),
        _ => Err(source.wrong(node.line, format!("{what}: expected `CVE-…:` lines, found {}", node.kind()))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::applied;
    use super::*;

    #[test]
    fn general_and_by_image() {
        let text = "generalallowlist:\n  CVE-2023-45853: zlib\n  CVE-1:\nimages:\n  example.com/group/app:\n    CVE-2021-23337:\n  other:\n    CVE-2021-23337: x\nmore: 1\n";
        let (suppressed, said) = applied(&read(&Source { file: "vulnerability-allowlist.yml" }, text).unwrap());
        assert_eq!(
            suppressed,
            [
                "CVE-2023-45853: zlib (vulnerability-allowlist.yml, line 2)",
                "CVE-2021-23337: no reason given (vulnerability-allowlist.yml, line 6)"
            ]
        );
        assert_eq!(said.iter().filter(|line| line.ends_with("Unused")).count(), 2, "{said:?}");
        assert!(said.iter().any(|line| line.ends_with("line 9: `more`: NotUnderstood")), "{said:?}");
        assert!(read(&Source { file: "a" }, "generalallowlist: [CVE-1]").is_err());
    }
}
