//! What the targets share: the formats they try, and what a card number looks like.

use std::sync::{Arc, LazyLock};

use codecs::iso8583::Spec;

include!(concat!(env!("OUT_DIR"), "/specs.rs"));

const OWN: &str = "cauce-87";

/// The switch's own format, those of other projects, and what else is compiled in.
static SPECS: LazyLock<Vec<Arc<Spec>>> = LazyLock::new(|| {
    let foreign = FOREIGN.iter().map(|text| {
        let spec = Spec::from_any(text);
        Arc::new(spec.expect("invariant: its tests pass"))
    });
    let builtin = Spec::builtin_names().filter(|name| *name != OWN).filter_map(Spec::builtin);
    Spec::builtin(OWN).into_iter().chain(foreign).chain(builtin).collect()
});

/// The format that a byte of the input chooses; 0 is the switch's own.
pub fn spec(choice: u8) -> &'static Arc<Spec> {
    &SPECS[usize::from(choice) % SPECS.len()]
}

/// Whether the format that the byte chooses says what its fields may hold.
pub fn states_classes(choice: u8) -> bool {
    let place = usize::from(choice) % SPECS.len();
    place == 0 || place > FOREIGN.len()
}

/// The card numbers in a text: whole runs of 13 to 19 digits that begin with 2 to 6 and end in the
/// right check digit.
///
/// Source: ISO/IEC 7812-1; written apart from the masker, which it is to find out.
pub fn card_numbers(text: &str) -> Vec<&str> {
    let runs = text.split(|character: char| !character.is_ascii_digit());
    runs.filter(|run| (13..=19).contains(&run.len()) && is_card_number(run)).collect()
}

fn is_card_number(digits: &str) -> bool {
    digits.starts_with(['2', '3', '4', '5', '6']) && has_check_digit(digits)
}

fn has_check_digit(digits: &str) -> bool {
    const DOUBLED: [u32; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let sum: u32 = digits
        .bytes()
        .rev()
        .map(|digit| digit - b'0')
        .enumerate()
        .map(|(place, value)| match place % 2 {
            0 => u32::from(value),
            _ => DOUBLED[usize::from(value)],
        })
        .sum();
    sum.is_multiple_of(10)
}
