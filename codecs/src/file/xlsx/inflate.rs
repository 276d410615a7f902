//! How long deflated data is when inflated, found without inflating it.
//!
//! The sizes an archive states cannot be trusted, and the reader behind them keeps what it unpacks.
//! Counting needs no output: codes are followed, lengths added up, nothing is kept.
//!
//! Source: RFC 1951.

use std::sync::LazyLock;

/// The most blocks of one part. Each costs the reader behind us its tables, however little is in
/// it; programs that write workbooks put thousands of bytes into one.
const BLOCK_COUNT_MAX: usize = 65_536;
const CODE_LEN_MAX: usize = 15;
const END_OF_BLOCK: usize = 256;
/// Order in which the lengths of the length codes stand; section 3.2.7.
const LENGTH_CODE_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// Shortest copy of each length code from 257, and its extra bits; section 3.2.5.
const COPIES: [(u64, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
const DISTANCE_COUNT: usize = 30;

/// The length of the data when inflated; none when it is no deflated data, or longer than `max`, or
/// in more than [`BLOCK_COUNT_MAX`] blocks.
pub(super) fn inflated_len(data: &[u8], max: u64) -> Option<u64> {
    let mut bits = Bits { data, at: 0 };
    let mut length = 0;
    for _ in 0..BLOCK_COUNT_MAX {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => length += bits.stored()?,
            1 => length = block(&mut bits, &FIXED, length, max)?,
            2 => {
                let codes = Codes::read(&mut bits)?;
                length = block(&mut bits, &codes, length, max)?;
            }
            _ => return None,
        }
        if length > max {
            return None;
        }
        if is_last {
            return Some(length);
        }
    }
    None
}

fn block(bits: &mut Bits<'_>, codes: &Codes, from: u64, max: u64) -> Option<u64> {
    let mut length = from;
    loop {
        let symbol = codes.literals.next(bits)?;
        if symbol < END_OF_BLOCK {
            length += 1;
        } else if symbol == END_OF_BLOCK {
            return Some(length);
        } else {
            let (shortest, extra) = COPIES.get(symbol - END_OF_BLOCK - 1)?;
            length += shortest + u64::from(bits.take(*extra)?);
            let distance = codes.distances.next(bits).filter(|code| *code < DISTANCE_COUNT)?;
            // Two more bits of distance with every second code from 4 on.
            bits.take(u32::try_from((distance / 2).saturating_sub(1)).ok()?)?;
        }
        if length > max {
            return None;
        }
    }
}

/// Bits of the data, the lowest of each byte first.
struct Bits<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.data.get(self.at / 8)?;
        let bit = (byte >> (self.at % 8)) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, place| Some(value | (self.bit()? << place)))
    }

    /// Passes over a stored block.
    fn stored(&mut self) -> Option<u64> {
        self.at = self.at.div_ceil(8) * 8;
        let (length, check) = (self.take(16)?, self.take(16)?);
        if length ^ check != 0xFFFF {
            return None;
        }
        let length = usize::try_from(length).ok()?;
        self.at += length * 8;
        let is_there = self.at <= self.data.len() * 8;
        u64::try_from(length).ok().filter(|_| is_there)
    }
}

/// The codes of a block.
struct Codes {
    literals: Code,
    distances: Code,
}

/// The codes that need not be stated; section 3.2.6.
static FIXED: LazyLock<Codes> = LazyLock::new(Codes::fixed);

impl Codes {
    fn fixed() -> Self {
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        Self { literals: Code::new(&lengths), distances: Code::new(&[5; DISTANCE_COUNT]) }
    }

    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let mut count = |width, least| {
            usize::try_from(bits.take(width)?).ok().map(|count: usize| count + least)
        };
        let (literal_count, distance_count) = (count(5, 257)?, count(5, 1)?);
        let length_count = count(4, 4)?;
        let mut lengths = [0; 19];
        for place in LENGTH_CODE_ORDER.iter().take(length_count) {
            lengths[*place] = u8::try_from(bits.take(3)?).ok()?;
        }
        let lengths_code = Code::new(&lengths);
        let total = literal_count + distance_count;
        let mut lengths: Vec<u8> = Vec::with_capacity(total);
        while lengths.len() < total {
            let (length, times) = match lengths_code.next(bits)? {
                length @ 0..=15 => (u8::try_from(length).ok()?, 1),
                16 => (*lengths.last()?, bits.take(2)? + 3),
                17 => (0, bits.take(3)? + 3),
                _ => (0, bits.take(7)? + 11),
            };
            lengths.extend(std::iter::repeat_n(length, usize::try_from(times).ok()?));
        }
        let (literals, distances) = lengths.get(..total)?.split_at(literal_count);
        let is_exact = lengths.len() == total;
        is_exact.then(|| Self { literals: Code::new(literals), distances: Code::new(distances) })
    }
}

