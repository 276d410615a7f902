//! The reading side of the handle. Every call here is cancel-safe.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use router::id::{AccountId, BillerId, Folio, ParticipantId, PaymentId, Stan};
use router::money::Currency;
use router::payment::Payment;
use router::text::Text;
use router::time::{Date, Timestamp};
use tokio::sync::{oneshot, watch};

use super::elsewhere::{LOOK_AGAIN, UNSEEN_MAX};
use super::{Balance, Page, Store, StoreError};
use crate::guard::Sought;
use crate::history::History;
use crate::live::{WAITERS_MAX, Wait};
use crate::view::{NamedBy, TraceName, Views};
use crate::writer::Command;

/// Waits for the outcome of a payment under way.
pub struct OutcomeWait {
    store: Store,
    payment: PaymentId,
    outcome: Option<oneshot::Receiver<()>>,
}

impl OutcomeWait {
    pub(super) fn new(
        store: Store,
        payment: PaymentId,
        outcome: Option<oneshot::Receiver<()>>,
    ) -> Self {
        Self { store, payment, outcome }
    }

    /// The payment it waits for.
    pub fn payment(&self) -> PaymentId {
        self.payment
    }

    /// Waits until the payment has an outcome and gives it. Bound it by your own deadline.
    pub async fn outcome(self) -> Result<Payment, StoreError> {
        match self.outcome {
            Some(outcome) => outcome.await.map_err(|_| self.store.gone())?,
            None if self.store.is_elsewhere(self.payment) => {
                return self.store.outcome_elsewhere(self.payment).await;
            }
            None => {}
        }
        self.store.known(self.payment).await
    }
}

impl std::fmt::Debug for OutcomeWait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OutcomeWait({})", self.payment)
    }
}

