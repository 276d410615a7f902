//! ISO 20022 messages: read, laid open, mapped, answered.
#![no_main]

use bytes::BytesMut;
use codecs::iso20022::write::{MessageReject, Outgoing, write};
use codecs::iso20022::{MessageId, leaves, original_keys, participant_answer, read, to_message};
use libfuzzer_sys::fuzz_target;
use router::id::ParticipantId;
use router::time::Timestamp;

/// JSON of a message is bounded by its paths, whatever the message.
const JSON_LEN_MAX: usize = 64 << 20;

fuzz_target!(|bytes: &[u8]| {
    let originator = ParticipantId::new("bank-a").expect("an id");
    match read(bytes) {
        Ok(message) => {
            let _ = to_message(&message, originator);
            let _ = (original_keys(&message, &originator), participant_answer(&message));
            // What is laid open was read, unless a rule beyond reading refuses it.
            if let Ok(opened) = leaves(bytes, None) {
                let json = serde_json::to_string(&opened).expect("texts and lists are JSON");
                assert!(json.len() <= JSON_LEN_MAX);
            }
        }
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error}");
            assert!(leaves(bytes, None).is_err(), "what cannot be read is not laid open");
            let reject = MessageReject::of(&error, None, Timestamp(0));
            let version = MessageId::parse("admi.002.001.01").expect("a version");
            let mut out = BytesMut::new();
            write(&Outgoing::MessageReject(reject), version, None, &mut out)
                .expect("every refusal can be told");
            read(&out).expect("what was written can be read");
        }
    }
});
