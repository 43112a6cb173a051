//! Every setting, once: parsing, suggestions, the log, the page of the documentation and the schema come from here.

use super::foreign::{Translated, same, trivy_package_types, trivy_severities, trivy_vex};
use super::kind::Kind;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name in `.plimsoll.yml`.
    pub key: &'static str,
    /// Its flag, with the dashes.
    pub flag: Option<&'static str>,
    /// Its variables, the strongest first; the first is `PLIMSOLL_*`.
    pub variables: &'static [Variable],
    /// What it holds.
    pub kind: Kind,
    /// What holds when nobody says anything, for people.
    pub default: &'static str,
    /// What it does, in one line of Markdown.
    pub about: &'static str,
}

/// A variable that gives a setting.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// How its values are read, where they are not those of the setting.
    pub translate: Option<fn(&str) -> Translated>,
}

const fn plain(name: &'static str) -> Variable {
    Variable { name, translate: None }
}

const fn foreign(name: &'static str, translate: fn(&str) -> Translated) -> Variable {
    Variable { name, translate: Some(translate) }
}

/// All settings, in the order of the documentation.
pub static SETTINGS: &[Setting] = &[
    Setting {
        key: "images",
        flag: None,
        variables: &[plain("PLIMSOLL_IMAGES"), foreign("CS_IMAGE", same), foreign("DOCKER_IMAGE", same)],
        kind: Kind::Names,
        default: "the image that this pipeline pushed",
        about: "What to scan, where the command names no source",
    },
    Setting {
        key: "digest_files",
        flag: None,
        variables: &[plain("PLIMSOLL_DIGEST_FILES")],
        kind: Kind::Paths,
        default: "where no image is named or found: `metadata.json`, `build-metadata.json`, `digest`, `digest.txt`, `image-digest`, `image-digest.txt` or `image-name-with-digest`",
        about: "What the build wrote about the images it pushed: buildx `--metadata-file`, kaniko `--digest-file` and \
                `--image-name-with-digest-file`, buildah `--digestfile`. The images are scanned by these digests",
    },
    Setting {
        key: "platform",
        flag: Some("--platform"),
        variables: &[plain("PLIMSOLL_PLATFORM"), plain("TRIVY_PLATFORM")],
        kind: Kind::Platforms,
        default: "linux/amd64",
        about: "What to take from an image index; several are images of their own in all reports, `all` is whatever the index has. A retest and `explain` look at the first, and at linux/amd64 for `all`",
    },
    Setting {
        key: "fail_on",
        flag: Some("--fail-on"),
        variables: &[plain("PLIMSOLL_FAIL_ON")],
        kind: Kind::Expressions,
        default: "`new && critical`",
        about: "What fails the [gate](gitlab.md#the-gate): one expression, or a list of which any may hold",
    },
    Setting {
        key: "warn_on",
        flag: Some("--warn-on"),
        variables: &[plain("PLIMSOLL_WARN_ON")],
        kind: Kind::Expressions,
        default: "nothing",
        about: "What the gate tells and lets pass, in the same language",
    },
    Setting {
        key: "severity_adjustment",
        flag: None,
        variables: &[plain("PLIMSOLL_SEVERITY_ADJUSTMENT")],
        kind: Kind::Bool,
        default: "false: factors are only told",
        about: "Let severities follow their factors (exploited, likelihood, vendor, image …); the original is kept beside",
    },
    Setting {
        key: "criticality",
        flag: None,
        variables: &[plain("PLIMSOLL_CRITICALITY")],
        kind: Kind::Word(&["low", "normal", "critical"]),
        default: "normal",
        about: "How much depends on the images: a factor of every finding. An image's label `plimsoll.criticality` is stronger",
    },
    Setting {
        key: "deployments",
        flag: None,
        variables: &[plain("PLIMSOLL_DEPLOYMENTS")],
        kind: Kind::Bool,
        default: "false",
        about: "Ask GitLab what was last deployed where: a factor of every finding, and what runs in production comes first. What \
                runs nowhere weighs less, in scheduled pipelines only: others are about to deploy. Merge requests do not ask. Takes \
                `PLIMSOLL_GITLAB_TOKEN` (scope `read_api`)",
    },
    Setting {
        key: "report_os_eol",
        flag: None,
        variables: &[plain("PLIMSOLL_REPORT_OS_EOL"), plain("CS_REPORT_OS_EOL")],
        kind: Kind::Bool,
        default: "false: a gap in the report, no finding",
        about: "Report a distribution whose support has ended as a finding, which no threshold hides",
    },
    Setting {
        key: "report_os_eol_severity",
        flag: None,
        variables: &[plain("PLIMSOLL_REPORT_OS_EOL_SEVERITY"), plain("CS_REPORT_OS_EOL_SEVERITY")],
        kind: Kind::Severity,
        default: "medium",
        about: "The severity of that finding",
    },
    Setting {
        key: "severity_threshold",
        flag: Some("--severity-threshold"),
        variables: &[
            plain("PLIMSOLL_SEVERITY_THRESHOLD"),
            plain("CS_SEVERITY_THRESHOLD"),
            foreign("TRIVY_SEVERITY", trivy_severities),
            plain("SNYK_SEVERITY_THRESHOLD"),
        ],
        kind: Kind::Severity,
        default: "unknown: all count",
        about: "Findings below it are suppressed, with this as the reason",
    },
    Setting {
        key: "ignore_unfixed",
        flag: Some("--ignore-unfixed"),
        variables: &[plain("PLIMSOLL_IGNORE_UNFIXED"), plain("CS_IGNORE_UNFIXED"), plain("TRIVY_IGNORE_UNFIXED")],
        kind: Kind::Bool,
        default: "false",
        about: "Suppress findings that no upgrade removes",
    },
    Setting {
        key: "ignore_statuses",
        flag: Some("--ignore-statuses"),
        variables: &[plain("PLIMSOLL_IGNORE_STATUSES"), plain("CS_IGNORE_STATUSES"), plain("TRIVY_IGNORE_STATUS")],
        kind: Kind::Statuses,
        default: "none",
        about: "Suppress findings whose fix has one of these statuses: `unknown`, `not_affected`, `affected`, `fixed`, \
                `under_investigation`, `will_not_fix`, `fix_deferred`, `end_of_life`",
    },
    Setting {
        key: "exclude_app_vulns",
        flag: Some("--exclude-app-vulns"),
        variables: &[
            plain("PLIMSOLL_EXCLUDE_APP_VULNS"),
            plain("CS_DISABLE_LANGUAGE_VULNERABILITY_SCAN"),
            foreign("TRIVY_PKG_TYPES", trivy_package_types),
            foreign("TRIVY_VULN_TYPE", trivy_package_types),
        ],
        kind: Kind::Bool,
        default: "false: language packages are judged",
        about: "Suppress findings in language packages. GitLab's own analyzer leaves them out unless told otherwise",
    },
    Setting {
        key: "ignore_files",
        flag: Some("--ignore-file"),
        variables: &[plain("PLIMSOLL_IGNORE_FILES"), foreign("TRIVY_IGNOREFILE", same)],
        kind: Kind::Paths,
        default: "those of `vulnerability-allowlist.yml`, `.trivyignore`, `.trivyignore.yaml` and `.snyk` that are there (without a checkout only the first two are looked for)",
        about: "Files with ignore rules of other tools; the rules of `.plimsoll.yml` always apply",
    },
    Setting {
        key: "vex",
        flag: Some("--vex"),
        variables: &[plain("PLIMSOLL_VEX"), foreign("TRIVY_VEX", trivy_vex)],
        kind: Kind::Paths,
        default: "none",
        about: "VEX documents: OpenVEX, CSAF or CycloneDX, as JSON",
    },
    Setting {
        key: "db",
        flag: Some("--db"),
        variables: &[plain("PLIMSOLL_DB")],
        kind: Kind::Text,
        default: "where the published image keeps it, else the upstreams",
        about: "The advisory database: an artifact in a registry, a directory, or a folder of feeds",
    },
    Setting {
        key: "max_db_age",
        flag: Some("--max-db-age"),
        variables: &[plain("PLIMSOLL_MAX_DB_AGE")],
        kind: Kind::Age,
        default: "7d",
        about: "Age from which a database is stale, such as `36h` or `7d`",
    },
    Setting {
        key: "stale_db",
        flag: Some("--stale-db"),
        variables: &[plain("PLIMSOLL_STALE_DB")],
        kind: Kind::Word(&["warn", "fail"]),
        default: "warn",
        about: "What to do with a stale database",
    },
    Setting {
        key: "fallback_db",
        flag: Some("--fallback-db"),
        variables: &[plain("PLIMSOLL_FALLBACK_DB")],
        kind: Kind::Path,
        default: "none",
        about: "A folder of feeds to use, and to name in all reports, when no database can be had",
    },
    Setting {
        key: "timeout",
        flag: Some("--timeout"),
        variables: &[plain("PLIMSOLL_TIMEOUT"), plain("TRIVY_TIMEOUT")],
        kind: Kind::Duration,
        default: "none: every wait has a limit of its own",
        about: "Time for reading the images of a scan, all together. What was read until then is judged and reported; the scan \
                counts as incomplete and says of which images",
    },
    Setting {
        key: "offline",
        flag: Some("--offline"),
        variables: &[plain("PLIMSOLL_OFFLINE"), plain("TRIVY_OFFLINE_SCAN")],
        kind: Kind::Bool,
        default: "false",
        about: "Use the network for registries only, never for advisories",
    },
    Setting {
        key: "cache_dir",
        flag: Some("--cache-dir"),
        variables: &[plain("PLIMSOLL_CACHE_DIR")],
        kind: Kind::Path,
        default: "the user's cache",
        about: "Where databases that are brought or built on the way are kept, and, if it is named, what layers hold; any \
                number of jobs may share it",
    },
    Setting {
        key: "out",
        flag: Some("--out"),
        variables: &[plain("PLIMSOLL_OUT")],
        kind: Kind::Path,
        default: "the working directory",
        about: "Where all reports go",
    },
    Setting {
        key: "registry_insecure",
        flag: None,
        variables: &[plain("PLIMSOLL_REGISTRY_INSECURE"), plain("CS_REGISTRY_INSECURE"), plain("TRIVY_NON_SSL")],
        kind: Kind::Bool,
        default: "false",
        about: "Speak plain HTTP to the registry of the (first) image, on any port",
    },
    Setting {
        key: "docker_insecure",
        flag: None,
        variables: &[plain("PLIMSOLL_DOCKER_INSECURE"), plain("CS_DOCKER_INSECURE"), plain("TRIVY_INSECURE")],
        kind: Kind::Bool,
        default: "false",
        about: "Do not verify the certificates of registries",
    },
    Setting {
        key: "baseline",
        flag: Some("--baseline"),
        variables: &[plain("PLIMSOLL_BASELINE")],
        kind: Kind::Text,
        default: "the target branch's last scan",
        about: "What to compare with: a scan document, an image, or `none`",
    },
    Setting {
        key: "select",
        flag: Some("--select"),
        variables: &[plain("PLIMSOLL_SELECT")],
        kind: Kind::Text,
        default: "all",
        about: "Which images of the registry `images`, `retest` and `plan` mean: an [expression](retest.md#selection)",
    },
    Setting {
        key: "state",
        flag: Some("--state"),
        variables: &[plain("PLIMSOLL_STATE")],
        kind: Kind::Path,
        default: "the package registry of the project",
        about: "A directory for what is remembered between pipelines",
    },
    Setting {
        key: "every",
        flag: Some("--every"),
        variables: &[plain("PLIMSOLL_EVERY")],
        kind: Kind::Age,
        default: "nothing is left out",
        about: "`retest` leaves out images that it has judged more recently than this, such as `6h` or `1d`",
    },
    Setting {
        key: "keep",
        flag: Some("--keep"),
        variables: &[plain("PLIMSOLL_KEEP")],
        kind: Kind::Age,
        default: "30d",
        about: "How long images that are gone from the registry are remembered",
    },
    Setting {
        key: "comment",
        flag: Some("--comment"),
        variables: &[plain("PLIMSOLL_COMMENT")],
        kind: Kind::Word(&["changes", "always", "never"]),
        default: "changes",
        about: "When `publish` comments on the merge request",
    },
    Setting {
        key: "thread",
        flag: Some("--thread"),
        variables: &[plain("PLIMSOLL_THREAD")],
        kind: Kind::Bool,
        default: "false",
        about: "Keep a thread at the Dockerfile's `FROM` line while the gate fails",
    },
    Setting {
        key: "dockerfile",
        flag: None,
        variables: &[plain("PLIMSOLL_DOCKERFILE"), plain("CS_DOCKERFILE_PATH")],
        kind: Kind::Text,
        default: "Dockerfile",
        about: "The Dockerfile's path in the repository: where reports and the thread point to, and what the base image is",
    },
    Setting {
        key: "base_images",
        flag: None,
        variables: &[plain("PLIMSOLL_BASE_IMAGES")],
        kind: Kind::Names,
        default: "what annotations and `FROM` name",
        about: "Images that others are built on, as sources of a scan: the one whose layers an image begins with is its base, whose findings are not its own",
    },
    Setting {
        key: "limits",
        flag: None,
        variables: &[plain("PLIMSOLL_LIMITS")],
        kind: Kind::Limits,
        default: "[these](#limits)",
        about: "What an image may cost at most, where the [limits](#limits) are too low: `layer_size=128GiB,entries=10000000`",
    },
    Setting {
        key: "default_branch_image",
        flag: None,
        variables: &[plain("PLIMSOLL_DEFAULT_BRANCH_IMAGE"), plain("CS_DEFAULT_BRANCH_IMAGE")],
        kind: Kind::Text,
        default: "none",
        about: "The image of the default branch: the baseline of other branches, and how GitLab knows their findings again",
    },
    Setting {
        key: "notify",
        flag: Some("--notify"),
        variables: &[plain("PLIMSOLL_NOTIFY")],
        kind: Kind::Names,
        default: "all that are set up",
        about: "Where `alert` tells what is new: `exit`, `pipeline`, `issue`, `webhook`; or `auto`, `all` or `none`",
    },
    Setting {
        key: "alert_on",
        flag: Some("--alert-on"),
        variables: &[plain("PLIMSOLL_ALERT_ON")],
        kind: Kind::Text,
        default: "findings that are at least high, or known to be exploited",
        about: "Which findings are worth an alert, a policy as for `gate`",
    },
    Setting {
        key: "sla",
        flag: Some("--sla"),
        variables: &[plain("PLIMSOLL_SLA")],
        kind: Kind::Text,
        default: "critical=7d,high=30d,medium=90d",
        about: "Days until an issue is due, by severity; `none` for no due dates",
    },
    Setting {
        key: "catalog_file",
        flag: None,
        variables: &[plain("PLIMSOLL_CATALOG_FILE")],
        kind: Kind::Text,
        default: "catalog-info.yaml",
        about: "Where `overview` finds the Backstage catalogue file of each project",
    },
    Setting {
        key: "issue_labels",
        flag: None,
        variables: &[plain("PLIMSOLL_ISSUE_LABELS")],
        kind: Kind::Names,
        default: "container-scanning",
        about: "Labels of a new issue; later they are yours",
    },
    Setting {
        key: "issue_confidential",
        flag: None,
        variables: &[plain("PLIMSOLL_ISSUE_CONFIDENTIAL")],
        kind: Kind::Bool,
        default: "false",
        about: "Make new issues confidential",
    },
    Setting {
        key: "webhook_service",
        flag: None,
        variables: &[plain("PLIMSOLL_WEBHOOK_SERVICE")],
        kind: Kind::Word(&["slack", "teams", "mattermost", "json"]),
        default: "told from the address",
        about: "The form of the message that PLIMSOLL_WEBHOOK_URL is sent",
    },
    Setting {
        key: "quiet",
        flag: Some("--quiet"),
        variables: &[plain("PLIMSOLL_QUIET"), plain("CS_QUIET"), plain("TRIVY_QUIET")],
        kind: Kind::Bool,
        default: "false",
        about: "No table and no progress, only warnings and errors",
    },
    Setting {
        key: "log_level",
        flag: Some("--log-level"),
        variables: &[plain("PLIMSOLL_LOG_LEVEL"), plain("SECURE_LOG_LEVEL")],
        kind: Kind::Word(&["fatal", "error", "warn", "info", "debug", "trace", "off"]),
        default: "info",
        about: "What the log says",
    },
];

