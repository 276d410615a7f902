//! Reading a web address that comes from outside. The text has one meaning here or is refused: two
//! programs that read it differently would let one vet an address and the other connect elsewhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

use super::AddressRule;

/// Longest web address.
pub const URL_LEN_MAX: usize = 2048;
/// Longest name of a host, and of one label of it (RFC 1035 section 2.3.4).
const NAME_LEN_MAX: usize = 253;
const LABEL_LEN_MAX: usize = 63;

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a web address with a host.
    #[error("is not a web address with a host")]
    NotAnAddress,
    /// Longer than [`URL_LEN_MAX`].
    #[error("is longer than {URL_LEN_MAX} characters")]
    TooLong,
    /// It has characters beyond ASCII.
    #[error("must be in ASCII: an international name as xn--…, any other character as %XX")]
    NotAscii,
    /// It has a blank, a control character or a backslash.
    #[error("must not hold blanks, control characters or backslashes")]
    Blank,
    /// Not `https`.
    #[error("must begin with https://")]
    NotHttps,
    /// It carries a user's name or password.
    #[error("must not carry a user name or password")]
    UserInfo,
    /// It carries a fragment, which no server would see.
    #[error("must not carry a fragment")]
    Fragment,
    /// Its port is no number from 1 to 65535.
    #[error("must name a port from 1 to 65535, or none")]
    Port,
    /// Its host is neither a name, nor an address in its usual form.
    #[error("must name its host as shop.example, 192.0.2.1 or [2001:db8::1] are written")]
    Host,
    /// The host is an address of a network that is not public.
    #[error("must be on a public network")]
    NotPublic,
}

/// What a web address leads to, as it is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The machine.
    pub host: Host,
    /// TCP port, never 0.
    pub port: u16,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// By its address.
    Ip(IpAddr),
    /// By a name, in lower case.
    Name(String),
}

impl AddressRule {
    /// A web address in its one normal form, checked as far as can be without a name server.
    ///
    /// Shape: scheme and host in lower case, no port where it is the scheme's own, a path at least.
    /// Errors: [`AddressError`].
    pub fn check(self, url: &str) -> Result<Uri, AddressError> {
        check_text(url)?;
        let uri: Uri = url.parse().map_err(|_| AddressError::NotAnAddress)?;
        let scheme = uri.scheme().ok_or(AddressError::NotAnAddress)?;
        let is_known =
            *scheme == Scheme::HTTPS || (self == Self::Anywhere && *scheme == Scheme::HTTP);
        if !is_known {
            return Err(AddressError::NotHttps);
        }
        let destination = Destination::of(&uri)?;
        if let Host::Ip(ip) = destination.host
            && !self.allows(ip)
        {
            return Err(AddressError::NotPublic);
        }
        normal(&uri, &destination).parse().map_err(|_| AddressError::NotAnAddress)
    }
}

impl Destination {
    /// Where a web address leads.
    ///
    /// Errors: [`AddressError`]; what cannot be read in one way alone leads nowhere.
    pub fn of(uri: &Uri) -> Result<Self, AddressError> {
        let authority = uri.authority().ok_or(AddressError::NotAnAddress)?.as_str();
        if authority.contains('@') {
            return Err(AddressError::UserInfo);
        }
        let host_len = match authority.strip_prefix('[') {
            Some(_) => authority.find(']').map_or(authority.len(), |end| end + 1),
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at(host_len);
        let port = match port.strip_prefix(':') {
            Some(digits) => read_port(digits)?,
            None if port.is_empty() => own_port(uri),
            None => return Err(AddressError::Host),
        };
        Ok(Self { host: read_host(host)?, port })
    }
}

impl FromStr for Destination {
    type Err = AddressError;

