//! rpm's package database in its three forms: sqlite (since rpm 4.16), NDB (SUSE) and Berkeley DB (before). Which one a
//! file is its content says, not its name.

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact, InstalledFiles};

use super::{berkeley, ndb, rpm_header, sqlite};

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

    fn extract(&self, _path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        let blobs = if content.starts_with(sqlite::MAGIC) {
            sqlite::blobs(content, "Packages")?
        } else if content.starts_with(ndb::MAGIC) {
            ndb::blobs(content)?
        } else if berkeley::is(content) {
            berkeley::blobs(content)?
        } else {
            return Err(ExtractError::new("an rpm database in none of the known forms (sqlite, NDB, Berkeley DB)"));
        };
        let mut facts = Vec::new();
        for blob in blobs {
            let Some((package, files)) = rpm_header::package(&blob)? else { continue };
            if !files.is_empty() {
                facts.push(Fact::Files(InstalledFiles { package: package.name.clone(), paths: files }));
            }
            facts.push(Fact::Package(Box::new(package)));
        }
        Ok(facts)
    }
}
