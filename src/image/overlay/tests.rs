use super::*;

/// A layer in a few words: `d` directory, `f` wanted file, `u` unwanted file, `l path -> target` symbolic link,
/// `h path -> target` hard link, `w` whiteout, `o` opaque directory.
fn layer(lines: &[&str]) -> LayerTree {
    let mut tree = LayerTree::default();
    for line in lines {
        let (kind, rest) = line.split_once(' ').expect("a kind and a path");
        let (path, target) = rest.split_once(" -> ").unwrap_or((rest, ""));
        let link = || (path.to_owned(), target.to_owned());
        match kind {
            "w" => tree.whiteouts.push(path.to_owned()),
            "o" => tree.opaque.push(path.to_owned()),
            "d" => tree.directories.push(path_hash(path)),
            _ => {
                tree.non_directories.push(path_hash(path));
                match kind {
                    "f" => tree.files.push(path.to_owned()),
                    "l" => tree.symlinks.push(link()),
                    "h" => tree.hard_links.push(link()),
                    _ => {}
                }
            }
        }
    }
    tree
}

fn view(layers: &[&[&str]]) -> Vec<String> {
    let mut overlay = Overlay::new();
    for (index, lines) in layers.iter().enumerate() {
        overlay.apply(index, &layer(lines));
    }
    let line = |Visible { path, layer, at, .. }: Visible<'_>| {
        if path == at { format!("{path} @{layer}") } else { format!("{path} @{layer}:{at}") }
    };
    overlay.visible().map(line).collect()
}

/// What it shows, the layers, the view.
type Row = (&'static str, &'static [&'static [&'static str]], &'static [&'static str]);

