//! Lines for people: at most 80 columns wide, without escape codes, and written to nobody where
//! nobody reads them any more.

use std::io::{self, Write};

/// How wide a line is at most. A word that is longer, a path say, stands on a line of its own.
const COLUMNS: usize = 80;
/// Where the text of a step begins: behind its mark and its name.
const STEP_INDENT: usize = 22;
/// Where the text of an entry begins: behind its name.
const ENTRY_INDENT: usize = 18;

/// Prints lines as they are.
pub(super) fn line(text: &str) {
    // Whoever read it has seen enough (`cauce demo | head`); the demonstration goes on.
    writeln!(io::stdout(), "{text}").ok();
}

/// Prints lines, each broken between words.
pub(super) fn wrapped(text: &str) {
    line(&broken("", 0, text));
}

/// Prints a step of the tour.
pub(super) fn step(mark: char, name: &str, text: &str) {
    line(&broken(&format!("  {mark} {name}"), STEP_INDENT, text));
}

/// Prints where something is.
pub(super) fn entry(name: &str, text: &str) {
    line(&broken(&format!("  {name}"), ENTRY_INDENT, text));
}

/// A head and, from a column on, lines broken between words.
fn broken(head: &str, indent: usize, text: &str) -> String {
    let mut out = format!("{head:<indent$}");
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            new_line(&mut out, indent);
        }
        let mut used = indent;
        for word in line.split(' ') {
            let width = word.chars().count();
            if used > indent && used + 1 + width > COLUMNS {
                new_line(&mut out, indent);
                used = indent;
            }
            if used > indent {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += width;
        }
    }
    out
}

fn new_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.push_str(&" ".repeat(indent));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_at_80_columns_and_go_on_below_their_text() {
        let text = "word ".repeat(40);
        let told = broken("  ✓ a step", STEP_INDENT, text.trim());
        assert!(told.lines().count() > 2, "{told}");
        for (number, line) in told.lines().enumerate() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
            assert_eq!(line.find("word"), Some(STEP_INDENT + if number == 0 { 2 } else { 0 }));
        }
        assert_eq!(told.split_whitespace().filter(|word| *word == "word").count(), 40);
        assert_eq!(broken("", 2, "a\nb"), "  a\n  b");
        let path = "/".repeat(100);
        assert_eq!(broken("", 0, &format!("at {path} now")), format!("at\n{path}\nnow"));
    }
}
