//! The platforms of an image that a scan takes: one, several, or all that its index offers. Each is a subject of its own
//! in all reports, named with its platform; one that is the same image as another, by digest, is taken once.

use tracing::{info, warn};

use crate::cli::{OutputArgs, ScanArgs};
use crate::context::Environment;
use crate::model::{Code, Diagnosis, Digest, ImageScan, Platform, Platforms};
use crate::report;

use super::connection::Connection;
use super::scan::{failure, platforms_of, read_image};
use super::terminal;

/// What `--platform` or a setting says.
pub(super) struct Wanted {
    platforms: Platforms,
    /// Nobody said it.
    is_default: bool,
}

impl Wanted {
    /// # Errors
    /// A variable names no platform.
    pub(super) fn of(args: &ScanArgs, environment: &Environment) -> Result<Self, Diagnosis> {
        if let Some(platforms) = &args.platform {
            return Ok(Self { platforms: platforms.clone(), is_default: false });
        }
        for name in ["PLIMSOLL_PLATFORM", "TRIVY_PLATFORM"] {
            let Some(text) = environment.get(name) else { continue };
            let platforms = text.parse().map_err(|error: crate::model::InvalidPlatform| {
                let what = format!("{} is wrong", environment.origin(name));
                Diagnosis::new(Code::InvalidInput, what, error.to_string(), "write for example linux/arm64, or all")
            })?;
            return Ok(Self { platforms, is_default: false });
        }
        Ok(Self { platforms: Platforms::Each(vec![Platform::linux_amd64()]), is_default: true })
    }

    /// The platform for who looks at one only: the first, `linux/amd64` for all.
    pub(super) fn only(&self) -> Platform {
        match &self.platforms {
            Platforms::Each(each) => each.first().cloned(),
            Platforms::All => None,
        }
        .unwrap_or_else(Platform::linux_amd64)
    }

    /// Reads what an image holds, for each platform that is wanted. A platform that cannot be read is a failed subject
    /// beside the others.
    ///
    /// # Errors
    /// The image cannot be opened at all.
    pub(super) fn read(
        &self,
        name: &str,
        connection: &mut Connection<'_>,
        output: &OutputArgs,
    ) -> Result<Vec<ImageScan>, Diagnosis> {
        if !matches!(&self.platforms, Platforms::Each(each) if each.len() == 1) {
            let platforms = self.among(&platforms_of(name, connection)?);
            if platforms.len() > MOST_PLATFORMS {
                let why = format!("{} platforms are wanted, the limit is {MOST_PLATFORMS}", platforms.len());
                let what = format!("{name} has too many platforms");
                return Err(Diagnosis::new(Code::LimitExceeded, what, why, "name the platforms that matter"));
            }
            if let [_, _, ..] = platforms[..] {
                return Ok(read_each(name, &platforms, connection, output));
            }
            let only = platforms.into_iter().next().unwrap_or_else(|| self.only());
            return Ok(vec![read_image(name, &only, connection, output)?.0]);
        }
        let only = self.only();
        let (image, offered) = read_image(name, &only, connection, output)?;
        if self.is_default && offered.len() > 1 {
            let offered = report::count(offered.len(), "platform");
            warn!("{name}: {only} is scanned, of {offered} in the index; --platform says which, `all` takes each");
        }
        Ok(vec![image])
    }

    /// Those that are wanted, as the index names them, each once; one that is not offered as it was asked for. None
    /// where nothing is offered.
    fn among(&self, offered: &[Platform]) -> Vec<Platform> {
        let named = |wanted: &Platform| {
            let exact = offered.iter().find(|one| *one == wanted);
            exact.or_else(|| offered.iter().find(|one| wanted.accepts(one))).unwrap_or(wanted).clone()
        };
        match &self.platforms {
            _ if offered.is_empty() => Vec::new(),
            Platforms::All => offered.to_vec(),
            Platforms::Each(each) => {
                let mut chosen: Vec<Platform> = Vec::new();
                for platform in each.iter().map(named) {
                    if !chosen.contains(&platform) {
                        chosen.push(platform);
                    }
                }
                chosen
            }
        }
    }
}

fn read_each(
    name: &str,
    platforms: &[Platform],
    connection: &mut Connection<'_>,
    output: &OutputArgs,
) -> Vec<ImageScan> {
    let mut images: Vec<ImageScan> = Vec::new();
    for platform in platforms {
        let image = match read_image(name, platform, connection, output) {
            Ok((image, _)) => image,
            Err(diagnosis) => {
                terminal::error(&diagnosis.to_string());
                failure(name.to_owned(), diagnosis, None)
            }
        };
        if let Some(same) = images.iter().find(|known| digest(&image).is_some() && digest(known) == digest(&image)) {
            info!("{name}: {platform} is the same image as {}", same.name);
            continue;
        }
        images.push(ImageScan { name: platform.name_of(&image.name), ..image });
    }
    images
}

fn digest(image: &ImageScan) -> Option<&Digest> {
    image.inventory.as_ref()?.image.manifest_digest.as_ref()
}

/// Each costs what an image costs; no image is built for more.
const MOST_PLATFORMS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_named_as_the_index_does() {
        let platforms = |names: &[&str]| -> Vec<Platform> { names.iter().map(|name| name.parse().unwrap()).collect() };
        let index = platforms(&["linux/amd64/v3", "linux/amd64", "linux/arm64/v8", "windows/amd64"]);
        for (wanted, expected) in [
            ("all", &["linux/amd64/v3", "linux/amd64", "linux/arm64/v8", "windows/amd64"][..]),
            ("linux/arm64,linux/amd64", &["linux/arm64/v8", "linux/amd64"]),
            ("linux/arm64,linux/arm64/v8", &["linux/arm64/v8"]),
            ("linux/s390x,linux/amd64", &["linux/s390x", "linux/amd64"]),
        ] {
            let wanted = Wanted { platforms: wanted.parse().unwrap(), is_default: false };
            assert_eq!(wanted.among(&index), platforms(expected), "{:?}", wanted.platforms);
            assert!(wanted.among(&[]).is_empty());
        }
    }
}
