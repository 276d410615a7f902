//! Ceilings of one message, all of them named.

/// How much of everything a message may have.
///
/// Units:  `…_len_max` in bytes; the others count.
/// Source: research/codecs.md 5.4. Each is a multiple of what the widest real message uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest message of any family but camt, leaves of base64 not counted.
    pub payment_len_max: usize,
    /// Longest message of any family but camt, enclosed documents and signatures included.
    pub enclosing_len_max: usize,
    /// Longest camt message, and so the longest of all.
    pub report_len_max: usize,
    /// Deepest element; the root is at depth 1.
    pub depth_max: usize,
    /// Most elements.
    pub elements_max: usize,
    /// Most attributes of one element, namespace bindings included.
    pub attributes_max: usize,
    /// Longest content of one leaf that is not base64; one of base64 ends with the message.
    pub text_len_max: usize,
    /// Longest content of a leaf of admi.002, which may quote a whole message.
    pub quoted_len_max: usize,
    /// Most namespace bindings in force at one place.
    pub bindings_max: usize,
    /// Longest name of an element or attribute.
    pub name_len_max: usize,
}

impl Limits {
    /// What the switch uses.
    ///
    /// `AddtlData` of admi.002 holds up to 20,000 characters, of up to four bytes each. The schemas
    /// allow enclosed files of 10 MB (`Max10MbBinary`), of which 6 MB are taken.
    pub const DEFAULT: Self = Self {
        payment_len_max: 256 * 1024,
        enclosing_len_max: 8 * 1024 * 1024,
        report_len_max: 10 * 1024 * 1024,
        depth_max: 64,
        elements_max: 50_000,
        attributes_max: 16,
        text_len_max: 8 * 1024,
        quoted_len_max: 80_000,
        bindings_max: 16,
        name_len_max: 128,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
