//! Walks through a message element by element, and refuses what a payment channel must not take.
//!
//! quick-xml finds the tags; everything that it leaves to its caller is done here: ceilings on
//! size, depth, elements, attributes, namespaces and text, no document types, no entities, no
//! processing instructions, no characters that XML forbids, no `]]>` in text, tags that match,
//! attributes and the declaration as the grammar has them. Nothing is kept but the names of the
//! open elements, so a walk costs the same memory for every message.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::Event;
use smallvec::SmallVec;

use super::error::{XmlError, XmlErrorKind, path};
use super::escape;
use super::limits::Limits;
use super::message_id::MessageId;
use super::name::Name;
use super::namespace::{Bindings, Space};

mod base64;
mod pairs;
mod tag;

const BOM: &[u8] = b"\xEF\xBB\xBF";
const CDATA: &str = "<![CDATA[";
const CDATA_END: &str = "]]>";
const DECLARATION: &str = "<?xml";
const DECLARATION_END: &str = "?>";
/// Source: XML 1.0, production 3.
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// An attribute of the element opened last, namespace bindings left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    /// The name as written, with its prefix.
    pub name: &'a str,
    /// The value, references resolved.
    pub value: Cow<'a, str>,
}

impl Attribute<'_> {
    /// The name without its prefix.
    pub(super) fn local(&self) -> &str {
        self.name.split_once(':').map_or(self.name, |(_, local)| local)
    }
}

/// What the walk came upon.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// An element begins.
    Open {
        /// Its name without prefix.
        local: &'a str,
        /// The same, when it means something.
        name: Option<Name>,
        /// Its namespace.
        space: Space,
    },
    /// The innermost element ends. `text` is its content, without white space around it, when it
    /// has no elements within.
    Close {
        /// The content of a leaf.
        text: Option<Cow<'a, str>>,
    },
    /// The message ends.
    End,
}

/// The name of an open element.
#[derive(Debug, Clone, Copy)]
struct Open<'a> {
    qualified: &'a str,
    local: &'a str,
}

