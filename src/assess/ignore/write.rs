//! Adds rules to `.plimsoll.yml`, as text: comments, order and style of the file stay as they are.
//!
//! The result is read back: where the file is of a form in which a line cannot be added (a list in brackets), it is
//! refused and nothing is written.

use std::fmt::Write as _;

use super::{IgnoreError, Rules, Source};
use crate::yaml::{self, Node};

/// A rule to add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRule {
    /// `id`.
    pub id: String,
    /// `package`.
    pub package: Option<String>,
    /// `path`.
    pub path: Option<String>,
    /// `image`.
    pub image: Option<String>,
    /// `reason`.
    pub reason: String,
    /// `expires`.
    pub expires: Option<jiff::civil::Date>,
}

/// The text of the settings file with the rules in it, at the end of the list under `ignore`.
///
/// # Errors
/// The file cannot be read, has such a rule, or is of a form in which a line cannot be added.
pub fn add(file: &str, text: &str, new: &[NewRule]) -> Result<String, IgnoreError> {
    let source = Source { file };
    let root = yaml::parse(text).map_err(|error| source.yaml(error))?;
    let known = root.get(KEY);
    for rule in new {
        if let Some(line) = known.and_then(|list| list.items().iter().find(|item| rule.is(item))).map(|item| item.line)
        {
            return Err(source.wrong(line, format!("there is a rule for `{}` already", rule.id)));
        }
    }
    let lines: Vec<&str> = text.lines().collect();
    let (at, indent, heading) = place(&root, &lines);
    let mut added = String::new();
    if heading {
        added.push_str(if lines.is_empty() { "ignore:\n" } else { "\nignore:\n" });
    }
    for rule in new {
        rule.write(&mut added, &indent);
    }
    let before = lines.get(..at).unwrap_or_default();
    let after = lines.get(at..).unwrap_or_default();
    let join = |lines: &[&str]| lines.iter().fold(String::new(), |text, line| text + line + "\n");
    let result = join(before) + &added + &join(after);
    // What was there must still be there, and nothing else but the rules.
    let line = known.map_or(1, |list| list.line);
    let refused = || {
        let why = "a rule cannot be added to a list of this form; write `ignore:` with one `- id: …` a line";
        source.wrong(line, why)
    };
    let again = yaml::parse(&result).map_err(|_| refused())?;
    let list = again.get(KEY).ok_or_else(refused)?;
    let before = known.map_or(0, |list| list.items().len());
    let others = |root: &Node| {
        let others = root.entries().iter().filter(|entry| entry.key != KEY);
        others.map(|entry| (entry.key.clone(), bare(&entry.value))).collect::<Vec<_>>()
    };
    let kept = known.map_or(&[][..], Node::items).iter().map(bare).eq(list.items().iter().take(before).map(bare));
    if !kept || list.items().len() != before + new.len() || others(&root) != others(&again) {
        return Err(refused());
    }
    Rules::of_settings(file, list)?;
    Ok(result)
}

/// Behind which line rules go, how far they are indented, and whether the list has to be begun.
fn place(root: &Node, lines: &[&str]) -> (usize, String, bool) {
    let index = |line: u64| usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    let Some(entry) = root.entries().iter().find(|entry| entry.key == KEY) else {
        return (lines.len(), "  ".into(), true);
    };
    let start = index(entry.line);
    let next = root.entries().iter().map(|other| index(other.line)).filter(|line| *line > start).min();
    let end = next.unwrap_or(lines.len());
    let is_content = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let within = lines.get(start..end).unwrap_or_default();
    let last = within.iter().rposition(is_content).map_or(start, |offset| start + offset);
    let dash = within.iter().skip(1).find(|line| line.trim_start().starts_with('-'));
    let indent = dash.map_or("  ", |line| line.get(..line.len() - line.trim_start().len()).unwrap_or_default());
    (last + 1, indent.to_owned(), false)
}

impl NewRule {
    fn is(&self, item: &Node) -> bool {
        let same = |key: &str, own: Option<&str>| item.get(key).and_then(Node::text).map(str::trim) == own;
        item.get("id").and_then(Node::text).is_some_and(|id| id.trim().eq_ignore_ascii_case(&self.id))
            && same("package", self.package.as_deref())
            && same("path", self.path.as_deref())
            && same("image", self.image.as_deref())
    }

