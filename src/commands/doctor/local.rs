//! What can be checked without asking anybody: variables, certificates, proxies, database, a place for the reports.

use std::fs;
use std::path::Path;

use super::Check;
use crate::cli::TrustArgs;
use crate::commands::database::{self, Place};
use crate::context::{Environment, Job, NetworkSettings, pipeline_images};
use crate::model::{Code, Diagnosis, ImageReference};
use crate::net::has_system_roots;

/// Which job this is, and whether it knows what to scan.
pub(super) fn pipeline(environment: &Environment) -> Check {
    let in_pipeline = environment.is_true("GITLAB_CI") || environment.get("CI_PIPELINE_ID").is_some();
    let images = pipeline_images(environment);
    if in_pipeline && images.is_empty() && environment.get("CI_REGISTRY").is_none() {
        return Check::failed(
            "pipeline",
            Diagnosis::new(
                Code::RegistryDisabled,
                "this project has no container registry",
                "CI_REGISTRY is not set in this job",
                "turn it on in Settings › General › Visibility › Container registry, or set CS_IMAGE",
            ),
        );
    }
    let what = images.first().map_or_else(
        || "no image named by variables".to_owned(),
        |image| format!("image {} (from {})", image.image, image.origin),
    );
    let Some(job) = Job::from_environment(environment).filter(|_| in_pipeline) else {
        return Check::off("pipeline", format!("not a job of GitLab; {what}"));
    };
    let project = environment.get("CI_PROJECT_PATH").unwrap_or(&job.project);
    let merge_request =
        job.merge_request.as_ref().map_or_else(String::new, |mr| format!(", merge request !{}", mr.iid));
    Check::fine("pipeline", format!("job {} of {project}{merge_request}; {what}", job.name))
}

/// The addresses that GitLab gives to a job: of its pages and of its registry.
pub(super) fn addresses(environment: &Environment) -> Check {
    let pages = ["CI_SERVER_URL", "CI_API_V4_URL"].into_iter().find_map(|name| Some((name, environment.get(name)?)));
    let named = [
        pages.map(|(name, url)| format!("GitLab {} (from {name})", url.trim_end_matches("/api/v4"))),
        environment.get("CI_REGISTRY").map(|host| format!("its registry {host} (from CI_REGISTRY)")),
        environment
            .get("CI_DEPENDENCY_PROXY_SERVER")
            .map(|host| format!("its dependency proxy {host} (from CI_DEPENDENCY_PROXY_SERVER)")),
    ];
    let named: Vec<String> = named.into_iter().flatten().collect();
    match named.is_empty() {
        true => {
            Check::off("addresses", "CI_SERVER_URL and CI_REGISTRY are not set: registries are those that images name")
        }
        false => Check::fine("addresses", named.join(", ")),
    }
}

/// Whose certificates are trusted.
pub(super) fn certificates(network: &NetworkSettings) -> Check {
    let system = if has_system_roots() { "the system's authorities" } else { "Mozilla's authorities, compiled in" };
    let own =
        network.certificate_authorities.iter().map(|own| format!(", {} from {}", own.certificates.len(), own.origin));
    let found = format!("{system}{}", own.collect::<String>());
    if network.unverified_tls {
        let found = format!("{found}; CS_DOCKER_INSECURE: the registry's certificate is not verified");
        return Check::warning("certificates", found);
    }
    Check::fine("certificates", found)
}

/// Which way the requests go.
pub(super) fn proxies(network: &NetworkSettings) -> Check {
    let proxies = &network.proxies;
    let named = [("https", &proxies.https), ("http", &proxies.http)];
    let named: Vec<String> =
        named.iter().filter_map(|(scheme, proxy)| Some(format!("{scheme} by {}", proxy.as_ref()?))).collect();
    if named.is_empty() {
        return Check::off("proxy", "none");
    }
    let except = proxies.exceptions.as_deref().map_or_else(String::new, |hosts| format!(", except {hosts}"));
    Check::fine("proxy", format!("{}{except}", named.join(", ")))
}

/// Whether there is an advisory database, who vouches for it and how old it is.
pub(super) fn database(flag: Option<&Path>, environment: &Environment) -> Check {
    const NAME: &str = "database";
    match database::place(flag, environment) {
        Ok(None) => Check::off(NAME, "none is named: a scan builds what it needs from the upstreams, over the network"),
        Ok(Some(Place::Path(path))) => {
            directory(&path, environment).unwrap_or_else(|diagnosis| Check::failed(NAME, diagnosis))
        }
        Ok(Some(Place::Artifact(image))) => artifact(&image, environment)
            .map_or_else(|diagnosis| Check::failed(NAME, diagnosis), |found| Check::fine(NAME, found)),
        Err(diagnosis) => Check::failed(NAME, diagnosis),
    }
}

fn directory(path: &Path, environment: &Environment) -> Result<Check, Diagnosis> {
    const NAME: &str = "database";
    let keys = database::public_keys(None, environment)?;
    let policy = database::policy(&TrustArgs::default(), environment)?;
    let database = database::open_or_build(path, &database::cache_directory(None, environment), keys.as_ref())?;
    let info = database.info();
    let built = info.built.strftime("%Y-%m-%d");
    let found = format!("{}, built {built}, {} shards", info.origin, database.shards().len());
    Ok(match policy.judge(&database)? {
        _ if info.example => Check::warning(NAME, format!("{found}: example data, not a basis for decisions")),
        Some(gap) => Check::warning(NAME, format!("{found}: {}", gap.reason)),
        None => Check::fine(NAME, found),
    })
}

fn artifact(image: &ImageReference, environment: &Environment) -> Result<String, Diagnosis> {
    let registry = database::registry(environment, std::slice::from_ref(image))?;
    let manifest = registry.manifest(image).map_err(|error| error.diagnosis(image))?;
    Ok(format!("{image} {}, as {}", manifest.digest, registry.identity(image)))
}

/// Whether reports can be written where a scan would write them.
pub(super) fn reports() -> Check {
    let probe = format!(".plimsoll-doctor.{}.tmp", std::process::id());
    let written = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
    match written {
        Ok(()) => Check::fine("reports", "the working directory can be written"),
        Err(error) => Check::failed(
            "reports",
            Diagnosis::new(
                Code::ReportNotWritten,
                "the working directory cannot be written",
                error.to_string(),
                "run the job as a user who may write there, or give --out another directory",
            ),
        ),
    }
}
