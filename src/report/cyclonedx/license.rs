//! Licences: SPDX ids where a package uses them, else its own words.
//!
//! The schema refuses ids that are not on SPDX's list, so only ids that are known here are written as such; an
//! expression is one whose parts are all known. Everything else is a name, which loses nothing.

use super::schema::{License, LicenseChoice};
use crate::report::text;

/// The licences of a component.
pub(super) fn choices(stated: &[String]) -> Vec<LicenseChoice> {
    let stated: Vec<&str> = stated.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).take(MOST).collect();
    if let [only] = stated.as_slice()
        && is_expression(only)
    {
        return vec![LicenseChoice::Expression((*only).to_owned())];
    }
    stated.into_iter().map(|text| LicenseChoice::License(license(text))).collect()
}

fn license(stated: &str) -> License {
    known(stated).map_or_else(|| License::Name(text::short(stated, LONGEST)), License::Id)
}

fn known(id: &str) -> Option<&'static str> {
    IDS.iter().find(|known| known.eq_ignore_ascii_case(id)).copied()
}

/// Whether the text is ids joined by operators, with balanced brackets. A single id is none.
fn is_expression(text: &str) -> bool {
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

const MOST: usize = 50;

const LONGEST: usize = 1000;

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

    fn written(stated: &[&str]) -> String {
        let stated: Vec<String> = stated.iter().map(|&text| text.to_owned()).collect();
        serde_json::to_string(&choices(&stated)).unwrap()
    }

    #[test]
    fn ids_names_and_expressions() {
        for (stated, expected) in [
            (&["MIT"][..], r#"[{"license":{"id":"MIT"}}]"#),
            (&["apache-2.0", "see COPYING"], r#"[{"license":{"id":"Apache-2.0"}},{"license":{"name":"see COPYING"}}]"#),
            (&["MIT OR (Apache-2.0 AND Zlib)"], r#"[{"expression":"MIT OR (Apache-2.0 AND Zlib)"}]"#),
            (&["MIT OR Mine"], r#"[{"license":{"name":"MIT OR Mine"}}]"#),
            (&["MIT AND ISC", "Zlib"], r#"[{"license":{"name":"MIT AND ISC"}},{"license":{"id":"Zlib"}}]"#),
            (&["MIT OR"], r#"[{"license":{"name":"MIT OR"}}]"#),
            (&["(MIT OR ISC"], r#"[{"license":{"name":"(MIT OR ISC"}}]"#),
            (&["", "  "], "[]"),
        ] {
            assert_eq!(written(stated), expected, "{stated:?}");
        }
    }
}
