//! Name and version in an archive's file name: `log4j-1.2-api-2.17.1.jar`.

/// What may stand between the numbers of a version.
const QUALIFIERS: &[&str] = &[
    "a",
    "alpha",
    "b",
    "beta",
    "build",
    "cr",
    "dev",
    "ea",
    "final",
    "ga",
    "incubating",
    "jre",
    "m",
    "milestone",
    "p",
    "patch",
    "pre",
    "preview",
    "rc",
    "release",
    "rev",
    "snapshot",
    "sp",
    "v",
];

/// A path's last part without its ending.
pub(super) fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// Name and version. The version begins at a hyphen before a digit: the first one after which no word comes that is of a
/// name, with numbers behind it.
pub(super) fn parts(path: &str) -> (Option<&str>, Option<&str>) {
    let stem = stem(path);
    let is_digit = |at: usize| stem.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
    let splits = memchr::memchr_iter(b'-', stem.as_bytes()).filter(|&at| is_digit(at));
    let mut parts = splits.filter_map(|at| Some((stem.get(..at)?, stem.get(at + 1..)?)));
    let (name, version) = match parts.find(|(_, version)| !has_name(version)) {
        Some((name, version)) => (name, Some(version)),
        None => (stem, None),
    };
    (Some(name).filter(|name| !name.is_empty()), version)
}

/// Whether a word of a name stands before the last number: `1.2-api-2.17.1`, but not `1.0-beta-2`, `2.0-linux-x86`, or
/// `2.4-redhat-1`, where the number is that of a build.
fn has_name(version: &str) -> bool {
    let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let is_qualifier = |part: &str| {
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        QUALIFIERS.iter().any(|known| known.eq_ignore_ascii_case(word))
    };
    let mut parts = version.split('-').rev().skip_while(|part| !is_number(part));
    if !parts.next().is_some_and(|last| last.contains('.')) {
        return false;
    }
    parts.any(|part| !is_number(part) && !is_qualifier(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_begin_where_names_end() {
        for (path, expected) in [
            ("lib/log4j-core-2.14.1.jar", "log4j-core 2.14.1"),
            ("log4j-1.2-api-2.17.1.jar", "log4j-1.2-api 2.17.1"),
            ("log4j-1.2-api-2.17.1-sources.jar", "log4j-1.2-api 2.17.1-sources"),
            ("hibernate-jpa-2.1-api-1.0.0.Final.jar", "hibernate-jpa-2.1-api 1.0.0.Final"),
            ("jsp-2.1-glassfish-2.1.v20100127.jar", "jsp-2.1-glassfish 2.1.v20100127"),
            ("guava-31.1-jre.jar", "guava 31.1-jre"),
            ("x-1.0-beta-2.jar", "x 1.0-beta-2"),
            ("x-1.0-RC1-3.jar", "x 1.0-RC1-3"),
            ("commons-io-2.4-redhat-1.jar", "commons-io 2.4-redhat-1"),
            ("hibernate-core-4.2.18.Final-redhat-2.jar", "hibernate-core 4.2.18.Final-redhat-2"),
            ("json-lib-2.4-jenkins-7.jar", "json-lib 2.4-jenkins-7"),
            ("scala-library-2.13.0-M5-1775dba.jar", "scala-library 2.13.0-M5-1775dba"),
            ("x-1.0-20230101.120000-1.jar", "x 1.0-20230101.120000-1"),
            (
                "netty-transport-native-epoll-4.1.77.Final-linux-x86_64.jar",
                "netty-transport-native-epoll 4.1.77.Final-linux-x86_64",
            ),
            ("kafka_2.13-3.4.0.jar", "kafka_2.13 3.4.0"),
            ("rt.jar", "rt -"),
            ("a-b.jar", "a-b -"),
            ("-1.jar", "- 1"),
            (".jar", "- -"),
        ] {
            let (name, version) = parts(path);
            assert_eq!(format!("{} {}", name.unwrap_or("-"), version.unwrap_or("-")), expected, "{path}");
        }
    }
}
