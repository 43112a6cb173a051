//! What a scan needs for every image: the registry client, limits and time, what is known already.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::info;

use crate::context::{Credentials, Environment, NetworkSettings};
use crate::image::{Image, Source};
use crate::inventory::LayerCache;
use crate::model::{Code, Diagnosis, ImageIdentity, ImageReference, Inventory, Limits};
use crate::registry::Registry;
use crate::report;

use super::base;

/// The registry client, made when the first image needs it, so that local sources need no network settings.
pub(super) struct Connection<'a> {
    environment: &'a Environment,
    /// The images of this scan: variables without a host of their own speak about the registry of the first.
    images: Vec<ImageReference>,
    registry: Option<Arc<Registry>>,
    /// What is known of layers, where a directory for it is named.
    pub(super) layers: Option<LayerCache>,
    /// With the time that all images have together, from now on.
    pub(super) limits: Limits,
    allowed: Option<Duration>,
    /// What was read so far, with the name of the image: several tags may be of one image.
    pub(super) read: Vec<(String, Inventory)>,
    /// What says on which images others were built.
    pub(super) hints: base::Hints,
}

impl<'a> Connection<'a> {
    pub(super) fn new(environment: &'a Environment, names: &[String], cache: Option<&Path>) -> Self {
        let reference = |name: &String| match name.parse() {
            Ok(Source::Registry(reference)) => Some(reference),
            _ => None,
        };
        let named = cache.map(Path::to_owned).or_else(|| environment.get("PLIMSOLL_CACHE_DIR").map(PathBuf::from));
        let layers = named.map(|directory| LayerCache::new(&directory));
        let allowed = environment.get("PLIMSOLL_TIMEOUT").and_then(crate::settings::duration);
        let deadline = allowed.and_then(|allowed| Instant::now().checked_add(allowed));
        let limits = Limits { deadline, ..Limits::default() };
        let images = names.iter().filter_map(reference).collect();
        let hints = base::Hints::default();
        Self { environment, images, registry: None, layers, limits, allowed, read: Vec::new(), hints }
    }

    /// Puts others in the place of the default limits; time is as it was.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = Limits { deadline: self.limits.deadline, ..limits };
    }

    pub(super) fn registry(&mut self, image: &ImageReference) -> Result<Arc<Registry>, Diagnosis> {
        let registry = match &self.registry {
            Some(registry) => Arc::clone(registry),
            None => self.connect()?,
        };
        info!("{}: {}", image.registry, registry.identity(image));
        Ok(registry)
    }

    /// What is said of an image for which there was no time; `None` while there is some.
    pub(super) fn out_of_time(&self, name: &str) -> Option<Diagnosis> {
        let allowed = self.allowed.filter(|_| self.limits.is_out_of_time())?;
        let origin = self.environment.origin("PLIMSOLL_TIMEOUT");
        let what = format!("{name}: the time of the scan was over before the image was read");
        let why = format!("{origin} allows {} s for all images together", allowed.as_secs());
        let fix = "allow more, scan fewer images in one job, or keep what layers hold in a cache (PLIMSOLL_CACHE_DIR)";
        Some(Diagnosis::new(Code::LimitExceeded, what, why, fix))
    }

    /// The inventory of the same image, by both digests, under the name that it was read as.
    pub(super) fn known(&self, image: &Image) -> Option<&(String, Inventory)> {
        let ImageIdentity { manifest_digest, config_digest, .. } = &image.identity;
        let is_same = |known: &ImageIdentity| {
            manifest_digest.is_some()
                && known.manifest_digest == *manifest_digest
                && known.config_digest == *config_digest
        };
        self.read.iter().find(|(_, inventory)| is_same(&inventory.image))
    }

    /// The client, to be shared by threads.
    pub(super) fn shared(mut self) -> Result<Arc<Registry>, Diagnosis> {
        self.connect()
    }

    fn connect(&mut self) -> Result<Arc<Registry>, Diagnosis> {
        let invalid = |what: &str, error: String| {
            Diagnosis::new(Code::InvalidInput, what, error, "correct the variable or file that is named")
        };
        let network = NetworkSettings::from_environment(self.environment, &self.images)
            .map_err(|error| invalid("the network settings are wrong", error.to_string()))?;
        let credentials = Credentials::from_environment(self.environment, &self.images)
            .map_err(|error| invalid("the registry credentials are wrong", error.to_string()))?;
        for notice in &credentials.notices {
            info!("{notice}");
        }
        for own in &network.certificate_authorities {
            info!("{} trusted from {}", report::count(own.certificates.len(), "certificate authority"), own.origin);
        }
        let registry = Registry::new(&network, credentials)
            .map_err(|error| invalid("the registry client cannot be set up", error.to_string()))?;
        let registry = Arc::new(registry);
        self.registry = Some(Arc::clone(&registry));
        Ok(registry)
    }
}
