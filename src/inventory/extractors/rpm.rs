//! rpm's package database in its sqlite form (`rpmdb.sqlite`), the default since rpm 4.16.
//!
//! The older forms (Berkeley DB `Packages`, NDB `Packages.db`) are claimed and refused by name, so that an image which
//! has one is reported as not readable instead of empty.

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact, InstalledFiles};

use super::{rpm_header, sqlite};

pub(in crate::inventory) struct Rpm;

const DIRECTORIES: [&str; 3] = ["var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/"];

impl Extractor for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["{var/lib/rpm,usr/lib/sysimage/rpm,usr/share/rpm}/{rpmdb.sqlite,Packages.db,Packages}"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let name = DIRECTORIES.iter().find_map(|directory| entry.path.strip_prefix(directory));
        entry.size > 0 && name.is_some_and(|name| matches!(name, "rpmdb.sqlite" | "Packages.db" | "Packages"))
    }

    fn is_package_database(&self) -> bool {
        true
    }

    fn extract(&self, path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        if !content.starts_with(sqlite::MAGIC) {
            let form = if path.ends_with(".db") { "NDB" } else { "Berkeley DB" };
            return Err(ExtractError::new(format!("an rpm database in {form} form, which cannot be read yet")));
        }
        let mut facts = Vec::new();
        for blob in sqlite::blobs(content, "Packages")? {
            let Some((package, files)) = rpm_header::package(&blob)? else { continue };
            if !files.is_empty() {
                facts.push(Fact::Files(InstalledFiles { package: package.name.clone(), paths: files }));
            }
            facts.push(Fact::Package(Box::new(package)));
        }
        Ok(facts)
    }
}
