use proptest::prelude::*;

use super::*;
use crate::fee::{Bearer, FeeBasis, FeeRule, FeeTiming, charge};
use crate::id::BillerId;
use crate::ledger::Ledger;
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
    let entry = approval(source, &isp(), pesos(amount), &charge, None).unwrap();
    let print = |line: &Posting| format!("{:?} {} {}", line.side, line.account, line.amount.minor);
    entry.lines().iter().map(print).collect()
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
        ["Debit float:58341122 51200", "Credit payable:isp 50000", "Credit fee_income:isp 1200"]
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
    let source = Source::Clearing(Rail::P2c);
    let entry = approval(source, &payee, pesos(100), &charge, None).unwrap();
    let accounts: Vec<_> = entry.lines().iter().map(|line| line.account.to_string()).collect();
    assert_eq!(accounts, ["clearing:p2c", "participant_payable:isp"]);
    let part = partial_reversal(&entry, pesos(40)).unwrap();
    assert_eq!(part.lines()[0].account.to_string(), "participant_payable:isp");
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
        let approved = approval(source, &isp(), pesos(10_000), &charge, None).unwrap();
        let part = partial_reversal(&approved, pesos(4_000)).unwrap();
        let print = |line: &Posting| format!("{:?} {}", line.side, line.account);
        let printed: Vec<String> = part.lines().iter().map(print).collect();
        assert_eq!(printed, ["Debit payable:isp", "Credit float:58341122"]);
    }
    assert_eq!(partial_reversal(&Entry::default(), pesos(1)), None);
}

fn any_fee() -> impl Strategy<Value = FeeRule> {
    let share = (0_u32..=10_000).prop_map(|basis_points| FeeBasis::Share { basis_points });
    let fixed = (0_i64..1_000_000).prop_map(|minor| FeeBasis::Fixed(pesos(minor)));
    let bearer = prop_oneof![Just(Bearer::Payer), Just(Bearer::Merchant)];
    let timing = prop_oneof![Just(FeeTiming::Net), Just(FeeTiming::Invoice)];
    (prop_oneof![share, fixed], bearer, timing)
        .prop_map(|(basis, bearer, timing)| fee(basis, bearer, timing))
}

#[test]
fn a_payment_under_a_cap_uses_it_and_a_part_gives_room_back() {
    let float = float();
    let bank = ParticipantId::new("bank-a").unwrap();
    let charge = charge(&[], pesos(900)).unwrap();
    let source = Source::Float(&float, FloatDebits::Total);
    let approved = approval(source, &isp(), pesos(900), &charge, Some(&bank)).unwrap();
    let part = partial_reversal(&approved, pesos(400)).unwrap();
    let print = |line: &Posting| format!("{:?} {} {}", line.side, line.account, line.amount.minor);
    let printed = |entry: &Entry| entry.lines().iter().map(print).collect::<Vec<_>>();
    assert_eq!(
        printed(&approved)[2..],
        ["Debit cap:bank-a:MXN 900", "Credit cap_used:bank-a:MXN 900"]
    );
    assert_eq!(printed(&part)[2..], ["Debit cap_used:bank-a:MXN 400", "Credit cap:bank-a:MXN 400"]);
    let paid = cap_movement(&bank, pesos(500)).unwrap();
    assert_eq!(printed(&paid), ["Debit cap_used:bank-a:MXN 500", "Credit cap:bank-a:MXN 500"]);
}

#[test]
fn money_goes_into_a_float_and_out_of_it() {
    let lines = |minor| {
        let entry = top_up(&float(), pesos(minor)).unwrap();
        let print =
            |line: &Posting| format!("{:?} {} {}", line.side, line.account, line.amount.minor);
        entry.lines().iter().map(print).collect::<Vec<_>>()
    };
    assert_eq!(lines(5), ["Debit funding:58341122 5", "Credit float:58341122 5"]);
    assert_eq!(lines(-5), ["Debit float:58341122 5", "Credit funding:58341122 5"]);
    for minor in [0, i64::MIN] {
        assert!(top_up(&float(), pesos(minor)).is_err(), "{minor}");
    }
}

/// What the guard's accounts gain by entries, one after another.
fn guarded(entries: &[&Entry]) -> Vec<(String, i64)> {
    let moves = entries.iter().flat_map(|entry| entry.guarded_moves());
    moves.map(|(account, gained)| (account.to_string(), gained.minor)).collect()
}

proptest! {
    #[test]
    fn whatever_the_fees_parts_and_rest_leave_every_account_as_before(
        amount in 2_i64..i64::MAX / 16,
        rules in proptest::collection::vec(any_fee(), 0..6),
        source in 0_usize..3,
        is_capped in any::<bool>(),
        parts in proptest::collection::vec(1_i64..i64::MAX / 16, 0..4),
    ) {
        let (float, bank) = (float(), ParticipantId::new("bank-a").unwrap());
        let source = [
            Source::Clearing(Rail::Card),
            Source::Float(&float, FloatDebits::Total),
            Source::Float(&float, FloatDebits::Amount),
        ][source];
        let charge = charge(&rules, pesos(amount)).unwrap();
        let capped = is_capped.then_some(&bank);
        let approved = approval(source, &isp(), pesos(amount), &charge, capped).unwrap();
        prop_assert!(approved.lines().len() >= 2);
        let mut ledger = Ledger::default();
        ledger.post(&approved);
        let mut stands = amount;
        for part in parts {
            let given_back = part % stands;
            if given_back > 0 {
                let entry = partial_reversal(&approved, pesos(given_back)).unwrap();
                prop_assert!(guarded(&[&entry]).iter().all(|(_, gained)| *gained == given_back));
                ledger.post(&entry);
                stands -= given_back;
            }
        }
        let rest = whole_reversal(&approved, pesos(amount - stands)).unwrap();
        prop_assert!(guarded(&[&rest]).iter().all(|(_, gained)| *gained >= stands));
        ledger.post(&rest);
        prop_assert!(ledger.accounts().iter().all(|account| account.balance_minor == 0));
    }
}
