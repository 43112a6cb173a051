//! `docs/coverage.md`: what the extractors claim, written from their own table, and what nobody reads, with the reason.

use std::fmt::Write;

use super::extractor::EXTRACTORS;

/// What other scanners look at, or people ask for, and why it is not read.
const NOT_READ: &[(&str, &str)] = &[
    (
        "lock files of npm, Yarn, pnpm, pip, Poetry, Composer, Bundler, Cargo, Conan (`conan.lock`), Mix, Pub and Go (`go.sum`)",
        "they say what was wanted; what was installed says so itself, and what was not installed cannot be attacked",
    ),
    (
        "Swift: `Package.resolved`, `Podfile.lock`",
        "lock files too; Swift has no installed form, it links its packages into the program without naming them",
    ),
    (
        "the stores and caches of pnpm, Bun, npm and Yarn 1, pip's and Cargo's download caches",
        "content without names, or packages that nothing runs; those that are linked into a project are found there. \
         Yarn's archives are no such cache: programs run from them",
    ),
    ("NuGet: `packages.config`, `*.props`", "wishes of a project; `*.deps.json` says what was published"),
    (
        "the checksum of a Java archive looked up in a database or service",
        "a second database of 600 MB, or the network; an archive without `pom.properties`, `pom.xml` and manifest is named by its file",
    ),
    ("the SBOM in GraalVM's native images", "compressed in the program's data; such programs are otherwise silent"),
    (
        "`.note.package` of ELF, version resources of Windows programs",
        "they name the packages of a database that is read",
    ),
    (
        "PEAR, OCaml, Perl, Nim, Nix, Homebrew, snap, flatpak, Spack, extensions of VS Code and Chrome",
        "no feed that is read names their packages",
    ),
    (
        "recipes and packages that are not unpacked: `*.rockspec` outside of `luarocks/rocks*`, `*.gemspec` outside of `specifications` and Bundler's checkouts, `*.gem`, `*.whl`, `*.vsix`, `*.asar`",
        "an installer writes what it installed to its own place, and that is read",
    ),
    (
        "a program's own version where Go's build information says none, by marks of single programs (consul, grafana, helm, traefik, vault, …)",
        "what is next to such a version differs from release to release; the program's modules are listed all the same",
    ),
    (
        "of documents that lie in images: package URLs of the kinds `generic`, `docker` and `dhi`, SPDX as RDF and YAML",
        "a name without an ecosystem, the image's own name, and a kind of which no feed that is read speaks; forms that no tool writes into images",
    ),
    (
        "of Java archives: bills of materials in those that lie in others (`**/*.jar!/META-INF/sbom/*`)",
        "a library's names what it was built with, which is not in it; what an application holds, its own names",
    ),
    ("kernel modules", "a container runs its host's kernel"),
    ("models (GGUF, safetensors), secrets, configuration errors", "another tool's duty"),
    (
        "images of Windows",
        "its updates are no packages; the layers are read, the result says that no system was recognised",
    ),
    ("archives that are no package (`*.tar.gz`, `*.zip`) inside of layers", "what is packed is not installed"),
];

/// The document.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# What is found in an image\n\n\
         Written by the extractors themselves (`src/inventory/coverage.rs`); a test fails when this file differs.\n\
         Paths are glob patterns inside the image.\n\n\
         | source | reads |\n|---|---|\n",
    );
    for extractor in EXTRACTORS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {} |", extractor.name(), extractor.claims().join("<br>"));
    }
    text.push_str("\n## What is not read, and why\n\n| what | why |\n|---|---|\n");
    for (what, why) in NOT_READ {
        let _ = writeln!(text, "| {what} | {why} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::PackageKind;

    /// Each kind of package is said to be read by somebody, or not to be.
    #[test]
    fn every_kind_is_accounted_for() {
        let text = document();
        for kind in PackageKind::ALL {
            let word = match kind {
                PackageKind::Deb => "dpkg",
                PackageKind::Alpm => "pacman",
                PackageKind::Portage => "portage",
                PackageKind::Pypi => "python",
                PackageKind::Maven => "java",
                PackageKind::Golang => "Go modules",
                PackageKind::Cargo => "Rust crates",
                PackageKind::Nuget => "dotnet",
                PackageKind::Hex => "erlang",
                PackageKind::Pub => "Dart",
                PackageKind::Hackage => "haskell",
                PackageKind::Swift => "Swift",
                PackageKind::Cran => "installed R packages",
                PackageKind::Luarocks => "Lua rocks",
                PackageKind::Generic => "well-known programs",
                PackageKind::Bitnami => "Bitnami",
                other => other.purl_type(),
            };
            assert!(text.to_lowercase().contains(&word.to_lowercase()), "nobody says a word about {kind:?}");
        }
    }

    /// `PLIMSOLL_UPDATE=1 cargo test coverage` writes the file anew.
    #[test]
    fn the_document_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coverage.md");
        if std::env::var_os("PLIMSOLL_UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().expect("docs")).expect("a directory");
            std::fs::write(&path, document()).expect("docs/coverage.md can be written");
        }
        let kept = std::fs::read_to_string(&path).expect("docs/coverage.md");
        assert_eq!(kept, document(), "docs/coverage.md differs; run this test with PLIMSOLL_UPDATE=1");
    }
}
