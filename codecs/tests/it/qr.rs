//! Codes of other people, read as they assert; and our symbols, read by somebody else's reader.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use codecs::qr::emv::{Crc, EmvCode};
use codecs::qr::epc::{EpcCode, LineEnd};
use codecs::qr::symbol::{ErrorCorrection, QUIET_ZONE, Symbol};
use codecs::qr::{Decoded, Format, QrError, Reading};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Vector {
    id: String,
    scheme: String,
    payload: String,
    payload_hex: Option<String>,
    crc: Option<StatedCrc>,
    expected: Option<Value>,
    expect_reject: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct StatedCrc {
    stated: String,
    computed: String,
    ok: bool,
}

impl Vector {
    fn format(&self) -> Format {
        match self.scheme.as_str() {
            "emvco-mpm" | "vietqr" => Format::Emvco,
            "pix" => Format::Pix,
            "epc069-12" => Format::Epc,
            other => panic!("{}: scheme {other}", self.id),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.payload_hex {
            Some(hex) => hex::decode(hex).expect("hexadecimal"),
            None => self.payload.clone().into_bytes(),
        }
    }
}

/// Reads a payload as the command line does unless it is told to be strict.
fn decode(format: Format, payload: &[u8]) -> Result<Decoded, QrError> {
    codecs::qr::decode(format, Reading::Lenient, payload)
}

fn all() -> Vec<Vector> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/qr");
    let files = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path| std::fs::read_to_string(path).expect("a vector");
    paths.iter().map(|path| serde_json::from_str(&read(path)).expect("a vector")).collect()
}

#[test]
fn codes_of_other_projects_are_read_as_they_assert() {
    let (mut taken, mut refused) = (0, 0);
    for vector in all() {
        let result = decode(vector.format(), &vector.bytes());
        if let Some(why) = &vector.expect_reject {
            result.expect_err(&format!("{}: {why}", vector.id));
            refused += 1;
            continue;
        }
        let code = result.unwrap_or_else(|error| panic!("{}: {error}", vector.id));
        let found = serde_json::to_value(&code).expect("a shape");
        assert_eq!(Some(&found), vector.expected.as_ref(), "{}", vector.id);
        assert_eq!(code.scheme_name(), vector.scheme, "{}", vector.id);
        assert_eq!(code.warnings(), [], "{}", vector.id);
        let strictly = codecs::qr::decode(vector.format(), Reading::Strict, &vector.bytes());
        assert_eq!(strictly, Ok(code), "{}", vector.id);
        taken += 1;
    }
    assert_eq!((taken, refused), (13, 8));
}

#[test]
fn what_is_refused_says_where_and_why() {
    let refusal = |id: &str| {
        let vector = all().into_iter().find(|vector| vector.id == id).expect(id);
        let error = decode(vector.format(), &vector.bytes()).expect_err(id);
        (error.kind.name(), error.field, error.offset)
    };
    assert_eq!(refusal("neg-crc-vietqr"), ("bad_crc", "63".to_owned(), 112));
    assert_eq!(refusal("neg-no-crc"), ("missing", "63".to_owned(), 0));
    assert_eq!(refusal("neg-gui-33"), ("too_long", "80.00".to_owned(), 224));
    assert_eq!(refusal("epc-neg-amount-0"), ("bad_content", "amount".to_owned(), 53));
    assert_eq!(refusal("epc-neg-v1-nobic"), ("missing", "bic".to_owned(), 14));
}

#[test]
fn checksums_are_those_stated() {
    for vector in all() {
        let Some(expect) = vector.crc else { continue };
        let found = Crc::of(&vector.payload).expect("a checksum");
        let ok = found.is_ok();
        let found = StatedCrc { stated: found.stated, computed: found.computed, ok };
        assert_eq!(found, expect, "{}", vector.id);
    }
}

#[test]
fn codes_of_other_projects_are_built_as_they_were() {
    let mut built = 0;
    for vector in all().iter().filter(|vector| vector.expected.is_some()) {
        match decode(vector.format(), &vector.bytes()).expect(&vector.id) {
            Decoded::Emv(code) => {
                assert_eq!(code.to_payload(), vector.payload, "{}", vector.id);
                let mut objects = code.objects().to_vec();
                objects.sort_by_key(|object| (object.tag == 63, object.tag));
                let again = code.merchant().build().expect(&vector.id);
                let texts = |code: &[codecs::qr::emv::DataObject]| {
                    code.iter().filter(|object| object.tag != 63).cloned().collect::<Vec<_>>()
                };
                assert_eq!(texts(again.objects()), texts(&objects), "{}", vector.id);
                if objects == code.objects() {
                    assert_eq!(again.to_payload(), vector.payload, "{}", vector.id);
                    built += 1;
                }
            }
            Decoded::Epc(code) => {
                let payload = code.transfer().build(LineEnd::Lf).expect(&vector.id);
                assert_eq!(payload, vector.bytes(), "{}", vector.id);
                built += 1;
            }
        }
    }
    assert_eq!(built, 8, "codes whose objects stand in the order of their tags, and transfers");
}

#[test]
fn a_line_end_behind_a_payload_is_no_part_of_it() {
    for vector in all().iter().filter(|vector| vector.expected.is_some()) {
        let alone = decode(vector.format(), &vector.bytes());
        for end in ["\n", "\r\n"] {
            let piped = [vector.bytes(), end.as_bytes().to_vec()].concat();
            assert_eq!(decode(vector.format(), &piped), alone, "{}", vector.id);
        }
    }
}

#[test]
fn a_code_cut_short_is_never_taken() {
    for vector in all().iter().filter(|vector| vector.expected.is_some()) {
        let bytes = vector.bytes();
        for end in 0..bytes.len() {
            let result = decode(vector.format(), &bytes[..end]);
            // A transfer has no checksum: what is lost at its end may be optional.
            if vector.scheme != "epc069-12" {
                assert!(result.is_err(), "{} cut at {end}", vector.id);
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_found_by_the_checksum() {
    for vector in all().iter().filter(|vector| vector.expected.is_some()) {
        let bytes = vector.bytes();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let result = decode(vector.format(), &flipped);
            // Case alone may change in the checksum itself.
            let is_free = vector.scheme == "epc069-12" || bit / 8 >= bytes.len() - 4;
            assert!(is_free || result.is_err(), "{} bit {bit}", vector.id);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for format in [Format::Emvco, Format::Pix, Format::Epc] {
            let strictly = codecs::qr::decode(format, Reading::Strict, &bytes);
            let leniently = decode(format, &bytes);
            // What keeps every rule is read alike, and without a warning.
            prop_assert!(strictly.is_err() || leniently == strictly);
        }
        let _ = EpcCode::parse(&bytes);
        let _ = EmvCode::parse(&String::from_utf8_lossy(&bytes));
    }
}

/// Runs a program of another project over some input.
fn run(program: &str, package: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("`{program}` reads our codes, but: {error}. Install it: apt-get install {package}")
    });
    child.stdin.take().expect("a pipe").write_all(input).expect("input taken");
    child.wait_with_output().expect("an answer").stdout
}

fn read_png(png: &[u8]) -> Vec<u8> {
    let arguments = ["--quiet", "--raw", "--oneshot", "-Sbinary", "png:-"];
    run("zbarimg", "zbar-tools", &arguments, png)
}

/// Contents of all sizes: a link, a long merchant code, a transfer with umlauts, a full symbol.
fn contents() -> Vec<Vec<u8>> {
    let mut contents = vec![
        b"https://pay.example.com/p/lnk_01JDXK3V8Q4T7M2N6B9R5W0YZA".to_vec(),
        b"HTTPS://PAY.EXAMPLE.COM/P/LNK?A=1".to_vec(),
        b"0123456789".to_vec(),
        vec![b'x'; 1200],
    ];
    let vectors = ["emvco-spec-sample", "pix-multi-arrangement", "epc-example-1"];
    contents.extend(all().iter().filter(|v| vectors.contains(&v.id.as_str())).map(Vector::bytes));
    contents
}

#[test]
fn another_reader_reads_our_pngs() {
    for content in contents() {
        for correction in [ErrorCorrection::Low, ErrorCorrection::Medium, ErrorCorrection::High] {
            let symbol = Symbol::encode(&content, correction).expect("a symbol");
            let png = symbol.to_png(4).expect("a picture");
            let found = read_png(&png);
            let shown = (found.escape_ascii().to_string(), content.escape_ascii().to_string());
            assert_eq!(shown.0, shown.1, "{correction:?}");
        }
    }
}

#[test]
fn an_svg_shows_the_same_modules_as_the_png() {
    for content in contents() {
        let symbol = Symbol::encode(&content, ErrorCorrection::Medium).expect("a symbol");
        let side = symbol.width() + 2 * QUIET_ZONE;
        let mut shown = vec![vec![false; side]; side];
        let svg = symbol.to_svg();
        let path = svg.split("fill=\"#000\" d=\"").nth(1).expect("a path");
        let path = path.split('"').next().expect("an end");
        for run in path.split('M').skip(1) {
            let (x, rest) = run.split_once(' ').expect("x");
            let (y, rest) = rest.split_once('h').expect("y");
            let (length, rest) = rest.split_once('v').expect("a length");
            assert_eq!(rest, format!("1h-{length}z"));
            let number = |text: &str| text.parse::<usize>().expect("a number");
            let (x, y, length) = (number(x), number(y), number(length));
            shown[y][x..x + length].fill(true);
        }
        assert_eq!(shown, modules_of(&symbol.to_png(1).expect("a picture")));
        assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
    }
}

/// The dark pixels of a picture of one pixel a module, read by the `png` crate.
fn modules_of(picture: &[u8]) -> Vec<Vec<bool>> {
    let decoder = png::Decoder::new(std::io::Cursor::new(picture));
    let mut reader = decoder.read_info().expect("a header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let frame = reader.next_frame(&mut pixels).expect("pixels");
    let side = usize::try_from(frame.width).expect("a width");
    let bits =
        |row: &[u8]| (0..side).map(|x| row[x / 8] & (0x80 >> (x % 8)) == 0).collect::<Vec<bool>>();
    pixels.chunks_exact(frame.line_size).map(bits).collect()
}
