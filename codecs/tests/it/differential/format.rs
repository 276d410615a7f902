//! A random format of messages, as pyiso8583 and as we write it down.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::chance::Chance;

/// Fields that our house rules ask to be secret.
const SECRET: [u8; 6] = [2, 34, 35, 36, 45, 52];
/// The bit that announces the third bitmap, and is no field.
const ANNOUNCES_THIRD: u8 = 65;

/// How a format writes its messages.
#[derive(Debug)]
pub struct Format {
    /// The code page of all that is EBCDIC.
    page: &'static str,
    pub header_len: usize,
    mti: Data,
    bitmap: Data,
    pub fields: BTreeMap<u8, Field>,
}

/// How contents are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Ascii,
    Ebcdic,
    /// Bytes; half bytes where those are counted.
    Binary,
}

/// How one field is written.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub data: Data,
    pub counts_nibbles: bool,
    pub length: Length,
    /// Where an odd number of half bytes is filled up, and with what.
    odd: &'static str,
}

/// The lengths are in what the field counts.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    Fixed(usize),
    Variable { max: usize, prefix: Prefix, width: usize },
}

/// How a length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    Ascii,
    Ebcdic,
    Binary,
    Bcd,
}

impl Format {
    pub fn random(chance: &mut Chance) -> Self {
        let data = |chance: &mut Chance| chance.pick(&[Data::Ascii, Data::Ebcdic, Data::Binary]);
        let numbers: Vec<u8> = (2..=192).filter(|number| *number != ANNOUNCES_THIRD).collect();
        let count = chance.below(30) + 1;
        let fields = (0..count).map(|_| (chance.pick(&numbers), Field::random(chance))).collect();
        Self {
            page: chance.pick(&["cp037", "cp500"]),
            header_len: chance.pick(&[0, 0, 0, 1, 5, 12]),
            mti: data(chance),
            bitmap: data(chance),
            fields,
        }
    }

    /// As pyiso8583 has it.
    pub fn python(&self) -> Value {
        let fixed = |data, max_len: usize| {
            json!({"data_enc": self.encoding(data), "len_enc": "ascii", "len_type": 0,
                   "max_len": max_len, "desc": ""})
        };
        let mut spec = serde_json::Map::new();
        spec.insert("h".to_owned(), fixed(Data::Binary, self.header_len));
        spec.insert("t".to_owned(), fixed(self.mti, 4));
        spec.insert("p".to_owned(), fixed(self.bitmap, 16));
        spec.insert("1".to_owned(), fixed(self.bitmap, 16));
        for (number, field) in &self.fields {
            spec.insert(number.to_string(), self.python_field(field));
        }
        Value::Object(spec)
    }

    fn python_field(&self, field: &Field) -> Value {
        let (max, encoding, width) = match field.length {
            Length::Fixed(max) => (max, "ascii", 0),
            Length::Variable { max, prefix, width } => {
                let encoding = match prefix {
                    Prefix::Ascii => "ascii",
                    Prefix::Ebcdic => self.page,
                    Prefix::Binary => "b",
                    Prefix::Bcd => "bcd",
                };
                (max, encoding, width)
            }
        };
        let counts = if field.counts_nibbles { "nibbles" } else { "bytes" };
        let mut spec = json!({"data_enc": self.encoding(field.data), "len_enc": encoding,
                              "len_type": width, "max_len": max, "len_count": counts, "desc": ""});
        let (side, filler) = field.odd.split_at(field.odd.len() - 1);
        spec[format!("{side}_pad")] = filler.into();
        spec
    }

    fn encoding(&self, data: Data) -> &'static str {
        match data {
            Data::Ascii => "ascii",
            Data::Ebcdic => self.page,
            Data::Binary => "b",
        }
    }

    /// As we have it.
    pub fn toml(&self) -> String {
        let mti = match self.mti {
            Data::Ascii => "ascii",
            Data::Ebcdic => "ebcdic",
            Data::Binary => "bcd",
        };
        let bitmap = match self.bitmap {
            Data::Ascii => "hex",
            Data::Ebcdic => "ebcdic_hex",
            Data::Binary => "binary",
        };
        let mut toml = format!(
            "name = 'random'\ncode_page = '{}'\nheader_length = {}\nmti = '{mti}'\n\
             bitmap = '{bitmap}'\nbitmaps = 'auto'\nthird_bitmap = 'contiguous'\n[fields]\n",
            self.page, self.header_len
        );
        for (number, field) in &self.fields {
            let secret = SECRET.contains(number);
            writeln!(toml, "{number} = {{ {}, secret = {secret} }}", field.toml()).expect("taken");
        }
        toml
    }
}

