//! Which images a pipeline's scan finds when nobody names them, against a real registry; what it asks before it reads, and
//! what it leaves behind about each.

#[path = "support/layers.rs"]
mod layers;
mod program;
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use layers::Tar;
use program::{Run, run_in};
use serde_json::{Value, json};
use support::bench::JOB_TOKEN;
use support::gitlab::Token;
use support::http::Reply;
use support::layout::Layout;
use support::{Bench, Front, GitLabDouble};

const PROJECT: u64 = 7;
const COMMIT: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";

/// A job's directory, with an empty database.
struct Job {
    place: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Job {
    fn new(variables: &[(String, String)]) -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(place.path().join("advisories")).expect("a folder");
        let record = json!({
            "schema_version": "1.6.0", "id": "CVE-2026-1001", "modified": "2026-11-20T00:00:00Z",
            "affected": [{
                "package": {"ecosystem": "npm", "name": "leftish-pad"},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.0"}]}],
            }],
        });
        std::fs::create_dir(place.path().join("advisories/osv")).expect("a folder");
        std::fs::write(place.path().join("advisories/osv/CVE-2026-1001.json"), record.to_string()).expect("a record");
        Self { place, variables: variables.to_vec() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.place.path().join(name), text).expect("a file");
        self
    }

    fn scan(&self, images: &[&str]) -> Run {
        let pairs: Vec<(&str, &str)> = self.variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let arguments = [&["scan", "--db", "advisories", "--out", "reports"], images].concat();
        run_in(self.place.path(), &arguments, &pairs)
    }

    fn report(&self, name: &str) -> Value {
        let bytes = std::fs::read(self.place.path().join("reports").join(name)).expect("a report");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// The names of the images in the document, in its order.
    fn images(&self) -> Vec<String> {
        let document = self.report("plimsoll.json");
        let images = document["images"].as_array().expect("images").iter();
        images.map(|image| image["name"].as_str().expect("a name").to_owned()).collect()
    }
}

/// Pushes an image with one package and returns its digest.
fn push(bench: &Bench, name: &str, package: &str, more: &Value) -> String {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let layout = Layout::new(folder.path());
    let manifest = json!({"name": package, "version": "1.0.0"}).to_string();
    let layer = Tar::default().file("app/node_modules/a/package.json", manifest.as_bytes()).end();
    let image = layout.image_with("amd64", &[&layer], more);
    let digest = image["digest"].as_str().expect("a digest").to_owned();
    bench.push(&format!("oci:{}:latest", layout.finish(image).display()), name);
    digest
}

/// The variables of a job whose template's image was never pushed.
fn job(bench: &Bench, gitlab: &GitLabDouble) -> Vec<(String, String)> {
    let more = [
        ("GITLAB_CI", "true".to_owned()),
        ("CI_API_V4_URL", gitlab.api()),
        ("CI_PROJECT_ID", PROJECT.to_string()),
        ("CI_PROJECT_PATH", "grp/proj".to_owned()),
        ("CI_JOB_TOKEN", JOB_TOKEN.to_owned()),
        ("CI_COMMIT_REF_SLUG", "never-pushed".to_owned()),
        ("CI_COMMIT_SHA", COMMIT.to_owned()),
        ("CI_PIPELINE_CREATED_AT", "2026-11-20T08:00:00Z".to_owned()),
        ("PLIMSOLL_BASELINE", "none".to_owned()),
    ];
    let more = more.map(|(name, value)| (name.to_owned(), value));
    bench.job(&bench.host()).into_iter().chain(more).collect()
}

fn gitlab(bench: &Bench) -> GitLabDouble {
    let gitlab = GitLabDouble::start_tls(&bench.keys);
    gitlab.add_project(PROJECT, "grp/proj");
    gitlab.add_token(Token::job(JOB_TOKEN, PROJECT));
    gitlab
}

#[test]
fn what_the_build_says_of_its_digests_is_scanned() {
    let Some(bench) = Bench::shared() else { return };
    let gitlab = gitlab(bench);
    let project = format!("{}/grp/proj", bench.host());
    let first = push(bench, "built:1", "first", &json!({}));
    // The tag moves on.
    let second = push(bench, "built:1", "second", &json!({}));
    let own = push(bench, "never-pushed:other", "third", &json!({}));
    let buildx = json!({"containerimage.digest": first, "image.name": format!("{project}/built:1")}).to_string();
    let bake = json!({
        "a": {"containerimage.digest": first, "image.name": format!("{project}/built:1")},
        "b": {"containerimage.digest": own, "image.name": format!("{project}/never-pushed:other")},
    });
    let named = format!("{project}/built@{first}");
    let built = format!("{project}/built:1@{first}");
    let guessed = format!("{project}/never-pushed:{COMMIT}@{own}");
    let cs_image = format!("{project}/built:1");
    for (what, variables, file, expected) in [
        ("buildx", vec![], Some(("metadata.json", buildx.clone())), vec![built.clone()]),
        (
            "bake",
            vec![],
            Some(("build-metadata.json", bake.to_string())),
            vec![built.clone(), format!("{project}/never-pushed:other@{own}")],
        ),
        ("kaniko with names", vec![], Some(("image-name-with-digest", named.clone())), vec![named.clone()]),
        ("kaniko, buildah", vec![], Some(("digest.txt", format!("{own}\n"))), vec![guessed.clone()]),
        ("the dotenv report", vec![("IMAGE_DIGEST", own.as_str())], None, vec![guessed.clone()]),
        ("with its name", vec![("IMAGE_DIGEST", &named)], None, vec![named.clone()]),
        ("of a named image", vec![("IMAGE_DIGEST", &first), ("CS_IMAGE", &cs_image)], None, vec![built.clone()]),
        (
            "a file that is named",
            vec![("PLIMSOLL_DIGEST_FILES", "build/out"), ("CS_IMAGE", &cs_image)],
            Some(("out", first.clone())),
            vec![built.clone()],
        ),
        // A file that happens to lie there says nothing of an image that somebody names.
        (
            "the name is stronger",
            vec![("CS_IMAGE", &cs_image)],
            Some(("metadata.json", buildx.clone())),
            vec![cs_image.clone()],
        ),
    ] {
        let mut job = Job::new(&job(bench, &gitlab));
        for (name, value) in variables {
            job = job.with(name, &value.replace("build/", ""));
        }
        if let Some((name, text)) = &file {
            job = job.file(name, text);
        }
        let run = job.scan(&[]);
        assert_eq!((run.code, job.images()), (0, expected), "{what}: {}", run.stderr);
    }
    // The package of the digest, not of what the tag has become.
    let job = Job::new(&job(bench, &gitlab)).with("CS_IMAGE", &cs_image).with("IMAGE_DIGEST", &first);
    let run = job.scan(&[]);
    let document = job.report("plimsoll.json").to_string();
    assert!(document.contains("\"first\"") && !document.contains("\"second\""), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("{cs_image} is {first} (from IMAGE_DIGEST)")), "{}", run.stderr);
    assert_ne!(first, second);
}

