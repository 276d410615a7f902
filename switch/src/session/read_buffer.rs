//! The buffer that a line is read into. It grows while its peer sends much at once, and shrinks when
//! it does not: of a thousand lines most are quiet.
//!
//! Messages are not copied out of it, so a part of it lives on with the payment that it asks for; the
//! buffer behind that part is a new one.

use bytes::BytesMut;

/// Size of the first buffer, and of every one of a line before its sign-on.
pub(super) const LEN_MIN: usize = 4 * 1024;
/// Size that a participant's buffer grows to.
pub(super) const LEN_MAX: usize = 64 * 1024;
/// Reads in succession that a buffer of half the size could have taken, after which it shrinks.
const SMALL_READS_MAX: u32 = 16;

/// Bytes that were read and not yet taken as frames, and room for the next read.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    pub bytes: BytesMut,
    /// Size of the next buffer that is allocated.
    len_next: usize,
    small_reads: u32,
}

impl ReadBuffer {
    /// An empty one of the least size.
    pub fn new() -> Self {
        Self { bytes: BytesMut::with_capacity(LEN_MIN), len_next: LEN_MIN, small_reads: 0 }
    }

    /// One that has grown as far as it may.
    #[cfg(test)]
    pub fn large() -> Self {
        let bytes = BytesMut::with_capacity(LEN_MAX);
        Self { bytes, len_next: LEN_MAX, small_reads: 0 }
    }

    /// Makes room for the next read: a quarter of the buffer at least.
    pub fn make_room(&mut self) {
        if self.room() < self.len_next / 4 {
            self.replace();
        }
    }

    /// Notes how much the latest read brought, of the room that it had, and sizes the next buffer
    /// after it, up to `len_max` bytes.
    pub fn was_filled(&mut self, len: usize, room: usize, len_max: usize) {
        if len == room {
            self.len_next = (2 * self.len_next).min(len_max);
            self.small_reads = 0;
        } else if len > self.len_next / 8 {
            self.small_reads = 0;
        } else if self.len_next > LEN_MIN {
            self.small_reads += 1;
            if self.small_reads == SMALL_READS_MAX {
                self.len_next /= 2;
                self.small_reads = 0;
            }
        }
    }

    /// Whether it has more memory than a quiet line needs.
    pub fn is_large(&self) -> bool {
        self.bytes.capacity() > LEN_MIN + self.bytes.len()
    }

    /// Gives the memory back that a quiet line does not need.
    pub fn shrink(&mut self) {
        self.len_next = LEN_MIN;
        self.small_reads = 0;
        self.replace();
    }

    /// Bytes that can be read without another buffer.
    pub fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    fn replace(&mut self) {
        let mut next = BytesMut::with_capacity(self.len_next + self.bytes.len());
        next.extend_from_slice(&self.bytes);
        self.bytes = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads so much at once, as often as said; everything is taken as frames at once.
    fn read(buffer: &mut ReadBuffer, len: usize, times: usize) {
        for _ in 0..times {
            buffer.make_room();
            let room = buffer.room();
            let len = len.min(room);
            buffer.bytes.extend_from_slice(&vec![7; len]);
            buffer.was_filled(len, room, LEN_MAX);
            drop(buffer.bytes.split());
        }
    }

    #[test]
    fn it_grows_while_each_read_fills_it_and_no_further_than_said() {
        let mut buffer = ReadBuffer::new();
        read(&mut buffer, usize::MAX, 10);
        buffer.make_room();
        assert_eq!(buffer.len_next, LEN_MAX);
        assert!((LEN_MAX / 4..=LEN_MAX).contains(&buffer.room()));
    }

    #[test]
    fn a_line_that_asks_little_at_a_time_never_has_more_than_the_least() {
        let mut buffer = ReadBuffer::new();
        read(&mut buffer, 120, 10_000);
        assert_eq!(buffer.len_next, LEN_MIN);
        assert!(buffer.bytes.capacity() <= LEN_MIN);
    }

    #[test]
    fn it_shrinks_when_reads_become_small() {
        let mut buffer = ReadBuffer::new();
        read(&mut buffer, usize::MAX, 10);
        read(&mut buffer, 120, 10_000);
        assert_eq!(buffer.len_next, LEN_MIN);
        assert!(buffer.bytes.capacity() <= LEN_MIN);
    }

    #[test]
    fn what_was_read_and_not_taken_stays_when_it_shrinks() {
        let mut buffer = ReadBuffer::new();
        read(&mut buffer, usize::MAX, 10);
        buffer.make_room();
        buffer.bytes.extend_from_slice(b"half a frame");
        assert!(buffer.is_large());
        buffer.shrink();
        assert_eq!(&buffer.bytes[..], b"half a frame");
        assert!(!buffer.is_large());
    }
}
