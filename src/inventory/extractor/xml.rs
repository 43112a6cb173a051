//! Small XML documents as texts with the names of the elements around them. No entity but the predefined ones is expanded.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::ExtractError;
use crate::model::Limits;

/// A text; a longer one is cut.
const LONGEST_TEXT: usize = 4096;

/// Calls `visit` with the names of the open elements, the outermost first, and the text of the last, as each one ends.
///
/// # Errors
/// It is not well-formed, or deeper than the limits allow. What came before was visited.
pub(super) fn texts(data: &[u8], limits: &Limits, mut visit: impl FnMut(&[String], &str)) -> Result<(), ExtractError> {
    let mut reader = quick_xml::Reader::from_reader(data);
    let mut buffer = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut text = String::new();
    let append = |text: &mut String, piece: &str| {
        let room = LONGEST_TEXT.saturating_sub(text.len());
        text.push_str(piece.get(..piece.floor_char_boundary(room)).unwrap_or_default());
    };
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(ExtractError::malformed)? {
            Event::Start(start) => {
                let deepest = limits.document_depth;
                if open.len() >= deepest {
                    return Err(ExtractError::LimitMet(format!("its elements are more than {deepest} deep")));
                }
                open.push(start.local_name().into_inner().to_owned());
                text.clear();
            }
            Event::End(_) => {
                visit(&open, text.trim());
                open.pop();
                text.clear();
            }
            Event::Text(piece) => append(&mut text, &piece),
            Event::CData(piece) => append(&mut text, &piece),
            Event::GeneralRef(name) => append(&mut text, resolve_predefined_entity(&name).unwrap_or_default()),
            Event::Eof if open.is_empty() => return Ok(()),
            Event::Eof => return Err(ExtractError::malformed("it ends within an element")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_with_the_elements_around_them() {
        let mut found = Vec::new();
        let document =
            b"<?xml version='1.0'?><!-- c --><x:a xmlns:x='u'><b> 1 &amp; 2</b><c/><b><![CDATA[<3>]]></b></x:a>";
        texts(document, &Limits::default(), |open, text| found.push(format!("{} {text}", open.join("/"))))
            .expect("a document");
        assert_eq!(found, ["a/b 1 & 2", "a/b <3>", "a "]);
        for broken in ["<a>", "<a></b>", &"<a>".repeat(100_000)] {
            assert!(texts(broken.as_bytes(), &Limits::default(), |_, _| {}).is_err());
        }
        let limits = Limits { document_depth: 2, ..Limits::default() };
        assert!(texts(b"<a><b/><b></b></a>", &limits, |_, _| {}).is_ok());
        let error = texts(b"<a><b><c></c></b></a>", &limits, |_, _| {}).expect_err("three levels");
        assert!(
            matches!(&error, ExtractError::LimitMet(reason) if reason == "its elements are more than 2 deep"),
            "{error}"
        );
    }
}
