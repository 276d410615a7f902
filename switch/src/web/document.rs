//! The OpenAPI document, derived once from the handlers and their types.
//!
//! `utoipa` derives operations and schemas. What it has no words for is added here: rules between
//! the members of a body, examples, headers, and notices (`webhooks`).

pub(super) mod responses;
mod webhooks;

use std::sync::LazyLock;

use codecs::api::{
    NoticeBody, NoticeTypeName, NoticeView, Page, RefundBody, ReversalBody, TestNoticeBody,
};
use router::message::Rail;
use router::rail_needs::PayerNeed;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::payment_answer::Declined;
use super::routes;

/// Examples by name; annotations of handlers name them with an empty value.
static EXAMPLES: &str = include_str!("../../assets/openapi-examples.json");

static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::derived);

/// The document and the routes it describes.
#[derive(Debug)]
pub(super) struct Document {
    json: String,
    routes: Vec<DescribedRoute>,
}

/// The methods of one path.
#[derive(Debug)]
struct DescribedRoute {
    path: String,
    methods: Vec<&'static str>,
}

/// Bodies of requests, and what they hold.
const REQUESTS: [&str; 10] = [
    "BillChange",
    "BillRequest",
    "CardRequest",
    "EndpointChange",
    "EndpointRequest",
    "KeyRequest",
    "KeyRotation",
    "PayerRequest",
    "PaymentRequest",
    "RecoveryRequest",
];

/// In this order `Allow` lists them.
const METHODS: [&str; 5] = ["post", "get", "put", "patch", "delete"];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cauce",
        version = "1",
        description = "Every request but this document's has an API key: `Authorization: Bearer \
            ck_…`. Amounts are whole minor units. Every error is a problem (RFC 9457) with a \
            `code` and a number `no` of the decline catalogue; a declined payment is a problem \
            and the payment in one. Fields may be added to answers. Unknown fields in requests \
            are refused, also where a call needs none: it takes no body or an empty object. \
            Every answer has an `X-Request-Id`, which is the request's own where it had one. \
            Where the switch limits the requests of a key, answers have `RateLimit-Limit`, \
            `RateLimit-Remaining` and `RateLimit-Reset`. Notices are signed as Standard \
            Webhooks; their bodies stand under `webhooks`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "Where this document came from.")),
    tags(
        (name = "payments"),
        (name = "bills", description = "What is owed to billers."),
        (name = "endpoints", description = "Addresses for notices."),
        (name = "notices", description = "How deliveries stand, and what they tell."),
        (name = "keys", description = "API keys."),
        (name = "document"),
    ),
    security(("key" = [])),
    components(schemas(
        Declined<'static>,
        NoticeBody<'static>,
        NoticeTypeName,
        Page<NoticeView>,
        RefundBody,
        ReversalBody,
        TestNoticeBody,
    )),
)]
struct Frame;

impl Document {
    /// The document of this program.
    pub(super) fn get() -> &'static Self {
        &DOCUMENT
    }

    /// Its JSON.
    pub(super) fn json(&self) -> &str {
        &self.json
    }

    /// The paths it describes.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|route| route.path.as_str())
    }

    /// The methods of a path, for `Allow`.
    pub(super) fn methods(&self, path: &str) -> Option<String> {
        let route = self.routes.iter().find(|route| route.path == path)?;
        let methods = route.methods.iter().map(|method| method.to_uppercase());
        Some(methods.collect::<Vec<_>>().join(", "))
    }

    fn derived() -> Self {
        let described = routes::described(Frame::openapi()).into_openapi();
        let mut document =
            serde_json::to_value(described).expect("invariant: texts and numbers serialise");
        add_components(&mut document);
        add_rules(&mut document);
        document["info"]["summary"] =
            json!("Payments, endpoints and notices of a real-time payment switch.");
        document["webhooks"] = webhooks::webhooks();
        let schemas = &mut document["components"]["schemas"];
        schemas.as_object_mut().into_iter().for_each(name_pages);
        tidy(&mut document);
        take_out_nulls(&mut document);
        let routes = described_routes(&document);
        let json = format!("{document:#}\n");
        Self { json, routes }
    }
}

