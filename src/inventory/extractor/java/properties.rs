//! `pom.properties`, which Maven and other tools leave in the archives that they build.

use super::super::text::{lines, text};
use super::LONGEST_VALUE;
use crate::model::{Package, PackageKind};

/// The artifact; `None` where it is not said what it is.
pub(super) fn package(content: &[u8]) -> Option<Package> {
    let property = |wanted: &str| {
        lines(content).map(text).find_map(|line| {
            let (name, value) = line.split_once('=')?;
            let value = value.trim();
            let is_value = name.trim() == wanted && !value.is_empty() && value.len() <= LONGEST_VALUE;
            is_value.then(|| value.to_owned())
        })
    };
    let name = format!("{}:{}", property("groupId")?, property("artifactId")?);
    Some(Package::new(PackageKind::Maven, name, property("version")?))
}
