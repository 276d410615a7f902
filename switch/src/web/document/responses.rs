//! Answers that many operations give, each described once.

use std::collections::BTreeMap;

use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{ContentBuilder, Header, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToResponse};

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// An answer, as the document's `components` describe it.
pub(super) struct SharedResponse {
    /// Its name among the components.
    pub name: &'static str,
    description: &'static str,
    media_type: &'static str,
    /// The name of its body's schema.
    schema: &'static str,
    headers: &'static [&'static str],
    examples: &'static [&'static str],
}

impl SharedResponse {
    /// Its description. Examples and headers are named here; `components` have them.
    pub(super) fn described(&self) -> Response {
        let empty = || ExampleBuilder::new().build();
        let examples = self.examples.iter().map(|name| (*name, empty()));
        let schema = Ref::from_schema_name(self.schema);
        let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples);
        let described = ResponseBuilder::new().description(self.description);
        let described = described.content(self.media_type, content.build());
        let headers = self.headers.iter();
        headers.fold(described, |all, name| all.header(*name, Header::default())).build()
    }
}

macro_rules! shared_responses {
    ($($type:ident = $response:expr;)*) => {
        $(
            /// Names the response of the same name to `utoipa::path`.
            pub(in crate::web) struct $type;

            impl ToResponse<'static> for $type {
                fn response() -> (&'static str, RefOr<Response>) {
                    let response: SharedResponse = $response;
                    (response.name, response.described().into())
                }
            }
        )*

        /// Every response that is described once.
        pub(super) fn all() -> Vec<SharedResponse> {
            vec![$($response),*]
        }
    };
}

shared_responses! {
    Created = SharedResponse {
        name: "Created",
        description: "Approved.",
        media_type: JSON,
        schema: "Payment",
        headers: &["Location", "Idempotent-Replayed"],
        examples: &["approved"],
    };
    PaymentNow = SharedResponse {
        name: "Payment",
        description: "The payment as it stands now.",
        media_type: JSON,
        schema: "Payment",
        headers: &[],
        examples: &["approved", "reversed", "reversedInPart"],
    };
    Pending = SharedResponse {
        name: "Pending",
        description: "The outcome is not known yet: the payment is being undone or still under \
                      way. Never a decline.",
        media_type: JSON,
        schema: "Payment",
        headers: &["Location", "Idempotent-Replayed"],
        examples: &["unknown", "reversing"],
    };
    DeclinedPayment = SharedResponse {
        name: "Declined",
        description: "Declined for the payer's money or card: a problem and the payment in one. \
                      A card number that makes no sense made no payment: then it is the problem \
                      alone, with the `field`.",
        media_type: PROBLEM,
        schema: "PaymentProblem",
        headers: &["Idempotent-Replayed"],
        examples: &["insufficientFunds", "cardNumber"],
    };
    BadRequest = SharedResponse {
        name: "BadRequest",
        description: "The request cannot be read: `field` is the one to mend.",
        media_type: PROBLEM,
        schema: "Problem",
        headers: &[],
        examples: &["wrongField"],
    };
    Unauthorised = SharedResponse {
        name: "Unauthorised",
        description: "No API key, or one that is not known or has ended.",
        media_type: PROBLEM,
        schema: "Problem",
        headers: &["WWW-Authenticate"],
        examples: &["noKey"],
    };
    Forbidden = SharedResponse {
        name: "Forbidden",
        description: "The key may not do this, or its biller is not served.",
        media_type: PROBLEM,
        schema: "Problem",
        headers: &[],
        examples: &["readsOnly"],
    };
    NotFound = SharedResponse {
        name: "NotFound",
        description: "It is not there, or is another's.",
        media_type: PROBLEM,
        schema: "Problem",
        headers: &[],
        examples: &["noSuchThing", "noSuchPath"],
    };
    NoPayment = SharedResponse {
        name: "NoPayment",
        description: "The payment is not there, or is another's.",
        media_type: PROBLEM,
        schema: "Problem",
        headers: &[],
        examples: &["noSuchPayment"],
    };
    TooMany = SharedResponse {
        name: "TooMany",
        description: "Too much at once; the same request may be repeated.",
        media_type: PROBLEM,
        schema: "Problem",
        headers: &["Retry-After"],
        examples: &["tooMany"],
    };
    Unavailable = SharedResponse {
        name: "Unavailable",
        description: "Not at the moment; the same request may be repeated.",
        media_type: PROBLEM,
        schema: "Problem",
        headers: &["Retry-After"],
        examples: &["bankOffline"],
    };
    OtherProblem = SharedResponse {
        name: "Problem",
        description: "A problem: 405 for another method (with `Allow`), 408 for a request that \
                      came too slowly, 413 for a body that is too large, 415 for one that is not \
                      JSON, 500 for a fault of the switch.",
        media_type: PROBLEM,
        schema: "Problem",
        headers: &["Allow"],
        examples: &["bodyTooLarge", "otherMediaType"],
    };
    Notices = SharedResponse {
        name: "Notices",
        description: "Notices and how their delivery stands.",
        media_type: JSON,
        schema: "NoticePage",
        headers: &[],
        examples: &["notices"],
    };
}

/// The refusals that every operation with a permission may give.
pub(in crate::web) struct Usual;

impl IntoResponses for Usual {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refusals = [
            ("400", BadRequest::response()),
            ("401", Unauthorised::response()),
            ("403", Forbidden::response()),
            ("429", TooMany::response()),
            ("503", Unavailable::response()),
            ("default", OtherProblem::response()),
        ];
        let named = |(status, (name, _)): (&str, (&str, _))| {
            (status.to_owned(), RefOr::Ref(Ref::from_response_name(name)))
        };
        refusals.into_iter().map(named).collect()
    }
}