#[test]
fn layers_hide_and_replace() {
    let rows: &[Row] = &[
        ("both are there", &[&["f a"], &["f b"]], &["a @0", "b @1"]),
        ("the upper file wins", &[&["f a/x"], &["f a/x"]], &["a/x @1"]),
        ("a file nobody wants hides too", &[&["f a/x"], &["u a/x"]], &[]),
        ("whiteout of a file", &[&["f a/x", "f a/y"], &["w a/x"]], &["a/y @0"]),
        ("whiteout of a directory", &[&["f a/x", "f ab", "f a.b"], &["w a"]], &["a.b @0", "ab @0"]),
        ("whiteout of nothing", &[&["f a"], &["w b"]], &["a @0"]),
        ("whiteout leaves its own layer", &[&["f a/x"], &["w a/x", "f a/x"]], &["a/x @1"]),
        ("whiteout, then again", &[&["f a"], &["w a"], &["f a"]], &["a @2"]),
        ("opaque", &[&["f a/x", "f a/s/y", "f b"], &["o a", "f a/new"]], &["a/new @1", "b @0"]),
        ("opaque leaves the layers above", &[&["f a/x"], &["o a"], &["f a/y"]], &["a/y @2"]),
        ("opaque root", &[&["f a", "f b/c"], &["o ", "f d"]], &["d @1"]),
        ("directory over directory", &[&["d a", "f a/x"], &["d a"]], &["a/x @0"]),
        ("file over directory", &[&["f a/x", "f a/s/y"], &["f a"]], &["a @1"]),
        ("unwanted file over directory", &[&["f a/x"], &["u a"]], &[]),
        ("directory over file", &[&["f a"], &["d a", "f a/x"]], &["a/x @1"]),
        ("implied directory over file", &[&["f a"], &["f a/b/x"]], &["a/b/x @1"]),
        ("symbolic link over directory", &[&["f a/x"], &["l a -> /b"]], &[]),
        ("through a link of a lower layer", &[&["l opt -> /data"], &["f opt/x"]], &["data/x @1:opt/x"]),
        ("through a link of its own layer", &[&["l opt -> data", "f opt/x"]], &["data/x @0:opt/x"]),
        ("through a relative link", &[&["l a/b/l -> ../c"], &["f a/b/l/x"]], &["a/c/x @1:a/b/l/x"]),
        ("through a link above the root", &[&["l l -> ../../e"], &["f l/x"]], &["e/x @1:l/x"]),
        ("through links in a row", &[&["l a -> b", "l b -> /c/d"], &["f a/x"]], &["c/d/x @1:a/x"]),
        ("through a loop", &[&["l a -> b", "l b -> a"], &["f a/x"]], &["a/x @1"]),
        ("through itself", &[&["l a -> a/a"], &["f a/x"]], &["a/x @1"]),
        ("whiteout through a link", &[&["f d/x", "l opt -> d"], &["w opt/x"]], &[]),
        ("opaque through a link", &[&["f d/x", "l opt -> /d"], &["o opt"]], &[]),
        ("directory over link", &[&["f d/x", "l opt -> d"], &["d opt", "f opt/x"]], &["d/x @0", "opt/x @1"]),
        ("whiteout of a link", &[&["f d/x", "l opt -> d"], &["w opt"], &["f opt/y"]], &["d/x @0", "opt/y @2"]),
        ("link replaced by a link", &[&["l o -> a"], &["l o -> b"], &["f o/x"]], &["b/x @2:o/x"]),
        ("hard link in a layer", &[&["f a", "h b -> a"]], &["a @0", "b @0:a"]),
        ("hard link to what nobody wanted", &[&["u a", "h b -> a"]], &["b @0:a"]),
        ("hard link to a hard link", &[&["f a", "h b -> a", "h c -> b"]], &["a @0", "b @0:a", "c @0:a"]),
        ("hard link to a lower layer", &[&["f a"], &["h b -> a"]], &["a @0", "b @0:a"]),
        ("hard link to an unwanted lower file", &[&["u a"], &["h b -> a"]], &["b @0:a"]),
        ("hard link to a replaced file", &[&["f a"], &["u a", "h b -> a"]], &["b @1:a"]),
        ("hard link to nothing", &[&["f b"], &["h b -> no/such"]], &[]),
        ("hard link outlives its target", &[&["f a"], &["h b -> a"], &["w a"]], &["b @0:a"]),
        ("hard link to a symbolic link", &[&["l a -> d"], &["h b -> a"], &["f b/x"]], &["d/x @2:b/x"]),
        ("hard link through a link", &[&["f d/a", "l o -> d"], &["h b -> o/a"]], &["b @0:d/a", "d/a @0"]),
    ];
    for (what, layers, expected) in rows {
        assert_eq!(view(layers), *expected, "{what}");
    }
}

#[test]
fn resolves_with_bounds() {
    let mut overlay = Overlay::new();
    let mut lines: Vec<String> = (0..200).map(|i| format!("l l{i} -> l{}", i + 1)).collect();
    lines.push("l etc/os-release -> ../usr/lib/os-release".into());
    lines.push(format!("l wide -> {}", "x/".repeat(2000)));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    overlay.apply(0, &layer(&lines));
    assert_eq!(overlay.resolve("etc/os-release"), "usr/lib/os-release");
    assert_eq!(overlay.resolve("l170/x"), "l200/x");
    assert_eq!(overlay.resolve("l0/x"), "l0/x", "more links than Linux follows");
    assert_eq!(overlay.resolve("wide"), "wide", "more components than are walked");
    assert_eq!(overlay.resolve(""), "");
}

#[test]
fn deep_paths_cost_little() {
    let mut overlay = Overlay::new();
    let deep = "d/".repeat(255);
    let files: Vec<String> = (0..2000).map(|i| format!("f {deep}{i}")).collect();
    overlay.apply(0, &layer(&files.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(overlay.visible().count(), 2000);
    assert!(overlay.known.len() < 2300);
    overlay.apply(1, &layer(&["w d/d"]));
    assert_eq!(overlay.visible().count(), 0);
}
