//! Where the code of an archive lies: the packages of its classes. They tell the group of one that does not say it.

/// Packages that are told apart.
const MOST: usize = 12;
/// A package's name.
const LONGEST: usize = 200;

/// For each pair of first folders, or for one without a second, the longest folder that all of its classes share.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    folders: Vec<String>,
}

impl Namespaces {
    /// Takes note of a member of the archive.
    pub(super) fn see(&mut self, member: &str) {
        let Some((folder, _)) = member.strip_suffix(".class").and_then(|name| name.rsplit_once('/')) else { return };
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '/');
        // Folders such as META-INF have no packages of their own.
        if folder.len() > LONGEST || !folder.chars().all(is_part) {
            return;
        }
        for known in &mut self.folders {
            if let Some(length) = shared(known, folder) {
                return known.truncate(length);
            }
        }
        if self.folders.len() < MOST {
            self.folders.push(folder.to_owned());
        }
    }

    /// The packages, with names that the archive has otherwise, each once.
    pub(super) fn with<'n>(self, names: impl Iterator<Item = &'n str>) -> Vec<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$');
        let names = names.filter(|name| !name.is_empty() && name.len() <= LONGEST && name.chars().all(is_part));
        let packages = self.folders.iter().map(|folder| folder.replace('/', "."));
        let mut all: Vec<String> = packages.chain(names.map(str::to_owned)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// How much of two folders is the same, where they have the first two parts in common or one has no second.
fn shared(one: &str, other: &str) -> Option<usize> {
    let (mut length, mut parts) = (0, 0);
    let (mut ones, mut others) = (one.split('/'), other.split('/'));
    loop {
        match (ones.next(), others.next()) {
            (Some(part), Some(same)) if part == same => {
                length += part.len() + usize::from(parts > 0);
                parts += 1;
            }
            (Some(_), Some(_)) => return (parts >= 2).then_some(length),
            _ => return (parts >= 1).then_some(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_tell_the_packages_that_they_share() {
        for (members, names, expected) in [
            (
                &["org/springframework/beans/A.class", "org/springframework/beans/factory/B.class"][..],
                &[][..],
                &["org.springframework.beans"][..],
            ),
            (&["org/springframework/http/A.class", "org/springframework/web/B.class"], &[], &["org.springframework"]),
            (&["jakarta/el/A.class", "org/apache/el/B.class"], &["org.apache.el"], &["jakarta.el", "org.apache.el"]),
            (&["okhttp3/internal/A.class", "okhttp3/B.class", "okhttp3/tls/C.class"], &["okhttp3"], &["okhttp3"]),
            (&["META-INF/versions/9/a/b/C.class", "module-info.class", "A.class", "a/b.txt"], &["x y", ""], &[]),
            (&["a/b/C.class", "a/bc/D.class"], &["x-y.z"], &["a.b", "a.bc", "x-y.z"]),
        ] {
            let mut found = Namespaces::default();
            members.iter().for_each(|member| found.see(member));
            assert_eq!(found.with(names.iter().copied()), expected, "{members:?}");
        }
        let mut found = Namespaces::default();
        (0..1_000).for_each(|number| found.see(&format!("a{number}/b/C.class")));
        found.see(&format!("{}/C.class", "a".repeat(LONGEST + 1)));
        assert_eq!(found.with(std::iter::empty()).len(), MOST);
    }
}