    /// Reads a host with its port, as in `bank.example:8583`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::Port)?;
        Ok(Self { host: read_host(host)?, port: read_port(port)? })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl FromStr for Host {
    type Err = AddressError;

    /// Reads a host as it stands in a web address, without a port.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        read_host(text)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What no parser is asked about, because parsers disagree on it.
fn check_text(url: &str) -> Result<(), AddressError> {
    if url.len() > URL_LEN_MAX {
        return Err(AddressError::TooLong);
    }
    if !url.is_ascii() {
        return Err(AddressError::NotAscii);
    }
    if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
        return Err(AddressError::Blank);
    }
    // The parser drops a fragment without a word.
    if url.contains('#') { Err(AddressError::Fragment) } else { Ok(()) }
}

fn normal(uri: &Uri, destination: &Destination) -> String {
    let (scheme, host) = (uri.scheme_str().unwrap_or_default(), &destination.host);
    let port = match destination.port {
        port if port == own_port(uri) => String::new(),
        port => format!(":{port}"),
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{host}{port}{slash}{path}")
}

/// The port of a scheme.
fn own_port(uri: &Uri) -> u16 {
    if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 }
}

fn read_port(digits: &str) -> Result<u16, AddressError> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    match digits.parse() {
        Ok(port) if is_plain => Ok(port),
        Ok(_) | Err(_) => Err(AddressError::Port),
    }
}

fn read_host(text: &str) -> Result<Host, AddressError> {
    if let Some(rest) = text.strip_prefix('[') {
        let inner = rest.strip_suffix(']').ok_or(AddressError::Host)?;
        let ip: Ipv6Addr = inner.parse().map_err(|_| AddressError::Host)?;
        return Ok(Host::Ip(ip.into()));
    }
    if let Ok(ip) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(ip.into()));
    }
    let is_name = text.len() <= NAME_LEN_MAX && text.split('.').all(is_label);
    match text.rsplit('.').next() {
        Some(last) if is_name && !is_number(last) => Ok(Host::Name(text.to_ascii_lowercase())),
        Some(_) | None => Err(AddressError::Host),
    }
}

fn is_label(label: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LABEL_LEN_MAX).contains(&label.len())
        && label.bytes().all(is_known)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether a name that ends so is read by some as an IPv4 address: in decimal, octal or hexadecimal
