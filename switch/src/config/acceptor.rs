//! How whoever takes a payment is presented: `[participants.acceptor]`, `[billers.acceptor]`.

use router::message::Acceptor;
use router::text::Text;

use super::read::Section;
use crate::line_rules::message_format::MessageFormat;

/// Reads `acceptor` of an entry; what is not said there is empty. A participant's has to fit its
/// format, where it has one of its own.
pub(super) fn read(section: &mut Section<'_>, format: Option<&MessageFormat>) -> Acceptor {
    if !section.has("acceptor") {
        return Acceptor::default();
    }
    section.section("acceptor", |table| {
        let category: Text<4> = value(table, "category", (18, format)).unwrap_or_default();
        let is_number = category.len() == 4 && category.as_bytes().iter().all(u8::is_ascii_digit);
        if !category.is_empty() && !is_number {
            table.mistake("category", "4 digits are expected (DE18)");
        }
        Acceptor {
            category,
            terminal: value(table, "terminal", (41, format)).unwrap_or_default(),
            id: value(table, "id", (42, format)).unwrap_or_default(),
            place: value(table, "place", (43, format)).unwrap_or_default(),
        }
    })
}

/// One value, which a data element carries.
fn value<const LEN: usize>(
    table: &mut Section<'_>,
    name: &str,
    (number, format): (u8, Option<&MessageFormat>),
) -> Option<Text<LEN>> {
    let given = table.text(name)?;
    let Ok(text) = Text::<LEN>::new(&given) else {
        table.mistake(
            name,
            format!("1 to {LEN} printable ASCII characters are expected (DE{number})"),
        );
        return None;
    };
    if text.is_empty() {
        return None;
    }
    let held = format.map_or(Ok(()), |format| format.dialect().holds(number, text.as_bytes()));
    if let Err(problem) = held {
        table.mistake(name, format!("the participant's format: {problem}"));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use router::text::Text;

    use crate::config::{Layers, load};

    const BANK: &str = "[[participants]]\nid = \"bank-a\"\nconnect = \"127.0.0.1:1\"\n";
    const SHOP: &str = "[[billers]]\nid = \"shop-1\"\ncurrencies = [\"MXN\"]\n";

    fn mistakes(text: &str) -> Vec<String> {
        let layers = Layers::compiled_in().with_text("test.toml", text).expect("layers");
        let found = load(&layers).err().unwrap_or_default();
        found.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.problem)).collect()
    }

    #[test]
    fn what_a_participant_and_a_biller_are_to_be_told_is_read() {
        let text = format!(
            "{BANK}[participants.acceptor]\ncategory = \"4900\"\nterminal = \"CAUCE001\"\n\
             {SHOP}[billers.acceptor]\nid = \"SHOP-1\"\nplace = \"Shop One, Centro, Puebla MX\"\n"
        );
        let layers = Layers::compiled_in().with_text("test.toml", &text).expect("layers");
        let config = load(&layers).expect("a configuration");
        let bank = &config.participants[0].acceptor;
        assert_eq!((bank.category.as_str(), bank.terminal.as_str()), ("4900", "CAUCE001"));
        assert_eq!((bank.id, bank.place), (Text::EMPTY, Text::EMPTY));
        let shop = config.policy.billers.values().next().expect("a biller").acceptor;
        assert_eq!((shop.id.as_str(), shop.place.len()), ("SHOP-1", 27));
    }

    #[test]
    fn a_value_that_no_message_holds_is_a_mistake_of_its_key() {
        let bank = |more: &str| mistakes(&format!("{BANK}[participants.acceptor]\n{more}\n"));
        assert_eq!(
            bank("category = \"49\""),
            ["participants[0].acceptor.category: 4 digits are expected (DE18)"]
        );
        assert_eq!(
            bank("terminal = \"TERMINAL9\""),
            [
                "participants[0].acceptor.terminal: 1 to 8 printable ASCII characters are expected (DE41)"
            ]
        );
        let long = bank(&format!("place = \"{}\"", "x".repeat(41)));
        assert!(long[0].starts_with("participants[0].acceptor.place: 1 to 40"), "{long:?}");
        assert!(bank("name = \"x\"")[0].starts_with("participants[0].acceptor.name"));
        let shop = mistakes(&format!("{SHOP}[billers.acceptor]\nid = \"tienda \u{f1}\"\n"));
        assert!(shop[0].starts_with("billers[0].acceptor.id: 1 to 15"), "{shop:?}");
    }
}
