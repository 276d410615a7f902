use super::*;

#[test]
fn texts_are_hidden_but_for_their_last_characters() {
    assert_eq!(hide_but_last("V12345678", 3), "******678");
    assert_eq!(hide_but_last("123", 3), "***");
    assert_eq!(hide_but_last("", 3), "");
}

#[test]
fn a_payer_of_whom_nothing_is_known_is_left_out() {
    assert!(PayerView::of(&Payer::default()).is_none());
}
