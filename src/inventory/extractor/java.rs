//! Java archives: jar, war, ear and kin, nested ones too. What is in an archive is told by the `pom.properties` that
//! Maven leaves in it, one for each artifact of a shaded archive, else by a `pom.xml` in its place, else by its manifest
//! and its file name.
//!
//! Of an archive only what may tell this is in memory, with limits on entries, nesting and unpacked bytes.

mod manifest;
mod pom;

use std::borrow::Cow;
use std::io::BufRead as _;

use super::text::{lines, text};
use super::zip::{Data, Kept, Member, Wish, Zip};
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES};
use crate::image::Entry;
use crate::model::{Limits, Package, PackageKind};

/// Endings of archives that are always Java's, and of those that others use too.
const ARCHIVES: &[&str] = &["jar", "war", "ear"];
const OTHER_ARCHIVES: &[&str] = &["par", "sar", "kar", "nar", "rar", "hpi", "jpi", "lpkg"];
/// Whatever the limits say: each level takes room on the stack.
const MOST_NESTED: usize = 64;
/// Members of one archive that are named as unreadable.
const MOST_NOTES: usize = 100;
/// An archive within an archive, and all of them together that are in memory at a time because one lies in the other.
const LARGEST_NESTED: usize = 256 << 20;
/// Project files without properties beside them, of one archive.
const MOST_POMS: usize = 1_000;
/// A `pom.properties`, `pom.xml` or manifest.
const LARGEST_METADATA: usize = 4 << 20;

/// Reads Java archives.
pub(super) struct Java;

impl Extractor for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["Java archives, nested to depth 5: `**/*.{jar,war,ear,par,sar,kar,nar,rar,hpi,jpi,lpkg}` \
             (`**/pom.properties`, else `META-INF/maven/**/pom.xml`, manifest, file name)"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        is_archive(entry.path)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let path = file.path();
        let limits = file.limits();
        let is_others = OTHER_ARCHIVES.contains(&ending(path));
        let first = file.fill_buf()?;
        if first.is_empty() || is_others && !b"PK".starts_with(first.get(..2).unwrap_or(first)) {
            return Ok(Vec::new());
        }
        let kept = Kept::read(file, deepest(limits), wish)?;
        if is_others && !kept.is_bare {
            return Ok(Vec::new());
        }
        facts(path, kept.data(), limits).map_err(ExtractError::malformed)
    }
}

