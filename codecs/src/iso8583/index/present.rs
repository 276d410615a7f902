//! Which fields a message has.

/// A set of fields: bit 63 of the first word is field 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::iso8583) struct Present(pub(in crate::iso8583) [u64; 3]);

impl Present {
    #[inline]
    fn place(field: u8) -> (usize, u64) {
        let bit = usize::from(field.wrapping_sub(1));
        (bit / 64, 1 << 63 >> (bit % 64))
    }

    #[inline]
    pub(in crate::iso8583) fn has(&self, field: u8) -> bool {
        let (word, bit) = Self::place(field);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    #[inline]
    pub(in crate::iso8583) fn insert(&mut self, field: u8) {
        let (word, bit) = Self::place(field);
        self.0[word] |= bit;
    }

    #[inline]
    pub(super) fn remove(&mut self, field: u8) {
        let (word, bit) = Self::place(field);
        self.0[word] &= !bit;
    }

    /// The fields below one.
    pub(super) fn below(mut self, field: u8) -> Self {
        let (word, bit) = Self::place(field);
        for (at, bits) in self.0.iter_mut().enumerate() {
            *bits &= match at.cmp(&word) {
                std::cmp::Ordering::Less => u64::MAX,
                std::cmp::Ordering::Equal => !(bit | (bit - 1)),
                std::cmp::Ordering::Greater => 0,
            };
        }
        self
    }

    /// The lowest field, taken out.
    #[inline]
    pub(super) fn take(&mut self) -> Option<u8> {
        for (word, base) in self.0.iter_mut().zip([1, 65, 129]) {
            if *word != 0 {
                let zeros = word.leading_zeros();
                *word &= !(1 << 63 >> zeros);
                return u8::try_from(zeros + base).ok();
            }
        }
        None
    }
}
