//! Which namespace a prefix stands for, at the place where the walk is.

use smallvec::SmallVec;

use super::message_id::MessageId;

/// The namespace of an element, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Space {
    /// No namespace.
    #[default]
    None,
    /// The one of an ISO 20022 message or header.
    Message(MessageId),
    /// Any other: a scheme's wrapper, a signature.
    Foreign,
}

impl Space {
    fn of(uri: &str) -> Self {
        match (uri, MessageId::of_namespace(uri)) {
            ("", _) => Self::None,
            (_, Some(id)) => Self::Message(id),
            (_, None) => Self::Foreign,
        }
    }
}

struct Binding<'a> {
    /// Empty for the default namespace.
    prefix: &'a str,
    space: Space,
    depth: usize,
}

/// The bindings in force, innermost last.
#[derive(Default)]
pub(super) struct Bindings<'a>(SmallVec<[Binding<'a>; 4]>);

impl<'a> Bindings<'a> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Binds a prefix for the element at a depth and everything within.
    pub(super) fn bind(&mut self, prefix: &'a str, uri: &str, depth: usize) {
        self.0.push(Binding { prefix, space: Space::of(uri), depth });
    }

    /// Forgets what an element bound.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.0.last().is_some_and(|binding| binding.depth >= depth) {
            self.0.pop();
        }
    }

    /// The namespace of a prefix; nothing when no namespace is bound to it.
    pub(super) fn find(&self, prefix: &str) -> Option<Space> {
        let bound = self.0.iter().rev().find(|binding| binding.prefix == prefix);
        match (bound, prefix) {
            (Some(binding), _) => Some(binding.space),
            (None, "") => Some(Space::None),
            (None, "xml") => Some(Space::Foreign),
            (None, _) => None,
        }
    }
}
