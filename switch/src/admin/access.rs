//! Whose requests the admin port answers: those that name it, and none of a web page.
//!
//! A page in an operator's browser can send requests to any address the browser reaches. Under a
//! name of its own that it points here, it could even read the answers. So a request must name a
//! host of this port, which such a page cannot, and must not come from a page at all. A command
//! needs a token besides, from a file that only the switch's user can read.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version};
use storage::private_file;
use subtle::ConstantTimeEq;

use crate::config::AdminConfig;
use crate::outbound::address::Host;

/// The file of the token, in the data folder.
pub const TOKEN_FILE: &str = "drain-token";
/// A shorter text is no token.
const TOKEN_LEN_MIN: usize = 32;
const LOCALHOST: &str = "localhost";

/// What a request must show.
#[derive(Debug)]
pub struct Access {
    hosts: Vec<Host>,
    token: PathBuf,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// It names no host, or one that is not this port's.
    #[error("this is not the host that was asked for; admin.hosts lists further names")]
    Host,
    /// A web page sends it.
    #[error("no web page is answered here")]
    Origin,
    /// It does not carry the token.
    #[error(
        "a token is needed: Authorization: Bearer, from the file drain-token of the data folder"
    )]
    Token,
}

impl Access {
    /// What is configured; makes the token of a data folder that has none.
    ///
    /// Errors: the token cannot be written.
    pub fn new(config: &AdminConfig, dir: &Path) -> io::Result<Self> {
        let token = dir.join(TOKEN_FILE);
        std::fs::create_dir_all(dir)?;
        let random: [u8; 32] = rand::random();
        private_file::create(&token, format!("{}\n", URL_SAFE_NO_PAD.encode(random)).as_bytes())?;
        let mut hosts = config.hosts.clone();
        if !config.listen.ip().is_unspecified() {
            hosts.push(Host::Ip(config.listen.ip()));
        }
        Ok(Self { hosts, token })
    }

    /// Whether a request that came in at this address is answered.
    ///
    /// Errors: why it is not.
    pub fn check<B>(&self, request: &Request<B>, at: IpAddr) -> Result<(), Stranger> {
        let headers = request.headers();
        if headers.contains_key(ORIGIN) {
            return Err(Stranger::Origin);
        }
        // A request for a proxy names its host twice; both must be right.
        let named = request.uri().authority().map(|named| self.is_own(named, at));
        let mut hosts = headers.get_all(HOST).iter();
        let is_right = match (hosts.next(), hosts.next()) {
            // Probes that speak HTTP/1.0 name no host. A browser always does.
            (None, None) => request.version() == Version::HTTP_10,
            (Some(host), None) => {
                let named = Authority::try_from(host.as_bytes());
                named.is_ok_and(|named| self.is_own(&named, at))
            }
            (_, Some(_)) => false,
        };
        if is_right && named != Some(false) { Ok(()) } else { Err(Stranger::Host) }
    }

    /// Whether a host is this port's: a configured name, the address it listens on, or the one
    /// that the connection came in on. Its port says nothing: it may be forwarded.
    fn is_own(&self, named: &Authority, at: IpAddr) -> bool {
        if named.as_str().contains('@') {
            return false;
        }
        let at = at.to_canonical();
        match named.host().parse() {
            Ok(Host::Name(name)) if name == LOCALHOST && at.is_loopback() => true,
            Ok(Host::Ip(ip)) if ip.to_canonical() == at => true,
            Ok(host) => self.hosts.contains(&host),
            Err(_) => false,
        }
    }

    /// Whether a request may command the switch: drain it, trace its lines. Reads the file, so that
    /// a token put there counts at once. Blocks for it.
    ///
    /// Errors: it may not.
    pub fn may_command(&self, headers: &HeaderMap) -> Result<(), Stranger> {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, shown) = shown.and_then(|value| value.split_once(' ')).unwrap_or_default();
        let token = std::fs::read_to_string(&self.token).inspect_err(|error| {
            tracing::warn!(%error, file = %self.token.display(), "the drain token cannot be read");
        });
        let token = token.unwrap_or_default();
        let (token, shown) = (token.trim().as_bytes(), shown.trim().as_bytes());
        let is_right = token.len() >= TOKEN_LEN_MIN
            && scheme.eq_ignore_ascii_case("bearer")
            && bool::from(token.ct_eq(shown));
        if is_right { Ok(()) } else { Err(Stranger::Token) }
    }
}

impl Stranger {
    /// Its name in metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Token => "token",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }
}

