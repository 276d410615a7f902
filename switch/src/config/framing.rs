//! How lines are framed.

use codecs::frame::{Framer, FramingMistake, HeaderKind};

use super::read::Section;

/// A framing of lines: the name of a preset, or a table of its parts.
pub(super) fn read(section: &mut Section<'_>) -> Option<Framer> {
    let value = section.value("framing")?;
    noted(section, Framer::from_value(value))
}

/// The framing of a participant whose format has a header: a message has one, which both may not
/// state.
pub(super) fn with_header_of_format(
    section: &Section<'_>,
    (format, len): &(String, usize),
    framing: &Framer,
) -> Option<Framer> {
    if framing.spec().header != HeaderKind::None {
        let problem = format!(
            "has a header, and so has the format `{format}` (header_length = {len}): a message has \
             one. Set a framing without header, such as framing = \"binary2\""
        );
        section.mistake("framing", problem);
        return None;
    }
    noted(section, framing.clone().with_header_of(*len))
}

/// Notes the mistakes of a framing.
fn noted(section: &Section<'_>, framing: Result<Framer, Vec<FramingMistake>>) -> Option<Framer> {
    let mistakes = match framing {
        Ok(framer) => return Some(framer),
        Err(mistakes) => mistakes,
    };
    for mistake in mistakes {
        let key = match mistake.key.as_str() {
            "" => "framing".to_owned(),
            key => format!("framing.{key}"),
        };
        section.mistake(&key, mistake.problem);
    }
    None
}
