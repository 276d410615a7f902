//! Reads a TOML document. One of many rules is read part by part: the reader of whole documents keeps
//! some thirty times the text in memory, and most of its time goes into that memory.

use toml::{Table, Value};

/// Lists of tables that a document is cut at.
const LISTS: [&str; 6] = ["participants", "billers", "routes", "fees", "limits", "floats"];
/// Bytes of a part, and a bit more: it ends where the next table of a list begins.
const PART_LEN: usize = 64 * 1024;

/// Reads a document.
///
/// Errors: those of the reader, with their place in the whole text.
pub(super) fn parse(text: &str) -> Result<Table, toml::de::Error> {
    match in_parts(text, PART_LEN) {
        Some(table) => Ok(table),
        None => text.parse(),
    }
}

/// The whole document from its parts; none where it must be read as a whole: a part cannot be read
/// by itself, or says more of what another part said than that a list goes on.
fn in_parts(text: &str, part_len: usize) -> Option<Table> {
    // A text of many lines may have a line that looks like the beginning of a table.
    if text.len() <= part_len || text.contains(r#"""""#) || text.contains("'''") {
        return None;
    }
    let (head, mut rest) = text.split_at(next_table(text, 0));
    let mut whole: Table = head.parse().ok()?;
    if LISTS.iter().any(|name| whole.contains_key(*name)) {
        return None;
    }
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(next_table(rest, part_len));
        append(&mut whole, part.parse().ok()?)?;
        rest = behind;
    }
    Some(whole)
}

/// Adds the tables of a part; none where one of them is no list that goes on and is known already.
fn append(whole: &mut Table, part: Table) -> Option<()> {
    for (name, value) in part {
        match (whole.get_mut(&name), value) {
            (None, value) => {
                whole.insert(name, value);
            }
            (Some(Value::Array(whole)), Value::Array(part)) => whole.extend(part),
            (Some(_), _) => return None,
        }
    }
    Some(())
}

/// Where the first table of a list begins at or behind a place, or else where the text ends.
fn next_table(text: &str, from: usize) -> usize {
    let begins = |at: &usize| {
        let is_line = *at == 0 || text.as_bytes()[at - 1] == b'\n';
        is_line && LISTS.iter().any(|name| is_header(&text[*at..], name))
    };
    let from = text.ceil_char_boundary(from);
    let mut brackets = text[from..].match_indices("[[").map(|(at, _)| from + at);
    brackets.find(begins).unwrap_or(text.len())
}

/// Whether a line is `[[name]]` and nothing else: no line of a list of lists looks like that.
fn is_header(line: &str, name: &str) -> bool {
    let behind = line.strip_prefix("[[").and_then(|line| line.strip_prefix(name));
    let behind = behind.and_then(|line| line.strip_prefix("]]"));
    behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(['\n', '\r']))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a text in parts as short as can be; what it gives is what the whole gives.
    fn check(text: &str, is_cut: bool) {
        let whole: Result<Table, _> = text.parse();
        let parts = in_parts(text, 1);
        assert_eq!(parts.is_some(), is_cut, "{text}");
        if let Some(parts) = parts {
            assert_eq!(Ok(parts), whole, "{text}");
        }
        assert_eq!(parse(text).is_ok(), text.parse::<Table>().is_ok());
    }

    #[test]
    fn a_document_read_part_by_part_is_the_document() {
        check("[http]\nlisten = \"a\"\n[[routes]]\nto = [\"b\"]\n[[routes]]\nto = [\"c\"]\n", true);
        check("[[fees]]\n# [[routes]]\nlabel = \"[[routes]]\"\n[[routes]]\n[[fees]]\n", true);
        check("[[participants]]\nid = \"a\"\n[participants.tls]\nca = \"b\"\n[[fees]]\n", true);
        check("[[participants]]\n[[participants.net_debit_caps]]\nminor = 1\n[[fees]]\n", true);
        check("[http]\nlisten = \"a\"\n", true);
        check("[[routes]]\r\nto = [\"é\"]\r\n[[routes]]\r\n", true);
        check("[[limits]]\nallowed = [\n[[1]]\n]\n[[limits]] # of nobody\n[http]\n", true);
    }

    #[test]
    fn what_parts_cannot_tell_is_left_to_the_reader_of_the_whole() {
        check("[[routes]]\n[http]\na = 1\n[[routes]]\n[http]\nb = 1\n", false);
        check("[[routes]]\n[a.b]\n[[routes]]\n[a.c]\n", false);
        check("routes = []\n[[routes]]\n", false);
        check("[[routes]] # the first\n[[routes]]\n", false);
        check("[[participants]]\n[[fees]]\n[participants.tls]\nca = \"b\"\n", false);
        check("[[routes]]\nto = 1 1\n[[fees]]\n", false);
        check("[[fees]]\nlabel = \"\"\"\n[[routes]]\n\"\"\"\n[[fees]]\n", false);
        check("[[fees]]\nlabel = '''\n[[routes]]\n'''\n[[fees]]\n", false);
    }

    #[test]
    fn a_mistake_is_told_with_its_place_in_the_whole_text() {
        let text = "[[routes]]\nto = [\"a\"]\n".repeat(10_000) + "to to\n";
        let error = parse(&text).expect_err("no TOML");
        let at = error.span().expect("a place").start;
        assert_eq!(text[..at].lines().count(), 20_001);
    }
}
