//! For tests of feeds: small real files of upstreams, and files by their paths.

use std::path::Path;

use crate::advisories::{Fetch, FetchError};

/// A file of the folder of samples; `None`, with a word about it, where there is no such folder.
pub(super) fn sample(path: &str) -> Option<Vec<u8>> {
    shared(&format!("samples/{path}"))
}

/// A file of the folder of feeds; `None`, with a word about it, where there is no such folder.
pub(super) fn shared(path: &str) -> Option<Vec<u8>> {
    let root = std::env::var("PLIMSOLL_TEST_DATA").unwrap_or_else(|_| "../shared".to_owned());
    let folder = Path::new(&root).join("feeds");
    if !folder.is_dir() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "`{}` is missing", folder.display());
        println!("skipped: `{}` is missing", folder.display());
        return None;
    }
    let file = folder.join(path);
    Some(std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

/// Files as a web server has them: without listings.
pub(super) struct Files<'a>(pub(super) &'a [(&'a str, &'a str)]);

impl Fetch for Files<'_> {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError> {
        Ok(self.0.iter().find(|(known, _)| *known == path).map(|(_, text)| text.as_bytes().to_vec()))
    }

    fn list(&self, _: &str) -> Option<Vec<String>> {
        None
    }

    fn origin(&self) -> String {
        "files".to_owned()
    }
}
