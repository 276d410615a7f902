//! Specifications of other projects, read into our form and out of it again.

mod jpos;
mod jpos_faults;
mod moov;
mod packager;

use codecs::iso8583::{Form, RawSpec, Spec, form_of, import};
use proptest::prelude::*;
use serde_json::Value;

use crate::{testdata, vectors};

fn text(path: &str) -> String {
    std::fs::read_to_string(testdata(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).expect("JSON")
}

fn imported(text: &str) -> RawSpec {
    import(form_of(text), text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// The keys and problems of everything that is wrong with a text.
fn mistakes(text: &str) -> Vec<String> {
    let mistakes = import(form_of(text), text).expect_err("refused");
    mistakes.iter().map(ToString::to_string).collect()
}

/// These came from jPOS's packagers: read from jPOS's form they say the same.
const OF_JPOS: [&str; 7] = [
    "iso87-ascii",
    "iso87-bcd",
    "iso93-ascii",
    "iso93-bcd",
    "iso93-ebcdic-de55bitmap",
    "iso93-tagged48",
    "postilion-127",
];

#[test]
fn packagers_of_jpos_say_what_the_compact_specs_taken_from_them_say() {
    for name in OF_JPOS {
        let compact_text = text(&format!("specs/{name}.json"));
        let compact = imported(&compact_text);
        let packager =
            imported(&packager::of_compact(&serde_json::from_str(&compact_text).expect("JSON")));
        assert_eq!((&packager.mti, &packager.bitmap), (&compact.mti, &compact.bitmap), "{name}");
        assert_eq!(packager.header_length, compact.header_length, "{name}");
        let layout = |raw: &RawSpec| {
            let mut raw = raw.clone();
            // The same for the digits and letters of these, and stated by neither alike.
            raw.code_page = Some("cp1047".to_owned());
            raw.fields.values_mut().for_each(|field| {
                // Only jPOS's form tells a message inside a field, whose card data is hidden.
                let parts = field.parts.as_mut().into_iter().flat_map(|p| p.fields.values_mut());
                parts.for_each(|part| part.secret = false);
                field.letters = Some("ABC=EF".to_owned());
                field.odd = field.odd.take().filter(|_| field.length.is_none_or(|len| len % 2 > 0));
            });
            let spec = Spec::compile(&raw).expect("compiled");
            let with_parts = |number| {
                let field = spec.field(number)?;
                Some((*field, spec.composite(field).cloned()))
            };
            (2..=192).map(with_parts).collect::<Vec<_>>()
        };
        assert_eq!(layout(&packager), layout(&compact), "{name}");
    }
}

#[test]
fn packagers_of_jpos_read_the_messages_of_their_compact_specs() {
    let mut messages = 0;
    for vector in vectors::all().iter().filter(|vector| vector.is_sound()) {
        let compact = vector.spec();
        if !OF_JPOS.contains(&compact.name()) {
            continue;
        }
        let xml = packager::of_compact(&json(&format!("specs/{}.json", compact.name())));
        let spec = Spec::from_any(&xml).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let bytes = vector.bytes();
        assert_eq!(spec.unpack(&bytes), compact.unpack(&bytes), "{}", vector.id);
        messages += 1;
    }
    assert!(messages >= 8, "{messages}");
}

#[test]
fn a_packager_of_every_kind_of_field_reads_what_jpos_wrote_with_it() {
    let spec = Spec::from_any(&text("foreign/acquirer.xml")).expect("loaded");
    let expected = json("foreign/acquirer.json");
    let bytes = hex::decode(expected["hex"].as_str().expect("text")).expect("hexadecimal");
    let tree = serde_json::to_value(spec.unpack(&bytes).expect("read")).expect("JSON");
    assert_eq!(tree["mti"], expected["mti"]);
    assert_eq!(tree["fields"], expected["fields"]);
    let secret: Vec<u8> =
        (2..=128).filter(|n| spec.field(*n).is_some_and(|field| field.secret)).collect();
    assert_eq!(secret, [2, 35, 52]);
}

#[test]
fn a_class_that_is_not_known_is_named_with_its_field_and_line() {
    let xml = |field: &str| {
        format!(
            "<isopackager>\n<isofield id='0' length='4' class='org.jpos.iso.IFA_NUMERIC'/>\n\
             <isofield id='1' length='16' class='org.jpos.iso.IFA_BITMAP'/>\n{field}\n</isopackager>"
        )
    };
    let found = |field: &str| mistakes(&xml(field)).join("; ");
    assert_eq!(
        found("<isofield id='48' length='9' class='com.acme.IFX_ODD'/>"),
        "fields.48.class: line 4: class `com.acme.IFX_ODD` is not known"
    );
    assert_eq!(
        found("<isofield id='48' length='9' class='org.jpos.iso.IFMC_LLCHAR'/>"),
        "fields.48.class: line 4: class `org.jpos.iso.IFMC_LLCHAR` cannot be said here: it writes \
         a tag or number in front of its content"
    );
    assert_eq!(
        found(
            "<isofieldpackager id='55' length='9' class='org.jpos.iso.IFA_LLBINARY' packager='x.Y'/>"
        ),
        "fields.55.packager: line 4: packager `x.Y` is not known"
    );
    assert_eq!(
        found("<isofield id='2' length='x' class='org.jpos.iso.IFA_LLNUM'/>\n<isofield id='300'/>"),
        "fields: line 5: `id` must be a number of 0 to 192; fields.2.length: line 4: `length` is no \
         number, or too great"
    );
    assert_eq!(found("<validator/>"), "fields: line 4: `validator` is not known");
    assert_eq!(
        found("<isofield id='3' length='6' class='org.jpos.iso.IF_CHAR' encoding='IBM037'/>"),
        "fields.3: line 4: attribute `encoding` is not known here"
    );
}

#[test]
fn packagers_hold_chip_data_and_data_sets() {
    let xml = "<isopackager><isofield id='0' length='4' class='org.jpos.iso.IFA_NUMERIC'/>\
        <isofield id='1' length='16' class='org.jpos.iso.IFB_BITMAP'/>\
        <isofieldpackager id='34' length='9999' class='org.jpos.iso.IFB_LLLLBINARY' \
        packager='org.jpos.iso.packager.DatasetPackager'>\
        <isofield id='2' length='3' class='org.jpos.iso.IF_CHAR'/></isofieldpackager>\
        <isofieldpackager id='55' length='510' class='org.jpos.iso.IFA_LLLCHAR' \
        packager='org.jpos.tlv.packager.bertlv.BERTLVAsciiHexPackager'/></isopackager>";
    let spec = Spec::from_any(xml).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    // Bits 34 and 55. DE34: fourteen bytes, data set 71 of five with bit 3, which is part 2; then a data
    // set of BER-TLV. DE55: eight characters of hexadecimal digits.
    let message = ["0100".as_bytes(), &[0, 0, 0, 0, 0x40, 0, 2, 0], &[0, 0x14]].concat();
    let sets = [&[0x71, 0, 5, 0x20, 0][..], b"ABC", &[0x01, 0, 3, 0x9C, 1, 0x77]].concat();
    let message = [&message[..], &sets, b"0088202390A"].concat();
    let tree = spec.unpack(&message).map(|tree| serde_json::to_value(tree).expect("JSON"));
    let expect = serde_json::json!({"mti": "0100", "fields": {
        "34": {"71": {"2": "ABC"}, "01": {"9C": "77"}}, "55": {"82": "390A"}}});
    assert_eq!(tree, Ok(expect));
}

#[test]
fn parts_of_a_field_that_is_ebcdic_as_a_whole_are_ebcdic() {
    let sub = "packager='org.jpos.iso.packager.GenericSubFieldPackager'";
    let xml = format!(
        "<isopackager><isofield id='0' length='4' class='org.jpos.iso.IFE_NUMERIC'/>\
         <isofield id='1' length='16' class='org.jpos.iso.IFE_BITMAP'/>\
         <isofieldpackager id='60' length='99' class='org.jpos.iso.IFE_LLLCHAR' \
         emitBitmap='false' firstField='1' {sub}>\
         <isofield id='1' length='3' class='org.jpos.iso.IF_CHAR'/>\
         <isofield id='2' length='20' class='org.jpos.iso.IFA_LLCHAR'/></isofieldpackager>\
         <isofieldpackager id='61' length='99' class='org.jpos.iso.IFE_LLLCHAR' {sub}>\
         <isofield id='0' length='0' class='org.jpos.iso.IF_NOP'/>\
         <isofield id='1' length='2' class='org.jpos.iso.IFA_BITMAP'/>\
         <isofield id='2' length='3' class='org.jpos.iso.IF_CHAR'/>\
         <isofield id='7' length='20' class='org.jpos.iso.IFA_LLCHAR'/></isofieldpackager>\
         </isopackager>"
    );
    let spec = Spec::from_any(&xml).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    // Packed by jPOS 2.1.9 with this packager.
    let message = hex::decode(concat!(
        "F0F2F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F1F8F0F1F0C1C240F0F5C8C5D3D3D6",
        "F0F1F4F4F2F0F0A7A840F0F5A285A58595",
    ))
    .expect("hexadecimal");
    let tree = spec.unpack(&message).map(|tree| serde_json::to_value(tree).expect("JSON"));
    let expect = serde_json::json!({"mti": "0200", "fields": {
        "60": {"1": "AB ", "2": "HELLO"}, "61": {"2": "xy ", "7": "seven"}}});
    assert_eq!(tree, Ok(expect));
}

#[test]
fn documents_of_moov_read_the_messages_of_their_compact_specs() {
    for vector in vectors::all().iter().filter(|vector| vector.is_sound()) {
        let compact = vector.spec();
        if !["moov-basic", "moov-bcd"].contains(&compact.name()) {
            continue;
        }
        let spec = Spec::from_any(&text(&format!("foreign/{}.json", compact.name())));
        let spec = spec.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let bytes = vector.bytes();
        assert_eq!(spec.unpack(&bytes), compact.unpack(&bytes), "{}", vector.id);
    }
}

#[test]
fn a_document_of_every_kind_of_field_reads_what_was_laid_out_by_hand() {
    let spec = Spec::from_any(&text("foreign/moov-every.json"));
    let spec = spec.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    // Field by field after docs/declarative-specs.md of moov-io/iso8583.
    let message = hex::decode(
        [
            "F0F2F0F0",
            "7800000020211204",
            "0000000000000002",
            "05123450",
            "3041C1C2C3C4C5C6C7C8C9D1",
            "000000002500",
            "78797A",
            "245413330089010434D2512101",
            "E2C8D6D7404040404040",
            "30313630313033 6F6E65 30373035 736576656E",
            "31313232333334343535363637373838",
            "00119F26081122334455667788",
            "07800141420 2CAFE",
            "303032CAFE",
        ]
        .concat()
        .replace(' ', ""),
    )
    .expect("hexadecimal");
    let tree = spec.unpack(&message).map(|tree| serde_json::to_value(tree).expect("JSON"));
    let expect = serde_json::json!({"mti": "0200", "fields": {
        "2": "12345", "3": "ABCDEFGHIJ", "4": "000000002500", "5": "xyz",
        "35": "5413330089010434D2512101", "43": "SHOP      ", "48": {"01": "one", "07": "seven"},
        "52": "1122334455667788", "55": {"9F26": "1122334455667788"},
        "62": {"1": "AB", "16": "CAFE"}, "127": "CAFE"}});
    assert_eq!(tree, Ok(expect));
}

#[test]
fn a_name_of_a_document_that_is_not_known_is_told_with_its_path() {
    let document = |field: &str| {
        format!(
            r#"{{"fields": {{
                "0": {{"type": "String", "length": 4, "enc": "ASCII", "prefix": "ASCII.Fixed"}},
                "1": {{"type": "Bitmap", "enc": "Binary", "prefix": "Binary.Fixed"}},
                "9": {field}}}}}"#
        )
    };
    let found = |field: &str| mistakes(&document(field)).join("; ");
    let ascii = r#""length": 4, "enc": "ASCII", "prefix": "ASCII.Fixed""#;
    assert_eq!(
        found(r#"{"type": "Custom", "length": 4, "enc": "UTF8", "prefix": "ASCII.Fixed"}"#),
        "fields.9.type: type `Custom` is not known here; fields.9.enc: encoding `UTF8` is not known \
         here"
    );
    assert_eq!(
        found(r#"{"type": "String", "length": 4, "enc": "ASCII", "prefix": "ASCII.LX"}"#),
        "fields.9.prefix: prefix `ASCII.LX` is not known here"
    );
    assert_eq!(
        found(&format!(r#"{{"type": "String", {ascii}, "padding": {{"type": "Both"}}}}"#)),
        "fields.9.padding.type: `Both` is not known"
    );
    assert_eq!(
        found(r#"{"type": "Composite", "length": 4, "prefix": "ASCII.LL"}"#),
        "fields.9: a composite has a `tag` or a `bitmap`"
    );
    assert_eq!(
        found(&format!(
            r#"{{"type": "Composite", "length": 4, "prefix": "ASCII.LL", "tag": {{"sort": ""}},
                "subfields": {{"2": {{"type": "String", "length": 4, "enc": "X", "prefix": "Y"}},
                "b": {{"type": "String", {ascii}}}}}}}"#
        )),
        "fields.9.subfields.2.enc: encoding `X` is not known here; fields.9.subfields.b: a subfield \
         without a tag is a number"
    );
}

#[test]
fn forms_are_told_apart_by_their_text() {
    for (form, text) in [
        (Form::Jpos, text("foreign/acquirer.xml")),
        (Form::Moov, text("foreign/moov-every.json")),
        (Form::Compact, text("specs/iso87-ascii.json")),
        (Form::Toml, "name = 'x'".to_owned()),
        (Form::Toml, String::new()),
        (Form::Toml, "[fields]".to_owned()),
        (Form::Compact, "{".to_owned()),
        (Form::Compact, r#"{"fields": 7}"#.to_owned()),
        (Form::Moov, r#" {"fields": {"2": {"prefix": "ASCII.LL"}}}"#.to_owned()),
    ] {
        assert_eq!(form_of(&text), form, "{text:.40}");
        assert_eq!(Form::from_name(form.name()), Some(form));
    }
    assert_eq!(Form::from_name("jpos-xml"), Some(Form::Jpos));
    assert_eq!(Form::from_name("yaml"), None);
}

#[test]
fn every_foreign_spec_is_the_same_written_as_toml() {
    let names = std::fs::read_dir(testdata("specs")).expect("a folder");
    let mut texts: Vec<String> = names
        .map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("text"))
        .collect();
    texts.push(text("foreign/acquirer.xml"));
    texts.extend(["basic", "bcd", "every"].map(|name| text(&format!("foreign/moov-{name}.json"))));
    texts.extend(OF_JPOS.map(|name| packager::of_compact(&json(&format!("specs/{name}.json")))));
    for text in texts {
        let raw = imported(&text);
        let toml = raw.to_toml();
        assert_eq!(imported(&toml), raw);
        assert_eq!(imported(&toml).to_toml(), toml);
        let lint = Spec::lint(&toml);
        assert_eq!(lint.mistakes, [], "{}", raw.name);
        assert!(lint.warnings.iter().any(|warning| warning.problem.contains("`any`")));
    }
}

#[test]
fn messages_are_read_the_same_by_the_spec_written_as_toml() {
    for vector in vectors::all() {
        let spec = vector.spec();
        let path = testdata("specs").join(spec.name()).with_extension("json");
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let written = Spec::from_toml(&imported(&text).to_toml()).expect("loaded");
        let bytes = vector.bytes();
        assert_eq!(written.unpack(&bytes), spec.unpack(&bytes), "{}", vector.id);
    }
}

#[test]
fn a_text_cut_anywhere_is_a_mistake_and_no_panic() {
    for path in ["foreign/acquirer.xml", "foreign/moov-every.json"] {
        let text = text(path);
        let whole = text.trim_end();
        for end in (0..whole.len()).step_by(7).filter(|end| whole.is_char_boundary(*end)) {
            let cut = &whole[..end];
            assert!(Spec::from_any(cut).is_err(), "{path} cut at {end}");
            assert_ne!(Spec::lint(cut).mistakes, [], "{path} cut at {end}");
        }
    }
}

proptest! {
    #[test]
    fn a_text_with_anything_in_it_brings_nothing_down(
        which in 0..4_usize,
        at in any::<prop::sample::Index>(),
        put in "[<>&\\[\\]\"'{}:,a-z0-9 ]{0,6}",
    ) {
        let paths = [
            "foreign/acquirer.xml", "foreign/moov-every.json", "specs/postilion-127.json",
            "specs/iso93-tagged48.json",
        ];
        let mut text = text(paths[which]);
        let at = at.index(text.len());
        let end = (at + put.len()).min(text.len());
        if text.is_char_boundary(at) && text.is_char_boundary(end) {
            text.replace_range(at..end, &put);
        }
        let lint = Spec::lint(&text);
        if let Ok(raw) = import(form_of(&text), &text) {
            prop_assert_eq!(import(Form::Toml, &raw.to_toml()), Ok(raw));
        }
        prop_assert!(Spec::from_any(&text).is_ok() || !lint.mistakes.is_empty());
    }
}

#[test]
fn of_a_number_that_comes_twice_the_later_counts() {
    let text = "<isopackager>\n<isofield id='0' length='4' class='org.jpos.iso.IFA_NUMERIC'/>\n\
                <isofield id='1' length='16' class='org.jpos.iso.IFA_BITMAP'/>\n\
                <isofield id='3' length='6' class='org.jpos.iso.IFA_NUMERIC'/>\n\
                <isofield id='3' length='8' class='org.jpos.iso.IFA_NUMERIC'/>\n</isopackager>";
    let raw = import(Form::Jpos, text).expect("read");
    assert_eq!(raw.fields.values().map(|field| field.length).collect::<Vec<_>>(), [Some(8)]);
}

#[test]
fn a_number_that_no_field_has_is_a_mistake_in_every_form() {
    let compact = |number: u8| {
        format!(r#"{{"mti": "ascii", "bitmap": "hex", "fields": {{"{number}": {{"len": 4}}}}}}"#)
    };
    for number in [0, 1, 193, 255] {
        let expect = format!("fields.{number}: a field is a number of 2 to 192");
        assert_eq!(mistakes(&compact(number)), [expect]);
    }
    assert!(Spec::from_any(&compact(192)).is_err_and(|mistakes| mistakes[0].key == "third_bitmap"));
}
