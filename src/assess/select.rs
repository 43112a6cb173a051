//! Which images of a registry are meant: name patterns and an expression over repositories and tags, with a reason for
//! each tag.
//!
//! ```text
//! expression = all { "||" all }            alternatives may also be separated by commas
//! all        = term { "&&" term }
//! term       = "!" term | "(" expression ")" | word | text-field text-operator value | time-field operator span
//!            | "newest(" number ")"
//! word       = "all" | "none" | "new" | "changed" | "stale" | "known"
//! text-field = "repository" | "tag"        text-operator = "==" | "!=" (with * and ?) | "=~" | "!~" (regular expression)
//! time-field = "age" | "scanned"           span = number and one of h, d, w
//! ```
//! `newest(3)` counts per repository, among the tags that the terms beside it let through. When a tag was built, and
//! whether it has moved, costs a request per tag: [`Selection::decide`] says for which tags the answer depends on it.

mod parse;
mod pattern;

use jiff::{SignedDuration, Timestamp};

pub use parse::SelectError;
use parse::{Node, Operator, Text};
use pattern::Pattern;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Selection {
    patterns: Vec<Pattern>,
    root: Node,
}

/// One tag, and what is known of it.
#[derive(Debug, Clone, Default)]
pub struct Candidate {
    /// `registry/repository`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// When its image was built; `None` where that is not known (yet).
    pub created: Option<Timestamp>,
    /// Whether it has moved since the last scan; `None` where that is not known (yet).
    pub changed: Option<bool>,
    /// Whether all was asked that can be asked about it.
    pub detailed: bool,
    /// When it was last scanned.
    pub scanned: Option<Timestamp>,
    /// Whether the state knows the tag.
    pub known: bool,
}

/// The answer about one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is meant; why.
    Selected(String),
    /// It is not; why.
    Excluded(String),
    /// That depends on what was not asked yet.
    Undecided,
}

impl Selection {
    /// Reads patterns (`app:1.*`, `team/**`, `!app:dev-*`; none means all) and an expression (none means `all`).
    ///
    /// # Errors
    /// One of them is wrong.
    pub fn parse(patterns: &[String], expression: Option<&str>) -> Result<Self, SelectError> {
        let patterns = patterns.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>()?;
        Ok(Self { patterns, root: parse::parse(expression.unwrap_or("all"))? })
    }

    /// Decides about all tags of a registry together. `project` is the path that names may leave out.
    #[must_use]
    pub fn decide(&self, candidates: &[Candidate], project: &str, now: Timestamp) -> Vec<Decision> {
        let named: Vec<Answer> = candidates.iter().map(|one| pattern::judge(&self.patterns, one, project)).collect();
        let scope = Scope { candidates, now };
        let universe: Vec<bool> = named.iter().map(|answer| answer.holds == Some(true)).collect();
        let judged = scope.judge(&self.root, &universe);
        let decide = |(named, judged): (Answer, Answer)| match (named.holds, judged.holds) {
            (Some(true), Some(true)) => Decision::Selected(both(&named.why, &judged.why)),
            (Some(true), None) => Decision::Undecided,
            (Some(true), Some(false)) => Decision::Excluded(judged.why),
            _ => Decision::Excluded(named.why),
        };
        named.into_iter().zip(judged).map(decide).collect()
    }
}

/// Whether something holds, and the fact that says so.
#[derive(Debug, Clone)]
struct Answer {
    holds: Option<bool>,
    why: String,
}

impl Answer {
    fn new(holds: bool, why: impl Into<String>) -> Self {
        Self { holds: Some(holds), why: why.into() }
    }

    fn open() -> Self {
        Self { holds: None, why: String::new() }
    }
}

struct Scope<'a> {
    candidates: &'a [Candidate],
    now: Timestamp,
}

