//! Values of other tools in our words.

use crate::model::Severity;

/// A value of another tool's variable: in our words, `None` where it has no effect here, or what is wrong with it.
pub(super) type Translated = Result<Option<String>, String>;

/// As it is; the variable keeps a meaning of its own besides the setting.
pub(super) fn same(text: &str) -> Translated {
    Ok(Some(text.to_owned()))
}

/// `TRIVY_SEVERITY` lists severities; a threshold is the lowest of those that reach up to `CRITICAL`.
pub(super) fn trivy_severities(text: &str) -> Translated {
    let mut listed = Vec::new();
    for name in text.split(',') {
        listed.push(name.parse::<Severity>().map_err(|()| format!("`{}` is not a severity", name.trim()))?);
    }
    let scale = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Unknown];
    let reached = scale.iter().take_while(|severity| listed.contains(severity)).last();
    let whole = listed.iter().all(|severity| reached.is_some_and(|reached| severity >= reached));
    Ok(reached.filter(|_| whole).map(|severity| severity.label().to_ascii_lowercase()))
}

/// `TRIVY_PKG_TYPES` (formerly `TRIVY_VULN_TYPE`): `os`, `library` or both.
pub(super) fn trivy_package_types(text: &str) -> Translated {
    let types: Vec<&str> = text.split(',').map(str::trim).collect();
    if let Some(unknown) = types.iter().find(|name| !["os", "library"].contains(name)) {
        return Err(format!("`{unknown}` is not a type of packages: use os or library"));
    }
    Ok(types.contains(&"os").then(|| (!types.contains(&"library")).to_string()))
}

/// `TRIVY_VEX` names files, or places that are not read here.
pub(super) fn trivy_vex(text: &str) -> Translated {
    let files: Vec<&str> =
        text.split(',').map(str::trim).filter(|part| !matches!(*part, "repo" | "oci" | "")).collect();
    Ok((!files.is_empty()).then(|| files.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translates_or_says_that_it_has_no_effect() {
        let ours = |text: &str| Ok(Some(text.to_owned()));
        for (text, expected) in [
            ("CRITICAL,HIGH", ours("high")),
            ("UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL", ours("unknown")),
            ("LOW,CRITICAL", Ok(None)),
            ("HIGH", Ok(None)),
            ("HIHG", Err("`HIHG` is not a severity".to_owned())),
        ] {
            assert_eq!(trivy_severities(text), expected, "{text}");
        }
        for (text, expected) in [("os", ours("true")), ("os,library", ours("false")), ("library", Ok(None))] {
            assert_eq!(trivy_package_types(text), expected, "{text}");
        }
        assert!(trivy_package_types("oss").is_err());
        assert_eq!(trivy_vex("a.json, repo"), ours("a.json"));
        assert_eq!(trivy_vex("repo"), Ok(None));
    }
}