fn described_routes(document: &Value) -> Vec<DescribedRoute> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let route = |(path, item): (&String, &Value)| DescribedRoute {
        path: path.clone(),
        methods: METHODS.into_iter().filter(|method| item.get(method).is_some()).collect(),
    };
    paths.map(route).collect()
}

/// Adds what operations and responses name: responses, headers, parameters, examples, the key.
fn add_components(document: &mut Value) {
    let shared = responses::all();
    let described = |response: &responses::SharedResponse| {
        let value = serde_json::to_value(response.described());
        (response.name.to_owned(), value.expect("invariant: texts and numbers serialise"))
    };
    let components = &mut document["components"];
    components["responses"] = shared.iter().map(described).collect::<Map<_, _>>().into();
    components["headers"] = headers();
    components["parameters"] = webhooks::parameters();
    components["examples"] =
        serde_json::from_str(EXAMPLES).expect("invariant: the examples are JSON");
    components["securitySchemes"] = json!({
        "key": { "type": "http", "scheme": "bearer", "description": "An API key: ck_…" },
    });
}

fn headers() -> Value {
    let header =
        |description: &str, schema: Value| json!({ "description": description, "schema": schema });
    let text = || json!({ "type": "string" });
    json!({
        "Location": header("Path of the payment.", text()),
        "Idempotent-Replayed": header(
            "`true`: this is the stored answer of an earlier request with the same key.",
            json!({ "type": "string", "enum": ["true"] })),
        "Retry-After": header(
            "Seconds after which the same request, with the same key, may be repeated.",
            json!({ "type": "integer", "minimum": 1 })),
        "WWW-Authenticate": header("The scheme that is expected.", text()),
        "Allow": header("Methods that the address takes.", text()),
    })
}

/// Adds rules between members, which derived schemas do not have.
fn add_rules(document: &mut Value) {
    let schemas = &mut document["components"]["schemas"];
    if let (Some(payment), Some(Value::Object(needs))) =
        (schemas["PaymentRequest"].as_object_mut(), payer_needs())
    {
        payment.extend(needs);
    }
    schemas["PaymentProblem"] = refused();
    if let Some(members) = schemas["Declined"]["allOf"].as_array_mut() {
        let state = json!({ "const": "declined" });
        members.push(json!({ "required": ["reason"], "properties": { "state": state } }));
    }
    let served = "/paths/~1openapi.json/get/responses/200/content/application~1json/schema";
    if let Some(schema) = document.pointer_mut(served) {
        schema["required"] = json!(["openapi", "paths"]);
    }
}

/// What a request is told that made no payment, or one that was declined.
fn refused() -> Value {
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    json!({
        "description": "A problem; where the request became a payment, its members too.",
        "anyOf": [
            { "$ref": "#/components/schemas/Declined" },
            { "allOf": [problem, { "not": { "required": ["state"] } }] },
        ],
    })
}

/// What each rail needs of the payer: `if` it is the one, `then` that, `else` the same of the next.
fn payer_needs() -> Option<Value> {
    let rails = Rail::ALL.into_iter().filter(|rail| rail.debits_named_payer());
    rails.rev().fold(None, |others, rail| {
        let needs: Vec<Value> = rail.payer_needs().iter().map(needed).collect();
        let mut rule = json!({
            "if": { "properties": { "rail": { "const": rail.name() } } },
            "then": {
                "required": ["payer"],
                "properties": { "payer": { "type": "object", "allOf": needs } },
            },
        });
        if let Some(others) = others {
            rule["else"] = others;
        }
        Some(rule)
    })
}

/// A payer that has one of the fields.
fn needed(need: &PayerNeed) -> Value {
    let any_of = need.any_of.iter().map(|field| {
        let name = field.member();
        json!({ "required": [name], "properties": { name: { "not": { "type": "null" } } } })
    });
    json!({ "anyOf": any_of.collect::<Vec<_>>() })
}

