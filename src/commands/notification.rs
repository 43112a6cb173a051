//! What a triggered pipeline is told was pushed: `TRIGGER_PAYLOAD`, a file or the text itself.

use std::fs::File;
use std::io::Read;

use tracing::{info, warn};

use crate::context::{Environment, NotificationError, PUSHED_IMAGES_MAX_BYTES, pushed_images};
use crate::model::{Code, Diagnosis, ImageReference};

/// The images that the payload of a triggered pipeline names; `None` where this is none, or the payload is for others.
///
/// # Errors
/// The payload is a notification that cannot be followed.
pub(super) fn images(environment: &Environment) -> Result<Option<Vec<ImageReference>>, Diagnosis> {
    if environment.get("CI_PIPELINE_SOURCE") != Some("trigger") {
        return Ok(None);
    }
    let Some(value) = environment.get("TRIGGER_PAYLOAD") else { return Ok(None) };
    let wrong = |why: String| {
        let fix = "send what the registry sends: {\"events\": […]}, see docs/alerts.md";
        Diagnosis::new(Code::InvalidInput, "TRIGGER_PAYLOAD cannot be followed", why, fix)
    };
    let text = if value.trim_start().starts_with('{') {
        value.to_owned()
    } else {
        let mut bytes = Vec::new();
        let file =
            File::open(value).map_err(|error| wrong(format!("the file that it names cannot be read: {error}")))?;
        let limit = PUSHED_IMAGES_MAX_BYTES as u64 + 1;
        file.take(limit).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
        String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".into()))?
    };
    // Pipelines are triggered for many reasons; only an envelope is for us.
    if !text.contains("\"events\"") {
        return Ok(None);
    }
    let registry = environment
        .get("CI_REGISTRY")
        .ok_or_else(|| wrong("CI_REGISTRY is not set, so no image can be known as one of this project".into()))?;
    let within =
        if environment.is_true("PLIMSOLL_NOTIFIED_PROJECTS") { None } else { environment.get("CI_REGISTRY_IMAGE") };
    let found = pushed_images(&text, registry, within).map_err(|error: NotificationError| wrong(error.to_string()))?;
    for notice in &found.notices {
        warn!("TRIGGER_PAYLOAD: {notice}");
    }
    for image in &found.images {
        info!("image {image} (from TRIGGER_PAYLOAD)");
    }
    Ok(Some(found.images))
}
