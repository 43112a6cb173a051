//! Reads archives and those that lie in them, within limits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use super::super::share::{self, Share};
use super::super::zip::{self, Data, Member, Wish, Zip};
use super::super::{MOST_PACKAGES, sbom, too_many_packages};
use super::manifest::Manifest;
use super::namespaces::Namespaces;
use super::{Fact, bill, file_name, is_mavens, is_pom, is_properties, pom, properties, wish};
use crate::model::{Limits, Package};

/// Members of all archives that are named as unreadable.
const MOST_NOTES: usize = 100;
/// An archive within an archive, and all of them together that are in memory at a time because one lies in the other.
const LARGEST_NESTED: usize = 256 << 20;
/// Project files of one archive.
const MOST_POMS: usize = 1_000;
/// Why a member is not read that may be sound.
const LONG_NAME: &str = "its name is too long";
const TOO_DEEP: &str = "it is nested too deep";
const TOO_MUCH: &str = "the archive holds too much";
/// A `pom.properties`, `pom.xml` or manifest.
const LARGEST_METADATA: usize = 4 << 20;
/// Bills of materials that are read, and their size.
const MOST_BILLS: usize = 10;
const LARGEST_BILL: usize = SMALL;
/// Names, versions and places of all packages, in bytes.
const MOST_TEXT: usize = 64 << 20;
/// How much of a member's name is shown.
const LONGEST_SHOWN: usize = 200;
/// Unpacked archives up to this need no turn of their own.
const SMALL: usize = share::SMALL as usize;

/// Reads the outermost archive and all in it.
pub(super) struct Reader<'l> {
    limits: &'l Limits,
    facts: Vec<Fact>,
    /// Packages of the outermost archive's bills of materials, with the members that name them.
    bills: Vec<(Rc<str>, Package)>,
    bills_read: usize,
    /// Bytes of members that may still be read, nested ones included: what is packed or unpacked, whichever is more.
    left: usize,
    /// Archives within archives.
    deepest: usize,
    /// Bytes of unpacked archives in which the one that is being read lies.
    held: usize,
    /// What was waited for to hold them.
    turn: Turn,
    packages: usize,
    /// Bytes that packages may still take.
    text: usize,
    is_cut: bool,
    notes: usize,
}

/// The right to hold unpacked archives. Who waits for the next one holds those before, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// What is small needs none.
    None,
    /// For as many bytes.
    Some(usize),
    /// For as many as it may ever be.
    All,
}

/// A member that could not be understood; one stands for all others of its archive.
#[derive(Default)]
struct Broken {
    first: Option<(String, &'static str)>,
    more: usize,
}

impl Broken {
    fn add(&mut self, member: &str, reason: &'static str) {
        match self.first {
            None => self.first = Some((shown(member).to_owned(), reason)),
            Some(_) => self.more += 1,
        }
    }
}

impl<'l> Reader<'l> {
    pub(super) fn new(limits: &'l Limits, deepest: usize) -> Self {
        Self {
            limits,
            facts: Vec::new(),
            bills: Vec::new(),
            bills_read: 0,
            left: usize::try_from(limits.archive_size).unwrap_or(usize::MAX),
            deepest,
            held: 0,
            turn: Turn::None,
            packages: 0,
            text: MOST_TEXT,
            is_cut: false,
            notes: 0,
        }
    }

    /// All that was read.
    pub(super) fn into_facts(mut self) -> Vec<Fact> {
        let bills = std::mem::take(&mut self.bills);
        for (inside, package) in bill::apply(&mut self.facts, &bills) {
            self.package(&inside, package);
        }
        self.facts
    }

