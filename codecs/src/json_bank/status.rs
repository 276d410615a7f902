//! What an HTTP status says by itself.

/// What is made of an answer with a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// The body decides.
    Read,
    /// Carried out, as far as the body does not contradict.
    Approved,
    /// A decline, whatever the body says.
    Declined,
    /// A decline where the body has a state or a code that the dialect lists as one.
    DeclinedIfMapped,
    /// The bank knows no such payment.
    NotFound,
    /// The bank guarantees that the request was not carried out and never will be.
    NotProcessed,
    /// Nothing is known.
    Unknown,
}

/// Their words in a dialect.
pub(super) const TREATMENTS: [(&str, Treatment); 7] = [
    ("read", Treatment::Read),
    ("approved", Treatment::Approved),
    ("declined", Treatment::Declined),
    ("declined_if_mapped", Treatment::DeclinedIfMapped),
    ("not_found", Treatment::NotFound),
    ("not_processed", Treatment::NotProcessed),
    ("unknown", Treatment::Unknown),
];

/// The treatments of a dialect: `200`, or a class, `4xx`; the single status wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StatusRules {
    rules: Vec<(u16, Treatment)>,
    classes: Vec<(u16, Treatment)>,
}

impl StatusRules {
    /// Adds a rule.
    ///
    /// Errors: what is wrong with it. A 5xx says nothing of what became of the request, and neither
    ///         does silence: such rules are refused, however the bank's manual puts it.
    pub(super) fn add(&mut self, key: &str, word: &str) -> Result<(), String> {
        let treatment = TREATMENTS.iter().find(|(own, _)| *own == word).map(|(_, it)| *it);
        let treatment = treatment.ok_or_else(|| {
            let words = TREATMENTS.map(|(word, _)| word).join(", ");
            format!("`{word}` is not one of {words}")
        })?;
        let class = key.strip_suffix("xx").and_then(|class| class.parse().ok());
        let class = class.filter(|class| (1..=5).contains(class));
        let status = key.parse().ok().filter(|status| (100..=599).contains(status));
        let is_silent = key == "timeout" || class == Some(5) || status.is_some_and(|it| it >= 500);
        if is_silent && treatment != Treatment::Unknown {
            return Err("says nothing of the payment: it can only be `unknown`".to_owned());
        }
        match (class, status) {
            (Some(class), _) => self.classes.push((class, treatment)),
            (None, Some(status)) => self.rules.push((status, treatment)),
            (None, None) if key == "timeout" => {}
            (None, None) => return Err("is no status, no class such as 4xx and not timeout".into()),
        }
        Ok(())
    }

    /// The treatment of a status. Without a rule 2xx is read, 4xx is a decline where it is mapped as
    /// one, and everything else says nothing.
    pub(super) fn of(&self, status: u16) -> Treatment {
        let found = self.rules.iter().find(|(own, _)| *own == status);
        let found = found.or_else(|| self.classes.iter().find(|(own, _)| *own == status / 100));
        match (found, status) {
            (Some((_, treatment)), _) => *treatment,
            (None, 200..=299) => Treatment::Read,
            (None, 400..=499) => Treatment::DeclinedIfMapped,
            (None, _) => Treatment::Unknown,
        }
    }

    /// Whether a rule gives this treatment.
    pub(super) fn gives(&self, treatment: Treatment) -> bool {
        self.rules.iter().chain(&self.classes).any(|(_, own)| *own == treatment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_server_errors_are_never_more_than_unknown() {
        let mut rules = StatusRules::default();
        for key in ["5xx", "503", "timeout"] {
            assert_eq!(rules.add(key, "unknown"), Ok(()), "{key}");
            for word in ["declined", "not_processed", "approved", "read", "not_found"] {
                assert!(rules.add(key, word).is_err(), "{key} {word}");
            }
        }
        assert!(rules.add("6xx", "read").is_err());
        assert!(rules.add("4xx", "perhaps").is_err());
        assert_eq!(rules.add("409", "not_processed"), Ok(()));
        assert_eq!(rules.add("4xx", "declined"), Ok(()));
        let of = |status| rules.of(status);
        assert_eq!((of(409), of(404)), (Treatment::NotProcessed, Treatment::Declined));
        for status in [100, 302, 500, 503, 599] {
            assert_eq!(of(status), Treatment::Unknown, "{status}");
        }
        assert_eq!(StatusRules::default().of(422), Treatment::DeclinedIfMapped);
    }
}
