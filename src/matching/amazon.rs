//! Which of Amazon's repositories a package comes from. Images do not say it, so the package's version and the records
//! about its name must: an extra of Amazon Linux 2 names its line of versions (`amzn2extra-kernel-5.10`,
//! `amzn2extra-php8.0`), or brings what the core repository has not (`amzn2extra-docker`).

use crate::model::{Advisory, Constraint, Package};

use super::distribution::is_of_every_image;
use super::judge::fixed_versions;

/// Whether a package comes from a repository besides the core.
pub(super) fn comes_from(
    package: &Package,
    repository: &str,
    record: &Advisory,
    siblings: &[Advisory],
) -> Option<bool> {
    if let Some(line) = line_of(repository) {
        let is_of_line = |version: &str| is_within(version, line);
        if is_of_line(&package.version) {
            return Some(true);
        }
        // Some packages of an extra have versions of their own (`php-pecl-zip` in `php8.0`).
        if fixed_versions(record).any(is_of_line) {
            return Some(false);
        }
    }
    // What the core repository has too is taken to be from there.
    Some(!siblings.iter().any(is_of_core))
}

/// What is said with a comparison that rests on it.
pub(super) fn reservation(package: &Package, record: &Advisory) -> Option<String> {
    let repository = repositories(record).find(|repository| !is_of_every_image(repository))?;
    Some(match line_of(repository).filter(|line| is_within(&package.version, line)) {
        Some(line) => format!("taken to be from `{repository}`, as it is of the line {line}"),
        None => format!("taken to be from `{repository}`, as no advisory of the core repository names it"),
    })
}

fn is_of_core(record: &Advisory) -> bool {
    repositories(record).all(is_of_every_image)
}

fn repositories(record: &Advisory) -> impl Iterator<Item = &str> {
    record.constraints.iter().filter_map(|constraint| match constraint {
        Constraint::Repository(name) => Some(name.as_str()),
        _ => None,
    })
}

/// `5.10` of `amzn2extra-kernel-5.10`, `8.0` of `amzn2extra-php8.0`.
fn line_of(repository: &str) -> Option<&str> {
    let topic = repository.strip_prefix("amzn2extra-")?;
    let start = topic.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |at| at + 1);
    topic.get(start..).filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a version, `epoch:version-release`, begins with the numbers of a line.
fn is_within(version: &str, line: &str) -> bool {
    let version = version.split_once(':').map_or(version, |(_, version)| version);
    version.strip_prefix(line).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_name_their_lines() {
        for (repository, expected) in [
            ("amzn2extra-kernel-5.10", Some("5.10")),
            ("amzn2extra-php8.0", Some("8.0")),
            ("amzn2extra-nginx1", Some("1")),
            ("amzn2extra-docker", None),
            ("amzn2extra-aws-nitro-enclaves-cli", None),
            ("kernel-livepatch", None),
            ("amzn2extra-", None),
        ] {
            assert_eq!(line_of(repository), expected, "{repository}");
        }
        for (version, line, expected) in [
            ("5.10.199-190.747.amzn2", "5.10", true),
            ("1:1.22.1-1.amzn2", "1", true),
            ("5.100.1-1", "5.10", false),
            ("4.14.1-1", "5.10", false),
            ("10.1", "1", false),
        ] {
            assert_eq!(is_within(version, line), expected, "{version} {line}");
        }
    }
}
