//! Compact specifications as jPOS would have them: the same facts, told the other way round.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// jPOS's class for a field of the compact form.
fn class(field: &Map<String, Value>) -> String {
    let of = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
    let var = field.get("var").and_then(Value::as_u64).unwrap_or_default();
    let letters = "L".repeat(usize::try_from(var).expect("small"));
    match (of("enc"), of("lenc"), var) {
        ("ascii", _, 0) if of("pad") == "left0" => "IFA_NUMERIC".to_owned(),
        ("ascii", _, 0) if of("pad") == "rightsp" => "IF_CHAR".to_owned(),
        ("ascii", _, 0) => "IFA_AMOUNT".to_owned(),
        ("ebcdic", _, 0) if of("pad") == "left0" => "IFE_NUMERIC".to_owned(),
        ("ebcdic", _, 0) if of("pad") == "rightsp" => "IFE_CHAR".to_owned(),
        ("ebcdic", _, 0) => "IFE_AMOUNT".to_owned(),
        ("bcd", _, 0) => "IFB_NUMERIC".to_owned(),
        ("x_bcd", _, 0) => "IFB_AMOUNT".to_owned(),
        ("raw", _, 0) => "IFB_BINARY".to_owned(),
        ("hex", _, 0) => "IFA_BINARY".to_owned(),
        ("ebcdic_hex", _, 0) => "IFE_BINARY".to_owned(),
        ("ascii", "ascii", _) => format!("IFA_{letters}CHAR"),
        ("raw", "ascii", _) => format!("IFA_{letters}BINARY"),
        ("ascii", "bcd", _) => format!("IFB_{letters}CHAR"),
        ("bcd", "bcd", _) => format!("IFB_{letters}NUM"),
        ("raw", "bcd", _) => format!("IFB_{letters}BINARY"),
        ("ebcdic", "ebcdic", _) => format!("IFE_{letters}CHAR"),
        ("raw", "ebcdic", _) => format!("IFE_{letters}BINARY"),
        other => panic!("{other:?}"),
    }
}

fn bitmap_class(name: &str) -> &'static str {
    match name {
        "hex" => "IFA_BITMAP",
        "ebcdic_hex" => "IFE_BITMAP",
        _ => "IFB_BITMAP",
    }
}

fn element(out: &mut String, id: &str, length: u64, class: &str, pad: bool) {
    writeln!(
        out,
        "<isofield id=\"{id}\" length=\"{length}\" pad=\"{pad}\" class=\"org.jpos.iso.{class}\"/>"
    )
    .expect("written");
}

fn fields(out: &mut String, fields: &Map<String, Value>) {
    for (id, field) in fields {
        let field = field.as_object().expect("a field");
        let length = field["len"].as_u64().expect("a length");
        let pad = field.get("odd").and_then(Value::as_str) == Some("left0");
        match field.get("sub") {
            None => element(out, id, length, &class(field), pad),
            Some(sub) => packager(out, id, length, &class(field), sub),
        }
    }
}

fn packager(out: &mut String, id: &str, length: u64, class: &str, sub: &Value) {
    let begin = format!(
        "<isofieldpackager id=\"{id}\" length=\"{length}\" class=\"org.jpos.iso.{class}\" packager="
    );
    out.push_str(&begin);
    match sub["kind"].as_str().expect("a kind") {
        "tagged" => {
            let letters =
                "L".repeat(usize::try_from(sub["len"].as_u64().expect("len")).expect("few"));
            out.push_str("\"org.jpos.iso.packager.GenericTaggedFieldsPackager\">\n");
            element(out, "1", 99, &format!("IFA_TT{letters}CHAR"), false);
        }
        "bitmapped" => {
            let header = sub.get("header").and_then(Value::as_u64).unwrap_or_default();
            let skips = sub.get("skip1").and_then(Value::as_bool) == Some(true);
            let at = if skips { "1" } else { "0" };
            // Only a message inside a field has a header there.
            let class = if header > 0 { "GenericPackager" } else { "GenericSubFieldPackager" };
            writeln!(
                out,
                "\"org.jpos.iso.packager.{class}\" bitmapField=\"{at}\" headerLength=\"{header}\">"
            )
            .expect("written");
            if skips && header > 0 {
                element(out, "0", 0, "IF_NOP", false);
            }
            let bitmap = bitmap_class(sub["bitmap"].as_str().expect("a bitmap"));
            element(out, at, sub["size"].as_u64().expect("a size"), bitmap, false);
            fields(out, sub["fields"].as_object().expect("parts"));
        }
        other => panic!("{other}"),
    }
    out.push_str("</isofieldpackager>\n");
}

/// A compact specification as jPOS would have it.
pub fn of_compact(compact: &Value) -> String {
    let header = compact.get("header").and_then(Value::as_u64).unwrap_or_default();
    let mut out = format!(
        "<!DOCTYPE isopackager SYSTEM \"genericpackager.dtd\">\n<isopackager headerLength=\"{header}\">\n"
    );
    let mti = match compact["mti"].as_str() {
        Some("bcd") => "IFB_NUMERIC",
        Some("ebcdic") => "IFE_NUMERIC",
        _ => "IFA_NUMERIC",
    };
    element(&mut out, "0", 4, mti, true);
    let bitmap = bitmap_class(compact["bitmap"].as_str().expect("a bitmap"));
    element(&mut out, "1", 16, bitmap, false);
    fields(&mut out, compact["fields"].as_object().expect("fields"));
    out + "</isopackager>\n"
}
