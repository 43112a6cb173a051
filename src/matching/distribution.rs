//! What differs between distributions: under which names and versions a package is looked up, which builds are
//! numbered on their own, what a fixed source version means for a binary package.

use crate::model::{Advisory, Distribution, FeedId, Package, PackageKind};
use crate::version::Scheme;

use super::amazon;
use super::content_sets::{ContentSet, Cpe, Product, System};

/// A name and version that advisories may speak of, and how its versions are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) scheme: Scheme,
    /// Whether it is the source package, not what is installed under its own name.
    pub(super) is_source: bool,
    /// Whether nothing confirms that the name is the package's.
    pub(super) is_guess: bool,
}

/// Distributions of rpm packages whose advisories name source packages (some of their feeds name binaries too).
const RPM_BY_SOURCE: [&str; 9] =
    ["rhel", "centos", "sles", "sled", "sl-micro", "mageia", "openeuler", "azurelinux", "mariner"];

/// What to look up, the most telling first; empty where the kind has no order of versions.
///
/// Debian, Ubuntu, Alpine, Wolfi and their kin publish advisories per **source** package and source version; AlmaLinux,
/// Rocky, Oracle, Amazon and Photon per **binary** package; SUSE and a few others per source in one form of their data
/// and per binary in another, so both are asked. Red Hat names fixed builds by binary, and by source what is not fixed.
/// Language packages are their own subject. Programs without a package are asked for among Bitnami's records, which
/// speak of upstream versions. CentOS Linux is judged by what Red Hat says of the packages that it rebuilds.
pub(super) fn subjects<'a>(package: &'a Package, distribution: Option<&Distribution>) -> Vec<Subject<'a>> {
    let kind = if package.kind == PackageKind::Generic { PackageKind::Bitnami } else { package.kind };
    let Some(mut scheme) = Scheme::of(kind) else { return Vec::new() };
    if scheme == Scheme::Rpm && distribution.is_some_and(|distribution| distribution.id == "centos") {
        scheme = Scheme::RpmRebuild;
    }
    let binary = Subject { name: &package.name, version: &package.version, scheme, is_source: false, is_guess: false };
    let source = package.source.as_ref().filter(|source| !source.name.is_empty());
    match (package.kind, source) {
        (PackageKind::Deb, Some(source)) => {
            vec![Subject { name: &source.name, version: &source.version, is_source: true, ..binary }]
        }
        // apk states the origin's name only; its packages share the origin's version.
        (PackageKind::Apk, Some(source)) => vec![Subject { name: &source.name, is_source: true, ..binary }],
        (PackageKind::Rpm, Some(source)) if is_by_source(distribution) => {
            // Source packages are named without an epoch, which is no difference then.
            let scheme = Scheme::RpmSource;
            let of_source = Subject { name: &source.name, version: &source.version, scheme, is_source: true, ..binary };
            if source.name == package.name { vec![binary] } else { vec![of_source, binary] }
        }
        // `18.17.1-2` is Bitnami's second build of 18.17.1, not what came before it.
        (PackageKind::Bitnami, _) => match package.version.rsplit_once('-') {
            Some((version, build)) if is_number(build) => vec![Subject { version, ..binary }],
            _ => vec![binary],
        },
        _ => vec![binary],
    }
}

fn is_by_source(distribution: Option<&Distribution>) -> bool {
    distribution.is_some_and(|distribution| {
        let id = distribution.id.as_str();
        RPM_BY_SOURCE.contains(&id) || id.starts_with("opensuse") || id.starts_with("sle-") || id.starts_with("suse")
    })
}

/// Builds that a distribution numbers on their own beside the plain ones: a fix in one says nothing about another.
/// Oracle's and Ubuntu's FIPS builds, Oracle's user-space Ksplice builds.
pub(super) fn line(version: &str) -> Option<&'static str> {
    let version = version.as_bytes();
    let has = |word: &str| version.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    // Both words have this letter, and few versions do.
    if !version.iter().any(|byte| byte.eq_ignore_ascii_case(&b'p')) {
        None
    } else if has("ksplice") {
        Some("ksplice")
    } else if has("fips") {
        Some("fips")
    } else {
        None
    }
}