impl Scope<'_> {
    /// The answers about all candidates; of those outside of the universe only that they are outside counts.
    fn judge(&self, node: &Node, universe: &[bool]) -> Vec<Answer> {
        match node {
            Node::Not(inner) => {
                let mut answers = self.judge(inner, universe);
                for answer in &mut answers {
                    answer.holds = answer.holds.map(|holds| !holds);
                }
                answers
            }
            Node::Any(nodes) => {
                let all: Vec<_> = nodes.iter().map(|node| self.judge(node, universe)).collect();
                self.combine(&all, true)
            }
            Node::All(nodes) => {
                let (ranking, plain): (Vec<&Node>, Vec<&Node>) =
                    nodes.iter().partition(|node| matches!(node, Node::Newest(_)));
                let mut all: Vec<_> = plain.into_iter().map(|node| self.judge(node, universe)).collect();
                let left = self.combine(&all, false);
                let left: Vec<bool> =
                    universe.iter().zip(left).map(|(in_it, answer)| *in_it && answer.holds != Some(false)).collect();
                all.extend(ranking.into_iter().map(|node| self.judge(node, &left)));
                self.combine(&all, false)
            }
            Node::Newest(count) => self.newest(*count, universe),
            _ => self.candidates.iter().map(|candidate| self.fact(node, candidate)).collect(),
        }
    }

    /// One answer from several: with `any` one that holds is enough, else one that does not.
    fn combine(&self, all: &[Vec<Answer>], any: bool) -> Vec<Answer> {
        let one = |index: usize| {
            let answers = || all.iter().filter_map(move |answers| answers.get(index));
            if let Some(deciding) = answers().find(|answer| answer.holds == Some(any)) {
                return deciding.clone();
            }
            if answers().any(|answer| answer.holds.is_none()) {
                return Answer::open();
            }
            Answer::new(!any, answers().fold(String::new(), |text, answer| both(&text, &answer.why)))
        };
        (0..self.candidates.len()).map(one).collect()
    }

    fn fact(&self, node: &Node, candidate: &Candidate) -> Answer {
        match node {
            Node::Constant(holds) => Answer::new(*holds, if *holds { "" } else { "`none` is selected" }),
            Node::New => Answer::new(!candidate.known, known(candidate)),
            Node::Known => Answer::new(candidate.known, known(candidate)),
            Node::Changed => match (candidate.known, candidate.changed) {
                (false, _) => Answer::new(false, "is new"),
                (true, Some(true)) => Answer::new(true, "has moved to another image"),
                (true, Some(false)) => Answer::new(false, "has not moved"),
                (true, None) if candidate.detailed => Answer::new(true, "may have moved"),
                (true, None) => Answer::open(),
            },
            Node::Matches { field, pattern, text } => {
                let subject = match field {
                    Text::Repository => &candidate.repository,
                    Text::Tag => &candidate.tag,
                };
                let found = pattern.is_match(subject, *field);
                let not = if found { "fits" } else { "does not fit" };
                Answer::new(found, format!("{} {not} {text}", field.name()))
            }
            Node::Age(operator, span) => match candidate.created {
                Some(created) => {
                    let age = self.now.duration_since(created);
                    Answer::new(operator.holds(age, *span), format!("is {} old", in_words(age)))
                }
                None if candidate.detailed => Answer::new(false, "does not say when it was built"),
                None => Answer::open(),
            },
            Node::Scanned(operator, span) => match candidate.scanned {
                Some(scanned) => {
                    let age = self.now.duration_since(scanned);
                    Answer::new(operator.holds(age, *span), format!("was scanned {} ago", in_words(age)))
                }
                // What was never scanned was not scanned for longer than any span.
                None => Answer::new(operator.holds(SignedDuration::MAX, *span), "was never scanned"),
            },
            // The others are judged together.
            _ => Answer::new(false, ""),
        }
    }

    fn newest(&self, count: usize, universe: &[bool]) -> Vec<Answer> {
        let mut answers = vec![Answer::new(false, ""); self.candidates.len()];
        let mut repositories: std::collections::BTreeMap<&str, Vec<usize>> = std::collections::BTreeMap::new();
        for (index, candidate) in
            self.candidates.iter().enumerate().filter(|(index, _)| universe.get(*index) == Some(&true))
        {
            repositories.entry(&candidate.repository).or_default().push(index);
        }
        for mut members in repositories.into_values() {
            let get = |index: usize| self.candidates.get(index);
            let open = |index: &usize| get(*index).is_some_and(|one| one.created.is_none() && !one.detailed);
            let undecided = members.len() > count && members.iter().any(open);
            members.sort_by_key(|&index| {
                let one = get(index);
                let created = one.and_then(|one| one.created);
                (std::cmp::Reverse(created), one.map(|one| std::cmp::Reverse(&one.tag)))
            });
            for (place, index) in members.iter().enumerate() {
                let Some(answer) = answers.get_mut(*index) else { continue };
                *answer = if undecided {
                    Answer::open()
                } else if place < count {
                    Answer::new(true, format!("is among the newest {count}"))
                } else {
                    Answer::new(false, format!("is older than the newest {count}"))
                };
            }
        }
        answers
    }
}

impl Operator {
    fn holds(self, value: SignedDuration, limit: SignedDuration) -> bool {
        match self {
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
        }
    }
}

fn known(candidate: &Candidate) -> &'static str {
    if candidate.known { "is known" } else { "is new" }
}

fn both(one: &str, other: &str) -> String {
    match (one, other) {
        ("", text) | (text, "") => text.to_owned(),
        (one, other) => format!("{one}, {other}"),
    }
}

