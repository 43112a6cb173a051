//! `etc/apk/repositories`: which release's packages an Alpine image installs.

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact};

pub(in crate::inventory) struct ApkRepositories;

impl Extractor for ApkRepositories {
    fn name(&self) -> &'static str {
        "apk-repositories"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["etc/apk/repositories"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path == "etc/apk/repositories" && entry.size <= 1 << 16
    }

    /// The release of the untagged `main` repository; a tagged one (`@edge …`) serves only the packages that ask for it.
    fn extract(&self, _path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        let text = String::from_utf8_lossy(content);
        let releases = text.lines().filter_map(|line| {
            let url = line.trim();
            if url.starts_with(['#', '@']) {
                return None;
            }
            let (before, repository) = url.trim_end_matches('/').rsplit_once('/')?;
            let release = before.rsplit('/').next()?;
            let release = release.strip_prefix('v').unwrap_or(release);
            let known = release == "edge" || release.starts_with(|c: char| c.is_ascii_digit());
            (repository == "main" && known).then(|| release.to_owned())
        });
        // With several the newest decides, as apk installs the highest version it finds.
        let newest = releases.max_by_key(|release| {
            let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok()).unwrap_or(u32::MAX);
            let mut parts = release.split('.');
            (number(parts.next()), number(parts.next()))
        });
        Ok(newest.map(Fact::RepositoryRelease).into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_untagged_main_repository_decides() {
        let url = "https://dl-cdn.alpinelinux.org/alpine";
        for (text, expected) in [
            (format!("{url}/v3.20/main\n{url}/v3.20/community\n"), Some("3.20")),
            (format!("{url}/edge/main\n"), Some("edge")),
            (format!("{url}/v3.20/main\n@edge {url}/edge/main\n#{url}/edge/main\n"), Some("3.20")),
            (format!("{url}/v3.9/main\n{url}/v3.20/main\n"), Some("3.20")),
            (format!("{url}/v3.20/main\n{url}/edge/main\n"), Some("edge")),
            ("/media/cdrom/apks\n".to_owned(), None),
        ] {
            let facts = ApkRepositories.extract("", text.as_bytes()).expect("any text is valid");
            let release = facts.first().map(|fact| match fact {
                Fact::RepositoryRelease(release) => release.as_str(),
                other => panic!("{other:?}"),
            });
            assert_eq!(release, expected, "{text}");
        }
    }
}