/// Whether a package shows that it comes from a repository or channel; `None` where no package shows it. `siblings` are
/// all records about packages of this name, `record` is one of them.
pub(super) fn comes_from(
    package: &Package,
    repository: &str,
    record: &Advisory,
    siblings: &[Advisory],
) -> Option<bool> {
    let name = repository.to_ascii_lowercase();
    match name.as_str() {
        name if is_of_every_image(name) => Some(true),
        "ksplice" => Some(line(&package.version) == Some("ksplice")),
        name if name.starts_with("fips") => Some(line(&package.version) == Some("fips")),
        // Ubuntu's packages for subscribers say so in their version: `+esm1`, `~esm2`.
        name if name.starts_with("esm") => Some(package.version.contains("esm")),
        name if record.feed == FeedId::Amazon => amazon::comes_from(package, name, record, siblings),
        _ => None,
    }
}

/// The repositories that every image of the distribution has.
pub(super) fn is_of_every_image(repository: &str) -> bool {
    matches!(repository, "" | "main" | "core" | "amzn2-core" | "amazonlinux" | "amzn-main" | "amzn-updates")
}

/// How a product concerns an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concern {
    /// One that images of the release have, or one of several that packages of it may come from.
    General,
    /// The line of fixes that the image's packages come from.
    Own,
}

/// Whether a product is one that images of the distribution have unless they say otherwise, or that this one's content
/// sets stand for.
///
/// Red Hat's base and application streams of the release; its extended (EUS, E4S, AUS, TUS) or prolonged (ELS) support
/// and what is built on it only by the content sets. SUSE's service pack and the modules of it.
pub(super) fn has_product(system: &System<'_>, cpe: &str) -> Option<Concern> {
    let distribution = system.distribution?;
    let cpe = cpe.to_ascii_lowercase();
    let Cpe { vendor, product, version, update, edition } = Cpe::parse(&cpe)?;
    let release = distribution.release();
    match vendor {
        "redhat" => {
            let plain = matches!(edition, "" | "baseos" | "appstream" | "crb" | "server" | "workstation" | "client");
            // Since release 10 some name its minor release.
            let is_of_release =
                version.strip_prefix(release.as_str()).is_some_and(|m| m.is_empty() || m.starts_with('.'));
            if product == "enterprise_linux" && plain && is_of_release {
                return Some(Concern::General);
            }
            from_content_sets(system, (product, version, edition))
        }
        "suse" | "opensuse" | "novell" => {
            let pack = update.strip_prefix("sp").unwrap_or("0");
            let wanted = if version.contains('.') { version.to_owned() } else { format!("{version}.{pack}") };
            let wanted = wanted.strip_suffix(".0").unwrap_or(&wanted);
            (wanted == release.strip_suffix(".0").unwrap_or(&release)).then_some(Concern::General)
        }
        _ => None,
    }
}

/// The same for what the image's build says of Red Hat's repositories.
fn from_content_sets(system: &System<'_>, (product, version, edition): (&str, &str, &str)) -> Option<Concern> {
    let (_, found) = content_set(system, (product, version, edition))?;
    // Where the plain repository is named beside it, packages may come from either.
    let mut plain = system.content_sets.iter().filter(|set| !set.is_of_prolonged_support());
    let is_only = !plain.any(|set| set.products().any(|plain| plain.is("enterprise_linux", "", &found.edition)));
    Some(if found.is_of_prolonged_support() && is_only { Concern::Own } else { Concern::General })
}

