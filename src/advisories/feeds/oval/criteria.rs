//! The criteria of an OVAL definition: a tree of AND and OR over tests, flattened to one statement for each test of a
//! package, with the other tests that must hold too.

use std::rc::Rc;

use crate::advisories::FeedError;

use super::tests_of::{Operation, Question, Tests};

/// What a definition says about one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::advisories::feeds) struct Statement {
    pub(in crate::advisories::feeds) package: String,
    pub(in crate::advisories::feeds) operation: Operation,
    /// `epoch:version-release`; empty where the operation needs none.
    pub(in crate::advisories::feeds) version: String,
    /// A pattern such as `aarch64|x86_64`; empty for all.
    pub(in crate::advisories::feeds) arch: String,
    /// The test's own words.
    pub(in crate::advisories::feeds) comment: String,
    /// What else must hold.
    pub(in crate::advisories::feeds) conditions: Conditions,
}

/// The conditions of a group of criteria and of those around it, shared by all statements of the group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::advisories::feeds) struct Conditions(Option<Rc<Link>>);

#[derive(Debug, PartialEq, Eq)]
struct Link {
    outer: Conditions,
    own: Vec<Vec<Condition>>,
    /// Alternatives, with those of the groups around it.
    count: usize,
}

impl Conditions {
    /// Those of the outermost group first; of each list one must hold.
    pub(in crate::advisories::feeds) fn iter(&self) -> impl Iterator<Item = &Vec<Condition>> {
        let outwards = std::iter::successors(self.0.as_deref(), |link| link.outer.0.as_deref());
        let mut links: Vec<&Link> = outwards.collect();
        links.reverse();
        links.into_iter().flat_map(|link| &link.own)
    }

    fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |link| link.count)
    }

    fn with(&self, own: Vec<Vec<Condition>>) -> Self {
        if own.is_empty() {
            return self.clone();
        }
        let count = self.count() + own.iter().map(Vec::len).sum::<usize>();
        Self(Some(Rc::new(Link { outer: self.clone(), own, count })))
    }
}

/// Another test, known by its words: `Oracle Linux 8 is installed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::advisories::feeds) struct Condition(Rc<str>);

impl Condition {
    pub(in crate::advisories::feeds) fn text(&self) -> &str {
        &self.0
    }
}

/// The tree while it is read.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The criteria that are open, the outermost first.
    open: Vec<Group>,
    root: Option<Group>,
    size: usize,
    /// Bytes of all comments.
    text: usize,
}

#[derive(Debug, Default)]
struct Group {
    is_any: bool,
    members: Vec<Member>,
}

#[derive(Debug)]
enum Member {
    Test(Option<u64>, Rc<str>),
    Group(Group),
}

/// How many criteria a definition may have, how deep, how many statements and conditions of them may come of it, and how many
/// bytes all of their words may have.
const MOST: usize = 500_000;
const DEEPEST: usize = 24;
const MOST_STATEMENTS: usize = 200_000;
const MOST_CONDITIONS: usize = 20_000_000;
const MOST_TEXT: usize = 64 << 20;
const LONGEST_COMMENT: usize = 300;

impl Tree {
    pub(super) fn open(&mut self, operator: &str) -> Result<(), FeedError> {
        if self.open.len() >= DEEPEST {
            return Err(FeedError::new(format!("criteria are more than {DEEPEST} deep")));
        }
        self.open.push(Group { is_any: operator.eq_ignore_ascii_case("OR"), members: Vec::new() });
        Ok(())
    }

    pub(super) fn test(&mut self, test: Option<u64>, mut comment: String) -> Result<(), FeedError> {
        self.size += 1;
        within(self.size, MOST, "criteria")?;
        self.text += comment.len();
        within(self.text, MOST_TEXT, "bytes of words")?;
        if comment.len() > LONGEST_COMMENT {
            comment.clear();
        }
        if let Some(group) = self.open.last_mut() {
            group.members.push(Member::Test(test, comment.into()));
        }
        Ok(())
    }

    pub(super) fn close(&mut self) {
        let Some(group) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(outer) => outer.members.push(Member::Group(group)),
            None => self.root = Some(group),
        }
    }

    /// All statements about packages.
    pub(super) fn statements(self, tests: &Tests) -> Result<Vec<Statement>, FeedError> {
        let mut all = Statements::default();
        if let Some(root) = &self.root {
            all.collect(root, &Conditions::default(), tests)?;
        }
        Ok(all.statements)
    }
}

fn within(number: usize, limit: usize, what: &str) -> Result<(), FeedError> {
    if number <= limit { Ok(()) } else { Err(FeedError::new(format!("a definition has more than {limit} {what}"))) }
}

/// The statements of a definition, and what they cost.
#[derive(Default)]
struct Statements {
    statements: Vec<Statement>,
    conditions: usize,
    text: usize,
}

impl Statements {
    /// A test that is not of a package's version is a condition for its siblings, if they must hold together; so is a group
    /// of such tests of which one must hold.
    fn collect(&mut self, group: &Group, outer: &Conditions, tests: &Tests) -> Result<(), FeedError> {
        let mut own = Vec::new();
        if !group.is_any {
            for member in &group.members {
                match member {
                    Member::Test(_, comment) if is_condition(comment) => own.push(vec![Condition(Rc::clone(comment))]),
                    Member::Group(inner) if inner.is_any => own.extend(alternatives(inner)),
                    _ => {}
                }
            }
        }
        let conditions = outer.with(own);
        for member in &group.members {
            match member {
                Member::Test(Some(test), comment) if !is_condition(comment) && !is_signature(comment) => {
                    if let Some(question) = tests.question(*test) {
                        self.add(&question, comment, &conditions)?;
                    }
                }
                Member::Group(inner) => self.collect(inner, &conditions, tests)?,
                Member::Test(..) => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, question: &Question<'_>, comment: &str, conditions: &Conditions) -> Result<(), FeedError> {
        let Question { package, operation, version, arch } = *question;
        self.conditions += conditions.count();
        self.text += package.len() + version.len() + arch.len() + comment.len();
        within(self.statements.len() + 1, MOST_STATEMENTS, "statements")?;
        within(self.conditions, MOST_CONDITIONS, "conditions of statements")?;
        within(self.text, MOST_TEXT, "bytes of words")?;
        self.statements.push(Statement {
            package: package.to_owned(),
            operation,
            version: version.to_owned(),
            arch: arch.to_owned(),
            comment: comment.to_owned(),
            conditions: conditions.clone(),
        });
        Ok(())
    }
}

/// The tests of a group of which one must hold, if all are conditions.
fn alternatives(group: &Group) -> Option<Vec<Condition>> {
    let comments = group.members.iter().map(|member| match member {
        Member::Test(_, comment) if is_condition(comment) => Some(Condition(Rc::clone(comment))),
        _ => None,
    });
    comments.collect()
}

/// Of a product, module or architecture. `zlib-1.2-3 is installed` (SUSE) is about a version: such a word has digits after
/// a hyphen, products have spaces.
fn is_condition(comment: &str) -> bool {
    let of_product = |text: &str| text.contains(' ') && !text.starts_with("Package ");
    comment.strip_suffix(" is installed").is_some_and(of_product)
        || comment.ends_with(" must be installed")
        || (comment.starts_with("Module ") && comment.ends_with(" is enabled"))
        || comment.contains(" arch is ")
}

fn is_signature(comment: &str) -> bool {
    comment.contains(" is signed with ")
}
