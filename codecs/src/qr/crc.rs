//! The checksum at the end of a merchant code: CRC-16/CCITT-FALSE (CRC-16/IBM-3740).

/// Computes the checksum of the bytes up to and including `6304`.
///
/// Source: EMV QRCPS-MPM 4.7.3: polynomial 1021, initial value FFFF, nothing reflected.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue_comes_out() {
        // Catalogue of parametrised CRC algorithms, CRC-16/IBM-3740: check 0x29b1.
        assert_eq!(crc16(b"123456789"), 0x29B1);
    }
}
