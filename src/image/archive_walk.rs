//! One pass over a layer's archive: entries to the visitor, the layer's shape into a [`LayerTree`].

use super::stream::LayerStream;
use super::tar::{Kind, Member, TarInput, TarReader};
use super::tree::TreeBuilder;
use super::{Content, Entry, LayerError, LayerTree, Visitor, path};
use crate::model::Limits;

/// Whiteouts as the OCI image specification has them ("image layer filesystem changeset").
const WHITEOUT: &str = ".wh.";
/// Names of aufs's own bookkeeping begin so; of them only the opaque marker means something.
const RESERVED: &str = ".wh..wh.";
const OPAQUE: &str = ".wh..wh..opq";

impl TarInput for LayerStream<'_> {}

/// Walks to the end of the stream, so that its checksums and digest are verified.
pub(super) fn walk(
    mut stream: LayerStream<'_>,
    visitor: &mut dyn Visitor,
    limits: &Limits,
) -> Result<LayerTree, LayerError> {
    let walked = entries(&mut stream, visitor, limits).and_then(|tree| stream.drain().map(|()| tree));
    walked.map_err(|error| stream.explain(error))
}

fn entries(stream: &mut LayerStream<'_>, visitor: &mut dyn Visitor, limits: &Limits) -> Result<LayerTree, LayerError> {
    let mut reader = TarReader::new(stream, limits);
    let mut tree = TreeBuilder::default();
    let (mut name, mut target) = (String::new(), String::new());
    while let Some(member) = reader.next()? {
        path::normalise(reader.path(), &mut name);
        let mut left = member.size;
        if let Some(reason) = unusable(reader.path(), &name, limits) {
            tree.unreadable(&name, reason);
        } else if let Some(hidden) = whiteout(&name) {
            match hidden {
                Hidden::Path(hidden) => tree.whiteout(hidden)?,
                Hidden::Below(directory) => tree.opaque(directory)?,
                Hidden::Nothing => {}
            }
        } else if !name.is_empty() {
            let Member { kind, size, mode } = member;
            match kind {
                Kind::Directory => tree.directory(&name),
                Kind::Special => tree.other(&name),
                // No system takes a longer target: the link leads nowhere.
                Kind::Symlink if reader.link().len() > limits.path_length => tree.other(&name),
                Kind::Symlink => tree.symlink(&name, &String::from_utf8_lossy(reader.link()))?,
                Kind::File => {
                    let entry = Entry { path: &name, size, mode };
                    if visitor.wants(&entry) {
                        let mut content = Content::new(reader.input(), size);
                        visitor.file(&entry, &mut content);
                        left = content.left();
                        tree.file(&name)?;
                    } else {
                        tree.other(&name);
                    }
                }
                Kind::HardLink => {
                    if visitor.wants(&Entry { path: &name, size: 0, mode }) {
                        path::normalise(reader.link(), &mut target);
                        tree.hard_link(&name, &target)?;
                    } else {
                        tree.other(&name);
                    }
                }
                Kind::SparseFile => {
                    if visitor.wants(&Entry { path: &name, size, mode }) {
                        tree.unreadable(&name, "it is stored as a sparse file");
                    }
                    tree.other(&name);
                }
                Kind::Other => {}
            }
        }
        reader.finish(member.size, left)?;
    }
    Ok(tree.finish())
}

/// Why an entry's path cannot be a key. Such entries are passed over with a note, the rest of the layer is read.
fn unusable(raw: &[u8], path: &str, limits: &Limits) -> Option<&'static str> {
    if raw.len() > limits.path_length || path.len() > limits.path_length {
        Some("its path is too long")
    } else if path.split('/').count() > limits.path_depth {
        Some("its path is too deep")
    } else if path.contains('\0') {
        Some("its path has a NUL in it")
    } else {
        None
    }
}

/// What a whiteout hides of lower layers.
#[derive(Debug, PartialEq, Eq)]
enum Hidden<'p> {
    Path(String),
    /// The content of a directory.
    Below(&'p str),
    Nothing,
}

/// What the entry hides if it is a whiteout and no file.
fn whiteout(path: &str) -> Option<Hidden<'_>> {
    let (directory, name) = path::split(path);
    let hidden = name.strip_prefix(WHITEOUT)?;
    Some(match hidden {
        _ if name == OPAQUE => Hidden::Below(directory),
        "" | "." | ".." => Hidden::Nothing,
        _ if name.starts_with(RESERVED) => Hidden::Nothing,
        _ if directory.is_empty() => Hidden::Path(hidden.to_owned()),
        _ => Hidden::Path(format!("{directory}/{hidden}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_whiteouts() {
        for (path, expected) in [
            ("a/b", None),
            ("a/.whx", None),
            ("a/.wh.b", Some(Hidden::Path("a/b".into()))),
            (".wh.b", Some(Hidden::Path("b".into()))),
            ("a/.wh..hidden", Some(Hidden::Path("a/.hidden".into()))),
            ("a/.wh..wh..opq", Some(Hidden::Below("a"))),
            (".wh..wh..opq", Some(Hidden::Below(""))),
            ("a/.wh..wh.plnk", Some(Hidden::Nothing)),
            ("a/.wh.", Some(Hidden::Nothing)),
            ("a/.wh...", Some(Hidden::Nothing)),
        ] {
            assert_eq!(whiteout(path), expected, "{path}");
        }
    }
}
