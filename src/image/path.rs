//! Paths of archive members made into keys. No path of an image is ever opened on this machine.

/// Writes the normalised form of `raw` into `out`: no leading `/`, no empty, `.` or `..` components; `..` stops at the
/// root, as container runtimes have it. Bytes that are not UTF-8 are replaced. The root itself is the empty string.
pub(super) fn normalise(raw: &[u8], out: &mut String) {
    out.clear();
    let text = String::from_utf8_lossy(raw);
    append(&text, out);
}

/// Goes on from the normalised path in `out` by the relative path `text`.
pub(super) fn append(text: &str, out: &mut String) {
    for component in text.split('/') {
        match component {
            "" | "." => {}
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            _ => {
                if !out.is_empty() {
                    out.push('/');
                }
                out.push_str(component);
            }
        }
    }
}

/// The directory and the last component of a normalised path.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The path itself and every directory above it but the root, longest first.
pub(super) fn with_ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path).filter(|path| !path.is_empty()), |path| Some(path.rsplit_once('/')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_lexically() {
        for (raw, expected) in [
            ("./", ""),
            ("/", ""),
            ("", ""),
            ("./etc/os-release", "etc/os-release"),
            ("/abs", "abs"),
            ("a//b/./c/", "a/b/c"),
            ("../outside", "outside"),
            ("data/../data2.txt", "data2.txt"),
            ("a/../../../b", "b"),
            ("a/b/../c", "a/c"),
            (".wh..wh..opq", ".wh..wh..opq"),
            ("...", "..."),
        ] {
            let mut out = "rubbish".to_owned();
            normalise(raw.as_bytes(), &mut out);
            assert_eq!(out, expected, "{raw}");
        }
        let mut out = String::new();
        normalise(b"caf\xe9/x", &mut out);
        assert_eq!(out, "caf\u{fffd}/x");
    }

    #[test]
    fn lists_ancestors() {
        assert_eq!(with_ancestors("a/b/c").collect::<Vec<_>>(), ["a/b/c", "a/b", "a"]);
        assert_eq!(with_ancestors("").count(), 0);
    }
}
