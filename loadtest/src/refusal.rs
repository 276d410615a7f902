//! What an answer other than 00 says.

use router::reason::{Language, Reason};

/// The response code (DE39) of an answer and, where DE44 names it, the reason of the catalogue, as
/// one line of text.
pub fn refusal(code: Option<&[u8]>, additional_data: Option<&[u8]>) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let code = code.map_or_else(|| "no DE39".to_owned(), |code| format!("DE39 {}", text(code)));
    let Some(additional_data) = additional_data.map(text) else { return code };
    let reason = additional_data.get(..4).and_then(Reason::from_no);
    match reason.map(Reason::info) {
        Some(info) => {
            format!("{code}, {additional_data} {}: {}", info.code, info.text(Language::En))
        }
        None => format!("{code}, {additional_data}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_its_reason() {
        let check = |code: Option<&str>, de44: Option<&str>, expect: &str| {
            let told = refusal(code.map(str::as_bytes), de44.map(str::as_bytes));
            assert_eq!(told, expect);
        };
        check(Some("63"), Some("5001"), "DE39 63, 5001 operator_unauthorised: User not authorised");
        let field = "DE39 30, 6006 DE32 @37 format_error: Format error";
        check(Some("30"), Some("6006 DE32 @37"), field);
        check(Some("05"), None, "DE39 05");
        check(Some("05"), Some("CALL"), "DE39 05, CALL");
        check(None, None, "no DE39");
    }
}
