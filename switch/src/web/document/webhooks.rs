//! What endpoints are sent, and how it is signed: one `webhooks` entry for each type of notice.

use router::notice::NoticeType;
use serde_json::{Map, Value, json};

/// The `webhooks` of the document.
pub(super) fn webhooks() -> Value {
    let payments = NoticeType::ALL.into_iter().map(|kind| {
        let (operation_id, summary, example) = words(kind);
        let body = json!({ "allOf": [
            { "$ref": "#/components/schemas/NoticeBody" },
            { "properties": { "type": { "const": kind.name() } } },
        ] });
        let answers = json!({
            "2XX": { "description": "Taken: it is not sent again." },
            "410": { "description": "The endpoint is deleted." },
            "default": {
                "description": "Tried again, with longer and longer pauses; redirects are not \
                                followed. 429 and 503 may ask for a pause with Retry-After, of an \
                                hour at most: until it ends, no notice goes to the endpoint.",
                "headers": { "Retry-After": {} },
            },
        });
        (kind.name().to_owned(), webhook(operation_id, summary, &body, example, &answers))
    });
    let body = json!({ "$ref": "#/components/schemas/TestNoticeBody" });
    let answers = json!({
        "2XX": { "description": "Taken." },
        "default": { "description": "Not tried again." },
    });
    let summary = "A test that the biller asked for";
    let test = webhook("endpointTest", summary, &body, "noticeTest", &answers);
    payments.chain([("endpoint.test".to_owned(), test)]).collect::<Map<_, _>>().into()
}

/// The operation's id, its summary, and the name of the example of a type of notice.
fn words(kind: NoticeType) -> (&'static str, &'static str, &'static str) {
    match kind {
        NoticeType::PaymentApproved => {
            ("paymentApproved", "A payment was approved", "noticeApproved")
        }
        NoticeType::PaymentDeclined => {
            ("paymentDeclined", "A payment was declined", "noticeDeclined")
        }
        NoticeType::PaymentUnknown => (
            "paymentUnknown",
            "A payment's outcome is not known; it is being undone",
            "noticeUnknown",
        ),
        NoticeType::PaymentReversed => {
            ("paymentReversed", "A payment, or a part of it, was undone", "noticeReversed")
        }
        NoticeType::PaymentExpired => (
            "paymentExpired",
            "What a payment waited for did not come in time; no money moved",
            "noticeExpired",
        ),
        NoticeType::PaymentRefunded => {
            ("paymentRefunded", "Money of a payment was given back", "noticeRefunded")
        }
    }
}

fn webhook(
    operation_id: &str,
    summary: &str,
    schema: &Value,
    example: &str,
    responses: &Value,
) -> Value {
    json!({ "post": {
        "operationId": operation_id,
        "tags": ["notices"],
        "summary": summary,
        "security": [],
        "parameters": [
            { "$ref": "#/components/parameters/webhookId" },
            { "$ref": "#/components/parameters/webhookTimestamp" },
            { "$ref": "#/components/parameters/webhookSignature" },
        ],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": schema, "examples": { example: {} } } },
        },
        "responses": responses,
    } })
}

/// The headers of a notice.
pub(super) fn parameters() -> Value {
    let header = |name: &str, pattern: &str, description: &str| {
        json!({
            "name": name,
            "in": "header",
            "required": true,
            "description": description,
            "schema": { "type": "string", "pattern": pattern },
        })
    };
    json!({
        "webhookId": header("webhook-id", "^ntc_",
            "Names the notice; the same at every attempt. Take each once."),
        "webhookTimestamp": header("webhook-timestamp", "^[0-9]+$",
            "Seconds since 1970 of this attempt; refuse one that is minutes away."),
        "webhookSignature": header("webhook-signature", "^v1,",
            "`v1,` and base64 of HMAC-SHA256, under the bytes that the endpoint's secret has in \
             base64 behind `whsec_`, over `{webhook-id}.{webhook-timestamp}.{body}`, the body as \
             it came. While a secret is being changed there are several signatures, one blank \
             between them, the newest secret's first."),
    })
}