/// Gives the pages of lists names without an underscore: `PaymentPage`.
fn name_pages(schemas: &mut Map<String, Value>) {
    let names: Vec<String> =
        schemas.keys().filter(|name| name.starts_with("Page_")).cloned().collect();
    for name in names {
        if let Some(page) = schemas.remove(&name) {
            schemas.insert(page_name(&name), page);
        }
    }
}

/// `Page_Payment` is `PaymentPage`; other names are as they are.
fn page_name(name: &str) -> String {
    match name.strip_prefix("Page_") {
        Some(of) => format!("{of}Page"),
        None => name.to_owned(),
    }
}

/// Puts references where an example or a header is only named, and takes the line ends out of
/// descriptions.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            link(members, "examples");
            link(members, "headers");
            if let Some(Value::String(description)) = members.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            if let Some(Value::String(reference)) = members.get_mut("$ref") {
                *reference = renamed(reference);
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn renamed(reference: &str) -> String {
    match reference.rsplit_once('/') {
        Some((folder, name)) => format!("{folder}/{}", page_name(name)),
        None => reference.to_owned(),
    }
}

/// Refers to `components` where a member of `kind` is only named: an example without a value, a
/// header without a description.
fn link(members: &mut Map<String, Value>, kind: &str) {
    let Some(Value::Object(named)) = members.get_mut(kind) else { return };
    for (name, value) in named {
        let is_only_named = match kind {
            "examples" => value.as_object().is_some_and(Map::is_empty),
            _ => value.get("description").is_none() && value.get("$ref").is_none(),
        };
        if is_only_named {
            *value = json!({ "$ref": format!("#/components/{kind}/{name}") });
        }
    }
}

/// Takes `null` out of all but the bodies of requests: a request may say it of what it leaves out,
/// and an answer leaves out what is not known.
fn take_out_nulls(document: &mut Value) {
    without_nulls(&mut document["paths"]);
    let schemas = document["components"]["schemas"].as_object_mut();
    for (name, schema) in schemas.into_iter().flatten() {
        if !REQUESTS.contains(&name.as_str()) {
            without_nulls(schema);
        }
    }
}

/// Takes `null` out of a schema and all below it.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            without_null(members);
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn without_null(members: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = members.get_mut("oneOf") else { return };
    choices.retain(|choice| choice["type"] != "null");
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        members.remove("oneOf");
        members.extend(only);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use router::reason::Reason;

    use super::*;

    fn document() -> Value {
        serde_json::from_str(Document::get().json()).unwrap()
    }

    #[test]
    fn the_file_in_the_repository_is_the_document_that_is_served() {
        let file = include_str!("../../assets/openapi.json");
        let is_same = file == Document::get().json();
        assert!(is_same, "write it anew: cauce openapi > switch/assets/openapi.json");
    }

    #[test]
    fn the_document_lists_every_code_of_the_catalogue() {
        let document = document();
        let problem = &document["components"]["schemas"]["Problem"]["properties"];
        let listed = problem["code"]["x-extensible-enum"].as_array().unwrap();
        let listed: BTreeSet<&str> = listed.iter().map(|code| code.as_str().unwrap()).collect();
        let failures = Reason::ALL.iter().filter(|reason| **reason != Reason::Approved);
        let mut known: BTreeSet<&str> = failures.map(|reason| reason.info().code).collect();
        known.extend(codecs::api::OTHER_CODES);
        assert_eq!(listed, known);
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = document();
        let mut seen = 0;
        for reference in Document::get().json().split("\"$ref\": \"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            seen += 1;
        }
        assert!(seen > 10);
    }

    #[test]
    fn every_response_that_is_described_once_is_used() {
        let json = Document::get().json();
        for response in responses::all() {
            let reference = format!("#/components/responses/{}\"", response.name);
            assert!(json.contains(&reference), "{reference}");
        }
    }

    #[test]
    fn no_answer_says_null_and_no_page_has_an_underscore() {
        let document = document();
        let nullable = |schema: &Value| schema.to_string().contains("\"null\"");
        assert!(!nullable(&document["components"]["schemas"]["Payment"]));
        assert!(nullable(&document["components"]["schemas"]["PaymentRequest"]));
        assert!(!Document::get().json().contains("Page_"));
    }
}
