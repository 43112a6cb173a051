//! Images in one tar file: what `docker save` writes, and OCI image layouts. The file may be compressed.
//!
//! The archive is read once to learn where its members lie. A plain file is then read at those positions; a compressed one
//! is decompressed again up to the member for each layer, which takes time but neither memory nor disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::blob::Promise;
use super::config::Config;
use super::files::{Files, read_document};
use super::input::Reading;
use super::stream::{Compression, LayerStream};
use super::tar::{Kind, TarInput, TarReader};
use super::{Blob, ImageError, LayerError, Parts, digest_of, layout, path};
use crate::model::{Digest, ImageIdentity, Layer, Limits, Platform};

/// Members of an image archive: a handful per layer.
const MOST_MEMBERS: u64 = 100_000;
/// Links from one member to another that are followed.
const MOST_LINKS: usize = 8;
/// Bytes that the names of all members and the targets of links may take together.
const MOST_TEXT: usize = 64 << 20;
/// Bytes of each member that are kept to tell its compression.
const FIRST_BYTES: usize = 6;

/// What form an archive is expected to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Docker,
    Oci,
    /// Told by the content.
    Either,
}

/// An archive's members.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    compressed: bool,
    members: HashMap<String, Member>,
    limits: Limits,
}

#[derive(Debug, Clone)]
enum Member {
    File {
        /// In the (decompressed) archive.
        position: u64,
        size: u64,
        first: Vec<u8>,
    },
    /// Another name of the member at this path.
    Link(String),
}

impl Archive {
    /// Reads the archive through and notes its members.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self, ImageError> {
        let unreadable = |cause| ImageError::unreadable(path, cause);
        let mut file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut first = Vec::new();
        (&mut file).take(FIRST_BYTES as u64).read_to_end(&mut first).map_err(unreadable)?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let limits = Limits { entries_per_layer: MOST_MEMBERS, ..limits.clone() };
        let compressed = Compression::detect(&first) != Compression::None;
        let members = if compressed {
            LayerStream::open(Box::new(Reading(file)), &limits)
                .and_then(|stream| index(Positioned { inner: stream, position: 0 }, &limits))
        } else {
            index(Positioned { inner: SeekingFile { file: BufReader::new(file), left: length }, position: 0 }, &limits)
        };
        let members = members.map_err(|error| match error {
            LayerError::Limit { what, limit } => ImageError::Limit { what: format!("the archive's {what}"), limit },
            LayerError::OutOfTime => ImageError::OutOfTime,
            error => ImageError::NotAnImage {
                path: path.to_owned(),
                expected: "an image archive",
                reason: error.to_string(),
            },
        })?;
        Ok(Self { path: path.to_owned(), compressed, members, limits })
    }

    fn member(&self, name: &str) -> Option<(u64, u64, &[u8])> {
        let mut member = self.members.get(name)?;
        for _ in 0..MOST_LINKS {
            match member {
                Member::File { position, size, first } => return Some((*position, *size, first)),
                Member::Link(target) => member = self.members.get(target)?,
            }
        }
        None
    }
}

impl Files for Archive {
    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let (position, size, _) = self.member(name).ok_or(io::ErrorKind::NotFound)?;
        let mut file = File::open(&self.path)?;
        if self.compressed {
            let mut stream = LayerStream::open(Box::new(Reading(file)), &self.limits)?;
            stream.skip(position)?;
            return Ok(Box::new(stream.take(size)));
        }
        file.seek(SeekFrom::Start(position))?;
        Ok(Box::new(file.take(size)))
    }

    fn contains(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    fn location(&self) -> &Path {
        &self.path
    }
}

