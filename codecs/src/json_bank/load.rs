//! From TOML to a [`JsonDialect`], with every mistake reported at once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use http::{HeaderName, HeaderValue, Method};
use router::reason::{Reason, Retry};

use super::answer::{AmountForm, AnswerMap, CurrencyForm, MEANINGS, StateMeaning};
use super::dialect::{JsonDialect, Operation, OperationMap};
use super::instant::InstantForm;
use super::notification::NotificationMap;
use super::placeholder::Placeholder;
use super::pointer::Pointer;
use super::raw::{RawAnswer, RawDialect, RawOperation};
use super::status::{StatusRules, Treatment};
use super::template::{BodyTemplate, TextTemplate};

/// Headers that belong to the connection, or that the switch sets itself.
const OWN_HEADERS: [&str; 9] = [
    "connection",
    "content-digest",
    "content-length",
    "content-type",
    "expect",
    "host",
    "signature",
    "signature-input",
    "transfer-encoding",
];

/// What is wrong with a dialect, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct DialectMistake {
    /// Dotted key within the file.
    pub key: String,
    /// What is wrong there.
    pub problem: String,
}

impl JsonDialect {
    /// Reads a file.
    ///
    /// Shape:  `constants` are the names that the participant's entry adds to those of the file.
    /// Errors: every mistake in it; where the file is no TOML of a dialect's shape, the first.
    pub fn load(text: &str, constants: &[String]) -> Result<Self, Vec<DialectMistake>> {
        let raw = read(text).map_err(|mistake| vec![mistake])?;
        let known = raw.constants.keys().chain(constants).cloned().collect();
        let mut loader = Loader { known, mistakes: Vec::new() };
        let dialect = loader.dialect(raw);
        if loader.mistakes.is_empty() { Ok(dialect) } else { Err(loader.mistakes) }
    }
}

fn read(text: &str) -> Result<RawDialect, DialectMistake> {
    let wrong = |key: String, problem: String| {
        // The file's text may follow on further lines.
        let problem = problem.lines().next().unwrap_or_default().to_owned();
        DialectMistake { key, problem }
    };
    let document = toml::Deserializer::parse(text)
        .map_err(|error| wrong("file".to_owned(), error.message().to_owned()))?;
    serde_path_to_error::deserialize(document)
        .map_err(|error| wrong(error.path().to_string(), error.inner().message().to_owned()))
}

struct Loader {
    /// Names of constants.
    known: Vec<String>,
    mistakes: Vec<DialectMistake>,
}

impl Loader {
    fn mistake(&mut self, key: &str, problem: impl Display) {
        self.mistakes.push(DialectMistake { key: key.to_owned(), problem: problem.to_string() });
    }

