//! Rows of payments that are not in tables yet. The journal has all they tell, so they are in memory
//! alone; a start makes those anew that were lost.

use std::sync::Arc;

use router::id::PaymentId;

use super::runs::Runs;
use crate::view::keys::{self, BillerKey, NameKey, TraceKey};
use crate::view::{Facts, Positions, Rows, ViewPosition};

/// The rows of some payments, and of where the journal's frames begin.
#[derive(Debug, Default)]
pub(super) struct RecentRows {
    pub by_id: Runs<[u8; 16], Positions>,
    pub by_folio: Runs<[u8; 8], [u8; 16]>,
    pub by_trace: Runs<TraceKey, ()>,
    pub by_name: Runs<NameKey, ()>,
    pub by_biller: Runs<BillerKey, ()>,
    /// By the first record of a frame: its offset.
    pub places: Runs<[u8; 8], u64>,
    /// Rows by id that were added.
    pub payments: usize,
    /// Everything up to here is in these rows or in the tables.
    pub position: ViewPosition,
}

/// Rows being gathered, and those that are on their way into tables.
#[derive(Debug, Default)]
pub(super) struct Recent {
    pub gathered: RecentRows,
    pub sealing: Option<Arc<RecentRows>>,
}

impl Recent {
    /// The newest first.
    pub fn all(&self) -> impl Iterator<Item = &RecentRows> {
        std::iter::once(&self.gathered).chain(self.sealing.as_deref())
    }

    /// Sets the gathered rows apart; readers find them until they are in tables.
    pub fn seal(&mut self) -> Arc<RecentRows> {
        let position = self.gathered.position;
        let fresh = RecentRows { position, ..RecentRows::default() };
        let sealing = Arc::new(std::mem::replace(&mut self.gathered, fresh));
        self.sealing = Some(Arc::clone(&sealing));
        sealing
    }
}

impl RecentRows {
    /// Takes what rows say of payments.
    pub fn take(&mut self, rows: &mut Rows, position: ViewPosition) {
        let id = |id: PaymentId| id.0.to_be_bytes();
        let positions = std::mem::take(&mut rows.positions);
        let of_histories = std::mem::take(&mut rows.histories);
        let of_histories =
            of_histories.into_iter().map(|(payment, history)| (payment, history.positions()));
        let by_id = positions.into_iter().chain(of_histories);
        let by_id: Vec<_> = by_id.map(|(payment, positions)| (id(payment), positions)).collect();
        self.payments += by_id.len();
        self.by_id.push(by_id);
        self.take_pointers(&std::mem::take(&mut rows.pointers));
        let places = std::mem::take(&mut rows.places).into_iter();
        let place = |(sequence, offset): (u64, u64)| (sequence.to_be_bytes(), offset);
        self.places.push(places.map(place).collect());
        self.position = position;
    }

    fn take_pointers(&mut self, pointers: &[(PaymentId, Facts)]) {
        let (mut folios, mut traces) = (Vec::with_capacity(pointers.len()), Vec::new());
        let (mut names, mut billers) = (Vec::new(), Vec::new());
        for (payment, facts) in pointers {
            folios.push((facts.folio.number().to_be_bytes(), payment.0.to_be_bytes()));
            let trace = facts.trace.as_ref();
            traces.extend(trace.map(|name| (keys::trace_key(name, *payment), ())));
            names.extend(facts.names().map(|name| (keys::name_key(&name, *payment), ())));
            let biller = facts.biller.as_ref();
            let key = |biller| (keys::biller_key(biller, facts.date, *payment), ());
            billers.extend(biller.map(key));
        }
        self.by_folio.push(folios);
        self.by_trace.push(traces);
        self.by_name.push(names);
        self.by_biller.push(billers);
    }
}
