//! Card numbers and endpoint secrets, encrypted before they touch a disk.
//!
//! AES-256-GCM under a named key from the configuration. The nonce is the low 96 bits of the id
//! the value belongs to, so one id seals one value only; the key's name and the id are
//! authenticated, so a sealed value moved to another payment does not open.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use router::id::{PaymentId, SecretId};
use router::secret::{Pan, SealedPan, SealedSecret, SealedTexts, Secret};
use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;
use zeroize::Zeroizing;

/// Longest name of a key, in bytes.
pub const KEY_NAME_LEN_MAX: usize = 64;
/// Bytes of a key's digest that tell it from another key of its name.
pub const CHECK_VALUE_LEN: usize = 4;
const TAG_LEN: usize = 16;

/// Why something could not be sealed or opened. Never holds what was sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No key of that name is configured.
    #[error("no sealing key named `{name}` is configured")]
    UnknownKey {
        /// The name.
        name: Box<str>,
    },
    /// The key's name is empty or too long.
    #[error("the name of a sealing key has {len} bytes, 1 to {KEY_NAME_LEN_MAX} expected")]
    KeyName {
        /// Its length.
        len: usize,
    },
    /// Two keys have one name.
    #[error("two sealing keys are named `{name}`")]
    KeyTwice {
        /// The name.
        name: Box<str>,
    },
    /// The value was altered, belongs elsewhere, or was sealed under another key of this name.
    #[error("the value sealed under `{name}` does not open")]
    DoesNotOpen {
        /// Name of the key.
        name: Box<str>,
    },
}

/// One key by its name.
pub struct SealingKey {
    /// Its name; stored beside everything it seals, so never reused for another key.
    pub name: Box<str>,
    /// The key itself.
    pub bytes: Zeroizing<[u8; 32]>,
}

/// Seals under one active key and opens under several, so that keys can be rotated.
#[derive(Clone)]
pub struct Sealer(Arc<SealingKeys>);

struct SealingKeys {
    active: usize,
    named: Vec<NamedKey>,
}

struct NamedKey {
    name: Box<str>,
    key: LessSafeKey,
    check_value: [u8; CHECK_VALUE_LEN],
}

impl NamedKey {
    fn of(key: SealingKey) -> Self {
        let unbound = UnboundKey::new(&AES_256_GCM, key.bytes.as_slice())
            .expect("invariant: 32 bytes make an AES-256 key");
        let digest = Sha256::new_with_prefix(b"cauce sealing key").chain_update(*key.bytes);
        let mut check_value = [0; CHECK_VALUE_LEN];
        check_value.copy_from_slice(&digest.finalize()[..CHECK_VALUE_LEN]);
        Self { name: key.name, key: LessSafeKey::new(unbound), check_value }
    }
}

impl Sealer {
    /// A sealer with these keys, of which the one named `active` seals.
    pub fn new(active: &str, keys: Vec<SealingKey>) -> Result<Self, SealError> {
        let mut named: Vec<NamedKey> = Vec::with_capacity(keys.len());
        for key in keys {
            if key.name.is_empty() || key.name.len() > KEY_NAME_LEN_MAX {
                return Err(SealError::KeyName { len: key.name.len() });
            }
            if named.iter().any(|known| known.name == key.name) {
                return Err(SealError::KeyTwice { name: key.name });
            }
            named.push(NamedKey::of(key));
        }
        let found = named.iter().position(|known| &*known.name == active);
        let active = found.ok_or_else(|| SealError::UnknownKey { name: active.into() })?;
        Ok(Self(Arc::new(SealingKeys { active, named })))
    }

    /// Name of the key that seals.
    pub fn active_key_name(&self) -> &str {
        &self.0.named[self.0.active].name
    }

    /// The start of a digest of the key of a name, by which another key of that name shows; none
    /// where there is no key of the name.
    pub fn check_value(&self, name: &str) -> Option<[u8; CHECK_VALUE_LEN]> {
        self.named(name).map(|known| known.check_value)
    }

    fn named(&self, name: &str) -> Option<&NamedKey> {
        self.0.named.iter().find(|known| *known.name == *name)
    }

    /// Seals the card number of a payment.
    pub fn seal(&self, pan: &Pan, payment: PaymentId) -> SealedPan {
        let ciphertext = self.seal_bytes(pan.expose_for_sealing(), payment.0, Role::Card);
        SealedPan { masked: pan.masked(), key_name: self.active_key_name().into(), ciphertext }
    }

