//! What is found out about a request on its way to a handler, for the headers of its answer, the
//! log and the metrics.

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderValue};
use router::misplaced::{self, Finding};

use super::rate_limit::RateStanding;

/// The header that names a request, in and out.
pub(super) const REQUEST_ID: &str = "x-request-id";
const REQUEST_ID_LEN_MAX: usize = 128;

/// The notes of one request; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestNotes(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    route: OnceLock<&'static str>,
    rate: OnceLock<RateStanding>,
}

impl RequestNotes {
    /// Notes which route answers: its pattern, never the path itself.
    pub(super) fn tell_route(&self, route: &'static str) {
        self.0.route.set(route).ok();
    }

    /// Notes how the key stands with its rate limit.
    pub(super) fn tell_rate(&self, standing: RateStanding) {
        self.0.rate.set(standing).ok();
    }

    /// The route, where one answered.
    pub(super) fn route(&self) -> Option<&'static str> {
        self.0.route.get().copied()
    }

    /// How the key stands with its rate limit, where it has one.
    pub(super) fn rate(&self) -> Option<RateStanding> {
        self.0.rate.get().copied()
    }
}

/// The id of a request: the one it came with, or one made here.
///
/// Shape: an id that is taken over is 1 to 128 letters, digits and `-_.:`, given once, and holds no
///        card number, since it stands in the log; another is replaced.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let mut given = headers.get_all(REQUEST_ID).iter();
    match (given.next(), given.next()) {
        (Some(value), None) if is_request_id(value) => value.clone(),
        (Some(_) | None, _) => {
            let made = format!("req_{:032x}", rand::random::<u128>());
            HeaderValue::from_str(&made).expect("invariant: hexadecimal digits are ASCII")
        }
    }
}

fn is_request_id(id: &HeaderValue) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let Ok(id) = id.to_str() else { return false };
    let holds_card_number = || misplaced::find(id) == Some(Finding::CardNumber);
    (1..=REQUEST_ID_LEN_MAX).contains(&id.len()) && id.bytes().all(fits) && !holds_card_number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_short_plain_and_no_card_number() {
        let check = |id: &str, expect: bool| {
            assert_eq!(is_request_id(&HeaderValue::from_str(id).unwrap()), expect, "{id}");
        };
        check("7f9c2ba4-e88f-827d-6160-45507605853e", true);
        check("req:a_b.c-1", true);
        check("", false);
        check("a b", false);
        check("4111111111111111", false);
        check(&"a".repeat(128), true);
        check(&"a".repeat(129), false);
    }

    #[test]
    fn an_id_that_is_not_taken_over_is_replaced_by_one_of_our_own() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("order-7"));
        assert_eq!(request_id(&headers), "order-7");
        headers.append(REQUEST_ID, HeaderValue::from_static("order-8"));
        let made = request_id(&headers);
        assert!(made.to_str().unwrap().starts_with("req_"), "{made:?}");
        assert_ne!(made, request_id(&headers));
    }
}
