//! The text that is signed.

use router::time::Timestamp;
use sfv::{BareItem, InnerList, Integer, Item, Key, ListEntry, ListSerializer, Parameters};

use super::{Component, HttpSignatureError, SignatureParameters, SignedParts};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Whole seconds since 1970.
pub(super) fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(MICROS_PER_SECOND)
}

/// The covered parts and the parameters, as one member of `Signature-Input`; none where a parameter
/// cannot be written.
pub(super) fn input(
    components: &[Component],
    parameters: &SignatureParameters<'_>,
) -> Option<InnerList> {
    let text = |text: &str| sfv::String::from_string(text.to_owned()).ok().map(BareItem::String);
    let items = components.iter().map(|component| text(component.name()).map(Item::new));
    let created = seconds(parameters.created);
    let mut written = Parameters::new();
    let mut write = |name: &str, value: BareItem| {
        let name = Key::from_string(name.to_owned()).ok()?;
        written.insert(name, value);
        Some(())
    };
    write("created", integer(created)?)?;
    if let Some(holds) = parameters.expires_in_s {
        write("expires", integer(created.checked_add(i64::from(holds))?)?)?;
    }
    if let Some(nonce) = parameters.nonce {
        write("nonce", text(nonce)?)?;
    }
    write("keyid", text(parameters.key_id)?)?;
    Some(InnerList::with_params(items.collect::<Option<_>>()?, written))
}

fn integer(value: i64) -> Option<BareItem> {
    Integer::try_from(value).ok().map(BareItem::Integer)
}

/// The signature base.
///
/// Errors: [`HttpSignatureError::Component`] when the message does not have one of the parts, or one
///         is named twice; [`HttpSignatureError::Malformed`] for parameters that cannot be written.
/// Source: RFC 9421 section 2.5.
pub(super) fn of(
    parts: SignedParts<'_>,
    components: &[Component],
    input: &InnerList,
) -> Result<String, HttpSignatureError> {
    let mut base = String::new();
    for (at, component) in components.iter().enumerate() {
        if components[..at].contains(component) {
            return Err(HttpSignatureError::Component);
        }
        let value = component.value(parts)?;
        base.push_str(&format!("\"{}\": {value}\n", component.name()));
    }
    let mut written = ListSerializer::new();
    written.members([&ListEntry::InnerList(input.clone())]);
    let written = written.finish().ok_or(HttpSignatureError::Malformed)?;
    base.push_str("\"@signature-params\": ");
    base.push_str(&written);
    Ok(base)
}
