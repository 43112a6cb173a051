//! Package URLs as people and other tools write them, compared with ours: the more they say, the more must be equal.
//! Specification: ECMA-427 (purl).

use crate::model::Purl;

/// A purl of which version, qualifiers or both may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PurlPattern {
    /// The type, lower case.
    pub(super) kind: String,
    /// Namespace and name, decoded.
    pub(super) path: String,
    /// The version, decoded.
    pub(super) version: Option<String>,
    qualifiers: Vec<(String, String)>,
}

impl PurlPattern {
    /// Reads a purl; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let rest = text.trim().strip_prefix("pkg:")?.trim_start_matches('/');
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.split_once('/')?;
        // A scope of npm may be written with a bare `@`, so only one after the last slash starts a version.
        let (path, version) = match rest.rfind('@') {
            Some(at) if at > rest.rfind('/').map_or(0, |slash| slash + 1) => rest.split_at_checked(at)?,
            _ => (rest, ""),
        };
        let kind = kind.to_ascii_lowercase();
        let mut path: String =
            path.split('/').filter(|part| !part.is_empty()).map(decode).collect::<Vec<_>>().join("/");
        match kind.as_str() {
            "pypi" => path = path.to_ascii_lowercase().replace('_', "-"),
            "deb" | "apk" | "rpm" | "composer" | "golang" | "github" | "oci" => path = path.to_ascii_lowercase(),
            _ => {}
        }
        if kind.is_empty() || path.is_empty() {
            return None;
        }
        let version = Some(decode(version.trim_start_matches('@'))).filter(|version| !version.is_empty());
        let qualifiers = qualifiers
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.to_ascii_lowercase(), decode(value)))
            .collect();
        Some(Self { kind, path, version, qualifiers })
    }

    /// Whether all that it says holds for a package.
    pub(super) fn matches(&self, purl: &Purl) -> bool {
        Self::parse(purl.as_str()).is_some_and(|other| {
            self.kind == other.kind
                && self.path == other.path
                && self.version.as_ref().is_none_or(|version| other.is_version(version))
                && self.qualifiers.iter().all(|(key, value)| other.qualifier(key) == Some(value))
        })
    }

    /// The value of a qualifier.
    pub(super) fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// An epoch may stand in the version or beside it.
    fn is_version(&self, wanted: &str) -> bool {
        let Some(version) = &self.version else { return false };
        version == wanted || self.qualifier("epoch").is_some_and(|epoch| format!("{epoch}:{version}") == wanted)
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = (byte == b'%').then(|| (ahead.next().and_then(hex), ahead.next().and_then(hex)));
        match digits {
            Some((Some(high), Some(low))) => {
                bytes.push(high << 4 | low);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_more_it_says_the_more_must_be_equal() {
        let zlib = Purl::new("deb", "debian", "zlib1g", "1:1.2.13-1", &[("arch", "amd64"), ("distro", "debian-12")]);
        let babel = Purl::new("npm", "@babel", "core", "7.0.0", &[]);
        let rpm = Purl::new("rpm", "almalinux", "bind", "9.1", &[("epoch", "32")]);
        for (pattern, purl, expected) in [
            ("pkg:deb/debian/zlib1g", &zlib, true),
            ("pkg:deb/debian/zlib1g@1:1.2.13-1", &zlib, true),
            ("pkg:deb/debian/zlib1g@1%3A1.2.13-1?arch=amd64", &zlib, true),
            ("pkg:deb/debian/zlib1g@1:1.2.13-2", &zlib, false),
            ("pkg:deb/debian/zlib1g?arch=arm64", &zlib, false),
            ("pkg:deb/debian/zlib1g?type=x", &zlib, false),
            ("pkg:deb/ubuntu/zlib1g", &zlib, false),
            ("pkg:deb/debian/zlib", &zlib, false),
            ("pkg:npm/%40babel/core", &babel, true),
            ("pkg:npm/@babel/core@7.0.0", &babel, true),
            ("pkg:npm/@babel/core#src", &babel, true),
            ("pkg:rpm/almalinux/bind@32:9.1", &rpm, true),
            ("pkg:rpm/almalinux/bind@9.1?epoch=32", &rpm, true),
        ] {
            assert_eq!(PurlPattern::parse(pattern).is_some_and(|p| p.matches(purl)), expected, "{pattern}");
        }
        for text in ["", "pkg:", "pkg:npm", "pkg:npm/", "npm/a", "pkg:/a"] {
            assert_eq!(PurlPattern::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = PurlPattern::parse(&text);
            let _ = PurlPattern::parse(&format!("pkg:{text}"));
        }

        #[test]
        fn ours_match_themselves(name in "[a-z+~._@%-]{1,12}", version in "[0-9a-z:+~.%@-]{1,12}") {
            let purl = Purl::new("deb", "debian", &name, &version, &[("arch", "amd64")]);
            prop_assert!(PurlPattern::parse(purl.as_str()).unwrap().matches(&purl), "{}", purl);
        }
    }
}
