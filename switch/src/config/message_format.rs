//! How a participant's messages differ from the switch's own: format, authentication, key change.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use codecs::iso8583::{Dialect, Edition, FIELD_MAX, Length, Spec};
use codecs::security::exchange::{KeyForm, KeyLayout};
use codecs::security::{
    CheckMethod, KeyName, KeyStore, KeyUsage, KeyVersion, KeyWrap, MacAlgorithm, Padding, Parity,
};

use super::keys::KeysConfig;
use super::read::Section;
use crate::line_rules::key_exchange::KeyExchange;
use crate::line_rules::message_format::{MacRule, MessageFormat};

/// Longest file of a format, in bytes.
const SPEC_LEN_MAX: u64 = 4 << 20;
/// The field the switch's own private data stand in.
const PRIVATE_DATA: u8 = 48;
/// The field that names what a reversal undoes.
const ORIGINAL: u8 = 90;
/// Fields a participant may lack, and what people on its side then do not know.
const TELLING: [(u8, &str); 4] =
    [(37, "folio"), (38, "authorisation"), (44, "reason"), (48, "bill and texts")];

/// What a participant's messages must be able to say, by what passes between it and us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    /// It is asked to move money, and must be told to undo it.
    pub(super) is_asked: bool,
    /// It signs on, and must say who it is.
    pub(super) signs_on: bool,
}

/// How a participant's messages are said, and how its key changes.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) message_format: Option<Arc<MessageFormat>>,
    pub(super) key_exchange: Option<Arc<KeyExchange>>,
    /// Name of the format and the bytes it has in front of the message type, which the framing of
    /// the lines cuts off; none where it has none.
    pub(super) header: Option<(String, usize)>,
}

/// Reads `dialect`, `mac` and `key_exchange` of a participant.
pub(super) fn read(section: &mut Section<'_>, keys: &KeysConfig, traffic: Traffic) -> Said {
    let has_dialect = section.has("dialect");
    let dialect = section.section("dialect", |table| has_dialect.then(|| dialect(table, traffic)));
    let has_mac = section.has("mac");
    let mac = section.section("mac", |table| has_mac.then(|| mac(table, keys))).flatten();
    let has_exchange = section.has("key_exchange");
    let exchange = section.section("key_exchange", |table| {
        has_exchange.then(|| key_exchange(table, keys, mac.as_ref().map(|(rule, _)| rule)))
    });
    if has_exchange && !has_mac {
        section.mistake("key_exchange", "there is no mac whose key could change");
    }
    let plain = || Spec::builtin("cauce-87").map(|spec| Written::of(spec, Edition::Of1987));
    let said = match (dialect, has_mac) {
        (Some(dialect), _) => dialect,
        (None, true) => plain(),
        (None, false) => None,
    };
    let (Some(mut said), key_exchange) = (said, exchange.flatten()) else { return Said::default() };
    let header = said.cut_header();
    let key_field = key_exchange.as_ref().map(|exchange| exchange.field);
    if let Some(field) = key_field
        && (said.spec.field(field).is_none() || Dialect::NEEDED.contains(&field))
    {
        section.mistake("key_exchange", format!("no key can stand in field {field} of the format"));
    }
    let dialect = said.dialect(key_field);
    let message_format = match mac {
        None => Some(MessageFormat::new(dialect, None)),
        Some((rule, lowest)) => match dialect.authenticated(lowest) {
            Ok(dialect) => Some(MessageFormat::new(dialect, Some(rule))),
            Err(number) => {
                let problem = format!(
                    "the format does not define field {number} as 8 bytes or 16 ASCII characters"
                );
                section.mistake("mac", problem);
                None
            }
        },
    };
    Said {
        message_format: message_format.map(Arc::new),
        key_exchange: key_exchange.map(Arc::new),
        header,
    }
}

/// A dialect as it is written down.
struct Written {
    spec: Arc<Spec>,
    edition: Edition,
    ignored: Vec<u8>,
    droppable: Option<Vec<u8>>,
}

impl Written {
    fn of(spec: Arc<Spec>, edition: Edition) -> Self {
        Self { spec, edition, ignored: Vec::new(), droppable: None }
    }

