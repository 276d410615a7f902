//! An endpoint's fields. Those from 7 on came after the first released version: a journal without
//! them has the first version of an endpoint, whose secret is sealed under the endpoint's own id.

use router::id::{BillerId, EndpointId, SecretId};
use router::notice::NoticeType;
use router::record::{Endpoint, OldSecret};
use router::secret::SealedSecret;
use router::time::Timestamp;

use super::DecodeError;
use super::field::{Field, Reader, Writer, fields};

struct EndpointFields {
    id: EndpointId,
    biller: BillerId,
    at: Timestamp,
    url: Option<Box<str>>,
    sealed_secret: Box<[u8]>,
    key_name: Box<str>,
    types: Vec<NoticeType>,
    changes: i64,
    secret_id: Option<SecretId>,
    old_secrets: Vec<OldSecret>,
}

fields!(EndpointFields {
    0 => id,
    1 => biller,
    2 => at,
    3 => url,
    4 => sealed_secret,
    5 => key_name,
    6 => types,
    7 => changes,
    8 => secret_id,
    9 => old_secrets,
});
fields!(OldSecret { 0 => secret, 1 => ends_at });
fields!(SealedSecret { 0 => id, 1 => key_name, 2 => ciphertext });

impl Field for Endpoint {
    fn write(&self, out: &mut Writer<'_>) {
        let Self { id, biller, at, version, url, secret, old_secrets, types } = self.clone();
        let SealedSecret { id: secret_id, key_name, ciphertext: sealed_secret } = secret;
        let (changes, secret_id) = (i64::from(version.saturating_sub(1)), Some(secret_id));
        let fields = EndpointFields {
            id,
            biller,
            at,
            url,
            sealed_secret,
            key_name,
            types,
            changes,
            secret_id,
            old_secrets,
        };
        fields.write(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.at();
        let EndpointFields {
            id,
            biller,
            at,
            url,
            sealed_secret: ciphertext,
            key_name,
            types,
            changes,
            secret_id,
            old_secrets,
        } = EndpointFields::read(reader)?;
        let version = u32::try_from(changes).ok().and_then(|changes| changes.checked_add(1));
        let Some(version) = version else { return reader.invalid("changes", start) };
        let secret = SealedSecret { id: secret_id.unwrap_or(SecretId(id.0)), key_name, ciphertext };
        Ok(Self { id, biller, at, version, url, secret, old_secrets, types })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_without_the_later_fields_is_its_first_version_with_one_secret() {
        let fields = EndpointFields {
            id: EndpointId(4),
            biller: BillerId::new("isp-ve").unwrap(),
            at: Timestamp(42),
            url: Some("https://merchant.example/notices".into()),
            sealed_secret: Box::from(*b"sealed"),
            key_name: "k1".into(),
            types: vec![NoticeType::PaymentApproved],
            changes: 0,
            secret_id: None,
            old_secrets: Vec::new(),
        };
        let mut bytes = Vec::new();
        fields.write(&mut Writer::new(&mut bytes));
        let endpoint = Endpoint::read(&mut Reader::new(&bytes)).unwrap();
        assert_eq!((endpoint.version, endpoint.secret.id), (1, SecretId(4)));
        assert_eq!(&*endpoint.secret.ciphertext, b"sealed");
        assert_eq!(endpoint.old_secrets, []);
        assert_eq!(endpoint.types, [NoticeType::PaymentApproved]);
    }

    #[test]
    fn a_count_of_changes_that_is_none_is_refused() {
        let mut bytes = Vec::new();
        let secret = SealedSecret { id: SecretId(1), key_name: "k1".into(), ciphertext: [].into() };
        Writer::new(&mut bytes).map(|out| {
            out.field(0, &EndpointId(4));
            out.field(1, &BillerId::new("isp-ve").unwrap());
            out.field(2, &Timestamp(42));
            out.field(7, &-1_i64);
            out.field(8, &secret.id);
        });
        let refused = Endpoint::read(&mut Reader::new(&bytes)).err();
        assert_eq!(refused, Some(DecodeError::Value { field: "changes", at: 0 }));
    }
}
