//! The elements of a small XML file, with a ceiling on everything and no way to reach outside it.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Elements of a file; the largest packagers that are known have a few hundred.
const ELEMENTS_MAX: usize = 5_000;
/// Elements within elements.
const DEPTH_MAX: usize = 8;
/// Attributes of an element; the format knows fewer.
const ATTRIBUTES_MAX: usize = 20;

/// An element with what it holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    /// Where it begins in the file, from 1.
    pub(super) line: usize,
    attributes: Vec<(String, String)>,
    pub(super) children: Vec<Element>,
}

/// What makes a file no XML that is read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(super) struct XmlError {
    line: usize,
    problem: String,
}

impl Element {
    /// The value of an attribute; none where the element has it not.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The names of its attributes.
    pub(super) fn attribute_names(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(name, _)| name.as_str())
    }
}

/// Reads the root element.
///
/// Shape:  a document type may be named, as these files do, but not defined; the file it names is
///         not read.
/// Errors: the first thing that is not well formed, above a ceiling, or could reach outside the
///         file: a definition in the document type, an entity, a processing instruction.
pub(super) fn read(text: &str) -> Result<Element, XmlError> {
    let mut reader = Reader::from_str(text);
    let mut tree = Tree { text, open: Vec::new(), root: None, elements: 0, has_doctype: false };
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
        let event = reader.read_event().map_err(|error| tree.error(at, error))?;
        if matches!(event, Event::Eof) {
            break;
        }
        tree.take(at, event)?;
    }
    match (tree.open.last(), tree.root.take()) {
        (None, Some(root)) => Ok(root),
        _ => Err(tree.error(text.len(), "the file ends too early")),
    }
}

struct Tree<'a> {
    text: &'a str,
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    has_doctype: bool,
}

impl Tree<'_> {
    fn error(&self, at: usize, problem: impl ToString) -> XmlError {
        XmlError { line: self.line(at), problem: problem.to_string() }
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        1 + memchr::memchr_iter(b'\n', before).count()
    }

    fn take(&mut self, at: usize, event: Event<'_>) -> Result<(), XmlError> {
        match event {
            Event::Start(tag) => self.begin(at, &tag),
            Event::Empty(tag) => {
                self.begin(at, &tag)?;
                self.end(at)
            }
            Event::End(_) => self.end(at),
            Event::Text(text) => {
                let is_blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
                if is_blank { Ok(()) } else { Err(self.error(at, "there is text")) }
            }
            Event::DocType(text) => self.doctype(at, &text),
            Event::Decl(_) | Event::Comment(_) | Event::Eof => Ok(()),
            Event::CData(_) => Err(self.error(at, "there is text")),
            Event::PI(_) => Err(self.error(at, "processing instructions are refused")),
            Event::GeneralRef(_) => Err(self.error(at, "entities are refused")),
        }
    }

    /// `<!DOCTYPE name PUBLIC "…" "…">` names a file; `[` would begin definitions of its own.
    fn doctype(&mut self, at: usize, text: &str) -> Result<(), XmlError> {
        let is_late = self.has_doctype || self.elements > 0;
        self.has_doctype = true;
        if is_late || text.contains('[') {
            return Err(self.error(at, "definitions in the document type are refused"));
        }
        Ok(())
    }

    fn begin(&mut self, at: usize, tag: &BytesStart<'_>) -> Result<(), XmlError> {
        self.elements += 1;
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.error(at, "there is a second root element"));
        }
        if self.elements > ELEMENTS_MAX {
            return Err(self.error(at, format!("there are more than {ELEMENTS_MAX} elements")));
        }
        if self.open.len() == DEPTH_MAX {
            return Err(self.error(at, format!("elements nest at most {DEPTH_MAX} deep")));
        }
        let name = tag.name().into_inner().to_owned();
        let attributes = self.attributes(at, tag)?;
        self.open.push(Element { name, line: self.line(at), attributes, children: Vec::new() });
        Ok(())
    }

    fn attributes(
        &self,
        at: usize,
        tag: &BytesStart<'_>,
    ) -> Result<Vec<(String, String)>, XmlError> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| self.error(at, error))?;
            if attributes.len() == ATTRIBUTES_MAX {
                return Err(self.error(at, "there are too many attributes"));
            }
            let name = attribute.key.into_inner().to_owned();
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|error| self.error(at, error))?;
            attributes.push((name, value.into_owned()));
        }
        Ok(attributes)
    }

    fn end(&mut self, at: usize) -> Result<(), XmlError> {
        let Some(element) = self.open.pop() else {
            return Err(self.error(at, "an element ends that did not begin"));
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        read(text).expect_err(text).to_string()
    }

    #[test]
    fn elements_and_their_attributes_are_read_with_their_lines() {
        let text = "<?xml version=\"1.0\"?>\n<!DOCTYPE a PUBLIC \"-//x//EN\" \"http://x/x.dtd\">\n\
                    <!-- note -->\n<a k=\"&lt;1&gt;\">\n  <b id='2'/>\n</a>\n";
        let root = read(text).expect("well formed");
        assert_eq!((root.name.as_str(), root.line), ("a", 4));
        assert_eq!(root.attribute("k"), Some("<1>"));
        assert_eq!(root.attribute("l"), None);
        let child = &root.children[0];
        assert_eq!((child.name.as_str(), child.line, child.attribute("id")), ("b", 5, Some("2")));
        assert!(read("<!DOCTYPE a SYSTEM \"a.dtd\"><a/>").is_ok());
    }

    #[test]
    fn what_could_reach_outside_the_file_is_refused() {
        let entity = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<a k=\"&x;\"/>";
        assert_eq!(problem(entity), "line 1: definitions in the document type are refused");
        assert_eq!(
            problem("<a/>\n<!DOCTYPE a>"),
            "line 2: definitions in the document type are refused"
        );
        assert!(problem("<a k=\"&x;\"/>").starts_with("line 1: "));
        assert_eq!(problem("<a>\n&x;</a>"), "line 2: entities are refused");
        assert_eq!(problem("<a>\n<?php x ?></a>"), "line 2: processing instructions are refused");
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in ["", "<a>", "<a></b>", "</a>", "<a/><a/>", "<a k='1' k='2'/>", "<a><b></a>"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(problem("<a>\ntext</a>"), "line 1: there is text");
        assert_eq!(problem("<a><![CDATA[x]]></a>"), "line 1: there is text");
    }

    #[test]
    fn nothing_is_read_above_a_ceiling() {
        let deep = "<a>".repeat(9) + &"</a>".repeat(9);
        assert_eq!(problem(&deep), "line 1: elements nest at most 8 deep");
        let many = format!("<a>{}</a>", "<b/>".repeat(5_000));
        assert_eq!(problem(&many), "line 1: there are more than 5000 elements");
        let attributes: String = (0..21).map(|n| format!(" k{n}=''")).collect();
        assert_eq!(problem(&format!("<a{attributes}/>")), "line 1: there are too many attributes");
    }
}
