//! Licence ids and expressions of SPDX (spdx.org/licenses): what may be written as such.

/// The licences of a package as one expression; `None` where one of them is not SPDX's.
pub(super) fn expression(stated: &[String]) -> Option<String> {
    let parts: Option<Vec<String>> = stated
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .map(|text| match known(text) {
            Some(id) => Some(id.to_owned()),
            None if is_expression(text) => Some(if stated.len() > 1 { format!("({text})") } else { text.to_owned() }),
            None => None,
        })
        .collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(" AND "))
}

/// The id as SPDX spells it; `None` where it is not one that packages in images use.
pub(super) fn known(id: &str) -> Option<&'static str> {
    IDS.iter().find(|known| known.eq_ignore_ascii_case(id)).copied()
}

/// Whether the text is ids joined by operators, with balanced brackets. A single id is none.
pub(super) fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut depth = 0_usize;
    let mut expects_id = true;
    let mut operators = 0_usize;
    for word in spaced.split_whitespace() {
        match word {
            "(" if expects_id => depth += 1,
            ")" if !expects_id && depth > 0 => depth -= 1,
            "AND" | "OR" if !expects_id => {
                expects_id = true;
                operators += 1;
            }
            id if expects_id && IDS.contains(&id) => expects_id = false,
            _ => return false,
        }
    }
    depth == 0 && !expects_id && operators > 0
}

/// SPDX ids that packages in images use.
const IDS: &[&str] = &[
    "0BSD",
    "AFL-2.1",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-or-later",
    "GPL-2.0",
    "GPL-2.0+",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0",
    "GPL-3.0+",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "IJG",
    "ISC",
    "LGPL-2.0",
    "LGPL-2.0+",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1",
    "LGPL-2.1+",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0",
    "LGPL-3.0+",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "Libpng",
    "MIT",
    "MIT-0",
    "MPL-1.1",
    "MPL-2.0",
    "NCSA",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "Ruby",
    "SSPL-1.0",
    "Unicode-3.0",
    "Unlicense",
    "UPL-1.0",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "ZPL-2.1",
    "Zlib",
    "bzip2-1.0.6",
    "curl",
    "zlib-acknowledgement",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_become_one_expression_or_none() {
        for (stated, expected) in [
            (&["MIT"][..], Some("MIT")),
            (&["apache-2.0", "Zlib"], Some("Apache-2.0 AND Zlib")),
            (&["MIT OR ISC", "Zlib"], Some("(MIT OR ISC) AND Zlib")),
            (&["MIT OR ISC"], Some("MIT OR ISC")),
            (&["see COPYING", "MIT"], None),
            (&[" "], None),
            (&[], None),
        ] {
            let stated: Vec<String> = stated.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(expression(&stated).as_deref(), expected, "{stated:?}");
        }
    }
}
