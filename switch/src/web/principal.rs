//! Who asks, and what may be seen by whom. A handler takes [`Permitted`] with the permission it
//! needs, so that a route cannot be served without one.

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use router::event::Actor;
use router::id::BillerId;
use router::payment::Payment;
use router::reason::Reason;
use router::text::Text;

use super::Shared;
use super::answer::ApiRefusal;
use super::connection::BodyHold;
use super::request_notes::RequestNotes;
use crate::keys::{self, KeyHolder, KeyTableUnavailable, Role};

/// Who asks: today the holder of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Principal {
    /// What it may do.
    pub role: Role,
    /// What it may see.
    pub scope: PrincipalScope,
}

/// What a principal may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PrincipalScope {
    /// What belongs to one biller.
    Biller(BillerId),
    /// Everything.
    All,
    /// API keys alone.
    Keys,
}

/// A permission that a route can ask for.
pub(super) trait Permission {
    /// What a handler works with when it is given.
    type Grant;

    /// Errors: 403 where the principal's role may not.
    fn grant(principal: Principal, headers: &HeaderMap) -> Result<Self::Grant, ApiRefusal>;
}

/// To read: every role may, each in its own scope.
#[derive(Debug)]
pub(super) enum Read {}

/// To see API keys, and to end and replace them: every role may, each in its own scope, but for an
/// operator, who only sees them.
#[derive(Debug)]
pub(super) enum SeeKeys {}

/// To make API keys.
#[derive(Debug)]
pub(super) enum MakeKeys {}

/// Who looks after API keys, and the name of its own for the record of a change.
#[derive(Debug)]
pub(super) struct KeyKeeper {
    /// Whose keys it may see.
    pub scope: PrincipalScope,
    /// Its role.
    pub role: Role,
    /// The holder of the key.
    pub actor: Actor,
}

/// To move money as a biller.
#[derive(Debug)]
pub(super) enum Pay {}

/// To change a biller's endpoints, and to send its notices again.
#[derive(Debug)]
pub(super) enum ManageNotices {}

/// To register bills and to change them.
#[derive(Debug)]
pub(super) enum ManageBills {}

/// The biller that changes something, and the name of its key for the record of the change.
#[derive(Debug)]
pub(super) struct Manager {
    /// Whose things may be changed.
    pub biller: BillerId,
    /// The holder of the key.
    pub actor: Actor,
}

/// The principal of a request has the permission `P`.
#[derive(Debug)]
pub(super) struct Permitted<P: Permission>(pub P::Grant);

impl Permission for Read {
    type Grant = Principal;

    fn grant(principal: Principal, _: &HeaderMap) -> Result<Principal, ApiRefusal> {
        match principal.role {
            Role::Biller | Role::Operator => Ok(principal),
            Role::Admin => Err(forbidden("an admin's key looks after keys and sees nothing else")),
        }
    }
}

impl Permission for SeeKeys {
    type Grant = KeyKeeper;

    fn grant(principal: Principal, headers: &HeaderMap) -> Result<KeyKeeper, ApiRefusal> {
        let Principal { role, scope } = principal;
        Ok(KeyKeeper { scope, role, actor: actor(headers) })
    }
}

impl Permission for MakeKeys {
    type Grant = KeyKeeper;

    fn grant(principal: Principal, headers: &HeaderMap) -> Result<KeyKeeper, ApiRefusal> {
        match principal.role {
            Role::Admin => SeeKeys::grant(principal, headers),
            Role::Biller | Role::Operator => Err(forbidden("an admin's key makes keys")),
        }
    }
}

impl Permission for Pay {
    type Grant = BillerId;

    fn grant(principal: Principal, _: &HeaderMap) -> Result<BillerId, ApiRefusal> {
        principal.acting_biller()
    }
}

impl Permission for ManageNotices {
    type Grant = Manager;

    fn grant(principal: Principal, headers: &HeaderMap) -> Result<Manager, ApiRefusal> {
        Ok(Manager { biller: principal.acting_biller()?, actor: actor(headers) })
    }
}

impl Permission for ManageBills {
    type Grant = Manager;

    fn grant(principal: Principal, headers: &HeaderMap) -> Result<Manager, ApiRefusal> {
        Ok(Manager { biller: principal.acting_biller()?, actor: actor(headers) })
    }
}

impl<P: Permission> FromRequestParts<Shared> for Permitted<P> {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiRefusal> {
        let principal = Principal::of(parts, shared).await?;
        P::grant(principal, &parts.headers).map(Self)
    }
}

