//! Which of the amounts around a transaction says what moves.

use crate::iso20022::amount::Amount;
use crate::iso20022::canonical::Transaction;
use crate::iso20022::name::Name;

/// Whether an element of a message's body, within `outer`, states what a transaction moves.
///
/// Shape: `Amt` does in a notice to receive, and where an equivalent amount is instructed; anywhere
///        else it is an amount of something else.
pub(super) fn is_stated_amount(name: Name, outer: Option<Name>) -> bool {
    use Name::*;
    match name {
        Amt => matches!(outer, Some(EqvtAmt | Itm)),
        AmtWthCcy | InstdAmt | IntrBkSttlmAmt | OrgnlInstdAmt | OrgnlIntrBkSttlmAmt
        | RtrdInstdAmt | RtrdIntrBkSttlmAmt | RvsdInstdAmt | RvsdIntrBkSttlmAmt => true,
        _ => false,
    }
}

impl<'a> Transaction<'a> {
    /// Keeps the amount that says most about what moves, and of equals the first.
    pub(super) fn keep_amount(&mut self, amount: Amount<'a>) {
        fn rank(element: &str) -> u8 {
            match element {
                "RtrdIntrBkSttlmAmt" | "RvsdIntrBkSttlmAmt" => 0,
                "IntrBkSttlmAmt" => 1,
                "RtrdInstdAmt" | "RvsdInstdAmt" => 2,
                "InstdAmt" => 3,
                "OrgnlIntrBkSttlmAmt" => 5,
                "OrgnlInstdAmt" => 6,
                _ => 4,
            }
        }
        if self.amount.as_ref().is_none_or(|kept| rank(amount.element) < rank(kept.element)) {
            self.amount = Some(amount);
        }
    }

    /// Keeps an amount that an entry's details are made of, where they state none themselves: that
    /// of the transaction before that which was instructed.
    pub(super) fn keep_amount_of_details(&mut self, amount: Amount<'a>) {
        let is_instructed = |amount: &Amount<'_>| amount.element == Name::InstdAmt.as_str();
        if self.amount.as_ref().is_none_or(|kept| is_instructed(kept) && !is_instructed(&amount)) {
            self.amount = Some(amount);
        }
    }
}
