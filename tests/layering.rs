//! The house stays as `docs/architecture.md` draws it: a module imports only what the table allows, there is no cycle,
//! no `mod.rs`, and no file that is too long to read without a reason.
//!
//! Reads the source as text. Code below `#[cfg(test)]` may use what it likes; `main.rs` and `lib.rs` are the roof.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module, and what it may import besides itself. `commands` may import everything.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("exit", &["model"]),
    ("cli", &["model"]),
    ("version", &["model"]),
    ("context", &["model"]),
    ("net", &["model", "context"]),
    ("hashing", &["model"]),
    ("registry", &["model", "context", "net", "hashing"]),
    ("image", &["model", "hashing"]),
    ("inventory", &["model", "image"]),
    ("advisories", &["model", "version"]),
    ("matching", &["model", "version", "advisories"]),
    ("yaml", &[]),
    ("settings", &["model", "context", "yaml"]),
    ("assess", &["model", "context", "yaml"]),
    ("report", &["model"]),
    ("state", &["model", "gitlab"]),
    ("gitlab", &["model", "net"]),
    ("publish", &["model", "report", "state", "gitlab", "registry", "net"]),
];

/// Files that may import more than their module: path prefix below `src/`, and what.
const ALLOWED_IN_FILE: &[(&str, &[&str])] = &[
    // A registry is one of an image's sources.
    ("image/remote", &["registry"]),
    // Only delivery fetches; feeds get bytes handed in.
    ("advisories/delivery", &["net", "registry"]),
];

/// Files over [`LONGEST`] lines, with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

const LONGEST: usize = 600;