/// Variables of GitLab's analyzer and of Trivy that have no effect, and why. They are named in the log when they are set.
pub static NO_EFFECT: &[(&str, &str)] = &[
    ("CS_ANALYZER_IMAGE", "the component's input `analyzer_image` names the image"),
    ("CS_IMAGE_SUFFIX", "there is one image for all"),
    ("CS_SCHEMA_MODEL", "the report's schema is 15.0.7"),
    ("CS_DISABLE_DEPENDENCY_LIST", "GitLab removed it in 17.0"),
    ("CS_INCLUDE_LICENSES", "licences are always in the SBOM"),
    ("CS_TRIVY_JAVA_DB", "Java archives are known without a database"),
    ("CS_TRIVY_DETECTION_PRIORITY", "matching follows the distribution's own data"),
    ("TRIVY_DB_REPOSITORY", "the database is named by PLIMSOLL_DB"),
    ("TRIVY_JAVA_DB_REPOSITORY", "Java archives are known without a database"),
    ("TRIVY_CACHE_DIR", "the cache is named by PLIMSOLL_CACHE_DIR"),
    ("TRIVY_DEBUG", "the log is set by SECURE_LOG_LEVEL"),
    ("SNYK_TOKEN", "no account is needed"),
    ("SNYK_ORG", "no account is needed"),
];

