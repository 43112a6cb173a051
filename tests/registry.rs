//! The registry client against a real registry with GitLab's token flow, and against one that misbehaves.

#[path = "support/layers.rs"]
mod layers;
mod support;

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use layers::Tar;
use plimsoll::context::{Credentials, Environment, NetworkSettings};
use plimsoll::image::{self, NoProgress};
use plimsoll::inventory::{self, LayerCache};
use plimsoll::model::{Code, Digest, ImageReference, Limits, Platform};
use plimsoll::registry::{Manifest, Registry, RegistryError};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::bench::{DEPLOY_TOKEN, DEPLOY_USER, WEAK_TOKEN, WEAK_USER};
use support::http::{Reply, Request, Server};
use support::layout::Layout;
use support::{Bench, Front, test_data};

type Variables = Vec<(String, String)>;

/// The bench that most tests share, or the end of the test.
macro_rules! bench {
    () => {
        match Bench::shared() {
            Some(bench) => bench,
            None => return,
        }
    };
}

#[test]
fn a_job_token_pulls_an_image_of_several_layers() {
    let bench = bench!();
    let Some(image) = real_image(bench, "edge-whiteouts") else { return };
    let registry = registry(&bench.job(&bench.host()), &image);
    let manifest = registry.manifest(&image).unwrap();
    assert_eq!(manifest.media_type, "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(pull(&registry, &image, &manifest).len(), 6, "a configuration and five layers");
    assert_eq!(registry.identity(&image), "job token of gitlab-ci-token (CI_REGISTRY_USER/CI_REGISTRY_PASSWORD)");
    // The same by digest.
    let pinned = registry.manifest(&image.at(manifest.digest.clone())).unwrap();
    assert_eq!(pinned, manifest);
}

#[test]
fn a_deploy_token_pulls() {
    let bench = bench!();
    let Some(image) = real_image(bench, "alpine-3.20.3") else { return };
    let mut variables = bench.job(&bench.host());
    variables.retain(|(name, _)| name != "CI_REGISTRY_USER" && name != "CI_REGISTRY_PASSWORD");
    variables.extend(pairs(&[("CI_DEPLOY_USER", DEPLOY_USER), ("CI_DEPLOY_PASSWORD", DEPLOY_TOKEN)]));
    let registry = registry(&variables, &image);
    let manifest = registry.manifest(&image).unwrap();
    assert_eq!(pull(&registry, &image, &manifest).len(), 2);
}

#[test]
fn layers_in_parallel_share_one_token() {
    let Some(bench) = Bench::start() else { return };
    let image = made_image(&bench, "parallel", &[&noise(1, 300_000), &noise(2, 300_000), &noise(3, 300_000)]);
    let registry = Arc::new(registry(&bench.job(&bench.host()), &image));
    let before = bench.tokens.issued();
    let manifest = registry.manifest(&image).unwrap();
    std::thread::scope(|scope| {
        for (digest, size) in blobs(&manifest) {
            let (registry, image) = (&registry, &image);
            scope.spawn(move || {
                let mut bytes = Vec::new();
                registry.open_blob(image, &digest, size).read_to_end(&mut bytes).unwrap();
                assert_eq!(sha256(&bytes), digest);
            });
        }
    });
    assert_eq!(bench.tokens.issued() - before, 1);
}

#[test]
fn refused_credentials_are_told_apart() {
    let bench = bench!();
    let image = made_image(bench, "refused", &[b"x"]);
    let other: ImageReference = format!("{}/other/project:1", bench.host()).parse().unwrap();
    let login = |user: &str, password: &str| pairs(&[("CS_REGISTRY_USER", user), ("CS_REGISTRY_PASSWORD", password)]);
    for (name, more, image, code, fix) in [
        ("wrong password", login("alice", "guess"), &image, Code::WrongCredentials, "two-factor"),
        ("deploy token, wrong name", login("alice", "gldt-x"), &image, Code::WrongCredentials, "gitlab+deploy-token-N"),
        ("no rights", login(WEAK_USER, WEAK_TOKEN), &image, Code::InsufficientScope, "read_registry"),
        ("another project", vec![], &other, Code::JobTokenNotAllowed, "Job token permissions"),
    ] {
        let variables = [bench.job(&bench.host()), more].concat();
        let error = registry(&variables, image).manifest(image).expect_err(name);
        let diagnosis = error.diagnosis(image);
        assert_eq!(diagnosis.code, code, "{name}: {diagnosis}");
        assert!(diagnosis.fix.contains(fix), "{name}: {diagnosis}");
        assert!(!format!("{error:?} {diagnosis}").contains("gldt-x"), "{name}: the secret is shown");
    }
    let anonymous: Variables = bench.job(&bench.host()).into_iter().filter(|(n, _)| !n.starts_with("CI_")).collect();
    let diagnosis = registry(&anonymous, &image).manifest(&image).unwrap_err().diagnosis(&image);
    assert_eq!(diagnosis.code, Code::ProjectInvisible, "{diagnosis}");
}

#[test]
fn a_token_that_expires_in_the_middle_is_renewed() {
    let Some(bench) = Bench::start() else { return };
    let layer = noise(4, 2_000_000);
    let image = made_image(&bench, "expiring", &[&layer]);
    // Breaks the first download, and takes no token any more that was used before.
    let spent: Arc<Mutex<Option<String>>> = Arc::default();
    let front = Front::start(&bench, move |request, registry| {
        let token = request.header("Authorization").unwrap_or_default().to_owned();
        let mut spent = spent.lock().unwrap();
        if token.starts_with("Bearer") && spent.as_ref() == Some(&token) {
            let challenge = registry(&Request { headers: vec![], ..request.clone() });
            let challenge = challenge.header("WWW-Authenticate").unwrap_or_default().to_owned();
            return Reply::new(401, "application/json", r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#)
                .with("WWW-Authenticate", format!(r#"{challenge},error="invalid_token""#));
        }
        let mut reply = registry(request);
        if reply.body.len() > 1_000_000 && spent.is_none() {
            *spent = Some(token);
            reply.cut_after = Some(700_000);
        }
        reply
    });
    let image = at(&front, &image);
    let registry = registry(&bench.job(&front.host()), &image);
    let before = bench.tokens.issued();
    let manifest = registry.manifest(&image).unwrap();
    assert!(pull(&registry, &image, &manifest).contains(&layer));
    assert_eq!(bench.tokens.issued() - before, 2);
}

#[test]
fn a_token_is_renewed_before_it_expires() {
    let Some(bench) = Bench::start() else { return };
    let image = made_image(&bench, "short", &[b"layer"]);
    let registry = registry(&bench.job(&bench.host()), &image);
    bench.tokens.set_lifetime(1);
    let manifest = registry.manifest(&image).unwrap();
    let before = bench.tokens.issued();
    std::thread::sleep(Duration::from_millis(1100));
    pull(&registry, &image, &manifest);
    assert!(bench.tokens.issued() > before);
}

#[test]
fn clocks_that_differ_are_diagnosed() {
    let Some(bench) = Bench::start() else { return };
    let image = made_image(&bench, "clock", &[b"layer"]);
    bench.tokens.set_clock_offset(600);
    let diagnosis = registry(&bench.job(&bench.host()), &image).manifest(&image).unwrap_err().diagnosis(&image);
    assert_eq!(diagnosis.code, Code::ClockSkew, "{diagnosis}");
}

#[test]
fn a_private_authority_must_be_given() {
    let bench = bench!();
    let image = made_image(bench, "authority", &[b"x"]);
    let pem = std::fs::read_to_string(bench.keys.path("ca.crt")).unwrap();
    let path = bench.keys.path("ca.crt").display().to_string();
    for (name, variable, value, code) in [
        ("none", "UNRELATED", "", Some(Code::UntrustedCertificate)),
        ("text", "ADDITIONAL_CA_CERT_BUNDLE", pem.as_str(), None),
        ("path", "ADDITIONAL_CA_CERT_BUNDLE", &path, None),
        ("runner's file", "CI_SERVER_TLS_CA_FILE", &path, None),
        ("system's variable", "SSL_CERT_FILE", &path, None),
        ("no verification", "CS_DOCKER_INSECURE", "true", None),
    ] {
        let mut variables = bench.job(&bench.host());
        variables.retain(|(name, _)| name != "ADDITIONAL_CA_CERT_BUNDLE");
        variables.push((variable.to_owned(), value.to_owned()));
        let registry = registry(&variables, &image);
        let result = registry.manifest(&image).map(|manifest| pull(&registry, &image, &manifest));
        assert_eq!(result.map_err(|error| error.diagnosis(&image).code).err(), code, "{name}");
    }
    // The certificate is for the name, not for the address.
    let address: ImageReference = format!("127.0.0.1:{}/grp/proj/authority:1", bench.port()).parse().unwrap();
    let error = registry(&bench.job(&bench.host()), &address).manifest(&address).unwrap_err();
    assert_eq!(error.diagnosis(&address).code, Code::InvalidCertificate, "{error}");
}

#[test]
fn a_broken_download_is_resumed() {
    let bench = bench!();
    let layer = noise(5, 3_000_000);
    let image = made_image(bench, "cut", &[&layer]);
    let front = Front::start(bench, |request, registry| {
        let mut reply = registry(request);
        if request.target.contains("/blobs/") && reply.body.len() > 1_000_000 {
            reply.cut_after = Some(900_000);
        }
        reply
    });
    let image = at(&front, &image);
    let registry = registry(&bench.job(&front.host()), &image);
    let manifest = registry.manifest(&image).unwrap();
    assert!(pull(&registry, &image, &manifest).contains(&layer));
    let ranges: Vec<_> =
        front.blob_requests().iter().filter_map(|request| request.header("Range").map(str::to_owned)).collect();
    assert!(ranges.iter().filter(|range| *range != "bytes=0-").count() >= 2, "{ranges:?}");
}

#[test]
fn a_server_without_ranges_is_read_from_the_start() {
    let bench = bench!();
    let layer = noise(6, 2_000_000);
    let image = made_image(bench, "rangeless", &[&layer]);
    let cuts = AtomicUsize::new(0);
    let front = Front::start(bench, move |request, registry| {
        let mut request = request.clone();
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("range"));
        let mut reply = registry(&request);
        if reply.body.len() > 1_000_000 && cuts.fetch_add(1, Ordering::SeqCst) < 2 {
            reply.cut_after = Some(800_000);
        }
        reply
    });
    let image = at(&front, &image);
    let registry = registry(&bench.job(&front.host()), &image);
    let manifest = registry.manifest(&image).unwrap();
    assert!(pull(&registry, &image, &manifest).contains(&layer));
}

#[test]
fn a_download_that_never_goes_on_is_given_up() {
    let bench = bench!();
    let layer = noise(7, 1_000_000);
    let image = made_image(bench, "stuck", &[&layer]);
    let front = Front::start(bench, |request, registry| {
        let mut reply = registry(request);
        if request.target.contains(sha256(&noise(7, 1_000_000)).as_str()) {
            let from = request.header("Range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
            reply.cut_after = Some(500_000_usize.saturating_sub(from.unwrap_or(0)));
        }
        reply
    });
    let image = at(&front, &image);
    let registry = registry(&bench.job(&front.host()), &image);
    let start = Instant::now();
    let error = registry.blob(&image, &sha256(&layer), 1_000_000).unwrap_err();
    assert!(matches!(error, RegistryError::Interrupted { at: 500_000, .. }), "{error:?}");
    assert_eq!(error.diagnosis(&image).code, Code::TransferFailed);
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_busy_registry_is_asked_again_and_given_up_in_time() {
    let bench = bench!();
    let image = made_image(bench, "busy", &[b"layer"]);
    let asked = AtomicUsize::new(0);
    let front = Front::start(bench, move |request, registry| {
        // Every other request is one too many.
        if asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            return Reply::new(429, "text/plain", "slow down").with("Retry-After", "1");
        }
        registry(request)
    });
    let here = at(&front, &image);
    let calm = registry(&bench.job(&front.host()), &here);
    let start = Instant::now();
    let manifest = calm.manifest(&here).unwrap();
    pull(&calm, &here, &manifest);
    assert!(start.elapsed() >= Duration::from_secs(2), "two waits of a second at least");

    let front = Front::start(bench, |request, registry| match request.target.as_str() {
        "/v2/" => registry(request),
        _ => Reply::new(429, "text/plain", "slow down").with("Retry-After", "3600"),
    });
    let image = at(&front, &image);
    let start = Instant::now();
    let error = registry(&bench.job(&front.host()), &image).manifest(&image).unwrap_err();
    assert!(matches!(error, RegistryError::Busy { status: 429, retry_after: Some(3600), .. }), "{error:?}");
    assert_eq!(error.diagnosis(&image).code, Code::RegistryBusy);
    assert!(start.elapsed() < Duration::from_secs(5), "an hour is not waited for");
}

#[test]
fn an_index_is_given_as_it_is() {
    let bench = bench!();
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let index = layout.index(&[layout.image("amd64", &[b"a"]), layout.image("arm64", &[b"b"])]);
    let folder = layout.finish(index);
    bench.push(&format!("oci:{}:latest", folder.display()), "index:1");
    let image: ImageReference = format!("{}/grp/proj/index:1", bench.host()).parse().unwrap();
    let registry = registry(&bench.job(&bench.host()), &image);
    let index = registry.manifest(&image).unwrap();
    assert_eq!(index.media_type, "application/vnd.oci.image.index.v1+json");
    let index: Value = serde_json::from_slice(&index.bytes).unwrap();
    for entry in index["manifests"].as_array().unwrap() {
        let digest: Digest = entry["digest"].as_str().unwrap().parse().unwrap();
        let manifest = registry.manifest(&image.at(digest.clone())).unwrap();
        assert_eq!(manifest.digest, digest);
        assert_eq!(pull(&registry, &image, &manifest).len(), 2);
    }
}

#[test]
fn a_docker_schema_2_image_is_pulled() {
    let bench = bench!();
    let Some(folder) = test_data("images/docker-v2s2-alpine-3.17/dir") else { return };
    bench.push(&format!("dir:{}", folder.display()), "schema2:1");
    let image: ImageReference = format!("{}/grp/proj/schema2:1", bench.host()).parse().unwrap();
    let registry = registry(&bench.job(&bench.host()), &image);
    let manifest = registry.manifest(&image).unwrap();
    assert_eq!(manifest.media_type, "application/vnd.docker.distribution.manifest.v2+json");
    assert_eq!(pull(&registry, &image, &manifest).len(), 2);
}

#[test]
fn zstd_and_plain_layers_are_pulled() {
    let bench = bench!();
    let Some(image) = real_image(bench, "edge-links") else { return };
    let registry = registry(&bench.job(&bench.host()), &image);
    let manifest = registry.manifest(&image).unwrap();
    assert!(String::from_utf8_lossy(&manifest.bytes).contains("tar+zstd"));
    assert_eq!(pull(&registry, &image, &manifest).len(), 4);
}

#[test]
fn damaged_blobs_are_refused() {
    let bench = bench!();
    for (number, (name, damage)) in [
        ("altered", (|bytes| bytes[5000] ^= 1) as fn(&mut Vec<u8>)),
        ("shorter", |bytes| bytes.truncate(70_000)),
        ("longer", |bytes| bytes.extend_from_slice(b"more")),
        ("empty", Vec::clear),
    ]
    .into_iter()
    .enumerate()
    {
        let mut layer = noise(10 + number as u64, 100_000);
        let digest = sha256(&layer);
        let image = made_image(bench, &format!("damaged-{name}"), &[&layer]);
        damage(&mut layer);
        std::fs::write(bench.stored_blob(&digest), &layer).unwrap();
        let registry = registry(&bench.job(&bench.host()), &image);
        let mut reader = registry.open_blob(&image, &digest, 100_000);
        let mut bytes = Vec::new();
        let error = reader.read_to_end(&mut bytes).expect_err(name);
        assert!(reader.read(&mut [0; 1]).is_err(), "{name}: after the error comes no end of file");
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<RegistryError>()).unwrap();
        assert_eq!(cause.diagnosis(&image).code, Code::DigestMismatch, "{name}: {cause:?}");
        match name {
            "altered" => assert!(matches!(cause, RegistryError::DigestMismatch { .. }), "{cause:?}"),
            _ => assert!(matches!(cause, RegistryError::SizeMismatch { .. }), "{name}: {cause:?}"),
        }
    }
}

/// What a layer says counts only if all of it was what its digest promises, each time that it is read.
#[test]
fn an_altered_layer_says_nothing() {
    let bench = bench!();
    let package = |name: &str| format!(r#"{{"name": "{name}", "version": "1.0.0"}}"#).into_bytes();
    let own =
        Tar::default().file("app/node_modules/own/package.json", &package("own")).file("store/aa", &package("linked"));
    let top = Tar::default().hard_link("app/node_modules/linked/package.json", "store/aa");
    let (own, top) = (own.end(), top.end());
    let image = made_image(bench, "altered-layer", &[&own, &top]);
    let blob = sha256(&own).to_string();
    // The layer is read a second time for the file that the hard link leads to.
    for (altered, expected) in [(None, vec!["linked", "own"]), (Some(0), vec![]), (Some(1), vec!["own"])] {
        let (blob, served) = (blob.clone(), AtomicUsize::new(0));
        let front = Front::start(bench, move |request, registry| {
            let mut reply = registry(request);
            let is_layer = request.method == "GET" && request.target.contains(&blob);
            if is_layer && reply.status < 300 && Some(served.fetch_add(1, Ordering::SeqCst)) == altered {
                // Within the padding of the archive's end: nothing else notices.
                if let Some(last) = reply.body.last_mut() {
                    *last ^= 1;
                }
            }
            reply
        });
        let here = at(&front, &image);
        let registry = Arc::new(registry(&bench.job(&front.host()), &here));
        let (platform, limits) = (Platform::linux_amd64(), Limits::default());
        let image = image::open(&image::Source::Registry(here), &platform, &limits, Some(&registry)).unwrap();
        let inventory = inventory::take(&image, &limits, &NoProgress);
        let mut names: Vec<&str> = inventory.packages.iter().map(|package| package.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "altered: {altered:?}, {:?}", inventory.gaps);
        assert_eq!(inventory.gaps.is_empty(), altered.is_none(), "{altered:?}: {:?}", inventory.gaps);
    }
}

/// How often the layers are asked for: `base` of two images, read once more for the file that a hard link leads to, and
/// what one of them has on top.
#[test]
fn a_layer_that_is_known_is_not_downloaded() {
    let bench = bench!();
    let package = |name: &str| format!(r#"{{"name": "{name}", "version": "1.0.0"}}"#).into_bytes();
    let base = Tar::default()
        .file("store/aa", &package("linked"))
        .hard_link("app/node_modules/linked/package.json", "store/aa")
        .end();
    let top = Tar::default().file("app/node_modules/top/package.json", &package("top")).end();
    let images = [made_image(bench, "known", &[&base]), made_image(bench, "known-more", &[&base, &top])];
    let front = Front::start(bench, |request, registry| registry(request));
    let directory = tempfile::tempdir().unwrap();
    let cache = LayerCache::new(directory.path());
    let layers = [&base, &top].map(|layer| sha256(layer).to_string());
    let mut before = [0; 2];
    let mut asked = |number: usize, cache: Option<&LayerCache>, packages: usize| {
        let here = at(&front, &images[number]);
        let registry = Arc::new(registry(&bench.job(&front.host()), &here));
        let (platform, limits) = (Platform::linux_amd64(), Limits::default());
        let image = image::open(&image::Source::Registry(here), &platform, &limits, Some(&registry)).unwrap();
        let inventory = inventory::take_cached(&image, &limits, &NoProgress, cache);
        assert_eq!((inventory.packages.len(), inventory.gaps.as_slice()), (packages, &[][..]));
        let requests = front.blob_requests();
        let now = layers.each_ref().map(|layer| {
            requests.iter().filter(|request| request.method == "GET" && request.target.contains(layer)).count()
        });
        let asked = [now[0] - before[0], now[1] - before[1]];
        before = now;
        asked
    };
    assert_eq!(asked(0, None, 1), [2, 0], "without a cache");
    assert_eq!(asked(0, Some(&cache), 1), [2, 0], "with one that knows nothing");
    assert_eq!(asked(0, Some(&cache), 1), [0, 0], "with one that knows the image");
    assert_eq!(asked(1, Some(&cache), 2), [0, 1], "with one that knows a layer");
    assert_eq!(asked(1, Some(&cache), 2), [0, 0]);
    // Without the inventories of whole images, the layers alone.
    for folder in std::fs::read_dir(directory.path().join("layers")).unwrap().flatten() {
        for entry in std::fs::read_dir(folder.path()).unwrap().flatten() {
            if entry.file_name().to_string_lossy().ends_with("-image") {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    assert_eq!(asked(1, Some(&cache), 2), [0, 0], "with one that knows the layers");
}

#[test]
fn an_endless_blob_is_stopped() {
    let bench = bench!();
    let image = made_image(bench, "endless", &[b"layer"]);
    let front = Front::start(bench, |request, registry| {
        let reply = registry(request);
        if !request.target.contains("/blobs/") {
            return reply;
        }
        // No length, so only counting helps.
        Reply::new(200, "application/octet-stream", vec![0; 5_000_000]).with("Content-Length", "99999999999")
    });
    let image = at(&front, &image);
    let registry = registry(&bench.job(&front.host()), &image);
    let error = registry.blob(&image, &sha256(b"layer"), 5).unwrap_err();
    assert!(matches!(error, RegistryError::SizeMismatch { expected: 5, .. }), "{error:?}");
}

#[test]
fn a_manifest_is_bounded_and_verified() {
    let bench = bench!();
    let image = made_image(bench, "bounded", &[b"layer"]);
    let big = Front::start(bench, |request, registry| match request.target.contains("/manifests/") {
        true => Reply::new(200, "application/json", vec![b' '; (4 << 20) + 1]),
        false => registry(request),
    });
    let here = at(&big, &image);
    let error = registry(&bench.job(&big.host()), &here).manifest(&here).unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error:?}");

    let forged = Front::start(bench, |request, registry| {
        let mut reply = registry(request);
        if request.target.contains("/manifests/") {
            reply.body.push(b' ');
            reply.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("docker-content-digest"));
        }
        reply
    });
    let digest = registry(&bench.job(&bench.host()), &image).manifest(&image).unwrap().digest;
    let here = at(&forged, &image).at(digest);
    let error = registry(&bench.job(&forged.host()), &here).manifest(&here).unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error:?}");
}

#[test]
fn a_redirect_to_another_host_carries_no_credentials() {
    let bench = bench!();
    let layer = noise(20, 200_000);
    let image = made_image(bench, "redirected", &[&layer]);
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let (log, content) = (Arc::clone(&seen), layer.clone());
    let storage = Server::start(Some(bench.keys.server()), move |request| {
        log.lock().unwrap().push(request.clone());
        Reply::new(200, "application/octet-stream", content.clone())
    });
    let target = format!("https://localhost:{}/bucket/object?signature=1", storage.port);
    let front = Front::start(bench, move |request, registry| {
        if request.target.contains(sha256(&noise(20, 200_000)).as_str()) {
            assert!(request.header("Authorization").is_some());
            return Reply::new(307, "text/plain", "").with("Location", &target);
        }
        registry(request)
    });
    let image = at(&front, &image);
    let registry = registry(&bench.job(&front.host()), &image);
    let manifest = registry.manifest(&image).unwrap();
    assert!(pull(&registry, &image, &manifest).contains(&layer));
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|request| request.header("Authorization").is_none()), "{seen:?}");
}

#[test]
fn credentials_do_not_go_to_an_unsafe_token_service() {
    let bench = bench!();
    let image = made_image(bench, "realm", &[b"layer"]);
    for realm in ["http://token.example.com/jwt/auth", "file:///etc/passwd", "https://u:p@token.example.com/"] {
        let front = Front::start(bench, move |_, _| {
            Reply::new(401, "application/json", "{}")
                .with("WWW-Authenticate", format!(r#"Bearer realm="{realm}",service="container_registry""#))
        });
        let image = at(&front, &image);
        let error = registry(&bench.job(&front.host()), &image).manifest(&image).unwrap_err();
        assert!(matches!(error, RegistryError::UntrustedRealm { .. }), "{realm}: {error:?}");
    }
}

#[test]
fn a_token_service_that_redirects_passes_no_credentials_on() {
    let bench = bench!();
    let image = made_image(bench, "redirecting-realm", &[b"layer"]);
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let log = Arc::clone(&seen);
    let thief = Server::start(Some(bench.keys.server()), move |request| {
        log.lock().unwrap().push(request.clone());
        Reply::new(200, "application/json", r#"{"token":"x"}"#)
    });
    let target = format!("https://localhost:{}/", thief.port);
    let service = Server::start(Some(bench.keys.server()), move |request| {
        assert!(request.header("Authorization").is_some());
        Reply::new(302, "text/plain", "").with("Location", &target)
    });
    let realm = format!("https://localhost:{}/jwt/auth", service.port);
    let front = Front::start(bench, move |_, _| {
        Reply::new(401, "application/json", "{}")
            .with("WWW-Authenticate", format!(r#"Bearer realm="{realm}",service="s""#))
    });
    let image = at(&front, &image);
    let error = registry(&bench.job(&front.host()), &image).manifest(&image).unwrap_err();
    assert!(matches!(error, RegistryError::TokenServiceFailed { status: 302, .. }), "{error:?}");
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|request| request.header("Authorization").is_none()), "{seen:?}");
}

#[test]
fn a_silent_server_is_left_after_the_time_limit() {
    let bench = bench!();
    let layer = noise(8, 1_000_000);
    let image = made_image(bench, "silent", &[&layer]);
    let stalls = AtomicUsize::new(0);
    let front = Front::start(bench, move |request, registry| {
        let mut reply = registry(request);
        if reply.body.len() > 100_000 && stalls.fetch_add(1, Ordering::SeqCst) < 2 {
            reply.cut_after = Some(100_000);
            reply.stall = Some(Duration::from_secs(20));
        }
        reply
    });
    let image = at(&front, &image);
    let variables = bench.job(&front.host());
    let impatient = registry_with(&variables, &image, |network| network.read_timeout = Duration::from_millis(500));
    let start = Instant::now();
    assert_eq!(impatient.blob(&image, &sha256(&layer), 1_000_000).unwrap(), layer);
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_manifest_that_breaks_off_is_asked_for_again() {
    let bench = bench!();
    let image = made_image(bench, "broken-manifest", &[b"layer"]);
    let asked = AtomicUsize::new(0);
    let front = Front::start(bench, move |request, registry| {
        let mut reply = registry(request);
        if request.target.contains("/manifests/") && asked.fetch_add(1, Ordering::SeqCst) == 0 {
            reply.cut_after = Some(100);
        }
        reply
    });
    let image = at(&front, &image);
    let registry = registry(&bench.job(&front.host()), &image);
    let manifest = registry.manifest(&image).unwrap();
    assert_eq!(pull(&registry, &image, &manifest).len(), 2);
}

#[test]
fn an_unreachable_token_service_is_told_from_an_unreachable_registry() {
    let bench = bench!();
    let image = made_image(bench, "nowhere", &[b"layer"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let front = Front::start(bench, move |_, _| {
        Reply::new(401, "application/json", "{}")
            .with("WWW-Authenticate", format!(r#"Bearer realm="https://localhost:{free}/jwt/auth",service="s""#))
    });
    let here = at(&front, &image);
    let error = registry(&bench.job(&front.host()), &here).manifest(&here).unwrap_err();
    assert_eq!(error.diagnosis(&here).code, Code::TokenServiceUnreachable, "{error}");

    let nobody: ImageReference = format!("localhost:{free}/grp/proj/nowhere:1").parse().unwrap();
    let diagnosis = registry(&bench.job(&bench.host()), &nobody).manifest(&nobody).unwrap_err().diagnosis(&nobody);
    assert_eq!(diagnosis.code, Code::ConnectionRefused, "{diagnosis}");
    assert!(diagnosis.fix.contains(&bench.host()), "the job's registry is found instead: {diagnosis}");
}

#[test]
fn plain_http_must_be_asked_for() {
    let bench = bench!();
    let image = made_image(bench, "plain", &[b"layer"]);
    let front = Front::start_plain(bench, |request, registry| registry(request));
    let here = at(&front, &image);
    let variables = bench.job(&front.host());
    let diagnosis = registry(&variables, &here).manifest(&here).unwrap_err().diagnosis(&here);
    assert_eq!(diagnosis.code, Code::PlainHttp, "{diagnosis}");

    let insecure = [variables, pairs(&[("CS_REGISTRY_INSECURE", "true")])].concat();
    let registry_over_http = registry(&insecure, &here);
    let manifest = registry_over_http.manifest(&here).unwrap();
    assert_eq!(pull(&registry_over_http, &here, &manifest).len(), 2);

    let insecure = [bench.job(&bench.host()), pairs(&[("CS_REGISTRY_INSECURE", "true")])].concat();
    let diagnosis = registry(&insecure, &image).manifest(&image).unwrap_err().diagnosis(&image);
    assert_eq!(diagnosis.code, Code::PlainHttp, "the reverse: {diagnosis}");
}

#[test]
fn a_web_site_is_not_taken_for_a_registry() {
    let bench = bench!();
    let image = made_image(bench, "site", &[b"layer"]);
    let front =
        Front::start(bench, |_, _| Reply::new(404, "text/html", "<html>GitLab</html>").with("X-Gitlab-Meta", "{}"));
    let here = at(&front, &image);
    let diagnosis = registry(&bench.job(&bench.host()), &here).manifest(&here).unwrap_err().diagnosis(&here);
    assert_eq!(diagnosis.code, Code::NotARegistry, "{diagnosis}");
    assert!(diagnosis.why.contains("web interface") && diagnosis.fix.contains(&bench.host()), "{diagnosis}");

    let silent = Front::start(bench, |_, _| Reply::new(401, "application/json", "{}"));
    let here = at(&silent, &image);
    let diagnosis = registry(&bench.job(&silent.host()), &here).manifest(&here).unwrap_err().diagnosis(&here);
    assert_eq!(diagnosis.code, Code::NoChallenge, "{diagnosis}");
}

#[test]
fn a_missing_tag_is_answered_with_similar_ones() {
    let bench = bench!();
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let content = layout.image("amd64", &[b"tags"]);
    let folder = layout.finish(content);
    for tag in ["1.2.3", "1.2.4", "latest"] {
        bench.push(&format!("oci:{}:latest", folder.display()), &format!("tags:{tag}"));
    }
    let image: ImageReference = format!("{}/grp/proj/tags:1.2.5", bench.host()).parse().unwrap();
    let client = registry(&bench.job(&bench.host()), &image);
    let diagnosis = client.manifest(&image).unwrap_err().diagnosis(&image);
    assert_eq!(diagnosis.code, Code::ImageNotFound, "{diagnosis}");
    assert!(diagnosis.fix.contains("1.2.3, 1.2.4"), "{diagnosis}");
    let mut tags = client.tags(&image).unwrap();
    tags.sort();
    assert_eq!(tags, ["1.2.3", "1.2.4", "latest"]);

    let nothing: ImageReference = format!("{}/grp/proj/nothing:1", bench.host()).parse().unwrap();
    let diagnosis = client.manifest(&nothing).unwrap_err().diagnosis(&nothing);
    assert!(diagnosis.code == Code::ImageNotFound && diagnosis.what.contains("repository"), "{diagnosis}");
}

#[test]
fn a_reader_that_is_dropped_ends_the_download() {
    let bench = bench!();
    let layer = noise(30, 8_000_000);
    let image = made_image(bench, "dropped", &[&layer]);
    let registry = registry(&bench.job(&bench.host()), &image);
    let mut reader = registry.open_blob(&image, &sha256(&layer), layer.len() as u64);
    reader.read_exact(&mut [0; 100]).unwrap();
    drop(reader);
    // The runtime ends too, although the download was in the middle.
    drop(registry);
}

/// A client with the settings and credentials of these variables.
fn registry(variables: &Variables, image: &ImageReference) -> Registry {
    registry_with(variables, image, |_| {})
}

/// The same with other limits.
fn registry_with(variables: &Variables, image: &ImageReference, change: impl FnOnce(&mut NetworkSettings)) -> Registry {
    let environment: Environment = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let images = std::slice::from_ref(image);
    let mut network = NetworkSettings::from_environment(&environment, images).unwrap();
    change(&mut network);
    let credentials = Credentials::from_environment(&environment, images).unwrap();
    Registry::new(&network, credentials).unwrap()
}

/// An image of the test data, pushed.
fn real_image(bench: &Bench, name: &str) -> Option<ImageReference> {
    let folder = test_data(&format!("images/{name}/oci"))?;
    bench.push(&format!("oci:{}:latest", folder.display()), &format!("{name}:1"));
    Some(format!("{}/grp/proj/{name}:1", bench.host()).parse().unwrap())
}

/// An image of these layers, pushed.
fn made_image(bench: &Bench, name: &str, layers: &[&[u8]]) -> ImageReference {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let content = layout.image("amd64", layers);
    let folder = layout.finish(content);
    bench.push(&format!("oci:{}:latest", Path::new(&folder).display()), &format!("{name}:1"));
    format!("{}/grp/proj/{name}:1", bench.host()).parse().unwrap()
}

/// The same image, asked for at a front.
fn at(front: &Front, image: &ImageReference) -> ImageReference {
    ImageReference { registry: front.host(), ..image.clone() }
}

/// Configuration and layers of a manifest.
fn pull(registry: &Registry, image: &ImageReference, manifest: &Manifest) -> Vec<Vec<u8>> {
    assert_eq!(sha256(&manifest.bytes), manifest.digest);
    let pulled: Vec<_> = blobs(manifest)
        .into_iter()
        .map(|(digest, size)| {
            let bytes = registry.blob(image, &digest, size).unwrap();
            assert_eq!((sha256(&bytes), bytes.len() as u64), (digest, size));
            bytes
        })
        .collect();
    pulled
}

fn blobs(manifest: &Manifest) -> Vec<(Digest, u64)> {
    let document: Value = serde_json::from_slice(&manifest.bytes).unwrap();
    let layers = document["layers"].as_array().unwrap();
    let descriptors = std::iter::once(&document["config"]).chain(layers);
    descriptors.map(|d| (d["digest"].as_str().unwrap().parse().unwrap(), d["size"].as_u64().unwrap())).collect()
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes).into())
}

/// Bytes that look random, the same for the same seed (xorshift).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn pairs(variables: &[(&str, &str)]) -> Variables {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
