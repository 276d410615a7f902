//! Keys in this process's memory: for tests and small installations. It is not an HSM.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use router::secret::Pan;

use super::key::Key;
use super::pin::Pin;
use super::{
    CheckMethod, CheckValue, EncryptedPin, Generation, KeyAlgorithm, KeyError, KeyErrorKind,
    KeyImport, KeyName, KeyStore, KeyUsage, KeyVersion, KeyWrap, Mac, MacAlgorithm, Parity,
    PinFill, PinFormat, PinKey, WrappedKey, mac,
};

/// Keys one store holds at most.
const KEYS_MAX: usize = 4096;

/// A [`KeyStore`] in memory. Keys are wiped when they are retired or the store is dropped; `Debug`
/// shows names, generations and check values.
#[derive(Default)]
pub struct SoftwareKeyStore {
    keys: RwLock<BTreeMap<KeyName, Slot>>,
}

/// The generations of one key.
struct Slot {
    usage: KeyUsage,
    current: Option<Version>,
    previous: Option<Version>,
    next: Option<Key>,
}

struct Version {
    generation: Generation,
    key: Key,
}

impl SoftwareKeyStore {
    /// A store without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the first generation of a key, in use at once. The caller wipes the bytes it read.
    ///
    /// Errors: `Exists`, `Full`, `BadLength`, `Parity`, `Degenerate`.
    pub fn insert(
        &self,
        name: &KeyName,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        bytes: &[u8],
        parity: Parity,
    ) -> Result<CheckValue, KeyError> {
        let named = |kind: KeyErrorKind| kind.of(name);
        let key = Key::new(algorithm, bytes, parity).map_err(named)?;
        let check = key.check_value(CheckMethod::Zeros).map_err(named)?;
        let mut keys = self.write();
        if keys.contains_key(name) {
            return Err(named(KeyErrorKind::Exists));
        }
        let slot = room(&mut keys, name, usage)?;
        slot.current = Some(Version { generation: Generation(1), key });
        Ok(check)
    }

    /// Encrypts a PIN as a terminal does; for tests and simulators. A PIN goes in and never out.
    ///
    /// Errors: `UnknownKey`, `WrongUsage`, `WrongAlgorithm`, `BadPin`.
    pub fn encrypt_pin(
        &self,
        name: &KeyName,
        format: PinFormat,
        pin: &[u8],
        pan: &Pan,
        fill: &PinFill,
    ) -> Result<EncryptedPin, KeyError> {
        let keys = self.read();
        let key = find(&keys, name)?.key(name, KeyUsage::Pin, KeyVersion::Current)?;
        let encrypted = Pin::new(pin).and_then(|pin| format.encrypt(key, &pin, pan, fill));
        encrypted.map_err(|kind| kind.of(name))
    }

    // A panic while a lock is held leaves keys whole: each change is one assignment.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<KeyName, Slot>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<KeyName, Slot>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn version(&self, version: KeyVersion) -> Option<&Key> {
        match version {
            KeyVersion::Current => self.current.as_ref().map(|version| &version.key),
            KeyVersion::Previous => self.previous.as_ref().map(|version| &version.key),
            KeyVersion::Next => self.next.as_ref(),
        }
    }

    /// Errors: `WrongUsage`, `NoSuchVersion`.
    fn key(&self, name: &KeyName, usage: KeyUsage, version: KeyVersion) -> Result<&Key, KeyError> {
        if self.usage != usage {
            return Err(KeyErrorKind::WrongUsage.of(name));
        }
        self.version(version).ok_or(KeyErrorKind::NoSuchVersion.of(name))
    }
}

fn find<'a>(keys: &'a BTreeMap<KeyName, Slot>, name: &KeyName) -> Result<&'a Slot, KeyError> {
    keys.get(name).ok_or(KeyErrorKind::UnknownKey.of(name))
}

/// The slot of a name, made where there is none.
///
/// Errors: `WrongUsage`, `Full`.
fn room<'a>(
    keys: &'a mut BTreeMap<KeyName, Slot>,
    name: &KeyName,
    usage: KeyUsage,
) -> Result<&'a mut Slot, KeyError> {
    if keys.len() >= KEYS_MAX && !keys.contains_key(name) {
        return Err(KeyErrorKind::Full.of(name));
    }
    let empty = || Slot { usage, current: None, previous: None, next: None };
    let slot = keys.entry(*name).or_insert_with(empty);
    match slot.usage == usage {
        true => Ok(slot),
        false => Err(KeyErrorKind::WrongUsage.of(name)),
    }
}

impl KeyStore for SoftwareKeyStore {
    fn mac(&self, name: &KeyName, algorithm: MacAlgorithm, data: &[u8]) -> Result<Mac, KeyError> {
        let keys = self.read();
        let key = find(&keys, name)?.key(name, KeyUsage::Mac, KeyVersion::Current)?;
        mac::compute(key, algorithm, data).map_err(|kind| kind.of(name))
    }

