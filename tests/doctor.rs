//! `plimsoll doctor` against servers that misbehave in exactly one way each: it names the cause, and what to change.

mod program;
mod support;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use program::run_in;
use serde_json::{Value, json};
use support::bench::{DEPLOY_TOKEN, DEPLOY_USER, JOB_TOKEN, WEAK_TOKEN, WEAK_USER};
use support::gitlab::{Level, Token};
use support::http::{Reply, Server};
use support::layout::Layout;
use support::{Bench, Front, GitLabDouble};

type Variables = Vec<(String, String)>;

fn doctor(image: &str, variables: &[(String, String)], more: &[&str]) -> (i32, Vec<Value>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    doctor_in(directory.path(), image, variables, more)
}

fn doctor_in(directory: &Path, image: &str, variables: &[(String, String)], more: &[&str]) -> (i32, Vec<Value>) {
    let (code, result) = result_in(directory, image, variables, more);
    (code, result["checks"].as_array().expect("checks").clone())
}

fn result_in(directory: &Path, image: &str, variables: &[(String, String)], more: &[&str]) -> (i32, Value) {
    let borrowed: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut arguments = vec!["doctor", "--format", "json", "--log-level", "trace"];
    arguments.extend(more);
    if !image.is_empty() {
        arguments.push(image);
    }
    let run = run_in(directory, &arguments, &borrowed);
    for (name, secret) in variables.iter().filter(|(name, _)| name.contains("PASSWORD") || name.contains("TOKEN")) {
        assert!(!(run.stdout.clone() + &run.stderr).contains(secret.as_str()), "{name} is shown");
    }
    let result: Value =
        serde_json::from_slice(run.stdout.as_bytes()).unwrap_or_else(|e| panic!("{e}: {}{}", run.stdout, run.stderr));
    (run.code, result)
}

#[track_caller]
fn check<'a>(checks: &'a [Value], name: &str) -> &'a Value {
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check `{name}`: {checks:?}"))
}

fn image(bench: &Bench, name: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let layout = Layout::new(folder.path());
    let image = layout.image("amd64", &[b"layer"]);
    bench.push(&format!("oci:{}:latest", layout.finish(image).display()), name);
}

fn with(variables: &Variables, more: &[(&str, &str)]) -> Variables {
    let mut variables = variables.clone();
    for (name, value) in more {
        variables.retain(|(known, _)| known != name);
        variables.push(((*name).to_owned(), (*value).to_owned()));
    }
    variables
}

