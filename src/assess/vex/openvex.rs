//! OpenVEX 0.0.1 to 0.2.0 (github.com/openvex/spec), JSON.

use jiff::Timestamp;
use serde::Deserialize;

use super::product::Product;
use super::{Statement, Status, Target};

pub(super) fn read(text: &str) -> Result<Vec<Statement>, serde_json::Error> {
    let document: Document = serde_json::from_slice(text.as_bytes())?;
    let of_document = document.timestamp;
    let statement = |said: Said| {
        let products = if said.products.is_empty() { document.products.clone() } else { said.products };
        Statement {
            origin: String::new(),
            ids: said.vulnerability.ids(),
            targets: products.iter().flat_map(targets).collect(),
            status: match said.status.as_str() {
                "not_affected" => Status::NotAffected,
                "fixed" => Status::Fixed,
                "affected" => Status::Affected,
                _ => Status::UnderInvestigation,
            },
            justification: said.justification,
            note: said.impact_statement,
            time: said.timestamp.or(of_document.clone()).and_then(|text| text.parse::<Timestamp>().ok()),
        }
    };
    Ok(document.statements.into_iter().map(statement).collect())
}

fn targets(product: &Named) -> Vec<Target> {
    let mut targets = Vec::new();
    for name in product.names().filter_map(Product::parse) {
        let parts = product.subcomponents();
        if parts.is_empty() {
            targets.push(Target { product: name, component: None });
        } else {
            targets.extend(
                parts
                    .iter()
                    .flat_map(Named::names)
                    .filter_map(Product::parse)
                    .map(|component| Target { product: name.clone(), component: Some(component) }),
            );
        }
    }
    targets
}

#[derive(Deserialize)]
struct Document {
    timestamp: Option<String>,
    #[serde(default)]
    products: Vec<Named>,
    #[serde(default)]
    statements: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    vulnerability: Vulnerability,
    #[serde(default)]
    products: Vec<Named>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    justification: String,
    #[serde(default)]
    impact_statement: String,
    timestamp: Option<String>,
}

/// A text in 0.0.x, an object since 0.2.0.
#[derive(Deserialize)]
#[serde(untagged)]
enum Vulnerability {
    Text(String),
    Object {
        #[serde(rename = "@id", default)]
        id: String,
        #[serde(default)]
        name: String,
        #[serde(default)]
        aliases: Vec<String>,
    },
}

impl Vulnerability {
    fn ids(self) -> Vec<String> {
        let ids = match self {
            Self::Text(text) => vec![text],
            Self::Object { id, name, aliases } => {
                // The id is an address that ends with the vulnerability's name.
                let of_id = id.rsplit('/').next().unwrap_or_default().to_owned();
                let mut ids = vec![name];
                ids.extend(aliases);
                ids.push(of_id);
                ids
            }
        };
        ids.into_iter().filter(|id| !id.trim().is_empty()).collect()
    }
}

/// A product or a part of one.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Named {
    Text(String),
    Object {
        #[serde(rename = "@id", default)]
        id: String,
        #[serde(default)]
        identifiers: Identifiers,
        #[serde(default)]
        subcomponents: Vec<Named>,
    },
}

#[derive(Clone, Default, Deserialize)]
struct Identifiers {
    #[serde(default)]
    purl: String,
}

impl Named {
    fn names(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Text(text) => [text.as_str(), ""],
            Self::Object { id, identifiers, .. } => [id.as_str(), identifiers.purl.as_str()],
        };
        names.into_iter().filter(|name| !name.is_empty())
    }

    fn subcomponents(&self) -> &[Named] {
        match self {
            Self::Text(_) => &[],
            Self::Object { subcomponents, .. } => subcomponents,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::applied;

    fn document(statements: &str) -> String {
        format!(
            r#"{{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-01-01T00:00:00Z","statements":[{statements}]}}"#
        )
    }

    fn about_lodash(products: &str) -> String {
        document(&format!(
            r#"{{"vulnerability":{{"name":"CVE-2021-23337"}},"products":[{products}],"status":"not_affected","justification":"vulnerable_code_not_present"}}"#
        ))
    }

    #[test]
    fn products_are_packages_images_or_both() {
        let digest = "a".repeat(64);
        for (product, expected) in [
            (r#"{"@id":"pkg:npm/lodash@4.17.20"}"#.to_owned(), true),
            (r#"{"@id":"pkg:npm/lodash"}"#.to_owned(), true),
            (r#""pkg:npm/lodash""#.to_owned(), true),
            (r#"{"@id":"pkg:npm/lodash@4.17.19"}"#.to_owned(), false),
            (r#"{"identifiers":{"purl":"pkg:npm/lodash"}}"#.to_owned(), true),
            (format!(r#"{{"@id":"pkg:oci/app@sha256%3A{digest}"}}"#), true),
            (format!(r#"{{"@id":"pkg:oci/app@sha256:{}"}}"#, "b".repeat(64)), false),
            (r#"{"@id":"pkg:oci/app?repository_url=reg.example.com/group/app"}"#.to_owned(), true),
            (r#"{"@id":"pkg:oci/app?repository_url=reg.example.com/group"}"#.to_owned(), true),
            (r#"{"@id":"pkg:oci/app?repository_url=reg.example.com/group/app&tag=1.3"}"#.to_owned(), false),
            // Anybody's image.
            (r#"{"@id":"pkg:oci/app"}"#.to_owned(), false),
            (r#"{"@id":"reg.example.com/group/app"}"#.to_owned(), true),
            (r#"{"@id":"reg.example.com/group/app:1.3"}"#.to_owned(), false),
            (r#"{"@id":"reg.example.com/group/app","subcomponents":[{"@id":"pkg:npm/lodash"}]}"#.to_owned(), true),
            (r#"{"@id":"reg.example.com/group/app","subcomponents":[{"@id":"pkg:npm/other"}]}"#.to_owned(), false),
            (r#"{"@id":"pkg:npm/other","subcomponents":[{"@id":"pkg:npm/lodash"}]}"#.to_owned(), false),
            (r#"{"@id":"my product"}"#.to_owned(), false),
        ] {
            let (suppressed, said) = applied(&about_lodash(&product));
            assert_eq!(!suppressed.is_empty(), expected, "{product}: {said:?}");
        }
    }

    #[test]
    fn the_latest_statement_decides_and_every_one_says_what_it_did() {
        let said = |status: &str, time: &str| {
            format!(
                r#"{{"vulnerability":"GHSA-35jh-r3h4-6jhm","products":["pkg:npm/lodash"],"status":"{status}","timestamp":"{time}"}}"#
            )
        };
        let (suppressed, rules) = applied(&document(
            &[said("not_affected", "2026-01-01T00:00:00Z"), said("affected", "2026-02-01T00:00:00Z")].join(","),
        ));
        assert_eq!(suppressed, Vec::<String>::new());
        assert_eq!(rules, ["GHSA-35jh-r3h4-6jhm not affected: Applied", "GHSA-35jh-r3h4-6jhm affected: Applied"]);
        let (suppressed, _) = applied(&document(
            &[said("affected", "2026-01-01T00:00:00Z"), said("fixed", "2026-02-01T00:00:00Z")].join(","),
        ));
        assert_eq!(suppressed, ["CVE-2021-23337: fixed (vex.json, statement 2)"]);
        let unused = r#"{"vulnerability":"CVE-1","products":["pkg:npm/lodash"],"status":"fixed"},{"vulnerability":"CVE-2","status":"fixed"}"#;
        assert_eq!(applied(&document(unused)).1, ["CVE-1 fixed: Unused", "CVE-2 fixed: NotUnderstood"]);
    }
}
