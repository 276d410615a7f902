//! Double-entry postings: what a payment moves between accounts.

use smallvec::SmallVec;

use crate::fee::Charge;
use crate::id::{AccountId, FloatRef};
use crate::message::{Originator, Rail};
use crate::money::{Money, MoneyError};
use crate::plan::account;
use crate::policy::FloatDebits;

/// Debit or credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// D.
    Debit,
    /// C.
    Credit,
}

/// One line of a journal entry; the amount is more than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: AccountId,
    /// Which side of it.
    pub side: Side,
    /// How much.
    pub amount: Money,
}

/// The lines of one entry; they sum to zero per currency.
pub type Postings = SmallVec<[Posting; 4]>;

/// Where the money of a payment comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// A participant, who owes it from now on: `clearing:<rail>`.
    ///
    /// Named after the rail and not after the participant, so that a change of route before
    /// anything left changes no posting; who owes it is in the payment's last attempt.
    Clearing(Rail),
    /// A collector's prefunded float, `float:<ref>`. Where it loses the amount alone, the payer's
    /// fees stay with the collector as cash: `collector_cash:<ref>`.
    Float(&'a FloatRef, FloatDebits),
}

/// Kinds of a biller's accounts: what it is owed, and what is earned from its payments.
const OF_BILLER: [&str; 2] = ["payable", "fee_income"];
/// The same of a participant that is paid itself.
const OF_PARTICIPANT: [&str; 2] = ["participant_payable", "participant_fee_income"];

/// The postings of an approval.
///
/// Shape:  debits on the source; credits on `payable:<payee>` (the amount less what is kept back)
///         and on `fee_income:<payee>`, where the payee is a biller. A participant's are
///         `participant_payable:` and `participant_fee_income:`, so that a name that both have is
///         two accounts. Lines of zero are left out; where a fixed fee is more than
///         the amount, `payable` is debited.
/// Units:  minor units of the amount's currency; the lines sum to zero.
/// Errors: `Overflow` when a line leaves i64.
pub fn approval(
    source: Source<'_>,
    payee: &Originator,
    amount: Money,
    charge: &Charge,
) -> Result<Postings, MoneyError> {
    let mut postings = Postings::new();
    let mut post = |kind, owner, credit: Money| -> Result<(), MoneyError> {
        let (side, amount) = match credit.minor {
            0 => return Ok(()),
            1.. => (Side::Credit, credit),
            ..0 => (Side::Debit, credit.checked_neg()?),
        };
        postings.push(Posting { account: account(kind, owner), side, amount });
        Ok(())
    };
    match source {
        Source::Clearing(rail) => post("clearing", rail.name(), charge.total.checked_neg()?)?,
        Source::Float(float, FloatDebits::Total) => {
            post("float", float.as_str(), charge.total.checked_neg()?)?;
        }
        Source::Float(float, FloatDebits::Amount) => {
            post("float", float.as_str(), amount.checked_neg()?)?;
            post("collector_cash", float.as_str(), charge.on_top.checked_neg()?)?;
        }
    }
    let [payable, fee_income] = match payee {
        Originator::Biller(_) => OF_BILLER,
        Originator::Participant(_) => OF_PARTICIPANT,
    };
    post(payable, payee.as_str(), amount.checked_sub(charge.kept_back)?)?;
    post(fee_income, payee.as_str(), charge.income()?)?;
    Ok(postings)
}

