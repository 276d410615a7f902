use super::*;

fn request(json: &str) -> Result<PaymentRequest, FieldError> {
    let originator = BillerId::new("isp-ve").expect("an id");
    parse_payment(json.as_bytes())?.to_request(originator, IdempotencyKey(7))
}

fn check(json: &str, field: &str, reason: Reason) {
    let error = request(json).expect_err("refused");
    assert_eq!((error.field.as_str(), error.reason), (field, reason), "{error}");
}

const AMOUNT: &str = r#""amount":{"currency":"VES","minor":50000}"#;

#[test]
fn a_payment_body_becomes_a_request() {
    let json = r#"{"rail":"c2p","amount":{"currency":"VES","minor":50000},"bill":"F-1",
        "payer":{"doc":"V12345678","phone":"584120000000","bank_code":"0105",
                 "card":{"number":"4111111111111111","expiry":"3012"}},
        "reference":"order 7","client":"C-9","terminal":"T1",
        "remaining_debt":{"currency":"VES","minor":60000},
        "metadata":{"b": 1, "a":"ñ"}}"#;
    let request = request(json).expect("taken");
    assert_eq!(request.rail, Rail::C2p);
    assert_eq!(request.amount.to_string(), "500.00 VES");
    assert_eq!(request.biller, BillerId::new("isp-ve").ok());
    assert_eq!(request.payer.document.map(|text| text.to_string()), Some("V12345678".to_owned()));
    assert_eq!(request.trace.terminal.as_str(), "T1");
    assert_eq!(request.metadata.as_deref(), Some(r#"{"a":"ñ","b":1}"#), "in canonical form");
    assert!(!format!("{request:?}").contains("4111111111111111"));
}

#[test]
fn what_is_no_json_or_has_unknown_fields_is_refused_with_its_place() {
    check("{", "", Reason::FormatError);
    check("[]", "", Reason::FormatError);
    check(&format!(r#"{{"rail":"c2p",{AMOUNT},"colour":1}}"#), "colour", Reason::FormatError);
    let nested = format!(r#"{{"rail":"c2p",{AMOUNT},"payer":{{"doc":"V12345678","cedula":1}}}}"#);
    check(&nested, "payer.cedula", Reason::FormatError);
    let after = format!(r#"{{"payer":{{"doc":"V12345678"}},{AMOUNT},"rail":7}}"#);
    check(&after, "rail", Reason::FormatError);
    check(&format!("{{{AMOUNT}}}"), "rail", Reason::FormatError);
    check(r#"{"rail":"c2p","amount":{"minor":1}}"#, "amount.currency", Reason::FormatError);
    let twice = format!(r#"{{"rail":"c2p",{AMOUNT},{AMOUNT}}}"#);
    check(&twice, "amount", Reason::AmountInvalid);
    let error = request("{\n \"rail\": 5}").expect_err("refused");
    assert_eq!(error.detail, "value is of the wrong type, line 2 column 10");
}

#[test]
fn a_field_is_named_by_its_path_whatever_stands_before_it() {
    let twice = r#"{"rail":"c2p","amount":{"currency":"VES","minor":1,"minor":2}}"#;
    check(twice, "amount.minor", Reason::AmountInvalid);
    let braces =
        format!(r#"{{"reference":"a}}\"{{,\\","metadata":{{"x":[{{}},"}}"]}},{AMOUNT},"rail":7}}"#);
    check(&braces, "rail", Reason::FormatError);
    let escaped = format!(r#"{{"rail":"c2p",{AMOUNT},"payer":{{"\u0064oc":7}}}}"#);
    check(&escaped, "payer.doc", Reason::FormatError);
    let unnamed = format!(r#"{{"rail":"c2p",{AMOUNT},"payer":{{"a b":7}}}}"#);
    check(&unnamed, "payer.?", Reason::FormatError);
    let unnumbered = format!(r#"{{"rail":"c2p",{AMOUNT},"payer":{{"card":{{"expiry":"3012"}}}}}}"#);
    check(&unnumbered, "payer.card.number", Reason::CardInvalid);
    check(&format!(r#"{{"rail":"c2p",{AMOUNT},"payer":[]}}"#), "payer", Reason::FormatError);
    check(&format!(r#"{{"rail":"c2p",{AMOUNT}}} x"#), "", Reason::FormatError);
}

#[test]
fn absurd_amounts_are_refused() {
    for minor in ["0", "-5", "1000000000000", "1e3", "1.5", "9223372036854775808", "\"5\"", "null"]
    {
        let json = format!(r#"{{"rail":"c2p","amount":{{"currency":"VES","minor":{minor}}}}}"#);
        check(&json, "amount.minor", Reason::AmountInvalid);
    }
    let json = r#"{"rail":"c2p","amount":{"currency":"XXQ","minor":5}}"#;
    check(json, "amount.currency", Reason::CurrencyNotAllowed);
    let json =
        format!(r#"{{"rail":"c2p",{AMOUNT},"remaining_debt":{{"currency":"MXN","minor":5}}}}"#);
    check(&json, "remaining_debt.currency", Reason::CurrencyNotAllowed);
}

#[test]
fn a_field_that_makes_no_sense_is_named() {
    let with = |field: &str| format!(r#"{{"rail":"c2p",{AMOUNT},{field}}}"#);
    check(&with(r#""payer":{"doc":"X123"}"#), "payer.doc", Reason::PayerIdInvalid);
    check(&with(r#""payer":{"doc":"V1234"}"#), "payer.doc", Reason::PayerIdInvalid);
    check(&with(r#""payer":{"phone":"1234567"}"#), "payer.phone", Reason::FormatError);
    check(&with(r#""payer":{"bank_code":""}"#), "payer.bank_code", Reason::FormatError);
    let card = r#""payer":{"card":{"number":"4111111111111111","expiry":"3013"}}"#;
    check(&with(card), "payer.card.expiry", Reason::FormatError);
    check(&with(r#""client":"""#), "client", Reason::FormatError);
    check(&with(r#""terminal":"123456789""#), "terminal", Reason::FormatError);
    check(&with(r#""metadata":[1]"#), "metadata", Reason::FormatError);
    check(&with(r#""lookup_id":"l""#), "lookup_id", Reason::ServiceNotEnabled);
    check(&format!(r#"{{"rail":"carrier-pigeon",{AMOUNT}}}"#), "rail", Reason::FormatError);
}

#[test]
fn a_request_that_debits_somebody_says_whom() {
    for payer in ["", r#","payer":{}"#, r#","payer":{"bank_code":"0105"}"#] {
        for (rail, field) in [("account", "payer"), ("c2p", "payer.doc")] {
            check(&format!(r#"{{"rail":"{rail}",{AMOUNT}{payer}}}"#), field, Reason::FormatError);
        }
        // The payer hands over cash, or is known at the gateway.
        for rail in ["cash_float", "card"] {
            assert!(request(&format!(r#"{{"rail":"{rail}",{AMOUNT}{payer}}}"#)).is_ok());
        }
    }
    let lacks = |payer: &str, field: &str| {
        let json = format!(r#"{{"rail":"c2p",{AMOUNT},"payer":{{{payer}}}}}"#);
        match field {
            "" => assert!(request(&json).is_ok(), "{payer}"),
            field => check(&json, field, Reason::FormatError),
        }
    };
    lacks(r#""doc":"V12345678""#, "payer.phone");
    lacks(r#""doc":"V12345678","phone":"584121234567""#, "payer.bank_code");
    lacks(r#""phone":"584121234567","bank_code":"0105""#, "payer.doc");
    lacks(r#""doc":"V12345678","phone":"584121234567","bank_code":"0105""#, "");
}

#[test]
fn metadata_with_a_name_given_twice_are_refused() {
    let json = format!(r#"{{"rail":"card",{AMOUNT},"metadata":{{"order":1,"order":2}}}}"#);
    check(&json, "metadata", Reason::FormatError);
}

#[test]
fn documents_of_other_countries_are_letters_and_digits() {
    for doc in ["20304050607", "GODE561231GR8", "RSSMRA80A01H501U"] {
        let json = format!(
            r#"{{"rail":"card","amount":{{"currency":"EUR","minor":1}},"payer":{{"doc":"{doc}"}}}}"#
        );
        assert!(request(&json).is_ok(), "{doc}");
    }
}

#[test]
fn a_card_number_is_never_repeated() {
    for number in ["\"4111 1111 1111 1111\"", "4111111111111111", "\"41111111111111111111\""] {
        let json =
            format!(r#"{{"rail":"card",{AMOUNT},"payer":{{"card":{{"number":{number}}}}}}}"#);
        let error = request(&json).expect_err("refused");
        assert_eq!(
            (error.field.as_str(), error.reason),
            ("payer.card.number", Reason::CardInvalid)
        );
        assert!(!error.to_string().contains("4111"), "{error}");
    }
    let json = format!(r#"{{"rail":"card",{AMOUNT},"4111111111111111":1}}"#);
    assert!(!request(&json).expect_err("refused").to_string().contains("4111"));
}
