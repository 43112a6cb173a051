//! OVAL definitions (version 5, linux schema) about rpm packages: each one's head, and which versions of which packages it
//! calls affected, under which conditions.
//!
//! Definitions come before the tests, objects and states that they name, so a file is read twice: first the tests, then
//! the definitions. Only tests of one package's version, existence or release are understood; ids must end in a number.

mod criteria;
mod tests_of;

use crate::advisories::xml::{self, Element, Node};
use crate::advisories::{FeedError, compressed};

use super::erratum::{Erratum, LONGEST_TEXT};
use criteria::Tree;
use tests_of::Tests;

pub(super) use criteria::{Condition, Conditions, Statement};
pub(super) use tests_of::Operation;

/// One `<definition>`.
#[derive(Debug, Default)]
pub(super) struct Definition {
    /// `patch`, `vulnerability`, ….
    pub(super) class: String,
    pub(super) erratum: Erratum,
    /// `<platform>`s.
    pub(super) platforms: Vec<String>,
    /// Products that it is about, if they are known by CPE.
    pub(super) cpes: Vec<String>,
    /// What is meant to be done about components: state, component.
    pub(super) resolutions: Vec<(String, String)>,
    /// The words of all its criteria.
    pub(super) comments: Vec<String>,
    /// What it says about packages.
    pub(super) statements: Vec<Statement>,
    /// Of the resolution that is being read.
    resolution: String,
}

/// Reads all definitions, one after the other.
pub(super) fn read(bytes: &[u8], mut visit: impl FnMut(Definition)) -> Result<(), FeedError> {
    let tests = Tests::read(bytes)?;
    let source = compressed::reader(bytes).map_err(FeedError::new)?;
    let mut definition: Option<Definition> = None;
    let mut tree = Tree::default();
    let mut text = String::new();
    let mut is_oval = false;
    xml::read(source, |node| {
        match node {
            Node::Open(element) => {
                text.clear();
                match element.name() {
                    "oval_definitions" => is_oval = true,
                    "definition" => {
                        definition = Some(Definition { class: element.attribute("class"), ..Definition::default() });
                        tree = Tree::default();
                    }
                    "criteria" if definition.is_some() => tree.open(&element.attribute("operator"))?,
                    "criterion" => {
                        if let Some(definition) = &mut definition {
                            let comment = element.attribute("comment");
                            if definition.comments.len() >= MOST_COMMENTS {
                                return Err(FeedError::new(format!(
                                    "a definition has more than {MOST_COMMENTS} criteria"
                                )));
                            }
                            definition.comments.push(comment.chars().take(LONGEST_COMMENT).collect());
                            tree.test(number(&element.attribute("test_ref")), comment)?;
                        }
                    }
                    name => {
                        if let Some(definition) = &mut definition {
                            open(definition, name, element);
                        }
                    }
                }
            }
            Node::Text(piece) if definition.is_some() => xml::append(&mut text, piece, LONGEST_TEXT),
            Node::Text(_) => {}
            Node::Close("criteria") if definition.is_some() => tree.close(),
            Node::Close("definition") => {
                if let Some(mut definition) = definition.take() {
                    definition.statements = std::mem::take(&mut tree).statements(&tests)?;
                    visit(definition);
                }
            }
            Node::Close(name) => {
                if let Some(definition) = &mut definition {
                    close(definition, name, text.trim());
                }
                text.clear();
            }
        }
        Ok(())
    })?;
    if is_oval { Ok(()) } else { Err(FeedError::new("it is no OVAL")) }
}

fn open(definition: &mut Definition, name: &str, element: &Element<'_>) {
    let erratum = &mut definition.erratum;
    match name {
        "reference" => {
            let id = element.attribute("ref_id");
            // `CVE:00001:CVE-2023-5115`, `Mitre CVE-1999-0077`.
            erratum.fixes(id.rsplit([':', ' ']).next().unwrap_or_default());
            erratum.link(element.attribute("ref_url"));
        }
        "issued" => erratum.issued = element.attribute("date"),
        "updated" => erratum.updated = element.attribute("date"),
        "cve" => {
            let vectors = [element.attribute("cvss2"), element.attribute("cvss3"), element.attribute("cvss4")];
            for vector in vectors {
                // `7.8/AV:N/…`: the score comes first.
                erratum.cvss.extend(vector.split_once('/').map(|(_, vector)| vector.to_owned()));
            }
            erratum.cvss.extend(Some(element.attribute("cvss_vector")).filter(|vector| !vector.is_empty()));
            erratum.cvss.truncate(MOST_VECTORS);
        }
        "resolution" => definition.resolution = element.attribute("state"),
        _ => {}
    }
}