    fn write(&self, out: &mut String, indent: &str) {
        let expires = self.expires.map(|day| day.to_string());
        let pairs = [
            ("id", Some(self.id.as_str())),
            ("package", self.package.as_deref()),
            ("path", self.path.as_deref()),
            ("image", self.image.as_deref()),
            ("reason", Some(self.reason.as_str())),
            ("expires", expires.as_deref()),
        ];
        for (index, (key, value)) in pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).enumerate() {
            let start = if index == 0 { "- " } else { "  " };
            let _ = writeln!(out, "{indent}{start}{key}: {}", scalar(value));
        }
    }
}

/// As people write it where that is safe, else in quotes.
fn scalar(text: &str) -> String {
    let mut characters = text.chars();
    let is_plain = characters.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && characters.all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '.' | '_' | '/' | ',' | '(' | ')'))
        && !text.ends_with(' ')
        && text.chars().any(|c| c.is_ascii_alphabetic() || c == '-')
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// A node without its lines.
fn bare(node: &Node) -> String {
    match &node.value {
        yaml::Value::Null => "~".into(),
        yaml::Value::Text(text) => format!("{text:?}"),
        yaml::Value::List(items) => format!("{:?}", items.iter().map(bare).collect::<Vec<_>>()),
        yaml::Value::Map(entries) => {
            format!("{:?}", entries.iter().map(|entry| (&entry.key, bare(&entry.value))).collect::<Vec<_>>())
        }
    }
}

const KEY: &str = "ignore";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule() -> NewRule {
        NewRule {
            id: "CVE-2026-1".into(),
            reason: "not: reachable".into(),
            expires: "2027-01-31".parse().ok(),
            ..NewRule::default()
        }
    }

    const ADDED: &str = "- id: CVE-2026-1\n";

    #[test]
    fn comments_order_and_style_stay() {
        for (text, expected) in [
            ("", "ignore:\n  - id: CVE-2026-1\n    reason: \"not: reachable\"\n    expires: 2027-01-31\n"),
            (
                "# ours\nfail_on: high\n",
                "# ours\nfail_on: high\n\nignore:\n  - id: CVE-2026-1\n    reason: \"not: reachable\"\n    expires: 2027-01-31\n",
            ),
            (
                "ignore:\n- id: CVE-1   # why\n  reason: x\n\n# the gate\nfail_on: high  # hard\n",
                "ignore:\n- id: CVE-1   # why\n  reason: x\n- id: CVE-2026-1\n  reason: \"not: reachable\"\n  expires: 2027-01-31\n\n\
                 # the gate\nfail_on: high  # hard\n",
            ),
            (
                "ignore:\n    - reason: x\n      id: CVE-1\n    # the last\n",
                "ignore:\n    - reason: x\n      id: CVE-1\n    - id: CVE-2026-1\n      reason: \"not: reachable\"\n      \
                 expires: 2027-01-31\n    # the last\n",
            ),
            (
                "ignore:\nquiet: true\n",
                "ignore:\n  - id: CVE-2026-1\n    reason: \"not: reachable\"\n    expires: 2027-01-31\nquiet: true\n",
            ),
        ] {
            assert_eq!(add("f", text, &[rule()]).as_deref(), Ok(expected), "{text}");
        }
        let more =
            NewRule { package: Some("z*".into()), path: Some("usr/**".into()), image: Some("a:1".into()), ..rule() };
        let text = add("f", "", &[rule(), more]).unwrap();
        assert_eq!(text.matches(ADDED).count(), 2, "{text}");
        assert!(text.contains("package: \"z*\"\n    path: \"usr/**\"\n    image: \"a:1\"\n"), "{text}");
    }

    #[test]
    fn refuses_what_it_cannot_change() {
        for (text, expected) in [
            ("ignore: [{id: CVE-1, reason: x}]\n", "cannot be added"),
            ("ignore:\n  - id: cve-2026-1\n    reason: x\n", "line 2: there is a rule for `CVE-2026-1` already"),
            ("{fail_on: high}\n", "cannot be added"),
            ("a: [\n", "f, line"),
            ("ignore:\n  - id: CVE-1\n", "needs a `reason`"),
        ] {
            let error = add("f", text, &[rule()]).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_it_was_meant(reason in "\\PC{1,30}", text in "(ignore:|  - id: a|    reason: b|# c|x: y|\n| ){0,12}") {
            let reason = format!("x{reason}");
            if let Ok(result) = add("f", &text, &[NewRule { reason: reason.clone(), ..rule() }]) {
                let root = yaml::parse(&result).unwrap();
                let last = root.get("ignore").unwrap().items().last().unwrap().clone();
                prop_assert_eq!(last.get("reason").and_then(Node::text), Some(reason.as_str()));
            }
        }
    }
}
