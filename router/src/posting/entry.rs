//! Entries: postings that balance, and cannot be made otherwise.

use smallvec::SmallVec;

use super::{Posting, Postings, Side, is_guarded};
use crate::id::AccountId;
use crate::money::{Currency, Money, MoneyError};

/// What one record moves between accounts.
///
/// Shape:  each line is more than zero, and the lines of each currency sum to zero; no lines where
///         nothing moves. There is no other way to make one than [`Entry::new`], so an entry that
///         does not balance cannot be written, and one that is read was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    lines: Postings,
}

/// Why postings are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Debits and credits differ.
    #[error(
        "the entry on {account} is off by {off_minor} minor units of {currency}, debits less credits"
    )]
    Unbalanced {
        /// The account of the first line in the currency.
        account: AccountId,
        /// In which currency.
        currency: Currency,
        /// Debits less credits, in minor units.
        off_minor: i128,
    },
    /// A line of zero or less.
    #[error("the entry has a line of {minor} minor units on {account}")]
    NotPositive {
        /// The account.
        account: AccountId,
        /// Its amount.
        minor: i64,
    },
}

impl Entry {
    /// The entry of these lines.
    ///
    /// Errors: a line that is not more than zero; a currency whose lines do not sum to zero.
    pub fn new(lines: Postings) -> Result<Self, EntryError> {
        let mut sums: SmallVec<[(AccountId, Currency, i128); 2]> = SmallVec::new();
        for Posting { account, side, amount } in &lines {
            let Money { minor, currency } = *amount;
            if minor <= 0 {
                return Err(EntryError::NotPositive { account: *account, minor });
            }
            let debit = match side {
                Side::Debit => i128::from(minor),
                Side::Credit => -i128::from(minor),
            };
            match sums.iter_mut().find(|sum| sum.1 == currency) {
                Some(sum) => sum.2 += debit,
                None => sums.push((*account, currency, debit)),
            }
        }
        match sums.into_iter().find(|sum| sum.2 != 0) {
            None => Ok(Self { lines }),
            Some((account, currency, off_minor)) => {
                Err(EntryError::Unbalanced { account, currency, off_minor })
            }
        }
    }

    /// Two lines of one amount.
    ///
    /// Errors: an amount that is not more than zero.
    pub fn pair(debit: AccountId, credit: AccountId, amount: Money) -> Result<Self, EntryError> {
        let line = |account, side| Posting { account, side, amount };
        Self::new([line(debit, Side::Debit), line(credit, Side::Credit)].into_iter().collect())
    }

    /// What is left of lines when those of one account and currency are added up.
    ///
    /// Errors: `Overflow` when what is left on an account leaves i64. The lines of whole entries
    /// leave an entry.
    pub fn net(lines: impl IntoIterator<Item = Posting>) -> Result<Postings, MoneyError> {
        let mut sums: SmallVec<[(AccountId, Currency, i128); 4]> = SmallVec::new();
        for line in lines {
            let currency = line.amount.currency;
            match sums.iter_mut().find(|sum| (sum.0, sum.1) == (line.account, currency)) {
                Some(sum) => sum.2 += line.credit_minor(),
                None => sums.push((line.account, currency, line.credit_minor())),
            }
        }
        let left = sums.into_iter().filter(|sum| sum.2 != 0);
        left.map(|(account, currency, credit)| {
            let side = if credit < 0 { Side::Debit } else { Side::Credit };
            let minor = i64::try_from(credit.unsigned_abs()).map_err(|_| MoneyError::Overflow)?;
            Ok(Posting { account, side, amount: Money::new(minor, currency) })
        })
        .collect()
    }

    /// Its lines.
    pub fn lines(&self) -> &[Posting] {
        &self.lines
    }

    /// Whether it moves nothing.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines that take everything back.
    pub fn contra(&self) -> impl Iterator<Item = Posting> {
        self.lines.iter().map(|line| Posting { side: line.side.other(), ..*line })
    }

    /// What it takes from an account in a currency, in minor units: debits less credits.
    pub fn net_debit(&self, account: &AccountId, currency: Currency) -> i128 {
        let of_account =
            |line: &&Posting| line.amount.currency == currency && line.account == *account;
        -self.lines.iter().filter(of_account).map(Posting::credit_minor).sum::<i128>()
    }

