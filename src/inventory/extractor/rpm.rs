//! The rpm database in its three forms, told apart by content: SQLite, NDB and Berkeley DB hash. Each form is a way to
//! store package headers ([`header`]); all is read in memory, nothing of it is executed or followed on this machine.
//!
//! A write-ahead log beside an SQLite database is a fact of its own; the database is read once more with it ([`WithLog`]).

mod bdb;
mod header;
mod manifest;
mod ndb;

use super::files::Files;
use super::sqlite::{self, Broken};
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::inventory::fact::SqliteLog;
use crate::model::PackageKind;

/// Where distributions keep the database: rpm's default, SUSE and Fedora since 36, ostree.
const DIRECTORIES: &[&str] = &["var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/"];

/// The file name of the database in SQLite's form.
pub(in crate::inventory) const SQLITE: &str = "rpmdb.sqlite";
/// What follows a database's name in that of its log.
pub(in crate::inventory) const LOG: &str = "-wal";

/// Reads the rpm database.
pub(super) struct Rpm;

impl Extractor for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "packages of Red Hat, AlmaLinux, Rocky, Oracle, Amazon, Fedora, SUSE, Photon, Azure Linux and others: \
             `{var/lib,usr/lib/sysimage,usr/share}/rpm/{rpmdb.sqlite,rpmdb.sqlite-wal,Packages.db,Packages}` (SQLite with its log, NDB, Berkeley DB)",
            "packages of distroless Azure Linux and Mariner images: `var/lib/rpmmanifest/container-manifest-2`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let name = DIRECTORIES.iter().find_map(|directory| entry.path.strip_prefix(directory));
        matches!(name, Some("rpmdb.sqlite" | "rpmdb.sqlite-wal" | "Packages.db" | "Packages"))
            || entry.path == manifest::PATH
    }

    fn is_package_database(&self, _: &str) -> bool {
        true
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let path = file.path();
        let data = file.whole()?;
        if path == manifest::PATH {
            return manifest::read(data);
        }
        if path.ends_with(LOG) {
            return Ok(sqlite::committed(data).map(Fact::SqliteLog).into_iter().collect());
        }
        database(data)
    }
}

/// Reads an SQLite database as it is once a log is applied.
pub(in crate::inventory) struct WithLog<'a>(pub(in crate::inventory) &'a SqliteLog);

impl Extractor for WithLog<'_> {
    fn name(&self) -> &'static str {
        "rpm with log"
    }

    fn claims(&self) -> &'static [&'static str] {
        Rpm.claims()
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.ends_with(SQLITE)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let mut data = file.whole()?.to_vec();
        sqlite::apply(&mut data, self.0).map_err(ExtractError::malformed)?;
        database(&data)
    }
}

fn database(data: &[u8]) -> Result<Vec<Fact>, ExtractError> {
    let mut found = Found { packages: Vec::new(), malformed: 0, is_full: false, left: data.len(), files: Files::new() };
    let read = if sqlite::is_sqlite(data) {
        // hnum, which is the row's number, and blob
        sqlite::rows(data, "Packages", &mut |row| sqlite::column(row, 1).is_none_or(|blob| found.header(blob)))
    } else if ndb::is_ndb(data) {
        ndb::read(data, &mut found)
    } else if bdb::is_bdb(data) {
        bdb::read(data, &mut found)
    } else {
        return Err(ExtractError::malformed("not an rpm database in SQLite, NDB or Berkeley DB form"));
    };
    found.finish(read)
}

/// The package headers of a database.
struct Found {
    packages: Vec<super::super::fact::Installed>,
    malformed: usize,
    is_full: bool,
    /// Bytes that headers may still take. In a sound file they do not overlap.
    left: usize,
    files: Files,
}

impl Found {
    /// Takes a package header as it is stored; says whether more are wanted.
    fn header(&mut self, blob: &[u8]) -> bool {
        let Some(left) = self.left.checked_sub(blob.len()) else {
            self.malformed += 1;
            return false;
        };
        self.left = left;
        match header::read(blob, &mut self.files) {
            Some(Some(_)) if self.packages.len() == MOST_PACKAGES => self.is_full = true,
            Some(Some(installed)) => self.packages.push(installed),
            Some(None) => {}
            None => self.malformed += 1,
        }
        !self.is_full
    }

    fn finish(self, read: Result<(), Broken>) -> Result<Vec<Fact>, ExtractError> {
        if let (true, Err(reason)) = (self.packages.is_empty(), read) {
            return Err(ExtractError::malformed(format!("the rpm database is corrupt: {reason}")));
        }
        let mut facts = vec![Fact::Database { kind: PackageKind::Rpm, packages: self.packages }];
        if let Err(reason) = read {
            facts.push(Fact::Incomplete(format!("the rpm database is corrupt: {reason}")));
        }
        if self.malformed > 0 {
            facts.push(Fact::Incomplete(format!("{} of its package headers are malformed", self.malformed)));
        }
        if self.is_full {
            facts.push(too_many_packages());
        }
        facts.extend(self.files.note());
        Ok(facts)
    }
}

#[cfg(test)]
mod tests;
