//! The documentation names what exists: its links lead somewhere, every diagnosis code is explained, and the commands
//! that `.ci/run` takes from the README are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn relative_links_lead_to_files() {
    let mut wrong = Vec::new();
    for page in pages() {
        for target in links(&read(&page)) {
            let file = target.split('#').next().unwrap_or_default();
            let is_external = target.contains("://") || target.starts_with('#');
            if !is_external && !page.parent().unwrap().join(file).exists() {
                wrong.push(format!("{}: `{target}`", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_diagnosis_code_is_explained() {
    let in_code: BTreeSet<String> = codes(&read(&root().join("src/model/diagnosis.rs")), '"');
    let in_page: BTreeSet<String> = codes(&read(&root().join("docs/gitlab.md")), '|');
    assert!(in_code.len() > 20, "{in_code:?}");
    assert_eq!(in_page, in_code);
}

#[test]
fn readme_marks_its_two_commands() {
    let readme = read(&root().join("README.md"));
    for marker in ["<!-- command: scan -->\n```sh\ncargo run ", "<!-- command: test -->\n```sh\ncargo test"] {
        assert_eq!(readme.matches(marker).count(), 1, "{marker}");
    }
}

/// The README's Markdown and everything in `docs/` and `examples/`.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md"), root().join("examples/advisories/README.md")];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    assert!(pages.len() > 3);
    pages
}

/// The targets of `[text](target)`.
fn links(text: &str) -> Vec<&str> {
    text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split_once(')').map(|(target, _)| target)).collect()
}

/// Codes such as `D01` that follow `before` and, perhaps, a space.
fn codes(text: &str, before: char) -> BTreeSet<String> {
    let is_code =
        |word: &&str| word.len() == 3 && word.starts_with('D') && word[1..].bytes().all(|b| b.is_ascii_digit());
    let after = text.split(before).skip(1);
    after
        .map(|rest| rest.split(['"', '|']).next().unwrap_or_default().trim())
        .filter(is_code)
        .map(str::to_owned)
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
