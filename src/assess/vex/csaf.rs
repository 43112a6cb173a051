//! CSAF 2.0 (and the purls of 2.1), JSON: `product_tree` names products and the relationships between them,
//! `vulnerabilities[].product_status` says which are affected. Red Hat and SUSE publish their VEX so.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::product::Product;
use super::{Statement, Status, Target};

pub(super) fn read(text: &str) -> Result<Vec<Statement>, serde_json::Error> {
    let document: Document = serde_json::from_slice(text.as_bytes())?;
    let products = document.product_tree.targets();
    let time = document.document.tracking.current_release_date.and_then(|text| text.parse::<Timestamp>().ok());
    let mut statements = Vec::new();
    for vulnerability in &document.vulnerabilities {
        let mut ids: Vec<String> = vulnerability.cve.iter().cloned().collect();
        ids.extend(vulnerability.ids.iter().map(|id| id.text.clone()));
        ids.retain(|id| !id.is_empty());
        let status = &vulnerability.product_status;
        for (status, named) in [
            (Status::NotAffected, &status.known_not_affected),
            (Status::Fixed, &status.fixed),
            (Status::Fixed, &status.first_fixed),
            (Status::Affected, &status.known_affected),
            (Status::UnderInvestigation, &status.under_investigation),
        ] {
            if named.is_empty() {
                continue;
            }
            // One statement for each justification, as they are given by product.
            let mut by_reason: BTreeMap<(&str, &str), Vec<Target>> = BTreeMap::new();
            for product in named {
                let reason = (vulnerability.justification(product), vulnerability.impact(product));
                by_reason
                    .entry(reason)
                    .or_default()
                    .extend(products.get(product.as_str()).into_iter().flatten().cloned());
            }
            statements.extend(by_reason.into_iter().map(|((justification, note), targets)| Statement {
                origin: String::new(),
                ids: ids.clone(),
                targets,
                status,
                justification: justification.to_owned(),
                note: note.to_owned(),
                time,
            }));
        }
    }
    Ok(statements)
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    document: Head,
    #[serde(default)]
    product_tree: ProductTree,
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Default, Deserialize)]
struct Head {
    #[serde(default)]
    tracking: Tracking,
}

#[derive(Default, Deserialize)]
struct Tracking {
    current_release_date: Option<String>,
}

#[derive(Default, Deserialize)]
struct ProductTree {
    #[serde(default)]
    branches: Vec<Branch>,
    #[serde(default)]
    full_product_names: Vec<FullName>,
    #[serde(default)]
    relationships: Vec<Relationship>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    branches: Vec<Branch>,
    product: Option<FullName>,
}

#[derive(Deserialize)]
struct FullName {
    product_id: String,
    #[serde(default)]
    product_identification_helper: Helper,
}

#[derive(Default, Deserialize)]
struct Helper {
    purl: Option<String>,
    #[serde(default)]
    purls: Vec<String>,
}

#[derive(Deserialize)]
struct Relationship {
    product_reference: String,
    relates_to_product_reference: String,
    full_product_name: FullName,
}

impl ProductTree {
    /// What each product id means.
    fn targets(&self) -> BTreeMap<&str, Vec<Target>> {
        let mut named: BTreeMap<&str, Vec<Product>> = BTreeMap::new();
        let mut open: Vec<&Branch> = self.branches.iter().collect();
        let mut names: Vec<&FullName> = self.full_product_names.iter().collect();
        while let Some(branch) = open.pop() {
            open.extend(&branch.branches);
            names.extend(&branch.product);
        }
        for name in names {
            named.insert(&name.product_id, name.products());
        }
        let whole = |product: &Product| Target { product: product.clone(), component: None };
        let mut targets: BTreeMap<&str, Vec<Target>> =
            named.iter().map(|(id, products)| (*id, products.iter().map(whole).collect())).collect();
        for relationship in &self.relationships {
            let own = relationship.full_product_name.products();
            let parts = named.get(relationship.product_reference.as_str());
            let wholes = named.get(relationship.relates_to_product_reference.as_str());
            let mut meant: Vec<Target> = own.iter().map(whole).collect();
            for part in parts.into_iter().flatten() {
                match wholes.map(Vec::as_slice).unwrap_or_default() {
                    // An operating system has no purl; the package's own says which it is for.
                    [] => meant.push(whole(part)),
                    wholes => meant.extend(
                        wholes.iter().map(|product| Target { product: product.clone(), component: Some(part.clone()) }),
                    ),
                }
            }
            targets.entry(&relationship.full_product_name.product_id).or_default().extend(meant);
        }
        targets
    }
}

