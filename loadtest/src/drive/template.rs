//! The 0200 of a run, encoded once; each request is a copy with a few digits changed in place.

use std::ops::Range;

use crate::simulator::acquirer::{Fields, numeric, private_data};
use crate::wire::{self, Index, PREFIX_LEN, WireError};
use crate::workload::{Planned, Workload, check_digit};

const CLIENT_DIGITS: usize = 12;
const BIN_DIGITS: usize = 6;

/// The frame of one kind of request.
#[derive(Debug, Clone)]
pub(super) struct Template {
    frame: Vec<u8>,
    card: Range<usize>,
    amount: Range<usize>,
    transmitted_at: Range<usize>,
    stan: Range<usize>,
    local_time: Range<usize>,
    local_date: Range<usize>,
    rrn: Range<usize>,
    client: Option<Range<usize>>,
}

/// What differs from one request to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub payment: Planned,
    pub stan: u32,
    pub transmitted_at: [u8; 10],
    pub rrn: u64,
}

impl Template {
    /// The template of a run.
    ///
    /// Errors: [`WireError::ValueLength`] when a setting does not fit its field.
    pub(super) fn new(workload: &Workload, acquirer_id: &str) -> Result<Self, WireError> {
        let mut fields = Fields::new()
            .with(2, format!("{:0<16}", workload.bin))
            .with(3, workload.processing_code.as_str())
            .with(4, vec![b'0'; 12])
            .with(7, vec![b'0'; 10])
            .with(11, vec![b'0'; 6])
            .with(12, vec![b'0'; 6])
            .with(13, vec![b'0'; 4])
            .with(14, "3012")
            .with(18, "6012")
            .with(22, "010")
            .with(25, "00")
            .with(32, acquirer_id)
            .with(37, vec![b'0'; 12])
            .with(41, "LOAD0001")
            .with(42, "CAUCE-LOAD     ")
            .with(49, numeric(workload.currency));
        if let Some(biller) = &workload.biller {
            let client = "0".repeat(CLIENT_DIGITS);
            fields.set(48, private_data(&[("01", biller.clone()), ("02", client)]));
        }
        let mut frame = Vec::new();
        wire::encode(&mut frame, *b"0200", fields.iter())?;
        let mut index = Index::new();
        index.read(&frame[PREFIX_LEN..])?;
        let at = |field| {
            let range = index.range(field).expect("invariant: the template has its fields");
            range.start + PREFIX_LEN..range.end + PREFIX_LEN
        };
        let client = workload.biller.as_ref().map(|_| at(48).end - CLIENT_DIGITS..at(48).end);
        Ok(Self {
            card: at(2),
            amount: at(4),
            transmitted_at: at(7),
            stan: at(11),
            local_time: at(12),
            local_date: at(13),
            rrn: at(37),
            client,
            frame,
        })
    }

    /// Appends the request (0200).
    pub(super) fn write(&self, out: &mut Vec<u8>, stamp: &Stamp) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let frame = &mut out[start..];
        frame[self.transmitted_at.clone()].copy_from_slice(&stamp.transmitted_at);
        frame[self.local_date.clone()].copy_from_slice(&stamp.transmitted_at[..4]);
        frame[self.local_time.clone()].copy_from_slice(&stamp.transmitted_at[4..]);
        wire::put_number(&mut frame[self.stan.clone()], u64::from(stamp.stan));
        wire::put_number(&mut frame[self.rrn.clone()], stamp.rrn);
        wire::put_number(&mut frame[self.amount.clone()], stamp.payment.amount_minor);
        if let Some(client) = self.client.clone() {
            wire::put_number(&mut frame[client], stamp.payment.client);
        }
        let card = &mut frame[self.card.clone()];
        let check_at = card.len() - 1;
        wire::put_number(&mut card[BIN_DIGITS..check_at], stamp.payment.card);
        card[check_at] = check_digit(&card[..check_at]);
    }

    /// Appends the same request as a repeat (0201).
    pub(super) fn write_repeat(&self, out: &mut Vec<u8>, stamp: &Stamp) {
        let start = out.len();
        self.write(out, stamp);
        out[start + PREFIX_LEN + 3] = b'1';
    }
}