fn content_set<'s>(
    system: &'s System<'_>,
    (product, version, edition): (&str, &str, &str),
) -> Option<(&'s ContentSet, &'s Product)> {
    let all = || system.content_sets.iter().flat_map(|set| set.products().map(move |product| (set, product)));
    all().find(|(_, named)| named.is(product, version, edition))
}

/// What is said with a comparison that rests on the name of a repository which Red Hat's list does not have.
pub(super) fn reservation(system: &System<'_>, cpes: &[String]) -> Option<String> {
    if system.content_sets.is_empty()
        || cpes.iter().any(|cpe| has_product(&System::plain(system.distribution), cpe).is_some())
    {
        return None;
    }
    let lower = |cpe: &String| cpe.to_ascii_lowercase();
    let told = cpes.iter().map(lower).filter_map(|cpe| {
        let cpe = Cpe::parse(&cpe)?;
        content_set(system, (cpe.product, cpe.version, cpe.edition))
    });
    let mut guessed = None;
    for (set, product) in told {
        if set.listed.contains(product) {
            return None;
        }
        guessed = guessed.or(Some((set, product)));
    }
    guessed.map(|(set, product)| format!("`{}` is taken for {product} by its name", set.name))
}

/// Whether a package is of the kernel's source, but holds headers only: no kernel runs from it.
pub(super) fn is_kernel_headers(package: &Package) -> bool {
    let name = package.name.as_str();
    match package.kind {
        PackageKind::Deb => {
            let source = package.source.as_ref().map_or(name, |source| source.name.as_str());
            let prefixes = ["linux-libc-dev", "linux-headers-", "linux-kbuild-", "linux-compiler-", "linux-doc"];
            source.starts_with("linux")
                && (prefixes.iter().any(|prefix| name.starts_with(prefix)) || name.contains("-headers-"))
        }
        PackageKind::Rpm => {
            name == "linux-glibc-devel"
                || name.starts_with("kernel") && (name.ends_with("-headers") || name.ends_with("-devel"))
        }
        PackageKind::Apk => name == "linux-headers",
        _ => false,
    }
}

/// What a fixed version of the subject means for the installed package: its own version where that can be derived,
/// else the subject's with the name of the source that has it.
pub(super) fn installed_fix(package: &Package, subject: &Subject<'_>, fixed: &str) -> (String, Option<String>) {
    if !subject.is_source || package.kind == PackageKind::Apk {
        return (fixed.to_owned(), None);
    }
    // A rebuild of the binary alone (`+b1`) is followed by plain builds.
    let installed = match package.version.rsplit_once("+b") {
        Some((plain, number)) if package.kind == PackageKind::Deb && is_number(number) => plain,
        _ => &package.version,
    };
    let ((epoch, upstream), (source_epoch, source_upstream)) = (split_epoch(installed), split_epoch(subject.version));
    if upstream != source_upstream {
        return (fixed.to_owned(), Some(subject.name.to_owned()));
    }
    let (fixed_epoch, fixed_upstream) = split_epoch(fixed);
    let own = match epoch {
        // An epoch of its own; the source's rose in between where the fixed version has another.
        Some(epoch) if Some(epoch) != source_epoch && fixed_epoch == source_epoch => {
            format!("{epoch}:{fixed_upstream}")
        }
        _ => fixed.to_owned(),
    };
    (own, None)
}

