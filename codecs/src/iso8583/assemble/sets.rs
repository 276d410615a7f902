//! Data sets of ISO 8583:2003, put together.

use bytes::{BufMut, BytesMut};

use super::{Assembled, Problem, all_known, ber_tlv, bytes_of, each, each_once, value_of};
use crate::iso8583::composite::{DataSet, Parts, TLV_SET_MAX, number_of, set_id};
use crate::iso8583::spec::Spec;
use crate::iso8583::unpack::TLV;
use crate::iso8583::value::Value;

impl Spec {
    pub(super) fn data_sets(
        &self,
        sets: &[DataSet],
        path: &str,
        values: &[(String, Value)],
        out: &mut BytesMut,
    ) -> Assembled<()> {
        for (name, value) in each(values) {
            let path = format!("{path}.{name}");
            let id = set_id(name).ok_or_else(|| Problem::Undefined.at(&path))?;
            let mut content = BytesMut::new();
            let set = sets.iter().find(|set| set.id == id);
            match (set, value) {
                (_, Value::Parts(tags)) if id <= TLV_SET_MAX => {
                    ber_tlv(&path, tags, &mut content)?;
                }
                (Some(set), Value::Parts(parts)) => {
                    self.data_set(&set.parts, &path, parts, &mut content)?;
                }
                (_, Value::Text(data)) => content.put_slice(&bytes_of(&path, data)?),
                (_, _) => return Err(Problem::Undefined.at(&path)),
            }
            let have = content.len();
            let length = u16::try_from(have)
                .map_err(|_| Problem::Length { have, allowed: usize::from(u16::MAX) }.at(&path))?;
            out.put_u8(id);
            out.put_u16(length);
            out.put_slice(&content);
        }
        Ok(())
    }

    /// See `Apart::data_set` in `unpack::sets` for the bitmap.
    fn data_set(
        &self,
        parts: &Parts,
        path: &str,
        values: &[(String, Value)],
        out: &mut BytesMut,
    ) -> Assembled<()> {
        each_once(path, values, |_| true)?;
        let numbers: Vec<u8> = values.iter().filter_map(|(name, _)| number_of(name)).collect();
        let tail = value_of(values, TLV);
        out.put_slice(&set_bitmap(&numbers, tail.is_some()));
        for part in parts.iter() {
            if let Some(value) = value_of(values, &part.number.to_string()) {
                self.part(part, path, value, out)?;
            }
        }
        if let Some(tail) = tail {
            let path = format!("{path}.{TLV}");
            let Value::Parts(tags) = tail else {
                return Err(Problem::Shape("an object of tags is needed").at(&path));
            };
            ber_tlv(&path, tags, out)?;
        }
        all_known(path, values, |name| {
            name == TLV || number_of(name).is_some_and(|number| parts.get(number).is_some())
        })
    }
}

/// The bitmap of a data set: 16 bits, and 8 more as long as a number needs them.
fn set_bitmap(numbers: &[u8], tail: bool) -> Vec<u8> {
    let highest = usize::from(numbers.iter().copied().max().unwrap_or(0));
    // Two bytes hold 14 numbers; each further byte, whose own first bit announces the next, 7.
    let more = highest.saturating_sub(14).div_ceil(7);
    let mut map = vec![0_u8; 2 + more];
    let last_bit = map.len() * 8;
    let mut set = |bit: usize| map[(bit - 1) / 8] |= 0x80 >> ((bit - 1) % 8);
    let announces = |bit: usize| bit == 1 || (bit > 16 && bit % 8 == 1);
    (0..more).for_each(|byte| set(if byte == 0 { 1 } else { 17 + (byte - 1) * 8 }));
    let counted = (1..last_bit).filter(|bit| !announces(*bit));
    for (number, bit) in (1_usize..).zip(counted) {
        if numbers.iter().any(|wanted| usize::from(*wanted) == number) {
            set(bit);
        }
    }
    if tail {
        set(last_bit);
    }
    map
}
