//! Requests that are over without an approval, by the STAN they were given.
//!
//! Two things are asked of them. Which line did a request take? Its reversal goes by the same one,
//! for TCP keeps the order there. And which payment was it for? A late answer may name it by a
//! reference of the participant's own. Nothing here has to outlive the process: its lines end with
//! it, and a late answer that repeats the folio is found without.

use std::collections::{HashMap, VecDeque};

use codecs::iso8583::cauce87;
use parking_lot::Mutex;
use router::id::{Folio, ParticipantId, Stan};
use router::message::Message;
use router::text::Text;

/// Requests that are remembered; the oldest are forgotten first. Some 20 MB where all are needed.
const REMEMBERED_MAX: usize = 262_144;

/// One request that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastRequest {
    /// Transmission time of the request (DE7).
    pub transmitted_at: Text<10>,
    /// Folio of the payment it was for.
    pub folio: Folio,
    /// Number of the line it took; no line's number where another node sent it, or where it is not
    /// to be sent any more.
    pub line: u64,
}

/// The requests of one participant that are over without an approval.
#[derive(Debug, Default)]
pub struct PastRequests {
    remembered: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    by_stan: HashMap<u32, (u64, PastRequest), foldhash::fast::RandomState>,
    /// STANs in the order they came, each with the ticket it was remembered under.
    order: VecDeque<(u32, u64)>,
    next_ticket: u64,
}

/// The request of a payment that a message of the switch's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedRequest {
    /// What the message is to it.
    pub kind: NamedKind,
    /// The request's STAN.
    pub stan: Stan,
    /// The request's transmission time.
    pub transmitted_at: Text<10>,
    /// Folio of the payment (DE37).
    pub folio: Folio,
}

/// What a message is to the request that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedKind {
    /// It is the request itself (DE11, DE7).
    Asked,
    /// It undoes the request (DE90).
    Undone,
}

/// The request that a message names; none where it names none, or cannot be read.
pub fn named(message: &[u8], originator: ParticipantId) -> Option<NamedRequest> {
    let wire = cauce87::read(message).ok()?;
    let (kind, trace, stan, transmitted_at) =
        match cauce87::to_message(&wire, message, originator).ok()? {
            Message::Payment(request) => {
                let trace = request.trace;
                (NamedKind::Asked, trace, trace.stan, trace.transmitted_at)
            }
            Message::Reversal(reversal) => {
                let original = &reversal.original;
                (NamedKind::Undone, reversal.trace, original.stan, original.transmitted_at)
            }
            Message::Inquiry(_) | Message::Network(_) => return None,
        };
    let folio = trace.rrn.as_str().parse().ok()?;
    Some(NamedRequest { kind, stan: stan?, transmitted_at, folio })
}

impl PastRequests {
    /// Remembers a request; one with the same STAN is forgotten.
    pub fn remember(&self, stan: Stan, request: PastRequest) {
        self.remembered.lock().insert(stan.number(), request, REMEMBERED_MAX);
    }

    /// The request with this STAN and transmission time.
    pub fn find(&self, stan: Stan, transmitted_at: &Text<10>) -> Option<PastRequest> {
        let remembered = self.remembered.lock();
        let (_, request) = remembered.by_stan.get(&stan.number())?;
        (request.transmitted_at == *transmitted_at).then_some(*request)
    }
}

impl Remembered {
    fn insert(&mut self, stan: u32, request: PastRequest, max: usize) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.by_stan.insert(stan, (ticket, request));
        self.order.push_back((stan, ticket));
        while self.order.len() > max {
            let Some((stan, ticket)) = self.order.pop_front() else { return };
            if self.by_stan.get(&stan).is_some_and(|(latest, _)| *latest == ticket) {
                self.by_stan.remove(&stan);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(at: &str, line: u64) -> PastRequest {
        let transmitted_at = Text::new(at).expect("ten digits");
        PastRequest { transmitted_at, folio: Folio::new(line).expect("a folio"), line }
    }

    #[test]
    fn a_request_is_found_by_its_stan_and_its_own_time_alone() {
        let (past, stan) = (PastRequests::default(), Stan::new(42).expect("a STAN"));
        let (first, second) = (request("1123211722", 1), request("1123211822", 2));
        past.remember(stan, first);
        assert_eq!(past.find(stan, &first.transmitted_at), Some(first));
        assert_eq!(past.find(stan, &second.transmitted_at), None);
        past.remember(stan, second);
        assert_eq!(past.find(stan, &first.transmitted_at), None, "its STAN was used again");
        assert_eq!(past.find(stan, &second.transmitted_at), Some(second));
    }

    #[test]
    fn a_payment_names_itself_and_a_reversal_the_request_it_undoes() {
        // Bits 2 3 4 7 11 37 49, and 3 4 7 11 37 49 90; laid out by hand after ISO 8583:1987.
        let asked = b"0200\x72\x20\x00\x00\x08\x00\x80\x00\
            1640000000000000020000000000000001001123211722000042000000000077484";
        let undone = b"0420\xB2\x20\x00\x00\x08\x00\x80\x00\x00\x00\x00\x40\x00\x00\x00\x00\
            0000000000000001001123211800000043000000000077484\
            020000004211232117220000000000100000000000";
        let (bank, stan) = (ParticipantId::new("bank-b").expect("an id"), Stan::new(42));
        let (stan, folio) = (stan.expect("a STAN"), Folio::new(77).expect("a folio"));
        let transmitted_at = Text::new("1123211722").expect("ten digits");
        let of_kind = |kind| Some(NamedRequest { kind, stan, transmitted_at, folio });
        assert_eq!(named(asked, bank), of_kind(NamedKind::Asked));
        assert_eq!(named(undone, bank), of_kind(NamedKind::Undone));
        assert_eq!(named(b"0800", bank), None);
    }

    #[test]
    fn the_oldest_are_forgotten_and_a_stan_that_was_used_again_is_not_old() {
        let mut remembered = Remembered::default();
        for (stan, line) in [(1, 1), (2, 2), (1, 3), (3, 4)] {
            remembered.insert(stan, request("1123211722", line), 3);
        }
        let mut kept: Vec<u32> = remembered.by_stan.keys().copied().collect();
        kept.sort_unstable();
        assert_eq!(kept, [1, 2, 3], "the first place of STAN 1 is gone, its second is not");
        remembered.insert(4, request("1123211722", 5), 3);
        assert!(!remembered.by_stan.contains_key(&2));
        assert_eq!((remembered.by_stan.len(), remembered.order.len()), (3, 3));
    }
}
