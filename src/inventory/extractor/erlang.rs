//! Erlang and Elixir applications: the resource file `ebin/<name>.app`. Format: Erlang's app(4). What comes with Erlang/OTP
//! and Elixir themselves is no package of Hex and is told apart by its folder.

use super::text::text;
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Folders of the languages' own applications.
const OWN: &[&str] = &["/erlang/lib/", "/elixir/lib/"];

/// Reads resource files of applications.
pub(super) struct Erlang;

impl Extractor for Erlang {
    fn name(&self) -> &'static str {
        "erlang"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["Erlang and Elixir applications: `**/ebin/*.app`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.rsplit_once('/').is_some_and(|(directory, name)| {
            name.ends_with(".app") && (directory == "ebin" || directory.ends_with("/ebin"))
        })
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let is_own = OWN.iter().any(|folder| file.path().contains(folder));
        let content = text(file.whole()?);
        let terms = without_comments(&content);
        let name = after(&terms, "application").and_then(atom).ok_or_else(|| missing("`{application, Name`"))?;
        let version = after(&terms, "vsn").and_then(string).ok_or_else(|| missing("`{vsn, Version}`"))?;
        let kind = if is_own { PackageKind::Generic } else { PackageKind::Hex };
        Ok(vec![Fact::Package(Package::new(kind, name, version))])
    }
}

fn missing(what: &str) -> ExtractError {
    ExtractError::malformed(format!("there is no {what} in it"))
}

fn without_comments(content: &str) -> String {
    content.lines().filter(|line| !line.trim_start().starts_with('%')).collect::<Vec<_>>().join("\n")
}

/// What follows `{key,`.
fn after<'a>(terms: &'a str, key: &str) -> Option<&'a str> {
    terms.match_indices('{').find_map(|(at, _)| {
        let rest = terms.get(at + 1..)?.trim_start().strip_prefix(key)?;
        Some(rest.trim_start().strip_prefix(',')?.trim_start())
    })
}

/// `cowboy` or `'cowboy'`.
fn atom(text: &str) -> Option<&str> {
    let text = text.strip_prefix('\'').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).filter(|name| !name.is_empty())
}

/// `"2.9.0"`.
fn string(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.split('"').next().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn reads_resource_files() {
        let content = "%% a comment {vsn, \"9\"}\n{application, 'cowboy', [\n\t{description, \"HTTP server.\"},\n\t{ vsn , \"2.9.0\"},\n{modules, []}]}.\n";
        for (path, kind) in [
            ("app/lib/cowboy-2.9.0/ebin/cowboy.app", PackageKind::Hex),
            ("usr/local/lib/erlang/lib/kernel-8.5/ebin/kernel.app", PackageKind::Generic),
        ] {
            let facts = extract_bytes(path, content.as_bytes()).expect("an application");
            let [Fact::Package(p)] = facts.as_slice() else { panic!("{facts:?}") };
            assert_eq!((p.kind, p.name.as_str(), p.version.as_str()), (kind, "cowboy", "2.9.0"));
        }
        for broken in ["", "{application, x, []}.", "{vsn, \"1\"}", "{application,"] {
            assert!(extract_bytes("a/ebin/a.app", broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
