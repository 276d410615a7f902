//! jPOS's generic packagers: XML that names a Java class for each field.
//!
//! Shape: `<isopackager><isofield id="2" length="19" name="…" class="org.jpos.iso.IFA_LLNUM"/>…`;
//!        `<isofieldpackager … packager="…">` holds the parts of a field. EBCDIC is code page 1047.
//!        Lengths and classes are all that is taken: what jPOS does beyond the layout (trimming,
//!        logging, validation) has no place in a specification.

use std::collections::BTreeMap;

use super::{SpecError, mistake, reachable};
use crate::iso8583::spec::raw::{Number, RawField, RawSpec};

mod classes;
mod parts;
mod tags;
mod xml;

use classes::{Class, Odd, Written};
use xml::Element;

/// Half bytes of BCD as jPOS shows them: D is the separator of track 2.
const LETTERS: &str = "ABC=EF";

/// The attributes that are understood, or that say nothing about the layout.
const ATTRIBUTES: [&str; 19] = [
    "bitmapField",
    "class",
    "emitBitmap",
    "firstField",
    "headerLength",
    "id",
    "inclusive",
    "lenSize",
    "length",
    "maxValidField",
    "name",
    "packager",
    "pad",
    "swapTagAndLen",
    "tagMapper",
    "tagSize",
    "thirdBitmapField",
    "token",
    "trim",
];

/// Reads a packager.
pub(super) fn read(text: &str) -> Result<RawSpec, Vec<SpecError>> {
    let root = xml::read(text).map_err(|error| vec![mistake("", error)])?;
    if root.name != "isopackager" {
        return Err(vec![mistake("", format_args!("`{}` is no `isopackager`", root.name))]);
    }
    let mut reader = Reader { mistakes: Vec::new() };
    let raw = reader.spec(&root);
    if reader.mistakes.is_empty() { Ok(raw) } else { Err(reader.mistakes) }
}

struct Reader {
    mistakes: Vec<SpecError>,
}

/// What the bytes of a field go through before its parts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Nothing.
    Bytes,
    /// The field as a whole is EBCDIC, and so is what its parts call ASCII.
    Ebcdic,
}

impl Reader {
    fn add(&mut self, key: &str, at: &Element, problem: impl ToString) {
        let problem = format!("line {}: {}", at.line, problem.to_string());
        self.mistakes.push(mistake(key, problem));
    }

    fn spec(&mut self, root: &Element) -> RawSpec {
        let mut raw = RawSpec {
            name: "jpos-import".to_owned(),
            code_page: Some("cp1047".to_owned()),
            header_length: self.number(root, "headerLength", "").filter(|length| *length > 0),
            ..RawSpec::default()
        };
        match root.attribute("thirdBitmapField") {
            None | Some("-999") => {}
            Some("65") => raw.third_bitmap = Some("in_field_65".to_owned()),
            Some(_) => self.add("third_bitmap", root, "a third bitmap is in field 65"),
        }
        if !self.emits_bitmap("bitmap", root) {
            self.add("bitmap", root, "a message without a bitmap is not read here");
        }
        self.attributes("", root);
        let children = self.by_number("fields", root);
        self.mti(children.get(&0), root, &mut raw);
        self.bitmap(children.get(&1), root, &mut raw);
        let in_field = raw.third_bitmap.is_some().then_some(65);
        for (number, element) in children.range(2..) {
            if Some(*number) == in_field {
                continue;
            }
            if let Some(field) = self.field(&format!("fields.{number}"), element, Within::Bytes) {
                raw.fields.insert(Number(*number), field);
            }
        }
        if raw.third_bitmap.is_none() && raw.fields.keys().any(|number| number.0 > 128) {
            raw.third_bitmap = Some("contiguous".to_owned());
        }
        raw
    }

    /// Nothing is passed over that could change how a field is written.
    fn attributes(&mut self, key: &str, element: &Element) {
        for name in element.attribute_names().filter(|name| !ATTRIBUTES.contains(name)) {
            self.add(key, element, format_args!("attribute `{name}` is not known here"));
        }
    }