/// Opens the image in an archive.
pub(super) fn open(
    archive: &Archive,
    form: Form,
    tag: Option<&str>,
    platform: &Platform,
    limits: &Limits,
) -> Result<Parts, ImageError> {
    // Current versions of Docker write both forms into one archive; their OCI index may name platforms that are not there.
    match form {
        Form::Docker => open_docker(archive, limits),
        Form::Either if archive.contains("manifest.json") => open_docker(archive, limits),
        Form::Oci | Form::Either => layout::open_oci(archive, tag, platform, limits),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

fn open_docker(archive: &Archive, limits: &Limits) -> Result<Parts, ImageError> {
    if !archive.contains("manifest.json") {
        return Err(ImageError::NotAnImage {
            path: archive.path.clone(),
            expected: "an archive of `docker save`",
            reason: "there is no manifest.json".into(),
        });
    }
    let bytes = read_document(archive, "manifest.json", None, limits)?;
    let invalid = |reason: String| ImageError::manifest("manifest.json", reason);
    limits.check_depth(&bytes).map_err(invalid)?;
    let images: Vec<DockerImage> = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
    let image = match <[DockerImage; 1]>::try_from(images) {
        Ok([image]) => image,
        Err(images) => {
            let available = images.into_iter().flat_map(|image| image.repo_tags.unwrap_or_default()).take(40).collect();
            let reason = "the archive must hold exactly one image; save them one by one".into();
            return Err(ImageError::NotSelected { reason, available });
        }
    };
    let name = key(&image.config);
    let config_bytes = read_document(archive, &name, None, limits)?;
    let config_digest = digest_of(&config_bytes);
    // The configuration is named by its digest: `<digits>.json` or `blobs/sha256/<digits>`.
    let stem = path::split(&name).1.trim_end_matches(".json");
    if let Ok(named) = format!("sha256:{stem}").parse::<Digest>()
        && named != config_digest
    {
        return Err(invalid(format!("the configuration is named `{named}`, but its digest is `{config_digest}`")));
    }
    let config = Config::parse(&config_bytes, limits)?;
    let layers = image.layers.unwrap_or_default();
    if layers.len() > limits.layers {
        let what = format!("the number of layers, {},", layers.len());
        return Err(ImageError::Limit { what, limit: limits.layers as u64 });
    }
    if layers.len() != config.diff_ids.len() {
        let reason = format!("{} layers, but the configuration names {}", layers.len(), config.diff_ids.len());
        return Err(invalid(reason));
    }
    let has_history = config.created_by.len() == layers.len();
    let (mut described, mut blobs) = (Vec::new(), Vec::new());
    for (index, (layer, diff_id)) in layers.iter().zip(&config.diff_ids).enumerate() {
        let name = key(layer);
        let (_, size, first) =
            archive.member(&name).ok_or_else(|| invalid(format!("the layer `{name}` is not in the archive")))?;
        // Only an uncompressed layer has a promise to keep: the configuration's. The others have gzip's own checksum.
        let plain = Compression::detect(first) == Compression::None;
        described.push(Layer {
            digest: plain.then(|| diff_id.clone()),
            diff_id: Some(diff_id.clone()),
            size,
            created_by: config.created_by.get(index).filter(|_| has_history).cloned().flatten(),
        });
        let promise = plain.then(|| Promise { digest: diff_id.clone(), size });
        blobs.push(Blob { name, media_type: String::new(), promise });
    }
    Ok(Parts {
        identity: ImageIdentity {
            manifest_digest: None,
            config_digest: Some(config_digest),
            platform: config.platform,
            config: config.image,
        },
        layers: described,
        annotations: Default::default(),
        references: image.repo_tags.unwrap_or_default(),
        offered: Vec::new(),
        blobs,
    })
}

fn key(name: &str) -> String {
    let mut key = String::new();
    path::append(name, &mut key);
    key
}

fn index<I: TarInput>(mut input: Positioned<I>, limits: &Limits) -> Result<HashMap<String, Member>, LayerError> {
    let mut members = HashMap::new();
    let mut reader = TarReader::new(&mut input, limits);
    let mut name = String::new();
    let mut text = 0;
    while let Some(member) = reader.next()? {
        let mut left = member.size;
        let (length, target) = (reader.path().len(), reader.link().len());
        // No part of an image has such a name.
        if length > limits.path_length || target > limits.path_length {
            reader.finish(member.size, left)?;
            continue;
        }
        text += length + target;
        if text > MOST_TEXT {
            return Err(LayerError::Limit { what: "length of all names in bytes", limit: MOST_TEXT as u64 });
        }
        path::normalise(reader.path(), &mut name);
        match member.kind {
            Kind::File => {
                let input = reader.input();
                let position = input.position;
                let mut first = Vec::new();
                Read::take(&mut *input, (FIRST_BYTES as u64).min(member.size)).read_to_end(&mut first)?;
                left -= first.len() as u64;
                members.insert(name.clone(), Member::File { position, size: member.size, first });
            }
            Kind::HardLink => {
                let target = key(&String::from_utf8_lossy(reader.link()));
                members.insert(name.clone(), Member::Link(target));
            }
            Kind::Symlink => {
                let mut target = path::split(&name).0.to_owned();
                path::append(&String::from_utf8_lossy(reader.link()), &mut target);
                members.insert(name.clone(), Member::Link(target));
            }
            _ => {}
        }
        reader.finish(member.size, left)?;
    }
    Ok(members)
}

/// Knows how far it has read.
struct Positioned<I> {
    inner: I,
    position: u64,
}

impl<I: TarInput> Read for Positioned<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut chunk = self.fill_buf()?;
        let read = chunk.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<I: TarInput> BufRead for Positioned<I> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
        self.position += amount as u64;
    }
}

impl<I: TarInput> TarInput for Positioned<I> {
    fn skip(&mut self, amount: u64) -> io::Result<()> {
        self.inner.skip(amount)?;
        self.position += amount;
        Ok(())
    }
}

/// A plain archive: what is passed over is not read.
struct SeekingFile {
    file: BufReader<File>,
    left: u64,
}

impl Read for SeekingFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

impl BufRead for SeekingFile {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.file.consume(amount);
        self.left = self.left.saturating_sub(amount as u64);
    }
}

impl TarInput for SeekingFile {
    fn skip(&mut self, amount: u64) -> io::Result<()> {
        match (self.left.checked_sub(amount), i64::try_from(amount)) {
            (Some(left), Ok(offset)) => {
                self.left = left;
                self.file.seek_relative(offset)
            }
            _ => Err(LayerError::corrupt("the archive ends in the middle of an entry").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::model::Code;

    #[test]
    fn a_compressed_archive_that_there_is_no_time_for_may_be_an_image() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("image.tar.gz");
        std::fs::write(&path, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]).expect("a file");
        for (deadline, expected) in [(Some(Instant::now()), Code::LimitExceeded), (None, Code::SourceUnreadable)] {
            let limits = Limits { deadline, ..Limits::default() };
            let diagnosis = Archive::open(&path, &limits).expect_err("a truncated archive").diagnosis();
            assert_eq!(diagnosis.code, expected, "{deadline:?}: {diagnosis}");
        }
        let late = ImageError::unreadable(&path, LayerError::OutOfTime.into());
        assert!(matches!(late, ImageError::OutOfTime), "its documents are read through the same stream: {late:?}");
    }
}
