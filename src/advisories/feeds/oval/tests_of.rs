//! The tests of an OVAL file: which package and which comparison each stands for. Files have up to some million tests, so
//! they are kept small, by number.

use std::collections::HashMap;

use crate::advisories::xml::{self, Node};
use crate::advisories::{FeedError, compressed};

use super::number;

/// How an installed version is compared with the stated one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::advisories::feeds) enum Operation {
    /// Affected below it.
    LessThan,
    /// Affected up to it.
    LessOrEqual,
    /// Affected whatever the version.
    Any,
    /// Never: how "not affected" is said.
    Never,
}

/// All tests of packages.
#[derive(Debug, Default)]
pub(super) struct Tests {
    tests: HashMap<u64, (u64, Option<u64>)>,
    objects: HashMap<u64, Box<str>>,
    states: HashMap<u64, State>,
}

#[derive(Debug)]
struct State {
    operation: Operation,
    version: Box<str>,
    arch: Box<str>,
}

/// What a test asks of a package.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) package: &'a str,
    pub(super) operation: Operation,
    pub(super) version: &'a str,
    /// A pattern such as `aarch64|x86_64`; empty for all.
    pub(super) arch: &'a str,
}

impl Tests {
    /// Reads tests, objects and states; definitions are passed over.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, FeedError> {
        let source = compressed::reader(bytes).map_err(FeedError::new)?;
        let mut tests = Self::default();
        let mut text = String::new();
        let mut element_id: Option<u64> = None;
        let mut references: (Option<u64>, Option<u64>) = (None, None);
        let (mut state, mut operation) = (None, String::new());
        // States have names too, and numbers that objects have as well.
        let mut is_object = false;
        xml::read(source, |node| {
            match node {
                Node::Open(element) => {
                    text.clear();
                    match element.name() {
                        name if is_any(name, "_test") => {
                            (element_id, references) = (number(&element.attribute("id")), (None, None));
                        }
                        name if is_any(name, "_object") => {
                            (element_id, is_object) = (number(&element.attribute("id")), true);
                        }
                        name if is_any(name, "_state") => {
                            (element_id, state) = (number(&element.attribute("id")), None);
                        }
                        "object" => references.0 = number(&element.attribute("object_ref")),
                        "state" => references.1 = number(&element.attribute("state_ref")),
                        "evr" | "version" => operation = element.attribute("operation"),
                        _ => {}
                    }
                }
                // Titles and names only; nothing that is read here is longer.
                Node::Text(piece) => xml::append(&mut text, piece, LONGEST),
                Node::Close(name) => {
                    let Some(id) = element_id else { return Ok(()) };
                    let value = text.trim();
                    match name {
                        name if is_any(name, "_test") => {
                            if let (Some(object), state) = references {
                                tests.tests.insert(id, (object, state));
                            }
                            element_id = None;
                        }
                        "name" if is_object => drop(tests.objects.insert(id, value.into())),
                        "evr" => {
                            let operation = match operation.as_str() {
                                "less than" => Operation::LessThan,
                                "less than or equal" => Operation::LessOrEqual,
                                "greater than" if matches!(value, "0" | "0:0" | "0:0-0") => Operation::Any,
                                _ => Operation::Never,
                            };
                            let arch = state.take().map_or_else(Box::default, |state: State| state.arch);
                            state = Some(State { operation, version: value.into(), arch });
                        }
                        "version" => {
                            // `==0` is how SUSE says "not affected", `>0` that every version is affected.
                            let operation = match operation.as_str() {
                                "greater than" if value == "0" => Operation::Any,
                                _ => Operation::Never,
                            };
                            let arch = state.take().map_or_else(Box::default, |state: State| state.arch);
                            state = Some(State { operation, version: "".into(), arch });
                        }
                        "arch" => match &mut state {
                            Some(state) => state.arch = value.into(),
                            None => {
                                let (operation, version) = (Operation::Never, "".into());
                                state = Some(State { operation, version, arch: value.into() });
                            }
                        },
                        name if is_any(name, "_state") => {
                            tests.states.extend(state.take().map(|state| (id, state)));
                            element_id = None;
                        }
                        name if is_any(name, "_object") => (element_id, is_object) = (None, false),
                        _ => {}
                    }
                    text.clear();
                    if tests.tests.len().max(tests.objects.len()).max(tests.states.len()) > MOST {
                        return Err(FeedError::new(format!("it has more than {MOST} tests")));
                    }
                }
            }
            Ok(())
        })?;
        Ok(tests)
    }

    /// What a test asks; `None` for tests of anything else than packages.
    pub(super) fn question(&self, test: u64) -> Option<Question<'_>> {
        let (object, state) = self.tests.get(&test)?;
        let package = self.objects.get(object)?;
        let state = match state {
            Some(state) => self.states.get(state),
            // That it is there is all that is asked.
            None => return Some(Question { package, operation: Operation::Any, version: "", arch: "" }),
        };
        let State { operation, version, arch } = state?;
        Some(Question { package, operation: *operation, version, arch })
    }
}

/// `rpminfo_test`, `dpkginfo_state`, …, but not the sections `tests` and `states`.
fn is_any(name: &str, ending: &str) -> bool {
    name.strip_suffix(ending).is_some_and(|kind| !kind.is_empty())
}

/// The largest known file, SUSE's of one release, has some 400,000.
const MOST: usize = 4_000_000;
const LONGEST: usize = 500;
