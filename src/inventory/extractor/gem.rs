//! Installed Ruby gems: the specification that RubyGems writes for each, `specifications/*.gemspec`.
//!
//! A specification is a Ruby program and is not run: RubyGems writes a stub line at its head with name and version
//! (`Gem::StubSpecification`), and plain assignments. The gems that Bundler checks out of repositories have their authors'
//! specification, which counts where it states name and version as they are.

use super::text::{lines, text};
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Lines that are looked at; the assignments stand at the head.
const MOST_LINES: usize = 1000;

/// Reads RubyGems' specifications.
pub(super) struct Gem;

impl Extractor for Gem {
    fn name(&self) -> &'static str {
        "gem"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "installed Ruby gems, default ones too: `**/specifications/*.gemspec`, `**/specifications/default/*.gemspec`",
            "gems that Bundler checked out of a repository, where they state name and version without computing them: `**/bundler/gems/<name>-<commit>/{,*/}*.gemspec`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let Some((directory, name)) = entry.path.rsplit_once('/') else { return false };
        let directory = directory.strip_suffix("/default").unwrap_or(directory);
        let is_installed = directory == "specifications" || directory.ends_with("/specifications");
        name.ends_with(".gemspec") && (is_installed || is_checked_out(entry.path))
    }

    fn reads_alike(&self, _: &str, _: &str, _: &[Fact]) -> bool {
        true
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        if is_checked_out(file.path()) {
            return Ok(of_author(file.whole()?).map(Fact::Package).into_iter().collect());
        }
        let content = file.whole()?;
        let (mut name, mut version, mut licenses) = (None, None, Vec::new());
        for line in lines(content).take(MOST_LINES).map(text) {
            if let Some(stub) = line.strip_prefix("# stub: ") {
                if name.is_some() {
                    continue; // The stub's second line names what is to be compiled.
                }
                let mut words = stub.split(' ');
                name = words.next().map(str::to_owned);
                version = words.next().map(str::to_owned);
            } else if let Some((variable, value)) = line.split_once('=') {
                match variable.trim().split_once('.').map(|(_, attribute)| attribute) {
                    Some("name") if name.is_none() => name = strings(value).next().map(str::to_owned),
                    Some("version") if version.is_none() => version = strings(value).next().map(str::to_owned),
                    Some("license" | "licenses") => licenses = strings(value).map(str::to_owned).collect(),
                    _ => {}
                }
            }
        }
        let is_stated = |value: &String| !value.is_empty();
        match (name.filter(is_stated), version.filter(is_stated)) {
            (Some(name), Some(version)) => {
                Ok(vec![Fact::Package(Package { licenses, ..Package::new(PackageKind::Gem, name, version) })])
            }
            _ => Err(ExtractError::malformed("the specification states no name or no version")),
        }
    }
}

/// Whether a specification lies in a checkout of Bundler's, at its root or in the folder of one of several gems.
fn is_checked_out(path: &str) -> bool {
    let Some((_, inside)) = path.rsplit_once("bundler/gems/") else { return false };
    let is_commit = |text: &str| text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let folders: Vec<&str> = inside.split('/').collect();
    let checkout = folders.first().and_then(|folder| folder.rsplit_once('-')).is_some_and(|(_, sha)| is_commit(sha));
    checkout && matches!(folders.len(), 2 | 3)
}

/// What an author's specification states literally: `spec.name = "x"`.
fn of_author(content: &[u8]) -> Option<Package> {
    let (mut name, mut version, mut licenses) = (None, None, Vec::new());
    for line in lines(content).take(MOST_LINES).map(text) {
        let Some((variable, value)) = line.split_once('=') else { continue };
        match variable.trim().split_once('.').map(|(_, attribute)| attribute) {
            Some("name") => name = name.or(literal(value)),
            Some("version") => version = version.or(literal(value)),
            Some("license") => licenses.extend(literal(value)),
            Some("licenses") if licenses.is_empty() => licenses = strings(value).map(str::to_owned).collect(),
            _ => {}
        }
    }
    let version = version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(Package { licenses, ..Package::new(PackageKind::Gem, name?, version) })
}