    /// Reads one archive. `inside` is its path in the outermost one, empty for that itself.
    pub(super) fn archive(
        &mut self,
        path: &str,
        inside: &str,
        data: Data<'_>,
        depth: usize,
    ) -> Result<(), &'static str> {
        let zip = Zip::open(data)?;
        self.own(&zip, path, inside, depth)?;
        for member in zip.members() {
            let member = member?;
            let name = member.name.as_ref();
            if wish(name) != Wish::Archive {
                continue;
            }
            let nested = if inside.is_empty() { name.to_owned() } else { format!("{inside}!/{name}") };
            let read = if nested.len() > self.limits.path_length {
                Err(LONG_NAME)
            } else if depth >= self.deepest {
                Err(TOO_DEEP)
            } else {
                self.nested(&zip, &member, &nested, depth)
            };
            if let Err(reason) = read {
                self.note(&nested, reason);
            }
        }
        Ok(())
    }

    /// Reads what an archive says of itself and of what was shaded into it.
    fn own(&mut self, zip: &Zip<'_>, path: &str, inside: &str, depth: usize) -> Result<(), &'static str> {
        let first = self.facts.len();
        let mut is_named = false;
        let mut manifest = Manifest::default();
        let mut poms = Vec::new();
        // The folders of Maven's properties, and where in the facts their packages are.
        let mut folders: HashMap<Cow<'_, str>, usize> = HashMap::new();
        let mut broken = Broken::default();
        let mut left_out = 0_usize;
        for member in zip.members() {
            let member = member?;
            let name = member.name.as_ref();
            if wish(name) != Wish::Content {
                continue;
            }
            if name.len() > self.limits.path_length {
                self.note(name, LONG_NAME);
            } else if is_pom(name) {
                if poms.len() < MOST_POMS {
                    poms.push(member);
                } else {
                    left_out += 1;
                }
            } else if bill::is_one(name) {
                // What a library carries is what it was built with; that is not in it.
                if depth == 1 {
                    self.bill(zip, &member);
                }
            } else {
                match self.unpack(zip, &member, LARGEST_METADATA) {
                    Ok(content) if is_properties(name) => match properties::package(&content) {
                        Some(package) => {
                            is_named = true;
                            if let Some(at) = self.package(inside, package) {
                                folders.insert(folder(member.name), at);
                            }
                        }
                        // Other tools may have files of that name.
                        None if !is_mavens(name) => {}
                        None => broken.add(name, "it does not name group, artifact and version"),
                    },
                    Ok(content) => manifest = Manifest::of(&content),
                    Err(reason) => self.note(name, reason),
                }
            }
        }
        for member in &poms {
            let described = folders.get(folder_of(&member.name)).copied();
            if is_named && described.is_none() {
                continue;
            }
            match self.unpack(zip, member, LARGEST_METADATA) {
                Ok(content) => {
                    let project = pom::read(&content, self.limits);
                    match (described, project.package) {
                        (Some(at), _) => self.describe(at, project.licenses),
                        (None, Some(package)) => {
                            self.package(inside, Package { licenses: project.licenses, ..package });
                        }
                        (None, None) if project.is_broken => broken.add(&member.name, "it is no XML document"),
                        (None, None) => {}
                    }
                }
                Err(reason) => self.note(member.name.as_ref(), reason),
            }
        }
        if left_out > 0 && !is_named {
            let what = format!("it has {left_out} more project files than the {MOST_POMS} that were read");
            self.say(Fact::LimitMet(what));
        }
        if let Some((member, reason)) = broken.first {
            let more = if broken.more > 0 { format!(" and {} more", broken.more) } else { String::new() };
            self.say(Fact::Incomplete(format!("`{member}`{more} in it could not be read: {reason}")));
        }
        self.artifact(zip, &manifest, path, inside, first)
    }

    /// Adds what manifest and file name say of the archive, or says what the manifest adds to what Maven says, which is
    /// in the facts from `first` on. These may all be of what was shaded into it. An application is often renamed
    /// (`app.jar`), but then the versions agree.
    fn artifact(
        &mut self,
        zip: &Zip<'_>,
        manifest: &Manifest,
        path: &str,
        inside: &str,
        first: usize,
    ) -> Result<(), &'static str> {
        let Some(mut own) = manifest.package(path) else { return Ok(()) };
        let stem = file_name::stem(path);
        let is_called = |package: &Package| {
            let called = artifact(package);
            called == artifact(&own)
                || stem.strip_prefix(called).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| {
                    rest.strip_prefix(package.version.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
                })
        };
        let of_maven = self.facts.iter().enumerate().skip(first).filter_map(|(at, fact)| match fact {
            Fact::Package(package) | Fact::Nested { package, .. } => Some((at, package)),
            _ => None,
        });
        let (mut is_named, mut known) = (false, None);
        for (at, package) in of_maven {
            is_named |= package.version == own.version;
            if is_called(package) {
                known = Some((at, package.licenses.is_empty()));
                break;
            }
        }
        match known {
            Some((at, true)) => self.describe(at, manifest.licenses()),
            Some(_) => {}
            None if is_named => {}
            None => {
                own.licenses = manifest.licenses();
                if !own.name.contains(':') {
                    let mut namespaces = Namespaces::default();
                    for member in zip.members() {
                        namespaces.see(&member?.name);
                    }
                    own.namespaces = namespaces.with(manifest.names());
                }
                self.package(inside, own);
            }
        }
        Ok(())
    }