/// A canonical Huffman code: how many symbols have each length, and the symbols by length.
struct Code {
    counts: [usize; CODE_LEN_MAX + 1],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; CODE_LEN_MAX + 1];
        lengths.iter().for_each(|length| counts[usize::from(*length)] += 1);
        // A symbol of length zero has no code.
        counts[0] = 0;
        let mut next = [0; CODE_LEN_MAX + 1];
        for length in 1..=CODE_LEN_MAX {
            next[length] = next[length - 1] + counts[length - 1];
        }
        let mut symbols = vec![0; counts.iter().sum()];
        for (symbol, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let place = &mut next[usize::from(*length)];
            symbols[*place] = symbol;
            *place += 1;
        }
        Self { counts, symbols }
    }

    /// The symbol whose code comes next: among codes of one length, symbols ascend.
    fn next(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= usize::try_from(bits.bit()?).ok()?;
            if let Some(place) = code.checked_sub(first).filter(|place| place < count) {
                return self.symbols.get(index + place).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Deflated by Python: `zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)`.
    /// `b"cauce"` at level 0.
    const STORED: &str = "010500faff6361756365";
    /// `b"cauce " * 50` with the strategy `Z_FIXED`.
    const FIXED_CODES: &str = "4b4e2c4d4e55481e25892001";
    /// Sixty cells of a sheet, 1662 bytes, at level 9.
    const DYNAMIC: &str = "65d4bb6d03410c84e1560c1530e673970b9c05b81677e040f51b10090773f144fcf6bfbb7e3e7ebf\
         1edff2785eafa740e4fa7c3dafcf9fe7d583be07df10a5c5decb0e88d1e2ef4555214e53f4140509\
         9ab2a74a48d2b4de939941164dbba73c904d53f57416a4683a7d953be4f0c132170bf486d11a211b\
         ca1cda1e110165106d912885b28836496a419944db2433a16ca28d92c7a08ca2adb2ec4059459b65\
         ad0565166d972d0e651793796f81b18bb5cbde1b76cba45d4a03c62ed62e950a63176b97aa82b18b\
         b5cbb184b18bb5cb590663176b97730e8c5dac5d7cc198c586c561ace232ad0b9c555c27f60d6715\
         b7a93de0b7cfc7277785b38ac7f45e7056f19ce013ce2abea67883b38aefb9fcc059c56b8a5f7066\
         f133c53b9c5d42a67841b04be814bf11ec1236c507825dc2a77845dcfe2b31c517825d22a7f844b0\
         4bac29de10ec127b9efd20d8256a8a5f08768933c53b825d52a67841b24bea14bf91ec9236c50792\
         5dd2a77845b24bc6145fc8db0fb75d3c91cc92c3624856c95651394856c99ae2179255f24cf18efc\
         57f903";
    /// A hundred thousand zeros at level 9.
    const ZEROS: &str = "edc13101000000c2a0f54f6d0d0fa000000000000000000000000000000000000000000000000000\
         00000000000000000000000000000000000000000000000000000000000000000000000000000000\
         00000000000000000000000000000000000000000000000000000000000000805703";

    fn length(hexadecimal: &str, max: u64) -> Option<u64> {
        inflated_len(&hex::decode(hexadecimal).expect("hexadecimal"), max)
    }

    #[test]
    fn lengths_are_those_of_what_was_deflated() {
        for (deflated, expect) in
            [(STORED, 5), (FIXED_CODES, 300), (DYNAMIC, 1662), (ZEROS, 100_000)]
        {
            assert_eq!(length(deflated, 1 << 20), Some(expect));
            assert_eq!(length(deflated, expect), Some(expect));
            assert_eq!(length(deflated, expect - 1), None, "more than asked for");
            let bytes = deflated.len() / 2;
            for end in 0..bytes {
                assert_eq!(length(&deflated[..2 * end], 1 << 20), None, "cut at {end}");
            }
        }
    }

    #[test]
    fn a_part_of_more_blocks_than_any_program_makes_has_no_length() {
        // Empty stored blocks, byte-aligned: RFC 1951, 3.2.4.
        let blocks = |count: usize| {
            let mut data = [0, 0, 0, 0xFF, 0xFF].repeat(count);
            data[5 * (count - 1)] = 1;
            data
        };
        assert_eq!(inflated_len(&blocks(BLOCK_COUNT_MAX), 10), Some(0));
        assert_eq!(inflated_len(&blocks(BLOCK_COUNT_MAX + 1), 10), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_length_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let length = inflated_len(&bytes, 10_000);
            prop_assert!(length.is_none_or(|length| length <= 10_000));
        }
    }
}
