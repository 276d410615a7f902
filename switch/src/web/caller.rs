//! Who asks, and what may be seen by whom.

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use router::event::Actor;
use router::id::BillerId;
use router::payment::Payment;
use router::reason::Reason;
use router::text::Text;

use super::Api;
use super::answer::Refusal;
use super::asked::Params;
use crate::keys::{self, NoWord, Principal, Role};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A merchant: its own payments and endpoints.
    Biller(BillerId),
    /// The switch's owner: everything, read only.
    Operator,
}

impl Caller {
    /// Who holds the key of a request.
    ///
    /// Errors: 401 without a known key; 403 when its biller is not (or no longer) served.
    pub(super) async fn of(api: &Api, headers: &HeaderMap) -> Result<Self, Refusal> {
        let unknown = |detail| {
            Refusal::new(Reason::OperatorUnauthorised, "key")
                .with_status(StatusCode::UNAUTHORIZED)
                .saying(detail)
        };
        let Some(key) = bearer(headers) else {
            return Err(unknown("an API key is expected: Authorization: Bearer ck_…"));
        };
        let Principal { role, owner } = match api.keys.principal(key).await {
            Ok(Some(principal)) => principal,
            Ok(None) => return Err(unknown("the API key is not known")),
            Err(NoWord) => {
                let later = Refusal::new(Reason::GateUnavailable, "key");
                return Err(later.saying("the API keys cannot be looked at now; try again"));
            }
        };
        match role {
            Role::Operator => Ok(Self::Operator),
            Role::Biller => {
                let biller = BillerId::new(&owner).ok();
                let biller = biller.filter(|id| api.engine.policy().billers.contains_key(id));
                let not_served = || {
                    Refusal::new(Reason::ServiceNotEnabled, "biller")
                        .saying("the key's biller is not served here")
                };
                biller.map(Self::Biller).ok_or_else(not_served)
            }
        }
    }

    /// The biller, for what only billers may do.
    ///
    /// Errors: 403 for an operator.
    pub(super) fn biller(self) -> Result<BillerId, Refusal> {
        match self {
            Self::Biller(biller) => Ok(biller),
            Self::Operator => Err(Refusal::new(Reason::OperatorUnauthorised, "role")
                .saying("an operator's key reads only")),
        }
    }

    /// Whether it may see what belongs to a biller.
    pub(super) fn sees(self, owner: BillerId) -> bool {
        match self {
            Self::Biller(biller) => biller == owner,
            Self::Operator => true,
        }
    }

    /// Whether it may see a payment.
    pub(super) fn sees_payment(self, payment: &Payment) -> bool {
        match self {
            Self::Biller(biller) => payment.request.biller == Some(biller),
            Self::Operator => true,
        }
    }

    /// The biller a list is of: its own, or for an operator the one named by `biller`.
    ///
    /// Errors: 400 when an operator names none, 404 when a biller names another.
    pub(super) fn listed(self, params: &Params) -> Result<BillerId, Refusal> {
        let named = params.parsed("biller", "must be a biller's id")?;
        match (self, named) {
            (Self::Biller(biller), None) => Ok(biller),
            (_, Some(named)) if self.sees(named) => Ok(named),
            (Self::Biller(_), Some(_)) => Err(Refusal::not_found("there is no such biller")),
            (Self::Operator, _) => Err(Refusal::new(Reason::FormatError, "query")
                .about("biller")
                .saying("an operator names a biller")),
        }
    }
}

/// Who is named by what changes at a request: the holder of its key.
pub(super) fn actor(headers: &HeaderMap) -> Actor {
    let id = keys::id_of_key(bearer(headers).unwrap_or_default());
    Actor::Key(Text::new(&id).expect("invariant: a key's id is short ASCII"))
}

/// The key of `Authorization: Bearer`; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}
