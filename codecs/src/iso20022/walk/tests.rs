use super::*;

/// Walks to the end: the leaves, or the error's kind, path and offset.
fn walk(xml: &str) -> Result<Vec<(String, String)>, (XmlErrorKind, String, usize)> {
    walk_bytes(xml.as_bytes())
}

fn walk_bytes(xml: &[u8]) -> Result<Vec<(String, String)>, (XmlErrorKind, String, usize)> {
    let error = |error: XmlError| (error.kind, error.path.into_string(), error.offset);
    let mut walker = Walker::new(xml, Limits::DEFAULT).map_err(error)?;
    let (mut names, mut leaves) = (Vec::new(), Vec::new());
    loop {
        match walker.next().map_err(error)? {
            Step::Open { local, .. } => names.push(local.to_owned()),
            Step::Close { text } => {
                let name = names.pop().expect("open");
                leaves.extend(text.map(|text| (name, text.into_owned())));
            }
            Step::End => return Ok(leaves),
        }
    }
}

fn leaf(name: &str, text: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), text.to_owned())]
}

#[test]
fn pieces_of_a_leaf_are_put_together() {
    assert_eq!(
        walk("<a>\r\n <b>x&amp;y<!-- - --><![CDATA[<z>&]]>&#45; </b>\n</a>"),
        Ok(leaf("b", "x&y<z>&-"))
    );
    assert_eq!(walk("<a>one\r\ntwo</a>"), Ok(leaf("a", "one\ntwo")));
    assert_eq!(walk("<a/>"), Ok(leaf("a", "")));
    assert_eq!(walk_bytes(b"\xEF\xBB\xBF<?xml version='1.0'?><a/>"), Ok(leaf("a", "")));
}

#[test]
fn what_no_payment_needs_is_refused_with_its_place() {
    use XmlErrorKind::*;
    let refused = |xml: &str| walk(xml).expect_err(xml);
    assert_eq!(refused("<?xml version='1.0'?><!DOCTYPE a><a/>"), (Doctype, "/".into(), 21));
    assert_eq!(refused("<!DOCTYPE a [<!ENTITY b 'c'>"), (Doctype, "/".into(), 0));
    assert_eq!(refused("<a><b>&c;</b></a>"), (Entity, "/a/b".into(), 6));
    assert_eq!(refused("<a b='&c;'/>"), (Entity, "/a".into(), 0));
    assert_eq!(refused("<a><?go now?></a>"), (ProcessingInstruction, "/a".into(), 3));
    assert_eq!(refused("<a/><?xml version='1.0'?>"), (ProcessingInstruction, "/".into(), 4));
    assert_eq!(refused("<a>&#1;</a>"), (BadCharacter, "/a".into(), 3));
    assert_eq!(refused("<a>\u{1}</a>"), (BadCharacter, "/".into(), 3));
    assert_eq!(refused("<a b='1' b='2'/>"), (DuplicateAttribute, "/a".into(), 0));
    assert_eq!(refused("<a><p:b/></a>"), (UnboundPrefix, "/a/b".into(), 3));
    assert_eq!(refused("<a p:b='1'/>"), (UnboundPrefix, "/a".into(), 0));
    assert_eq!(
        refused("<?xml version='1.0' encoding='ISO-8859-1'?><a/>"),
        (Encoding, "/".into(), 0)
    );
    assert_eq!(walk_bytes(b"<a>\xE9</a>"), Err((Encoding, "/".into(), 3)));
}

#[test]
fn a_prefix_stands_for_one_namespace_and_none_that_is_reserved() {
    use XmlErrorKind::*;
    let refused = |xml: &str| walk(xml).expect_err(xml);
    assert_eq!(refused("<a><b xmlns:p=''/></a>"), (UnboundPrefix, "/a/b".into(), 3));
    assert_eq!(
        refused("<p:a xmlns:p='u'><b xmlns:p=''/></p:a>"),
        (UnboundPrefix, "/a/b".into(), 17)
    );
    for binding in [
        "xmlns:xml='urn:x'",
        "xmlns:xml=''",
        "xmlns:xmlns='urn:x'",
        "xmlns:xmlns='http://www.w3.org/2000/xmlns/'",
        "xmlns:p='http://www.w3.org/XML/1998/namespace'",
        "xmlns='http://www.w3.org/XML/1998/namespace'",
        "xmlns:p='http://www.w3.org/2000/xmlns/'",
        "xmlns='http://www.w3.org/2000/xmlns/'",
    ] {
        let xml = format!("<a><b {binding}/></a>");
        assert_eq!(refused(&xml), (ReservedPrefix, "/a/b".into(), 3), "{xml}");
    }
    assert_eq!(refused("<xmlns:a/>"), (UnboundPrefix, "/a".into(), 0));
    for allowed in [
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='es'/>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namesp&#97;ce'/>",
        "<a xml:lang='es'/>",
        "<a xmlns='u'><b xmlns=''/></a>",
    ] {
        assert!(walk(allowed).is_ok(), "{allowed}");
    }
}