impl Field {
    fn random(chance: &mut Chance) -> Self {
        let data = chance.pick(&[Data::Ascii, Data::Ebcdic, Data::Binary]);
        let counts_nibbles = chance.one_in(3);
        let odd = chance.pick(&["left0", "right0", "leftF", "rightF"]);
        let length = if chance.one_in(3) {
            Length::Fixed(chance.below(40) + 1)
        } else {
            let prefix = chance.pick(&[Prefix::Ascii, Prefix::Ebcdic, Prefix::Binary, Prefix::Bcd]);
            let width = chance.pick(&[1, 1, 2, 2, 3]);
            let base: usize = match prefix {
                Prefix::Ascii | Prefix::Ebcdic => 10,
                Prefix::Binary => 256,
                Prefix::Bcd => 100,
            };
            let most = (base.pow(width) - 1).min(chance.pick(&[19, 40, 999]));
            let width = usize::try_from(width).expect("small");
            Length::Variable { max: chance.below(most) + 1, prefix, width }
        };
        Self { data, counts_nibbles, length, odd }.of_whole_characters()
    }

    /// A character is two half bytes.
    fn of_whole_characters(self) -> Self {
        let even = |length: usize| (length + length % 2).max(2);
        let length = match self.length {
            Length::Fixed(length) => Length::Fixed(even(length)),
            Length::Variable { max, prefix, width } => {
                Length::Variable { max: (max - max % 2).max(2), prefix, width }
            }
        };
        match self.counts_nibbles && self.data != Data::Binary {
            true => Self { length, ..self },
            false => self,
        }
    }

    /// Whether its content is half bytes.
    fn is_bcd(&self) -> bool {
        self.counts_nibbles && self.data == Data::Binary
    }

    fn toml(&self) -> String {
        let encoding = match self.data {
            Data::Ascii => "ascii",
            Data::Ebcdic => "ebcdic",
            Data::Binary if self.counts_nibbles => "bcd",
            Data::Binary => "raw",
        };
        let odd = if self.is_bcd() { format!(", odd = '{}'", self.odd) } else { String::new() };
        let length = match self.length {
            Length::Fixed(length) if self.counts_nibbles && !self.is_bcd() => {
                format!("length = {}", length / 2)
            }
            Length::Fixed(length) => format!("length = {length}"),
            Length::Variable { max, prefix, width } => {
                let (encoding, digits) = match prefix {
                    Prefix::Ascii => ("ascii", width),
                    Prefix::Ebcdic => ("ebcdic", width),
                    Prefix::Binary => ("binary", width),
                    Prefix::Bcd => ("bcd", width * 2),
                };
                let counts = if self.counts_nibbles { "nibbles" } else { "bytes" };
                format!(
                    "length_max = {max}, length_digits = {digits}, \
                     length_encoding = '{encoding}', length_counts = '{counts}'"
                )
            }
        };
        format!("encoding = '{encoding}', {length}{odd}")
    }

    /// A content that the field can hold.
    pub fn content(&self, chance: &mut Chance) -> String {
        let counted = match self.length {
            Length::Fixed(length) => length,
            Length::Variable { max, .. } if chance.one_in(8) => max,
            Length::Variable { max, .. } => chance.below(max.min(60) + 1),
        };
        let characters = if self.counts_nibbles { counted / 2 } else { counted };
        let mut draw = |count: usize, below: usize| -> Vec<u8> {
            (0..count).map(|_| u8::try_from(chance.below(below)).expect("a byte")).collect()
        };
        match self.data {
            Data::Ascii => draw(characters, 128).into_iter().map(char::from).collect(),
            Data::Ebcdic => draw(characters, 256).into_iter().map(char::from).collect(),
            Data::Binary if self.counts_nibbles => hex_digits(&draw(counted, 16)),
            Data::Binary => hex_digits(&draw(counted * 2, 16)),
        }
    }
}

fn hex_digits(nibbles: &[u8]) -> String {
    nibbles.iter().map(|nibble| format!("{nibble:X}")).collect()
}
