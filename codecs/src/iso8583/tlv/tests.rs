use super::*;

fn check(data: &str, expect: &[(u32, &str)]) {
    let data = hex::decode(data).expect("hexadecimal");
    let tags: Vec<_> = read(&data).map(|tlv| tlv.expect("well made")).collect();
    let found: Vec<_> = tags.iter().map(|tlv| (tlv.tag, hex::encode_upper(tlv.value))).collect();
    let expect: Vec<_> = expect.iter().map(|(tag, value)| (*tag, (*value).to_owned())).collect();
    assert_eq!(found, expect);
    let mut out = BytesMut::new();
    for Tlv { tag, value, .. } in tags {
        assert!(write(&hex::decode(tag_name(tag)).expect("hex"), value, &mut out));
    }
    assert_eq!(&out[..], data);
}

#[test]
fn tags_of_one_to_three_bytes_are_read_and_written() {
    check("9F2608112233445566778882023900", &[(0x9F26, "1122334455667788"), (0x82, "3900")]);
    check("DF812A01AA9C0100", &[(0xDF_812A, "AA"), (0x9C, "00")]);
    check("9F0A00", &[(0x9F0A, "")]);
    let long = format!("72820101{}", "AB".repeat(257));
    check(&long, &[(0x72, &"AB".repeat(257))]);
    check(&format!("718180{}", "CD".repeat(128)), &[(0x71, &"CD".repeat(128))]);
}

#[test]
fn tags_are_called_by_their_names() {
    assert!(LABELS.is_sorted());
    assert_eq!(tag_label("9F26"), "application cryptogram");
    assert_eq!(tag_label("DF01"), "");
}

#[test]
fn what_is_cut_short_is_named_by_its_place() {
    let check = |data: &str, at: usize| {
        let data = hex::decode(data).expect("hexadecimal");
        let last = read(&data).last().expect("something");
        assert_eq!(last.expect_err("short").at, at, "{}", hex::encode(&data));
    };
    check("9F", 0);
    check("9C01009F26", 3);
    check("9C0100820239", 3);
    check("9C01008281", 3);
    check("820280", 0);
    check("5F81818101", 0);
    check("8280", 0);
    check("8284FFFFFFFF", 0);
}

/// The tags and values of data with filling in it, which are written without.
fn filled(data: &str, expect: &str) {
    let data = hex::decode(data.replace(' ', "")).expect("hexadecimal");
    let mut out = BytesMut::new();
    for tlv in read(&data) {
        let Tlv { tag, value, at } = tlv.unwrap_or_else(|short| panic!("{short:?}"));
        assert!(data[at..].starts_with(&hex::decode(tag_name(tag)).expect("hex")), "{at}");
        assert!(write(&hex::decode(tag_name(tag)).expect("hex"), value, &mut out));
    }
    assert_eq!(hex::encode_upper(&out), expect.replace(' ', ""));
}

#[test]
fn filling_bytes_between_and_behind_objects_are_no_tags() {
    for filling in ["00", "FF", "0000", "FFFF", "000000", "00FF", "FF00", "FFFFFF00"] {
        filled(&format!("820239009F360200AC{filling}"), "820239009F360200AC");
        filled(&format!("{filling}82023900 9F360200AC"), "820239009F360200AC");
        for next in ["9F360200AC", "5F2A020484", "9A03261130", "5A0411223344", "DF0101AA", "950100"]
        {
            filled(&format!("82023900 {filling} {next}"), &format!("82023900{next}"));
        }
        filled(filling, "");
    }
}

// The first byte of the card number could be a tag, and the second the length of what is left.
#[test]
fn filling_in_front_of_a_card_number_does_not_become_part_of_its_tag() {
    filled("82021C00 FF 5A08 5006123456789015", "82021C005A085006123456789015");
    filled("82021C00 FF 5708 5A06123456789D15", "82021C0057085A06123456789D15");
    filled("FFFF 560A 5008123456789012345F", "560A5008123456789012345F");
    filled("FF 5003 4F0141", "50034F0141");
    filled("FF 4F05 500341424300", "4F055003414243");
}

