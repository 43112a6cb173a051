//! Which package of which product a product id of a VEX document stands for.

use std::collections::HashMap;

use crate::model::ShardName;

use super::csaf::{Branch, Helper, ProductTree};

/// A package, as a product id names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component<'a> {
    pub(super) name: &'a str,
    /// `epoch:version-release`, without an epoch of 0; none where all versions are meant.
    pub(super) version: Option<&'a str>,
    pub(super) arch: Option<&'a str>,
    /// `name:stream`.
    pub(super) module: Option<&'a str>,
}

/// The products and the relationships between them.
pub(super) struct Products<'a> {
    helpers: HashMap<&'a str, Option<&'a Helper<'a>>>,
    relationships: HashMap<&'a str, (&'a str, &'a str)>,
}

/// Components of components of products: packages of modules of streams.
const DEEPEST: usize = 6;

impl<'a> Products<'a> {
    pub(super) fn of(tree: &'a ProductTree<'a>) -> Self {
        let mut products = Self { helpers: HashMap::new(), relationships: HashMap::new() };
        tree.branches.iter().for_each(|branch| products.add(branch));
        products.relationships.extend(tree.relationships.iter().map(|relationship| {
            let id = relationship.full_product_name.product_id.as_ref();
            let component = relationship.product_reference.as_ref();
            (id, (component, relationship.relates_to_product_reference.as_ref()))
        }));
        products
    }

    fn add(&mut self, branch: &'a Branch<'a>) {
        if let Some(product) = &branch.product {
            self.helpers.insert(product.product_id.as_ref(), product.product_identification_helper.as_ref());
        }
        branch.branches.iter().for_each(|branch| self.add(branch));
    }

    /// The package and the CPE of the product that it is in; `None` for products as a whole, and for things that are no
    /// rpm packages.
    pub(super) fn find(&self, id: &str) -> Option<(Component<'a>, &'a str)> {
        let (reference, mut platform) = *self.relationships.get(id)?;
        let mut component = self.component(reference)?;
        for _ in 0..DEEPEST {
            let Some((module, outer)) = self.relationships.get(platform) else { break };
            component.module = component.module.or_else(|| self.module(module));
            platform = outer;
        }
        let cpe = self.helpers.get(platform).copied().flatten()?.cpe.as_deref()?;
        Some((component, cpe))
    }