fn close(definition: &mut Definition, name: &str, text: &str) {
    let erratum = &mut definition.erratum;
    match name {
        "title" => erratum.title = text.to_owned(),
        "description" => erratum.description = text.to_owned(),
        "severity" => erratum.severity = text.to_owned(),
        "advisory_date" => erratum.issued = text.to_owned(),
        "public_date" => erratum.issued = text.trim_end_matches(" UTC").to_owned(),
        "advisory_id" => erratum.id = text.to_owned(),
        "cpe" if definition.cpes.len() < MOST_PLATFORMS => definition.cpes.push(text.to_owned()),
        "component" if definition.resolutions.len() < MOST_PLATFORMS => {
            definition.resolutions.push((definition.resolution.clone(), text.to_owned()));
        }
        "platform" if definition.platforms.len() < MOST_PLATFORMS => definition.platforms.push(text.to_owned()),
        _ => {}
    }
}

/// The number that an id ends with: `oval:com.oracle.elsa:tst:20070057001`.
fn number(id: &str) -> Option<u64> {
    id.rsplit(':').next()?.parse().ok()
}

const MOST_VECTORS: usize = 3;
const MOST_PLATFORMS: usize = 1_000;
const MOST_COMMENTS: usize = 500_000;
const LONGEST_COMMENT: usize = 300;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::advisories) const XML: &str = r#"<oval_definitions xmlns="x"><definitions>
      <definition id="oval:x:def:1" class="patch"><metadata><title>ELSA-2023-1: Moderate: bind update (MODERATE)</title>
        <affected family="unix"><platform>Oracle Linux 8</platform></affected>
        <reference source="elsa" ref_id="ELSA-2023-1" ref_url="https://e.org/1"/><reference source="CVE" ref_id="CVE-2023-1000"/>
        <description>d</description><advisory><severity>MODERATE</severity><issued date="2023-06-26"/>
        <cve cvss2="7.8/AV:N/AC:L/Au:N/C:N/I:N/A:C">CVE-2023-1000</cve></advisory></metadata>
       <criteria operator="AND"><criterion test_ref="oval:x:tst:1" comment="Oracle Linux 8 is installed"/>
        <criterion test_ref="oval:x:tst:5" comment="Module virt:kvm_utils is enabled"/>
        <criteria operator="OR">
         <criteria operator="AND"><criterion test_ref="oval:x:tst:2" comment="Oracle Linux arch is x86_64"/>
          <criteria operator="OR">
           <criteria operator="AND"><criterion test_ref="oval:x:tst:3" comment="bind is earlier than 30:9.3-8.el8"/>
            <criterion test_ref="oval:x:tst:4" comment="bind is signed with the key"/></criteria></criteria></criteria></criteria></criteria>
      </definition></definitions>
     <tests><rpminfo_test id="oval:x:tst:1" comment="Oracle Linux 8 is installed"><object object_ref="oval:x:obj:1"/><state state_ref="oval:x:ste:2"/></rpminfo_test>
      <rpminfo_test id="oval:x:tst:3"><object object_ref="oval:x:obj:2"/><state state_ref="oval:x:ste:1"/></rpminfo_test>
      <rpminfo_test id="oval:x:tst:4"><object object_ref="oval:x:obj:2"/><state state_ref="oval:x:ste:3"/></rpminfo_test></tests>
     <objects><rpminfo_object id="oval:x:obj:1"><name>oraclelinux-release</name></rpminfo_object>
      <rpminfo_object id="oval:x:obj:2"><name>bind</name></rpminfo_object></objects>
     <states><rpminfo_state id="oval:x:ste:1"><evr datatype="evr_string" operation="less than">30:9.3-8.el8</evr></rpminfo_state>
      <rpminfo_state id="oval:x:ste:2"><version operation="pattern match">^8</version></rpminfo_state>
      <rpminfo_state id="oval:x:ste:3"><signature_keyid operation="equals">1</signature_keyid></rpminfo_state></states></oval_definitions>"#;

    fn definitions(bytes: &[u8]) -> Result<Vec<Definition>, FeedError> {
        let mut all = Vec::new();
        read(bytes, |definition| all.push(definition))?;
        Ok(all)
    }

    #[test]
    fn a_definition_with_its_statements() {
        let all = definitions(XML.as_bytes()).expect("OVAL");
        let [definition] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(
            (definition.class.as_str(), definition.platforms.as_slice()),
            ("patch", &["Oracle Linux 8".into()][..])
        );
        let erratum = &definition.erratum;
        assert_eq!(erratum.cves.iter().collect::<Vec<_>>(), ["CVE-2023-1000"]);
        assert_eq!(
            (erratum.cvss.as_slice(), erratum.severity.as_str()),
            (&["AV:N/AC:L/Au:N/C:N/I:N/A:C".into()][..], "MODERATE")
        );
        let [statement] = definition.statements.as_slice() else { panic!("{definition:?}") };
        assert_eq!(
            (statement.package.as_str(), statement.operation, statement.version.as_str()),
            ("bind", Operation::LessThan, "30:9.3-8.el8")
        );
        let conditions: Vec<&str> = statement.conditions.iter().flatten().map(Condition::text).collect();
        assert_eq!(
            conditions,
            ["Oracle Linux 8 is installed", "Module virt:kvm_utils is enabled", "Oracle Linux arch is x86_64"]
        );
        assert!(definitions(b"<html></html>").is_err());
    }

    /// A definition with conditions that all of its statements share, and as many groups with a statement and a condition.
    fn nested(conditions: usize, groups: usize) -> String {
        let condition = |number: usize| format!("<criterion comment=\"Product number {number} is installed\"/>");
        let group = |number: usize| {
            let test = "<criterion test_ref=\"oval:x:tst:3\" comment=\"bind is earlier than 1\"/>";
            format!("<criteria operator=\"AND\">{}{test}</criteria>", condition(1_000_000 + number))
        };
        let inner: String = (0..conditions).map(condition).chain((0..groups).map(group)).collect();
        let (head, rest) = XML.split_once("<criteria").expect("criteria");
        let (_, tail) = rest.split_once("</definition>").expect("an end");
        format!("{head}<criteria operator=\"AND\">{inner}</criteria></definition>{tail}")
    }

    #[test]
    fn statements_share_their_conditions() {
        let all = definitions(nested(1_000, 5_000).as_bytes()).expect("OVAL");
        let statements = &all[0].statements;
        assert_eq!(statements.len(), 5_000);
        let conditions = |statement: &Statement| -> Vec<*const u8> {
            statement.conditions.iter().flatten().map(|condition| condition.text().as_ptr()).collect()
        };
        let (first, last) = (conditions(&statements[0]), conditions(&statements[4_999]));
        assert_eq!((first.len(), last.len()), (1_001, 1_001));
        assert_eq!(first[..1_000], last[..1_000], "one copy for all of them");
    }

    #[test]
    fn a_definition_that_multiplies_is_refused() {
        let error = definitions(nested(20_000, 20_000).as_bytes()).expect_err("400 million conditions").to_string();
        assert!(error.contains("conditions of statements"), "{error}");
        let long = "w ".repeat(100_000);
        let many = format!("<criterion comment=\"{long}\"/>").repeat(700);
        let endless = XML.replacen("<criterion ", &format!("{many}<criterion "), 1);
        let error = definitions(endless.as_bytes()).expect_err("140 MB of words").to_string();
        assert!(error.contains("words") || error.contains("long"), "{error}");
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..2900, value: u8, cut in 0usize..6000) {
            let mut bytes = XML.as_bytes().to_vec();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            bytes.truncate(cut);
            let _ = definitions(&bytes);
        }
    }
}
