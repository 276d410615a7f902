//! What a statement is: its name in metrics and errors, its text, and what it does.

/// One statement, prepared when it is first executed.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) kind: &'static str,
    pub(crate) text: &'static str,
    pub(crate) way: Way,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Reads what a quorum has.
    Read,
    /// Reads what has been agreed on, and finishes what is being agreed on.
    ReadAgreed,
    /// Writes without a condition; done twice it does no more than once.
    Write,
    /// Writes on a condition.
    Conditional,
}

impl Statement {
    pub(crate) const fn read(kind: &'static str, text: &'static str) -> Self {
        Self { kind, text, way: Way::Read }
    }

    pub(crate) const fn read_agreed(kind: &'static str, text: &'static str) -> Self {
        Self { kind, text, way: Way::ReadAgreed }
    }

    pub(crate) const fn write(kind: &'static str, text: &'static str) -> Self {
        Self { kind, text, way: Way::Write }
    }

    pub(crate) const fn conditional(kind: &'static str, text: &'static str) -> Self {
        Self { kind, text, way: Way::Conditional }
    }

    pub(crate) fn is_conditional(&self) -> bool {
        self.way == Way::Conditional
    }
}
