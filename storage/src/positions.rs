//! Where the records of one payment stand in the journal.

use smallvec::SmallVec;

use crate::packing::{Reader, put_i64};
use crate::record::DecodeError;

/// Positions of a payment's records, ascending; most payments have two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(SmallVec<[u64; 2]>);

impl Positions {
    /// Of the record that begins a payment.
    pub fn new(sequence: u64) -> Self {
        Self([sequence].into_iter().collect())
    }

    /// Adds a later record.
    pub fn push(&mut self, sequence: u64) {
        self.0.push(sequence);
    }

    /// The positions, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }

    /// Position of the last record; 0 when there is none.
    pub fn last(&self) -> u64 {
        self.0.last().copied().unwrap_or(0)
    }

    /// As a row keeps them: the first, then how far each is from the one before.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mut bytes, mut before) = (Vec::with_capacity(8 + self.0.len()), 0_u64);
        for sequence in self.iter() {
            put_i64(sequence.wrapping_sub(before).cast_signed(), &mut bytes);
            before = sequence;
        }
        bytes
    }

    /// From a row.
    ///
    /// Errors: [`DecodeError`] when the bytes end within a position.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (mut reader, mut before) = (Reader::new(bytes), 0_u64);
        let mut positions = Self::default();
        while !reader.rest().is_empty() {
            before = before.wrapping_add(reader.i64()?.cast_unsigned());
            positions.push(before);
        }
        Ok(positions)
    }
}

impl FromIterator<u64> for Positions {
    fn from_iter<T: IntoIterator<Item = u64>>(positions: T) -> Self {
        Self(positions.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_and_those_of_one_payment_take_few_bytes() {
        for positions in [vec![], vec![1], vec![7, 9, u64::MAX], vec![10_000_000, 10_000_140]] {
            let positions: Positions = positions.into_iter().collect();
            assert_eq!(Positions::from_bytes(&positions.to_bytes()), Ok(positions));
        }
        let usual: Positions = [20_000_000, 20_000_060].into_iter().collect();
        assert_eq!(usual.to_bytes().len(), 5);
        assert!(Positions::from_bytes(&[0x80]).is_err());
    }
}