#[test]
fn each_way_in_which_a_registry_fails_has_its_diagnosis() {
    let Some(bench) = Bench::shared() else { return };
    image(bench, "doctor:1");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let layout = Layout::new(folder.path());
    let index = layout.index(&[layout.image("amd64", &[b"a"]), layout.image("arm64", &[b"b"])]);
    bench.push(&format!("oci:{}:latest", layout.finish(index).display()), "doctor-index:1");

    let closed = TcpListener::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a free port").port();
    let plain = Front::start_plain(bench, |request, registry| registry(request));
    let web =
        Front::start(bench, |_, _| Reply::new(200, "text/html", "<html>Sign in</html>").with("X-Gitlab-Meta", "{}"));
    // People are sent to where they sign in, here or at an identity provider that this runner does not reach.
    let sign_in = Front::start(bench, |request, _| match request.target.as_str() {
        "/users/sign_in" => Reply::new(200, "text/html", "<html><title>Sign in · GitLab</title></html>"),
        _ => Reply::new(302, "text/html", "You are being redirected").with("Location", "/users/sign_in"),
    });
    let elsewhere = Front::start(bench, |_, _| {
        Reply::new(302, "text/html", "").with("Location", "https://login.invalid/saml?RelayState=0123")
    });
    // A proxy that answers for the registry.
    let proxy_page = Front::start(bench, |_, _| Reply::new(200, "text/html", "<html><h1>It works!</h1></html>"));
    let silent = Front::start(bench, |_, _| Reply::new(401, "text/plain", "no"));
    let busy = Front::start(bench, |request, registry| match request.target.as_str() {
        "/v2/" => registry(request),
        _ => Reply::new(429, "text/plain", "slow down").with("Retry-After", "3600"),
    });
    let failing = Front::start(bench, |request, registry| match request.target.as_str() {
        "/v2/" => registry(request),
        _ => Reply::new(503, "text/plain", "out of order").with("Retry-After", "3600"),
    });
    let forgetful = Front::start(bench, |request, registry| match request.header("Authorization") {
        None => registry(request),
        Some(_) => Reply::new(401, "application/json", "{}").with(
            "WWW-Authenticate",
            r#"Bearer realm="https://localhost/jwt/auth",service="container_registry",error="invalid_token""#,
        ),
    });
    // A registry whose token service is elsewhere.
    let realm = |url: String| {
        Front::start(bench, move |_, _| {
            let challenge = format!(r#"Bearer realm="{url}",service="container_registry""#);
            Reply::new(401, "application/json", "{}").with("WWW-Authenticate", challenge)
        })
    };
    let lost = realm(format!("https://localhost:{closed}/jwt/auth"));
    let strict_service = Server::start(Some(bench.keys.server()), |_| {
        let words = "HTTP Basic: Access denied. If you have 2FA enabled, use a personal access token";
        Reply::new(401, "application/json", json!({"errors": [{"code": "UNAUTHORIZED", "message": words}]}).to_string())
    });
    let strict = realm(format!("https://localhost:{}/jwt/auth", strict_service.port));
    let disabled_service = Server::start(Some(bench.keys.server()), |_| {
        let error = json!({"errors": [{"code": "UNAVAILABLE", "message": "registry not enabled"}]});
        Reply::new(404, "application/json", error.to_string())
    });
    let disabled = realm(format!("https://localhost:{}/jwt/auth", disabled_service.port));

    let mut told = String::new();
    let login = |user: &'static str, password: &'static str| {
        vec![("CS_REGISTRY_USER", user), ("CS_REGISTRY_PASSWORD", password)]
    };
    let host = bench.host();
    let address = format!("127.0.0.1:{}", bench.port());
    let proxy = format!("http://alice:proxy-password@127.0.0.1:{closed}");
    for (what, registry, path, more, code, fix) in [
        ("registry switched off", disabled.host(), "grp/proj/doctor:1", vec![], "D01", "Visibility"),
        ("unknown host", "registry.invalid".into(), "grp/proj/doctor:1", vec![], "D02", "DNS"),
        ("wrong port", format!("localhost:{closed}"), "grp/proj/doctor:1", vec![], "D03", &host),
        (
            "unknown authority",
            host.clone(),
            "grp/proj/doctor:1",
            vec![("ADDITIONAL_CA_CERT_BUNDLE", "")],
            "D04",
            "ADDITIONAL_CA_CERT_BUNDLE",
        ),
        ("another name", address, "grp/proj/doctor:1", vec![], "D05", "certificate"),
        ("plain HTTP", plain.host(), "grp/proj/doctor:1", vec![], "D06", "CS_REGISTRY_INSECURE"),
        ("the web interface", web.host(), "grp/proj/doctor:1", vec![], "D07", &host),
        ("the page to sign in at", sign_in.host(), "grp/proj/doctor:1", vec![], "D07", &host),
        ("the page of an identity provider", elsewhere.host(), "grp/proj/doctor:1", vec![], "D07", &host),
        ("a web page without a challenge", proxy_page.host(), "grp/proj/doctor:1", vec![], "D08", "reverse proxy"),
        ("no challenge", silent.host(), "grp/proj/doctor:1", vec![], "D08", "WWW-Authenticate"),
        ("no token service", lost.host(), "grp/proj/doctor:1", vec![], "D09", "NO_PROXY"),
        (
            "a deploy token with another's name",
            host.clone(),
            "grp/proj/doctor:1",
            login("alice", "gldt-of-bob"),
            "D10",
            "own user name",
        ),
        ("two factors", strict.host(), "grp/proj/doctor:1", login("alice", "her-password"), "D11", "token"),
        ("no right to pull", host.clone(), "grp/proj/doctor:1", login(WEAK_USER, WEAK_TOKEN), "D12", "read_registry"),
        ("a rejected token", forgetful.host(), "grp/proj/doctor:1", vec![], "D13", "token"),
        ("another project", host.clone(), "other/project:1", vec![], "D15", "Job token permissions"),
        ("no such tag", host.clone(), "grp/proj/doctor:2", vec![], "D16", "1"),
        (
            "no such platform",
            host.clone(),
            "grp/proj/doctor-index:1",
            vec![("TRIVY_PLATFORM", "linux/s390x")],
            "D17",
            "platform",
        ),
        ("too many requests", busy.host(), "grp/proj/doctor:1", vec![], "D18", "later"),
        ("out of order", failing.host(), "grp/proj/doctor:1", vec![], "D18", "administrator"),
        (
            "TLS, asked in plain HTTP",
            host.clone(),
            "grp/proj/doctor:1",
            vec![("CS_REGISTRY_INSECURE", "true")],
            "D06",
            "remove CS_REGISTRY_INSECURE",
        ),
        (
            "a dead proxy",
            "registry.invalid".into(),
            "grp/proj/doctor:1",
            vec![("HTTPS_PROXY", proxy.as_str())],
            "D22",
            "NO_PROXY",
        ),
    ] {
        let variables = with(&with(&bench.job(&registry), &[("CI_REGISTRY", &host)]), &more);
        let variables = if more.is_empty() { bench_login(&variables, &registry) } else { variables };
        let (exit, checks) = doctor(&format!("{registry}/{path}"), &variables, &[]);
        let found = check(&checks, "registry");
        assert_eq!((exit, found["diagnosis"]["code"].as_str()), (2, Some(code)), "{what}: {found:#}");
        let texts = format!("{} {}", found["diagnosis"]["fix"], found["diagnosis"]["why"]);
        assert!(texts.contains(fix), "{what}: {found:#}");
        told.push_str(&in_words(what, found));
        let all = serde_json::to_string(&checks).expect("JSON");
        assert!(!all.contains("proxy-password"), "{what}: the proxy's password is shown");
    }
    assert!(sign_in.requests().iter().all(|request| request.target == "/v2/"), "the page to sign in at was fetched");
    // What people read: the cause, and what to change.
    insta::assert_snapshot!("doctor_diagnoses", told);
    let (exit, checks) = doctor(&format!("{host}/grp/proj/doctor:1"), &bench.job(&host), &[]);
    assert_eq!((exit, &check(&checks, "registry")["state"]), (0, &json!("fine")), "{checks:#?}");
    // Nobody's request.
    let anonymous: Variables = bench.job(&host).into_iter().filter(|(name, _)| !name.starts_with("CI_")).collect();
    let (_, checks) = doctor(&format!("{host}/grp/proj/doctor:1"), &anonymous, &[]);
    assert_eq!(check(&checks, "registry")["diagnosis"]["code"], "D14");
}

/// A diagnosis without what differs from run to run. What a resolver says of a name differs, too.
fn in_words(what: &str, check: &Value) -> String {
    let text = |name: &str| check["diagnosis"][name].as_str().unwrap_or_default().to_owned();
    let code = text("code");
    let why = if code == "D02" { "…".to_owned() } else { text("why") };
    let words = format!("{what}\n  error[{code}] {}\n  why: {why}\n  fix: {}\n\n", text("what"), text("fix"));
    let masks = [
        (":[0-9]{4,5}", ":PORT"),
        ("[0-9a-f]{64}", "FINGERPRINT"),
        ("[0-9]{4}-[0-9]{2}-[0-9]{2}", "DAY"),
        ("[0-9]{9,}", "TIME"),
        ("/tmp/[A-Za-z0-9._/-]*", "FILE"),
    ];
    masks.iter().fold(words, |words, (pattern, mask)| {
        let pattern = regex_lite::Regex::new(pattern).expect("a pattern");
        pattern.replace_all(&words, *mask).into_owned()
    })
}

#[test]
fn certificates_are_shown_before_they_are_trusted() {
    let Some(bench) = Bench::shared() else { return };
    let name = format!("{}/grp/proj/doctor:1", bench.host());
    let run = program::run(&["doctor", "--print-ca", &name], &[]).expect(0);
    let compact = |text: &str| text.split_whitespace().collect::<String>();
    let own = std::fs::read_to_string(bench.keys.path("server.crt")).expect("the certificate");
    let (first, _) = own.split_once("-----END").expect("PEM");
    let (_, first) = first.split_once("-----BEGIN").expect("PEM");
    assert!(compact(&run.stdout).contains(&compact(first)), "{}", run.stdout);
    assert!(run.stdout.contains("issued by") && run.stdout.contains("SHA-256"), "{}", run.stdout);
    let variables = with(&bench.job(&bench.host()), &[("ADDITIONAL_CA_CERT_BUNDLE", "")]);
    let (_, checks) = doctor(&name, &variables, &[]);
    let why = check(&checks, "registry")["diagnosis"]["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("it presents") && why.contains("for localhost"), "{why}");
    let run = program::run(&["doctor", "--print-ca", "localhost:1/a:1"], &[]).expect(2);
    assert!(run.stderr.contains("error[D30]"), "{}", run.stderr);
}

/// The job token, declared for another host than `CI_REGISTRY`.
fn bench_login(variables: &Variables, host: &str) -> Variables {
    let auth =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("gitlab-ci-token:{JOB_TOKEN}"));
    let config = json!({"auths": {host: {"auth": auth}}}).to_string();
    with(variables, &[("DOCKER_AUTH_CONFIG", &config)])
}

fn job(gitlab: &GitLabDouble) -> Variables {
    gitlab.add_project(7, "grp/proj");
    gitlab.add_merge_request(7, 5, "main");
    gitlab.add_token(Token::job(JOB_TOKEN, 7));
    let mut variables: Variables = [
        ("GITLAB_CI", "true"),
        ("CI_REGISTRY", "registry.example.com"),
        ("CI_PROJECT_ID", "7"),
        ("CI_PROJECT_PATH", "grp/proj"),
        ("CI_JOB_NAME", "doctor"),
        ("CI_JOB_TOKEN", JOB_TOKEN),
        ("CI_DEFAULT_BRANCH", "main"),
        ("CI_COMMIT_REF_NAME", "topic"),
        ("CI_MERGE_REQUEST_IID", "5"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "7"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    variables.push(("CI_API_V4_URL".into(), gitlab.api()));
    variables
}

#[test]
fn tokens_are_told_what_they_can_do() {
    let gitlab = GitLabDouble::start();
    let base = job(&gitlab);
    let ends = |days: i64| {
        let day = jiff::Zoned::now().date() + jiff::Span::new().days(days);
        Some(day.to_string())
    };
    for (value, scopes, expires_at, expired) in [
        ("glpat-writer-token", "api", ends(200), false),
        ("glpat-reader-token", "read_api", ends(200), false),
        ("glpat-ending-token", "api", ends(5), false),
        ("glpat-expired-token", "api", ends(-5), true),
    ] {
        gitlab.add_token(Token { expires_at, expired, ..Token::access(value, 7, &[scopes]) });
    }
    for (token, access, comment, code) in [
        ("glpat-writer-token", "fine", "fine", None),
        ("glpat-reader-token", "fine", "failed", Some("D12")),
        ("glpat-ending-token", "warning", "fine", None),
        ("glpat-expired-token", "failed", "failed", Some("D13")),
        ("", "off", "off", None),
    ] {
        let (exit, checks) =
            doctor("", &with(&base, &[("PLIMSOLL_GITLAB_TOKEN", token)][..usize::from(!token.is_empty())]), &[]);
        let state = |name: &str| check(&checks, name)["state"].as_str().map(str::to_owned);
        assert_eq!(
            (state("access token"), state("comment")),
            (Some(access.into()), Some(comment.into())),
            "{token}: {checks:#?}"
        );
        assert_eq!(state("job token").as_deref(), Some("fine"), "{token}");
        assert_eq!(check(&checks, "comment")["diagnosis"]["code"].as_str(), code, "{token}");
        assert_eq!(exit, if code.is_some() { 2 } else { 0 }, "{token}: {checks:#?}");
    }
    // The job has ended.
    let (exit, checks) = doctor("", &with(&base, &[("CI_JOB_TOKEN", "glcbt-of-yesterday")]), &[]);
    assert_eq!((exit, &check(&checks, "job token")["state"]), (2, &json!("failed")));
    // Clocks differ by ten minutes.
    gitlab.state().clock = 600;
    let (_, checks) = doctor("", &base, &[]);
    assert_eq!(check(&checks, "API")["diagnosis"]["code"], "D19");
}

/// For each token what it can do, found out by reading only.
#[test]
fn each_token_is_told_with_what_it_can_do() {
    let gitlab = GitLabDouble::start();
    let base = with(&job(&gitlab), &[("CI_PROJECT_ROOT_NAMESPACE", "grp")]);
    gitlab.add_repository(7, "registry.example.com/grp/proj/app", &["1"]);
    let named = |username: &str, token: Token| Token { username: username.into(), ..token };
    let guest = Token { roles: vec![(7, Level::Guest)], ..Token::access("glpat-guest-token", 7, &["api"]) };
    let stranger = Token { roles: vec![], ..Token::access("glpat-stranger-token", 7, &["api"]) };
    for token in [
        Token::access("glpat-writer-token", 7, &["api"]),
        named("group_3_bot_0a", Token::access("glpat-group-token", 7, &["read_api"])),
        named("alice", Token::access("glpat-alices-token", 7, &["read_registry"])),
        named("bob", guest),
        named("carol", stranger),
    ] {
        gitlab.add_token(token);
    }
    let reading = ["list-registry", "read-state", "read-files", "read-artifacts", "read-notes"];
    let writing = ["write-state", "name-pipeline", "write-comments", "write-issues"];
    for (variable, value, kind, can, documented, cannot, why) in [
        (
            "CI_JOB_TOKEN",
            JOB_TOKEN,
            "job token",
            reading.to_vec(),
            vec!["write-state", "name-pipeline"],
            vec!["write-comments", "write-issues", "list-group-registry"],
            ("write-comments", "takes none from a job token", "PLIMSOLL_GITLAB_TOKEN"),
        ),
        (
            "CI_JOB_TOKEN",
            "glcbt-of-yesterday",
            "job token",
            vec![],
            vec![],
            [&reading[..], &writing].concat(),
            ("read-state", "401", "CI_JOB_TOKEN in a job"),
        ),
        (
            "PLIMSOLL_GITLAB_TOKEN",
            "glpat-writer-token",
            "project access token",
            [&reading[..], &writing, &["list-group-registry"]].concat(),
            vec![],
            vec![],
            ("", "", ""),
        ),
        (
            "PLIMSOLL_GITLAB_TOKEN",
            "glpat-group-token",
            "group access token",
            [&reading[..], &["list-group-registry"]].concat(),
            vec![],
            writing.to_vec(),
            ("write-comments", "its scopes are read_api; `api` is missing", "scope api"),
        ),
        (
            "PLIMSOLL_GITLAB_TOKEN",
            "glpat-alices-token",
            "access token",
            vec![],
            vec![],
            [&reading[..], &writing, &["list-group-registry"]].concat(),
            ("list-registry", "403", "read_api"),
        ),
        (
            "PLIMSOLL_GITLAB_TOKEN",
            "glpat-guest-token",
            "personal access token",
            reading.to_vec(),
            vec![],
            writing.to_vec(),
            ("write-comments", "Guest in the project", "role Developer"),
        ),
        (
            "PLIMSOLL_GITLAB_TOKEN",
            "glpat-stranger-token",
            "personal access token",
            vec![],
            vec![],
            [&reading[..], &writing].concat(),
            ("read-files", "404", "CI_JOB_TOKEN in a job"),
        ),
        (
            "PLIMSOLL_GITLAB_TOKEN",
            "gldt-0123456789",
            "deploy token",
            vec![],
            vec![],
            [&reading[..], &writing].concat(),
            ("read-state", "for the registry and packages", "CI_JOB_TOKEN"),
        ),
    ] {
        gitlab.take_requests();
        let place = tempfile::tempdir().expect("a temporary directory");
        let (_, result) = result_in(place.path(), "", &with(&base, &[(variable, value)]), &[]);
        let tokens = result["tokens"].as_array().expect("tokens");
        let token = tokens.iter().find(|token| token["token"] == variable).expect("the token");
        assert_eq!(token["kind"], kind, "{value}: {token:#}");
        let all = token["capabilities"].as_array().expect("capabilities");
        let answered = |answer: &str| -> Vec<&str> {
            let found = all.iter().filter(|one| one["allowed"] == answer);
            found.filter_map(|one| one["capability"].as_str()).collect()
        };
        for (answer, expected) in [("yes", &can), ("documented", &documented), ("no", &cannot)] {
            let found = answered(answer);
            for ability in expected {
                assert!(found.contains(ability), "{value}: {ability} is not `{answer}`: {token:#}");
            }
        }
        let (ability, found, instead) = why;
        if let Some(one) = all.iter().find(|one| one["capability"] == ability) {
            assert!(one["found"].as_str().is_some_and(|text| text.contains(found)), "{value}: {one:#}");
            assert!(one["instead"].as_str().is_some_and(|text| text.contains(instead)), "{value}: {one:#}");
        }
        let requests = gitlab.take_requests();
        assert!(requests.iter().all(|r| r.starts_with("GET ") || r.starts_with("HEAD ")), "{requests:?}");
    }
}

/// What logins may do in the registry is what its token service grants them.
#[test]
fn logins_are_told_with_what_the_registry_grants() {
    let Some(bench) = Bench::shared() else { return };
    let deploy = [("CI_DEPLOY_USER", DEPLOY_USER), ("CI_DEPLOY_PASSWORD", DEPLOY_TOKEN)];
    let weak = [("CS_REGISTRY_USER", WEAK_USER), ("CS_REGISTRY_PASSWORD", WEAK_TOKEN)];
    let wrong = [("CS_REGISTRY_USER", WEAK_USER), ("CS_REGISTRY_PASSWORD", "glpat-wrong")];
    for (more, token, kind, pull, push) in [
        (&[][..], "CI_REGISTRY_USER/CI_REGISTRY_PASSWORD", "job token", "yes", "yes"),
        (&deploy, "CI_DEPLOY_USER/CI_DEPLOY_PASSWORD", "deploy token", "yes", "no"),
        (&weak, "CS_REGISTRY_USER/CS_REGISTRY_PASSWORD", "access token", "no", "no"),
        (&wrong, "CS_REGISTRY_USER/CS_REGISTRY_PASSWORD", "access token", "no", "no"),
    ] {
        let place = tempfile::tempdir().expect("a temporary directory");
        let (_, result) = result_in(place.path(), "", &with(&bench.job(&bench.host()), more), &[]);
        let tokens = result["tokens"].as_array().expect("tokens");
        let found = tokens.iter().find(|one| one["token"] == token).unwrap_or_else(|| panic!("no {token}: {tokens:?}"));
        assert_eq!(found["kind"], kind, "{found:#}");
        let allowed = |index: usize| found["capabilities"][index]["allowed"].as_str().map(str::to_owned);
        assert_eq!((allowed(0).as_deref(), allowed(1).as_deref()), (Some(pull), Some(push)), "{found:#}");
    }
}

#[test]
fn hosts_are_told_with_how_they_are_known() {
    let Some(bench) = Bench::shared() else { return };
    image(bench, "hosts:1");
    let host = bench.host();
    let variables = with(
        &bench.job(&host),
        &[("CI_SERVER_URL", "https://gitlab.example.com"), ("CI_DEPENDENCY_PROXY_SERVER", "gitlab.example.com:443")],
    );
    let (exit, checks) = doctor(&format!("{host}/grp/proj/hosts:1"), &variables, &[]);
    assert_eq!(exit, 0, "{checks:#?}");
    let found = |name: &str| check(&checks, name)["found"].as_str().unwrap_or_default().to_owned();
    let addresses = found("addresses");
    for part in [
        "GitLab https://gitlab.example.com (from CI_SERVER_URL)",
        &format!("its registry {host} (from CI_REGISTRY)"),
        "its dependency proxy gitlab.example.com:443 (from CI_DEPENDENCY_PROXY_SERVER)",
    ] {
        assert!(addresses.contains(part), "{part}: {addresses}");
    }
    let registry = found("registry");
    assert!(registry.contains(&format!("; registry {host} (CI_REGISTRY), tokens of https://localhost:")), "{registry}");
    assert!(registry.ends_with("/jwt/auth (named by the registry)"), "{registry}");
    // A registry that only the name of an image speaks of.
    let foreign =
        [("CI_REGISTRY", "other.example"), ("CS_REGISTRY_USER", DEPLOY_USER), ("CS_REGISTRY_PASSWORD", DEPLOY_TOKEN)];
    let (_, checks) = doctor(&format!("{host}/grp/proj/hosts:1"), &with(&variables, &foreign), &[]);
    let registry = check(&checks, "registry")["found"].as_str().unwrap_or_default();
    assert!(registry.contains(&format!("; registry {host} (from the image's name), tokens of ")), "{registry}");
    let (_, checks) = doctor("", &Variables::new(), &[]);
    assert_eq!(check(&checks, "addresses")["state"], "off");
}

#[test]
fn what_is_around_is_checked_too() {
    let outside: Variables = Vec::new();
    let (exit, checks) = doctor("", &outside, &[]);
    assert_eq!(exit, 0, "{checks:#?}");
    for (name, state) in [
        ("pipeline", "off"),
        ("certificates", "fine"),
        ("proxy", "off"),
        ("API", "off"),
        ("registry", "off"),
        ("reports", "fine"),
    ] {
        assert_eq!(check(&checks, name)["state"], state, "{name}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a free port").port();
    let api = format!("http://localhost:{closed}/api/v4");
    let gitlab = Arc::new(GitLabDouble::start());
    let inside = job(&gitlab);
    for (what, change, arguments, name, code) in [
        ("no registry", vec![("CI_REGISTRY", "")], vec![], "pipeline", "D01"),
        ("GitLab does not answer", vec![("CI_API_V4_URL", api.as_str())], vec![], "API", "D03"),
        ("no database", vec![], vec!["--db", "/nonexistent"], "database", "D21"),
        ("bad authorities", vec![("ADDITIONAL_CA_CERT_BUNDLE", "/nonexistent.pem")], vec![], "certificates", "D30"),
    ] {
        let (exit, checks) = doctor("", &with(&inside, &change), &arguments);
        let found = check(&checks, name);
        assert_eq!((exit, found["diagnosis"]["code"].as_str()), (2, Some(code)), "{what}: {found:#}");
    }
    // Nobody, not even root, writes there.
    let (exit, checks) = doctor_in(Path::new("/proc/sys"), "", &outside, &[]);
    assert_eq!((exit, &check(&checks, "reports")["diagnosis"]["code"]), (2, &json!("D23")), "{checks:#?}");
}

#[test]
fn people_read_it_line_by_line() {
    let gitlab = GitLabDouble::start();
    let variables = job(&gitlab);
    let borrowed: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let run = program::run(&["doctor", "oci:/nonexistent"], &borrowed).expect(2);
    for line in [
        "✓ pipeline",
        "✓ addresses     GitLab ",
        "✓ job token",
        "– access token",
        "– baseline",
        "– comment",
        "✗ registry      error[D31]",
        "fix: ",
        "CI_JOB_TOKEN: job token of @alice",
        "  ✓ read the state",
        "  ? write the state",
        "  – write comments",
        "can: a project access token with the scope api",
    ] {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
    let run = program::run(&["doctor", "--format", "yaml"], &[]).expect(2);
    assert!(run.stderr.contains("error[D30]"), "{}", run.stderr);
}

/// A scan that fails on the way says by itself what else works.
#[test]
fn a_failed_scan_is_examined() {
    let gitlab = GitLabDouble::start();
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a free port").port();
    let image = format!("localhost:{closed}/grp/proj:1");
    let variables = with(&job(&gitlab), &[("CS_IMAGE", &image)]);
    let borrowed: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let run = program::run(&["scan", "--offline"], &borrowed).expect(2);
    assert!(run.stderr.contains("error[D03]") && run.stderr.contains("✓ job token"), "{}", run.stderr);
}
