//! Data sets of ISO 8583:2003, taken apart.

use super::{Apart, Fields, Place, SET_HEAD, TLV};
use crate::error::{DecodeError, ErrorKind, Step};
use crate::iso8583::composite::{DataSet, Parts, TLV_SET_MAX, is_filling};
use crate::iso8583::value::Value;

impl Apart<'_> {
    pub(super) fn data_sets(
        self,
        sets: &[DataSet],
        place: Place,
        start: usize,
    ) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        let mut at = start;
        // No data set has the identifier 00 or FF: between and behind the sets they fill the field up.
        let next = |at: usize| {
            let id = self.bytes[at..].iter().position(|byte| !is_filling(*byte));
            id.map(|distance| at + distance)
        };
        while let Some(begin) = next(at) {
            at = begin;
            let short = |need| self.error(ErrorKind::ShortTlv, place, at, need);
            let head: Option<&[u8; SET_HEAD]> = self.bytes[at..].first_chunk();
            let head = head.ok_or_else(|| short(SET_HEAD))?;
            let [id, high, low] = *head;
            let content = at + SET_HEAD;
            let end = content + usize::from(u16::from_be_bytes([high, low]));
            let data = self.bytes.get(content..end).ok_or_else(|| short(end - at))?;
            let inner = Apart { bytes: &self.bytes[..end], ..self };
            let place = Place { within: place.within.and(Step::DataSet(id)), ..place };
            let set = sets.iter().find(|set| set.id == id);
            let value = match set {
                _ if id <= TLV_SET_MAX => Value::Parts(inner.ber_tlv(place, content)?),
                Some(set) => Value::Parts(inner.data_set(&set.parts, place, content)?),
                // What is not understood is kept.
                None => Value::Text(hex::encode_upper(data)),
            };
            fields.push((format!("{id:02X}"), value));
            at = end;
        }
        Ok(fields)
    }

    /// A data set with a bitmap of two bytes, or more while bit 1 of one says so; the last bit of
    /// the last byte announces BER-TLV behind the parts.
    ///
    /// Source: ISO 8583:2003 and 2023, data set bit maps: bit 1 of the first 16 bits and of every
    /// further 8 announces 8 more; the bits between number the parts from 1.
    fn data_set(self, parts: &Parts, place: Place, start: usize) -> Result<Fields, DecodeError> {
        let mut fields = Vec::new();
        let map = set_bitmap(&self.bytes[start..])
            .ok_or_else(|| self.error(ErrorKind::ShortTlv, place, start, 2))?;
        let mut at = start + map.len();
        for number in set_parts(map) {
            let Some(part) = parts.get(number) else {
                return Err(self.error(
                    ErrorKind::UndefinedField,
                    place.and(Step::Part(number)),
                    at,
                    0,
                ));
            };
            let (value, end) = self.part(part, place, at)?;
            fields.push((number.to_string(), value));
            at = end;
        }
        if map.last().is_some_and(|byte| byte & 1 != 0) {
            fields.push((TLV.to_owned(), Value::Parts(self.ber_tlv(place, at)?)));
            return Ok(fields);
        }
        self.nothing_left(place, at).map(|()| fields)
    }
}

/// The bitmap at the start of a data set; none when it is cut short.
fn set_bitmap(data: &[u8]) -> Option<&[u8]> {
    let mut len = 2;
    let mut announces = 0;
    while data.get(announces)? & 0x80 != 0 {
        announces = len;
        len += 1;
    }
    data.get(..len)
}

/// The numbers of the parts that a data set's bitmap announces.
fn set_parts(map: &[u8]) -> impl Iterator<Item = u8> {
    let last_bit = map.len() * 8;
    let counted = (1..=last_bit).filter(move |bit| {
        let announces_more = *bit == 1 || (*bit > 16 && bit % 8 == 1);
        !announces_more && *bit != last_bit
    });
    (1..=u8::MAX)
        .zip(counted)
        .filter(|(_, bit)| map[(bit - 1) / 8] & (0x80 >> ((bit - 1) % 8)) != 0)
        .map(|(number, _)| number)
}
