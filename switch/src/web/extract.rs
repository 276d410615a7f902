//! What handlers take of a request besides its query: the language of its answer, keys, bodies, and
//! what the path names.

use std::convert::Infallible;

use axum::extract::{
    FromRequest, FromRequestParts, OptionalFromRequest, OptionalFromRequestParts, Path, Request,
};
use codecs::api::{
    BillBody, BillPatchBody, EndpointBody, EndpointPatchBody, ExternalPaymentBody, FieldError,
    KeyBody, KeyRotationBody, PaymentBody, RecoveryBody, RefundWish, parse_bill, parse_bill_patch,
    parse_confirmation, parse_endpoint, parse_endpoint_patch, parse_external_payment, parse_key,
    parse_key_rotation, parse_payment, parse_recovery, parse_refund, parse_reversal,
};
use http::request::Parts;
use hyper::body::Body as _;
use router::money::Money;
use router::reason::{Language, Reason};
use router::secret::Secret;

use super::answer::ApiRefusal;
use super::principal::Principal;
use super::{Api, Shared, asked};

/// The language of texts for people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoken(pub Language);

impl FromRequestParts<Shared> for Spoken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Infallible> {
        Ok(Self(asked::language(&parts.headers)))
    }
}

/// The `Idempotency-Key` of a request.
#[derive(Debug)]
pub(super) struct Key(pub String);

impl FromRequestParts<Shared> for Key {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiRefusal> {
        asked::idempotency_key(&parts.headers).map(|key| Self(key.to_owned()))
    }
}

impl OptionalFromRequestParts<Shared> for Key {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Option<Self>, ApiRefusal> {
        let key = asked::optional_idempotency_key(&parts.headers)?;
        Ok(key.map(|key| Self(key.to_owned())))
    }
}

/// A body of JSON that a handler can take.
pub(super) trait JsonBody: Sized {
    /// Errors: names the field.
    fn read(bytes: &[u8]) -> Result<Self, FieldError>;
}

impl JsonBody for PaymentBody {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_payment(bytes)
    }
}

impl JsonBody for EndpointBody {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_endpoint(bytes)
    }
}

impl JsonBody for EndpointPatchBody {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_endpoint_patch(bytes)
    }
}

impl JsonBody for BillBody {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_bill(bytes)
    }
}

impl JsonBody for BillPatchBody {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_bill_patch(bytes)
    }
}

impl JsonBody for ExternalPaymentBody {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_external_payment(bytes)
    }
}

impl JsonBody for RecoveryBody {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_recovery(bytes)
    }
}

impl JsonBody for RefundWish {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_refund(bytes)
    }
}

/// A one-time key.
impl JsonBody for Secret {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_confirmation(bytes)
    }
}

impl JsonBody for KeyBody {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_key(bytes)
    }
}

impl JsonBody for KeyRotationBody {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_key_rotation(bytes)
    }
}

/// How much of a payment is to be given back; all that stands where none is named.
#[derive(Debug)]
pub(super) struct GivenBack(pub Option<Money>);

impl JsonBody for GivenBack {
    fn read(bytes: &[u8]) -> Result<Self, FieldError> {
        parse_reversal(bytes).map(Self)
    }
}

/// The body of a request, which must be there.
#[derive(Debug)]
pub(super) struct Body<T>(pub T);

impl<T: JsonBody> FromRequest<Shared> for Body<T> {
    type Rejection = ApiRefusal;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, ApiRefusal> {
        let bytes = asked::json_body(request, shared.limits.body_bytes_max).await?;
        Ok(Self(T::read(&bytes)?))
    }
}

impl<T: JsonBody> OptionalFromRequest<Shared> for Body<T> {
    type Rejection = ApiRefusal;

    async fn from_request(request: Request, shared: &Shared) -> Result<Option<Self>, ApiRefusal> {
        let bytes = asked::optional_json_body(request, shared.limits.body_bytes_max).await?;
        Ok(bytes.map(|bytes| T::read(&bytes)).transpose()?.map(Self))
    }
}

/// A route that needs no field: its request has no body, or an object without members.
#[derive(Debug)]
pub(super) struct NoFields;

impl FromRequest<Shared> for NoFields {
    type Rejection = ApiRefusal;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, ApiRefusal> {
        asked::no_fields(request, shared.limits.body_bytes_max).await.map(|()| Self)
    }
}

/// A route that is open to all. Its client has proved nothing: no byte of a body is waited for.
#[derive(Debug)]
pub(super) struct OpenToAll;

impl FromRequest<Shared> for OpenToAll {
    type Rejection = ApiRefusal;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, ApiRefusal> {
        match request.body().is_end_stream() {
            true => Ok(Self),
            false => {
                Err(ApiRefusal::new(Reason::FormatError, "body")
                    .saying("this address takes no body"))
            }
        }
    }
}

/// The text that a path has for `{id}`.
#[derive(Debug)]
pub(super) struct Id(pub String);

impl FromRequestParts<Shared> for Id {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiRefusal> {
        // What is no UTF-8 names nothing.
        let id =
            <Path<String> as FromRequestParts<Shared>>::from_request_parts(parts, shared).await;
        id.map(|Path(id)| Self(id)).map_err(|_| ApiRefusal::path_not_found())
    }
}

/// Something with an id in a path.
pub(super) trait Named: Sized {
    /// Errors: 404 where it is not there, and where the principal may not see it.
    fn find(
        api: &Api,
        principal: Principal,
        id: &str,
    ) -> impl Future<Output = Result<Self, ApiRefusal>> + Send;
}

/// What the path's `{id}` names, within the principal's scope: a foreign id is a 404.
#[derive(Debug)]
pub(super) struct Found<T>(pub T);

impl<T: Named> FromRequestParts<Shared> for Found<T> {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiRefusal> {
        let principal = Principal::of(parts, shared).await?;
        let Id(id) = Id::from_request_parts(parts, shared).await?;
        T::find(&shared.api, principal, &id).await.map(Self)
    }
}
