//! `/v1/keys`: API keys, for those who may.

use std::str::FromStr;

use axum::extract::State;
use codecs::api::{
    KeyBody, KeyPage, KeyRoleName, KeyRotationBody, KeyView, ReplacedKeyView, Shown,
};
use http::StatusCode;
use router::event::{Actor, ApiKeyChange, Event, EventKind};
use router::reason::Reason;
use router::record::Record;
use router::text::Text;
use router::time::Timestamp;
use storage::StoreError;

use super::Api;
use super::answer::{Answer, Answered, ApiRefusal};
use super::document::responses::{NotFound, Usual};
use super::extract::{Body, Id, NoFields};
use super::principal::{KeyKeeper, MakeKeys, Permitted, PrincipalScope, SeeKeys, forbidden};
use super::query::{FromQuery, Params, QueryOf};
use crate::clock;
use crate::keys::{self, KeyName, KeyStoreError, ListedKey, NewKey, OldKeyEnd, OwnerError, Role};

/// Longest time that an old key counts on beside the one in its place.
const GRACE_HOURS_MAX: u32 = 8760;

/// The id of the last key of a page.
#[derive(Debug)]
struct KeyCursor(String);

/// The text is no id of a key.
#[derive(Debug)]
struct NotAKeyCursor;

impl FromStr for KeyCursor {
    type Err = NotAKeyCursor;

    fn from_str(text: &str) -> Result<Self, NotAKeyCursor> {
        let digits = text.strip_prefix("key_").ok_or(NotAKeyCursor)?;
        let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        let is_whole = digits.len() == 16 && digits.bytes().all(is_digit);
        if is_whole { Ok(Self(text.to_owned())) } else { Err(NotAKeyCursor) }
    }
}

/// The query of `GET /v1/keys`.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct KeyQuery {
    /// next_cursor of the page before.
    #[param(value_type = Option<String>, pattern = "^key_[0-9a-f]{16}$")]
    cursor: Option<KeyCursor>,
    /// Items of a page.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: usize,
}

impl FromQuery for KeyQuery {
    const KNOWN: &'static [&'static str] = &["cursor", "limit"];

    fn read(params: &Params) -> Result<Self, ApiRefusal> {
        Ok(Self {
            cursor: params.parsed("cursor", "must be a next_cursor")?,
            limit: params.limit()?,
        })
    }
}

/// API keys, oldest first
#[utoipa::path(
    get,
    path = "/v1/keys",
    operation_id = "listKeys",
    tag = "keys",
    description = "A biller's key sees those of its biller, an operator's and an admin's all. The \
        keys themselves are told once, when they are made.",
    params(KeyQuery),
    responses(
        (status = 200, description = "One page.", body = KeyPage, examples(("keys" = ()))),
        Usual,
    ),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Permitted(keeper): Permitted<SeeKeys>,
    QueryOf(query): QueryOf<KeyQuery>,
) -> Answered<KeyPage> {
    let mut listed = api.keys.listed().await?;
    listed.retain(|key| keeper.sees(key));
    if let Some(KeyCursor(cursor)) = &query.cursor {
        let behind = listed.iter().position(|key| key.id() == *cursor).map_or(0, |at| at + 1);
        listed.drain(..behind);
    }
    let is_more = listed.len() > query.limit;
    listed.truncate(query.limit);
    let next_cursor = listed.last().filter(|_| is_more).map(ListedKey::id);
    let data = listed.iter().map(|key| view(&api, key)).collect();
    Ok(Answer::new(StatusCode::OK, &KeyPage { data, next_cursor }))
}