#[test]
fn an_attribute_given_twice_under_two_prefixes_is_given_twice() {
    use XmlErrorKind::*;
    for twice in [
        "<r><a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/></r>",
        "<r><a p:x='1' y='' q:x='2' xmlns:q='u' xmlns:p='&#117;'/></r>",
    ] {
        assert_eq!(walk(twice), Err((DuplicateAttribute, "/r/a".into(), 3)), "{twice}");
    }
    let inherited = "<a xmlns:p='u'><b xmlns:q='u' p:x='1' q:x='2'/></a>";
    assert_eq!(walk(inherited), Err((DuplicateAttribute, "/a/b".into(), 15)));
    for once in [
        "<a xmlns:p='u' xmlns:q='v' p:x='1' q:x='2'/>",
        "<a xmlns:p='u' xmlns:q='u' p:x='1' q:y='2'/>",
        // The default namespace is none of attributes.
        "<a xmlns='u' xmlns:p='u' x='1' p:x='2'/>",
        "<a xmlns:p='u' xmlns:q='u'><b xmlns:q='v' p:x='1' q:x='2'/></a>",
        "<a xmlns:p='u' p:lang='1' xml:lang='2'/>",
    ] {
        assert!(walk(once).is_ok(), "{once}");
    }
}

#[test]
fn what_the_grammar_wants_between_the_tags_and_within_is_wanted_here() {
    use XmlErrorKind::Malformed;
    let refused = |xml: &str| walk(xml).expect_err(xml);
    assert_eq!(refused("<a><b x='1'y='2'/></a>"), (Malformed, "/a/b".into(), 3));
    assert_eq!(refused("<a><b>x]]>y</b></a>"), (Malformed, "/a/b".into(), 7));
    assert_eq!(refused("<a> ]]> <b/></a>"), (Malformed, "/a".into(), 4));
    assert_eq!(refused("<a>]]]></a>"), (Malformed, "/a".into(), 4));
    assert_eq!(refused("<a><![CDATA[]]>]]></a>"), (Malformed, "/a".into(), 15));
    for declaration in [
        "<?xml version='1.0' encod='UTF-8'?>",
        "<?xml version='1.0' encodin>g='UTF-8'?>",
        "<?xml encoding='UTF-8' version='1.0'?>",
        "<?xml encoding='UTF-8'?>",
        "<?xml?>",
    ] {
        let xml = format!("{declaration}<a/>");
        assert_eq!(refused(&xml), (Malformed, "/".into(), 0), "{xml}");
    }
    assert_eq!(walk("<a>]]&gt;]]&#62;]]<!--]]>--><b x=']]>'/></a>"), Ok(leaf("b", "")));
    assert_eq!(walk("<a>]]<![CDATA[>]]]]>&gt;</a>"), Ok(leaf("a", "]]>]]>")));
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for xml in [
        "",
        " ",
        "x",
        "<a>",
        "<a></b>",
        "</a>",
        "<a/><b/>",
        "<a/>x",
        "<a>&amp</a>",
        "<a b=c/>",
        "<a b/>",
        "<1a/>",
        "<:a/>",
        "<a:/>",
        "<a b='<'/>",
        "<a><![CDATA[x</a>",
        "<a><!-- -- --></a>",
        "<![CDATA[]]><a/>",
        "&amp;<a/>",
        "<?xml version='1.1'?><a/>",
        "<a b='&amp'/>",
        "<a:b:c/>",
        "\u{FEFF}\u{FEFF}<a/>",
    ] {
        assert_eq!(walk(xml).expect_err(xml).0, XmlErrorKind::Malformed, "{xml}");
    }
}

#[test]
fn each_ceiling_holds_at_its_limit_and_not_before() {
    use XmlErrorKind::*;
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    let many = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count - 1));
    let with = |count: usize| {
        let attributes: String = (0..count).map(|n| format!(" b{n}='1'")).collect();
        format!("<a{attributes}/>")
    };
    let bound = |count: usize| {
        let attributes: String = (0..count / 2).map(|n| format!(" xmlns:b{n}='urn:{n}'")).collect();
        format!("<a{attributes}><c{attributes}/></a>")
    };
    let long = |length: usize| format!("<a>{}</a>", "x".repeat(length));
    let named = |length: usize| format!("<{}/>", "x".repeat(length));
    type Make<'f> = &'f dyn Fn(usize) -> String;
    let cases: [(Make<'_>, usize, XmlErrorKind); 6] = [
        (&nested, 64, TooDeep),
        (&many, 50_000, TooManyElements),
        (&with, 16, TooManyAttributes),
        (&bound, 16, TooManyNamespaces),
        (&long, 8192, TextTooLong),
        (&named, 128, NameTooLong),
    ];
    for (make, most, kind) in cases {
        assert!(walk(&make(most)).is_ok(), "{kind:?}");
        assert_eq!(walk(&make(most + 2)).expect_err("too much").0, kind);
    }
    let ten_mib = 10 * 1024 * 1024;
    assert_eq!(
        walk(&" ".repeat(ten_mib + 1)).expect_err("too much"),
        (TooLarge, "/".into(), ten_mib)
    );
}

#[test]
fn a_prefix_means_what_the_innermost_binding_says() {
    let xml = "<p:a xmlns:p='urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08'><p:b xmlns:p='urn:x'/>\
               <p:c/><d xmlns='urn:iso:std:iso:20022:tech:xsd:head.001.001.02'/><e/></p:a>";
    let mut walker = Walker::new(xml.as_bytes(), Limits::DEFAULT).expect("UTF-8");
    let mut spaces = Vec::new();
    loop {
        match walker.next().expect("well-formed") {
            Step::Open { local, space, .. } => spaces.push(match walker.message_of(space) {
                Some(id) => format!("{local} {id}"),
                None => format!("{local} {space:?}"),
            }),
            Step::Close { .. } => {}
            Step::End => break,
        }
    }
    let expected =
        ["a pacs.008.001.08", "b Foreign", "c pacs.008.001.08", "d head.001.001.02", "e None"];
    assert_eq!(spaces, expected);
}
