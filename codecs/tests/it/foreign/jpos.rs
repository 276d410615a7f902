//! Packagers of jPOS with fields made of parts. Bytes said to be packed by jPOS were packed by jPOS
//! 2.1.9 with the packager beside them.

use codecs::iso8583::Spec;

use crate::reports::{comes_back, fault, reads_and_writes, spec};

const TEXT_HEAD: &str = "<isofield id='0' length='4' class='org.jpos.iso.IFA_NUMERIC'/>\
     <isofield id='1' length='16' class='org.jpos.iso.IFB_BITMAP'/>";

pub(super) fn packager(fields: &str) -> String {
    let iso =
        |text: String| text.replace("$p", "org.jpos.iso.packager").replace("$", "org.jpos.iso.");
    iso(format!("<isopackager>{TEXT_HEAD}{fields}</isopackager>"))
}

#[track_caller]
pub(super) fn check(fields: &str, hex: &str, json: &str) {
    let xml = packager(fields);
    comes_back(&spec(&xml), hex, &format!(r#"{{"mti":"0100","fields":{json}}}"#));
    // What the import writes down says the same.
    let raw = codecs::iso8583::import(codecs::iso8583::Form::Jpos, &xml).expect("imported");
    let toml = raw.to_toml();
    comes_back(
        &Spec::from_any(&toml).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{toml}")),
        hex,
        &format!(r#"{{"mti":"0100","fields":{json}}}"#),
    );
}

#[track_caller]
pub(super) fn refused(fields: &str) -> String {
    let mistakes = Spec::from_any(&packager(fields)).expect_err("refused");
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

const BASE1: &str = "<isofieldpackager id='126' length='255' class='$IFB_LLHBINARY' packager='$p.Base1SubFieldPackager'>\
     <isofield id='0' length='8' class='$p.Base1_BITMAP126'/>\
     <isofield id='1' length='5' class='$IFE_CHAR'/>\
     <isofield id='2' length='4' class='$IFB_NUMERIC' pad='true'/>\
     <isofield id='10' length='6' class='$IF_ECHAR'/></isofieldpackager>\
     <isofieldpackager id='127' length='255' class='$IFB_LLHBINARY' packager='$p.Base1SubFieldPackager'>\
     <isofield id='0' length='1' class='$IF_ECHAR'/>\
     <isofield id='1' length='19' class='$IFB_LLHNUM' pad='true'/>\
     <isofield id='2' length='4' class='$IFB_NUMERIC' pad='true'/></isofieldpackager>";

// Packed by jPOS.
#[test]
fn sub_fields_of_base_1_have_a_bitmap_as_part_0_or_follow_each_other() {
    check(
        BASE1,
        "303130308000000000000000000000000000000415C040000000000000C1C24040400042A7A840404040",
        r#"{"126":{"1":"AB   ","2":"0042","10":"xy    "}}"#,
    );
    check(
        BASE1,
        "303130308000000000000000000000000000000206C10301231234",
        r#"{"127":{"0":"A","1":"123","2":"1234"}}"#,
    );
    check(
        BASE1,
        "303130308000000000000000000000000000000204C1030123",
        r#"{"127":{"0":"A","1":"123"}}"#,
    );
    // A part that is not defined, and one cut short.
    let spec = spec(&packager(BASE1));
    let head = "3031303080000000000000000000000000000004";
    assert_eq!(
        fault(&spec, &format!("{head}08 0100000000000000")),
        ("undefined_field", "126.8".to_owned(), 29)
    );
    assert_eq!(
        fault(&spec, &format!("{head}0A 8000000000000000C1C2")),
        ("short_data", "126.1".to_owned(), 29)
    );
}

// As jPOS's base1.xml has its field 127: without a bitmap, which jPOS itself can neither write nor read.
#[test]
fn generic_sub_fields_without_any_bitmap_follow_each_other_from_part_0() {
    check(
        &BASE1.replace(
            "127' length='255' class='$IFB_LLHBINARY' packager='$p.Base1",
            "127' length='255' class='$IFB_LLHBINARY' packager='$p.Generic",
        ),
        "303130308000000000000000000000000000000206C10301231234",
        r#"{"127":{"0":"A","1":"123","2":"1234"}}"#,
    );
}

// Public report: jpos/jPOS issue 739, pull requests 740 and 741. Laid out by hand: jPOS 2.1.9 has no
// `inclusive` yet.
#[test]
fn a_binary_length_may_include_itself() {
    check(
        "<isofield id='11' length='6' class='$IFA_NUMERIC'/>\
         <isofield id='63' length='255' inclusive='true' class='$IFB_LLHBINARY'/>",
        "30313030 0020000000000002 303030303031 05A1B2C3D4",
        r#"{"11":"000001","63":"A1B2C3D4"}"#,
    );
    check(
        "<isofield id='63' length='9000' inclusive='true' class='$IFB_LLLHBINARY'/>",
        "30313030 0000000000000002 0005A1B2C3",
        r#"{"63":"A1B2C3"}"#,
    );
    // Visa Base I, field 126.18.
    check(
        "<isofieldpackager id='126' length='255' class='$IFB_LLHBINARY' packager='$p.Base1SubFieldPackager'>\
         <isofield id='0' length='8' class='$p.Base1_BITMAP126'/>\
         <isofieldpackager id='18' length='11' inclusive='true' class='$IFB_LLHBINARY' \
         packager='$p.GenericSubFieldPackager' emitBitmap='false' firstField='1'>\
         <isofield id='1' length='2' class='$IFE_CHAR'/>\
         <isofield id='2' length='2' class='$IFB_BINARY'/></isofieldpackager></isofieldpackager>",
        "30313030 8000000000000000 0000000000000004 0D 0000400000000000 05C1C2CAFE",
        r#"{"126":{"18":{"1":"AB","2":"CAFE"}}}"#,
    );
    check(
        "<isofield id='63' length='255' inclusive='false' class='$IFB_LLHBINARY'/>",
        "30313030 0000000000000002 02A1B2",
        r#"{"63":"A1B2"}"#,
    );
    for class in ["IFA_LLLCHAR", "IFB_LLHCHAR", "IFB_LLHNUM", "IFB_LLBINARY", "IFB_BINARY"] {
        let field = format!("<isofield id='63' length='9' inclusive='true' class='${class}'/>");
        assert_eq!(
            refused(&field),
            "fields.63.length: line 1: `inclusive` is for bytes behind a binary length"
        );
    }
}

// Public report: tilln/jmeter-iso8583 issue 52. Packed by jPOS, but for the parts of 44.
#[test]
fn a_message_may_stand_in_a_field() {
    let fields = "<isofieldpackager id='44' length='256' class='$IFE_LLLBINARY' \
         packager='$p.GenericPackager' maxValidField='16' emitBitmap='true' bitmapField='0' \
         firstField='0' headerLength='1'>\
         <isofield id='0' length='2' class='$IFE_BITMAP'/>\
         <isofield id='1' length='3' class='$IFE_CHAR'/>\
         <isofield id='2' length='1' class='$IFE_CHAR'/></isofieldpackager>\
         <isofieldpackager id='48' length='999' class='$IFA_LLLCHAR' packager='$p.GenericPackager'>\
         <isofield id='0' length='4' class='$IFA_NUMERIC'/>\
         <isofield id='1' length='16' class='$IFA_BITMAP'/>\
         <isofield id='2' length='6' class='$IFA_NUMERIC'/>\
         <isofield id='70' length='3' class='$IFA_NUMERIC'/></isofieldpackager>\
         <isofieldpackager id='49' length='999' class='$IFA_LLLCHAR' emitBitmap='false' \
         packager='$p.GenericPackager'>\
         <isofield id='0' length='4' class='$IFA_NUMERIC'/>\
         <isofield id='1' length='2' class='$IFA_NUMERIC'/>\
         <isofield id='2' length='6' class='$IFA_NUMERIC'/></isofieldpackager>";
    check(
        fields,
        "3031303000000000000100003032363030303134303030303030303030303030303030303030373737",
        r#"{"48":{"0":"0001","2":"000777"}}"#,
    );
    check(
        fields,
        "30313030000000000001000030343530303031433030303030303030303030303030303034303030303030303\
         0303030303030303030373737333031",
        r#"{"48":{"0":"0001","2":"000777","70":"301"}}"#,
    );
    check(
        fields,
        "303130300000000000008000303132303030313232303030373737",
        r#"{"49":{"0":"0001","1":"22","2":"000777"}}"#,
    );
    // A header of one byte in front of a bitmap in EBCDIC.
    check(
        fields,
        "30313030 0000000000100000 F0F0F9 01 C3F0F0F0 C1C2C3 A7",
        r#"{"44":{"h":"01","1":"ABC","2":"x"}}"#,
    );
    let without = "<isofieldpackager id='48' length='999' class='$IFA_LLLCHAR' \
         packager='$p.GenericPackager'><isofield id='1' length='16' class='$IFA_BITMAP'/>\
         </isofieldpackager>";
    assert!(refused(without).contains("a message inside a field begins with part 0"));
}

// Packed by jPOS.
#[test]
fn a_bitmap_in_a_field_grows_unless_bit_1_announces_a_part() {
    let fields = "<isofieldpackager id='50' length='999' class='$IFA_LLLBINARY' \
         packager='$p.GenericSubFieldPackager'>\
         <isofield id='0' length='0' class='$IF_NOP'/>\
         <isofield id='1' length='16' class='$IFB_BITMAP'/>\
         <isofield id='2' length='3' class='$IFA_NUMERIC'/>\
         <isofield id='70' length='3' class='$IFA_NUMERIC'/></isofieldpackager>\
         <isofieldpackager id='61' length='999' class='$IFA_LLLBINARY' bitmapField='0' \
         packager='$p.GenericSubFieldPackager'>\
         <isofield id='0' length='16' class='$IFB_BITMAP'/>\
         <isofield id='1' length='3' class='$IFA_NUMERIC'/>\
         <isofield id='2' length='3' class='$IFA_NUMERIC'/></isofieldpackager>";
    check(fields, "3031303000000000000040003031314000000000000000303031", r#"{"50":{"2":"001"}}"#);
    check(
        fields,
        "303130300000000000004000303232C0000000000000000400000000000000303031333031",
        r#"{"50":{"2":"001","70":"301"}}"#,
    );
    check(
        fields,
        "303130300000000000000008303134C000000000000000303031303032",
        r#"{"61":{"1":"001","2":"002"}}"#,
    );
}

// Public reports: moov-io/iso8583 issue 322; jpos-users, DE48 with a category code. Packed by jPOS, but
// for the category code.
#[test]
fn tags_may_have_a_category_code_in_front_and_parts_of_their_own() {
    let fields = "<isofieldpackager id='48' length='999' class='$IFA_LLLCHAR' emitBitmap='false' \
         packager='$p.GenericTaggedFieldsPackager'>\
         <isofield id='0' length='1' class='$IF_CHAR'/>\
         <isofield id='14' length='99' class='$IFA_TTLLCHAR'/>\
         <isofield id='42' length='99' class='$IFA_TTLLCHAR'/></isofieldpackager>\
         <isofieldpackager id='60' length='999' class='$IFA_LLLBINARY' emitBitmap='false' \
         tagSize='2' lenSize='2' tagMapper='$p.TTDecimalTagMapper' \
         packager='$p.GenericTaggedFieldsPackager'>\
         <isofield id='1' length='99' class='$IFA_TTLLBINARY'/>\
         <isofieldpackager id='2' length='99' class='$IFA_TTLLBINARY' emitBitmap='false' \
         packager='$p.GenericSubFieldPackager'>\
         <isofield id='1' length='2' class='$IF_CHAR'/>\
         <isofield id='2' length='2' class='$IFB_BINARY'/></isofieldpackager></isofieldpackager>";
    check(
        fields,
        "30313030 0000000000010000 303133 52 31343031 37 34323033 323130",
        r#"{"48":{"0":"R","14":"7","42":"210"}}"#,
    );
    check(
        fields,
        "30313030000000000000001030313430313032FF003032303441420102",
        r#"{"60":{"01":"FF00","02":{"1":"AB","2":"0102"}}}"#,
    );
    // A field that is EBCDIC as a whole.
    check(
        &fields.replace(
            "id='48' length='999' class='$IFA_LLLCHAR'",
            "id='48' length='999' class='$IFE_LLLCHAR'",
        ),
        "30313030 0000000000010000 F0F0F6 D9 F1F4F0F1 F7",
        r#"{"48":{"0":"R","14":"7"}}"#,
    );
    let of_acme = fields.replace("$p.TTDecimalTagMapper", "com.acme.Mapper");
    assert_eq!(
        refused(&of_acme),
        "fields.60.parts.fields.2: line 1: which tag is written in this way is known to \
         `com.acme.Mapper` alone"
    );
    let behind = fields.replace("id='0' length='1'", "id='15' length='1'");
    assert!(refused(&behind).contains("behind the first tag all parts must have a tag"));
}

// Packed by jPOS.
#[test]
fn a_sequence_of_tags_names_them_by_their_tokens() {
    let fields = "<isofieldpackager id='48' length='99' class='$IFA_LLLCHAR' token='0000' \
         packager='org.jpos.tlv.packager.TaggedSequencePackager'>\
         <isofield id='0' length='1' class='$IF_CHAR'/>\
         <isofield id='1' length='99' token='####' class='org.jpos.tlv.packager.IFTA_LLLCHAR'/>\
         <isofield id='2' length='99' token='0012' class='org.jpos.tlv.packager.IFTA_LLLNUM'/>\
         </isofieldpackager>";
    let head = hex::encode("0100") + "0000000000010000";
    check(
        fields,
        &(head.clone() + &hex::encode("018R0012002120165001M")),
        r#"{"48":{"0":"R","0012":"12","0165":"M"}}"#,
    );
    let without = fields.replace("token='####' class", "token='##' class");
    assert!(refused(&without).contains("`token` must have as many characters"));
    let only = fields.replace(
        "<isofield id='1' length='99' token='####' class='org.jpos.tlv.packager.IFTA_LLLCHAR'/>",
        "",
    );
    let spec = spec(&packager(&only));
    assert_eq!(
        fault(&spec, &(head + &hex::encode("009R0165001M"))),
        ("undefined_field", "48.0165".to_owned(), 16)
    );
}

// Packed by jPOS.
#[test]
fn sub_fields_of_gicc_have_a_length_that_counts_their_number() {
    let fields = "<isofieldpackager id='60' length='999' class='$IFE_LLLBINARY' \
         packager='$p.GICCSubFieldPackager'>\
         <isofield id='0' length='9' class='$IF_CHAR'/>\
         <isofield id='40' length='2' class='$IFEP_LLLBINARY'/>\
         <isofieldpackager id='47' length='999' class='$IFEP_LLLBINARY' \
         packager='$p.GICCSubFieldPackager'><isofield id='1' length='4' class='$IFEP_LLLBINARY'/>\
         </isofieldpackager></isofieldpackager>";
    check(
        fields,
        "303130300000000000000010F0F2F0F0F0F4F4F0F0F1F0F1F0F4F7F0F0F5F0F1C1C2C3",
        r#"{"60":{"40":"F0F1","47":{"01":"C1C2C3"}}}"#,
    );
    let other =
        fields.replace("length='4' class='$IFEP_LLLBINARY'", "length='4' class='$IFE_LLCHAR'");
    assert!(
        refused(&other).contains("fields.60.parts.fields.47.parts.fields.1: line 1: parts are")
    );
}

#[test]
fn what_jpos_makes_of_classes_that_are_not_known_is_refused_by_their_names() {
    let with = |packager: &str| {
        refused(&format!(
            "<isofieldpackager id='48' length='99' class='$IFA_LLLCHAR' packager='{packager}'>\
             <isofield id='1' length='9' class='$IFA_LLCHAR'/></isofieldpackager>"
        ))
    };
    for name in [
        "org.jpos.iso.packager.EuroSubFieldPackager",
        "org.jpos.iso.packager.CTCSubFieldPackager",
        "org.jpos.iso.packager.PostPackager$PostPrivatePackager",
        "org.jpos.iso.packager.LISSubFieldPackager",
        "com.acme.Base1SubFieldPackager",
    ] {
        assert_eq!(
            with(&name.replace('$', "-")),
            format!(
                "fields.48.packager: line 1: packager `{}` is not known",
                name.replace('$', "-")
            )
        );
    }
    let inner = "<isofieldpackager id='48' length='999' class='$IFA_LLLCHAR' \
         packager='$p.GenericPackager'><isofield id='0' length='4' class='$IFA_NUMERIC'/>\
         <isofield id='1' length='16' class='$IFA_BITMAP'/>\
         <isofield id='3' length='9' class='com.acme.IFX'/></isofieldpackager>";
    assert_eq!(
        refused(inner),
        "fields.48.parts.fields.3.class: line 1: class `com.acme.IFX` is not known"
    );
}

#[test]
fn fields_of_data_objects_are_filled_up_in_packagers_too() {
    for packager_class in [
        "org.jpos.tlv.packager.bertlv.BERTLVBinaryPackager",
        "org.jpos.iso.packager.ICCDataPackager",
    ] {
        let fields = format!(
            "<isofieldpackager id='55' length='255' class='$IFA_LLLBINARY' \
             packager='{packager_class}'/>"
        );
        let head = "303130300000000000000200";
        reads_and_writes(
            &spec(&packager(&fields)),
            &format!("{head} 303130 9A03261130 00 82023900"),
            r#"{"mti":"0100","fields":{"55":{"9A":"261130","82":"3900"}}}"#,
            &format!("{head} 303039 9A03261130 82023900"),
        );
    }
}
