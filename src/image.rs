//! Images as bytes: manifest, configuration, layers, and the walk over a layer's entries.
//!
//! A layer is read once, as a stream: `source` → decompression → tar (`walk`) → a [`Visitor`], which says from path,
//! size and mode alone whether it wants a file. Nothing of an image is written to disk and no path of it is opened on
//! this machine. [`Overlay`] puts the layers on top of each other as the OCI image specification ("image layer
//! filesystem changeset") says.

pub mod overlay;
pub mod walk;

pub use overlay::Overlay;
pub use walk::{Content, Entry, LayerTree, Visitor};
