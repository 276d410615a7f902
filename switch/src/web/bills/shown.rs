//! Bills between the shapes of the API and the register.

use codecs::api::{
    AmountView, BillContact, BillDraft, BillEventView, BillView, DraftLine, DueView, LineView,
    Shown,
};
use router::bill::{BillMoment, BillStanding};
use router::id::{BillId, BillerId};
use router::money::Money;
use router::time::Timestamp;
use storage_backoffice::bill::{BillEntry, BillLine, BillOrigin, Contact};
use storage_backoffice::timeline::BillEvent;

/// A new bill, as it is registered.
pub(super) fn entry_of(draft: BillDraft, id: BillId, biller: BillerId, at: Timestamp) -> BillEntry {
    let BillContact { name, phone, email, doc, language } = draft.contact;
    let line = |DraftLine { text, minor }| BillLine { text, minor };
    BillEntry {
        id,
        biller,
        bill_no: draft.bill_no,
        client_id: draft.client_id,
        contract_no: draft.contract_no,
        contact: Contact { name, phone, email, doc, language },
        lines: draft.lines.into_iter().map(line).collect(),
        terms: draft.terms,
        product: draft.product,
        origin: if draft.is_online { BillOrigin::Online } else { BillOrigin::Api },
        metadata: draft.metadata,
        version: 1,
        created_at: at,
        changed_at: at,
    }
}

/// A registered bill, to be changed.
pub(super) fn draft_of(bill: &BillEntry) -> BillDraft {
    let line = |line: &BillLine| DraftLine { text: line.text.clone(), minor: line.minor };
    BillDraft {
        bill_no: bill.bill_no,
        client_id: bill.client_id,
        contract_no: bill.contract_no.clone(),
        contact: contact_of(bill),
        lines: bill.lines.iter().map(line).collect(),
        terms: bill.terms.clone(),
        product: bill.product,
        is_online: bill.origin == BillOrigin::Online,
        metadata: bill.metadata.clone(),
    }
}

fn contact_of(bill: &BillEntry) -> BillContact {
    let Contact { name, phone, email, doc, language } = bill.contact.clone();
    BillContact { name, phone, email, doc, language }
}

/// A bill as it is shown, with what was paid of it.
pub(super) fn view(bill: &BillEntry, standing: BillStanding, moment: BillMoment) -> BillView {
    let terms = &bill.terms;
    let currency = terms.amount.currency;
    let amount = |minor| AmountView::from(Money::new(minor, currency));
    let line =
        |line: &BillLine| LineView { text: line.text.to_string(), amount: amount(line.minor) };
    BillView {
        id: Shown(bill.id),
        state: terms.state(standing, moment),
        bill_no: bill.bill_no.to_string(),
        client_id: bill.client_id.to_string(),
        contract_no: bill.contract_no.as_deref().map(str::to_owned),
        client: (&contact_of(bill)).into(),
        lines: bill.lines.iter().map(line).collect(),
        amount: terms.amount.into(),
        due: terms
            .due
            .iter()
            .map(|due| DueView { date: Shown(due.date), amount: amount(due.minor) })
            .collect(),
        allow_partial: terms.allows_partial,
        min: terms.min_minor.map(amount),
        max: terms.max_minor.map(amount),
        must_leave: terms.must_leave_minor.map(amount),
        product: bill.product.map(|product| product.to_string()),
        expires_at: terms.expires_at.map(Shown),
        origin: bill.origin.name(),
        metadata: bill.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        paid: amount(standing.paid_minor),
        remaining: terms.remaining(standing, moment.today).into(),
        payable_now: terms.payable_now(standing, moment).into(),
        version: bill.version,
        created_at: Shown(bill.created_at),
        elements: Vec::new(),
        timeline_url: format!("/v1/bills/{}/timeline", bill.id),
    }
}

/// An event of a bill as it is shown.
pub(super) fn event(event: BillEvent) -> BillEventView {
    BillEventView {
        at: Shown(event.at),
        kind: event.kind.into(),
        actor: event.actor.into(),
        channel: event.channel.into(),
        payment: event.payment.map(Shown),
        detail: event.detail.map(Into::into),
    }
}
