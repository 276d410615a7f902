//! Messages that the switch sends, element by element in the order of their schemas.
//!
//! An identifier goes out as it is or not at all: a [`WriteError`] names the element. Text for
//! people – names, remittance, explanations – is cut where its element ends, and `?` stands for a
//! character that XML forbids, since a payment must not fail for a name.

use bytes::BytesMut;

use super::message_id::{MessageId, NAMESPACE};

mod forms;
mod notification;
mod parts;
mod payment;
mod pen;
mod status;
mod system;
mod undo;

pub use notification::{Booking, Direction, Notification};
pub use parts::{About, Bank, BankAccount, Group, Person, Why};
pub use payment::{CreditTransfer, Payment, RequestToPay};
pub use pen::{WriteError, WriteErrorKind};
pub use status::{PaymentStatus, RequestToPayStatus, StatusRequest, TransactionStatus};
pub use system::{BusinessHeader, MessageReject, SystemNotice};
pub use undo::{
    CancellationOutcome, CancellationRequest, PaymentReturn, PaymentReversal, Resolution,
};

use pen::{Pen, Written};

/// A message to be sent.
#[derive(Debug, Clone)]
pub enum Outgoing<'a> {
    /// pacs.008.
    CreditTransfer(CreditTransfer<'a>),
    /// pacs.002.
    PaymentStatus(PaymentStatus<'a>),
    /// pacs.028.
    StatusRequest(StatusRequest<'a>),
    /// pacs.004.
    PaymentReturn(PaymentReturn<'a>),
    /// pacs.007.
    PaymentReversal(PaymentReversal<'a>),
    /// camt.056.
    CancellationRequest(CancellationRequest<'a>),
    /// camt.029.
    Resolution(Resolution<'a>),
    /// pain.013.
    RequestToPay(RequestToPay<'a>),
    /// pain.014.
    RequestToPayStatus(RequestToPayStatus<'a>),
    /// camt.054.
    Notification(Notification<'a>),
    /// admi.002.
    MessageReject(MessageReject<'a>),
    /// admi.004.
    SystemNotice(SystemNotice<'a>),
}

impl Outgoing<'_> {
    /// The versions it is written in, the usual one first. Each is held against its schema by a
    /// test.
    pub fn versions(&self) -> &'static [&'static str] {
        match self {
            Self::CreditTransfer(_) => &["pacs.008.001.08", "pacs.008.001.13"],
            Self::PaymentStatus(_) => &["pacs.002.001.10"],
            Self::StatusRequest(_) => &["pacs.028.001.03"],
            Self::PaymentReturn(_) => &["pacs.004.001.10"],
            Self::PaymentReversal(_) => &["pacs.007.001.11"],
            Self::CancellationRequest(_) => &["camt.056.001.08", "camt.056.001.12"],
            Self::Resolution(_) => &["camt.029.001.09", "camt.029.001.14"],
            Self::RequestToPay(_) => &["pain.013.001.07"],
            Self::RequestToPayStatus(_) => &["pain.014.001.07"],
            Self::Notification(_) => &["camt.054.001.08", "camt.054.001.13"],
            Self::MessageReject(_) => &["admi.002.001.01"],
            Self::SystemNotice(_) => &["admi.004.001.02"],
        }
    }

    /// The usual version.
    pub fn usual_version(&self) -> MessageId {
        MessageId::parse(self.versions()[0]).expect("invariant: versions are identifiers")
    }

    fn write_within(&self, pen: &mut Pen<'_>) -> Written {
        match self {
            Self::CreditTransfer(message) => pen.credit_transfer(message),
            Self::PaymentStatus(message) => pen.payment_status(message),
            Self::StatusRequest(message) => pen.status_request(message),
            Self::PaymentReturn(message) => pen.payment_return(message),
            Self::PaymentReversal(message) => pen.payment_reversal(message),
            Self::CancellationRequest(message) => pen.cancellation_request(message),
            Self::Resolution(message) => pen.resolution(message),
            Self::RequestToPay(message) => pen.request_to_pay(message),
            Self::RequestToPayStatus(message) => pen.request_to_pay_status(message),
            Self::Notification(message) => pen.notification(message),
            Self::MessageReject(message) => pen.message_reject(message),
            Self::SystemNotice(message) => pen.system_notice(message),
        }
    }
}

/// Appends a message.
///
/// Shape:  a bare `Document`; with a header both stand in a `BizMsgEnvlp` without namespace.
/// Errors: another version than those of [`Outgoing::versions`], or a value that does not fit;
///         nothing is appended then.
pub fn write(
    message: &Outgoing<'_>,
    version: MessageId,
    header: Option<&BusinessHeader<'_>>,
    out: &mut BytesMut,
) -> Result<(), WriteError> {
    let before = out.len();
    let written = try_write(message, version, header, out);
    if written.is_err() {
        out.truncate(before);
    }
    written
}

fn try_write(
    message: &Outgoing<'_>,
    version: MessageId,
    header: Option<&BusinessHeader<'_>>,
    out: &mut BytesMut,
) -> Written {
    let mut pen = Pen::new(out);
    if !message.versions().contains(&version.as_str()) {
        return Err(pen.error(WriteErrorKind::UnsupportedVersion, "Document"));
    }
    pen.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let namespace = format!("{NAMESPACE}{version}");
    let document =
        |pen: &mut Pen<'_>| pen.element_in("Document", &namespace, |pen| message.write_within(pen));
    match header {
        None => document(&mut pen),
        Some(header) => pen.element("BizMsgEnvlp", |pen| {
            pen.header(header, version)?;
            document(pen)
        }),
    }
}
