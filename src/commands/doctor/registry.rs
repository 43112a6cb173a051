//! Registries: for each image the way from its name to its configuration, without a layer.

use super::Check;
use crate::commands::scan::Connection;
use crate::context::Environment;
use crate::image::{self, InvalidSource, Source};
use crate::model::{Code, Diagnosis, Limits, Platform};

pub(super) fn check(images: &[String], environment: &Environment) -> Vec<Check> {
    const NAME: &str = "registry";
    if images.is_empty() {
        return vec![Check::off(NAME, "no image to ask for: name one")];
    }
    let mut connection = Connection::new(environment, images, None);
    let variable = environment.get("PLIMSOLL_PLATFORM").or_else(|| environment.get("TRIVY_PLATFORM"));
    let platform = variable.and_then(|text| text.parse().ok()).unwrap_or_else(Platform::linux_amd64);
    images
        .iter()
        .map(|name| match open(name, &platform, &mut connection) {
            Ok(found) => Check::fine(NAME, found),
            Err(diagnosis) => Check::failed(NAME, diagnosis),
        })
        .collect()
}

fn open(name: &str, platform: &Platform, connection: &mut Connection<'_>) -> Result<String, Diagnosis> {
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
    Ok(format!("{name}{digest}: {} layers{identity}", image.layers.len()))
}