    /// Reads a bill of materials.
    fn bill(&mut self, zip: &Zip<'_>, member: &Member<'_>) {
        self.bills_read += 1;
        if self.bills_read > MOST_BILLS {
            return self.note(&member.name, "there are too many such documents");
        }
        let content = match self.unpack(zip, member, LARGEST_BILL) {
            Ok(content) => content,
            Err(reason) => return self.note(&member.name, reason),
        };
        match sbom::facts(&content, self.limits) {
            Ok(facts) => {
                let name: Rc<str> = member.name.as_ref().into();
                for fact in facts {
                    match fact {
                        Fact::Package(package) if self.bills.len() < MOST_PACKAGES => {
                            self.bills.push((Rc::clone(&name), package));
                        }
                        Fact::Package(_) => {
                            if !std::mem::replace(&mut self.is_cut, true) {
                                self.facts.push(too_many_packages());
                            }
                            return;
                        }
                        other => self.facts.push(other),
                    }
                }
            }
            Err(error) => self.note(&member.name, &error.to_string()),
        }
    }

    /// Reads an archive that lies in one of this depth; an empty one says nothing.
    fn nested(&mut self, zip: &Zip<'_>, member: &Member<'_>, inside: &str, depth: usize) -> Result<(), &'static str> {
        if let Some(pieces) = zip.pieces_of(member) {
            self.pay(member)?;
            return self.archive(&member.name, inside, pieces?, depth + 1);
        }
        let most = LARGEST_NESTED.saturating_sub(self.held);
        if !member.is_packed() {
            let content = self.unpack(zip, member, most)?;
            return if content.is_empty() {
                Ok(())
            } else {
                self.archive(&member.name, inside, content.as_ref().into(), depth + 1)
            };
        }
        let before = (self.held, self.turn);
        // Nothing is unpacked that is larger than it promises to be.
        let share = if member.unpacked() <= most { self.take_turn(self.held + member.unpacked()) } else { None };
        let read = self.unpack(zip, member, most).and_then(|content| {
            self.held += content.len();
            if content.is_empty() {
                Ok(())
            } else {
                self.archive(&member.name, inside, content.as_ref().into(), depth + 1)
            }
        });
        (self.held, self.turn) = before;
        drop(share);
        read
    }

    /// Waits until so many bytes may be held, where it is much and was not waited for yet.
    fn take_turn(&mut self, bytes: usize) -> Option<Share<'static>> {
        match self.turn {
            Turn::None if bytes > SMALL => {
                self.turn = Turn::Some(bytes);
                Some(Share::of_nested(bytes as u64))
            }
            Turn::Some(granted) if bytes > granted.saturating_add(SMALL) => {
                self.turn = Turn::All;
                Some(Share::of_all_nested())
            }
            _ => None,
        }
    }

    fn unpack<'z>(&mut self, zip: &Zip<'z>, member: &Member<'z>, limit: usize) -> Result<Cow<'z, [u8]>, &'static str> {
        self.pay(member)?;
        zip.read(member, limit)
    }

    fn pay(&mut self, member: &Member<'_>) -> Result<(), &'static str> {
        self.left = self.left.checked_sub(member.cost()).ok_or(TOO_MUCH)?;
        Ok(())
    }

    /// Adds a package, unless there are too many, and says where it is among the facts.
    fn package(&mut self, inside: &str, package: Package) -> Option<usize> {
        let texts = package.licenses.iter().chain(&package.namespaces).map(String::len).sum::<usize>();
        let size = inside.len() + package.name.len() + package.version.len() + texts;
        let text = self.text.checked_sub(size).filter(|_| self.packages < MOST_PACKAGES);
        let Some(text) = text else {
            self.cut();
            return None;
        };
        self.text = text;
        self.packages += 1;
        self.facts.push(if inside.is_empty() {
            Fact::Package(package)
        } else {
            Fact::Nested { inside: inside.to_owned(), package }
        });
        Some(self.facts.len() - 1)
    }

    /// Says once that packages are left out.
    fn cut(&mut self) {
        if !std::mem::replace(&mut self.is_cut, true) {
            self.facts.push(if self.packages < MOST_PACKAGES {
                Fact::LimitMet(format!(
                    "the names in it take more than {} MiB; the other packages are left out",
                    MOST_TEXT >> 20
                ))
            } else {
                too_many_packages()
            });
        }
    }

    /// Adds the licences of a package.
    fn describe(&mut self, at: usize, licenses: Vec<String>) {
        let size = licenses.iter().map(String::len).sum();
        let Some(text) = self.text.checked_sub(size) else { return };
        if let Some(Fact::Package(package) | Fact::Nested { package, .. }) = self.facts.get_mut(at) {
            self.text = text;
            package.licenses = licenses;
        }
    }

    /// Says what could not be read.
    fn note(&mut self, member: &str, reason: &str) {
        let what = format!("`{}` in it could not be read: {reason}", shown(member));
        let is_limit = [LONG_NAME, TOO_DEEP, TOO_MUCH, zip::TOO_LARGE].contains(&reason);
        self.say(if is_limit { Fact::LimitMet(what) } else { Fact::Incomplete(what) });
    }

    /// Says that something is missing; not without end.
    fn say(&mut self, what: Fact) {
        self.notes += 1;
        if self.notes <= MOST_NOTES {
            self.facts.push(what);
        }
    }
}

fn artifact(package: &Package) -> &str {
    package.name.rsplit(':').next().unwrap_or_default()
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn folder(name: Cow<'_, str>) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(folder_of(name)),
        Cow::Owned(name) => Cow::Owned(folder_of(&name).to_owned()),
    }
}

/// A member's name, which may be very long.
fn shown(name: &str) -> &str {
    name.get(..name.floor_char_boundary(LONGEST_SHOWN)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_taken_once_for_what_is_large() {
        let limits = Limits::default();
        let mut reader = Reader::new(&limits, 5);
        // What is held, in MiB, and the turn that it is held by.
        for (size, takes, turn) in [
            (5, false, Turn::None),
            (20, true, Turn::Some(20 << 20)),
            (30, false, Turn::Some(20 << 20)),
            (40, true, Turn::All),
            (256, false, Turn::All),
        ] {
            let share = reader.take_turn(size << 20);
            assert_eq!((share.is_some(), reader.turn), (takes, turn), "{size} MiB");
        }
    }
}
