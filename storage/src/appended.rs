//! What is told of a record that was appended.

use router::payment::Effects;
use router::reservation::Settle;

use crate::packing::{Reader, put_option, put_u64};
use crate::record::{DecodeError, notice_type, put_notice_type};

/// A durable record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its position.
    pub sequence: u64,
    /// What it does beyond changing the payment.
    pub effects: Effects,
}

impl Appended {
    /// As one node answers it to another.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Effects { settle, notice, owes_reversal } = self.effects;
        let mut out = Vec::with_capacity(12);
        put_u64(self.sequence, &mut out);
        put_option(settle.as_ref(), &mut out, |settle, out| {
            out.push(match settle {
                Settle::Post => 1,
                Settle::Release => 2,
                Settle::Undo => 3,
            });
        });
        put_option(notice.as_ref(), &mut out, |kind, out| put_notice_type(*kind, out));
        out.push(u8::from(owes_reversal));
        out
    }

    /// Reads that answer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let sequence = reader.u64()?;
        let settle = reader.option(|reader| {
            let at = reader.at();
            match reader.u8()? {
                1 => Ok(Settle::Post),
                2 => Ok(Settle::Release),
                3 => Ok(Settle::Undo),
                _ => Err(DecodeError::Value { field: "settlement", at }),
            }
        })?;
        let notice = reader.option(notice_type)?;
        let owes_reversal = reader.u8()? != 0;
        reader.finish()?;
        Ok(Self { sequence, effects: Effects { settle, notice, owes_reversal } })
    }
}

#[cfg(test)]
mod tests {
    use router::notice::NoticeType;

    use super::*;

    #[test]
    fn what_one_node_answers_another_reads_back() {
        for effects in [
            Effects::default(),
            Effects {
                settle: Some(Settle::Undo),
                notice: Some(NoticeType::PaymentApproved),
                owes_reversal: true,
            },
        ] {
            let appended = Appended { sequence: 7 << 48 | 12, effects };
            assert_eq!(Appended::from_bytes(&appended.to_bytes()), Ok(appended));
        }
        assert!(Appended::from_bytes(&[1, 2, 3]).is_err());
    }
}
