//! Registries: for each image the way from its name to its configuration, without a layer.

use std::time::Duration;

use super::Check;
use crate::cli::ScanArgs;
use crate::commands::connection::Connection;
use crate::commands::page;
use crate::commands::platforms::Wanted;
use crate::context::{Environment, NetworkSettings};
use crate::image::{self, InvalidSource, Source};
use crate::model::{Code, Diagnosis, ImageReference, InvalidReference, Limits, Platform};
use crate::net::{Presented, presented};
use crate::registry::Registry;
use crate::report::count;

pub(super) fn check(images: &[String], environment: &Environment) -> Vec<Check> {
    const NAME: &str = "registry";
    if images.is_empty() {
        return vec![Check::off(NAME, "no image to ask for: name one")];
    }
    let resolved: Vec<Result<String, Diagnosis>> = images.iter().map(|name| page::image(name, environment)).collect();
    let names: Vec<String> = resolved.iter().flatten().cloned().collect();
    let mut connection = Connection::new(environment, &names, None);
    let wanted = Wanted::of(&ScanArgs::default(), environment);
    let platform = wanted.map_or_else(|_| Platform::linux_amd64(), |wanted| wanted.only());
    resolved
        .into_iter()
        .map(|name| match name.and_then(|name| checked(&name, &platform, &mut connection, environment)) {
            Ok(found) => Check::fine(NAME, found),
            Err(diagnosis) => Check::failed(NAME, diagnosis),
        })
        .collect()
}

/// The certificates of an image's registry, topmost last, in PEM: what `--print-ca` prints.
pub(super) fn certificates(image: &str) -> Result<Vec<Presented>, Diagnosis> {
    let failed = |why: String| {
        let fix = "name an image of a registry that speaks TLS, as host/path:tag";
        Diagnosis::new(Code::InvalidInput, format!("{image}: there are no certificates to print"), why, fix)
    };
    let reference: ImageReference = image.parse().map_err(|error: InvalidReference| failed(error.to_string()))?;
    let (host, port) = match reference.registry.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| failed(format!("`{port}` is no port")))?),
        None => (reference.registry.as_str(), 443),
    };
    presented(host, port, PATIENCE).map_err(|error| failed(format!("{}: {error}", reference.registry)))
}

/// A certificate that is not trusted is told apart, so that people know whose to trust.
pub(super) fn with_certificate(diagnosis: Diagnosis, image: &str, environment: &Environment) -> Diagnosis {
    let about_it = matches!(diagnosis.code, Code::UntrustedCertificate | Code::InvalidCertificate);
    // Behind a proxy the server cannot be asked like this.
    let is_direct = NetworkSettings::from_environment(environment, &[])
        .is_ok_and(|network| network.proxies.https.is_none() && network.proxies.http.is_none());
    if !about_it || !is_direct {
        return diagnosis;
    }
    let Ok(chain) = certificates(image) else { return diagnosis };
    let Some(own) = chain.first() else { return diagnosis };
    let fix = match diagnosis.code {
        Code::UntrustedCertificate => {
            format!("{}; `plimsoll doctor --print-ca {image}` prints what it presents, to compare", diagnosis.fix)
        }
        _ => diagnosis.fix,
    };
    Diagnosis { why: format!("{}; it presents {own}", diagnosis.why), fix, ..diagnosis }
}

fn checked(
    name: &str,
    platform: &Platform,
    connection: &mut Connection<'_>,
    environment: &Environment,
) -> Result<String, Diagnosis> {
    open(name, platform, connection, environment).map_err(|diagnosis| with_certificate(diagnosis, name, environment))
}

fn open(
    name: &str,
    platform: &Platform,
    connection: &mut Connection<'_>,
    environment: &Environment,
) -> Result<String, Diagnosis> {
    let source: Source = name.parse().map_err(|error: InvalidSource| {
        let fix = "see plimsoll scan --help for the forms of a source";
        Diagnosis::new(Code::InvalidInput, "this is no source of an image", error.to_string(), fix)
    })?;
    let (registry, identity) = match &source {
        Source::Registry(reference) => {
            let registry = connection.registry(reference)?;
            let identity = registry.identity(reference);
            (Some(registry), format!(", as {identity}"))
        }
        _ => (None, String::new()),
    };
    let image =
        image::open(&source, platform, &Limits::default(), registry.as_ref()).map_err(|error| error.diagnosis())?;
    let digest = image.identity.manifest_digest.as_ref().map_or_else(String::new, |digest| format!(" {digest}"));
    let asked = match (&source, &registry) {
        (Source::Registry(reference), Some(registry)) => way(reference, registry, environment),
        _ => String::new(),
    };
    Ok(format!("{name}{digest}: {}{identity}{asked}", count(image.layers.len(), "layer")))
}

/// Which hosts were asked, and how each is known.
fn way(image: &ImageReference, registry: &Registry, environment: &Environment) -> String {
    let host = &image.registry;
    let origin = match environment.get("CI_REGISTRY") {
        Some(own) if own == host => "CI_REGISTRY",
        _ => "from the image's name",
    };
    let service = match registry.token_service(image) {
        Some(service) => format!("tokens of {service} (named by the registry)"),
        None => "no token service".to_owned(),
    };
    format!("; registry {host} ({origin}), {service}")
}

/// How long a server may take to show its certificate.
const PATIENCE: Duration = Duration::from_secs(10);
