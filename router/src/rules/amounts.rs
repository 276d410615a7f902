//! Ranges of amounts, found by an amount within them.
//!
//! A range is cut into aligned blocks whose lengths are powers of two, as a routing table cuts a range
//! of addresses into prefixes: an amount is in one block of each length at most.

use std::collections::HashMap;

use super::index::{ListedRule, RulePositions};

/// Blocks that a range is cut into at most, and that an amount is looked for in at most.
pub(super) const BLOCKS_MAX: usize = 128;

/// Rules by the amounts they name.
#[derive(Debug, Clone, Default)]
pub(super) struct AmountRanges {
    blocks: HashMap<Block, RulePositions>,
    /// A bit for each length that a block has.
    lengths: u64,
}

/// Amounts that are equal in minor units but for their lowest `bits` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Block {
    bits: u32,
    number: i64,
}

impl AmountRanges {
    /// Adds a rule for amounts from `least` to `most`, both inclusive.
    pub fn add(&mut self, least: i64, most: i64, rule: ListedRule) {
        for block in blocks(least, most) {
            self.lengths |= 1 << block.bits;
            self.blocks.entry(block).or_default().push(rule);
        }
    }

    /// The rules that an amount is in the range of, in no order.
    pub fn of(&self, amount_minor: i64) -> impl Iterator<Item = &RulePositions> {
        let lengths = (0..u64::BITS).filter(|bits| self.lengths >> bits & 1 == 1);
        lengths
            .filter_map(move |bits| self.blocks.get(&Block { bits, number: amount_minor >> bits }))
    }
}

/// The blocks that make up a range, from its lower end; none where it is empty.
fn blocks(least: i64, most: i64) -> impl Iterator<Item = Block> {
    let (mut next, end) = (i128::from(least), i128::from(most) + 1);
    std::iter::from_fn(move || {
        let left = u128::try_from(end - next).ok().filter(|left| *left > 0)?;
        // No amount has more bits than 64; the last of them is the sign.
        let bits = next.trailing_zeros().min(left.ilog2()).min(u64::BITS - 1);
        let number = i64::try_from(next >> bits).expect("invariant: amounts are 64 bits");
        next += 1 << bits;
        Some(Block { bits, number })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(ranges: &AmountRanges, amount: i64) -> Vec<u32> {
        ranges.of(amount).flatten().map(|rule| rule.position).collect()
    }

    #[test]
    fn every_amount_is_in_the_range_of_all_amounts_once() {
        let mut ranges = AmountRanges::default();
        ranges.add(i64::MIN, i64::MAX, ListedRule::of_all(7));
        for amount in [i64::MIN, -1, 0, 1, 12_345, i64::MAX] {
            assert_eq!(found(&ranges, amount), [7], "{amount}");
        }
    }

    #[test]
    fn an_empty_range_holds_nothing() {
        let mut ranges = AmountRanges::default();
        ranges.add(10, 9, ListedRule::of_all(1));
        ranges.add(i64::MAX, i64::MIN, ListedRule::of_all(2));
        assert_eq!(found(&ranges, 9), Vec::<u32>::new());
        assert!(ranges.blocks.is_empty());
    }

    proptest! {
        #[test]
        fn an_amount_is_found_once_in_each_range_that_holds_it_and_in_no_other(
            least in any::<i64>(),
            len in prop_oneof![0_i64..100, any::<i64>()],
            off in prop_oneof![-100_i64..100, any::<i64>()],
        ) {
            let most = least.saturating_add(len);
            let mut ranges = AmountRanges::default();
            ranges.add(least, most, ListedRule::of_all(1));
            prop_assert!(ranges.blocks.len() <= BLOCKS_MAX);
            for amount in [least.saturating_add(off), most.saturating_add(off), least, most] {
                let expect: &[u32] = if (least..=most).contains(&amount) { &[1] } else { &[] };
                prop_assert_eq!(found(&ranges, amount), expect, "{} in {}..={}", amount, least, most);
            }
        }
    }
}
