//! A package's licences as CycloneDX takes them: an SPDX id or expression only where every part of it is certainly
//! one (the schema refuses unknown ids), else the text as a name.

use crate::report::text;

use super::schema::{License, LicenseChoice};

/// SPDX ids that packages name often. Others are written as names, which every reader accepts.
#[rustfmt::skip]
const SPDX_IDS: &[&str] = &[
    "0BSD", "AFL-2.1", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-1.1", "Apache-2.0", "Artistic-1.0",
    "Artistic-1.0-Perl", "Artistic-2.0", "BSD-1-Clause", "BSD-2-Clause", "BSD-2-Clause-Patent", "BSD-3-Clause",
    "BSD-4-Clause", "BSL-1.0", "BlueOak-1.0.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "CDDL-1.0",
    "CDDL-1.1", "EPL-1.0", "EPL-2.0", "EUPL-1.2", "FTL", "GPL-1.0-only", "GPL-1.0-or-later", "GPL-2.0-only",
    "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "HPND", "ICU", "IJG", "ISC", "LGPL-2.0-only",
    "LGPL-2.0-or-later", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "Libpng", "MIT",
    "MIT-0", "MIT-CMU", "MPL-1.1", "MPL-2.0", "MS-PL", "NCSA", "OFL-1.1", "OLDAP-2.8", "OpenSSL", "PHP-3.01",
    "PSF-2.0", "PostgreSQL", "Python-2.0", "Ruby", "TCL", "Unicode-3.0", "Unicode-DFS-2016", "Unlicense", "UPL-1.0",
    "Vim", "W3C", "WTFPL", "X11", "Zlib", "ZPL-2.1", "bzip2-1.0.6", "curl",
];

#[rustfmt::skip]
const SPDX_EXCEPTIONS: &[&str] = &[
    "Classpath-exception-2.0", "GCC-exception-3.1", "LLVM-exception", "OpenSSL-exception", "Bison-exception-2.2",
    "Linux-syscall-note",
];

/// The choices for one component. An expression must be the only one, so several licences are never expressions.
pub(super) fn choices(licenses: &[String]) -> Vec<LicenseChoice> {
    let texts: Vec<String> =
        licenses.iter().map(|license| text::cut(text::line(license), 500)).filter(|text| !text.is_empty()).collect();
    if let [only] = texts.as_slice()
        && only.contains(' ')
        && is_expression(only)
    {
        return vec![LicenseChoice::Expression(only.clone())];
    }
    let choice = |text: String| {
        let is_id = SPDX_IDS.contains(&text.as_str());
        LicenseChoice::License(if is_id { License::Id(text) } else { License::Name(text) })
    };
    texts.into_iter().map(choice).collect()
}

/// Whether the text is an SPDX expression (SPDX 2.3, annex D) of ids that are certain.
fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut depth = 0_usize;
    let mut wants_operand = true;
    let mut tokens = spaced.split_whitespace();
    while let Some(token) = tokens.next() {
        match (token, wants_operand) {
            ("(", true) => depth += 1,
            (")", false) if depth > 0 => depth -= 1,
            ("AND" | "OR", false) => wants_operand = true,
            ("WITH", false) if tokens.next().is_some_and(|exception| SPDX_EXCEPTIONS.contains(&exception)) => {}
            (id, true) if SPDX_IDS.contains(&id) => wants_operand = false,
            _ => return false,
        }
    }
    depth == 0 && !wants_operand
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certainly_spdx_is_called_so() {
        let id = |text: &str| LicenseChoice::License(License::Id(text.into()));
        let name = |text: &str| LicenseChoice::License(License::Name(text.into()));
        let expression = |text: &str| LicenseChoice::Expression(text.into());
        for (licenses, expected) in [
            (&["MIT"][..], vec![id("MIT")]),
            (&["GPL"], vec![name("GPL")]),
            (&["MIT OR Apache-2.0"], vec![expression("MIT OR Apache-2.0")]),
            (&["(MIT OR ISC) AND Zlib"], vec![expression("(MIT OR ISC) AND Zlib")]),
            (
                &["GPL-2.0-only WITH Classpath-exception-2.0"],
                vec![expression("GPL-2.0-only WITH Classpath-exception-2.0")],
            ),
            (&["MIT OR"], vec![name("MIT OR")]),
            (&["MIT AND (ISC"], vec![name("MIT AND (ISC")]),
            (&["MIT) AND (ISC"], vec![name("MIT) AND (ISC")]),
            (&["MIT and ISC"], vec![name("MIT and ISC")]),
            (&["MIT OR ISC", "Zlib"], vec![name("MIT OR ISC"), id("Zlib")]),
            (&["\u{0}"], vec![]),
        ] {
            let licenses: Vec<String> = licenses.iter().map(|&license| license.to_owned()).collect();
            assert_eq!(choices(&licenses), expected, "{licenses:?}");
        }
    }
}
