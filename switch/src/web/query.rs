//! The queries of requests: each parameter known, and given once.

use axum::extract::{FromRequest, Query, Request};
use codecs::api::FieldError;
use http::Uri;
use router::id::BillerId;
use router::reason::Reason;

use super::answer::ApiRefusal;
use super::{Shared, asked};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 200;

/// What a handler reads of a query.
pub(super) trait FromQuery: Sized {
    /// The parameters it knows.
    const KNOWN: &'static [&'static str];

    /// Errors: 400 for a parameter that makes no sense.
    fn read(params: &Params) -> Result<Self, ApiRefusal>;
}

/// The query of a route that needs no field in a body: there is none, or an object without members.
#[derive(Debug)]
pub(super) struct QueryOf<T>(pub T);

impl<T: FromQuery> FromRequest<Shared> for QueryOf<T> {
    type Rejection = ApiRefusal;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, ApiRefusal> {
        let uri = request.uri().clone();
        asked::no_fields(request, shared.limits.body_bytes_max).await?;
        T::read(&Params::of(&uri, T::KNOWN)?).map(Self)
    }
}

/// The parameters of a query, each known and given once.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query that may have these parameters.
    ///
    /// Errors: 400 for another parameter, or one given twice.
    pub(super) fn of(uri: &Uri, known: &[&str]) -> Result<Self, ApiRefusal> {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            return Err(bad_query("", "the query cannot be read"));
        };
        for (position, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(bad_query("query", &format!("parameters known here: {known}")));
            }
            if pairs[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(bad_query(name, "is given twice"));
            }
        }
        Ok(Self(pairs))
    }

    /// A parameter that reads as a `T`.
    ///
    /// Errors: 400 when it does not.
    pub(super) fn parsed<T: std::str::FromStr>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, ApiRefusal> {
        let Some((_, value)) = self.0.iter().find(|(known, _)| known == name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(bad_query(name, expected)),
        }
    }

    /// `biller`, which an operator names.
    pub(super) fn biller(&self) -> Result<Option<BillerId>, ApiRefusal> {
        self.parsed("biller", "must be a biller's id")
    }

    /// `limit`: 1 to 200, 50 where it is not given.
    pub(super) fn limit(&self) -> Result<usize, ApiRefusal> {
        let expected = "must be 1 to 200";
        match self.parsed("limit", expected)? {
            None => Ok(LIMIT_DEFAULT),
            Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            Some(_) => Err(bad_query("limit", expected)),
        }
    }
}

fn bad_query(field: &str, detail: &str) -> ApiRefusal {
    let field = field.to_owned();
    let reason = Reason::FormatError;
    FieldError { field, reason, detail: detail.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_known_parameters_once_and_in_bounds() {
        let limit = |query: &str| {
            let uri: Uri = format!("/v1/payments?{query}").parse().unwrap();
            Params::of(&uri, &["limit", "cursor"]).and_then(|params| params.limit()).ok()
        };
        assert_eq!(limit(""), Some(50));
        assert_eq!(limit("limit=200&cursor=x"), Some(200));
        assert_eq!(limit("limit=201"), None);
        assert_eq!(limit("limit=0"), None);
        assert_eq!(limit("limit=1&limit=2"), None);
        assert_eq!(limit("page=2"), None);
    }
}
