use super::*;

/// Source: the schemes' published test numbers.
const TEST_NUMBERS: [&str; 9] = [
    "4111111111111111",
    "4000001234567899",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "30569309025904",
    "6011111111111117",
    "3530111333300000",
    "6759649826438453",
];

#[test]
fn card_numbers_of_every_scheme_are_found_wherever_they_stand() {
    for number in TEST_NUMBERS {
        let groups: Vec<&str> =
            (0..number.len()).step_by(4).map(|at| &number[at..number.len().min(at + 4)]).collect();
        for text in [
            number.to_owned(),
            format!("card{number}x"),
            format!("paid 12 with {number} today"),
            groups.join(" "),
            groups.join("-"),
            format!("12 {} 7", groups.join("-")),
            format!("é{number}é"),
        ] {
            assert_eq!(find(&text), Some(Finding::CardNumber), "{text}");
            let masked = masked(&text).expect("a finding");
            assert_eq!(masked.len(), text.len());
            assert_eq!(find(&masked), None, "{masked}");
        }
    }
}

#[test]
fn a_number_mistyped_or_cut_short_is_a_lookalike() {
    let check = |text: &str, expect| assert_eq!(find(text), expect, "{text}");
    for digits in ["4111111111111112", "400000123456789", "55555555555544", "4242 4242 4242 4241"] {
        check(digits, Some(Finding::Lookalike));
    }
    check("4222222222222", Some(Finding::Lookalike));
    check("4222222222223", None);
}

#[test]
fn references_and_accounts_are_none() {
    for text in [
        "",
        "411111111111",                             // too short
        "1111111111111117",                         // no scheme's prefix
        "0102004140000012345678",                   // 22 digits: an account
        "2026-11-30 12:00:00.000",                  // a time
        "20261130120000",                           // a time
        "1764517200000",                            // milliseconds
        "4006381333931",                            // a barcode of 13 digits
        "550e8400-e29b-41d4-a716-446655440000",     // a UUID
        "d41d8cd98f00b204e98004111111111111111ecf", // a digest
        "58341122",
    ] {
        assert_eq!((find(text), masked(text)), (None, None), "{text}");
    }
}

#[test]
fn the_first_six_and_last_four_digits_are_left() {
    let check = |text: &str, expect: &str| assert_eq!(masked(text).as_deref(), Some(expect));
    check("4111111111111111", "411111******1111");
    check("400000123456789", "400000*****6789");
    check("a 4111-1111-1111-1111 b", "a 4111-11**-****-1111 b");
    check("4111111111111111/5555555555554444", "411111******1111/555555******4444");
}

#[test]
fn the_check_digit_is_that_of_iso_7812() {
    assert!(TEST_NUMBERS.iter().all(|number| has_check_digit(number.as_bytes())));
    assert!(!has_check_digit(b"4111111111111112"));
}
