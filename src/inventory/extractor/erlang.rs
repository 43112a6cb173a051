//! Erlang and Elixir applications: the resource file `ebin/<name>.app`. Format: Erlang's app(4). What comes with Erlang/OTP
//! and Elixir themselves is no package of Hex and is told apart by its folder, and in releases, which carry a copy, by its
//! name.

use super::text::text;
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Folders of the languages' own applications.
const OWN: &[&str] = &["/erlang/lib/", "/elixir/lib/"];

/// The applications of Erlang/OTP and Elixir. A package of Hex with such a name could not be loaded beside them.
const OWN_NAMES: &[&str] = &[
    "asn1",
    "common_test",
    "compiler",
    "cosEvent",
    "cosEventDomain",
    "cosFileTransfer",
    "cosNotification",
    "cosProperty",
    "cosTime",
    "cosTransactions",
    "crypto",
    "debugger",
    "dialyzer",
    "diameter",
    "edoc",
    "eex",
    "eldap",
    "elixir",
    "erl_docgen",
    "erl_interface",
    "erts",
    "et",
    "eunit",
    "ex_unit",
    "ftp",
    "hipe",
    "iex",
    "inets",
    "jinterface",
    "kernel",
    "logger",
    "megaco",
    "mix",
    "mnesia",
    "observer",
    "odbc",
    "orber",
    "os_mon",
    "otp_mibs",
    "parsetools",
    "public_key",
    "reltool",
    "runtime_tools",
    "sasl",
    "snmp",
    "ssh",
    "ssl",
    "stdlib",
    "syntax_tools",
    "test_server",
    "tftp",
    "tools",
    "typer",
    "wx",
    "xmerl",
];

/// Reads resource files of applications.
pub(super) struct Erlang;

impl Extractor for Erlang {
    fn name(&self) -> &'static str {
        "erlang"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["Erlang and Elixir applications, those of Erlang/OTP and Elixir themselves too: `**/ebin/*.app`"]
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
        let kind = if is_own || OWN_NAMES.contains(&name) { PackageKind::Generic } else { PackageKind::Hex };
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
        for (path, name, kind) in [
            ("app/lib/cowboy-2.9.0/ebin/cowboy.app", "cowboy", PackageKind::Hex),
            ("usr/local/lib/erlang/lib/kernel-8.5/ebin/kernel.app", "kernel", PackageKind::Generic),
            ("usr/local/lib/erlang/lib/other-8.5/ebin/other.app", "other", PackageKind::Generic),
            ("app/lib/ssl-11.1/ebin/ssl.app", "ssl", PackageKind::Generic),
            ("app/lib/elixir-1.17.0/ebin/elixir.app", "elixir", PackageKind::Generic),
            ("app/lib/ssl_verify_fun-1.1.7/ebin/ssl_verify_fun.app", "ssl_verify_fun", PackageKind::Hex),
        ] {
            let facts = extract_bytes(path, content.replace("cowboy", name).as_bytes()).expect("an application");
            let [Fact::Package(p)] = facts.as_slice() else { panic!("{facts:?}") };
            assert_eq!((p.kind, p.name.as_str(), p.version.as_str()), (kind, name, "2.9.0"), "{path}");
        }
        for broken in ["", "{application, x, []}.", "{vsn, \"1\"}", "{application,"] {
            assert!(extract_bytes("a/ebin/a.app", broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
