//! Where the gate's Redis is, and in which form.

use std::fmt;
use std::time::Duration;

/// Groups of a Redis Cluster, unless set otherwise: enough for as many primaries.
pub const GROUPS_DEFAULT: u16 = 16;
/// Most groups.
pub const GROUPS_MAX: u16 = 1_024;

/// One Redis, or one of many behind Sentinels, or many that share the data.
///
/// An address is `redis://[user:password@]host:port`, or `rediss://` for TLS.
#[derive(Clone, PartialEq, Eq)]
pub enum Form {
    /// One server, or one behind a name that never points to two.
    Single {
        /// Its address.
        url: String,
    },
    /// One primary that Sentinels name.
    Sentinel {
        /// Addresses of the Sentinels, any of which may be down.
        urls: Vec<String>,
        /// The name that they know the primary by.
        master: String,
        /// User, password and TLS of the Redis servers themselves; its host is ignored. None:
        /// as in the first of `urls`.
        servers: Option<String>,
    },
    /// A Redis Cluster.
    Cluster {
        /// Addresses of some of its nodes, any of which may be down.
        urls: Vec<String>,
    },
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mask = |urls: &[String]| urls.iter().map(|url| masked(url)).collect::<Vec<_>>();
        match self {
            Self::Single { url } => f.debug_struct("Single").field("url", &masked(url)).finish(),
            Self::Sentinel { urls, master, servers } => f
                .debug_struct("Sentinel")
                .field("urls", &mask(urls))
                .field("master", master)
                .field("servers", &servers.as_deref().map(masked))
                .finish(),
            Self::Cluster { urls } => f.debug_struct("Cluster").field("urls", &mask(urls)).finish(),
        }
    }
}

/// An address without its password.
fn masked(url: &str) -> String {
    let Some(mut url) = redis::parse_redis_url(url) else { return "(not an address)".to_owned() };
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return "(not an address)".to_owned();
    }
    url.to_string()
}

/// What a gate needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// Where Redis is.
    pub form: Form,
    /// The authorities that the certificates of `rediss://` servers may be signed by, as PEM. None:
    /// those that browsers trust.
    pub tls_roots: Option<Box<[u8]>>,
    /// Begins the name of every key, so that several deployments can share a Redis: 1 to 32
    /// letters, digits, `-` and `_`.
    pub namespace: String,
    /// Parts that decide on their own in a Redis Cluster, 1..=[`GROUPS_MAX`]; all nodes must
    /// agree, and a change needs a rebuild from nothing. The other forms have one.
    pub groups: u16,
    /// How long keys are known at least, by elapsed time.
    pub key_retention: Duration,
    /// Most difference between the clocks of Redis and of this node.
    pub clock_tolerance: Duration,
    /// Most time for a connection.
    pub connect_timeout: Duration,
    /// Most time for an answer.
    pub response_timeout: Duration,
    /// Endings and credits a guard keeps while Redis is away, before it gives up.
    pub owed_max: usize,
}

impl RedisSettings {
    /// Those of a namespace, with the defaults for everything else.
    pub fn new(form: Form, namespace: &str) -> Self {
        Self {
            form,
            tls_roots: None,
            namespace: namespace.to_owned(),
            groups: GROUPS_DEFAULT,
            key_retention: Duration::from_hours(48),
            clock_tolerance: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_millis(500),
            owed_max: 1_000_000,
        }
    }

    /// How many groups the form has.
    pub(crate) fn groups_in_use(&self) -> u16 {
        match self.form {
            Form::Single { .. } | Form::Sentinel { .. } => 1,
            Form::Cluster { .. } => self.groups,
        }
    }

    /// The retention of keys in microseconds, as functions take it.
    pub(crate) fn retention_text(&self) -> String {
        i64::try_from(self.key_retention.as_micros()).unwrap_or(i64::MAX).to_string()
    }

    /// The tolerance of clocks in microseconds.
    pub(crate) fn tolerance_micros(&self) -> i64 {
        i64::try_from(self.clock_tolerance.as_micros()).unwrap_or(i64::MAX)
    }

    /// What is wrong with them.
    pub(crate) fn mistake(&self) -> Option<String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let namespace = self.namespace.as_bytes();
        if namespace.is_empty() || namespace.len() > 32 || !namespace.iter().all(|b| is_plain(*b)) {
            return Some(format!(
                "namespace `{}` must be 1 to 32 of A-Z a-z 0-9 - _",
                self.namespace
            ));
        }
        if !(1..=GROUPS_MAX).contains(&self.groups) {
            return Some(format!("groups must be 1 to {GROUPS_MAX}, not {}", self.groups));
        }
        let timeouts = [self.connect_timeout, self.response_timeout];
        if timeouts.iter().any(Duration::is_zero) {
            return Some("a time-out of nothing".to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_ever_printed() {
        let url = "redis://cauce:sesame@10.1.2.3:6379".to_owned();
        let single = Form::Single { url: url.clone() };
        let servers = Some(url.clone());
        let sentinel = Form::Sentinel { urls: vec![url.clone()], master: "m".into(), servers };
        for form in [single, sentinel, Form::Cluster { urls: vec![url] }] {
            let printed = format!("{:?}", RedisSettings::new(form, "n"));
            assert!(printed.contains("10.1.2.3") && !printed.contains("sesame"), "{printed}");
        }
    }

    #[test]
    fn a_namespace_that_would_break_a_hash_tag_is_a_mistake() {
        let form = Form::Single { url: "redis://127.0.0.1".into() };
        assert_eq!(RedisSettings::new(form.clone(), "bank-a_1").mistake(), None);
        for name in ["", "a}b", "a:b", &"a".repeat(33)] {
            assert!(RedisSettings::new(form.clone(), name).mistake().is_some(), "{name}");
        }
    }
}
