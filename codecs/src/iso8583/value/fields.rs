//! A list of names and values as a JSON object, in its order.
//!
//! Names of an object are unique, so a tag that comes again is a list at its first place. Where other
//! tags stand between its values, the member `order` lists all tags as they came: a message that is
//! written again then has the same bytes, which a check over the message needs although the order of
//! data objects has no meaning in EMV. No tag has that name: it has more characters than a tag, and is
//! no hexadecimal number.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::de::{Error, MapAccess};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serializer};

use super::Value;

const ORDER: &str = "order";

type Fields = Vec<(String, Value)>;

pub(super) fn serialize<S: Serializer>(
    fields: &[(String, Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(fields.len());
    let mut merged: Vec<(&str, Vec<&Value>)> = Vec::with_capacity(fields.len());
    let mut is_gathered = false;
    for (name, value) in fields {
        match places.get(name.as_str()) {
            Some(place) => {
                is_gathered |= place + 1 < merged.len();
                merged[*place].1.push(value);
            }
            None => {
                places.insert(name, merged.len());
                merged.push((name, vec![value]));
            }
        }
    }
    let mut map = serializer.serialize_map(None)?;
    for (name, values) in merged {
        match values[..] {
            [value] => map.serialize_entry(name, value)?,
            _ => map.serialize_entry(name, &values)?,
        }
    }
    if is_gathered {
        let order: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        map.serialize_entry(ORDER, &order)?;
    }
    map.end()
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Parts(fields) => Ok(fields),
        Value::Text(_) | Value::Many(_) => Err(D::Error::custom("an object is needed")),
    }
}

/// The members of an object.
///
/// Errors: a name that is given twice; an `order` that does not name each value once.
pub(super) fn collect<'de, A: MapAccess<'de>>(mut map: A) -> Result<Fields, A::Error> {
    let mut fields: Fields = Vec::new();
    let mut names = HashSet::new();
    let mut order = None;
    while let Some((name, value)) = map.next_entry::<String, Value>()? {
        if !names.insert(name.clone()) {
            return Err(A::Error::custom("a name is given twice"));
        }
        if name == ORDER {
            order = Some(value);
        } else {
            fields.push((name, value));
        }
    }
    match order {
        None => Ok(fields),
        Some(order) => ordered(fields, order)
            .ok_or_else(|| A::Error::custom("`order` must name each value of the object once")),
    }
}

/// The values one by one in a stated order; none where the order does not name each of them once.
fn ordered(fields: Fields, order: Value) -> Option<Fields> {
    let Value::Many(order) = order else { return None };
    let mut values: HashMap<String, VecDeque<Value>> = HashMap::with_capacity(fields.len());
    for (name, value) in fields {
        if matches!(&value, Value::Many(many) if many.is_empty()) {
            return None;
        }
        let values = values.entry(name).or_default();
        match value {
            Value::Many(many) => values.extend(many),
            Value::Text(_) | Value::Parts(_) => values.push_back(value),
        }
    }
    let one = |name: Value| {
        let Value::Text(name) = name else { return None };
        let value = values.get_mut(&name)?.pop_front()?;
        Some((name, value))
    };
    let fields: Option<Fields> = order.into_iter().map(one).collect();
    fields.filter(|_| values.values().all(VecDeque::is_empty))
}