    /// Opens the card number of a payment.
    pub fn open(&self, sealed: &SealedPan, payment: PaymentId) -> Result<Pan, SealError> {
        let digits =
            self.open_bytes(&sealed.key_name, &sealed.ciphertext, payment.0, Role::Card)?;
        Pan::new(&digits).map_err(|_| SealError::DoesNotOpen { name: sealed.key_name.clone() })
    }

    /// Seals what the sender of a payment wrote in fields that are kept masked.
    pub(crate) fn seal_texts(&self, texts: &[u8], payment: PaymentId) -> SealedTexts {
        let ciphertext = self.seal_bytes(texts, payment.0, Role::Texts);
        SealedTexts { key_name: self.active_key_name().into(), ciphertext }
    }

    /// Opens what the sender of a payment wrote in fields that are kept masked.
    pub(crate) fn open_texts(
        &self,
        sealed: &SealedTexts,
        payment: PaymentId,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.open_bytes(&sealed.key_name, &sealed.ciphertext, payment.0, Role::Texts)
    }

    /// Seals a signing secret of an endpoint. One id seals one secret only: another secret of the
    /// same endpoint has another id.
    pub fn seal_secret(&self, secret: &Secret, id: SecretId) -> SealedSecret {
        let ciphertext = self.seal_bytes(secret.expose(), id.0, Role::SigningSecret);
        SealedSecret { id, key_name: self.active_key_name().into(), ciphertext }
    }

    /// Opens a signing secret of an endpoint.
    pub fn open_secret(&self, sealed: &SealedSecret) -> Result<Secret, SealError> {
        let SealedSecret { id, key_name, ciphertext } = sealed;
        let bytes = self.open_bytes(key_name, ciphertext, id.0, Role::SigningSecret)?;
        Ok(Secret::new(bytes.as_slice()))
    }

    /// Seals what a participant sent to change a key. One id seals one value only.
    pub fn seal_session_key(&self, material: &Secret, id: SecretId) -> SealedSecret {
        let ciphertext = self.seal_bytes(material.expose(), id.0, Role::SessionKey);
        SealedSecret { id, key_name: self.active_key_name().into(), ciphertext }
    }

    /// Opens what a participant sent to change a key.
    pub fn open_session_key(&self, sealed: &SealedSecret) -> Result<Secret, SealError> {
        let SealedSecret { id, key_name, ciphertext } = sealed;
        let bytes = self.open_bytes(key_name, ciphertext, id.0, Role::SessionKey)?;
        Ok(Secret::new(bytes.as_slice()))
    }

    fn seal_bytes(&self, clear: &[u8], id: u128, role: Role) -> Box<[u8]> {
        let NamedKey { name, key, .. } = &self.0.named[self.0.active];
        let mut sealed = Vec::with_capacity(clear.len() + TAG_LEN);
        sealed.extend_from_slice(clear);
        let aad = Aad::from(authenticated(name, id, role));
        key.seal_in_place_append_tag(nonce(id, role), aad, &mut sealed)
            .expect("invariant: AES-GCM seals values this short");
        sealed.into_boxed_slice()
    }

    fn open_bytes(
        &self,
        name: &str,
        ciphertext: &[u8],
        id: u128,
        role: Role,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let unknown = || SealError::UnknownKey { name: name.into() };
        let NamedKey { key, .. } = self.named(name).ok_or_else(unknown)?;
        let mut clear = Zeroizing::new(ciphertext.to_vec());
        let aad = Aad::from(authenticated(name, id, role));
        let opened = key.open_in_place(nonce(id, role), aad, &mut clear);
        let len = opened.map_err(|_| SealError::DoesNotOpen { name: name.into() })?.len();
        clear.truncate(len);
        Ok(clear)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({})", self.active_key_name())
    }
}

/// What kind of value an id seals. Payments and secrets draw their ids apart, and a payment seals
/// its card and its texts, but no two nonces may ever meet under one key.
#[derive(Clone, Copy)]
enum Role {
    Card,
    SigningSecret,
    Texts,
    SessionKey,
}

