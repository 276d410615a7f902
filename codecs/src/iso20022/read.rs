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
mod level;
mod place;
mod stated;

use leaf::Draft;
use level::Level;
use place::Place;

/// An open element: where its leaves belong, at which level, and its name.
#[derive(Clone, Copy)]
struct Frame {
    place: Place,
    level: Level,
    name: Option<Name>,
}

impl Frame {
    /// What is around the root.
    const OUTSIDE: Self = Self { place: Place::Outside, level: Level::Group, name: None };
}

/// Reads a message.
///
/// Shape:  a bare `Document`, or one in any wrapper, beside a business header or without; the
///         message is known by the namespace of its elements, whatever their prefix – of the
///         standard, or a national one that names a message of it – or without any namespace by
///         `MsgDefIdr` of the header.
/// Errors: what is refused, with path and offset.
pub fn read(bytes: &[u8]) -> Result<Iso20022<'_>, XmlError> {
    read_within(bytes, Limits::DEFAULT)
}

/// Reads a message within other ceilings than the switch's own.
pub fn read_within(bytes: &[u8], limits: Limits) -> Result<Iso20022<'_>, XmlError> {
    Reading::new(Walker::new(bytes, limits)?).run()
}

/// A walk that is under way.
struct Reading<'a> {
    walker: Walker<'a>,
    frames: SmallVec<[Frame; 24]>,
    /// The namespace of the body, once it was met.
    body: Option<Space>,
    /// Whether the body began with another element than `Document`, and so may be a wrapper.
    may_wrap: bool,
    /// Most bytes of the message before the step in hand, enclosed base64 not counted.
    plain_len_max: usize,
    header: Option<Header<'a>>,
    draft: Draft<'a>,
    /// Where the element opened last begins.
    opened_at: usize,
}

impl<'a> Reading<'a> {
    fn new(walker: Walker<'a>) -> Self {
        Self {
            walker,
            frames: SmallVec::new(),
            body: None,
            may_wrap: false,
            plain_len_max: usize::MAX,
            header: None,
            // Stands in until the message is known; nothing is handed out before.
            draft: Draft::new(MessageId::NONE),
            opened_at: 0,
        }
    }

