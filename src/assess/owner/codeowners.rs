//! `CODEOWNERS` as GitLab reads it: sections, their default owners, exclusions, the last matching line of each section.
//!
//! Format: docs.gitlab.com, "Syntax of CODEOWNERS file". Lines that are malformed are passed over, as GitLab does.

use crate::assess::glob;

/// The owners of a file, each once, in the order of the sections.
pub(super) fn owners(text: &str, path: &str) -> Vec<String> {
    let mut sections: Vec<Section> = vec![Section::default()];
    let mut current = 0;
    for line in text.lines().take(MAX_LINES).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((name, rest)) = heading(line) {
            let name = name.to_lowercase();
            current = sections.iter().position(|section| section.name == name).unwrap_or_else(|| {
                sections.push(Section { name, ..Section::default() });
                sections.len() - 1
            });
            if let Some(section) = sections.get_mut(current) {
                let defaults = names(rest);
                if !defaults.is_empty() {
                    section.defaults = defaults;
                }
            }
            continue;
        }
        let Some(section) = sections.get_mut(current) else { continue };
        let (pattern, rest) = pattern(line);
        let (excludes, pattern) = pattern.strip_prefix('!').map_or((false, pattern.as_str()), |rest| (true, rest));
        if !matches(pattern, path) {
            continue;
        }
        if excludes {
            section.excluded = true;
        }
        let own = names(&rest);
        section.found = if own.is_empty() { section.defaults.clone() } else { own };
    }
    let mut all: Vec<String> = Vec::new();
    for owner in sections.into_iter().filter(|section| !section.excluded).flat_map(|section| section.found) {
        if !all.contains(&owner) {
            all.push(owner);
        }
    }
    all
}

#[derive(Default)]
struct Section {
    name: String,
    defaults: Vec<String>,
    found: Vec<String>,
    excluded: bool,
}

/// `[Name]`, `^[Name][2] @default`: the name, and what stands behind.
fn heading(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix('^').unwrap_or(line).strip_prefix('[')?;
    let (name, mut rest) = rest.split_once(']')?;
    if let Some((number, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        rest = after;
    }
    Some((name.trim(), rest))
}

/// The pattern of a line without its escapes, and what stands behind. A backslash keeps a space or `#` in the pattern.
fn pattern(line: &str) -> (String, String) {
    let mut pattern = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => pattern.extend(chars.next()),
            c if c.is_whitespace() => break,
            c => pattern.push(c),
        }
    }
    (pattern, chars.collect())
}

/// Users, groups, roles and addresses; all else is passed over.
fn names(text: &str) -> Vec<String> {
    let is_owner =
        |word: &&str| word.len() <= LONGEST && (word.len() > 1 && word.starts_with('@') || word.contains('@'));
    text.split_whitespace().filter(is_owner).take(MAX_OWNERS).map(str::to_owned).collect()
}

/// Whether a pattern means a file. Without a leading slash it may stand in any folder; with one at its end it means all
/// that is below a folder; `**` is any number of folders.
fn matches(pattern: &str, path: &str) -> bool {
    let anchored = pattern.starts_with('/');
    let below = pattern.ends_with('/');
    let mut wanted: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).take(MAX_PARTS).collect();
    if !anchored {
        wanted.insert(0, "**");
    }
    if below {
        wanted.extend(["**", "*"]);
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // Which of the pattern's parts may come next, after each part of the path.
    let mut states = vec![false; wanted.len() + 1];
    reach(&wanted, &mut states, 0);
    for part in parts {
        let mut next = vec![false; wanted.len() + 1];
        for (index, pattern) in wanted.iter().enumerate().filter(|(index, _)| states.get(*index) == Some(&true)) {
            if *pattern == "**" {
                reach(&wanted, &mut next, index);
            } else if glob::matches(pattern, part) {
                reach(&wanted, &mut next, index + 1);
            }
        }
        states = next;
    }
    states.last() == Some(&true)
}

fn reach(wanted: &[&str], states: &mut [bool], from: usize) {
    for index in from..=wanted.len() {
        if let Some(state) = states.get_mut(index) {
            *state = true;
        }
        if wanted.get(index) != Some(&"**") {
            break;
        }
    }
}

const MAX_LINES: usize = 20_000;
const MAX_OWNERS: usize = 50;
const MAX_PARTS: usize = 64;
const LONGEST: usize = 255;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_mean_what_gitlab_means() {
        for (pattern, path, expected) in [
            ("*", "Dockerfile", true),
            ("*", "a/b/Dockerfile", true),
            ("Dockerfile", "a/Dockerfile", true),
            ("/Dockerfile", "a/Dockerfile", false),
            ("/Dockerfile", "Dockerfile", true),
            ("docker/", "a/docker/x/Dockerfile", true),
            ("/docker/", "a/docker/Dockerfile", false),
            ("/docker/", "docker/Dockerfile", true),
            ("/docker", "docker/Dockerfile", false),
            ("/a/**/Dockerfile", "a/Dockerfile", true),
            ("/a/**/Dockerfile", "a/b/c/Dockerfile", true),
            ("/a/*/Dockerfile", "a/b/c/Dockerfile", false),
            ("Docker*", "Dockerfile.prod", true),
            ("**/*.prod", "a/Dockerfile.prod", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn the_last_line_of_each_section_counts() {
        let text = "\
# comment
* @all
/app/ @team/app dev@example.com nonsense
\\#odd @odd
a\\ b/ @space
[Docs] @writers
*.md
^[Security][2] @sec
/app/Dockerfile
!/app/skip
[docs]
/extra.txt @more
";
        for (path, expected) in [
            ("main.c", vec!["@all"]),
            ("app/x", vec!["@team/app", "dev@example.com"]),
            ("app/Dockerfile", vec!["@team/app", "dev@example.com", "@sec"]),
            ("#odd", vec!["@odd"]),
            ("a b/c", vec!["@space"]),
            ("README.md", vec!["@all", "@writers"]),
            ("extra.txt", vec!["@all", "@more"]),
        ] {
            assert_eq!(owners(text, path), expected, "{path}");
        }
        assert_eq!(owners("[S] @s\n/a\n!/a\n", "a"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[\\[\\]^!*/ @\\\\a#\n]{0,200}", path in "[a/*. ]{0,40}") {
            let _ = owners(&text, &path);
        }
    }
}