    /// How it moves the accounts that the guard keeps: the account and what it gains, negative
    /// where it loses. One item for each line.
    pub fn guarded_moves(&self) -> impl Iterator<Item = (AccountId, Money)> {
        let guarded = self.lines.iter().filter(|line| is_guarded(&line.account));
        guarded.map(|line| {
            let Money { minor, currency } = line.amount;
            let gained = match line.side {
                Side::Debit => -minor,
                Side::Credit => minor,
            };
            (line.account, Money::new(gained, currency))
        })
    }

    /// What it takes from the accounts that the guard keeps: the account and how much, more than
    /// zero. One item for each line.
    pub fn guarded_debits(&self) -> impl Iterator<Item = (AccountId, Money)> {
        let debits =
            self.lines.iter().filter(|line| line.side == Side::Debit && is_guarded(&line.account));
        debits.map(|line| (line.account, line.amount))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::posting::account;
    use crate::testing::{self, pesos};

    fn line(name: &str, side: Side, amount: Money) -> Posting {
        Posting { account: account("test", name), side, amount }
    }

    fn entry(lines: &[Posting]) -> Result<Entry, EntryError> {
        Entry::new(lines.iter().copied().collect())
    }

    #[test]
    fn an_entry_must_be_positive_and_sum_to_zero_in_each_currency() {
        let dollars = |minor| Money::new(minor, testing::currency("USD"));
        let balanced = [
            line("a", Side::Debit, pesos(10)),
            line("b", Side::Credit, pesos(7)),
            line("c", Side::Credit, pesos(3)),
            line("d", Side::Debit, dollars(1)),
            line("b", Side::Credit, dollars(1)),
        ];
        assert!(entry(&balanced).is_ok());
        assert!(entry(&[]).unwrap().is_empty());
        let (currency, account) = (testing::currency("USD"), balanced[3].account);
        let unbalanced = EntryError::Unbalanced { account, currency, off_minor: 1 };
        assert_eq!(entry(&balanced[..4]), Err(unbalanced));
        assert_eq!(
            unbalanced.to_string(),
            "the entry on test:d is off by 1 minor units of USD, debits less credits"
        );
        for minor in [0, -1] {
            let zero =
                [line("a", Side::Debit, pesos(minor)), line("b", Side::Credit, pesos(minor))];
            let account = zero[0].account;
            assert_eq!(entry(&zero), Err(EntryError::NotPositive { account, minor }));
        }
        let huge = line("a", Side::Debit, pesos(i64::MAX));
        assert!(entry(&[huge, huge]).is_err(), "a sum does not wrap");
    }

    #[test]
    fn the_guard_keeps_floats_and_caps_alone() {
        let amount = pesos(5);
        let names = ["float:1", "payable:isp", "cap:bank-a:MXN", "cap_used:bank-a:MXN"];
        let [float, payable, cap, used] = names.map(|name| AccountId::new(name).unwrap());
        let line = |account, side| Posting { account, side, amount };
        let lines = [
            line(float, Side::Debit),
            line(payable, Side::Credit),
            line(cap, Side::Debit),
            line(used, Side::Credit),
        ];
        let moves: Vec<_> = entry(&lines).unwrap().guarded_moves().collect();
        assert_eq!(moves, [(float, pesos(-5)), (cap, pesos(-5))]);
    }

    proptest! {
        #[test]
        fn an_entry_and_its_contra_leave_nothing(
            parts in proptest::collection::vec((1_i64..1 << 40, 0_u8..3, 0_u8..3), 0..8),
        ) {
            let names = ["a", "b", "c"];
            let pair = |(minor, debit, credit): &(i64, u8, u8)| {
                let (debit, credit) = (names[usize::from(*debit)], names[usize::from(*credit)]);
                [line(debit, Side::Debit, pesos(*minor)), line(credit, Side::Credit, pesos(*minor))]
            };
            let lines: Vec<_> = parts.iter().flat_map(pair).collect();
            let made = entry(&lines).unwrap();
            let both = made.lines().iter().copied().chain(made.contra());
            prop_assert_eq!(Entry::net(both).unwrap().len(), 0);
            let netted = Entry::new(Entry::net(lines).unwrap()).unwrap();
            for name in names {
                let (account, currency) = (account("test", name), testing::currency("MXN"));
                let debit = made.net_debit(&account, currency);
                prop_assert_eq!(netted.net_debit(&account, currency), debit);
            }
        }
    }
}