    /// Takes the header out of the format: the framing of the lines cuts it off.
    fn cut_header(&mut self) -> Option<(String, usize)> {
        let (name, len) = (self.spec.name().to_owned(), self.spec.header_len());
        if len == 0 {
            return None;
        }
        self.spec = Arc::new(self.spec.without_header());
        Some((name, len))
    }

    /// The dialect; the field of a key that changes is none of ours, unless it holds our texts.
    fn dialect(self, key_field: Option<u8>) -> Dialect {
        let Self { spec, edition, mut ignored, droppable } = self;
        ignored.extend(key_field.filter(|field| *field != PRIVATE_DATA));
        let dialect = Dialect::new(spec, edition, ignored);
        match droppable {
            Some(droppable) => dialect.dropping(droppable),
            None => dialect,
        }
    }
}

fn dialect(section: &mut Section<'_>, traffic: Traffic) -> Option<Written> {
    let editions = Edition::ALL.map(|edition| (edition.year(), edition));
    let edition = match section.value("edition") {
        None => Edition::Of1987,
        Some(value) => {
            let year = value.as_integer().map(|year| year.to_string());
            let known = editions.iter().find(|(name, _)| year.as_deref() == Some(name));
            known.map_or_else(
                || {
                    section.mistake("edition", "1987, 1993 or 2003 is expected");
                    Edition::Of1987
                },
                |(_, edition)| *edition,
            )
        }
    };
    let ignored = fields(section, "ignored_fields");
    let droppable = section.has("droppable_fields").then(|| fields(section, "droppable_fields"));
    let moves_money = |field: &u8| Dialect::NEEDED.contains(field) || *field == ORIGINAL;
    if let Some(field) = droppable.iter().flatten().find(|field| moves_money(field)) {
        section.mistake("droppable_fields", format!("field {field} cannot be done without"));
    }
    let spec = spec(section)?;
    let said = Written { ignored, droppable, ..Written::of(spec, edition) };
    check(section, &said, traffic);
    Some(said)
}

/// What a format must be able to say; each that is missing is a mistake of its own.
fn check(section: &Section<'_>, said: &Written, traffic: Traffic) {
    let dialect = Dialect::new(Arc::clone(&said.spec), said.edition, said.ignored.clone());
    let undoing = traffic.is_asked.then_some(ORIGINAL);
    let naming = traffic.signs_on.then_some(32);
    for number in Dialect::NEEDED.into_iter().chain(undoing).chain(naming) {
        if !dialect.carries(number) {
            section.mistake("spec", format!("field {number} is needed and not to be had"));
        }
    }
    let code = said.spec.field(39).map(|field| field.length);
    if code.is_some_and(|length| length != Length::Fixed(2)) {
        section.mistake("spec", "field 39 must be a response code of two characters");
    }
}

fn fields(section: &mut Section<'_>, name: &str) -> Vec<u8> {
    let numbers = section.numbers(name);
    let field =
        |number: u64| u8::try_from(number).ok().filter(|field| (2..=FIELD_MAX).contains(field));
    let fields: Vec<u8> = numbers.iter().filter_map(|number| field(*number)).collect();
    if fields.len() != numbers.len() {
        section.mistake(name, format!("numbers of fields are 2 to {FIELD_MAX}"));
    }
    fields
}

/// The compiled-in format of a name, else the one in a file.
fn spec(section: &mut Section<'_>) -> Option<Arc<Spec>> {
    let name: String = section.required("spec")?;
    if let Some(spec) = Spec::builtin(&name) {
        return Some(spec);
    }
    let path = section.beside("spec", &name);
    let text = match spec_text(&path) {
        Ok(text) => text,
        Err(problem) => {
            let names = Spec::builtin_names().collect::<Vec<_>>().join(", ");
            let problem = format!("`{name}` is no compiled-in format ({names}) and {problem}");
            section.mistake("spec", problem);
            return None;
        }
    };
    section.note_file(&path, text.as_bytes());
    match Spec::from_any(&text) {
        Ok(spec) => Some(Arc::new(spec)),
        Err(mistakes) => {
            for mistake in mistakes {
                section.mistake("spec", format!("{}: {mistake}", path.display()));
            }
            None
        }
    }
}

fn spec_text(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let len = std::fs::metadata(path).map_err(cannot)?.len();
    if len > SPEC_LEN_MAX {
        return Err(format!("{} is longer than {SPEC_LEN_MAX} bytes", path.display()));
    }
    std::fs::read_to_string(path).map_err(cannot)
}

