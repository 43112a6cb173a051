//! Under which names an archive of Java's is looked up that does not say its group: those that advisories have for its
//! artifact, as far as what is in the archive confirms the group.

use crate::advisories::{DatabaseError, Shard};
use crate::model::{Distribution, Package, PackageKind};

use super::distribution::{self, Subject};

/// What to look up, as [`distribution::subjects`] has it for all others.
pub(super) fn subjects<'a>(
    package: &'a Package,
    distribution: Option<&Distribution>,
    shard: &'a Shard,
) -> Result<Vec<Subject<'a>>, DatabaseError> {
    let own = distribution::subjects(package, distribution);
    if package.kind != PackageKind::Maven || package.name.contains(':') {
        return Ok(own);
    }
    let Some(subject) = own.first().copied() else { return Ok(own) };
    let mut names: Vec<&str> = Vec::new();
    for artifact in artifacts(package) {
        names.extend(shard.names_of_artifact(artifact)?.iter().map(String::as_str));
    }
    names.sort_unstable();
    names.dedup();
    let named = |wanted: Fit| {
        let names = names.iter().copied().filter(|name| fit(group(name), &package.namespaces) == wanted);
        names.map(|name| Subject { name, is_guess: wanted == Fit::Perhaps, ..subject }).collect::<Vec<_>>()
    };
    let confirmed = named(Fit::Yes);
    let found = if confirmed.is_empty() { named(Fit::Perhaps) } else { confirmed };
    Ok(if found.is_empty() { own } else { found })
}

/// The artifacts that a package of Java's may be: the one in its name, and without a group those in the names of bundles
/// such as `org.apache.tomcat-catalina`, whose archive is called `catalina.jar`. Names of classes' packages have no hyphen.
pub(super) fn artifacts(package: &Package) -> impl Iterator<Item = &str> {
    let own = package.name.split_once(':').map_or(package.name.as_str(), |(_, artifact)| artifact);
    let bundles = package.namespaces.iter().filter(|_| !package.name.contains(':'));
    let of_bundles = bundles.filter_map(|name| name.rsplit('.').next()).filter(|name| name.contains('-'));
    std::iter::once(own).chain(of_bundles.filter(move |artifact| *artifact != own))
}

fn group(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

/// Whether an archive is of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Its code lies there.
    Yes,
    /// Nothing says so, or against it.
    Perhaps,
    /// It is another program of the same name.
    No,
}

/// A group such as `org.springframework` has its code, or the name of the bundle or module, in or below it. One of a single
/// word, as they were usual once (`commons-io`), is part of where the code lies. Where the two have at least a word in common,
/// as with code in `kotlin` and the group `org.jetbrains.kotlin`, it may be or not.
fn fit(group: &str, namespaces: &[String]) -> Fit {
    if namespaces.is_empty() {
        return Fit::Perhaps;
    }
    let wanted = words(group);
    let all = || namespaces.iter().map(|namespace| words(namespace));
    let is_there = if group.contains('.') {
        all().any(|namespace| namespace.starts_with(&wanted))
    } else {
        all().any(|namespace| namespace.windows(wanted.len().max(1)).any(|part| part == wanted))
    };
    // The first word of most is only the kind of domain.
    let telling = wanted.get(usize::from(wanted.len() > 1)..).unwrap_or_default();
    if is_there {
        Fit::Yes
    } else if all().flatten().any(|word| telling.contains(&word)) {
        Fit::Perhaps
    } else {
        Fit::No
    }
}

fn words(name: &str) -> Vec<&str> {
    name.split(['.', '-', '_']).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_confirmed_by_where_the_code_lies() {
        for (group, namespaces, expected) in [
            ("org.springframework", &["org.springframework.beans"][..], Fit::Yes),
            ("org.springframework", &["org.springframework"], Fit::Yes),
            ("org.springframework.boot", &["org.springframework"], Fit::Perhaps),
            ("org.springframework", &["com.example.beans"], Fit::No),
            ("org.spring", &["org.springframework.beans"], Fit::No),
            ("org.apache.tomcat.embed", &["jakarta.el", "org.apache", "org.apache.tomcat-embed-core"], Fit::Yes),
            ("commons-io", &["org.apache.commons.io"], Fit::Yes),
            ("log4j", &["org.apache.log4j"], Fit::Yes),
            ("log4j", &["org.apache.logging"], Fit::No),
            ("org.jetbrains.kotlin", &["kotlin"], Fit::Perhaps),
            ("com.squareup.okhttp3", &["okhttp3"], Fit::Perhaps),
            ("org.x", &[], Fit::Perhaps),
            ("org.x", &["org.y"], Fit::No),
            ("", &["org.y"], Fit::No),
        ] {
            let namespaces: Vec<String> = namespaces.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(fit(group, &namespaces), expected, "{group} {namespaces:?}");
        }
    }
}
