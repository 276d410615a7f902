//! Signs what is sent to a participant, and checks what comes from it.

use bytes::Bytes;
use codecs::http_signature::{
    self, CONTENT_DIGEST, HttpSignatureError, ReplayRefusal, SIGNATURE, SIGNATURE_INPUT,
    SignatureId, SignatureParameters, SignedParts, content_digest,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use router::time::Timestamp;

use super::JsonParticipant;
use crate::config::{MessageSigner, SignWith, VerifyHow};

/// The label of our signatures among those of a message.
const LABEL: &str = "cauce";

/// Why a message of a participant is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    /// Its signature.
    #[error(transparent)]
    Signature(#[from] HttpSignatureError),
    /// It came before.
    #[error(transparent)]
    Replay(#[from] ReplayRefusal),
}

impl NotBelieved {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature(error) => error.name(),
            Self::Replay(refusal) => refusal.name(),
        }
    }
}

impl JsonParticipant {
    /// Signs a request as the participant asks for.
    ///
    /// Errors: the request has no such part as is to be signed.
    pub(super) fn sign(
        &self,
        request: &mut Request<Bytes>,
        now: Timestamp,
    ) -> Result<(), HttpSignatureError> {
        match &self.json.sign {
            None => Ok(()),
            Some(SignWith::Message(signer)) => sign_message(signer, request, now),
            Some(SignWith::Hmac(hmac)) => {
                for (name, value) in hmac.sign(request.body(), now) {
                    set(request.headers_mut(), name, &value)?;
                }
                Ok(())
            }
        }
    }

    /// Checks the signature of an answer; nothing to check where answers are not signed.
    ///
    /// Errors: [`NotBelieved`].
    pub(super) fn check_answer(
        &self,
        answer: &http::Response<Bytes>,
        now: Timestamp,
    ) -> Result<(), NotBelieved> {
        if self.json.verify.as_ref().is_none_or(|verify| !verify.answers) {
            return Ok(());
        }
        let parts = SignedParts::Answer { status: answer.status(), headers: answer.headers() };
        let id = self.signature_id(parts, answer.body(), now)?;
        self.replays.lock().admit(id, now).map_err(NotBelieved::Replay)
    }

    /// Checks the signature of a message, which must have one.
    ///
    /// Errors: [`HttpSignatureError`].
    pub(super) fn signature_id(
        &self,
        parts: SignedParts<'_>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<SignatureId, HttpSignatureError> {
        let verify = self.json.verify.as_ref().ok_or(HttpSignatureError::Key)?;
        match &verify.how {
            VerifyHow::Message(rules) => http_signature::verify(parts, body, rules, now),
            VerifyHow::Hmac(hmac) => {
                let headers = match parts {
                    SignedParts::Request { headers, .. } | SignedParts::Answer { headers, .. } => {
                        headers
                    }
                };
                hmac.verify(headers, body, verify.tolerance_s, now)
            }
        }
    }
}

fn sign_message(
    signer: &MessageSigner,
    request: &mut Request<Bytes>,
    now: Timestamp,
) -> Result<(), HttpSignatureError> {
    let digest = content_digest(request.body());
    set(request.headers_mut(), HeaderName::from_static(CONTENT_DIGEST), &digest)?;
    let nonce = signer.has_nonce.then(|| hex::encode(rand::random::<[u8; 16]>()));
    let parameters = SignatureParameters {
        label: LABEL,
        created: now,
        expires_in_s: signer.expires_in_s,
        nonce: nonce.as_deref(),
        key_id: &signer.key_id,
    };
    let parts = SignedParts::Request {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
    };
    let signed = http_signature::sign(parts, &signer.components, &parameters, &signer.key)?;
    let headers = request.headers_mut();
    set(headers, HeaderName::from_static(SIGNATURE_INPUT), &signed.input)?;
    set(headers, HeaderName::from_static(SIGNATURE), &signed.signature)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), HttpSignatureError> {
    let value = HeaderValue::from_str(value).map_err(|_| HttpSignatureError::Malformed)?;
    headers.insert(name, value);
    Ok(())
}
