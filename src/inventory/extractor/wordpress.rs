//! WordPress: the core's `wp-includes/version.php`, and the headers of plugins and themes. Format: WordPress' "Plugin
//! Handbook" and "Theme Handbook", header requirements.

use std::io::Read;

use super::text::{lines, stated, text};
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// WordPress itself looks no further for a header.
const HEAD: u64 = 8 << 10;

/// Reads what of WordPress is installed.
pub(super) struct Wordpress;

impl Extractor for Wordpress {
    fn name(&self) -> &'static str {
        "wordpress"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["WordPress core, plugins and themes: `**/wp-includes/version.php`, \
             `**/wp-content/{,mu-}plugins/<name>/*.php`, `**/wp-content/{,mu-}plugins/<name>.php`, \
             `**/wp-content/themes/<name>/style.css`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        is_core(entry.path) || component(entry.path).is_some()
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let path = file.path();
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head)?;
        let found = match component(path) {
            None => core_version(&head).map(|version| ("wordpress".to_owned(), version)),
            // A component has many files; the one with the header describes it. A plugin and a theme may have one name.
            Some(Component { kind, title, name }) => {
                header(&head, title).and(header(&head, "Version")).map(|version| (format!("{kind}/{name}"), version))
            }
        };
        let package = |(name, version)| Fact::Package(Package::new(PackageKind::Wordpress, name, version));
        Ok(found.map(package).into_iter().collect())
    }
}

fn is_core(path: &str) -> bool {
    path.ends_with("wp-includes/version.php")
}

/// A plugin or theme whose header a file may hold.
struct Component<'p> {
    kind: &'static str,
    /// The field that its header then has.
    title: &'static str,
    name: &'p str,
}

fn component(path: &str) -> Option<Component<'_>> {
    let inside = |folder| path.rsplit_once(folder).map(|(_, rest)| rest);
    if let Some(stem) = path.strip_suffix(".php") {
        let rest = inside("wp-content/plugins/").or_else(|| inside("wp-content/mu-plugins/"))?;
        let name = match rest.split_once('/') {
            Some((name, file)) => Some(name).filter(|_| !file.contains('/')),
            // A plugin of one file.
            None => stem.get(path.len() - rest.len()..),
        };
        let plugin = |name| Component { kind: "plugin", title: "Plugin Name", name };
        return name.filter(|name| !name.is_empty()).map(plugin);
    }
    let (name, file) = inside("wp-content/themes/")?.split_once('/')?;
    (file == "style.css").then_some(Component { kind: "theme", title: "Theme Name", name })
}

/// `$wp_version = '6.4.2';`
fn core_version(head: &[u8]) -> Option<String> {
    let line = lines(head).map(text).find(|line| line.starts_with("$wp_version"))?;
    let value = line.split_once('=')?.1.trim().trim_end_matches(';').trim_matches(['\'', '"']);
    stated(value.as_bytes())
}

/// The value of a field in a comment: ` * Version: 5.3`.
fn header(head: &[u8], wanted: &str) -> Option<String> {
    lines(head).map(text).find_map(|line| {
        let line = line.trim_start_matches(['*', '/', '#', '@', ' ', '\t']);
        let value = line.strip_prefix(wanted)?.trim_start().strip_prefix(':')?;
        stated(value.trim().trim_end_matches("*/").as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn reads_core_plugins_and_themes() {
        let plugin = "<?php\n/**\n * Plugin Name: Akismet Anti-spam\n * Version: 5.3\n */\n";
        for (path, content, expected) in [
            ("var/www/html/wp-includes/version.php", "<?php\n$wp_version = '6.4.2';\n$x = 1;", Some("wordpress 6.4.2")),
            ("var/www/html/wp-content/plugins/akismet/akismet.php", plugin, Some("plugin/akismet 5.3")),
            ("wp-content/plugins/hello.php", plugin, Some("plugin/hello 5.3")),
            ("wp-content/plugins/index.php", "<?php // Silence is golden.", None),
            ("wp-content/mu-plugins/loader.php", plugin, Some("plugin/loader 5.3")),
            ("wp-content/mu-plugins/x/x.php", plugin, Some("plugin/x 5.3")),
            ("wp-content/plugins/.php", plugin, None),
            ("var/www/html/wp-content/plugins/akismet/class.php", "<?php // Version: 5.3", None),
            ("var/www/html/wp-content/plugins/akismet/views/akismet.php", plugin, None),
            (
                "wp-content/themes/twenty/style.css",
                "/*\nTheme Name: Twenty\nVersion: 1.2\n*/",
                Some("theme/twenty 1.2"),
            ),
            ("wp-content/themes/twenty/css/style.css", "/*\nTheme Name: Twenty\nVersion: 1.2\n*/", None),
        ] {
            let facts = extract_bytes(path, content.as_bytes()).expect(path);
            let found = facts.first().map(|fact| match fact {
                Fact::Package(p) => format!("{} {}", p.name, p.version),
                other => panic!("{other:?}"),
            });
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }
}
