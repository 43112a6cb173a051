//! Which of Red Hat's products an image holds packages of, told by the content sets (repositories) that its build names.
//!
//! Red Hat maps repositories to CPEs in a list of its own; here the CPE is derived from the repository's name, which
//! follows a scheme: `rhel-9-for-x86_64-baseos-eus-rpms__9_DOT_2` is `rhel_eus:9.2::baseos`. A name outside of the
//! scheme says nothing.

/// Kinds of prolonged support, as they end repositories' names; the CPE's product is `rhel_` and the kind.
const SUPPORT: [&str; 5] = ["eus", "e4s", "aus", "tus", "els"];

/// The product, version and edition of a CPE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Product {
    /// `enterprise_linux`, `rhel_eus`, `openshift`.
    pub(super) product: String,
    /// `9`, `9.2`, `4.13`.
    pub(super) version: String,
    /// `baseos`, `appstream`, `el9`; empty where any is meant.
    pub(super) edition: String,
}

impl Product {
    /// The product that packages of a content set belong to. `version` is the system's, for sets that name no minor
    /// release.
    pub(super) fn of(content_set: &str, version: &str) -> Option<Self> {
        let (name, minor) = match content_set.split_once("__") {
            Some((name, suffix)) => (name, suffix.replace("_DOT_", ".")),
            None => (content_set, String::new()),
        };
        // Sources and debugging symbols are in no image.
        let name = name.strip_suffix("-rpms").filter(|name| !name.ends_with("-source") && !name.ends_with("-debug"))?;
        if let Some(rest) = name.strip_prefix("codeready-builder-for-rhel-") {
            let (major, _) = rest.split_once('-')?;
            return Some(Self::plain(major, "crb"));
        }
        if let Some(rest) = name.strip_prefix("rhel-").or_else(|| name.strip_prefix("ubi-")) {
            let (major, rest) = rest.split_once('-')?;
            let rest = match rest.strip_prefix("for-") {
                Some(rest) => rest.split_once('-')?.1,
                None => rest,
            };
            return Self::of_release(major, rest, &minor, version);
        }
        // `rhocp-4.13-for-rhel-9-x86_64`: something that is built on the release.
        let (product, rest) = name.split_once("-for-rhel-")?;
        let major = rest.split('-').next()?;
        if product == "fast-datapath" {
            return Some(Self::plain(major, "fastdatapath"));
        }
        let (product, version) = product.rsplit_once('-')?;
        let product = if product == "rhocp" { "openshift".to_owned() } else { product.replace('-', "_") };
        let is_version = version.starts_with(|c: char| c.is_ascii_digit());
        is_version.then(|| Self { product, version: version.to_owned(), edition: format!("el{major}") })
    }

    /// `baseos`, `baseos-eus`, `server-els`, `server-optional`, `codeready-builder`.
    fn of_release(major: &str, words: &str, minor: &str, version: &str) -> Option<Self> {
        if major.is_empty() || !major.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let is_support = |word: &str| SUPPORT.contains(&word);
        if let Some((edition, support)) = words.rsplit_once('-').filter(|(_, word)| is_support(word)) {
            let version = match (support, minor) {
                ("els", _) => major,
                (_, "") => version,
                (_, minor) => minor,
            };
            return Some(Self {
                product: format!("rhel_{support}"),
                version: version.to_owned(),
                edition: if edition == "server" { String::new() } else { edition.to_owned() },
            });
        }
        Some(match words {
            "codeready-builder" => Self::plain(major, "crb"),
            "server" | "server-optional" | "server-extras" => Self::plain(major, "server"),
            edition => Self::plain(major, edition),
        })
    }

    fn plain(major: &str, edition: &str) -> Self {
        Self { product: "enterprise_linux".into(), version: major.into(), edition: edition.into() }
    }

    /// Whether it has a line of fixes of its own beside the release's.
    pub(super) fn is_of_prolonged_support(&self) -> bool {
        self.product.strip_prefix("rhel_").is_some_and(|kind| SUPPORT.contains(&kind))
    }

    /// Whether a CPE of these parts means it.
    pub(super) fn is(&self, product: &str, version: &str, edition: &str) -> bool {
        self.product == product
            && self.version == version
            && (edition.is_empty() || self.edition.is_empty() || self.edition == edition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_repositories_tell_products() {
        for (name, expected) in [
            ("rhel-9-for-x86_64-baseos-rpms", Some("enterprise_linux:9::baseos")),
            ("rhel-9-for-x86_64-appstream-rpms__9_DOT_2", Some("enterprise_linux:9::appstream")),
            ("rhel-8-for-aarch64-highavailability-rpms", Some("enterprise_linux:8::highavailability")),
            ("rhel-9-for-x86_64-baseos-eus-rpms__9_DOT_2", Some("rhel_eus:9.2::baseos")),
            ("rhel-8-for-x86_64-appstream-e4s-rpms", Some("rhel_e4s:8.6::appstream")),
            ("rhel-7-server-rpms", Some("enterprise_linux:7::server")),
            ("rhel-7-server-els-rpms", Some("rhel_els:7::")),
            ("ubi-9-for-x86_64-baseos-rpms", Some("enterprise_linux:9::baseos")),
            ("ubi-8-appstream-rpms", Some("enterprise_linux:8::appstream")),
            ("ubi-8-for-x86_64-codeready-builder-rpms", Some("enterprise_linux:8::crb")),
            ("codeready-builder-for-rhel-9-x86_64-rpms", Some("enterprise_linux:9::crb")),
            ("rhocp-4.13-for-rhel-9-x86_64-rpms", Some("openshift:4.13::el9")),
            ("fast-datapath-for-rhel-9-x86_64-rpms", Some("enterprise_linux:9::fastdatapath")),
            ("ansible-automation-platform-2.4-for-rhel-9-x86_64-rpms", Some("ansible_automation_platform:2.4::el9")),
            ("rhel-9-for-x86_64-baseos-source-rpms", None),
            ("rhel-9-for-x86_64-baseos-debug-rpms", None),
            ("rhel-atomic-7-cdk-3.6-rpms", None),
            ("in-house", None),
            ("rhel-", None),
            ("", None),
        ] {
            let product = Product::of(name, "8.6").map(|p| format!("{}:{}::{}", p.product, p.version, p.edition));
            assert_eq!(product.as_deref(), expected, "{name}");
        }
    }
}
