//! `updateinfo.xml`, the errata of a repository of rpm packages, as Amazon, Fedora, AlmaLinux and Rocky publish them.
//! There is no specification; createrepo_c's `cr_UpdateRecord` names all members.

use crate::advisories::xml::{self, Node};
use crate::advisories::{FeedError, compressed};

use super::erratum::{Erratum, LONGEST_TEXT, evr, is_package};

/// One `<update>`.
#[derive(Debug, Default)]
pub(super) struct Update {
    pub(super) erratum: Erratum,
    /// `security`, `bugfix`, `enhancement`.
    pub(super) kind: String,
    /// Fixed versions and module of each package, as they are listed and without repetition.
    pub(super) packages: Vec<Package>,
}

/// A package of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    /// `epoch:version-release`.
    pub(super) version: String,
    /// `name:stream`, where it is built in a module.
    pub(super) module: Option<String>,
}

/// Reads all updates of a file, one after the other.
pub(super) fn read(bytes: &[u8], mut visit: impl FnMut(Update)) -> Result<(), FeedError> {
    let source = compressed::reader(bytes).map_err(FeedError::new)?;
    let mut update: Option<Update> = None;
    let mut module: Option<String> = None;
    let mut text = String::new();
    let mut is_update_list = false;
    xml::read(source, |node| {
        match node {
            Node::Open(element) => {
                text.clear();
                let name = element.name();
                is_update_list |= name == "updates";
                if name == "update" {
                    update = Some(Update { kind: element.attribute("type"), ..Update::default() });
                }
                let Some(update) = &mut update else { return Ok(()) };
                match name {
                    "issued" => update.erratum.issued = element.attribute("date"),
                    "updated" => update.erratum.updated = element.attribute("date"),
                    "reference" => {
                        update.erratum.fixes(&element.attribute("id"));
                        update.erratum.link(element.attribute("href"));
                        // Fedora's references are bugs whose titles name what they are about.
                        for word in element.attribute("title").split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                        {
                            update.erratum.fixes(word);
                        }
                    }
                    "module" => {
                        module = Some(format!("{}:{}", element.attribute("name"), element.attribute("stream")));
                    }
                    "collection" => module = None,
                    "package" => add_package(update, element, module.clone())?,
                    _ => {}
                }
            }
            Node::Text(piece) => xml::append(&mut text, piece, LONGEST_TEXT),
            Node::Close(name) => {
                let Some(current) = &mut update else { return Ok(()) };
                let erratum = &mut current.erratum;
                match name {
                    "id" => erratum.id = text.trim().to_owned(),
                    "title" => erratum.title = text.trim().to_owned(),
                    "description" => erratum.description = text.trim().to_owned(),
                    "severity" => erratum.severity = text.trim().to_owned(),
                    "update" => update.take().into_iter().for_each(&mut visit),
                    _ => {}
                }
                text.clear();
            }
        }
        Ok(())
    })?;
    if is_update_list { Ok(()) } else { Err(FeedError::new("it is no list of updates")) }
}

fn add_package(update: &mut Update, element: &xml::Element<'_>, module: Option<String>) -> Result<(), FeedError> {
    let (name, arch) = (element.attribute("name"), element.attribute("arch"));
    if !is_package(&name, &arch) {
        return Ok(());
    }
    if update.packages.len() >= MOST_PACKAGES {
        return Err(FeedError::new(format!("an update names more than {MOST_PACKAGES} packages")));
    }
    let version = evr(&element.attribute("epoch"), &element.attribute("version"), &element.attribute("release"));
    let package = Package { name, version, module };
    // Once for each architecture; the same one mostly comes again soon.
    if !update.packages.iter().rev().take(64).any(|known| *known == package) {
        update.packages.push(package);
    }
    Ok(())
}

/// The address of `updateinfo.xml` that a repository's `repomd.xml` names, relative to the repository.
pub(super) fn location(repomd: &[u8]) -> Option<String> {
    let source = compressed::reader(repomd).ok()?;
    let (mut is_updateinfo, mut found) = (false, None);
    let read = xml::read(source, |node| {
        if let Node::Open(element) = node {
            match element.name() {
                "data" => is_updateinfo = element.attribute("type") == "updateinfo",
                "location" if is_updateinfo => found = Some(element.attribute("href")),
                _ => {}
            }
        }
        Ok(())
    });
    let href: String = read.ok().and(found)?;
    let is_plain = !href.is_empty() && !href.starts_with('/') && !href.contains("..") && !href.contains(':');
    is_plain.then_some(href)
}

const MOST_PACKAGES: usize = 20_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const XML: &str = r#"<?xml version="1.0"?><updates><update from="x" status="final" type="security" version="1">
      <id>ALAS2-2018-939</id><title> T </title><issued date="2018-01-11 21:05"/><updated date="2018-01-16 01:28"/>
      <severity>critical</severity><description>a &amp; b</description>
      <references><reference href="https://e.org/1" id="CVE-2017-5754" type="cve"/>
        <reference href="https://e.org/2" id="99" title="kernel: CVE-2017-5715, CVE-2017-5753 [all]"/></references>
      <pkglist><collection short="a"><package name="kernel" version="4.9" release="1.amzn2" epoch="0" arch="x86_64"/>
        <package name="kernel" version="4.9" release="1.amzn2" epoch="0" arch="i686"/>
        <package name="kernel" version="4.9" release="1.amzn2" epoch="0" arch="src"/></collection>
       <collection><module name="nodejs" stream="18" version="1" context="c" arch="x86_64"/>
        <package name="npm" version="9" release="1" epoch="2" arch="noarch"/></collection></pkglist></update></updates>"#;

    fn updates(bytes: &[u8]) -> Result<Vec<Update>, FeedError> {
        let mut all = Vec::new();
        read(bytes, |update| all.push(update))?;
        Ok(all)
    }

    #[test]
    fn an_update_with_its_packages() {
        let all = updates(XML.as_bytes()).expect("a list of updates");
        let [update] = all.as_slice() else { panic!("{all:?}") };
        let erratum = &update.erratum;
        assert_eq!(
            (erratum.id.as_str(), erratum.title.as_str(), update.kind.as_str()),
            ("ALAS2-2018-939", "T", "security")
        );
        assert_eq!((erratum.severity.as_str(), erratum.description.as_str()), ("critical", "a & b"));
        assert_eq!(erratum.cves.iter().collect::<Vec<_>>(), ["CVE-2017-5715", "CVE-2017-5753", "CVE-2017-5754"]);
        let package = |name: &str, version: &str, module: Option<&str>| Package {
            name: name.into(),
            version: version.into(),
            module: module.map(Into::into),
        };
        assert_eq!(
            update.packages,
            [package("kernel", "4.9-1.amzn2", None), package("npm", "2:9-1", Some("nodejs:18"))]
        );
        assert!(updates(b"<html></html>").is_err());
    }

    #[test]
    fn repositories_name_their_updateinfo() {
        let of = |href: &str| {
            location(format!("<repomd><data type='other'><location href='o'/></data><data type='updateinfo'><location href='{href}'/></data></repomd>").as_bytes())
        };
        assert_eq!(of("repodata/u.xml.gz").as_deref(), Some("repodata/u.xml.gz"));
        for hostile in ["../u", "/u", "https://elsewhere/u", ""] {
            assert_eq!(of(hostile), None, "{hostile}");
        }
        assert_eq!(location(b"<repomd>"), None);
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..1300, value: u8, cut in 0usize..2600) {
            let mut bytes = XML.as_bytes().to_vec();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            bytes.truncate(cut);
            let _ = updates(&bytes);
        }
    }
}
