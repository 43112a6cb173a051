//! Base scores of CVSS vectors, versions 2.0, 3.0, 3.1 and 4.0.
//!
//! Temporal, threat, environmental and supplemental metrics are left out: they are somebody else's environment.

use std::str::FromStr;

use cvss::{Cvss, v2};

/// Longest vector that is looked at; a full one of version 4.0 has fewer than 300 bytes.
const LONGEST: usize = 512;

const BASE_2: &[&str] = &["AV", "AC", "Au", "C", "I", "A"];
const BASE_3: &[&str] = &["AV", "AC", "PR", "UI", "S", "C", "I", "A"];
const BASE_4: &[&str] = &["AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"];

/// The base score that a vector yields, 0.0–10.0; `None` where it is not a complete vector of a known version.
#[must_use]
pub(super) fn base_score(vector: &str) -> Option<f64> {
    let vector = vector.trim();
    if vector.len() > LONGEST {
        return None;
    }
    let score = if let Some(rest) = vector.strip_prefix("CVSS:3.") {
        let (minor, metrics) = rest.split_once('/')?;
        parse(&format!("CVSS:3.{minor}/{}", only(metrics, BASE_3)?))?
    } else if let Some(metrics) = vector.strip_prefix("CVSS:4.0/") {
        parse(&format!("CVSS:4.0/{}", only(metrics, BASE_4)?))?
    } else {
        let metrics = vector.strip_prefix("CVSS:2.0/").unwrap_or(vector);
        let metrics = metrics.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(metrics);
        v2::Vector::from_str(&only(metrics, BASE_2)?).ok()?.score().value()
    };
    (0.0..=10.0).contains(&score).then_some(score)
}

fn parse(vector: &str) -> Option<f64> {
    Cvss::from_str(vector).ok().map(|parsed| parsed.score())
}

/// The metrics whose names are among `names`; `None` unless each of them is there once.
fn only(metrics: &str, names: &[&str]) -> Option<String> {
    let name_of = |metric: &str| metric.split_once(':').map(|(name, _)| name.to_owned());
    let is_base = |metric: &&str| name_of(metric).is_some_and(|name| names.contains(&name.as_str()));
    let base: Vec<&str> = metrics.split('/').filter(is_base).collect();
    let is_there_once =
        |name: &&str| base.iter().filter(|metric| name_of(metric).as_deref() == Some(name)).count() == 1;
    names.iter().all(is_there_once).then(|| base.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scores_are_those_of_the_specifications() {
        for (vector, expected) in [
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C", Some(7.8)),
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C", Some(7.8)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(9.8)),
            ("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H", Some(6.5)),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U", Some(9.8)),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", Some(9.3)),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", Some(9.3)),
            ("CVSS:3.1/AV:N/AC:L", None),
            ("CVSS:3.1/AV:N/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
            ("high", None),
            ("", None),
        ] {
            assert_eq!(base_score(vector), expected, "{vector}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(vector in "(CVSS:[2-5]\\.[0-9]/)?([A-Z]{1,3}:[A-Z]{1,2}/){0,14}|\\PC{0,60}") {
            prop_assert!(base_score(&vector).is_none_or(|score| (0.0..=10.0).contains(&score)));
        }
    }
}