impl FullName {
    fn products(&self) -> Vec<Product> {
        let helper = &self.product_identification_helper;
        helper.purl.iter().chain(&helper.purls).filter_map(|purl| Product::parse(purl)).collect()
    }
}

#[derive(Deserialize)]
struct Vulnerability {
    cve: Option<String>,
    #[serde(default)]
    ids: Vec<Id>,
    #[serde(default)]
    product_status: ProductStatus,
    #[serde(default)]
    flags: Vec<Flag>,
    #[serde(default)]
    threats: Vec<Threat>,
}

#[derive(Deserialize)]
struct Id {
    #[serde(default)]
    text: String,
}

#[derive(Default, Deserialize)]
struct ProductStatus {
    #[serde(default)]
    known_not_affected: Vec<String>,
    #[serde(default)]
    fixed: Vec<String>,
    #[serde(default)]
    first_fixed: Vec<String>,
    #[serde(default)]
    known_affected: Vec<String>,
    #[serde(default)]
    under_investigation: Vec<String>,
}

#[derive(Deserialize)]
struct Flag {
    #[serde(default)]
    label: String,
    #[serde(default)]
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Threat {
    #[serde(default)]
    category: String,
    #[serde(default)]
    details: String,
    #[serde(default)]
    product_ids: Vec<String>,
}

impl Vulnerability {
    fn justification(&self, product: &String) -> &str {
        self.flags.iter().find(|flag| flag.product_ids.contains(product)).map_or("", |flag| flag.label.as_str())
    }

    fn impact(&self, product: &String) -> &str {
        let impact =
            self.threats.iter().find(|threat| threat.category == "impact" && threat.product_ids.contains(product));
        impact.map_or("", |threat| threat.details.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::applied;

    fn document(status: &str, product: &str) -> String {
        format!(
            r#"{{"document":{{"category":"csaf_vex","csaf_version":"2.0","tracking":{{"current_release_date":"2026-01-01T00:00:00Z"}}}},
            "product_tree":{{
              "branches":[{{"category":"vendor","name":"v","branches":[
                {{"category":"product_name","name":"os","product":{{"product_id":"os","name":"os"}}}},
                {{"category":"product_version","name":"z","product":{{"product_id":"zlib","name":"z","product_identification_helper":{{"purl":"pkg:deb/zlib1g@1:1.2.13"}}}}}},
                {{"category":"product_version","name":"i","product":{{"product_id":"image","name":"i","product_identification_helper":{{"purl":"pkg:oci/app?repository_url=reg.example.com/group/app"}}}}}}]}}],
              "full_product_names":[{{"product_id":"lodash","name":"l","product_identification_helper":{{"purl":"pkg:npm/lodash"}}}}],
              "relationships":[
                {{"category":"default_component_of","product_reference":"zlib","relates_to_product_reference":"os","full_product_name":{{"product_id":"os:zlib","name":"x"}}}},
                {{"category":"default_component_of","product_reference":"lodash","relates_to_product_reference":"image","full_product_name":{{"product_id":"image:lodash","name":"x"}}}},
                {{"category":"default_component_of","product_reference":"lodash","relates_to_product_reference":"zlib","full_product_name":{{"product_id":"zlib:lodash","name":"x"}}}}]}},
            "vulnerabilities":[{{"cve":"CVE-2023-45853","product_status":{{"{status}":["{product}"]}},"flags":[{{"label":"component_not_present","product_ids":["{product}"]}}],
              "threats":[{{"category":"impact","details":"minizip is not built","product_ids":["{product}"]}}]}},
              {{"cve":"CVE-2021-23337","product_status":{{"{status}":["{product}"]}}}}]}}"#
        )
    }

    #[test]
    fn the_tree_leads_to_packages() {
        let zlib = "CVE-2023-45853: not affected: component_not_present: minizip is not built (vex.json, statement 1)";
        let lodash = "CVE-2021-23337: not affected (vex.json, statement 2)";
        for (status, product, expected) in [
            ("known_not_affected", "zlib", vec![zlib]),
            ("known_not_affected", "os:zlib", vec![zlib]),
            ("known_not_affected", "lodash", vec![lodash]),
            ("known_not_affected", "image:lodash", vec![lodash]),
            ("known_not_affected", "zlib:lodash", vec![]),
            ("known_not_affected", "image", vec![zlib, lodash]),
            ("known_not_affected", "os", vec![]),
            ("known_affected", "zlib", vec![]),
            ("under_investigation", "zlib", vec![]),
        ] {
            assert_eq!(applied(&document(status, product)).0, expected, "{status} {product}");
        }
        assert_eq!(applied(&document("fixed", "lodash")).0, ["CVE-2021-23337: fixed (vex.json, statement 2)"]);
    }
}