/// A piece of Ruby that is one string without anything computed.
fn literal(value: &str) -> Option<String> {
    let value = value.trim();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (text, rest) = value.get(1..)?.split_once(quote)?;
    let rest = rest.strip_prefix(".freeze").unwrap_or(rest).trim();
    let is_all = rest.is_empty() || rest.starts_with('#');
    (is_all && !text.is_empty() && !text.contains(['#', '\\'])).then(|| text.to_owned())
}

/// The string literals in a piece of Ruby.
fn strings(value: &str) -> impl Iterator<Item = &str> {
    let quote = if value.contains('"') { '"' } else { '\'' };
    value.split(quote).skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn reads_specifications() {
        let path = "usr/lib/ruby/gems/3.1.0/specifications/rake-13.0.6.gemspec";
        for (content, expected) in [
            (
                "# -*- encoding: utf-8 -*-\n# stub: rake 13.0.6 ruby lib\n\nGem::Specification.new do |s|\n  s.name = \"other\".freeze\n  s.licenses = [\"MIT\".freeze, \"Ruby\".freeze]\n",
                "rake 13.0.6 MIT Ruby",
            ),
            (
                "# stub: sdbm 1.0.0 ruby lib\n# stub: ext/sdbm/extconf.rb\n\nGem::Specification.new do |s|\n  s.version = \"1.0.0\"\n",
                "sdbm 1.0.0 ",
            ),
            (
                "Gem::Specification.new do |s|\n  s.name = %q{x}\n  s.name = 'rake'\n  s.version = Gem::Version.new(\"1.0\")\nend",
                "rake 1.0 ",
            ),
        ] {
            let facts = extract_bytes(path, content.as_bytes()).expect(content);
            let [Fact::Package(p)] = facts.as_slice() else { panic!("{facts:?}") };
            assert_eq!(format!("{} {} {}", p.name, p.version, p.licenses.join(" ")), expected);
        }
        assert!(extract_bytes(path, b"Gem::Specification.new\n").is_err());
        for (path, expected) in [
            ("usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec", true),
            ("specifications/a.gemspec", true),
            ("usr/lib/ruby/gems/3.1.0/gems/rake-13.0.6/rake.gemspec", false),
            ("usr/local/bundle/bundler/gems/rails-1234567890ab/rails.gemspec", true),
            ("bundler/gems/rails-1234567890ab/activerecord/activerecord.gemspec", true),
            ("bundler/gems/rails-1234567890ab/a/test/x.gemspec", false),
            ("bundler/gems/rails-7.0.1/rails.gemspec", false),
        ] {
            assert_eq!(Gem.wants(&Entry { path, size: 0, mode: 0 }), expected, "{path}");
        }
    }

    #[test]
    fn reads_what_authors_state_literally() {
        let path = "usr/local/bundle/bundler/gems/x-1234567890ab/x.gemspec";
        for (version, expected) in [
            ("\"1.2.3\"", Some("x 1.2.3 MIT")),
            ("'1.2.3'.freeze # kept", Some("x 1.2.3 MIT")),
            ("X::VERSION", None),
            ("File.read(\"VERSION\")", None),
            ("\"1.2.#{patch}\"", None),
            ("\"1.2\" + \".3\"", None),
            ("\"unreleased\"", None),
        ] {
            let content = format!(
                "require 'x'\nGem::Specification.new do |spec|\n  spec.name = 'x'\n  spec.version = {version}\n  spec.license = \"MIT\"\nend\n"
            );
            let facts = extract_bytes(path, content.as_bytes()).expect(version);
            let found = facts.first().map(|fact| match fact {
                Fact::Package(p) => format!("{} {} {}", p.name, p.version, p.licenses.join(" ")),
                other => panic!("{other:?}"),
            });
            assert_eq!(found.as_deref(), expected, "{version}");
        }
    }
}