#[test]
fn tags_that_begin_with_ff_stay_tags() {
    filled("FF0E0101 9F1A020484", "FF0E01019F1A020484");
    filled("FF0E00", "FF0E00");
    filled("82023900 FF0D03010203", "82023900FF0D03010203");
    filled("FF490101", "FF490101");
    filled("FF330101 00 FF330102 FF", "FF330101FF330102");
    // The templates of contactless kernels.
    filled("FF8106 07 DF811602AABB 00", "FF810607DF811602AABB00");
    filled("FF8105 06 9F360200AC FF 82023900", "FF8105069F360200ACFF82023900");
    // A template within a template.
    filled("FF8101 08 FF8102 04 9A020001", "FF810108FF8102049A020001");
}

#[test]
fn a_tag_that_would_be_read_as_filling_is_not_written() {
    let mut out = BytesMut::new();
    for tag in ["00", "FF00", "FFFF01", "FF9F1A", "FF8106", "FF5A"] {
        assert!(!write(&hex::decode(tag).expect("hex"), &[4, 0x84], &mut out), "{tag}");
    }
    // Whatever its value is made of.
    assert!(!write(&[0xFF, 0x5A], &[0x50, 1, 7], &mut out));
    assert!(write(&[0xFF, 0x81, 0x06], &[0x9A, 1, 7], &mut out));
    assert_eq!(&out[..], [0xFF, 0x81, 0x06, 3, 0x9A, 1, 7]);
}

#[test]
fn a_fault_behind_filling_is_named_by_its_own_place() {
    let data = hex::decode("9C01000000FF9A0326").expect("hexadecimal");
    let last = read(&data).last().expect("something");
    assert_eq!(last, Err(ShortTlv { at: 6, need: 5, have: 3 }));
}

#[test]
fn templates_in_templates_are_looked_into_no_deeper_than_the_ceiling() {
    let nested = |levels: usize| {
        let mut data = vec![0x9A, 1, 1];
        for _ in 0..levels {
            let length = u8::try_from(data.len()).expect("short");
            data = [&[0xFF, 0x81, 0x06, length][..], &data].concat();
        }
        data
    };
    let tags = |levels: usize| -> Vec<_> {
        read(&nested(levels)).map(|tlv| tlv.map(|tlv| tlv.tag)).collect()
    };
    assert_eq!(tags(4), [Ok(0xFF_8106)]);
    // The first FF is filling then, and what follows has the tag 81.
    assert!(matches!(tags(5)[..], [Ok(0x81), ..]), "{:?}", tags(5));
}

proptest::proptest! {
    #[test]
    fn filling_anywhere_between_objects_changes_nothing(
        objects in proptest::collection::vec((0..5_usize, proptest::collection::vec(proptest::num::u8::ANY, 0..9)), 1..9),
        gaps in proptest::collection::vec("(00|FF){0,4}", 10),
    ) {
        const TAGS: [&str; 5] = ["82", "9F26", "5F2A", "DF8129", "9A"];
        let (mut plain, mut with) = (BytesMut::new(), BytesMut::new());
        for ((tag, value), gap) in objects.iter().zip(&gaps) {
            let tag = hex::decode(TAGS[*tag]).expect("hex");
            with.put_slice(&hex::decode(gap).expect("hex"));
            proptest::prop_assert!(write(&tag, value, &mut plain) && write(&tag, value, &mut with));
        }
        with.put_slice(&hex::decode(&gaps[9]).expect("hex"));
        let of = |data: &[u8]| -> Vec<(u32, Vec<u8>)> {
            read(data).map(|tlv| tlv.expect("well made")).map(|tlv| (tlv.tag, tlv.value.to_vec())).collect()
        };
        proptest::prop_assert_eq!(of(&with), of(&plain));
    }

    #[test]
    fn what_is_read_of_any_bytes_is_written_and_read_the_same(
        data in proptest::collection::vec(proptest::sample::select(vec![0_u8, 1, 2, 3, 0x5A, 0x81, 0x9F, 0x9A, 0xDF, 0xFF]), 0..40),
    ) {
        let mut out = BytesMut::new();
        let objects: Vec<_> = read(&data).map_while(Result::ok).collect();
        for Tlv { tag, value, .. } in &objects {
            proptest::prop_assert!(write(&hex::decode(tag_name(*tag)).expect("hex"), value, &mut out));
        }
        let again: Vec<_> = read(&out).map(|tlv| tlv.expect("well made")).map(|tlv| (tlv.tag, tlv.value)).collect();
        let expect: Vec<_> = objects.iter().map(|tlv| (tlv.tag, tlv.value)).collect();
        proptest::prop_assert_eq!(again, expect);
    }
}
