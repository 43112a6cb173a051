//! Which files belong to a Debian package: `info/*.list`, `info/*.md5sums`, `status.d/*.md5sums`.

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact, InstalledFiles};

use super::is_language_metadata;

pub(in crate::inventory) struct DebFiles;

const INFO: &str = "var/lib/dpkg/info/";
const STATUS_DIRECTORY: &str = "var/lib/dpkg/status.d/";

impl Extractor for DebFiles {
    fn name(&self) -> &'static str {
        "dpkg-files"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["var/lib/dpkg/info/*.list", "var/lib/dpkg/info/*.md5sums", "var/lib/dpkg/status.d/*.md5sums"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let of = |directory, ending: &str| {
            entry.path.strip_prefix(directory).is_some_and(|name: &str| name.ends_with(ending) && !name.contains('/'))
        };
        of(INFO, ".list") || of(INFO, ".md5sums") || of(STATUS_DIRECTORY, ".md5sums")
    }

    fn extract(&self, path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let text = String::from_utf8_lossy(content);
        let paths = text.lines().filter_map(|line| {
            let path = if ending == "md5sums" { line.split_once("  ")?.1 } else { line };
            let path = path.trim_start_matches("./").trim_start_matches('/');
            is_language_metadata(path).then(|| path.to_owned())
        });
        let paths: Vec<_> = paths.collect();
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        // `libc6:amd64.list` where several architectures are installed.
        let package = stem.split(':').next().unwrap_or(stem).to_owned();
        Ok(vec![Fact::Files(InstalledFiles { package, paths })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_paths_of_language_packages() {
        for (path, text) in [
            (
                "var/lib/dpkg/info/python3-idna.list",
                "/.\n/usr\n/usr/lib/python3/dist-packages/idna-3.3.egg-info\n/usr/share/doc/x\n",
            ),
            (
                "var/lib/dpkg/info/python3-idna:amd64.md5sums",
                "abc  usr/lib/python3/dist-packages/idna-3.3.egg-info\ndef  usr/bin/x\n",
            ),
        ] {
            let facts = DebFiles.extract(path, text.as_bytes()).expect("valid");
            let paths = vec!["usr/lib/python3/dist-packages/idna-3.3.egg-info".to_owned()];
            assert_eq!(facts, [Fact::Files(InstalledFiles { package: "python3-idna".into(), paths })], "{path}");
        }
    }
}
