//! The cache of layers, filled with an image of every sort of entry that it keeps.

#![allow(dead_code, unreachable_pub)] // every program uses another part

use std::fs;
use std::path::{Path, PathBuf};

use plimsoll::image::{self, Image, NoProgress, Source};
use plimsoll::inventory::{self, LayerCache};
use plimsoll::model::{Limits, Platform};

use super::images::{self, Packing};
use super::{entries, files};

/// Magic, checksum, length of the first part.
const HEADER: usize = 8 + 4 + 8;

/// An image, and what the cache keeps of it.
pub struct Kept {
    pub image: Image,
    pub cache: LayerCache,
    pub entries: Vec<(PathBuf, Vec<u8>)>,
}

/// Fills a cache in `folder`.
pub fn fill(folder: &Path) -> Kept {
    fs::create_dir_all(folder).expect("a directory");
    // The image with hard links.
    let entries = &files::images()[2];
    let path = folder.join("image.tar");
    let archive = images::docker_archive(&entries::archives(entries), Packing::Plain);
    fs::write(&path, archive).expect("a file that can be written");
    let source: Source = format!("archive://{}", path.display()).parse().expect("a source");
    let limits = Limits::default();
    let image = image::open(&source, &Platform::linux_amd64(), &limits, None).expect("an image");
    let cache = LayerCache::new(folder);
    let _ = inventory::take_cached(&image, &limits, &NoProgress, Some(&cache));
    let folders = fs::read_dir(folder.join("layers")).expect("a cache").flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).expect("a folder").flatten());
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("an entry"));
    let mut entries: Vec<_> = files.map(|file| read(file.path())).collect();
    entries.sort();
    Kept { image, cache, entries }
}

/// The two parts of an entry, the second one unpacked.
pub fn parts(entry: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (header, body) = entry.split_at(HEADER);
    let length = u64::from_le_bytes(header[12..20].try_into().expect("eight bytes")) as usize;
    let (first, second) = body.split_at(length);
    (first.to_vec(), zstd::decode_all(second).expect("packed JSON"))
}

/// An entry of two parts; the second one is packed.
pub fn entry(first: &[u8], second: &[u8]) -> Vec<u8> {
    let body = [first, &zstd::encode_all(second, 1).expect("writing to memory")].concat();
    let mut checksum = flate2::Crc::new();
    checksum.update(&body);
    let mut entry = b"PLIMLYR1".to_vec();
    entry.extend(checksum.sum().to_le_bytes());
    entry.extend((first.len() as u64).to_le_bytes());
    entry.extend(body);
    entry
}
