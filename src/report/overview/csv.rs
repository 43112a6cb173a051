//! A row per image, after RFC 4180, with a byte order mark so that spreadsheets read UTF-8.
//!
//! A cell that a spreadsheet would take for a formula begins with an apostrophe: names of images and owners are foreign
//! text.

use std::io::{self, Write};

use crate::model::{Overview, Severity};
use crate::report::text::{date_time, line};

pub(super) fn write(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::from("\u{feff}");
    let header = "project,image,owner,owner source,life cycle,deployed to,distribution,last scanned,advisories of,policy,critical,high,medium,\
                  low,info,unknown,fixable,exploited,gap,gap in words";
    row(&mut text, header.split(',').map(str::to_owned));
    for project in &overview.projects {
        if let Some(gap) = &project.gap {
            let mut cells = vec![String::new(); 20];
            cells.splice(0..1, [project.path.clone()]);
            cells.splice(18..20, [gap.reason.label().to_owned(), gap.detail.clone()]);
            row(&mut text, cells);
        }
        for image in &project.images {
            let mut cells = vec![
                project.path.clone(),
                image.name.clone(),
                image.owners.join(" "),
                image.owner_source.clone(),
                image.lifecycle.clone().unwrap_or_default(),
                image.deployed.join(" "),
                image.distribution.clone().unwrap_or_default(),
                image.last_scanned.and_then(date_time).unwrap_or_default(),
                image.advisories.and_then(date_time).unwrap_or_default(),
                image.policy.clone().unwrap_or_default(),
            ];
            // What was never counted is empty, not 0.
            let number = |value: usize| image.counts.map_or_else(String::new, |_| value.to_string());
            for severity in Severity::ALL {
                cells.push(number(image.counts.map_or(0, |counts| counts.get(severity))));
            }
            cells.extend([number(image.fixable), number(image.kev)]);
            let gap = image.gap.as_ref();
            cells.push(gap.map_or_else(String::new, |gap| gap.reason.label().to_owned()));
            cells.push(gap.map_or_else(String::new, |gap| gap.detail.clone()));
            row(&mut text, cells);
        }
    }
    out.write_all(text.as_bytes())
}

fn row(text: &mut String, cells: impl IntoIterator<Item = String>) {
    for (index, value) in cells.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&cell(&value));
    }
    text.push_str("\r\n");
}

fn cell(value: &str) -> String {
    let value = line(value);
    // Full-width forms count too: some spreadsheets take them for the others.
    let is_formula = value.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '|', '%']);
    let value = if is_formula { format!("'{value}").into() } else { value };
    if value.contains([',', '"', ';', '\'']) || value.starts_with(' ') {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (value, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=HYPERLINK(\"http://evil\")", "\"'=HYPERLINK(\"\"http://evil\"\")\""),
            ("@team/platform", "\"'@team/platform\""),
            (" +1", "\"' +1\""),
            ("\t-1", "\"' -1\""),
            ("＝1", "\"'＝1\""),
            ("a\r\nb", "a  b"),
            ("", ""),
        ] {
            assert_eq!(cell(value), expected, "{value:?}");
        }
    }
}
