//! When the log has colours: the rule of `cauce` itself.

use std::ffi::OsString;

/// Whether people read standard error on a terminal and want colours: files get no escape codes.
/// `variable` gives a variable of the environment.
/// Source: <https://no-color.org>.
pub fn is_coloured(is_terminal: bool, variable: impl Fn(&'static str) -> Option<OsString>) -> bool {
    let is_refused = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = variable("TERM").is_some_and(|value| value == "dumb");
    is_terminal && !is_refused && !is_dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_no_color_refuses_no_colours_and_a_dumb_terminal_has_none() {
        let check = |is_terminal, variables: &[(&str, &str)], expect| {
            let variable = |name| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(is_coloured(is_terminal, variable), expect, "{variables:?}");
        };
        check(true, &[], true);
        check(true, &[("NO_COLOR", ""), ("TERM", "xterm")], true);
        check(true, &[("NO_COLOR", "1")], false);
        check(true, &[("TERM", "dumb")], false);
        check(false, &[("TERM", "xterm")], false);
    }
}