/// Make an API key
#[utoipa::path(
    post,
    path = "/v1/keys",
    operation_id = "createKey",
    tag = "keys",
    description = "For an admin's key. The owner is held against the configuration: a biller that \
        is served, or an operator's name. An admin's key is made at the machine, with \
        `cauce key create`, and by no request.",
    request_body(content = KeyBody, examples(("newKey" = ()))),
    responses(
        (status = 201, description = "The key, told this once.", body = KeyView,
            examples(("keyMade" = ()))),
        Usual,
    ),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Permitted(keeper): Permitted<MakeKeys>,
    Body(body): Body<KeyBody>,
) -> Answered<KeyView> {
    let KeyBody { role, owner, expires_at } = body;
    let role = match role {
        KeyRoleName::Biller => Role::Biller,
        KeyRoleName::Operator => Role::Operator,
    };
    let policy = api.engine.policy();
    keys::checked_owner(role, &owner, |biller| policy.billers.contains_key(biller))?;
    let ends_at = expires_at.map(|text| end(&text)).transpose()?;
    let NewKey { key, listed } = api.keys.make(role, &owner, ends_at).await?;
    note(&api, &listed, EventKind::Created, keeper.actor).await;
    let made = KeyView { key: Some(key), ..view(&api, &listed) };
    Ok(Answer::new(StatusCode::CREATED, &made))
}

/// End an API key
#[utoipa::path(
    post,
    path = "/v1/keys/{id}/revoke",
    operation_id = "revokeKey",
    tag = "keys",
    description = "It is refused from the next request on; at other nodes a second later. A \
        biller's key ends those of its biller, an admin's any.",
    params(("id" = String, Path, pattern = "^key_[0-9a-f]{16}$")),
    responses(
        (status = 200, description = "The key that has ended.", body = KeyView,
            examples(("keyEnded" = ()))),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    Permitted(keeper): Permitted<SeeKeys>,
    Id(id): Id,
    NoFields: NoFields,
) -> Answered<KeyView> {
    let name = keeper.changes(&api, &id).await?.0;
    let ended = api.keys.end(name).await?.ok_or_else(missing)?;
    let ended = ended.ending(clock::now());
    note(&api, &ended, EventKind::Deleted, keeper.actor).await;
    Ok(Answer::new(StatusCode::OK, &view(&api, &ended)))
}

/// Put a new API key in the place of one
#[utoipa::path(
    post,
    path = "/v1/keys/{id}/rotate",
    operation_id = "rotateKey",
    tag = "keys",
    description = "Both count until the old one ends: a day later, unless the body says \
        otherwise. A biller's key replaces those of its biller; an admin's those of billers and \
        operators, and itself.",
    params(("id" = String, Path, pattern = "^key_[0-9a-f]{16}$")),
    request_body(content = Option<KeyRotationBody>, examples(("keyRotation" = ()))),
    responses(
        (status = 201, description = "The new key, told this once.", body = KeyView,
            examples(("keyRotated" = ()))),
        (status = 404, response = NotFound),
        Usual,
    ),
)]
pub(super) async fn rotate(
    State(api): State<Api>,
    Permitted(keeper): Permitted<SeeKeys>,
    Id(id): Id,
    body: Option<Body<KeyRotationBody>>,
) -> Answered<KeyView> {
    let grace_hours = body.map(|Body(body)| body).unwrap_or_default().grace_hours;
    if grace_hours > GRACE_HOURS_MAX {
        let refusal = ApiRefusal::new(Reason::FormatError, "body").about("grace_hours");
        return Err(refusal.saying("must be 0 to 8760"));
    }
    let ends = match grace_hours {
        0 => OldKeyEnd::Now,
        hours => OldKeyEnd::After(std::time::Duration::from_secs(u64::from(hours) * 3600)),
    };
    let (name, key) = keeper.changes(&api, &id).await?;
    if key.role == Role::Admin && !keeper.is_holder_of(&key) {
        return Err(forbidden("an admin's key is replaced by its holder, or at the machine"));
    }
    let rotated = api.keys.replace(name, ends).await?.ok_or_else(missing)?;
    let kind = match ends {
        OldKeyEnd::Now => EventKind::Deleted,
        OldKeyEnd::After(_) => EventKind::Changed,
    };
    note(&api, &rotated.old, kind, keeper.actor).await;
    note(&api, &rotated.new, EventKind::Created, keeper.actor).await;
    let expires_at = Shown(rotated.old.ends_at.unwrap_or_else(clock::now));
    let replaces = Some(ReplacedKeyView { id: rotated.old.id(), expires_at });
    let made = KeyView { key: Some(rotated.key), replaces, ..view(&api, &rotated.new) };
    Ok(Answer::new(StatusCode::CREATED, &made))
}

