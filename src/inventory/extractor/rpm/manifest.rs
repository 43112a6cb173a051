//! The list that distroless images of Azure Linux and Mariner have in place of a database: ten columns parted by tabs,
//! as `rpm -qa` writes them (name, version-release, install time, build time, vendor, epoch, size, architecture, epoch
//! number, source rpm).

use super::super::text::{lines, stated, text};
use super::super::{ExtractError, Fact, MOST_PACKAGES, too_many_packages};
use crate::inventory::fact::Installed;
use crate::model::{Package, PackageKind};

pub(super) const PATH: &str = "var/lib/rpmmanifest/container-manifest-2";

pub(super) fn read(content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
    let mut packages = Vec::new();
    let mut notes = Vec::new();
    let (mut malformed, mut first) = (0_usize, 0);
    for (index, line) in lines(content).enumerate().filter(|(_, line)| !line.is_empty()) {
        if packages.len() == MOST_PACKAGES {
            notes.push(too_many_packages());
            break;
        }
        match package(line) {
            Some(package) if package.name == "gpg-pubkey" => {}
            Some(package) => packages.push(Installed { package, files: Vec::new() }),
            None => {
                first = if malformed == 0 { index + 1 } else { first };
                malformed += 1;
            }
        }
    }
    if malformed > 0 {
        notes.push(Fact::Incomplete(format!("{malformed} of its lines are malformed, the first is line {first}")));
    }
    if packages.is_empty() && malformed > 0 {
        return Err(ExtractError::malformed(format!("line {first} is malformed, and no other names a package")));
    }
    let mut facts = vec![Fact::Database { kind: PackageKind::Rpm, packages }];
    facts.append(&mut notes);
    Ok(facts)
}

fn package(line: &[u8]) -> Option<Package> {
    let columns: Vec<&[u8]> = line.split(|&byte| byte == b'\t').collect();
    let column = |index: usize| columns.get(index).copied().and_then(stated);
    let version = column(1)?;
    let version = match column(8).or_else(|| column(5)) {
        Some(epoch) if epoch != "0" => format!("{epoch}:{version}"),
        _ => version,
    };
    columns.get(9)?;
    Some(Package {
        arch: column(7),
        vendor: column(4),
        source: columns.get(9).and_then(|source| super::header::source(&text(source))),
        ..Package::new(PackageKind::Rpm, column(0)?, version)
    })
}