impl Principal {
    /// Who holds the key of a request. From now on the request holds its connection.
    ///
    /// Errors: 401 without a known key; 403 when its biller is not (or no longer) served; 429 when
    ///         the key has asked for more than it may.
    pub(super) async fn of(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiRefusal> {
        if let Some(principal) = parts.extensions.get::<Self>() {
            return Ok(*principal);
        }
        let key = bearer(&parts.headers)
            .ok_or_else(|| unauthorised("an API key is expected: Authorization: Bearer ck_…"))?;
        let principal = Self::of_key(shared, key).await?;
        if let Some(limit) = &shared.rate_limit {
            let standing = limit.standing(keys::id_of_key(key));
            if let Some(notes) = parts.extensions.get::<RequestNotes>() {
                notes.tell_rate(standing);
            }
            standing.admitted()?;
        }
        if let Some(hold) = parts.extensions.get::<BodyHold>() {
            hold.take();
        }
        parts.extensions.insert(principal);
        Ok(principal)
    }

    async fn of_key(shared: &Shared, key: &str) -> Result<Self, ApiRefusal> {
        let KeyHolder { role, owner } = match shared.api.keys.principal(key).await {
            Ok(Some(holder)) => holder,
            Ok(None) => return Err(unauthorised("the API key is not known")),
            Err(KeyTableUnavailable) => {
                let later = ApiRefusal::new(Reason::GateUnavailable, "key");
                return Err(later.saying("the API keys cannot be read now; try again"));
            }
        };
        let scope = match role {
            Role::Operator => PrincipalScope::All,
            Role::Admin => PrincipalScope::Keys,
            Role::Biller => {
                let biller = BillerId::new(&owner).ok();
                let billers = &shared.api.engine.policy().billers;
                let served = biller.filter(|id| billers.contains_key(id));
                PrincipalScope::Biller(served.ok_or_else(|| {
                    ApiRefusal::new(Reason::ServiceNotEnabled, "biller")
                        .saying("the key's biller is not served here")
                })?)
            }
        };
        Ok(Self { role, scope })
    }

    /// A biller that acts for itself.
    pub(super) fn of_biller(biller: BillerId) -> Self {
        Self { role: Role::Biller, scope: PrincipalScope::Biller(biller) }
    }

    /// The biller, for what only billers may do.
    ///
    /// Errors: 403 for an operator.
    fn acting_biller(self) -> Result<BillerId, ApiRefusal> {
        match (self.role, self.scope) {
            (Role::Biller, PrincipalScope::Biller(biller)) => Ok(biller),
            (Role::Admin, _) => {
                Err(forbidden("an admin's key looks after keys and does nothing else"))
            }
            (
                Role::Biller | Role::Operator,
                PrincipalScope::Biller(_) | PrincipalScope::All | PrincipalScope::Keys,
            ) => Err(forbidden("an operator's key reads only")),
        }
    }

    /// Whether it may see what belongs to a biller.
    pub(super) fn sees(self, owner: BillerId) -> bool {
        match self.scope {
            PrincipalScope::Biller(biller) => biller == owner,
            PrincipalScope::All => true,
            PrincipalScope::Keys => false,
        }
    }

    /// Whether it may see a payment.
    pub(super) fn sees_payment(self, payment: &Payment) -> bool {
        match self.scope {
            PrincipalScope::Biller(biller) => payment.request.biller == Some(biller),
            PrincipalScope::All => true,
            PrincipalScope::Keys => false,
        }
    }

    /// The biller a list is of: its own, or for an operator the one named by `biller`.
    ///
    /// Errors: 400 when an operator names none, 404 when a biller names another.
    pub(super) fn listed(self, named: Option<BillerId>) -> Result<BillerId, ApiRefusal> {
        match (self.scope, named) {
            (PrincipalScope::Biller(biller), None) => Ok(biller),
            (_, Some(named)) if self.sees(named) => Ok(named),
            (PrincipalScope::Biller(_) | PrincipalScope::Keys, _) => {
                Err(ApiRefusal::not_found("there is no such biller"))
            }
            (PrincipalScope::All, _) => Err(ApiRefusal::new(Reason::FormatError, "query")
                .about("biller")
                .saying("an operator names a biller")),
        }
    }
}

pub(super) fn forbidden(detail: &'static str) -> ApiRefusal {
    ApiRefusal::new(Reason::OperatorUnauthorised, "role").saying(detail)
}

fn unauthorised(detail: &'static str) -> ApiRefusal {
    ApiRefusal::new(Reason::OperatorUnauthorised, "key")
        .with_status(StatusCode::UNAUTHORIZED)
        .saying(detail)
}

/// Who is named by what changes at a request: the holder of its key.
fn actor(headers: &HeaderMap) -> Actor {
    let id = keys::id_of_key(bearer(headers).unwrap_or_default());
    Actor::Key(Text::new(&id).expect("invariant: a key's id is short ASCII"))
}

/// The key of `Authorization: Bearer`; the scheme's case does not matter (RFC 9110 section 11.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}
