//! YAML as a tree whose nodes know their line, for files that people write: settings and ignore rules.
//!
//! Scalars stay text: `1.10` is not made a number, as only the reader of a value knows what it is to be. Refused:
//! anything that is not one document of YAML 1.2, duplicate keys, and what exceeds the limits below (size, depth,
//! nodes, expansion of aliases).

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The line, counted from 1.
    pub line: u64,
    /// The value.
    pub value: Value,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar as it is written, without quotes.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The line of the key, counted from 1.
    pub line: u64,
    /// Its value.
    pub value: Node,
}

/// The text is not YAML, or not of a size that people write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct YamlError {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

/// Reads one document. Empty text is [`Value::Null`].
///
/// # Errors
/// The text is not YAML, or exceeds a limit.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    if text.len() > MAX_BYTES {
        return Err(YamlError { line: 1, reason: format!("the file is larger than {} MiB", MAX_BYTES >> 20) });
    }
    // A file of comments alone has no document at all.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Node { line: 1, value: Value::Null });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, flow_nesting_limit: MAX_DEPTH, max_documents: 1, max_nodes: MAX_NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
        duplicate_keys: DuplicateKeyPolicy::Error,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    let root: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line().max(1));
        YamlError { line, reason: reason(&error.without_snippet().to_string()) }
    })?;
    Ok(node(root, text))
}

impl Node {
    /// The scalar's text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// What it is, for messages: `a list`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// What the parser gives, before numbers get their spelling back.
enum Raw {
    Null,
    Text(String),
    /// A number or boolean in the parser's own spelling.
    Resolved(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn node(raw: Spanned<Raw>, source: &str) -> Node {
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Text(text),
        Raw::Resolved(fallback) => {
            let span = raw.defined.span();
            let written = || {
                let start = usize::try_from(span.byte_offset()?).ok()?;
                let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
                source.get(start..end).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
            };
            Value::Text(written().unwrap_or(fallback))
        }
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, source)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry { line: key.referenced.line(), key: key.value, value: node(value, source) })
                .collect(),
        ),
    };
    Node { line: raw.referenced.line().max(1), value }
}

/// The parser's message without the position, which is said elsewhere.
fn reason(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    let end = message.rfind(" at line ").or_else(|| message.rfind(", at line ")).unwrap_or(message.len());
    let short: String = message.get(..end).unwrap_or(message).chars().take(300).collect();
    if short.is_empty() { "not YAML".to_owned() } else { short }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

const MAX_BYTES: usize = 4 << 20;
const MAX_DEPTH: usize = 24;
const MAX_NODES: usize = 200_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tree in one line, with the lines of the nodes.
    fn shown(node: &Node) -> String {
        let inner = match &node.value {
            Value::Null => "~".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
            Value::Map(entries) => {
                let entry = |entry: &Entry| format!("{}@{}={}", entry.key, entry.line, shown(&entry.value));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(" "))
            }
        };
        format!("{}:{inner}", node.line)
    }

    #[test]
    fn keeps_lines_and_spelling() {
        for (text, expected) in [
            ("", "1:~"),
            ("# nothing\n\n", "1:~"),
            ("a: 1.10\nb: yes\nc: '2'\n", r#"1:{a@1=1:"1.10" b@2=2:"yes" c@3=3:"2"}"#),
            ("# c\n\nv: 0x10\nd: 2026-12-31\n", r#"3:{v@3=3:"0x10" d@4=4:"2026-12-31"}"#),
            ("é: ü\nn: 1e999 # big\n", r#"1:{é@1=1:"ü" n@2=2:"1e999"}"#),
            ("l:\n  - a\n  - b: 007\n    c:\n", r#"1:{l@1=2:[2:"a" 3:{b@3=3:"007" c@4=4:~}]}"#),
            ("l: [x, 1, {y: ~}]", r#"1:{l@1=1:[1:"x" 1:"1" 1:{y@1=1:~}]}"#),
            ("t: |\n  two\n  lines\n", "1:{t@1=1:\"two\\nlines\\n\"}"),
            ("1: a\ntrue: b\n", r#"1:{1@1=1:"a" true@2=2:"b"}"#),
        ] {
            assert_eq!(parse(text).map(|node| shown(&node)), Ok(expected.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn names_the_line_of_what_is_wrong() {
        for (text, line) in [
            ("a: 1\nb: [1\n", 2),
            ("a: 1\na: 2\n", 2),
            ("a: 1\n\tb: 2\n", 2),
            ("a: *nothing\n", 1),
            ("a: 1\n---\nb: 2\n", 2),
            (&"[".repeat(200), 1),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.line.abs_diff(line) <= 1, "{text:?}: {error}");
            assert!(!error.reason.is_empty(), "{text:?}");
        }
        let bomb = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\n\
                    g: [*f,*f,*f,*f,*f,*f,*f,*f]\n";
        assert!(parse(bomb).is_err());
        assert!(parse(&"#".repeat(MAX_BYTES + 1)).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-:\\[\\]{}#&*!|>'\"%@` a-z0-9~?,\n\t.é]{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn reads_back_what_is_quoted(keys in proptest::collection::btree_set("[a-z]{1,8}", 0..6), value in "\\PC{0,20}") {
            let mut text = String::new();
            for key in &keys {
                text.push_str(&format!("{key}: {}\n", serde_json::to_string(&value).unwrap()));
            }
            let node = parse(&text).unwrap();
            for (index, key) in keys.iter().enumerate() {
                let found = node.get(key).unwrap();
                prop_assert_eq!(found.text(), Some(value.as_str()));
                prop_assert_eq!(found.line, index as u64 + 1);
            }
        }
    }
}
