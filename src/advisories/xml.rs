//! XML feeds as a stream of elements and text. Memory is bounded by the longest tag or piece of text that is allowed and
//! by the depth; entities other than the five predefined ones are never expanded.

use std::io::{self, BufRead, Read};

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use super::FeedError;

/// A piece of a document. Names are without their namespace prefix.
pub(super) enum Node<'a> {
    /// An element begins; every one also ends.
    Open(&'a Element<'a>),
    /// Text inside the element that began last; it may come in several pieces.
    Text(&'a str),
    /// The element of this name ends.
    Close(&'a str),
}

/// The start of an element.
pub(super) struct Element<'a>(BytesStart<'a>);

impl Element<'_> {
    /// The name without its prefix.
    pub(super) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// An attribute; empty where there is none.
    pub(super) fn attribute(&self, name: &str) -> String {
        let attribute = self.0.attributes().with_checks(false).flatten().find(|known| {
            let local = known.key.local_name();
            local.into_inner() == name
        });
        let Some(attribute) = attribute else { return String::new() };
        match attribute.normalized_value(XmlVersion::Explicit1_0) {
            Ok(value) => value.into_owned(),
            Err(_) => attribute.value.to_string(),
        }
    }
}

/// Reads a document from its beginning to its end.
///
/// # Errors
/// It is not well-formed, cut, too deep, has too long a tag or text, or `visit` fails. What came before was visited.
pub(super) fn read(
    source: impl BufRead,
    mut visit: impl FnMut(Node<'_>) -> Result<(), FeedError>,
) -> Result<(), FeedError> {
    let mut reader = quick_xml::Reader::from_reader(Metered { inner: source, left: LONGEST });
    let mut buffer = Vec::new();
    let (mut depth, mut has_root) = (0_usize, false);
    loop {
        buffer.clear();
        reader.get_mut().left = LONGEST;
        let event = reader.read_event_into(&mut buffer).map_err(FeedError::new)?;
        match event {
            Event::Start(start) => {
                depth += 1;
                has_root = true;
                if depth > DEEPEST {
                    return Err(FeedError::new(format!("its elements are more than {DEEPEST} deep")));
                }
                visit(Node::Open(&Element(start)))?;
            }
            Event::Empty(start) => {
                has_root = true;
                let element = Element(start);
                visit(Node::Open(&element))?;
                visit(Node::Close(element.name()))?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                visit(Node::Close(end.local_name().into_inner()))?;
            }
            Event::Text(text) => visit(Node::Text(&text))?,
            Event::CData(text) => visit(Node::Text(&text))?,
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(c)) => visit(Node::Text(c.encode_utf8(&mut [0; 4])))?,
                _ => {
                    if let Some(text) = resolve_predefined_entity(&reference) {
                        visit(Node::Text(text))?;
                    }
                }
            },
            Event::Eof if depth > 0 || !has_root => return Err(FeedError::new("it ends too early")),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// Adds text up to a number of bytes; the rest is dropped.
pub(super) fn append(to: &mut String, text: &str, most: usize) {
    let room = most.saturating_sub(to.len());
    let mut end = room.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    to.push_str(text.get(..end).unwrap_or_default());
}

/// Fails when one event takes too many bytes: the reader keeps each in memory.
struct Metered<R> {
    inner: R,
    left: usize,
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::other(format!("a tag or text has more than {} MiB", LONGEST >> 20)));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount);
        self.inner.consume(amount);
    }
}

/// The longest tag, text or comment; descriptions of kernel updates have some 100 kB.
const LONGEST: usize = 8 << 20;
const DEEPEST: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outline(xml: &[u8]) -> Result<String, FeedError> {
        let mut out = String::new();
        read(xml, |node| {
            match node {
                Node::Open(element) => out.push_str(&format!("<{} {}>", element.name(), element.attribute("a"))),
                Node::Text(text) => out.push_str(text),
                Node::Close(name) => out.push_str(&format!("</{name}>")),
            }
            Ok(())
        })?;
        Ok(out)
    }

    #[test]
    fn elements_text_and_entities() {
        for (xml, expected) in [
            ("<x:r a='1 &lt; 2'>a &amp; b&#65;<e/></x:r>", Some("<r 1 < 2>a & bA<e ></e></r>")),
            ("<r><![CDATA[<b>]]></r>", Some("<r ><b></r>")),
            ("<!DOCTYPE r [<!ENTITY l 'lol'>]><r>&l;</r>", Some("<r ></r>")),
            ("<r>", None),
            ("<r></s>", None),
            ("", None),
        ] {
            assert_eq!(outline(xml.as_bytes()).ok().as_deref(), expected, "{xml}");
        }
    }

    #[test]
    fn bombs_are_refused_in_little_memory() {
        let deep = io::repeat(b'x').take(0).chain(io::BufReader::new(Repeat(b"<a>")).take(1 << 30));
        let error = read(io::BufReader::new(deep), |_| Ok(())).expect_err("too deep");
        assert!(error.0.contains("deep"), "{error}");
        for start in [&b"<a b='"[..], b"<a>", b"<!--"] {
            let long = io::BufReader::new(start.chain(io::repeat(b'x').take(1 << 30)));
            let error = read(long, |_| Ok(())).expect_err("too long");
            assert!(error.0.contains("MiB"), "{error}");
        }
    }

    struct Repeat(&'static [u8]);

    impl Read for Repeat {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let whole = buffer.len() / self.0.len() * self.0.len();
            for (byte, value) in buffer.iter_mut().zip(self.0.iter().cycle()).take(whole) {
                *byte = *value;
            }
            Ok(whole)
        }
    }

    proptest! {
        #[test]
        fn never_panics(xml in "(<[a-c/!?&;#'\"=\\[ ]{0,8}>?|&[a-z#0-9]{0,4};|\\PC){0,40}") {
            let _ = outline(xml.as_bytes());
        }
    }
}