#[test]
fn digests_that_lead_nowhere_are_told() {
    let Some(bench) = Bench::shared() else { return };
    let gitlab = gitlab(bench);
    let nowhere = format!("sha256:{}", "0".repeat(64));
    let job = Job::new(&job(bench, &gitlab)).with("IMAGE_DIGEST", &nowhere);
    let run = job.scan(&[]).expect(2);
    assert!(
        run.stderr.contains(&format!("IMAGE_DIGEST: {nowhere} is not in the project's registry")),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("error[D16]"), "{}", run.stderr);
    let job = job.with("PLIMSOLL_DIGEST_FILES", "nothing.txt");
    let run = job.scan(&[]).expect(2);
    assert!(run.stderr.contains("error[D30] nothing.txt does not say which image was built"), "{}", run.stderr);
}

#[test]
fn images_are_found_by_their_label_or_age_where_no_tag_says_more() {
    let Some(bench) = Bench::shared() else { return };
    let label = |commit: &str| json!({"Labels": {"org.opencontainers.image.revision": commit}});
    let (before, since) = ("2026-11-19T08:00:00Z", "2026-11-20T08:05:00Z");
    for (what, config, slug, expected) in [
        ("labelled", json!({"config": label(COMMIT), "created": before}), "topic", true),
        (
            "labelled with another commit",
            json!({"config": label("f".repeat(40).as_str()), "created": since}),
            "topic",
            false,
        ),
        ("of the branch, new", json!({"created": since}), "nightly", true),
        ("of the branch, old", json!({"created": before}), "nightly", false),
        ("of another branch, new", json!({"created": since}), "topic", false),
    ] {
        let gitlab = gitlab(bench);
        push(bench, "aged:web-nightly", "first", &config);
        let location = format!("{}/grp/proj/aged", bench.host());
        gitlab.add_repository(PROJECT, &location, &["web-nightly"]);
        let job = Job::new(&job(bench, &gitlab)).with("CI_COMMIT_REF_SLUG", slug);
        let run = job.scan(&[]);
        let found = job.images() == [format!("{location}:web-nightly")];
        assert_eq!((found, run.code), (expected, if expected { 0 } else { 2 }), "{what}: {}", run.stderr);
    }
}

