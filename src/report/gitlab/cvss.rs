//! Which CVSS vectors GitLab's report may carry: v2 and v3, at most ten, letter by letter as the schema's patterns
//! say. A v4 vector, or one with a metric the patterns do not know, would make GitLab refuse the whole report.

use crate::model::Cvss;
use crate::report::{text, wording};

use super::schema::CvssVector;

const MOST: usize = 10;

/// The vectors that may be written, best source first as given.
pub(super) fn vectors(all: &[Cvss]) -> Vec<CvssVector> {
    let accepted = all.iter().filter(|cvss| is_v3(&cvss.vector) || is_v2(&cvss.vector));
    accepted
        .take(MOST)
        .map(|cvss| CvssVector {
            vendor: wording::or(text::line(&cvss.source), "unknown"),
            vector: cvss.vector.clone(),
        })
        .collect()
}

fn is_v3(vector: &str) -> bool {
    let metrics = vector.strip_prefix("CVSS:3.0/").or_else(|| vector.strip_prefix("CVSS:3.1/"));
    (32..=128).contains(&vector.len()) && metrics.is_some_and(|metrics| metrics.split('/').all(is_v3_metric))
}

fn is_v3_metric(metric: &str) -> bool {
    let Some((name, value)) = metric.split_once(':') else { return false };
    let values = match name {
        "AV" => "NALP",
        "AC" => "LH",
        "PR" | "C" | "I" | "A" => "NLH",
        "UI" => "NR",
        "S" => "UC",
        "E" => "XUPFH",
        "RL" => "XOTWU",
        "RC" => "XURC",
        "CR" | "IR" | "AR" => "XLMH",
        "MAV" => "XNALP",
        "MAC" => "XLH",
        "MPR" | "MC" | "MI" | "MA" => "XNLH",
        "MUI" => "XNR",
        "MS" => "XUC",
        _ => return false,
    };
    value.len() == 1 && values.contains(value)
}

fn is_v2(vector: &str) -> bool {
    (16..=128).contains(&vector.len()) && vector.split('/').all(is_v2_metric)
}

fn is_v2_metric(metric: &str) -> bool {
    let Some((name, value)) = metric.split_once(':') else { return false };
    let values: &[&str] = match name {
        "AV" => &["N", "A", "L"],
        "AC" => &["L", "M", "H"],
        "Au" => &["M", "S", "N"],
        "C" | "I" | "A" => &["N", "P", "C"],
        "E" => &["U", "POC", "F", "H", "ND"],
        "RL" => &["OF", "TF", "W", "U", "ND"],
        "RC" => &["UC", "UR", "C", "ND"],
        "CDP" => &["N", "L", "LM", "MH", "H", "ND"],
        "TD" | "CR" | "IR" | "AR" => &["L", "M", "H", "ND"],
        _ => return false,
    };
    values.contains(&value) || (name == "TD" && value == "N")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_v2_and_v3_pass() {
        for (vector, passes) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", true),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/MPR:X", true),
            ("AV:N/AC:L/Au:N/C:P/I:P/A:P", true),
            ("AV:N/AC:L/Au:N/C:P/I:P/A:P/E:POC/TD:N", true),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", false),
            ("CVSS:3.2/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", false),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:HH", false),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:", false),
            ("CVSS:3.1/AV:N", false),
            ("AV:N/AC:L/Au:N/", false),
            ("", false),
        ] {
            let cvss = Cvss { vector: vector.into(), score: 5.0, source: String::new() };
            let written = vectors(&[cvss]);
            assert_eq!(!written.is_empty(), passes, "{vector}");
            assert!(written.iter().all(|v| v.vendor == "unknown"));
        }
    }
}
