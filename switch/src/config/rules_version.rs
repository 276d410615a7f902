//! The digest of everything that all nodes must have in common: participants and rules.

use router::message::digest128;
use toml::Value;

use super::layers::Layers;

/// Tables that all nodes must have in common.
const COMMON: [&str; 7] =
    ["participants", "billers", "routes", "fees", "limits", "floats", "net_debit_caps"];

/// Tables sort by key, so equal rules have equal digests whatever files they stand in. Lists are
/// digested element by element: 600,000 rules need no text of all of them.
pub(super) fn of(layers: &Layers) -> u64 {
    let common = layers.table().iter().filter(|(name, _)| COMMON.contains(&name.as_str()));
    let (mut digests, mut scratch) = (Vec::new(), Vec::new());
    for (name, value) in common {
        digests.extend(digest128(&[b"name", name.as_bytes()]).to_be_bytes());
        let elements = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for element in elements {
            scratch.clear();
            encode(element, &mut scratch);
            digests.extend(digest128(&[&scratch]).to_be_bytes());
        }
    }
    // How long a bill is remembered decides whether it may be paid again.
    let storage = layers.table().get("storage").and_then(Value::as_table);
    if let Some(retention) = storage.and_then(|storage| storage.get("bill_retention_days")) {
        scratch.clear();
        encode(retention, &mut scratch);
        digests.extend(digest128(&[b"bill_retention_days", &scratch]).to_be_bytes());
    }
    let high = digest128(&[&digests]) >> 64;
    // Kept where numbers have a sign.
    u64::try_from(high).expect("invariant: 64 bits are left") >> 1
}

/// Appends a value so that no two values have the same bytes.
pub(super) fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => sized(b's', text.as_bytes(), out),
        Value::Datetime(time) => sized(b'd', time.to_string().as_bytes(), out),
        Value::Integer(number) => fixed(b'i', number.to_be_bytes(), out),
        Value::Float(number) => fixed(b'f', number.to_bits().to_be_bytes(), out),
        Value::Boolean(flag) => fixed(b'b', [u8::from(*flag)], out),
        Value::Array(elements) => {
            fixed(b'a', elements.len().to_be_bytes(), out);
            elements.iter().for_each(|element| encode(element, out));
        }
        Value::Table(table) => {
            fixed(b't', table.len().to_be_bytes(), out);
            for (key, value) in table {
                sized(b'k', key.as_bytes(), out);
                encode(value, out);
            }
        }
    }
}

fn fixed<const LEN: usize>(tag: u8, bytes: [u8; LEN], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend(bytes);
}

fn sized(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    fixed(tag, bytes.len().to_be_bytes(), out);
    out.extend_from_slice(bytes);
}