/// digits, of one to four parts.
///
/// Source: url.spec.whatwg.org, "ends in a number checker"; inet_aton(3).
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: Result<&str, AddressError>) {
        let found = AddressRule::Public.check(url).map(|uri| uri.to_string());
        assert_eq!(found, expect.map(str::to_owned), "{url:?}");
    }

    #[test]
    fn an_endpoint_is_an_https_address_without_user_or_fragment() {
        check("https://shop.example/hook?x=1", Ok("https://shop.example/hook?x=1"));
        check("https://shop.example:8443", Ok("https://shop.example:8443/"));
        check("http://shop.example/hook", Err(AddressError::NotHttps));
        check("ftp://shop.example/hook", Err(AddressError::NotHttps));
        check("/hook", Err(AddressError::NotAnAddress));
        check("https://", Err(AddressError::NotAnAddress));
        check("https://user:word@shop.example/", Err(AddressError::UserInfo));
        check("https://shop.example/#top", Err(AddressError::Fragment));
        check(&format!("https://a.example/{}", "x".repeat(2048)), Err(AddressError::TooLong));
        assert!(AddressRule::Anywhere.check("http://127.0.0.1:9/").is_ok());
        assert!(AddressRule::Anywhere.check("ftp://127.0.0.1:9/").is_err());
    }

    #[test]
    fn equal_addresses_have_one_normal_form() {
        for url in ["HTTPS://Shop.Example", "https://SHOP.example/", "https://shop.example:443/"] {
            check(url, Ok("https://shop.example/"));
        }
        check("https://shop.example?x=1", Ok("https://shop.example/?x=1"));
        check("https://shop.example/A%2fb", Ok("https://shop.example/A%2fb"));
        check("https://xn--bcher-kva.example/", Ok("https://xn--bcher-kva.example/"));
        check("https://[2001:503:BA3E:0::2:30]/", Ok("https://[2001:503:ba3e::2:30]/"));
        check("https://198.41.0.4:8443/x", Ok("https://198.41.0.4:8443/x"));
        let clear = AddressRule::Anywhere.check("http://127.0.0.1:80/x").map(|uri| uri.to_string());
        assert_eq!(clear.as_deref(), Ok("http://127.0.0.1/x"));
    }

    #[test]
    fn a_host_that_is_an_address_of_a_network_of_our_own_is_refused() {
        for host in ["127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "[fe80::1]"] {
            check(&format!("https://{host}/"), Err(AddressError::NotPublic));
        }
    }

    #[test]
    fn a_host_that_two_programs_would_read_differently_is_refused() {
        let hosts = [
            // IPv4 in brackets, IPv6 with a zone, things that are neither.
            "[127.0.0.1]",
            "[10.0.0.1]",
            "[localhost]",
            "[2130706433]",
            "[0x7f.1]",
            "[::1%25lo]",
            "[v1.fe80::a+en1]",
            "[]",
            "[::1",
            "[[::1]]",
            "[::1]x",
            "::1",
            // IPv4 in other digits, and in fewer parts.
            "2130706433",
            "0x7f000001",
            "0X7F000001",
            "0x",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "127.1",
            "127.0.1",
            "017700000001",
            "0",
            "127.0.0.01",
            "127.0.0.256",
            "1.2.3.4.5",
            "shop.0x7f",
            // Names that are none.
            "127.0.0.1.",
            "localhost.",
            "shop..example",
            ".shop.example",
            "-shop.example",
            "shop-.example",
            "shop.example%40127.0.0.1",
            "127.0.0.1%00.shop.example",
            "shop,example",
            "shop!example",
            "",
        ];
        for host in hosts {
            for url in [format!("https://{host}/"), format!("https://{host}:8443/hook")] {
                let refused = AddressRule::Public.check(&url);
                let expected = [AddressError::Host, AddressError::NotAnAddress, AddressError::Port];
                assert!(refused.is_err_and(|error| expected.contains(&error)), "{url}");
                assert!(AddressRule::Anywhere.check(&url).is_err(), "{url}");
            }
        }
        check(&format!("https://{}.example/", "a".repeat(64)), Err(AddressError::Host));
        check(&format!("https://{}/", ["a"; 128].join(".")), Err(AddressError::Host));
    }

    #[test]
    fn a_port_is_a_plain_number_that_tcp_knows() {
        for port in
            ["0", "00", "65536", "99999", "18446744073709552059", "", "+443", "0443", "x", "4 3"]
        {
            let refused = AddressRule::Public.check(&format!("https://shop.example:{port}/"));
            let expected = [AddressError::Port, AddressError::NotAnAddress, AddressError::Blank];
            assert!(refused.is_err_and(|error| expected.contains(&error)), "{port}");
        }
        check("https://shop.example:65535/", Ok("https://shop.example:65535/"));
        check("https://shop.example:1/", Ok("https://shop.example:1/"));
    }

    #[test]
    fn an_address_is_plain_ascii_without_blanks() {
        for url in [
            "https://shöp.example/",
            "https://127。0。0。1/",
            "https://①②⑦.0.0.1/",
            "https://a.example/ü",
        ] {
            check(url, Err(AddressError::NotAscii));
        }
        let blanks = [
            "https://a.example/ HTTP/1.1",
            " https://a.example/",
            "https://a.example/\r\nX: y",
            "https://a\t.example/",
            "https://a.example\\@127.0.0.1/",
            "https://a.example/\u{7f}",
            "https://a.example/\0",
        ];
        for url in blanks {
            check(url, Err(AddressError::Blank));
        }
        let shapes = [
            "https:///127.0.0.1/",
            "https:127.0.0.1/",
            "//127.0.0.1/",
            "https",
            "",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "https://127.0.0.1?@shop.example/",
        ];
        for url in shapes {
            assert!(AddressRule::Public.check(url).is_err(), "{url}");
        }
    }
}
