//! The criteria of an OVAL definition: a tree of AND and OR over tests, flattened to one statement for each test of a
//! package, with the other tests that must hold too.

use crate::advisories::FeedError;

use super::tests_of::{Operation, Tests};

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
    /// What else must hold: of each list one.
    pub(in crate::advisories::feeds) conditions: Vec<Vec<Condition>>,
}

/// Another test, known by its words: `Oracle Linux 8 is installed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::advisories::feeds) struct Condition(String);

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
}

#[derive(Debug, Default)]
struct Group {
    is_any: bool,
    members: Vec<Member>,
}

#[derive(Debug)]
enum Member {
    Test(Option<u64>, String),
    Group(Group),
}

/// How many criteria a definition may have, how deep, and how many statements may come of it.
const MOST: usize = 500_000;
const DEEPEST: usize = 24;
const MOST_STATEMENTS: usize = 200_000;
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
        if self.size > MOST {
            return Err(FeedError::new(format!("a definition has more than {MOST} criteria")));
        }
        if comment.len() > LONGEST_COMMENT {
            comment.clear();
        }
        if let Some(group) = self.open.last_mut() {
            group.members.push(Member::Test(test, comment));
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
    pub(super) fn statements(self, tests: &Tests) -> Vec<Statement> {
        let mut statements = Vec::new();
        if let Some(root) = &self.root {
            collect(root, &mut Vec::new(), tests, &mut statements);
        }
        statements
    }
}

/// A test that is not of a package's version is a condition for its siblings, if they must hold together; so is a group of
/// such tests of which one must hold.
fn collect<'a>(group: &'a Group, conditions: &mut Vec<Vec<&'a str>>, tests: &Tests, statements: &mut Vec<Statement>) {
    let outer = conditions.len();
    if !group.is_any {
        for member in &group.members {
            match member {
                Member::Test(_, comment) if is_condition(comment) => conditions.push(vec![comment]),
                Member::Group(inner) if inner.is_any => conditions.extend(alternatives(inner)),
                _ => {}
            }
        }
    }
    for member in &group.members {
        match member {
            Member::Test(Some(test), comment) if !is_condition(comment) && !is_signature(comment) => {
                let Some(question) = tests.question(*test) else { continue };
                if statements.len() < MOST_STATEMENTS {
                    let owned = |any: &Vec<&str>| any.iter().map(|text| Condition((*text).to_owned())).collect();
                    statements.push(Statement {
                        package: question.package.to_owned(),
                        operation: question.operation,
                        version: question.version.to_owned(),
                        arch: question.arch.to_owned(),
                        comment: comment.clone(),
                        conditions: conditions.iter().map(owned).collect(),
                    });
                }
            }
            Member::Group(inner) => collect(inner, conditions, tests, statements),
            Member::Test(..) => {}
        }
    }
    conditions.truncate(outer);
}

/// The tests of a group of which one must hold, if all are conditions.
fn alternatives(group: &Group) -> Option<Vec<&str>> {
    let comments = group.members.iter().map(|member| match member {
        Member::Test(_, comment) if is_condition(comment) => Some(comment.as_str()),
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