    fn dialect(&mut self, raw: RawDialect) -> JsonDialect {
        let RawDialect { name, constants, headers, answer, .. } = raw;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            self.mistake("name", "has letters, digits, `-`, `_` and `.`");
        }
        let mut operations = BTreeMap::new();
        let given = [Some(raw.start), raw.confirm, raw.inquire, raw.reverse, raw.refund];
        for (operation, raw) in Operation::ALL.into_iter().zip(given) {
            if let Some(raw) = raw
                && let Some(map) = self.operation(operation, raw, &headers, &answer)
            {
                operations.insert(operation, map);
            }
        }
        let notification = raw.notification.and_then(|raw| {
            let attempt = self.pointer("notification.attempt", Some(raw.attempt))?;
            let (key, operation) = ("notification.answer", Operation::Confirm);
            let answer = self.answer(key, operation, raw.answer.over(&answer));
            if answer.state.is_none() {
                self.mistake(key, "needs state and states");
            }
            Some(NotificationMap { attempt, answer })
        });
        JsonDialect { name, constants, operations, notification }
    }

    fn operation(
        &mut self,
        operation: Operation,
        raw: RawOperation,
        headers_of_all: &BTreeMap<String, String>,
        answer_of_all: &RawAnswer,
    ) -> Option<OperationMap> {
        let name = operation.name();
        let method = self.method(name, raw.method.as_deref(), raw.body.is_some());
        let path = self.path(operation, &raw.path);
        let mut headers = self.headers("headers", operation, headers_of_all);
        headers.extend(self.headers(&format!("{name}.headers"), operation, &raw.headers));
        let body = raw.body.and_then(|body| self.body(operation, &body));
        let mut on = StatusRules::default();
        for (status, word) in &raw.on {
            if let Err(problem) = on.add(status, word) {
                self.mistake(&format!("{name}.on.{status}"), problem);
            }
        }
        let key = format!("{name}.answer");
        let answer = self.answer(&key, operation, raw.answer.over(answer_of_all));
        let states = answer.state.iter().flat_map(|(_, states)| states.values());
        let can_approve = on.gives(Treatment::Approved)
            || states.into_iter().any(|meaning| *meaning == StateMeaning::Approved);
        if !can_approve && matches!(operation, Operation::Start | Operation::Inquire) {
            let problem = "no state and no status means approved: no payment could succeed";
            self.mistake(&key, problem);
        }
        Some(OperationMap { method, path: path?, headers, body, on, answer })
    }

    fn method(&mut self, name: &str, method: Option<&str>, has_body: bool) -> Method {
        let key = format!("{name}.method");
        let method = match method {
            None if has_body => Method::POST,
            None => Method::GET,
            Some("GET") => Method::GET,
            Some("POST") => Method::POST,
            Some("PUT") => Method::PUT,
            Some("PATCH") => Method::PATCH,
            Some("DELETE") => Method::DELETE,
            Some(other) => {
                let problem = format!("`{other}` is not one of GET, POST, PUT, PATCH, DELETE");
                self.mistake(&key, problem);
                Method::POST
            }
        };
        if has_body && method == Method::GET {
            self.mistake(&key, "GET has no body");
        }
        method
    }

    /// A path and perhaps a query. Values in it are escaped; what stands in it besides is not.
    fn path(&mut self, operation: Operation, text: &str) -> Option<TextTemplate> {
        let key = format!("{}.path", operation.name());
        let path = self.text(&key, operation, text)?;
        let is_of_path = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte);
        if !text.starts_with('/') || text.starts_with("//") {
            self.mistake(&key, "begins with one `/`");
        }
        if !path.literals().all(|literal| literal.bytes().all(is_of_path)) {
            self.mistake(&key, "has a character that no web address has: write it as %XX");
        }
        if path.literals().any(|literal| literal.split('/').any(|it| it == "." || it == "..")) {
            self.mistake(&key, "has a segment `.` or `..`");
        }
        Some(path)
    }

    fn headers(
        &mut self,
        place: &str,
        operation: Operation,
        raw: &BTreeMap<String, String>,
    ) -> Vec<(HeaderName, TextTemplate)> {
        let mut headers = Vec::new();
        for (name, text) in raw {
            let key = format!("{place}.{name}");
            let known: Option<HeaderName> = name.parse().ok();
            let Some(header) = known.filter(|own| !OWN_HEADERS.contains(&own.as_str())) else {
                self.mistake(&key, "is no header that a dialect can set");
                continue;
            };
            if let Some(text) = self.text(&key, operation, text) {
                if !text.literals().all(|literal| HeaderValue::from_str(literal).is_ok()) {
                    self.mistake(&key, "has a character that no header takes");
                }
                headers.push((header, text));
            }
        }
        headers
    }

    /// A text outside a body.
    fn text(&mut self, key: &str, operation: Operation, text: &str) -> Option<TextTemplate> {
        match TextTemplate::parse(text) {
            Ok(template) => {
                for value in template.values() {
                    self.check_value(key, operation, value);
                    if value.is_secret() {
                        let problem = format!("`{value}` may stand in a body alone");
                        self.mistake(key, problem);
                    }
                }
                Some(template)
            }
            Err(problem) => {
                self.mistake(key, problem);
                None
            }
        }
    }

    fn body(&mut self, operation: Operation, raw: &toml::Value) -> Option<BodyTemplate> {
        let key = format!("{}.body", operation.name());
        if !raw.is_table() {
            self.mistake(&key, "is no table");
        }
        match BodyTemplate::parse(raw, &key) {
            Ok(body) => {
                for value in body.values() {
                    self.check_value(&key, operation, value);
                }
                Some(body)
            }
            Err((key, problem)) => {
                self.mistake(&key, problem);
                None
            }
        }
    }

    fn check_value(&mut self, key: &str, operation: Operation, value: &Placeholder) {
        if let Placeholder::Constant(name) = value
            && !self.known.contains(name)
        {
            self.mistake(key, format!("there is no constant `{name}`"));
        }
        if !value.is_known_to(operation) {
            self.mistake(key, format!("`{value}` is not known to {}", operation.name()));
        }
    }

    fn answer(&mut self, key: &str, operation: Operation, raw: RawAnswer) -> AnswerMap {
        let at = |name: &str| format!("{key}.{name}");
        let state = self.state(key, &raw);
        let redirect = self.pointer(&at("redirect"), raw.redirect);
        let meanings = state.iter().flat_map(|(_, states)| states.values());
        let redirects = meanings.into_iter().any(|it| *it == StateMeaning::AwaitingRedirect);
        if redirects && redirect.is_none() {
            self.mistake(&at("redirect"), "is missing, and a state waits for a redirect");
        }
        let (minor, decimal) = (raw.amount_minor, raw.amount_decimal);
        if minor.is_some() && decimal.is_some() {
            self.mistake(&at("amount_minor"), "stands beside amount_decimal");
        }
        let minor = self.pointer(&at("amount_minor"), minor).map(|it| (it, AmountForm::Minor));
        let decimal =
            self.pointer(&at("amount_decimal"), decimal).map(|it| (it, AmountForm::Decimal));
        let letters = self.pointer(&at("currency"), raw.currency);
        let number = self.pointer(&at("currency_number"), raw.currency_number);
        let number = number.map(|it| (it, CurrencyForm::Number));
        let form = self.instant_form(&at("until_form"), raw.until_form.as_deref());
        AnswerMap {
            state,
            code: self.pointer(&at("code"), raw.code),
            codes: self.codes(&at("codes"), raw.codes.unwrap_or_default()),
            authorisation: self.pointer(&at("authorisation"), raw.authorisation),
            reference: self.pointer(&at("reference"), raw.reference),
            amount: minor.or(decimal),
            currency: letters.map(|it| (it, CurrencyForm::Letters)).or(number),
            echo: self.echo(&at("echo"), operation, raw.echo.unwrap_or_default()),
            redirect,
            until: self.pointer(&at("until"), raw.until).map(|it| (it, form)),
        }
    }

    fn state(
        &mut self,
        key: &str,
        raw: &RawAnswer,
    ) -> Option<(Pointer, BTreeMap<String, StateMeaning>)> {
        let pointer = self.pointer(&format!("{key}.state"), raw.state.clone());
        let mut states = BTreeMap::new();
        for (word, meaning) in raw.states.iter().flatten() {
            match MEANINGS.iter().find(|(own, _)| own == meaning) {
                Some((_, meaning)) => drop(states.insert(word.clone(), *meaning)),
                None => {
                    let words = MEANINGS.map(|(word, _)| word).join(", ");
                    let problem = format!("`{meaning}` is not one of {words}");
                    self.mistake(&format!("{key}.states.{word}"), problem);
                }
            }
        }
        if raw.state.is_some() != raw.states.is_some() {
            self.mistake(&format!("{key}.states"), "state and states go together");
        }
        pointer.map(|pointer| (pointer, states))
    }

    fn codes(&mut self, key: &str, raw: BTreeMap<String, String>) -> BTreeMap<String, Reason> {
        let mut codes = BTreeMap::new();
        for (code, name) in raw {
            let reason = Reason::ALL.into_iter().find(|reason| reason.info().code == name);
            match reason.filter(|reason| is_decline(*reason)) {
                Some(reason) => drop(codes.insert(code, reason)),
                None => {
                    let problem = format!("`{name}` is no code of a decline in the catalogue");
                    self.mistake(&format!("{key}.{code}"), problem);
                }
            }
        }
        codes
    }

    fn echo(
        &mut self,
        key: &str,
        operation: Operation,
        raw: BTreeMap<String, String>,
    ) -> Vec<(Pointer, TextTemplate)> {
        let mut echo = Vec::new();
        for (pointer, text) in raw {
            let key = format!("{key}.{pointer}");
            let template = self.text(&key, operation, &text);
            if let (Some(pointer), Some(template)) = (self.pointer(&key, Some(pointer)), template) {
                echo.push((pointer, template));
            }
        }
        echo
    }

    fn pointer(&mut self, key: &str, text: Option<String>) -> Option<Pointer> {
        match Pointer::from_str(&text?) {
            Ok(pointer) => Some(pointer),
            Err(error) => {
                self.mistake(key, error);
                None
            }
        }
    }

    fn instant_form(&mut self, key: &str, word: Option<&str>) -> InstantForm {
        let form = word.map(InstantForm::of_word);
        if form == Some(None) {
            let problem = "is not rfc3339, unix, unix_ms or a pattern such as YYYYMMDDhhmmss";
            self.mistake(key, problem);
        }
        form.flatten().unwrap_or(InstantForm::Rfc3339)
    }
}

/// Whether a bank can decline with it: neither a success, nor what leaves the outcome open.
fn is_decline(reason: Reason) -> bool {
    match reason.info().retry {
        Retry::NotNeeded | Retry::AskFirst => false,
        Retry::No | Retry::SameKey => reason != Reason::Pending,
    }
}