impl IntoResponse for Stranger {
    fn into_response(self) -> Response {
        metrics::counter!("cauce_admin_refused_total", "why" => self.name()).increment(1);
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if self == Self::Token {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    const LOOPBACK: &str = "127.0.0.1";
    const POD: &str = "10.244.1.7";

    fn access(dir: &Path, listen: &str) -> Access {
        let config = AdminConfig {
            listen: listen.parse().expect("an address"),
            hosts: vec!["cauce.ops.example".parse().expect("a host")],
            connections_max: 1,
            header_timeout: Duration::from_secs(1),
        };
        Access::new(&config, dir).expect("a token")
    }

    fn request(headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri("/readyz");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request")
    }

    #[test]
    fn a_request_must_name_a_host_of_this_port() {
        let dir = tempfile::tempdir().expect("a folder");
        let open = access(dir.path(), "0.0.0.0:9090");
        let check = |host: &str, at: &str, expect: bool| {
            let found = open.check(&request(&[("host", host)]), at.parse().expect("an address"));
            assert_eq!(found.is_ok(), expect, "{host} at {at}");
        };
        for host in
            ["127.0.0.1:9090", "127.0.0.1", "localhost:19090", "LOCALHOST", "cauce.ops.example"]
        {
            check(host, LOOPBACK, true);
        }
        check("10.244.1.7:9090", POD, true);
        check("Cauce.Ops.example:9090", POD, true);
        check("[::1]:9090", "::1", true);
        check("127.0.0.1:9090", "::ffff:127.0.0.1", true);
        // A name that its owner points here, tricks of writing, and addresses of others.
        let foreign = [
            "evil.example",
            "evil.example:9090",
            "",
            "127.0.0.1@evil.example",
            "127.1",
            "localhost.",
            "127.0.0.1.evil.example",
            "0.0.0.0",
            "2130706433",
            "[127.0.0.1]",
        ];
        for host in foreign {
            check(host, LOOPBACK, false);
        }
        check("localhost", POD, false);
        check("127.0.0.1", POD, false);
        check("10.244.1.8", POD, false);
        let fixed = access(dir.path(), "10.244.1.7:9090");
        let at = LOOPBACK.parse().expect("an address");
        assert_eq!(fixed.check(&request(&[("host", "10.244.1.7:9090")]), at), Ok(()));
    }

    #[test]
    fn a_request_without_a_host_is_answered_in_http_1_0_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let access = access(dir.path(), "127.0.0.1:9090");
        let at = LOOPBACK.parse().expect("an address");
        assert_eq!(access.check(&request(&[]), at), Err(Stranger::Host));
        let mut old = request(&[]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(access.check(&old, at), Ok(()));
        let two = request(&[("host", "localhost"), ("host", "evil.example")]);
        assert_eq!(access.check(&two, at), Err(Stranger::Host));
        let mut proxied = request(&[("host", "localhost")]);
        *proxied.uri_mut() = "http://evil.example/readyz".parse().expect("an address");
        assert_eq!(access.check(&proxied, at), Err(Stranger::Host));
    }

    #[test]
    fn no_web_page_is_answered_not_even_one_of_this_host() {
        let dir = tempfile::tempdir().expect("a folder");
        let access = access(dir.path(), "127.0.0.1:9090");
        let at = LOOPBACK.parse().expect("an address");
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9090", ""] {
            let request = request(&[("host", "127.0.0.1:9090"), ("origin", origin)]);
            assert_eq!(access.check(&request, at), Err(Stranger::Origin), "{origin}");
        }
    }

    #[test]
    fn draining_needs_the_token_of_a_file_that_is_its_owner_s_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let access = access(dir.path(), "127.0.0.1:9090");
        let path = dir.path().join(TOKEN_FILE);
        let token = std::fs::read_to_string(&path).expect("a token");
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let token = token.trim();
        let check = |value: &str, expect: bool| {
            let found = access.may_command(request(&[("authorization", value)]).headers());
            assert_eq!(found.is_ok(), expect, "{value}");
        };
        check(&format!("Bearer {token}"), true);
        check(&format!("bearer {token}"), true);
        check(&format!("Basic {token}"), false);
        check(token, false);
        check("Bearer ", false);
        check(&format!("Bearer {}", &token[1..]), false);
        assert_eq!(access.may_command(&HeaderMap::new()), Err(Stranger::Token));
        // The token of the next start is the same; one put there counts at once; none drains nothing.
        self::access(dir.path(), "127.0.0.1:9090");
        check(&format!("Bearer {token}"), true);
        private_file::replace(&path, &[b'x'; 32]).expect("written");
        check(&format!("Bearer {token}"), false);
        check(&format!("Bearer {}", "x".repeat(32)), true);
        private_file::replace(&path, b"").expect("written");
        check("Bearer ", false);
        std::fs::remove_file(&path).expect("removed");
        check(&format!("Bearer {token}"), false);
    }
}