#[test]
fn modules_import_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for file in sources() {
        let module = file.module();
        if ["lib", "main", "commands"].contains(&module.as_str()) {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: module `{module}` is not in the table", file.path));
            continue;
        };
        for (line, imported) in imports(&file) {
            let exempt = ALLOWED_IN_FILE
                .iter()
                .any(|(prefix, more)| file.path.starts_with(prefix) && more.contains(&imported.as_str()));
            if imported != module && !allowed.contains(&imported.as_str()) && !exempt {
                wrong.push(format!("{}:{line}: `{module}` may not use `{imported}`", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The page for people and the table here say the same.
#[test]
fn the_architecture_page_shows_the_same_table() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    let rows: Vec<Vec<String>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect())
        .collect();
    for (module, allowed) in ALLOWED {
        let Some(row) = rows.iter().find(|row| row[0].split(", ").any(|name| name == *module)) else {
            assert!(!exists(module), "`{module}` is missing on the page");
            continue;
        };
        let (general, special) = row[2].split_once("; ").unwrap_or((&row[2], ""));
        let shown: Vec<&str> = general.split(", ").filter(|name| *name != "–").collect();
        assert_eq!(shown, *allowed, "`{module}`");
        for (prefix, more) in ALLOWED_IN_FILE.iter().filter(|(prefix, _)| prefix.starts_with(&format!("{module}/"))) {
            assert!(special.contains(prefix) && special.ends_with(&more.join(", ")), "`{module}`: {special}");
        }
    }
}

#[test]
fn modules_do_not_depend_on_each_other_in_a_circle() {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources() {
        let module = file.module();
        if module == "lib" || module == "main" {
            continue;
        }
        let found = imports(&file).into_iter().map(|(_, imported)| imported).filter(|imported| *imported != module);
        graph.entry(module.clone()).or_default().extend(found);
    }
    assert_eq!(circle(&graph), None);
}

#[test]
fn there_is_no_mod_rs() {
    let found: Vec<String> = sources().into_iter().map(|file| file.path).filter(|p| p.ends_with("mod.rs")).collect();
    assert_eq!(found, Vec::<String>::new(), "`foo.rs` + `foo/` is the form here");
}

#[test]
fn long_files_have_a_reason() {
    let files = sources();
    let mut wrong = Vec::new();
    for file in &files {
        let lines = file.text.lines().count();
        let listed = LONG_FILES.iter().any(|(path, _)| *path == file.path);
        if lines > LONGEST && !listed {
            wrong.push(format!("{} has {lines} lines: split it, or list it with a reason", file.path));
        }
        if lines <= LONGEST && listed {
            wrong.push(format!("{} has {lines} lines: take it off the list", file.path));
        }
    }
    for (path, _) in LONG_FILES {
        if !files.iter().any(|file| file.path == *path) {
            wrong.push(format!("{path} is listed and does not exist"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_innermost_loops_are_unsafe() {
    let mut found = Vec::new();
    for file in sources() {
        let code = file.text.lines().filter_map(|line| line.split("//").next());
        let mut words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
        if words.any(|word| word == "unsafe" || word == "unsafe_code") {
            found.push(file.path);
        }
    }
    // Folders list their files in no order.
    found.sort_unstable();
    assert_eq!(
        found,
        ["hashing/instructions.rs", "image/inflate.rs", "image/inflate/turbo.rs"],
        "the second one only allows it to the third"
    );
}

/// A source file; `path` is relative to `src/`.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The first component: the module that the file belongs to.
    fn module(&self) -> String {
        self.components().swap_remove(0)
    }

    /// `image/remote.rs` → `image`, `remote`.
    fn components(&self) -> Vec<String> {
        self.path.trim_end_matches(".rs").split('/').map(str::to_owned).collect()
    }
}

fn exists(module: &str) -> bool {
    sources().iter().any(|file| file.module() == module)
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 20, "the source files were not found in {}", root.display());
    files
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(),
        })
        .collect()
}

/// Modules of the crate that a file names, by `crate::…` or by enough `super::`, with the line.
fn imports(file: &Source) -> Vec<(usize, String)> {
    // A module of tests in a file of its own is test code as a whole.
    if file.components().iter().any(|component| component == "tests") {
        return Vec::new();
    }
    let code = code(&file.text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            found.extend(heads(&code[at + "crate::".len()..]).into_iter().map(|head| (line(&code, at), head)));
        }
    }
    // In `a/b.rs`, `super::` is `a` and `super::super::` is the crate.
    let climb = "super::".repeat(file.components().len());
    for (at, _) in code.match_indices(&climb) {
        if !code[..at].ends_with("super::") {
            found.extend(heads(&code[at + climb.len()..]).into_iter().map(|head| (line(&code, at), head)));
        }
    }
    // `Self::` and types are not modules; modules begin with a small letter.
    found.retain(|(_, head)| head.starts_with(|c: char| c.is_ascii_lowercase()) && head != "super" && head != "self");
    found
}

fn line(code: &str, at: usize) -> usize {
    code[..at].lines().count().max(1)
}

/// The first components of a path or of each path in a `{…}` group.
fn heads(path: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut heads = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => {
                heads.push(word(group[start..at].trim_start()));
                start = at + 1;
            }
            '}' if depth == 0 => {
                heads.push(word(group[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// The text without comments, and without what follows the first `#[cfg(test)]`; lines keep their numbers.
fn code(text: &str) -> String {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A circle in the graph, if there is one.
fn circle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    // Take away what depends on nothing that is left, until nothing moves: what remains holds a circle.
    let mut left: BTreeMap<&str, BTreeSet<&str>> = graph
        .iter()
        .map(|(module, imported)| {
            let known = imported.iter().filter(|name| graph.contains_key(*name)).map(String::as_str);
            (module.as_str(), known.collect())
        })
        .collect();
    loop {
        let free: Vec<&str> = left.iter().filter(|(_, on)| on.is_empty()).map(|(module, _)| *module).collect();
        if free.is_empty() {
            break;
        }
        for module in free {
            left.remove(module);
            for on in left.values_mut() {
                on.remove(module);
            }
        }
    }
    (!left.is_empty()).then(|| left.keys().map(|module| (*module).to_owned()).collect())
}

/// The judge is judged: it sees every form in which a module can be named.
mod judge {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        imports(&Source { path: path.into(), text: text.into() }).into_iter().map(|(_, module)| module).collect()
    }

    #[test]
    fn sees_every_form_of_import() {
        for (path, text, expected) in [
            ("report.rs", "use crate::model::Finding;", vec!["model"]),
            ("report.rs", "use crate::{model::{a, b}, net, image::Image};", vec!["model", "net", "image"]),
            ("report.rs", "fn f() -> crate::registry::Registry {}", vec!["registry"]),
            ("report/table.rs", "use super::super::net::Client;", vec!["net"]),
            ("report/table.rs", "use super::columns;", vec![]),
            ("report.rs", "use super::net::Client;", vec!["net"]),
            ("report.rs", "// use crate::net;\nuse mycrate::net;", vec![]),
            ("report.rs", "#[cfg(test)]\nmod tests { use crate::net; }", vec![]),
            ("report/tests.rs", "use crate::net;", vec![]),
        ] {
            assert_eq!(found(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn sees_a_circle() {
        let graph = |edges: &[(&str, &str)]| {
            let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (from, to) in edges {
                graph.entry((*from).into()).or_default().insert((*to).into());
                graph.entry((*to).into()).or_default();
            }
            graph
        };
        assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
        assert!(circle(&graph(&[("a", "b"), ("b", "c"), ("c", "a")])).is_some());
    }
}