    fn run(mut self) -> Result<Iso20022<'a>, XmlError> {
        loop {
            match self.walker.next()? {
                Step::Open { name, space, .. } => self.enter(name, space)?,
                Step::Close { text } => self.leave(text),
                Step::End => return self.finish(),
            }
            self.check_plain_len(self.plain_len_max)?;
        }
    }

    fn enter(&mut self, name: Option<Name>, space: Space) -> Result<(), XmlError> {
        let outer = self.frames.last().copied().unwrap_or(Frame::OUTSIDE);
        let place = match outer.place {
            Place::Outside => self.enter_outside(name, space)?,
            Place::Header => {
                self.note_header(self.walker.message_of(space));
                outer.place.inner(name)
            }
            Place::HeaderFrom | Place::HeaderTo | Place::Practice | Place::Skip => {
                outer.place.inner(name)
            }
            Place::Body if self.is_wrapped(name, space) => self.enter_wrapped(name, space)?,
            // Supplementary data and signatures may use the standard's names for something else.
            _ if self.body != Some(space) => Place::Skip,
            _ => outer.place.inner(name),
        };
        let place = self.draft.begin(place, outer, name);
        self.opened_at = self.walker.offset();
        self.frames.push(Frame { place, level: outer.level.inner(place, name), name });
        Ok(())
    }

    /// Wrappers are passed through until a header or a body begins.
    fn enter_outside(&mut self, name: Option<Name>, space: Space) -> Result<Place, XmlError> {
        let id = self.walker.message_of(space);
        match (name, id) {
            // National systems put it into the namespace of the message.
            (Some(Name::AppHdr), _) => {
                self.note_header(id);
                Ok(Place::Header)
            }
            (_, Some(id)) if id.family == Family::Header => {
                self.note_header(Some(id));
                Ok(Place::Header)
            }
            (_, Some(id)) if id.is_envelope() => Ok(Place::Outside),
            (Some(Name::Document), Some(id)) => self.begin_body(id, space, name),
            (_, Some(id)) if id.is_standard() => self.begin_body(id, space, name),
            (Some(Name::Document), None) if space == Space::None && self.body.is_none() => {
                self.body = Some(space);
                Ok(Place::Body)
            }
            (_, _) => Ok(Place::Outside),
        }
    }

    /// Whether an element within what seemed to be the body shows that it is a wrapper, in the
    /// namespace of its message: a header, or a document.
    fn is_wrapped(&self, name: Option<Name>, space: Space) -> bool {
        self.may_wrap
            && matches!(name, Some(Name::Document | Name::AppHdr))
            && self.walker.message_of(space).is_some()
    }

    /// Begins anew, with what is within the wrapper.
    fn enter_wrapped(&mut self, name: Option<Name>, space: Space) -> Result<Place, XmlError> {
        self.frames.iter_mut().for_each(|frame| *frame = Frame::OUTSIDE);
        (self.body, self.may_wrap) = (None, false);
        self.draft = Draft::new(MessageId::NONE);
        self.enter_outside(name, space)
    }

    /// There is a header; its version is that of the first of its elements that has a namespace.
    fn note_header(&mut self, id: Option<MessageId>) {
        let header = self.header.get_or_insert_default();
        header.version = header.version.or(id.filter(|id| id.family == Family::Header));
    }

    fn begin_body(
        &mut self,
        id: MessageId,
        space: Space,
        name: Option<Name>,
    ) -> Result<Place, XmlError> {
        if self.body.is_some() {
            return Ok(Place::Skip);
        }
        self.bound_len(id)?;
        if id.family == Family::MessageReject {
            self.walker.allow_quotes();
        }
        self.body = Some(space);
        self.may_wrap = name != Some(Name::Document);
        self.draft.message.message = id;
        Ok(Place::Body)
    }

    /// Bounds the message by what its family may have.
    fn bound_len(&mut self, id: MessageId) -> Result<(), XmlError> {
        if id.is_report() {
            return Ok(());
        }
        let Limits { payment_len_max, enclosing_len_max, .. } = *self.walker.limits();
        if self.walker.message_len() > enclosing_len_max {
            return Err(self.walker.error(XmlErrorKind::TooLarge));
        }
        self.plain_len_max = payment_len_max;
        Ok(())
    }

    fn check_plain_len(&self, max: usize) -> Result<(), XmlError> {
        match self.walker.plain_len() > max {
            true => Err(self.walker.error(XmlErrorKind::TooLarge)),
            false => Ok(()),
        }
    }

    fn leave(&mut self, text: Option<Cow<'a, str>>) {
        let Some(Frame { name, place, .. }) = self.frames.pop() else { return };
        let (Some(name), Some(text), Some(outer)) = (name, text, self.frames.last()) else {
            return;
        };
        if place == Place::Skip || text.is_empty() {
            return;
        }
        match outer.place {
            Place::Skip | Place::Counted | Place::Outside => {}
            Place::Header | Place::HeaderFrom | Place::HeaderTo | Place::Practice => {
                self.header.get_or_insert_default().keep(outer.place, name, text);
            }
            _ => {
                let currency = self.walker.attributes().iter().find(|a| a.name == "Ccy");
                match currency.map(|attribute| attribute.value.clone()) {
                    None => self.draft.keep(*outer, name, text),
                    Some(currency) => {
                        let amount = Amount::new(name.as_str(), text, currency, self.opened_at);
                        self.draft.keep_amount(*outer, name, amount);
                    }
                }
            }
        }
    }

    fn finish(mut self) -> Result<Iso20022<'a>, XmlError> {
        if let Some(id) = self.identified() {
            self.bound_len(id)?;
            self.draft.message.message = id;
        }
        // What follows the last tag counts too.
        self.check_plain_len(self.plain_len_max)?;
        if self.draft.message.message == MessageId::NONE {
            return Err(self.walker.error(XmlErrorKind::UnknownMessage));
        }
        let mut message = self.draft.finish();
        message.header = self.header;
        Ok(message)
    }

    /// Which message it is, where the namespace of its elements does not tell, or not exactly.
    fn identified(&self) -> Option<MessageId> {
        let stated = self.header.as_ref().and_then(|header| header.message.as_deref());
        let stated = stated.and_then(MessageId::of_header);
        let known = self.draft.message.message;
        match self.body {
            Some(Space::Message(_)) if known.is_standard() => None,
            Some(Space::Message(_)) => stated.filter(|id| id.family == known.family),
            // A document without a namespace is what its header says it is.
            Some(_) => stated,
            // A header may come alone.
            None => self.header.as_ref().and_then(|header| header.version),
        }
    }
}

#[cfg(test)]
mod tests;