/// Variables that are read and are no settings: secrets, files of the system, and what the component hands over.
pub static OTHER_VARIABLES: &[(&str, &str)] = &[
    ("PLIMSOLL_CONFIG", "the settings file, as `--config`; `.plimsoll.yml` of the working directory else"),
    ("PLIMSOLL_DB_ACCEPT_LOSSES", "`true`: `db build` takes a feed that has lost more than 1 % of its records"),
    (
        "PLIMSOLL_JOB_FAIL_ON",
        "the component's inputs are handed over as `PLIMSOLL_JOB_…`; `scan` checks the policies among them before any work",
    ),
    ("PLIMSOLL_JOB_WARN_ON", "see `PLIMSOLL_JOB_FAIL_ON`"),
    ("PLIMSOLL_FEED_…", "the base address of one advisory feed, for a mirror ([table](database.md#feeds))"),
    (
        "IMAGE_DIGEST",
        "from a build job's dotenv report: the digest that it pushed, `sha256:…` or `name@sha256:…`; the image is scanned by it",
    ),
    (
        "TRIGGER_PAYLOAD",
        "in triggered pipelines: the [notification](alerts.md#on-push-from-elsewhere) of a registry, a file or its text",
    ),
    ("PLIMSOLL_NOTIFIED_PROJECTS", "`true`: a notification may name images of other projects in the same registry"),
    ("PLIMSOLL_WEBHOOK_URL", "the webhook that alerts go to; a secret, as who has it can write there"),
    ("PLIMSOLL_DB_KEY", "the public key that must have signed the database, PEM text or a path"),
    ("PLIMSOLL_DB_SIGNING_KEY", "the private key that `db build` and `db push` sign with, PEM text or a path"),
    (
        "CS_REGISTRY_USER",
        "credentials for the registry of the image; the order is in [In GitLab](gitlab.md#credentials)",
    ),
    ("CS_REGISTRY_PASSWORD", "see `CS_REGISTRY_USER`"),
    ("DOCKER_USER", "the old names of `CS_REGISTRY_USER` and `CS_REGISTRY_PASSWORD`"),
    ("DOCKER_PASSWORD", "see `DOCKER_USER`"),
    ("SNYK_REGISTRY_USERNAME", "credentials for the registry of the image"),
    ("SNYK_REGISTRY_PASSWORD", "see `SNYK_REGISTRY_USERNAME`"),
    ("TRIVY_USERNAME", "credentials for the registry of the image"),
    ("TRIVY_PASSWORD", "see `TRIVY_USERNAME`"),
    ("DOCKER_AUTH_CONFIG", "credentials per registry and path: Docker's configuration, or the path of a file with it"),
    ("DOCKER_CONFIG", "the folder of Docker's `config.json`"),
    ("ADDITIONAL_CA_CERT_BUNDLE", "further certificate authorities: PEM text, or the path of a file"),
    ("CI_SERVER_TLS_CA_FILE", "further certificate authorities: the path of a file"),
    ("SSL_CERT_FILE", "further certificate authorities: the path of a file"),
    ("SSL_CERT_DIR", "further certificate authorities: folders, separated by colons"),
    ("HTTPS_PROXY", "proxies; `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` as well"),
    (
        "PLIMSOLL_GITLAB_TOKEN",
        "a project access token (scope `api`) for the [comment](gitlab.md#the-comment-on-the-merge-request)",
    ),
    ("NO_COLOR", "no colour"),
    ("CONTAINER_SCANNING_DISABLED", "`true` or `1`: the component adds no jobs"),
    ("AST_ENABLE_MR_PIPELINES", "`true`: the component runs in merge-request pipelines"),
    ("GIT_STRATEGY", "of the job: with `none`, files of the repository are read through the API, with the job token"),
];
