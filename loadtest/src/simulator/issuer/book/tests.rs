use super::*;

fn payment(amount_minor: u64) -> RequestElements<'static> {
    RequestElements {
        rrn: b"000000000042",
        stan: b"000007",
        transmitted_at: b"1123211722",
        amount_minor,
        currency: b"484",
        stands_minor: None,
    }
}

fn only(book: &Book) -> Effect {
    let effects = book.effects();
    assert_eq!(effects.len(), 1);
    effects[0]
}

#[test]
fn a_repeat_gets_the_same_answer_and_no_second_debit() {
    let book = Book::new();
    assert_eq!(book.pay(payment(1_000), false), Decision::New(Verdict::Approve));
    assert_eq!(book.pay(payment(1_000), true), Decision::Repeat(Verdict::Approve));
    assert_eq!((only(&book).debits, only(&book).repeats), (1, 1));
}

#[test]
fn a_repeat_with_another_amount_is_refused() {
    let book = Book::new();
    book.pay(payment(1_000), false);
    assert_eq!(book.pay(payment(2_000), true), Decision::Refused(*b"94"));
    let other_trace = RequestElements { stan: b"000008", ..payment(2_000) };
    assert_eq!(book.pay(other_trace, true), Decision::Refused(*b"94"));
    assert_eq!(only(&book).debits, 1);
}

#[test]
fn a_trace_given_anew_within_a_second_is_another_payment() {
    let book = Book::new();
    book.pay(payment(1_000), false);
    let other_reference = RequestElements { rrn: b"000000000043", ..payment(1_000) };
    assert_eq!(book.pay(other_reference, false), Decision::New(Verdict::Approve));
    let other_amount = payment(2_000);
    assert_eq!(book.pay(other_amount, false), Decision::New(Verdict::Approve));
    assert_eq!(book.effects().len(), 3);
}

#[test]
fn a_reversal_of_a_payment_that_never_came_leaves_an_earlier_one_of_its_reference_alone() {
    let book = Book::new();
    book.pay(payment(1_000), false);
    let lost = RequestElements { stan: b"000008", ..payment(1_000) };
    let undo = RequestElements { stan: b"000009", ..payment(1_000) };
    assert_eq!(book.reverse(undo, Some(lost)), *b"25");
    assert!(book.effects().iter().all(|effect| effect.reversals == 0));
    assert_eq!(book.pay(lost, false), Decision::Refused(*b"17"));
}

#[test]
fn a_reference_given_anew_is_another_payment() {
    let book = Book::new();
    book.pay(payment(1_000), false);
    let anew = RequestElements { stan: b"000008", ..payment(1_000) };
    assert_eq!(book.pay(anew, false), Decision::New(Verdict::Approve));
    assert_eq!(book.pay(anew, true), Decision::Repeat(Verdict::Approve));
    assert_eq!(book.effects().len(), 2);
    let undo = RequestElements { stan: b"000009", ..payment(1_000) };
    assert_eq!(book.reverse(undo, Some(payment(1_000))), *b"00");
    let undone = |stan: &str| {
        let effects = book.effects();
        let found = effects.iter().find(|effect| effect.stan.as_str() == stan);
        found.map(|effect| effect.reversals)
    };
    assert_eq!((undone("000007"), undone("000008")), (Some(1), Some(0)));
    assert_eq!(book.reverse(undo, None), *b"00", "the reference alone names the latest");
    assert_eq!(undone("000008"), Some(1));
}

#[test]
fn a_repeat_under_another_trace_finds_its_original_by_reference() {
    let book = Book::new();
    book.pay(payment(1_000), false);
    let other_trace = RequestElements { stan: b"000008", ..payment(1_000) };
    assert_eq!(book.pay(other_trace, true), Decision::Repeat(Verdict::Approve));
    assert_eq!((only(&book).debits, only(&book).repeats), (1, 1));
}

#[test]
fn a_reversal_without_the_trace_of_its_original_refuses_one_payment_of_the_reference() {
    let book = Book::new();
    let undo = RequestElements { stan: b"000009", ..payment(1_000) };
    assert_eq!(book.reverse(undo, None), *b"25");
    assert_eq!(book.pay(payment(1_000), false), Decision::Refused(*b"17"));
    let refused = Decision::Repeat(Verdict::Decline(*b"17"));
    assert_eq!(book.pay(payment(1_000), false), refused);
    let anew = RequestElements { stan: b"000008", ..payment(1_000) };
    assert_eq!(book.pay(anew, false), Decision::New(Verdict::Approve));
}

#[test]
fn a_reversal_finds_its_original_by_reference_or_by_trace_and_counts_once() {
    let book = Book::new();
    book.pay(payment(1_068), false);
    let undo = RequestElements { stan: b"000009", ..payment(1_068) };
    assert_eq!(book.reverse(undo, None), *b"00");
    let by_trace = RequestElements { rrn: b"", ..undo };
    assert_eq!(book.reverse(by_trace, Some(payment(1_068))), *b"00");
    assert_eq!((only(&book).debits, only(&book).reversals), (1, 1));
}

#[test]
fn a_reversal_of_a_part_leaves_what_is_to_stand_however_often_it_comes() {
    let book = Book::new();
    book.pay(payment(1_000), false);
    for stands in [700, 700, 400] {
        let part = RequestElements { stands_minor: Some(stands), ..payment(1_000) };
        assert_eq!(book.reverse(part, None), *b"00");
    }
    let effect = only(&book);
    assert_eq!((effect.debits, effect.reversals, effect.given_back_minor), (1, 0, 600));
    book.reverse(payment(1_000), None);
    let effect = only(&book);
    assert_eq!((effect.debits, effect.reversals, effect.given_back_minor), (1, 1, 1_000));
}

#[test]
fn a_reversal_that_overtakes_its_original_makes_the_original_declined() {
    let book = Book::new();
    assert_eq!(book.reverse(payment(1_000), Some(payment(1_000))), *b"25");
    assert_eq!(book.pay(payment(1_000), false), Decision::Refused(*b"17"));
    assert_eq!(book.reverse(payment(1_000), Some(payment(1_000))), *b"00");
    assert_eq!((only(&book).debits, only(&book).reversals), (0, 0));
}

#[test]
fn an_inquiry_tells_what_silence_hid() {
    let book = Book::new();
    assert_eq!(book.inquire(payment(0).rrn, None), *b"25");
    book.pay(payment(1_068), false);
    assert_eq!(book.inquire(payment(0).rrn, None), *b"00");
    book.reverse(payment(1_068), None);
    assert_eq!(book.inquire(payment(0).rrn, None), *b"17");
}