impl KeyKeeper {
    /// Whether it may see a key.
    fn sees(&self, key: &ListedKey) -> bool {
        match self.scope {
            PrincipalScope::Biller(biller) => {
                key.role == Role::Biller && *key.owner == *biller.as_str()
            }
            PrincipalScope::All | PrincipalScope::Keys => true,
        }
    }

    fn is_holder_of(&self, key: &ListedKey) -> bool {
        self.actor.id().as_str() == key.id()
    }

    /// The name of a key that it may change.
    ///
    /// Errors: 403 for an operator; 404 where there is no such key, or it is another's.
    async fn changes(&self, api: &Api, id: &str) -> Result<(KeyName, ListedKey), ApiRefusal> {
        match self.role {
            Role::Biller | Role::Admin => {}
            Role::Operator => return Err(forbidden("an operator's key reads only")),
        }
        // A key itself names one too, and has no place in an address.
        let name = id.parse::<KeyName>().ok().filter(|_| id.starts_with("key_"));
        let name = name.ok_or_else(missing)?;
        let listed = api.keys.listed().await?;
        let found = listed.into_iter().find(|key| key.is_named(&name) && self.sees(key));
        Ok((name, found.ok_or_else(missing)?))
    }
}

fn missing() -> ApiRefusal {
    ApiRefusal::not_found("there is no such API key")
}

/// When a key that is made ends.
///
/// Errors: 400 for no time, or one that is over.
fn end(text: &str) -> Result<Timestamp, ApiRefusal> {
    let wrong = || ApiRefusal::new(Reason::FormatError, "body").about("expires_at");
    let at: jiff::Timestamp =
        text.parse().map_err(|_| wrong().saying("must be a time such as 2027-11-30T19:05:04Z"))?;
    let at = Timestamp(at.as_microsecond());
    if at <= clock::now() { Err(wrong().saying("must not be over")) } else { Ok(at) }
}

/// Writes the change of a key into the log and into the journal, where it is proven. The change
/// stands in any case: what it was told of is done.
async fn note(api: &Api, key: &ListedKey, kind: EventKind, actor: Actor) {
    let (id, name) = (key.id(), kind.name());
    tracing::info!(key = id, role = %key.role, owner = %key.owner, %actor, change = %name, "API key");
    let text = |text: &str| Text::new(text).ok();
    let (Some(id), Some(role)) = (text(&id), Text::new(&key.role.to_string()).ok()) else { return };
    let change = ApiKeyChange {
        id,
        version: 1,
        at: clock::now(),
        role,
        owner: key.owner.clone(),
        ends_at: key.ends_at,
    };
    let event = |version| {
        let change = ApiKeyChange { version, ..change.clone() };
        Record::Event(Box::new(Event::of_api_key(change, kind, actor)))
    };
    let store = &api.engine.store;
    let appended = match store.append(event(1)).await {
        // The journal knows the key already.
        Err(StoreError::StaleVersion(stale)) => store.append(event(stale.expected)).await,
        appended => appended,
    };
    if let Err(error) = appended {
        let error = storage::with_causes(&error);
        tracing::error!(key = key.id(), %error, "a change of an API key is not in the journal");
    }
}

fn view(api: &Api, key: &ListedKey) -> KeyView {
    KeyView {
        id: key.id(),
        role: key.role.to_string(),
        owner: key.owner.to_string(),
        created_at: key.created_at.to_string(),
        expires_at: key.ends_at.map(Shown),
        last_used_at: api.keys.last_use(key).map(Shown),
        key: None,
        replaces: None,
    }
}

impl From<KeyStoreError> for ApiRefusal {
    fn from(error: KeyStoreError) -> Self {
        tracing::error!(error = %storage::with_causes(&error), "API keys");
        Self::new(Reason::GateUnavailable, "keys")
            .saying("the API keys cannot be used now; try again")
    }
}

impl From<OwnerError> for ApiRefusal {
    fn from(error: OwnerError) -> Self {
        Self::new(Reason::FormatError, "body").about("owner").saying(error.to_string())
    }
}