    fn component(&self, reference: &'a str) -> Option<Component<'a>> {
        let purl = self.helpers.get(reference).copied().flatten().and_then(|helper| helper.purl.as_deref());
        if purl.is_some_and(|purl| !purl.starts_with("pkg:rpm/")) {
            return None;
        }
        let qualifier = |name: &str| {
            let (_, qualifiers) = purl?.split_once('?')?;
            qualifiers.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let mut module = qualifier("rpmmod").and_then(name_and_stream);
        // `nodejs:16/nodejs`: a package of a module
        let reference = match reference.split_once('/') {
            Some((outer, inner)) => {
                module = module.or_else(|| name_and_stream(outer));
                inner
            }
            None => reference,
        };
        // `nodejs-1:18.16-1.el8.x86_64::nodejs:18`
        let reference = match reference.split_once("::") {
            Some((package, of)) => {
                module = module.or_else(|| name_and_stream(of));
                package
            }
            None => reference,
        };
        Some(match nevra(reference) {
            Some((name, version, arch)) => Component { name, version: Some(version), arch: Some(arch), module },
            None => Component { name: reference, version: None, arch: qualifier("arch"), module },
        })
    }

    /// Of a module that packages are components of.
    fn module(&self, reference: &'a str) -> Option<&'a str> {
        let purl = self.helpers.get(reference).copied().flatten().and_then(|helper| helper.purl.as_deref());
        let is_module = purl.is_none_or(|purl| purl.starts_with("pkg:rpmmod/"));
        name_and_stream(reference).filter(|_| is_module)
    }
}

/// `nodejs:18` of `nodejs:18:8080020230718:abc`.
fn name_and_stream(label: &str) -> Option<&str> {
    let (name, rest) = label.split_once(':')?;
    let stream = rest.split(':').next()?;
    label.get(..name.len() + 1 + stream.len()).filter(|_| !name.is_empty() && !stream.is_empty())
}

/// `openssl-1:3.0.7-27.el9.aarch64`: name, version with release, architecture. The epoch tells it from plain names.
fn nevra(text: &str) -> Option<(&str, &str, &str)> {
    let (rest, arch) = text.rsplit_once('.')?;
    let (before, _release) = rest.rsplit_once('-')?;
    let (name, version) = before.rsplit_once('-')?;
    let (epoch, _) = version.split_once(':')?;
    if name.is_empty() || epoch.is_empty() || !epoch.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let version = rest.get(name.len() + 1..)?;
    Some((name, version.strip_prefix("0:").unwrap_or(version), arch))
}

/// The shard of the release that a product belongs to: `cpe:/a:redhat:enterprise_linux:9::appstream`,
/// `cpe:/a:redhat:rhel_eus:9.2::appstream`, `cpe:/a:redhat:openshift:4.13::el9`.
pub(super) fn shard(cpe: &str, component: &Component<'_>) -> Option<ShardName> {
    let mut parts = cpe.strip_prefix("cpe:/")?.split(':');
    let (_, vendor, product, version) = (parts.next()?, parts.next()?, parts.next()?, parts.next().unwrap_or_default());
    if vendor != "redhat" {
        return None;
    }
    let digits = |text: &str| -> Option<String> {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        (1..=2).contains(&digits.len()).then_some(digits)
    };
    let is_base = product == "enterprise_linux"
        || matches!(product, "rhel_eus" | "rhel_aus" | "rhel_tus" | "rhel_e4s" | "rhel_els" | "rhel_eus_long_life");
    let release = if is_base {
        digits(version)
    } else {
        // What is built on the release says so, in its CPE or in its versions.
        parts.find_map(|part| digits(part.strip_prefix("el")?)).or_else(|| {
            let (_, dist) = component.version?.rsplit_once(".el")?;
            digits(dist)
        })
    };
    Some(ShardName::new(format!("rhel-{}", release?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_from_names() {
        for (text, expected) in [
            ("openssl-1:3.0.7-27.el9.aarch64", Some(("openssl", "1:3.0.7-27.el9", "aarch64"))),
            ("java-1.8.0-openjdk-0:1.8-1.el8.src", Some(("java-1.8.0-openjdk", "1.8-1.el8", "src"))),
            ("compat-libtiff3", None),
            ("java-1.8.0-openjdk", None),
            ("nodejs:16", None),
        ] {
            assert_eq!(nevra(text), expected, "{text}");
        }
    }

    #[test]
    fn products_name_their_release() {
        for (cpe, version, expected) in [
            ("cpe:/o:redhat:enterprise_linux:9", None, Some("rhel-9")),
            ("cpe:/a:redhat:enterprise_linux:8::appstream", None, Some("rhel-8")),
            ("cpe:/o:redhat:enterprise_linux:10.0", None, Some("rhel-10")),
            ("cpe:/a:redhat:rhel_eus:9.2::appstream", None, Some("rhel-9")),
            ("cpe:/a:redhat:openshift:4.13::el9", None, Some("rhel-9")),
            ("cpe:/a:redhat:rhel_software_collections:3::el7", None, Some("rhel-7")),
            ("cpe:/a:redhat:jboss_core_services:1", Some("1-2.el7jbcs"), Some("rhel-7")),
            ("cpe:/a:redhat:jboss_core_services:1", None, None),
            ("cpe:/a:other:enterprise_linux:9", None, None),
            ("nonsense", None, None),
        ] {
            let component = Component { name: "p", version, arch: None, module: None };
            assert_eq!(shard(cpe, &component).as_ref().map(ShardName::as_str), expected, "{cpe}");
        }
    }
}