fn split_epoch(version: &str) -> (Option<&str>, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) if is_number(epoch) => (Some(epoch), rest),
        _ => (None, version),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourcePackage;

    fn distribution(id: &str, version: &str) -> Distribution {
        Distribution {
            id: id.into(),
            version: version.into(),
            name: String::new(),
            codename: None,
            id_like: vec![],
            repository_release: None,
            content_sets: vec![],
        }
    }

    fn package(kind: PackageKind, name: &str, version: &str, source: Option<(&str, &str)>) -> Package {
        let source = source.map(|(name, version)| SourcePackage { name: name.into(), version: version.into() });
        Package { source, ..Package::new(kind, name, version) }
    }

    #[test]
    fn looks_up_by_source_or_binary_name() {
        for (id, kind, expected) in [
            ("debian", PackageKind::Deb, &[("src", "2")][..]),
            ("ubuntu", PackageKind::Deb, &[("src", "2")]),
            ("alpine", PackageKind::Apk, &[("src", "1")]),
            ("wolfi", PackageKind::Apk, &[("src", "1")]),
            ("rhel", PackageKind::Rpm, &[("src", "2"), ("bin", "1")]),
            ("centos", PackageKind::Rpm, &[("src", "2"), ("bin", "1")]),
            ("almalinux", PackageKind::Rpm, &[("bin", "1")]),
            ("rocky", PackageKind::Rpm, &[("bin", "1")]),
            ("ol", PackageKind::Rpm, &[("bin", "1")]),
            ("amzn", PackageKind::Rpm, &[("bin", "1")]),
            ("photon", PackageKind::Rpm, &[("bin", "1")]),
            ("sles", PackageKind::Rpm, &[("src", "2"), ("bin", "1")]),
            ("opensuse-leap", PackageKind::Rpm, &[("src", "2"), ("bin", "1")]),
            ("debian", PackageKind::Npm, &[("bin", "1")]),
            ("debian", PackageKind::Generic, &[("bin", "1")]),
            ("debian", PackageKind::Conda, &[]),
        ] {
            let package = package(kind, "bin", "1", Some(("src", "2")));
            let distribution = distribution(id, "1");
            let found: Vec<_> =
                subjects(&package, Some(&distribution)).iter().map(|subject| (subject.name, subject.version)).collect();
            assert_eq!(found, expected, "{id} {kind:?}");
        }
    }

    #[test]
    fn a_fixed_source_version_is_given_in_the_binarys_terms_or_named_as_the_sources() {
        for (kind, installed, source, fixed, version, of_source) in [
            (PackageKind::Deb, "3.0.9-1", "3.0.9-1", "3.0.11-1", "3.0.11-1", false),
            (PackageKind::Deb, "3.0.9-1+b2", "3.0.9-1", "3.0.11-1", "3.0.11-1", false),
            (PackageKind::Deb, "1:9.0-1", "9.0-1", "9.1-1", "1:9.1-1", false),
            (PackageKind::Deb, "1:9.0-1", "1:9.0-1", "1:9.1-1", "1:9.1-1", false),
            (PackageKind::Deb, "1:9.0-1", "9.0-1", "2:9.1-1", "2:9.1-1", false),
            (PackageKind::Deb, "4:12.2.0-3", "1.203", "1.204", "1.204", true),
            (PackageKind::Apk, "1-r1", "1-r1", "1-r2", "1-r2", false),
            (PackageKind::Rpm, "2:1-1", "1-1", "1-2", "2:1-2", false),
        ] {
            let package = package(kind, "bin", installed, Some(("src", source)));
            let subject =
                Subject { name: "src", version: source, scheme: Scheme::Deb, is_source: true, is_guess: false };
            let expected = (version.to_owned(), of_source.then(|| "src".to_owned()));
            assert_eq!(installed_fix(&package, &subject, fixed), expected, "{installed} {source} {fixed}");
        }
    }

    #[test]
    fn lines_that_are_numbered_on_their_own() {
        for (version, expected) in [
            ("2:2.34-60.0.2.ksplice1.el9", Some("ksplice")),
            ("10:3.6.16-4.0.1.el8_fips", Some("fips")),
            ("1.1.1f-1ubuntu2.fips.2.8", Some("fips")),
            ("5.4.0-1026.30+Fips1", Some("fips")),
            ("2.34-60.el9", None),
            ("1.0-1ubuntu0.1~esm1", None),
        ] {
            assert_eq!(line(version), expected, "{version}");
        }
    }

    #[test]
    fn products_of_an_image_are_the_plain_ones_of_its_release() {
        for (id, version, cpe, expected) in [
            ("rhel", "9.3", "cpe:/o:redhat:enterprise_linux:9::baseos", true),
            ("rhel", "9.3", "cpe:/a:redhat:enterprise_linux:9::appstream", true),
            ("rhel", "8.10", "cpe:2.3:o:redhat:enterprise_linux:8:*:baseos:*:*:*:*:*", true),
            ("rhel", "7.9", "cpe:/o:redhat:enterprise_linux:7::server", true),
            ("rhel", "10.1", "cpe:/o:redhat:enterprise_linux:10.0", true),
            ("rhel", "1.0", "cpe:/o:redhat:enterprise_linux:10.0", false),
            ("rhel", "9.3", "cpe:/o:redhat:enterprise_linux:8::baseos", false),
            ("rhel", "9.2", "cpe:/o:redhat:rhel_eus:9.2::baseos", false),
            ("rhel", "7.9", "cpe:/o:redhat:rhel_els:7", false),
            ("rhel", "9.3", "cpe:/a:redhat:enterprise_linux:9::highavailability", false),
            ("rhel", "9.3", "cpe:/a:redhat:openshift:4.13::el9", false),
            ("sles", "15.5", "cpe:/o:suse:sles:15:sp5", true),
            ("sles", "15.5", "cpe:/o:suse:sle-module-basesystem:15:sp5", true),
            ("sles", "15.5", "cpe:/o:suse:sles:15:sp4", false),
            ("opensuse-leap", "15.5", "cpe:/o:opensuse:leap:15.5", true),
            ("debian", "12", "cpe:/o:redhat:enterprise_linux:9::baseos", false),
            ("rhel", "9", "nonsense", false),
        ] {
            let system = distribution(id, version);
            let found = has_product(&System::plain(Some(&system)), cpe);
            assert_eq!(found, expected.then_some(Concern::General), "{id} {version} {cpe}");
        }
    }

    /// A system of these content sets, as far as their names tell.
    fn with_sets<'a>(distribution: &'a Distribution, sets: &[&str]) -> System<'a> {
        let set = |name: &&str| ContentSet {
            name: (*name).to_owned(),
            listed: Vec::new(),
            named: Product::of(name, &distribution.version),
        };
        System { content_sets: sets.iter().map(set).collect(), ..System::plain(Some(distribution)) }
    }

    #[test]
    fn content_sets_add_the_products_that_they_name() {
        let (eus, plain) = ("rhel-9-for-x86_64-baseos-eus-rpms__9_DOT_2", "rhel-9-for-x86_64-baseos-rpms");
        for (sets, cpe, expected) in [
            (&[eus][..], "cpe:/o:redhat:rhel_eus:9.2::baseos", Some(Concern::Own)),
            (&[eus], "cpe:/o:redhat:rhel_eus:9.0::baseos", None),
            (&[eus], "cpe:/a:redhat:rhel_eus:9.2::appstream", None),
            (&[eus], "cpe:/o:redhat:enterprise_linux:9::baseos", Some(Concern::General)),
            (&[eus, plain], "cpe:/o:redhat:rhel_eus:9.2::baseos", Some(Concern::General)),
            (&[plain], "cpe:/o:redhat:rhel_eus:9.2::baseos", None),
            (&["rhocp-4.13-for-rhel-9-x86_64-rpms"], "cpe:/a:redhat:openshift:4.13::el9", Some(Concern::General)),
            (&["rhocp-4.13-for-rhel-9-x86_64-rpms"], "cpe:/a:redhat:openshift:4", Some(Concern::General)),
            (&["rhocp-4.13-for-rhel-9-x86_64-rpms"], "cpe:/a:redhat:openshift:4.14::el9", None),
            (&["rhel-9-for-x86_64-nfv-rpms"], "cpe:/a:redhat:enterprise_linux:9::nfv", Some(Concern::General)),
        ] {
            let system = distribution("rhel", "9.2");
            assert_eq!(has_product(&with_sets(&system, sets), cpe), expected, "{sets:?} {cpe}");
        }
    }

    #[test]
    fn a_product_by_the_name_of_its_repository_is_said_to_be_that() {
        let system = distribution("rhel", "9.2");
        let named = with_sets(&system, &["rhel-9-for-x86_64-baseos-eus-rpms__9_DOT_2"]);
        let mut listed = with_sets(&system, &["rhel-9-for-x86_64-baseos-eus-rpms__9_DOT_2"]);
        let set = &mut listed.content_sets[0];
        set.listed.extend(set.named.take());
        // The list has the set, but not for the image's minor release.
        let mut partly = with_sets(&system, &["rhel-9-for-x86_64-nfv-rpms", "rhel-9-for-x86_64-nfv-eus-rpms"]);
        let nfv = partly.content_sets.remove(0).named;
        partly.content_sets[0].listed.extend(nfv);
        let (eus, plain) = ("cpe:/o:redhat:rhel_eus:9.2::baseos", "cpe:/o:redhat:enterprise_linux:9::baseos");
        for (what, system, cpes, expected) in [
            (
                "by name",
                &named,
                &[eus][..],
                Some("`rhel-9-for-x86_64-baseos-eus-rpms__9_DOT_2` is taken for rhel_eus:9.2::baseos by its name"),
            ),
            ("by the list", &listed, &[eus], None),
            ("by the list, which lacks another", &partly, &["cpe:/a:redhat:enterprise_linux:9::nfv"], None),
            (
                "the one that the list lacks",
                &partly,
                &["cpe:/a:redhat:rhel_eus:9.2::nfv"],
                Some("`rhel-9-for-x86_64-nfv-eus-rpms` is taken for rhel_eus:9.2::nfv by its name"),
            ),
            ("of the plain release too", &named, &[eus, plain], None),
        ] {
            let cpes: Vec<String> = cpes.iter().map(|&cpe| cpe.to_owned()).collect();
            assert_eq!(reservation(system, &cpes).as_deref(), expected, "{what}");
        }
    }

    #[test]
    fn a_build_number_of_bitnamis_is_no_pre_release() {
        for (version, expected) in [("18.17.1-2", "18.17.1"), ("18.17.1", "18.17.1"), ("1.0.0-rc.1", "1.0.0-rc.1")] {
            let package = package(PackageKind::Bitnami, "node", version, None);
            assert_eq!(subjects(&package, None).first().map(|subject| subject.version), Some(expected), "{version}");
        }
    }

    #[test]
    fn headers_of_the_kernel_are_a_class_of_their_own() {
        for (kind, name, source, expected) in [
            (PackageKind::Deb, "linux-libc-dev", "linux", true),
            (PackageKind::Deb, "linux-headers-6.1.0-13-amd64", "linux", true),
            (PackageKind::Deb, "linux-aws-headers-6.2.0-1017", "linux-aws", true),
            (PackageKind::Deb, "linux-image-6.1.0-13-amd64", "linux-signed-amd64", false),
            (PackageKind::Deb, "linux-perf", "linux", false),
            (PackageKind::Deb, "libheaders-headers-perl", "libheaders-perl", false),
            (PackageKind::Rpm, "kernel-headers", "kernel", true),
            (PackageKind::Rpm, "kernel-uek-devel", "kernel-uek", true),
            (PackageKind::Rpm, "linux-glibc-devel", "linux-glibc-devel", true),
            (PackageKind::Rpm, "kernel-core", "kernel", false),
            (PackageKind::Apk, "linux-headers", "linux-headers", true),
            (PackageKind::Apk, "linux-pam", "linux-pam", false),
        ] {
            assert_eq!(is_kernel_headers(&package(kind, name, "1", Some((source, "1")))), expected, "{name}");
        }
    }
}
