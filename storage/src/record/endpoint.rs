//! An endpoint's fields, in the body of its events and in snapshots. Its id, version and time stand
//! beside them.

use router::endpoint::{Endpoint, OldSecret};
use router::id::{BillerId, EndpointId};
use router::notice::NoticeType;
use router::secret::SealedSecret;
use router::time::Timestamp;

use super::DecodeError;
use super::field::{Field, ValueReader, ValueWriter, fields};

struct EndpointFields {
    biller: BillerId,
    url: Option<Box<str>>,
    secret: SealedSecret,
    old_secrets: Vec<OldSecret>,
    types: Vec<NoticeType>,
}

fields!(EndpointFields { 0 => biller, 1 => url, 2 => secret, 3 => old_secrets, 4 => types });
fields!(OldSecret { 0 => secret, 1 => ends_at });
fields!(SealedSecret { 0 => id, 1 => key_name, 2 => ciphertext });

/// Appends what an endpoint is.
pub(crate) fn put_body(endpoint: &Endpoint, out: &mut Vec<u8>) {
    let Endpoint { biller, url, secret, old_secrets, types, id: _, at: _, version: _ } =
        endpoint.clone();
    EndpointFields { biller, url, secret, old_secrets, types }.write(&mut ValueWriter::new(out));
}

/// The endpoint of an id at a version, which it has had since a time, from such bytes.
pub(crate) fn body(
    (id, version, at): (EndpointId, u32, Timestamp),
    bytes: &[u8],
) -> Result<Endpoint, DecodeError> {
    let mut reader = ValueReader::new(bytes);
    let EndpointFields { biller, url, secret, old_secrets, types } =
        EndpointFields::read(&mut reader)?;
    reader.finish()?;
    Ok(Endpoint { id, biller, at, version, url, secret, old_secrets, types })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample;

    #[test]
    fn an_endpoint_comes_back_from_its_body_and_what_stands_beside_it() {
        for event in [sample::endpoint(4), sample::endpoint_with_old_secrets(4)] {
            let endpoint = event.endpoint().expect("an endpoint");
            let mut bytes = Vec::new();
            put_body(endpoint, &mut bytes);
            let beside = (endpoint.id, endpoint.version, endpoint.at);
            assert_eq!(body(beside, &bytes).as_ref(), Ok(endpoint));
            bytes.push(0);
            assert_eq!(body(beside, &bytes), Err(DecodeError::Trailing { len: 1 }));
        }
    }
}
