//! A network's messages in the switch's own format and back. The first bytes choose the network's
//! format, its edition and a field it ignores; the rest is a message.
#![no_main]

use std::sync::Arc;

use bytes::BytesMut;
use cauce_fuzz::spec;
use codecs::iso8583::{Dialect, Edition, Index, Spec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(([choice, edition, ignored], bytes)) = input.split_first_chunk() else { return };
    let edition = Edition::ALL[usize::from(*edition) % Edition::ALL.len()];
    // What may be left out would not come back.
    let dialect = Dialect::new(Arc::clone(spec(*choice)), edition, vec![*ignored]);
    let dialect = dialect.dropping(Vec::new());
    let mut home = BytesMut::new();
    let read = dialect.to_home(bytes, &mut home);
    if let Err(error) = &read {
        assert!(error.offset <= bytes.len(), "{error}");
    }
    // Also what was read of a broken message is a message.
    let mut index = Index::default();
    Spec::cauce87().index(&home, &mut index).expect("our own format");
    assert!(!index.has(*ignored), "an ignored field was taken");

    let mut network = BytesMut::from(&b"kept"[..]);
    if dialect.from_home(&home, &mut network).is_err() {
        assert_eq!(&network[..], b"kept", "nothing is written in case of an error");
        return;
    }
    let mut again = BytesMut::new();
    dialect.to_home(&network[4..], &mut again).expect("what was written can be read");
    assert_eq!(again, home, "our message came back another one");
});