/// A walk through one message.
pub(super) struct Walker<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    /// Bytes before `text`: the byte order mark.
    skipped: usize,
    limits: Limits,
    open: SmallVec<[Open<'a>; 24]>,
    bindings: Bindings<'a>,
    attributes: SmallVec<[Attribute<'a>; 2]>,
    elements: usize,
    /// Longest leaf from here on.
    text_len_max: usize,
    /// Content of the element opened last, while it is still a leaf.
    leaf: Option<Cow<'a, str>>,
    /// Whether that element may enclose base64: those whose names mean something are short.
    may_enclose: bool,
    /// Where that element's content begins.
    content_from: usize,
    /// Bytes of the message in leaves so far that are longer than `text_len_max`, and so base64.
    enclosed_len: usize,
    /// Whether line ends need to be made `\n`.
    has_returns: bool,
    /// Whether text may hold the end of a CDATA section that never began.
    has_brackets: bool,
    /// Where the event in hand begins.
    from: usize,
}

impl<'a> Walker<'a> {
    /// Begins a walk.
    ///
    /// Errors: too large, not UTF-8, or a character that XML forbids.
    pub(super) fn new(bytes: &'a [u8], limits: Limits) -> Result<Self, XmlError> {
        let refuse = |kind, offset| Err(XmlError { kind, path: "/".into(), offset });
        if bytes.len() > limits.report_len_max {
            return refuse(XmlErrorKind::TooLarge, limits.report_len_max);
        }
        let body = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let skipped = bytes.len() - body.len();
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(error) => return refuse(XmlErrorKind::Encoding, skipped + error.valid_up_to()),
        };
        if body.starts_with(BOM) {
            return refuse(XmlErrorKind::Malformed, skipped);
        }
        if let Some(at) = escape::bad_char(text) {
            return refuse(XmlErrorKind::BadCharacter, skipped + at);
        }
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        // The names of the open elements are kept here anyway, for paths.
        config.check_end_names = false;
        Ok(Self {
            reader,
            text,
            skipped,
            limits,
            open: SmallVec::new(),
            bindings: Bindings::default(),
            attributes: SmallVec::new(),
            elements: 0,
            text_len_max: limits.text_len_max,
            leaf: None,
            may_enclose: false,
            content_from: 0,
            enclosed_len: 0,
            has_returns: memchr::memchr(b'\r', body).is_some(),
            has_brackets: memchr::memchr(b']', body).is_some(),
            from: 0,
        })
    }

    /// The next element's begin or end.
    pub(super) fn next(&mut self) -> Result<Step<'a>, XmlError> {
        loop {
            self.from = self.position();
            let event = self.reader.read_event();
            // The event is looked at where it lies, and its text is taken from the message: moving
            // it out would cost as much as finding it did.
            match &event {
                Ok(Event::Start(tag)) => return self.enter(tag.name().as_ref().len()),
                Ok(Event::End(tag)) => return self.exit(tag.name().as_ref()),
                Ok(Event::Text(_)) => self.take(self.from, self.position())?,
                Ok(Event::CData(_)) => {
                    let (from, to) =
                        (self.from + CDATA.len(), self.position().saturating_sub(CDATA_END.len()));
                    self.quote(from, to)?;
                }
                Ok(Event::GeneralRef(reference)) => self.refer(reference)?,
                Ok(Event::Comment(_)) => {}
                Ok(Event::Decl(_)) => self.declare()?,
                Ok(Event::DocType(_)) => return Err(self.error(XmlErrorKind::Doctype)),
                Ok(Event::PI(_)) => return Err(self.error(XmlErrorKind::ProcessingInstruction)),
                Ok(Event::Eof) => return self.finish(),
                // The reader is told to expand these.
                Ok(Event::Empty(_)) => return Err(self.error(XmlErrorKind::Malformed)),
                Err(_) => return Err(self.malformed_markup()),
            }
        }
    }

    /// The attributes of the element opened last.
    pub(super) fn attributes(&self) -> &[Attribute<'a>] {
        &self.attributes
    }

    /// The message whose namespace it is.
    pub(super) fn message_of(&self, space: Space) -> Option<MessageId> {
        self.bindings.message(space)
    }

    /// Length of the message in bytes.
    pub(super) fn message_len(&self) -> usize {
        self.skipped + self.text.len()
    }

    /// Length in bytes of what came before the step in hand, enclosed base64 not counted.
    pub(super) fn plain_len(&self) -> usize {
        self.offset().saturating_sub(self.enclosed_len)
    }

    /// The ceilings in force.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where the step in hand begins.
    pub(super) fn offset(&self) -> usize {
        self.skipped + self.from
    }

    /// Lets leaves from here on be as long as a quoted message.
    pub(super) fn allow_quotes(&mut self) {
        self.text_len_max = self.limits.quoted_len_max;
    }

    /// An error at the place in hand.
    pub(super) fn error(&self, kind: XmlErrorKind) -> XmlError {
        self.error_at(kind, self.from)
    }

    fn error_at(&self, kind: XmlErrorKind, at: usize) -> XmlError {
        let path = path(self.open.iter().map(|open| open.local));
        XmlError { kind, path, offset: self.skipped + at }
    }

    /// quick-xml says where the broken markup begins; a document type it could not read is still
    /// one.
    fn malformed_markup(&self) -> XmlError {
        let at = usize::try_from(self.reader.error_position()).unwrap_or(self.from);
        let rest = self.text.get(at..).unwrap_or_default();
        let is_doctype = rest.get(..9).is_some_and(|s| s.eq_ignore_ascii_case("<!DOCTYPE"));
        let kind = if is_doctype { XmlErrorKind::Doctype } else { XmlErrorKind::Malformed };
        self.error_at(kind, at)
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The XML declaration must be the very first thing.
    fn declare(&self) -> Result<(), XmlError> {
        if self.from != 0 {
            return Err(self.error(XmlErrorKind::ProcessingInstruction));
        }
        let to = self.position().saturating_sub(DECLARATION_END.len());
        let said = self.text.get(DECLARATION.len()..to).unwrap_or_default();
        pairs::check_declaration(said).map_err(|kind| self.error(kind))
    }

    /// Text between tags; within a leaf it is content.
    fn take(&mut self, from: usize, to: usize) -> Result<(), XmlError> {
        let piece = self.text.get(from..to).unwrap_or_default();
        if self.open.is_empty() && !piece.bytes().all(|byte| byte.is_ascii_whitespace()) {
            return Err(self.error(XmlErrorKind::Malformed));
        }
        let stray = if self.has_brackets { piece.find(CDATA_END) } else { None };
        match stray {
            Some(at) => Err(self.error_at(XmlErrorKind::Malformed, from + at)),
            None => self.append(piece),
        }
    }

    /// A CDATA section; outside the root it is malformed even when it is empty.
    fn quote(&mut self, from: usize, to: usize) -> Result<(), XmlError> {
        if self.open.is_empty() {
            return Err(self.error(XmlErrorKind::Malformed));
        }
        self.append(self.text.get(from..to).unwrap_or_default())
    }

    fn refer(&mut self, reference: &str) -> Result<(), XmlError> {
        let c = escape::resolve(reference).map_err(|kind| self.error(kind))?;
        if self.open.is_empty() {
            return Err(self.error(XmlErrorKind::Malformed));
        }
        let Some(leaf) = &mut self.leaf else { return Ok(()) };
        let before = leaf.len();
        leaf.to_mut().push(c);
        self.check_leaf(before)
    }

    /// Adds a piece to the leaf, its line ends made `\n`.
    ///
    /// Source: XML 1.0, 2.11.
    fn append(&mut self, piece: &'a str) -> Result<(), XmlError> {
        let Some(leaf) = &mut self.leaf else { return Ok(()) };
        let before = leaf.len();
        if self.has_returns && piece.contains('\r') {
            leaf.to_mut().push_str(&piece.replace("\r\n", "\n").replace('\r', "\n"));
        } else if leaf.is_empty() {
            *leaf = Cow::Borrowed(piece);
        } else {
            leaf.to_mut().push_str(piece);
        }
        self.check_leaf(before)
    }

    /// Checks the leaf after a piece was added at `before`: what is longer than a text may be is
    /// base64. The pieces are looked at as they come, each once.
    fn check_leaf(&self, before: usize) -> Result<(), XmlError> {
        let Some(leaf) = &self.leaf else { return Ok(()) };
        if leaf.len() <= self.text_len_max {
            return Ok(());
        }
        let unseen = if before > self.text_len_max { before } else { 0 };
        match self.may_enclose && base64::has_its_letters(&leaf.as_bytes()[unseen..]) {
            true => Ok(()),
            false => Err(self.error(XmlErrorKind::TextTooLong)),
        }
    }

    /// Closes the leaf in hand, if there is one.
    fn close_leaf(&mut self) -> Result<Option<Cow<'a, str>>, XmlError> {
        let Some(leaf) = self.leaf.take() else { return Ok(None) };
        if leaf.len() > self.text_len_max {
            if !base64::is_whole(leaf.as_bytes()) {
                return Err(self.error(XmlErrorKind::TextTooLong));
            }
            self.enclosed_len += self.from - self.content_from;
        }
        Ok(Some(trimmed(leaf)))
    }

    fn exit(&mut self, qualified: &str) -> Result<Step<'a>, XmlError> {
        if self.open.last().is_none_or(|open| open.qualified != qualified) {
            return Err(self.error(XmlErrorKind::Malformed));
        }
        let text = self.close_leaf()?;
        self.bindings.leave(self.open.len());
        self.open.pop();
        Ok(Step::Close { text })
    }

    fn finish(&self) -> Result<Step<'a>, XmlError> {
        if self.elements == 0 || !self.open.is_empty() {
            return Err(self.error(XmlErrorKind::Malformed));
        }
        Ok(Step::End)
    }
}

/// Without XML's white space around it.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_space = |byte: Option<&u8>| byte.is_some_and(|byte| *byte <= b' ');
    if !is_space(text.as_bytes().first()) && !is_space(text.as_bytes().last()) {
        return text;
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(SPACE)),
        Cow::Owned(text) => Cow::Owned(text.trim_matches(SPACE).to_owned()),
    }
}

#[cfg(test)]
mod tests;