impl Store {
    /// A payment.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        let held = if self.is_elsewhere(id) { self.held(id.lane()) } else { None };
        let live = &held.as_ref().unwrap_or(self).inner.shared.live;
        if let Some(history) = live.history(id) {
            return folded(&history).map(Some);
        }
        let views = Arc::clone(&self.inner.views);
        self.looked_up(move || views.history(id)?.map(|history| folded(&history)).transpose()).await
    }

    /// When the last record was made that is no longer kept; none where all are.
    pub fn removed_until(&self) -> Option<Timestamp> {
        self.inner.views.removed_until()
    }

    /// The payment of a folio.
    pub async fn payment_by_folio(&self, folio: Folio) -> Result<Option<Payment>, StoreError> {
        let found = self.look_twice(move |views| Ok(views.id_of_folio(folio)?)).await?;
        self.resolve(found).await
    }

    /// The payment of a folio, if it can be seen now.
    pub async fn payment_of_folio_now(&self, folio: Folio) -> Result<Option<Payment>, StoreError> {
        self.catch_up().await?;
        let views = Arc::clone(&self.inner.views);
        let found = self.blocking(move || Ok(views.id_of_folio(folio)?)).await?;
        self.resolve(found).await
    }

    /// The payment that a request asked for before, while its key is remembered; `trace` as the
    /// request has it.
    pub async fn payment_by_key(
        &self,
        sought: impl Into<Sought>,
        trace: Option<TraceName>,
    ) -> Result<Option<Payment>, StoreError> {
        let (sought, (answer, found)) = (sought.into(), oneshot::channel());
        let key = sought.key;
        self.send(Command::FindKey { sought, answer }).await?;
        let found = match self.answered(found).await {
            // Where the guard cannot be asked, the read models may know the key.
            Err(StoreError::Guard(error)) => {
                let views = Arc::clone(&self.inner.views);
                let found =
                    self.looked_up(move || Ok(views.id_of_key(key, trace.as_ref())?)).await?;
                let (owner, _) = found.ok_or(StoreError::Guard(error))?;
                Some(owner)
            }
            found => found?,
        };
        self.resolve(found).await
    }

    /// The latest payment that a participant asked for by this trace at this terminal (DE41).
    pub async fn payment_of_terminal(
        &self,
        originator: ParticipantId,
        stan: Stan,
        transmitted_at: Text<10>,
        terminal: &Text<8>,
    ) -> Result<Option<Payment>, StoreError> {
        let name = TraceName { originator, stan, transmitted_at, terminal: *terminal };
        // A trace may be used again after a year: only the latest row will do.
        self.catch_up().await?;
        let found = self.look_twice(move |views| Ok(views.id_of_trace(&name)?)).await?;
        self.resolve(found).await
    }

    /// Payments that a name leads to, the newest first: those that began after an instant, and at
    /// most `limit`. Everything that is durable is looked at.
    pub async fn payments_named(
        &self,
        name: NamedBy,
        within: RangeInclusive<Timestamp>,
        limit: usize,
    ) -> Result<Vec<Payment>, StoreError> {
        self.catch_up().await?;
        let views = Arc::clone(&self.inner.views);
        let ids = self.blocking(move || Ok(views.ids_of_name(&name, within, limit)?)).await?;
        let mut payments = Vec::with_capacity(ids.len());
        for id in ids {
            payments.extend(self.resolve(Some(id)).await?);
        }
        Ok(payments)
    }

    /// Waits until everything queued here before is durable, and the read models hold it.
    pub async fn settled(&self) -> Result<(), StoreError> {
        self.barrier().await?;
        self.catch_up().await
    }

    /// Pauses between looks for what another node may have taken and not shown yet; none where
    /// there is no other node.
    pub fn pauses_between_looks(&self) -> impl Iterator<Item = Duration> + use<> {
        let looks = UNSEEN_MAX.as_millis() / LOOK_AGAIN.as_millis();
        let looks = usize::try_from(looks).unwrap_or(usize::MAX);
        std::iter::repeat_n(LOOK_AGAIN, if self.has_others() { looks } else { 0 })
    }

    /// Payments of a biller's day, in the order of their ids, after `after`.
    pub async fn payments_of_biller(
        &self,
        biller: BillerId,
        date: Date,
        after: Option<PaymentId>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.catch_up().await?;
        // Few at once, and each in one piece: a list is a hundred times the work of a look-up.
        let turn = self.inner.lists.acquire().await;
        let store = self.clone();
        let page = self.blocking(move || store.page_of_biller(biller, date, after, limit)).await;
        drop(turn);
        page
    }

    fn page_of_biller(
        &self,
        biller: BillerId,
        date: Date,
        after: Option<PaymentId>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let views = &self.inner.views;
        let ids = views.ids_of_biller(&biller, date, after, limit)?;
        let next = ids.last().copied().filter(|_| ids.len() == limit);
        let mut payments = Vec::with_capacity(ids.len());
        for id in ids {
            let held = if self.is_elsewhere(id) { self.held(id.lane()) } else { None };
            let live = held.as_ref().unwrap_or(self).inner.shared.live.history(id);
            let history = live.map_or_else(|| views.history(id), |history| Ok(Some(history)))?;
            match history {
                Some(history) => payments.push(folded(&history)?),
                // Its records were removed since its row was read.
                None if views.removed_until().is_some() => {}
                None => return Err(StoreError::UnknownPayment(id)),
            }
        }
        Ok(Page { payments, next })
    }

    /// Payments that are unknown or being reversed, in all lanes that this node holds: the
    /// participant each was sent to, and its id. Reads memory alone, a few dozen bytes a payment.
    pub async fn owed_payments(&self) -> Result<Vec<(ParticipantId, PaymentId)>, StoreError> {
        let stores: Vec<Self> = self.all_here().collect();
        let owed = move || stores.iter().flat_map(|store| store.inner.shared.live.owed()).collect();
        self.blocking(move || Ok(owed())).await
    }

    /// Payments in all lanes that this node holds that are being confirmed or refunded, by whichever
    /// node. Reads memory alone.
    pub fn confirming_or_refunding(&self) -> Vec<PaymentId> {
        let live = |store: Self| store.inner.shared.live.confirming_or_refunding();
        self.all_here().flat_map(live).collect()
    }

    /// The participant that a payment must be undone at; none when nothing is owed, or another
    /// node holds its lane.
    pub fn owed_by(&self, id: PaymentId) -> Option<ParticipantId> {
        self.all_here().find_map(|store| store.inner.shared.live.owed_by(id))
    }

    fn all_here(&self) -> impl Iterator<Item = Self> {
        let held = self.inner.others.get().map(|others| others.all_held()).unwrap_or_default();
        std::iter::once(self.clone()).chain(held)
    }

    /// Payments that something is still to come of, in all lanes that this node holds.
    pub async fn open_payments(&self) -> Result<Vec<Payment>, StoreError> {
        let stores: Vec<Self> = self.all_here().collect();
        self.blocking(move || {
            let open = stores.iter().flat_map(|store| store.inner.shared.live.open());
            open.map(|history| folded(&history)).collect()
        })
        .await
    }

    /// The end of the first wait among the payments of this store's own lane that wait, as it
    /// changes; none in it while no payment waits.
    pub fn first_wait_end(&self) -> watch::Receiver<Option<Timestamp>> {
        self.inner.shared.live.waits().first_end()
    }

    /// Payments of this store's own lane whose waits are over at an instant, by the ends of their
    /// waits, at most `limit`. Reads memory alone.
    pub fn waits_over_at(&self, now: Timestamp, limit: usize) -> Vec<PaymentId> {
        self.inner.shared.live.waits().over_at(now, limit)
    }

    /// Whether a movement or a granted hold ever named an account in a currency.
    pub async fn account_is_known(
        &self,
        account: AccountId,
        currency: Currency,
    ) -> Result<bool, StoreError> {
        Ok(self.balance_of(account, currency).await?.is_some())
    }

    /// What an account has in a currency; zero for one that is not known.
    pub async fn account_balance(
        &self,
        account: AccountId,
        currency: Currency,
    ) -> Result<Balance, StoreError> {
        Ok(self.balance_of(account, currency).await?.unwrap_or_default())
    }

    async fn balance_of(
        &self,
        account: AccountId,
        currency: Currency,
    ) -> Result<Option<Balance>, StoreError> {
        let (answer, balance) = oneshot::channel();
        self.send(Command::Balance { account, currency, answer }).await?;
        self.answered(balance).await
    }

    /// Waits for the outcome of a payment; over at once when it has one or is not known.
    pub fn outcome_of(&self, payment: PaymentId) -> Result<OutcomeWait, StoreError> {
        let outcome = match self.inner.shared.live.wait(payment) {
            Wait::Over => None,
            Wait::Until(outcome) => Some(outcome),
            Wait::Full => return Err(StoreError::TooManyWaiters { payment, max: WAITERS_MAX }),
        };
        Ok(OutcomeWait::new(self.clone(), payment, outcome))
    }

    /// A payment that must be there.
    pub(super) async fn known(&self, id: PaymentId) -> Result<Payment, StoreError> {
        self.payment(id).await?.ok_or(StoreError::UnknownPayment(id))
    }

    async fn resolve(&self, id: Option<PaymentId>) -> Result<Option<Payment>, StoreError> {
        match id {
            // A row may lead to records that were removed.
            Some(id) if self.removed_until().is_some() => self.payment(id).await,
            Some(id) => self.known(id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Looks in the read models; before it finds nothing, everything queued so far is made
    /// durable and written there. A reversal must not overtake the payment it names.
    async fn look_twice(
        &self,
        look: impl Fn(&dyn Views) -> Result<Option<PaymentId>, StoreError> + Copy + Send + 'static,
    ) -> Result<Option<PaymentId>, StoreError> {
        let views = Arc::clone(&self.inner.views);
        let found = self.looked_up(move || look(&*views)).await?;
        if found.is_some() {
            return Ok(found);
        }
        self.barrier().await?;
        self.catch_up().await?;
        let mut waited = Duration::ZERO;
        loop {
            let views = Arc::clone(&self.inner.views);
            let found = self.looked_up(move || look(&*views)).await?;
            if found.is_some() || !self.has_others() || waited >= UNSEEN_MAX {
                return Ok(found);
            }
            // Another node may have taken it and not shown it yet.
            tokio::time::sleep(LOOK_AGAIN).await;
            waited += LOOK_AGAIN;
        }
    }

    /// Waits until everything queued before is durable.
    async fn barrier(&self) -> Result<(), StoreError> {
        let (answer, passed) = oneshot::channel();
        self.send(Command::Barrier { answer }).await?;
        self.answered(passed).await
    }

    /// Waits until the read models hold everything that is durable now.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let shared = &self.inner.shared;
        let durable = shared.durable();
        let mut written = shared.written.subscribe();
        if *written.borrow_and_update() >= durable {
            return Ok(());
        }
        let mut failed = shared.failed.subscribe();
        shared.ask_flush(durable);
        tokio::select! {
            caught_up = written.wait_for(|at| *at >= durable) => {
                caught_up.map(drop).map_err(|_| self.gone())
            }
            _ = failed.wait_for(|failed| *failed) => Err(StoreError::Failed),
        }
    }

    /// A read of a few rows: where they are near, at once, for it takes microseconds and a thread
    /// of its own would take longer to be had.
    pub(super) async fn looked_up<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.inner.views.is_near() { read() } else { self.blocking(read).await }
    }

    /// Reads that may go to the disk leave the runtime's threads; so many at once that neither
    /// threads nor memory grow with the number of those who ask.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = Arc::clone(&self.inner.reads).acquire_owned().await;
        // A read goes on though nobody waits for it any more, and keeps its turn until it ends.
        let read = move || {
            let _turn = turn;
            read()
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Err(self.gone()))
    }
}

fn folded(history: &History) -> Result<Payment, StoreError> {
    history.payment().map_err(|error| StoreError::unreadable(&error))
}
