//! A text as a QR symbol: its modules, an SVG, a PNG. Black on white, with the quiet zone.

use fast_qr::ECL;
use fast_qr::QRBuilder;

/// The white margin, in modules, that ISO/IEC 18004 demands on each side.
pub const QUIET_ZONE: usize = 4;
/// The largest module, in pixels: the largest symbol then has 3700 pixels a side, 1.7 MB of bits.
pub const MODULE_PIXELS_MAX: usize = 20;

/// How much of a symbol may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCorrection {
    /// L: 7 %.
    Low,
    /// M: 15 %.
    Medium,
    /// Q: 25 %.
    Quartile,
    /// H: 30 %.
    High,
}

/// Why there is no symbol, or no picture of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// No symbol of that error correction holds the content.
    #[error("content of {have} bytes is too long for a qr code, at most {max}")]
    TooLong {
        /// Its length.
        have: usize,
        /// The most there is room for.
        max: usize,
    },
    /// There is nothing to be read.
    #[error("a qr code cannot be empty")]
    Empty,
    /// The module is too small or too large.
    #[error("a module has 1 to {MODULE_PIXELS_MAX} pixels, not {have}")]
    ModulePixels {
        /// What was asked for.
        have: usize,
    },
}

/// A symbol, without its quiet zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    width: usize,
    dark: Vec<bool>,
}

impl ErrorCorrection {
    /// Bytes that a symbol of version 40 holds.
    ///
    /// Source: ISO/IEC 18004, table 7.
    pub fn content_len_max(self) -> usize {
        match self {
            Self::Low => 2953,
            Self::Medium => 2331,
            Self::Quartile => 1663,
            Self::High => 1273,
        }
    }

    fn level(self) -> ECL {
        match self {
            Self::Low => ECL::L,
            Self::Medium => ECL::M,
            Self::Quartile => ECL::Q,
            Self::High => ECL::H,
        }
    }
}

impl Symbol {
    /// Encodes bytes in the smallest version that holds them.
    ///
    /// Byte mode throughout: a reader gives back exactly what went in.
    ///
    /// Errors: `Empty`, `TooLong`.
    pub fn encode(content: &[u8], correction: ErrorCorrection) -> Result<Self, SymbolError> {
        let (have, max) = (content.len(), correction.content_len_max());
        let too_long = SymbolError::TooLong { have, max };
        if have == 0 {
            return Err(SymbolError::Empty);
        }
        if have > max {
            return Err(too_long);
        }
        let mut builder = QRBuilder::new(content);
        builder.mode(fast_qr::Mode::Byte).ecl(correction.level());
        let code = builder.build().map_err(|_| too_long)?;
        let modules = code.data.iter().take(code.size * code.size);
        Ok(Self { width: code.size, dark: modules.map(|module| module.value()).collect() })
    }

    /// Modules on each side, 21 to 177.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows from the top; dark modules are `true`.
    pub fn rows(&self) -> impl Iterator<Item = &[bool]> {
        self.dark.chunks_exact(self.width)
    }

    /// An SVG of one black path on white, one unit a module, to be scaled as wanted.
    pub fn to_svg(&self) -> String {
        let side = self.width + 2 * QUIET_ZONE;
        let mut path = String::new();
        for (y, row) in self.rows().enumerate() {
            for (x, length) in dark_runs(row) {
                let (x, y) = (x + QUIET_ZONE, y + QUIET_ZONE);
                path.push_str(&format!("M{x} {y}h{length}v1h-{length}z"));
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"/>\
             <path fill=\"#000\" d=\"{path}\"/></svg>"
        )
    }

    /// A PNG of one bit a pixel.
    ///
    /// Units:  `module_pixels` is the side of a module, 1..=[`MODULE_PIXELS_MAX`].
    /// Errors: `ModulePixels`.
    pub fn to_png(&self, module_pixels: usize) -> Result<Vec<u8>, SymbolError> {
        if !(1..=MODULE_PIXELS_MAX).contains(&module_pixels) {
            return Err(SymbolError::ModulePixels { have: module_pixels });
        }
        let side = (self.width + 2 * QUIET_ZONE) * module_pixels;
        let side_u32 = u32::try_from(side).expect("invariant: at most 185 modules of 20 pixels");
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, side_u32, side_u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let written = encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&self.pixels(module_pixels)));
        written.expect("invariant: writing to memory does not fail");
        Ok(out)
    }

    /// One bit a pixel, 1 is white, each row filled up to whole bytes.
    fn pixels(&self, module_pixels: usize) -> Vec<u8> {
        let side = (self.width + 2 * QUIET_ZONE) * module_pixels;
        let white = vec![0xFF; side.div_ceil(8)];
        let margin = || std::iter::repeat_n(white.as_slice(), QUIET_ZONE * module_pixels);
        let mut pixels = Vec::with_capacity(white.len() * side);
        margin().for_each(|row| pixels.extend_from_slice(row));
        for modules in self.rows() {
            let mut row = white.clone();
            for (x, _) in modules.iter().enumerate().filter(|(_, dark)| **dark) {
                let from = (x + QUIET_ZONE) * module_pixels;
                for pixel in from..from + module_pixels {
                    row[pixel / 8] &= !(0x80 >> (pixel % 8));
                }
            }
            std::iter::repeat_n(&row, module_pixels).for_each(|row| pixels.extend_from_slice(row));
        }
        margin().for_each(|row| pixels.extend_from_slice(row));
        pixels
    }
}

/// Stretches of dark modules: where they begin, and how long they are.
fn dark_runs(row: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (x, _) in row.iter().enumerate().filter(|(_, dark)| **dark) {
        match runs.last_mut() {
            Some((from, length)) if *from + *length == x => *length += 1,
            _ => runs.push((x, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_holds_as_much_as_the_standard_says_and_no_byte_more() {
        for correction in [
            ErrorCorrection::Low,
            ErrorCorrection::Medium,
            ErrorCorrection::Quartile,
            ErrorCorrection::High,
        ] {
            let max = correction.content_len_max();
            let full = Symbol::encode(&vec![b'a'; max], correction).expect("room");
            assert_eq!(full.width(), 177);
            let over = Symbol::encode(&vec![b'a'; max + 1], correction);
            assert_eq!(over, Err(SymbolError::TooLong { have: max + 1, max }));
        }
        assert_eq!(Symbol::encode(b"", ErrorCorrection::Low), Err(SymbolError::Empty));
    }

    #[test]
    fn a_module_has_a_sane_size() {
        let symbol = Symbol::encode(b"a", ErrorCorrection::Medium).expect("a symbol");
        assert_eq!(symbol.to_png(0), Err(SymbolError::ModulePixels { have: 0 }));
        assert_eq!(symbol.to_png(21), Err(SymbolError::ModulePixels { have: 21 }));
    }

    #[test]
    fn dark_modules_run_together() {
        assert_eq!(dark_runs(&[true, true, false, true]), [(0, 2), (3, 1)]);
        assert_eq!(dark_runs(&[false]), []);
    }
}
