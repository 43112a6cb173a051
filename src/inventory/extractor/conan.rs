//! Packages in the cache of Conan 2, whose folders have no names: the table `packages` of `p/cache.sqlite3` says what lies
//! there. (Conan 1 keeps each package in a folder of its own name, see [`super::by_folder`].)

use std::collections::BTreeSet;

use super::sqlite::{self, column};
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Reads the cache's database.
pub(super) struct Conan;

impl Extractor for Conan {
    fn name(&self) -> &'static str {
        "conan"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["packages in the cache of Conan 2: `**/p/cache.sqlite3`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.ends_with("/p/cache.sqlite3")
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let data = file.whole()?;
        if !sqlite::is_sqlite(data) {
            return Err(ExtractError::malformed("not an SQLite database"));
        }
        let mut found: BTreeSet<(String, String)> = BTreeSet::new();
        let read = sqlite::rows(data, "packages", &mut |row| {
            found.extend(column(row, 0).and_then(reference));
            found.len() <= MOST_PACKAGES
        });
        if let (true, Err(reason)) = (found.is_empty(), read) {
            return Err(ExtractError::malformed(format!("the cache's database is corrupt: {reason}")));
        }
        let is_too_long = found.len() > MOST_PACKAGES;
        let broken = read.err().map(|reason| Fact::Incomplete(format!("the cache's database is corrupt: {reason}")));
        let packages = found.into_iter().take(MOST_PACKAGES);
        let packages = packages.map(|(name, version)| Fact::Package(Package::new(PackageKind::Conan, name, version)));
        Ok(packages.chain(is_too_long.then(too_many_packages)).chain(broken).collect())
    }
}

/// `zlib/1.2.13` or `zlib/1.2.13@user/channel`.
fn reference(text: &[u8]) -> Option<(String, String)> {
    let (name, rest) = std::str::from_utf8(text).ok()?.split_once('/')?;
    let version = rest.split(['@', '#']).next()?;
    (!name.is_empty() && !version.is_empty()).then(|| (name.to_owned(), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    /// A database of two pages: the schema and one leaf with these references, each row followed by a revision.
    fn database(references: &[&str]) -> Vec<u8> {
        const PAGE: usize = 512;
        let record = |columns: &[&[u8]], root: Option<u8>| {
            let mut types: Vec<u8> =
                columns.iter().map(|column| 13 + 2 * u8::try_from(column.len()).expect("short")).collect();
            let mut values = columns.concat();
            if let Some(root) = root {
                types.push(1);
                values.push(root);
            }
            [vec![u8::try_from(types.len() + 1).expect("few")], types, values].concat()
        };
        let leaf = |page: &mut [u8], header: usize, records: &[Vec<u8>]| {
            let mut end = PAGE;
            for (index, record) in records.iter().enumerate() {
                let cell = [
                    &[u8::try_from(record.len()).expect("short"), u8::try_from(index + 1).expect("few")],
                    record.as_slice(),
                ]
                .concat();
                end -= cell.len();
                page[end..end + cell.len()].copy_from_slice(&cell);
                let slot = header + 8 + 2 * index;
                page[slot..slot + 2].copy_from_slice(&u16::try_from(end).expect("in the page").to_be_bytes());
            }
            page[header] = 13;
            page[header + 3..header + 5].copy_from_slice(&u16::try_from(records.len()).expect("few").to_be_bytes());
        };
        let mut file = vec![0; 2 * PAGE];
        file[..16].copy_from_slice(b"SQLite format 3\0");
        file[16..18].copy_from_slice(&512_u16.to_be_bytes());
        let (schema, content) = file.split_at_mut(PAGE);
        leaf(schema, 100, &[record(&[b"table", b"packages", b"packages"], Some(2))]);
        let rows: Vec<_> =
            references.iter().map(|reference| record(&[reference.as_bytes(), b"f52e03ae"], None)).collect();
        leaf(content, 0, &rows);
        file
    }

    #[test]
    fn reads_the_cache() {
        let path = "root/.conan2/p/cache.sqlite3";
        let content = database(&["zlib/1.2.13", "openssl/3.1.1@corp/stable", "zlib/1.2.13", "rubbish", "/1"]);
        let facts = extract_bytes(path, &content).expect("a cache");
        let expected = [("openssl", "3.1.1"), ("zlib", "1.2.13")]
            .map(|(name, version)| Fact::Package(Package::new(PackageKind::Conan, name, version)));
        assert_eq!(facts, expected);
        assert_eq!(extract_bytes("root/p/other.sqlite3", &content).expect("not wanted"), []);
        assert!(extract_bytes(path, b"text").is_err());
        assert!(extract_bytes(path, &content[..700]).is_err());
    }
}
