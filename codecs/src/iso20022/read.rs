//! Bytes to the canonical message, in one walk.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::amount::Amount;
use super::canonical::{Header, Iso20022};
use super::error::{XmlError, XmlErrorKind};
use super::limits::Limits;
use super::message_id::{Family, MessageId};
use super::name::Name;
use super::namespace::Space;
use super::walk::{Step, Walker};

mod leaf;
mod place;

use place::Place;

/// An open element: where its leaves belong, and its name.
#[derive(Clone, Copy)]
struct Frame {
    place: Place,
    name: Option<Name>,
}

/// Reads a message.
///
/// Shape:  a bare `Document`, or one in any wrapper, beside a business header or without; the
///         message is known by the namespace of its elements, whatever their prefix, or without
///         any namespace by `MsgDefIdr` of the header.
/// Errors: what is refused, with path and offset.
pub fn read(bytes: &[u8]) -> Result<Iso20022<'_>, XmlError> {
    read_within(bytes, Limits::DEFAULT)
}

/// Reads a message within other ceilings than the switch's own.
pub fn read_within(bytes: &[u8], limits: Limits) -> Result<Iso20022<'_>, XmlError> {
    Reading::new(Walker::new(bytes, limits)?).run()
}

/// A message half read.
struct Reading<'a> {
    walker: Walker<'a>,
    frames: SmallVec<[Frame; 24]>,
    /// The namespace of the body, once it was met.
    body: Option<Space>,
    header: Option<Header<'a>>,
    found: Iso20022<'a>,
    /// Where the element opened last begins.
    opened_at: usize,
}

impl<'a> Reading<'a> {
    fn new(walker: Walker<'a>) -> Self {
        // Stands in until the message is known; nothing is handed out before.
        let unknown = MessageId::NONE;
        let found = Iso20022::new(unknown);
        Self { walker, frames: SmallVec::new(), body: None, header: None, found, opened_at: 0 }
    }

    fn run(mut self) -> Result<Iso20022<'a>, XmlError> {
        loop {
            match self.walker.next()? {
                Step::Open { name, space, .. } => self.enter(name, space)?,
                Step::Close { text } => self.leave(text),
                Step::End => return self.finish(),
            }
        }
    }

    fn enter(&mut self, name: Option<Name>, space: Space) -> Result<(), XmlError> {
        let outer = self.frames.last().map_or(Place::Outside, |frame| frame.place);
        let place = match outer {
            Place::Outside => self.enter_outside(name, space)?,
            Place::Header => {
                self.note_header(self.walker.message_of(space));
                outer.inner(name)
            }
            Place::HeaderFrom | Place::HeaderTo | Place::Skip => outer.inner(name),
            // Supplementary data and signatures may use the standard's names for something else.
            _ if self.body != Some(space) => Place::Skip,
            _ => outer.inner(name),
        };
        let place = self.found.begin(place, outer, name);
        self.opened_at = self.walker.offset();
        self.frames.push(Frame { place, name });
        Ok(())
    }

    /// Wrappers are passed through until a header or a body begins.
    fn enter_outside(&mut self, name: Option<Name>, space: Space) -> Result<Place, XmlError> {
        let id = self.walker.message_of(space);
        match (name, id) {
            (_, Some(id)) if id.family != Family::Header => self.begin_body(id, space),
            (Some(Name::AppHdr), _) | (_, Some(_)) => {
                self.note_header(id);
                Ok(Place::Header)
            }
            (Some(Name::Document), None) if space == Space::None && self.body.is_none() => {
                self.body = Some(space);
                Ok(Place::Body)
            }
            (_, None) => Ok(Place::Outside),
        }
    }

    /// There is a header; its version is that of the first of its elements that has a namespace.
    fn note_header(&mut self, id: Option<MessageId>) {
        let header = self.header.get_or_insert_default();
        header.version = header.version.or(id.filter(|id| id.family == Family::Header));
    }

    fn begin_body(&mut self, id: MessageId, space: Space) -> Result<Place, XmlError> {
        if self.body.is_some() {
            return Ok(Place::Skip);
        }
        self.check_len(id)?;
        if id.family == Family::MessageReject {
            self.walker.allow_quotes();
        }
        self.body = Some(space);
        self.found.message = id;
        Ok(Place::Body)
    }

    fn check_len(&self, id: MessageId) -> Result<(), XmlError> {
        let is_long = self.walker.message_len() > self.walker.limits().payment_len_max;
        match is_long && !id.is_report() {
            true => Err(self.walker.error(XmlErrorKind::TooLarge)),
            false => Ok(()),
        }
    }

    fn leave(&mut self, text: Option<Cow<'a, str>>) {
        let Some(Frame { name, place }) = self.frames.pop() else { return };
        let (Some(name), Some(text), Some(outer)) = (name, text, self.frames.last()) else {
            return;
        };
        if place == Place::Skip || text.is_empty() {
            return;
        }
        match outer.place {
            Place::Skip | Place::Outside => {}
            Place::Header | Place::HeaderFrom | Place::HeaderTo => {
                self.header.get_or_insert_default().keep(outer.place, name, text);
            }
            _ => {
                let currency = self.walker.attributes().iter().find(|a| a.name == "Ccy");
                match currency.map(|attribute| attribute.value.clone()) {
                    None => self.found.keep(*outer, name, text),
                    Some(currency) => {
                        let amount = Amount::new(name.as_str(), text, currency, self.opened_at);
                        self.found.keep_amount(outer.place, name, amount);
                    }
                }
            }
        }
    }

    fn finish(mut self) -> Result<Iso20022<'a>, XmlError> {
        let header = self.header.as_ref();
        let unnamed = match self.body {
            Some(Space::Message(_)) => None,
            // A document without a namespace is what its header says it is.
            Some(_) => header.and_then(|h| h.message.as_deref()).and_then(MessageId::parse),
            // A header may come alone.
            None => header.and_then(|header| header.version),
        };
        if let Some(id) = unnamed {
            self.check_len(id)?;
            self.found.message = id;
        }
        if self.found.message == MessageId::NONE {
            return Err(self.walker.error(XmlErrorKind::UnknownMessage));
        }
        self.found.header = self.header.take();
        Ok(self.found)
    }
}

#[cfg(test)]
mod tests;