/// The rule, and the lowest field a code stands in.
fn mac(section: &mut Section<'_>, keys: &KeysConfig) -> Option<(MacRule, u8)> {
    let padding = section.choice("padding", &[("zeros", Padding::Zeros), ("bit", Padding::Bit)]);
    let algorithm = section.choice(
        "algorithm",
        &[
            ("x9.19", MacAlgorithm::X9_19(padding)),
            ("x9.9", MacAlgorithm::X9_9(padding)),
            ("aes-cmac", MacAlgorithm::AesCmac),
        ],
    );
    let lowest = match section.number("field", 64..=128, 64) {
        64 => 64,
        128 => 128,
        other => {
            section.mistake("field", format!("{other} is neither 64 nor 128"));
            64
        }
    };
    let key: KeyName = section.required("key")?;
    // Whether key and algorithm go together is asked of the store, which alone holds the key.
    if let Err(error) = keys.store.mac(&key, algorithm, b"") {
        section.mistake("key", format!("`{key}`: {}", error.kind));
        return None;
    }
    let store = Arc::clone(&keys.store);
    Some((MacRule { keys: store, key, algorithm }, lowest))
}

fn key_exchange(
    section: &mut Section<'_>,
    keys: &KeysConfig,
    mac: Option<&MacRule>,
) -> Option<KeyExchange> {
    let wrap = section
        .choice("wrap", &[("tdes-ecb", KeyWrap::TdesEcb), ("aes-key-wrap", KeyWrap::AesKeyWrap)]);
    let form = section.choice("form", &[("hex", KeyForm::Hex), ("binary", KeyForm::Binary)]);
    let check_method = section
        .choice("check_method", &[("zeros", CheckMethod::Zeros), ("cmac", CheckMethod::Cmac)]);
    let longest = if check_method == CheckMethod::Cmac { 5 } else { 3 };
    let check_len = section.size("check_len", 2..=longest, 3);
    let parity = section.choice("parity", &[("odd", Parity::Odd), ("ignored", Parity::Ignored)]);
    let skipped_len = section.size("skipped_len", 0..=999, 0);
    let kept_s = section.number("previous_kept_s", 1..=86_400, 60);
    let field = u8::try_from(section.number("field", 2..=128, 96)).unwrap_or(96);
    if field == PRIVATE_DATA && form == KeyForm::Binary {
        section.mistake("form", "field 48 holds text: only `hex` can stand there");
    }
    let under: KeyName = section.required("under")?;
    let key = mac?.key;
    let shown = keys.find(&key, KeyUsage::Mac)?;
    let (algorithm, configured) = (shown.algorithm, shown.check_value.clone());
    // What could not be sent away under that key could not have been made under it either.
    if let Err(error) = keys.store.export_key(&key, KeyVersion::Current, &under, wrap) {
        section.mistake("under", format!("`{under}`: {}", error.kind));
        return None;
    }
    Some(KeyExchange {
        keys: Arc::clone(&keys.store) as Arc<dyn KeyStore>,
        key,
        under,
        field,
        skipped_len,
        layout: KeyLayout { algorithm, wrap, form, check_len },
        check_method,
        parity,
        configured,
        previous_kept: Duration::from_secs(kept_s),
        generation: AtomicU32::new(1),
    })
}

/// What an operator should know of a message format that works all the same.
pub(super) fn warnings(message_format: &MessageFormat) -> Vec<String> {
    let dialect = message_format.dialect();
    let spec = dialect.spec().name();
    let mut warnings = Vec::new();
    for (number, what) in TELLING.into_iter().filter(|(number, _)| !dialect.carries(*number)) {
        warnings.push(format!("its format `{spec}` has no field {number}: {what} not told"));
    }
    if ![2, 35, 102].into_iter().any(|number| dialect.carries(number)) {
        warnings.push(format!(
            "its format `{spec}` has none of fields 2, 35 and 102: no payer can be named"
        ));
    }
    if message_format.mac().is_some_and(|rule| matches!(rule.algorithm, MacAlgorithm::X9_9(_))) {
        warnings.push("X9.9 codes are made with a single DES key, which can be found".to_owned());
    }
    warnings
}