    /// The elements in one, by their number.
    fn by_number<'a>(&mut self, key: &str, parent: &'a Element) -> BTreeMap<u8, &'a Element> {
        let mut children = BTreeMap::new();
        for child in &parent.children {
            if !matches!(child.name.as_str(), "isofield" | "isofieldpackager") {
                self.add(key, child, format_args!("`{}` is not known", child.name));
                continue;
            }
            let id = child.attribute("id").and_then(|id| id.trim().parse::<u8>().ok());
            let Some(id) = id.filter(|id| *id <= crate::iso8583::FIELD_MAX) else {
                self.add(key, child, "`id` must be a number of 0 to 192");
                continue;
            };
            self.attributes(&format!("{key}.{id}"), child);
            // Where a number comes twice, jPOS takes the later one.
            children.insert(id, child);
        }
        children
    }

    fn number<T: std::str::FromStr>(
        &mut self,
        element: &Element,
        name: &str,
        key: &str,
    ) -> Option<T> {
        let text = element.attribute(name)?;
        let number = text.trim().parse().ok();
        if number.is_none() {
            self.add(key, element, format_args!("`{name}` is no number, or too great"));
        }
        number
    }

    /// A number that must be stated.
    fn needed<T: std::str::FromStr>(
        &mut self,
        element: &Element,
        name: &str,
        key: &str,
    ) -> Option<T> {
        if element.attribute(name).is_none() {
            self.add(key, element, format_args!("`{name}` is needed"));
        }
        self.number(element, name, key)
    }

    /// Whether an attribute says `true`, in upper or lower case as in Java; none where it is absent.
    fn boolean(&mut self, element: &Element, name: &str, key: &str) -> Option<bool> {
        let text = element.attribute(name)?;
        match ["true", "false"].iter().position(|word| text.eq_ignore_ascii_case(word)) {
            Some(at) => Some(at == 0),
            None => {
                self.add(key, element, format_args!("`{name}` is `true` or `false`"));
                None
            }
        }
    }

    fn emits_bitmap(&mut self, key: &str, element: &Element) -> bool {
        self.boolean(element, "emitBitmap", key).unwrap_or(true)
    }

    /// What the class of an element is.
    fn class(&mut self, key: &str, element: &Element) -> Option<Class> {
        let key = format!("{key}.class");
        let Some(name) = element.attribute("class") else {
            self.add(&key, element, "`class` is needed");
            return None;
        };
        let class = classes::class(name);
        match class {
            None => self.add(&key, element, format_args!("class `{name}` is not known")),
            Some(Class::Inexpressible(why)) => {
                self.add(&key, element, format_args!("class `{name}` cannot be said here: {why}"))
            }
            Some(_) => {}
        }
        class
    }

    fn mti(&mut self, element: Option<&&Element>, root: &Element, raw: &mut RawSpec) {
        let Some(element) = element else {
            return self.add("mti", root, "field 0, the message type, is needed");
        };
        let class = self.class("mti", element);
        let length: Option<u16> = self.number(element, "length", "mti");
        match class {
            Some(Class::Field(written))
                if written.prefix.is_none() && length == Some(4) && element.name == "isofield" =>
            {
                raw.mti = written.encoding.to_owned();
            }
            Some(_) => self.add("mti", element, "the message type is four digits"),
            None => {}
        }
    }

    fn bitmap(&mut self, element: Option<&&Element>, root: &Element, raw: &mut RawSpec) {
        let Some(element) = element else {
            return self.add("bitmap", root, "field 1, the bitmap, is needed");
        };
        let Some(class) = self.class("bitmap", element) else { return };
        let Class::Bitmap(encoding) = class else {
            return self.add("bitmap", element, "field 1 must be a bitmap");
        };
        raw.bitmap = encoding.to_owned();
        match self.number::<u16>(element, "length", "bitmap") {
            Some(8) => raw.bitmaps = Some("single".to_owned()),
            Some(16) => {}
            // Room for a third; there is one where a field of it is defined.
            Some(17..=32) => {}
            Some(_) => self.add("bitmap", element, "a bitmap has 8, 16 or 24 bytes"),
            None => {}
        }
    }

    /// A field or part; none where it writes nothing, or is a mistake.
    fn field(&mut self, key: &str, element: &Element, within: Within) -> Option<RawField> {
        let written = match self.class(key, element)? {
            Class::Field(written) => written,
            Class::Nothing | Class::Inexpressible(_) => return None,
            Class::Bitmap(_) | Class::Bitmap64 | Class::Tagged(_) => {
                self.add(&format!("{key}.class"), element, "this class is out of place");
                return None;
            }
        };
        let mut raw = RawField {
            name: element.attribute("name").unwrap_or_default().trim().to_owned(),
            encoding: Some(written.encoding.to_owned()),
            ..RawField::default()
        };
        self.length(key, element, written, &mut raw)?;
        let in_front = self.boolean(element, "pad", &format!("{key}.pad")).unwrap_or(false);
        digits(in_front, written, &mut raw);
        raw.pad = written.pad.map(str::to_owned);
        if within == Within::Ebcdic {
            self.as_ebcdic(key, element, &mut raw);
        }
        if element.name == "isofieldpackager" {
            self.composite(key, element, within, &mut raw)?;
        }
        Some(raw)
    }

    fn length(
        &mut self,
        key: &str,
        element: &Element,
        written: Written,
        raw: &mut RawField,
    ) -> Option<()> {
        let key = format!("{key}.length");
        let length: u32 = self.needed(element, "length", &key)?;
        raw.length_includes_itself = self.boolean(element, "inclusive", &key).unwrap_or(false);
        // jPOS passes over the attribute at all other classes.
        let is_binary = matches!(written.prefix, Some(("binary", ..))) && written.encoding == "raw";
        if raw.length_includes_itself && !is_binary {
            self.add(&key, element, "`inclusive` is for bytes behind a binary length");
            return None;
        }
        let Some((encoding, digits, counts)) = written.prefix else {
            raw.length = u16::try_from(length).ok();
            if raw.length.is_none() {
                self.add(&key, element, "a fixed length is at most 65535");
            }
            return raw.length.map(|_| ());
        };
        let base = if encoding == "binary" { 256 } else { 10 };
        // A greatest length is in units there, and in what the prefix counts here.
        let counted = match (counts, written.encoding) {
            ("nibbles", "bcd") => length.saturating_add(length % 2),
            ("nibbles", _) => length.saturating_mul(2),
            _ => length,
        };
        let most = reachable(u32::MAX, digits, base);
        let own = if raw.length_includes_itself { u32::from(digits) } else { 0 };
        raw.length_max = Some(reachable(counted, digits, base).min(most - own));
        raw.length_digits = Some(digits);
        raw.length_encoding = Some(encoding.to_owned());
        raw.length_counts = Some(counts.to_owned());
        Some(())
    }

    /// A part of a field that is EBCDIC as a whole.
    fn as_ebcdic(&mut self, key: &str, element: &Element, raw: &mut RawField) {
        let is_ascii = |name: &Option<String>| name.as_deref().is_none_or(|name| name == "ascii");
        if !is_ascii(&raw.encoding) || !is_ascii(&raw.length_encoding) {
            self.add(key, element, "a part of a field that is EBCDIC as a whole must be text");
        }
        raw.encoding = Some("ebcdic".to_owned());
        raw.length_encoding = raw.length_encoding.as_ref().map(|_| "ebcdic".to_owned());
    }
}

/// How half bytes are filled up and shown.
fn digits(in_front: bool, written: Written, raw: &mut RawField) {
    let odd = match (written.odd, in_front) {
        (Odd::Never, _) => return,
        (_, true) => "left0",
        (Odd::Zero, false) => "right0",
        (Odd::F | Odd::Hex, false) => "rightF",
    };
    raw.odd = Some(odd.to_owned());
    raw.letters = (written.odd != Odd::Hex).then(|| LETTERS.to_owned());
}