/// One that cannot be had is told before a byte of the others is read, and they are read all the same.
#[test]
fn several_images_are_asked_for_before_the_first_is_read() {
    let Some(bench) = Bench::shared() else { return };
    for tag in ["1", "2"] {
        push(bench, &format!("asked:{tag}"), "leftish-pad", &json!({"created": format!("2026-11-0{tag}T00:00:00Z")}));
    }
    let front = Front::start(bench, |request, registry| registry(request));
    let image = |tag: &str| format!("{}/grp/proj/asked:{tag}", front.host());
    let job = Job::new(&bench.job(&front.host()));
    let run = job.scan(&[&image("1"), &image("missing"), &image("2")]).expect(2);
    assert_eq!(job.images(), [image("1"), image("2"), image("missing")]);
    let requests: Vec<(String, String)> =
        front.requests().into_iter().map(|request| (request.method, request.target)).collect();
    let first_blob = requests.iter().position(|(_, target)| target.contains("/blobs/")).expect("a blob");
    let missing = requests.iter().rposition(|(_, target)| target.ends_with("/missing")).expect("the missing one");
    assert!(missing < first_blob, "{requests:#?}");
    let log = run.stderr;
    let told = log.find("error[D16]").expect("the failure");
    assert!(told < log.find("asked:1: 1 layer").expect("the first image"), "{log}");
    assert!(log.contains("2 of 3 images can be read"), "{log}");
    // Which is in the log of the scan, with all that was done.
    let log = job.report("scan-log.json");
    let entries: BTreeMap<&str, &Value> = log["images"]
        .as_array()
        .expect("images")
        .iter()
        .map(|one| (one["name"].as_str().expect("a name"), one))
        .collect();
    let of = |tag: &str| entries[image(tag).as_str()];
    assert_eq!((&of("1")["result"], &of("1")["counts"]["unknown"]), (&json!("read"), &json!(1)), "{log:#}");
    assert!(of("2")["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{log:#}");
    let failed = of("missing");
    assert_eq!((&failed["result"], &failed["diagnosis"]["code"]), (&json!("failed"), &json!("D16")), "{log:#}");
    // A single image needs no question more than it takes to open it.
    let before = front.requests().len();
    Job::new(&bench.job(&front.host())).scan(&[&image("1")]).expect(0);
    assert!(front.requests().iter().skip(before).all(|request| request.method == "GET"));
}

/// A registry that does not answer questions without a body is asked as it can be.
#[test]
fn a_registry_without_head_requests_is_read() {
    let Some(bench) = Bench::shared() else { return };
    for tag in ["1", "2"] {
        push(
            bench,
            &format!("headless:{tag}"),
            "leftish-pad",
            &json!({"created": format!("2026-11-0{tag}T00:00:00Z")}),
        );
    }
    let front = Front::start(bench, |request, registry| match request.method.as_str() {
        "HEAD" => Reply::new(405, "text/plain", ""),
        _ => registry(request),
    });
    let image = |tag: &str| format!("{}/grp/proj/headless:{tag}", front.host());
    let job = Job::new(&bench.job(&front.host()));
    let run = job.scan(&[&image("1"), &image("2")]);
    assert_eq!((run.code, job.images()), (0, vec![image("1"), image("2")]), "{}", run.stderr);
    assert!(Path::new(&job.place.path().join("reports/scan-log.json")).exists());
}

/// GitLab takes such a tag for a version and for a part of what a finding is, which is right for releases only.
#[test]
fn tags_like_versions_are_warned_about_but_in_releases() {
    let Some(bench) = Bench::shared() else { return };
    let gitlab = gitlab(bench);
    for tag in ["1.2.3", "main-7"] {
        push(bench, &format!("versioned:{tag}"), "leftish-pad", &json!({}));
    }
    for (tag, release, warned) in [("1.2.3", None, true), ("1.2.3", Some("1.2.3"), false), ("main-7", None, false)] {
        let mut job = Job::new(&job(bench, &gitlab));
        if let Some(release) = release {
            job = job.with("CI_COMMIT_TAG", release);
        }
        let run = job.scan(&[&format!("{}/grp/proj/versioned:{tag}", bench.host())]).expect(0);
        let text = format!("GitLab takes the tag `{tag}` for a version");
        assert_eq!(run.stderr.contains(&text), warned, "{tag} {release:?}: {}", run.stderr);
    }
}
