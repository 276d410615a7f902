//! Which namespace a prefix stands for, at the place where the walk is.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::error::XmlErrorKind;
use super::message_id::MessageId;

/// The namespace of an element, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Space {
    /// No namespace.
    #[default]
    None,
    /// The one of an ISO 20022 message or header, by its place among those met.
    Message(u8),
    /// Any other: a scheme's wrapper, a signature.
    Foreign,
}

/// A namespace among those bound, whatever its prefix: names up to thousands of bytes long are
/// compared when they are bound, and no more for each attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NamespaceId(usize);

impl NamespaceId {
    /// The one of the prefix `xml`, which is bound from the start.
    const XML: Self = Self(0);
}

struct Binding<'a> {
    /// Empty for the default namespace.
    prefix: &'a str,
    uri: Cow<'a, str>,
    /// The same for all bindings of a `uri`.
    id: NamespaceId,
    space: Space,
    depth: usize,
}

/// The bindings in force, innermost last.
#[derive(Default)]
pub(super) struct Bindings<'a> {
    bound: SmallVec<[Binding<'a>; 4]>,
    /// How many identifiers were given out.
    ids: usize,
    /// The messages whose namespaces were met. Few are, and two numbers are compared faster than
    /// two identifiers.
    messages: SmallVec<[MessageId; 2]>,
}

/// What the prefix `xml` stands for everywhere, and no other may.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// What bindings themselves are in, and nothing else may be.
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// Most namespaces of messages told apart; a message has two, and an attack gains nothing.
const MESSAGES_MAX: u8 = 32;

impl<'a> Bindings<'a> {
    pub(super) fn len(&self) -> usize {
        self.bound.len()
    }

    /// Binds a prefix for the element at a depth and everything within.
    ///
    /// Errors: a reserved prefix or namespace, and a prefix without any namespace.
    /// Source: Namespaces in XML 1.0, 2.2 and 3.
    pub(super) fn bind(
        &mut self,
        prefix: &'a str,
        uri: Cow<'a, str>,
        depth: usize,
    ) -> Result<(), XmlErrorKind> {
        match (prefix, &*uri) {
            ("xml", XML) => {}
            ("xml" | "xmlns", _) | (_, XML | XMLNS) => return Err(XmlErrorKind::ReservedPrefix),
            (prefix, uri) if uri.is_empty() && !prefix.is_empty() => {
                return Err(XmlErrorKind::UnboundPrefix);
            }
            _ => {}
        }
        let (id, space) = (self.id_of(&uri), self.space(&uri));
        self.bound.push(Binding { prefix, uri, id, space, depth });
        Ok(())
    }

    fn id_of(&mut self, uri: &str) -> NamespaceId {
        if uri == XML {
            return NamespaceId::XML;
        }
        if let Some(known) = self.bound.iter().find(|known| known.uri == uri) {
            return known.id;
        }
        self.ids += 1;
        NamespaceId(self.ids)
    }

    fn space(&mut self, uri: &str) -> Space {
        let Some(id) = MessageId::of_namespace(uri) else {
            return if uri.is_empty() { Space::None } else { Space::Foreign };
        };
        let known = (0..).zip(&self.messages).find(|(_, known)| **known == id);
        match (known, u8::try_from(self.messages.len())) {
            (Some((number, _)), _) => Space::Message(number),
            (None, Ok(number)) if number < MESSAGES_MAX => {
                self.messages.push(id);
                Space::Message(number)
            }
            (None, _) => Space::Foreign,
        }
    }

    /// The message whose namespace it is.
    pub(super) fn message(&self, space: Space) -> Option<MessageId> {
        match space {
            Space::Message(number) => self.messages.get(usize::from(number)).copied(),
            Space::None | Space::Foreign => None,
        }
    }

    /// Forgets what an element bound.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.bound.last().is_some_and(|binding| binding.depth >= depth) {
            self.bound.pop();
        }
    }

    /// The namespace of an element's prefix; nothing when no namespace is bound to it.
    pub(super) fn find(&self, prefix: &str) -> Option<Space> {
        match (self.binding(prefix), prefix) {
            (Some(binding), _) => Some(binding.space),
            (None, "") => Some(Space::None),
            (None, "xml") => Some(Space::Foreign),
            (None, _) => None,
        }
    }

    /// The namespace of an attribute's prefix; nothing when none is bound to it.
    pub(super) fn id(&self, prefix: &str) -> Option<NamespaceId> {
        match self.binding(prefix) {
            Some(binding) => Some(binding.id),
            None => (prefix == "xml").then_some(NamespaceId::XML),
        }
    }

    fn binding(&self, prefix: &str) -> Option<&Binding<'a>> {
        // Two empty texts are not compared: that costs hundreds of cycles, since they are nowhere
        // in memory and the processor must first suppress a fault.
        let is_it = |binding: &&Binding<'_>| match prefix.is_empty() {
            true => binding.prefix.is_empty(),
            false => binding.prefix == prefix,
        };
        self.bound.iter().rev().find(is_it)
    }
}