/// The low 96 bits of the id; a signing secret's have the top bit turned, those of texts the next
/// one, those of a session key both.
fn nonce(id: u128, role: Role) -> Nonce {
    let mut bytes = [0; 12];
    bytes.copy_from_slice(&id.to_be_bytes()[4..]);
    match role {
        Role::Card => {}
        Role::SigningSecret => bytes[0] ^= 0x80,
        Role::Texts => bytes[0] ^= 0x40,
        Role::SessionKey => bytes[0] ^= 0xc0,
    }
    Nonce::assume_unique_for_key(bytes)
}

/// Room for the longest name, a zero, the role and the id.
type Authenticated = SmallVec<[u8; KEY_NAME_LEN_MAX + 18]>;

fn authenticated(name: &str, id: u128, role: Role) -> Authenticated {
    let mut bytes = Authenticated::new();
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.push(match role {
        Role::Card => b'c',
        Role::SigningSecret => b'e',
        Role::Texts => b't',
        Role::SessionKey => b's',
    });
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, byte: u8) -> SealingKey {
        SealingKey { name: name.into(), bytes: Zeroizing::new([byte; 32]) }
    }

    fn pan() -> Pan {
        Pan::new(b"4111111111111111").unwrap()
    }

    #[test]
    fn a_sealed_card_opens_for_its_own_payment_only() {
        let sealer = Sealer::new("k1", vec![key("k1", 1)]).unwrap();
        let (mine, other) = (PaymentId(7 << 80 | 5), PaymentId(7 << 80 | 6));
        let sealed = sealer.seal(&pan(), mine);
        assert_eq!(sealer.open(&sealed, mine), Ok(pan()));
        let refused = Err(SealError::DoesNotOpen { name: "k1".into() });
        assert_eq!(sealer.open(&sealed, other), refused);
        let mut altered = sealed;
        altered.ciphertext[3] ^= 1;
        assert_eq!(sealer.open(&altered, mine), refused);
    }

    #[test]
    fn after_a_rotation_old_cards_still_open_and_new_ones_use_the_new_key() {
        let payment = PaymentId(9);
        let old = Sealer::new("k1", vec![key("k1", 1)]).unwrap().seal(&pan(), payment);
        let rotated = Sealer::new("k2", vec![key("k1", 1), key("k2", 2)]).unwrap();
        assert_eq!(rotated.open(&old, payment), Ok(pan()));
        assert_eq!(&*rotated.seal(&pan(), payment).key_name, "k2");
        let retired = Sealer::new("k2", vec![key("k2", 2)]).unwrap();
        assert_eq!(retired.open(&old, payment), Err(SealError::UnknownKey { name: "k1".into() }));
    }

    #[test]
    fn a_card_s_seal_is_not_a_signing_secret_s_and_each_secret_has_its_own() {
        let sealer = Sealer::new("k1", vec![key("k1", 1)]).unwrap();
        let secret = Secret::new(*b"whsec_fictional");
        let sealed = sealer.seal_secret(&secret, SecretId(9));
        assert_eq!(sealer.open_secret(&sealed), Ok(secret));
        let card = sealer.seal(&pan(), PaymentId(9));
        let as_card = SealedSecret { ciphertext: card.ciphertext, ..sealed.clone() };
        assert!(sealer.open_secret(&as_card).is_err());
        assert!(sealer.open_secret(&SealedSecret { id: SecretId(8), ..sealed }).is_err());
    }

    #[test]
    fn another_key_of_the_same_name_has_another_check_value() {
        let check_value =
            |byte| Sealer::new("k1", vec![key("k1", byte)]).unwrap().check_value("k1");
        assert_eq!(check_value(1), check_value(1));
        assert_ne!(check_value(1), check_value(2));
        assert_eq!(Sealer::new("k1", vec![key("k1", 1)]).unwrap().check_value("k2"), None);
    }

    #[test]
    fn keys_without_a_name_or_with_the_same_one_are_refused() {
        assert_eq!(Sealer::new("", vec![key("", 1)]).err(), Some(SealError::KeyName { len: 0 }));
        let twice = Sealer::new("k", vec![key("k", 1), key("k", 2)]).err();
        assert_eq!(twice, Some(SealError::KeyTwice { name: "k".into() }));
        let unknown = Sealer::new("k2", vec![key("k", 1)]).err();
        assert_eq!(unknown, Some(SealError::UnknownKey { name: "k2".into() }));
    }
}