    fn verify_mac(
        &self,
        name: &KeyName,
        algorithm: MacAlgorithm,
        data: &[u8],
        claimed: &Mac,
    ) -> Result<Generation, KeyError> {
        let keys = self.read();
        let slot = find(&keys, name)?;
        slot.key(name, KeyUsage::Mac, KeyVersion::Current)?;
        let fits = |version: &Version| {
            mac::compute(&version.key, algorithm, data)
                .map(|computed| computed.begins_with(claimed))
        };
        if let Some(current) = &slot.current
            && fits(current).map_err(|kind| kind.of(name))?
        {
            return Ok(current.generation);
        }
        // A previous key of another algorithm made no such code.
        if let Some(previous) = slot.previous.as_ref().filter(|key| fits(key) == Ok(true)) {
            return Ok(previous.generation);
        }
        Err(KeyErrorKind::BadMac.of(name))
    }

    fn translate_pin(
        &self,
        block: &EncryptedPin,
        pan: &Pan,
        from: PinKey<'_>,
        to: PinKey<'_>,
        fill: &PinFill,
    ) -> Result<EncryptedPin, KeyError> {
        let keys = self.read();
        let old = find(&keys, from.key)?.key(from.key, KeyUsage::Pin, from.version)?;
        let new = find(&keys, to.key)?.key(to.key, KeyUsage::Pin, to.version)?;
        let pin = from.format.decrypt(old, block, pan).map_err(|kind| kind.of(from.key))?;
        to.format.encrypt(new, &pin, pan, fill).map_err(|kind| kind.of(to.key))
    }

    fn import_key(&self, import: &KeyImport<'_>) -> Result<CheckValue, KeyError> {
        let named = |kind: KeyErrorKind| kind.of(import.key);
        let mut keys = self.write();
        let under = find(&keys, import.under)?;
        let under = under.key(import.under, KeyUsage::KeyEncryption, KeyVersion::Current)?;
        let clear = import.wrap.unwrap(under, import.algorithm, import.cryptogram);
        let clear = clear.map_err(named)?;
        let key = Key::new(import.algorithm, &clear, import.parity).map_err(named)?;
        let check = key.check_value(import.check_method).map_err(named)?;
        if !check.fits(import.check_value) {
            return Err(named(KeyErrorKind::BadCheckValue));
        }
        room(&mut keys, import.key, import.usage)?.next = Some(key);
        Ok(check)
    }

    fn export_key(
        &self,
        name: &KeyName,
        version: KeyVersion,
        under: &KeyName,
        wrap: KeyWrap,
    ) -> Result<WrappedKey, KeyError> {
        let keys = self.read();
        let outer = find(&keys, under)?;
        let outer = outer.key(under, KeyUsage::KeyEncryption, KeyVersion::Current)?;
        let inner = find(&keys, name)?.version(version);
        let inner = inner.ok_or(KeyErrorKind::NoSuchVersion.of(name))?;
        wrap.wrap(outer, inner).map_err(|kind| kind.of(name))
    }

    fn activate(&self, name: &KeyName) -> Result<Generation, KeyError> {
        let mut keys = self.write();
        let slot = keys.get_mut(name).ok_or(KeyErrorKind::UnknownKey.of(name))?;
        let key = slot.next.take().ok_or(KeyErrorKind::NoSuchVersion.of(name))?;
        let before = slot.current.as_ref().map_or(0, |version| version.generation.0);
        let generation = Generation(before.saturating_add(1));
        slot.previous = slot.current.replace(Version { generation, key });
        Ok(generation)
    }

    fn retire_previous(&self, name: &KeyName) -> Result<(), KeyError> {
        let mut keys = self.write();
        let slot = keys.get_mut(name).ok_or(KeyErrorKind::UnknownKey.of(name))?;
        match slot.previous.take() {
            Some(_) => Ok(()),
            None => Err(KeyErrorKind::NoSuchVersion.of(name)),
        }
    }

    fn check_value(
        &self,
        name: &KeyName,
        version: KeyVersion,
        method: CheckMethod,
    ) -> Result<CheckValue, KeyError> {
        let keys = self.read();
        let key = find(&keys, name)?.version(version);
        let key = key.ok_or(KeyErrorKind::NoSuchVersion.of(name))?;
        key.check_value(method).map_err(|kind| kind.of(name))
    }
}

impl fmt::Debug for SoftwareKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.read().iter()).finish()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { usage, current, previous, next } = self;
        write!(f, "{usage:?} {current:?}, previous {previous:?}, next {next:?}")
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.generation.0, self.key)
    }
}
