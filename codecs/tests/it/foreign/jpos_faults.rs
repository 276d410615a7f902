//! Attributes and parts of jPOS's packagers that once were passed over or taken for others. The bytes are
//! laid out by hand after jPOS's sources.

use super::jpos::{check, packager, refused};
use crate::reports::{bytes, spec};

fn inner(attributes: &str, parts: &str) -> String {
    format!(
        "<isofieldpackager id='48' length='999' class='$IFA_LLLCHAR' {attributes}>{parts}</isofieldpackager>"
    )
}

const IN_48: &str = "30313030 0000000000010000";

#[test]
fn card_data_of_a_message_inside_a_field_is_hidden() {
    let fields = inner(
        "packager='$p.GenericPackager'",
        "<isofield id='0' length='4' class='$IFA_NUMERIC'/>\
         <isofield id='1' length='16' class='$IFA_BITMAP'/>\
         <isofield id='2' length='19' class='$IFA_LLNUM'/>\
         <isofield id='35' length='37' class='$IFA_LLCHAR'/>\
         <isofield id='45' length='76' class='$IFA_LLCHAR'/>\
         <isofield id='52' length='8' class='$IFA_BINARY'/>",
    );
    // Neither the card number nor that of the track has a right check digit.
    let content = hex::encode(
        "077020040000000200010001641111111111111122141111111111111\
         12=30120123456789ABCDEF",
    );
    let spec = spec(&packager(&fields));
    let tree = spec.unpack(&bytes(&format!("{IN_48}{content}"))).expect("read");
    assert_eq!(
        serde_json::to_string(&spec.masked(tree)).expect("JSON"),
        r#"{"mti":"0100","fields":{"48":{"0":"0200","2":"[16 hidden]","35":"[21 hidden]","52":"[8 hidden]"}}}"#
    );
}

#[test]
fn a_part_0_that_writes_nothing_leaves_a_message_without_a_type() {
    let fields = inner(
        "packager='$p.GenericPackager'",
        "<isofield id='0' length='0' class='$IF_NOP'/>\
         <isofield id='1' length='16' class='$IFA_BITMAP'/>\
         <isofield id='3' length='6' class='$IFA_NUMERIC'/>",
    );
    let content = hex::encode("0222000000000000000000777");
    check(&fields, &format!("{IN_48}{content}"), r#"{"48":{"3":"000777"}}"#);
}

#[test]
fn a_part_without_a_length_is_a_mistake() {
    let bitmap = inner(
        "packager='$p.Base1SubFieldPackager'",
        "<isofield id='0' class='$p.Base1_BITMAP126'/><isofield id='1' length='2' class='$IF_CHAR'/>",
    );
    let tag = inner(
        "token='0000' packager='org.jpos.tlv.packager.TaggedSequencePackager'",
        "<isofield id='1' token='0012' class='org.jpos.tlv.packager.IFTA_LLLNUM'/>",
    );
    for fields in [bitmap, tag] {
        let problem = refused(&fields);
        assert!(problem.contains("line 1: `length` is needed"), "{problem}");
    }
}

#[test]
fn attributes_that_are_true_or_false_are_so_in_any_case() {
    check(
        "<isofield id='48' length='255' inclusive='TRUE' class='$IFB_LLHBINARY'/>",
        &format!("{IN_48} 05A1B2C3D4"),
        r#"{"48":"A1B2C3D4"}"#,
    );
    let digits =
        |pad: &str| format!("<isofield id='48' length='3' pad='{pad}' class='$IFB_NUMERIC'/>");
    check(&digits("True"), &format!("{IN_48} 0123"), r#"{"48":"123"}"#);
    check(&digits("FALSE"), &format!("{IN_48} 1230"), r#"{"48":"123"}"#);
    let parts = "<isofield id='1' length='1' class='$IF_CHAR'/><isofield id='2' length='2' class='$IF_CHAR'/>";
    let fields = inner("emitBitmap='FALSE' packager='$p.GenericSubFieldPackager'", parts);
    check(&fields, &format!("{IN_48} 303033 415859"), r#"{"48":{"1":"A","2":"XY"}}"#);
    let yes = "<isofield id='48' length='255' inclusive='yes' class='$IFB_LLHBINARY'/>";
    assert!(refused(yes).contains("`inclusive` is `true` or `false`"));
    assert!(refused(&digits("1")).contains("`pad` is `true` or `false`"));
    let fields = inner("emitBitmap='no' packager='$p.GenericSubFieldPackager'", parts);
    assert!(refused(&fields).contains("`emitBitmap` is `true` or `false`"));
}

#[test]
fn headers_and_first_fields_are_applied_where_jpos_applies_them() {
    let parts = "<isofield id='0' length='8' class='$IFB_BITMAP'/>\
                 <isofield id='1' length='3' class='$IFA_NUMERIC'/>";
    for packager in [
        "bitmapField='0' packager='$p.GenericSubFieldPackager'",
        "packager='$p.Base1SubFieldPackager'",
    ] {
        let fields = inner(&format!("headerLength='1' {packager}"), parts);
        let message = format!("{IN_48} 303131 8000000000000000 303031");
        check(&fields, &message, r#"{"48":{"1":"001"}}"#);
    }
    let in_order = inner(
        "headerLength='1' emitBitmap='false' packager='$p.GenericPackager'",
        "<isofield id='0' length='4' class='$IFA_NUMERIC'/><isofield id='1' length='3' class='$IFA_NUMERIC'/>",
    );
    assert!(refused(&in_order).contains("a header in front of parts without a bitmap"));
    let tags = "<isofield id='0' length='1' class='$IF_CHAR'/><isofield id='14' length='9' class='$IFA_TTLLCHAR'/>";
    let tagged = |attributes: &str| {
        inner(&format!("{attributes} packager='$p.GenericTaggedFieldsPackager'"), tags)
    };
    assert!(
        refused(&tagged("headerLength='1'"))
            .contains("a header in front of parts without a bitmap")
    );
    assert!(refused(&tagged("firstField='1'")).contains("in front of `firstField`"));
    check(
        &tagged("firstField='0'"),
        &format!("{IN_48} 303036 52 31343031 37"),
        r#"{"48":{"0":"R","14":"7"}}"#,
    );
}

#[test]
fn tags_of_bytes_beside_tags_of_characters_are_read_as_bytes() {
    let tags = "<isofield id='14' length='99' class='$IFA_TTLLCHAR'/>\
                <isofield id='15' length='99' class='$IFA_TTLLBINARY'/>";
    let fields =
        inner("tagMapper='$p.TTDecimalTagMapper' packager='$p.GenericTaggedFieldsPackager'", tags);
    let message = format!("{IN_48} 303137 31343031 41 31353038 4111111111111111");
    check(&fields, &message, r#"{"48":{"14":"A","15":"4111111111111111"}}"#);
    let spec = spec(&packager(&fields));
    let tree = spec.unpack(&bytes(&message)).expect("read");
    let masked = serde_json::to_value(spec.masked(tree)).expect("JSON");
    assert_eq!(masked["fields"]["48"]["15"], "411111******1111");
    let unknown =
        inner("tagMapper='org.example.Tags' packager='$p.GenericTaggedFieldsPackager'", tags);
    assert!(refused(&unknown).contains("is known to `org.example.Tags` alone"));
}
