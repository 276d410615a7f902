//! Frames cut from a stream. The first bytes choose the framing and the size of the chunks.
#![no_main]

use bytes::BytesMut;
use codecs::frame::{Counts, Frame, FrameError, FrameSpec, Framer, KeepAlive, Received};
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::Decoder;

fuzz_target!(|input: &[u8]| {
    let Some(([preset, flags, chunk], stream)) = input.split_first_chunk() else { return };
    let Some(framer) = framer(*preset, *flags) else { return };
    let whole = received(&framer, [stream]);
    let chunked = received(&framer, stream.chunks(usize::from(*chunk).max(1)));
    assert_eq!(whole.0, chunked.0, "the size of the chunks changes the messages");
    assert_eq!(
        whole.1.as_ref().map(FrameError::name),
        chunked.1.as_ref().map(FrameError::name),
        "the size of the chunks changes the error"
    );
    for one in whole.0 {
        if let Received::Message(frame) = one {
            is_written_as_it_was_read(&framer, frame);
        }
    }
});

/// A preset, and what a configuration may change of it.
fn framer(preset: u8, flags: u8) -> Option<Framer> {
    let (_, spec) = FrameSpec::PRESETS[usize::from(preset) % FrameSpec::PRESETS.len()];
    let counts = match flags & 7 {
        1 => Counts::Message,
        2 => Counts::HeaderAndMessage,
        3 => Counts::LengthAndMessage,
        4 => Counts::All,
        _ => spec.counts,
    };
    let keep_alive = if flags & 8 == 0 { KeepAlive::Skip } else { KeepAlive::Echo };
    let body_len_max = if flags & 16 == 0 { spec.body_len_max } else { 100 };
    Framer::new(FrameSpec { counts, keep_alive, body_len_max, ..spec }).ok()
}

/// All that a stream brings until it ends or is out of step.
fn received<'a>(
    framer: &Framer,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Received>, Option<FrameError>) {
    let (mut framer, mut stream, mut all) = (framer.clone(), BytesMut::new(), Vec::new());
    for chunk in chunks {
        stream.extend_from_slice(chunk);
        loop {
            match framer.decode(&mut stream) {
                Ok(Some(one)) => all.push(one),
                Ok(None) => break,
                Err(error) => return (all, Some(error)),
            }
        }
        assert!(stream.capacity() <= 4 << 20, "room was made for a length that was not checked");
    }
    (all, None)
}

fn is_written_as_it_was_read(framer: &Framer, frame: Frame) {
    if frame.body.is_empty() {
        return;
    }
    let spec = framer.spec();
    assert!(frame.body.len() <= spec.body_len_max);
    let mut out = BytesMut::new();
    framer.encode(frame.header.as_ref(), &frame.body, &mut out).expect("it came in so");
    let (again, error) = received(framer, [&out[..]]);
    assert!(error.is_none(), "{error:?}");
    let [Received::Message(again)] = &again[..] else { panic!("one message") };
    assert_eq!(again.body, frame.body);
    assert_eq!(again.header.is_some(), frame.header.is_some());
}