fn in_words(span: SignedDuration) -> String {
    match span.as_hours() {
        hours @ ..48 => format!("{} h", hours.max(0)),
        hours => format!("{} d", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn candidate(name: &str, days: Option<i64>, known: bool) -> Candidate {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        Candidate {
            repository: format!("reg.io/grp/proj/{repository}"),
            tag: tag.into(),
            created: days.map(|days| now() - SignedDuration::from_hours(24 * days)),
            detailed: days.is_some(),
            changed: None,
            scanned: known.then(|| now() - SignedDuration::from_hours(30)),
            known,
        }
    }

    fn registry() -> Vec<Candidate> {
        vec![
            candidate("app:v1.0", Some(40), true),
            candidate("app:v1.1", Some(20), true),
            candidate("app:v1.2", Some(1), false),
            candidate("app:dev-7", Some(0), false),
            candidate("team/api:v9", Some(3), true),
        ]
    }

    fn selected(patterns: &[&str], expression: Option<&str>, candidates: &[Candidate]) -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
        let selection = Selection::parse(&patterns, expression).unwrap();
        let decisions = selection.decide(candidates, "grp/proj", now());
        let chosen = candidates.iter().zip(decisions);
        chosen
            .filter(|(_, decision)| matches!(decision, Decision::Selected(_)))
            .map(|(one, _)| one.tag.clone())
            .collect()
    }

    #[test]
    fn selects_by_name_and_expression() {
        let all = ["v1.0", "v1.1", "v1.2", "dev-7", "v9"];
        for (patterns, expression, expected) in [
            (&[][..], None, &all[..]),
            (&["app"], None, &all[..4]),
            (&["app:v*"], None, &all[..3]),
            (&["app:*", "!app:dev-*"], None, &all[..3]),
            (&["!app:dev-*"], None, &["v1.0", "v1.1", "v1.2", "v9"]),
            (&["team/**"], None, &["v9"]),
            (&["reg.io/grp/proj/team/api:v9"], None, &["v9"]),
            (&["grp/proj/app:v1.0"], None, &["v1.0"]),
            (&["https://gitlab.example.com/grp/proj/container_registry/12"], None, &[]),
            (&[], Some("none"), &[]),
            (&[], Some("new"), &["v1.2", "dev-7"]),
            (&[], Some("known && repository == grp/proj/app"), &["v1.0", "v1.1"]),
            (&[], Some("tag =~ \"^v[0-9]+\\\\.[0-9]+$\""), &all[..3]),
            (&[], Some("tag !~ ^v"), &["dev-7"]),
            (&[], Some("repository =~ /api$"), &["v9"]),
            (&[], Some("age < 2d"), &["v1.2", "dev-7"]),
            (&[], Some("age >= 3w"), &["v1.0"]),
            (&[], Some("scanned > 1d"), &all),
            (&[], Some("scanned < 1d"), &[]),
            (&[], Some("newest(1)"), &["dev-7", "v9"]),
            (&[], Some("tag == v* && newest(1)"), &["v1.2", "v9"]),
            (&[], Some("newest(2) && !(tag == dev-*) || age > 30d"), &["v1.0", "v1.1", "v1.2", "v9"]),
            (&["app"], Some("newest(9)"), &all[..4]),
        ] {
            assert_eq!(selected(patterns, expression, &registry()), expected, "{patterns:?} {expression:?}");
        }
    }

    #[test]
    fn asks_only_for_what_the_answer_depends_on() {
        let mut candidates = registry();
        for one in &mut candidates {
            one.created = None;
            one.detailed = false;
        }
        let undecided = |expression: &str| {
            let selection = Selection::parse(&[], Some(expression)).unwrap();
            let decisions = selection.decide(&candidates, "grp/proj", now());
            let open = candidates.iter().zip(decisions).filter(|(_, decision)| *decision == Decision::Undecided);
            open.map(|(one, _)| one.tag.clone()).collect::<Vec<_>>()
        };
        assert_eq!(undecided("tag == v1.*"), Vec::<String>::new());
        assert_eq!(undecided("tag == v1.* && age < 3d"), ["v1.0", "v1.1", "v1.2"]);
        assert_eq!(undecided("tag == v1.* && newest(2)"), ["v1.0", "v1.1", "v1.2"]);
        assert_eq!(undecided("tag == v1.* && newest(3)"), Vec::<String>::new());
        assert_eq!(undecided("changed"), ["v1.0", "v1.1", "v9"]);
        assert_eq!(undecided("new || age < 1d"), ["v1.0", "v1.1", "v9"]);
    }

    #[test]
    fn says_why() {
        let selection = Selection::parse(&["!app:dev-*".to_owned()], Some("tag =~ ^v && newest(1)")).unwrap();
        let decisions = selection.decide(&registry(), "grp/proj", now());
        let words: Vec<String> = decisions.into_iter().map(|decision| format!("{decision:?}")).collect();
        assert_eq!(
            words,
            [
                "Excluded(\"is older than the newest 1\")",
                "Excluded(\"is older than the newest 1\")",
                "Selected(\"tag fits ^v, is among the newest 1\")",
                "Excluded(\"is left out by `!app:dev-*`\")",
                "Selected(\"tag fits ^v, is among the newest 1\")",
            ]
        );
    }
}
