//! What stands in front of the fields: header, MTI and bitmaps.

use super::present::Present;
use crate::error::{DecodeError, ErrorKind, HEADER};
use crate::iso8583::content::{self, Content};
use crate::iso8583::spec::{BitmapEncoding, Bitmaps, MtiEncoding, Spec, ThirdBitmap};
use crate::iso8583::{BITMAP, MTI};

use super::{BITMAP_BIT, MESSAGE_LEN_MAX, MTI_LEN};

impl Spec {
    /// Bytes of header, MTI and a number of bitmaps.
    #[inline]
    pub(in crate::iso8583) fn head_len(&self, maps: usize) -> usize {
        usize::from(self.header_len) + self.mti.width() + maps * self.bitmap.width(8)
    }

    /// Header, MTI and bitmaps: the fields there are, and where they begin.
    #[inline]
    pub(super) fn head(
        &self,
        bytes: &[u8],
        mti: &mut [u8; MTI_LEN],
    ) -> Result<(Present, usize), DecodeError> {
        let header_len = usize::from(self.header_len);
        if bytes.len() > MESSAGE_LEN_MAX {
            return Err(ErrorKind::TooLong.at(MTI, 0, MESSAGE_LEN_MAX, bytes.len()));
        }
        if bytes.len() < header_len {
            return Err(ErrorKind::ShortData.at(HEADER, 0, header_len, bytes.len()));
        }
        *mti = self.read_mti(bytes, header_len)?;
        let mut at = header_len + self.mti.width();
        let mut present = Present::default();
        let mut map = |word: usize, at: &mut usize| -> Result<u64, DecodeError> {
            let bits = self.bitmap.read_word(bytes, *at)?;
            present.0[word] = bits;
            *at += self.bitmap.width(8);
            Ok(bits)
        };
        let first = map(0, &mut at)?;
        let has_second = match self.bitmaps {
            Bitmaps::Single if first >> 63 != 0 => {
                let at = at - self.bitmap.width(8);
                return Err(ErrorKind::BadBitmap.at(BITMAP, at, 0, 0));
            }
            Bitmaps::Single => false,
            Bitmaps::Auto => first >> 63 != 0,
            Bitmaps::Always128 => true,
        };
        if has_second && map(1, &mut at)? >> 63 != 0 && self.third == ThirdBitmap::Contiguous {
            map(2, &mut at)?;
        }
        present.0[0] &= !BITMAP_BIT;
        if self.third == ThirdBitmap::Contiguous {
            present.0[1] &= !BITMAP_BIT;
        }
        Ok((present, at))
    }
}

impl Spec {
    /// The MTI's characters.
    #[inline]
    fn read_mti(&self, bytes: &[u8], at: usize) -> Result<[u8; MTI_LEN], DecodeError> {
        let width = self.mti.width();
        let Some(wire) = bytes.get(at..at + width) else {
            return Err(ErrorKind::ShortData.at(MTI, at, width, bytes.len() - at));
        };
        let mti = self.mti.decode(wire);
        if self.mti_content == Content::Any || content::all_digits(&mti) {
            return Ok(mti);
        }
        let position = mti.iter().position(|digit| !digit.is_ascii_digit()).unwrap_or(0);
        Err(ErrorKind::BadContent.at(MTI, at + position * width / MTI_LEN, 0, 0))
    }
}

impl MtiEncoding {
    #[inline]
    fn decode(self, wire: &[u8]) -> [u8; MTI_LEN] {
        let mut mti = [b'0'; MTI_LEN];
        match self {
            Self::Ascii => mti.copy_from_slice(wire),
            Self::Ebcdic(page) => {
                mti.iter_mut().zip(wire).for_each(|(to, from)| *to = page.decode(*from));
            }
            Self::Bcd => {
                let nibbles = wire.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
                mti.iter_mut().zip(nibbles).for_each(|(to, nibble)| {
                    *to = content::HEX_DIGITS[usize::from(nibble)];
                });
            }
        }
        mti
    }
}

impl BitmapEncoding {
    /// One bitmap of eight bytes.
    #[inline]
    pub(in crate::iso8583) fn read_word(self, bytes: &[u8], at: usize) -> Result<u64, DecodeError> {
        let rest = bytes.get(at..).unwrap_or_default();
        if let (Self::Binary, Some(raw)) = (self, rest.first_chunk()) {
            return Ok(u64::from_be_bytes(*raw));
        }
        if let (Self::Hex, Some([high, low])) = (self, rest.as_chunks::<8>().0.first_chunk()) {
            let words = content::hex_word(*high).zip(content::hex_word(*low));
            let (high, low) = words.ok_or(ErrorKind::BadBitmap.at(BITMAP, at, 0, 0))?;
            return Ok(u64::from(high) << 32 | u64::from(low));
        }
        let mut map = [0; 16];
        self.read(bytes, at, 8, &mut map)?;
        let word = map.first_chunk().copied().unwrap_or_default();
        Ok(u64::from_be_bytes(word))
    }

    /// A bitmap of `len` bytes, at most 16.
    pub(in crate::iso8583) fn read(
        self,
        bytes: &[u8],
        at: usize,
        len: usize,
        map: &mut [u8; 16],
    ) -> Result<(), DecodeError> {
        let width = self.width(len);
        let have = bytes.len().saturating_sub(at);
        let Some(text) = bytes.get(at..at + width) else {
            return Err(ErrorKind::ShortData.at(BITMAP, at, width, have));
        };
        let bad = || ErrorKind::BadBitmap.at(BITMAP, at, 0, 0);
        match self {
            Self::Binary => map[..len].copy_from_slice(text),
            Self::Hex | Self::EbcdicHex(_) => {
                for (slot, pair) in map.iter_mut().zip(text.chunks_exact(2)) {
                    let value = |byte: u8| match self {
                        Self::EbcdicHex(page) => content::hex_value(page.decode(byte)),
                        Self::Hex | Self::Binary => content::hex_value(byte),
                    };
                    let [high, low] = [pair[0], pair[1]].map(value);
                    *slot = high.ok_or_else(bad)? << 4 | low.ok_or_else(bad)?;
                }
            }
        }
        Ok(())
    }
}