/// The postings of a partial reversal: the payee gives the part back to where the money came from.
/// Fees stay as they are.
///
/// Shape:  `approval` is what [`approval`] made; `given_back` is more than zero.
/// Errors: none where the approval names no source or no payee.
pub fn partial_reversal(approval: &[Posting], given_back: Money) -> Option<[Posting; 2]> {
    let source = approval.first()?.account;
    let payee = approval.iter().find_map(|line| {
        let (kind, owner) = line.account.as_str().split_once(':')?;
        let kinds = [OF_BILLER, OF_PARTICIPANT].into_iter().find(|kinds| kinds.contains(&kind))?;
        Some(account(kinds[0], owner))
    })?;
    let amount = given_back;
    Some([
        Posting { account: payee, side: Side::Debit, amount },
        Posting { account: source, side: Side::Credit, amount },
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fee::{Bearer, FeeTiming, charge};
    use crate::id::{BillerId, ParticipantId};
    use crate::invariant::postings_balance;
    use crate::policy::{FeeBasis, FeeRule};
    use crate::testing::{fee, pesos};

    fn isp() -> Originator {
        Originator::Biller(BillerId::new("isp").unwrap())
    }

    fn float() -> FloatRef {
        FloatRef::new("58341122").unwrap()
    }

    fn lines(source: Source<'_>, amount: i64, on_top: i64, kept_back: i64) -> Vec<String> {
        let fixed = |minor, bearer| fee(FeeBasis::Fixed(pesos(minor)), bearer, FeeTiming::Net);
        let rules = [fixed(on_top, Bearer::Payer), fixed(kept_back, Bearer::Merchant)];
        let charge = charge(&rules, pesos(amount)).unwrap();
        let postings = approval(source, &isp(), pesos(amount), &charge).unwrap();
        assert_eq!(postings_balance(&postings), Ok(()));
        let print =
            |line: &Posting| format!("{:?} {} {}", line.side, line.account, line.amount.minor);
        postings.iter().map(print).collect()
    }

    #[test]
    fn a_participant_owes_the_total_and_fees_are_earned_from_both_sides() {
        let clearing = Source::Clearing(Rail::P2c);
        assert_eq!(
            lines(clearing, 10_000, 100, 300),
            ["Debit clearing:p2c 10100", "Credit payable:isp 9700", "Credit fee_income:isp 400"]
        );
        assert_eq!(
            lines(clearing, 10_000, 0, 0),
            ["Debit clearing:p2c 10000", "Credit payable:isp 10000"],
            "no line of zero"
        );
    }

    #[test]
    fn a_fee_above_the_amount_is_owed_by_the_merchant() {
        assert_eq!(
            lines(Source::Clearing(Rail::P2c), 500, 0, 1_200),
            ["Debit clearing:p2c 500", "Debit payable:isp 700", "Credit fee_income:isp 1200"]
        );
    }

    #[test]
    fn a_float_loses_what_its_biller_s_rule_says() {
        let float = float();
        assert_eq!(
            lines(Source::Float(&float, FloatDebits::Total), 50_000, 1_200, 0),
            [
                "Debit float:58341122 51200",
                "Credit payable:isp 50000",
                "Credit fee_income:isp 1200"
            ]
        );
        assert_eq!(
            lines(Source::Float(&float, FloatDebits::Amount), 50_000, 1_200, 0),
            [
                "Debit float:58341122 50000",
                "Debit collector_cash:58341122 1200",
                "Credit payable:isp 50000",
                "Credit fee_income:isp 1200",
            ]
        );
    }

    #[test]
    fn a_participant_and_a_biller_of_one_name_have_accounts_of_their_own() {
        let charge = charge(&[], pesos(100)).unwrap();
        let payee = Originator::Participant(ParticipantId::new("isp").unwrap());
        let postings = approval(Source::Clearing(Rail::P2c), &payee, pesos(100), &charge).unwrap();
        let accounts: Vec<_> = postings.iter().map(|line| line.account.to_string()).collect();
        assert_eq!(accounts, ["clearing:p2c", "participant_payable:isp"]);
        let part = partial_reversal(&postings, pesos(40)).unwrap();
        assert_eq!(part[0].account.to_string(), "participant_payable:isp");
    }

    #[test]
    fn a_part_goes_back_from_the_payee_to_the_source_and_no_fee_with_it() {
        let fixed = |minor, bearer| fee(FeeBasis::Fixed(pesos(minor)), bearer, FeeTiming::Net);
        let float = float();
        // The whole amount is kept back, so that no line of the approval names what is payable.
        for kept_back in [300, 10_000] {
            let rules = [fixed(100, Bearer::Payer), fixed(kept_back, Bearer::Merchant)];
            let charge = charge(&rules, pesos(10_000)).unwrap();
            let source = Source::Float(&float, FloatDebits::Amount);
            let approved = approval(source, &isp(), pesos(10_000), &charge).unwrap();
            let lines = partial_reversal(&approved, pesos(4_000)).unwrap();
            assert_eq!(postings_balance(&lines), Ok(()));
            let print = |line: &Posting| format!("{:?} {}", line.side, line.account);
            let printed: Vec<String> = lines.iter().map(print).collect();
            assert_eq!(printed, ["Debit payable:isp", "Credit float:58341122"]);
        }
        assert_eq!(partial_reversal(&[], pesos(1)), None);
    }

    fn any_fee() -> impl Strategy<Value = FeeRule> {
        let share = (0_u32..=10_000).prop_map(|basis_points| FeeBasis::Share { basis_points });
        let fixed = (0_i64..1_000_000).prop_map(|minor| FeeBasis::Fixed(pesos(minor)));
        let bearer = prop_oneof![Just(Bearer::Payer), Just(Bearer::Merchant)];
        let timing = prop_oneof![Just(FeeTiming::Net), Just(FeeTiming::Invoice)];
        (prop_oneof![share, fixed], bearer, timing)
            .prop_map(|(basis, bearer, timing)| fee(basis, bearer, timing))
    }

    proptest! {
        #[test]
        fn whatever_the_fees_the_postings_sum_to_zero(
            amount in 1_i64..i64::MAX / 16,
            rules in proptest::collection::vec(any_fee(), 0..6),
            source in 0_usize..3,
        ) {
            let float = float();
            let source = [
                Source::Clearing(Rail::Card),
                Source::Float(&float, FloatDebits::Total),
                Source::Float(&float, FloatDebits::Amount),
            ][source];
            let charge = charge(&rules, pesos(amount)).unwrap();
            let postings = approval(source, &isp(), pesos(amount), &charge).unwrap();
            prop_assert_eq!(postings_balance(&postings), Ok(()));
            prop_assert!(postings.len() >= 2);
        }
    }
}