/// What an archive says.
fn facts(path: &str, data: Data<'_>, limits: &Limits) -> Result<Vec<Fact>, &'static str> {
    let left = usize::try_from(limits.archive_size).unwrap_or(usize::MAX);
    let mut reader =
        Reader { limits, facts: Vec::new(), left, deepest: deepest(limits), held: 0, packages: 0, notes: 0 };
    reader.archive(path, "", data, 1)?;
    Ok(reader.facts)
}

fn deepest(limits: &Limits) -> usize {
    limits.archive_depth.min(MOST_NESTED)
}

/// What is looked at in an archive.
fn wish(name: &str) -> Wish {
    match name {
        _ if is_properties(name) || name == manifest::PATH || is_pom(name) => Wish::Content,
        _ if is_archive(name) => Wish::Archive,
        _ => Wish::Nothing,
    }
}

/// Of Maven in META-INF/maven, of other tools anywhere.
fn is_properties(name: &str) -> bool {
    name.rsplit('/').next() == Some("pom.properties")
}

fn is_pom(name: &str) -> bool {
    name.starts_with("META-INF/maven/") && name.ends_with("/pom.xml")
}

fn ending(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

fn is_archive(path: &str) -> bool {
    let ending = ending(path);
    ARCHIVES.contains(&ending) || OTHER_ARCHIVES.contains(&ending)
}

struct Reader<'l> {
    limits: &'l Limits,
    facts: Vec<Fact>,
    /// Bytes of members that may still be read, nested ones included: what is packed or unpacked, whichever is more.
    left: usize,
    /// Archives within archives.
    deepest: usize,
    /// Bytes of unpacked archives in which the one that is being read lies.
    held: usize,
    packages: usize,
    notes: usize,
}

impl Reader<'_> {
    /// Reads one archive. `inside` is its path in the outermost one, empty for that itself.
    fn archive(&mut self, path: &str, inside: &str, data: Data<'_>, depth: usize) -> Result<(), &'static str> {
        let zip = Zip::open(data)?;
        let first = self.facts.len();
        let mut is_named = false;
        let mut found_manifest = None;
        let mut poms: Vec<Member<'_>> = Vec::new();
        let mut found_poms = Vec::new();
        for member in zip.members() {
            let member = member?;
            let name = member.name.as_ref();
            let is_properties = is_properties(name);
            if is_properties || name == manifest::PATH {
                match self.unpack(&zip, &member, LARGEST_METADATA) {
                    Ok(content) if is_properties => {
                        if let Some(package) = properties(&content) {
                            is_named = true;
                            self.package(inside, package);
                        }
                    }
                    Ok(content) => found_manifest = Some(content.into_owned()),
                    Err(reason) => self.note(name, reason),
                }
            } else if is_pom(name) {
                // A shaded archive may have one for each artifact, but these mostly have properties too.
                if !is_named && poms.len() < MOST_POMS {
                    poms.push(member);
                }
            } else if is_archive(name) {
                let nested = if inside.is_empty() { name.to_owned() } else { format!("{inside}!/{name}") };
                if depth >= self.deepest {
                    self.note(&nested, "it is nested too deep");
                    continue;
                }
                if let Err(reason) = self.nested(&zip, &member, &nested, depth) {
                    self.note(&nested, reason);
                }
            }
        }
        for member in poms.iter().filter(|_| !is_named) {
            match self.unpack(&zip, member, LARGEST_METADATA) {
                Ok(content) => found_poms.extend(pom::package(&content, self.limits)),
                Err(reason) => self.note(member.name.as_ref(), reason),
            }
        }
        for package in found_poms {
            self.package(inside, package);
        }
        let own = manifest::package(path, found_manifest.as_deref().unwrap_or_default());
        if let Some(package) = own.filter(|own| !self.has_named(first, inside, own)) {
            self.package(inside, package);
        }
        Ok(())
    }

    /// Reads an archive that lies in one of this depth; an empty one says nothing.
    fn nested(&mut self, zip: &Zip<'_>, member: &Member<'_>, inside: &str, depth: usize) -> Result<(), &'static str> {
        if let Some(pieces) = zip.pieces_of(member) {
            self.pay(member)?;
            return self.archive(&member.name, inside, pieces?, depth + 1);
        }
        let content = self.unpack(zip, member, LARGEST_NESTED.saturating_sub(self.held))?;
        if content.is_empty() {
            return Ok(());
        }
        let held = if let Cow::Owned(content) = &content { content.len() } else { 0 };
        self.held += held;
        let read = self.archive(&member.name, inside, content.as_ref().into(), depth + 1);
        self.held -= held;
        read
    }

    /// Whether Maven's files, read since `first`, name the archive itself; they may all be of what was shaded into it. An
    /// application is often renamed (`app.jar`), but then the versions agree.
    fn has_named(&self, first: usize, inside: &str, own: &Package) -> bool {
        let artifact = |package: &Package| package.name.rsplit(':').next().unwrap_or_default().to_owned();
        let is_own = |package: &Package| package.version == own.version || artifact(package) == artifact(own);
        self.facts.get(first..).unwrap_or_default().iter().any(|fact| match fact {
            Fact::Package(package) => inside.is_empty() && is_own(package),
            Fact::Nested { inside: at, package } => at == inside && is_own(package),
            _ => false,
        })
    }

    fn unpack<'z>(&mut self, zip: &Zip<'z>, member: &Member<'z>, limit: usize) -> Result<Cow<'z, [u8]>, &'static str> {
        self.pay(member)?;
        zip.read(member, limit)
    }

    fn pay(&mut self, member: &Member<'_>) -> Result<(), &'static str> {
        self.left = self.left.checked_sub(member.cost()).ok_or("the archive holds too much")?;
        Ok(())
    }

    fn package(&mut self, inside: &str, package: Package) {
        self.packages += 1;
        if self.packages > MOST_PACKAGES {
            return;
        }
        self.facts.push(if inside.is_empty() {
            Fact::Package(package)
        } else {
            Fact::Nested { inside: inside.to_owned(), package }
        });
    }

    /// Says what could not be read; not without end.
    fn note(&mut self, member: &str, reason: &str) {
        self.notes += 1;
        if self.notes <= MOST_NOTES {
            self.facts.push(Fact::Incomplete(format!("`{member}` in it could not be read: {reason}")));
        }
    }
}

/// What Maven says about an artifact.
fn properties(content: &[u8]) -> Option<Package> {
    let property = |wanted: &str| {
        lines(content).map(text).find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == wanted).then(|| value.trim().to_owned()).filter(|value| !value.is_empty())
        })
    };
    let name = format!("{}:{}", property("groupId")?, property("artifactId")?);
    Some(Package::new(PackageKind::Maven, name, property("version")?))
}

#[cfg(test)]
mod tests;
