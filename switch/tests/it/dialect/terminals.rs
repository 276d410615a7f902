//! Terminals behind a TPDU, in the compiled-in format for them. Messages are laid out by hand.

use switch::config::{self, Layers};

use super::bank::{Caller, letters};
use super::{own_address, plain};
use crate::harness::House;

/// Terminals' lines with a framing, and the compiled-in format that has a TPDU.
fn terminals(framing: &str) -> String {
    format!(
        "[[participants]]\nid = \"terminals\"\nacquirer_id = \"00000000042\"\n\
         listen = \"127.0.0.1:0\"\n{framing}\n[participants.dialect]\nspec = \"pos-tpdu\"\n"
    )
}

/// What `cauce check` finds wrong.
fn mistakes(text: &str) -> Vec<String> {
    let layers = Layers::compiled_in().with_text("pos.toml", text).expect("layers");
    let mistakes = config::load(&layers).err().unwrap_or_default();
    mistakes.iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_compiled_in_format_behind_a_tpdu_has_one_and_every_answer_swaps_it() {
    for framing in ["", "framing = \"binary2\"", "framing = { length = \"binary2\" }"] {
        let house = House::start_with(&terminals(framing)).await;
        let mut terminal = Caller::call(own_address(&house.app)).await;
        // Each answer's TPDU is compared where it is heard. DE7, DE11, DE32, DE70; DE39.
        let sign_on =
            "0800 8220000100000000 0400000000000000 1126193000 000001 11 000000000420 0001";
        let signed_on = "0810 8220000102000000 0400000000000000 1126193000 000001 11 000000000420 \
                         3030 0001";
        assert_eq!(terminal.ask(sign_on).await, plain(signed_on), "{framing}");
        // Bits 2 3 4 7 11 41 49.
        let payment = "0200 7220000000808000 16 4000000000000002 000000 000000015000 1126193001 \
                       000002 5445524D30303031 343834";
        let approved = terminal.ask(payment).await;
        // Bits 2 3 4 7 11, 37 38 39, 41, 49; DE39 00.
        assert!(approved.starts_with(&plain("0210 722000000E808000")), "{framing}: {approved}");
        assert!(approved.contains(&plain("3030 5445524D30303031")), "{framing}: {approved}");
        // A half byte that is no digit in DE4.
        let refused = terminal.ask(&payment.replace("015000", "01500A")).await;
        assert!(refused.contains(&letters("6006 DE4")), "{framing}: {refused}");
    }
}

#[test]
fn a_header_of_the_framing_and_one_of_the_format_are_a_mistake() {
    for framing in ["framing = \"nac\"", "framing = { preset = \"binary2\", header = \"tpdu\" }"] {
        let found = mistakes(&terminals(framing));
        let [mistake] = &found[..] else { panic!("{framing}: {found:?}") };
        let begins = "pos.toml: participants[0].framing: has a header, and so has the format \
                      `pos-tpdu` (header_length = 5)";
        assert!(mistake.starts_with(begins), "{framing}: {mistake}");
    }
    let inherited = format!("[iso8583]\nheader = \"tpdu\"\n{}", terminals(""));
    assert_eq!(mistakes(&inherited).len(), 1, "the framing of all lines");
    assert_eq!(mistakes(&terminals("framing = \"binary2\"")), Vec::<String>::new());
}
