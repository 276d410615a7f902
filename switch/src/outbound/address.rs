//! Which addresses notices may go to. An endpoint's address comes from outside, so it must not
//! be a way into the switch's own network: every address is looked at when the endpoint is set,
//! and again at each connection, because what a name resolves to can change in between.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::dns::Name;
use ipnet::IpNet;
use tower::Service;

/// Longest address of an endpoint.
pub const URL_LEN_MAX: usize = 2048;

/// Networks no notice goes to. `::/8` holds loopback, the unspecified address, IPv4 in all its
/// embedded forms and the translation prefix `64:ff9b::/96`.
///
/// Source: IANA special-purpose address registries for IPv4 and IPv6.
const REFUSED: [&str; 26] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/8",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

static REFUSED_NETWORKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let parse = |network: &&str| network.parse().expect("invariant: REFUSED lists networks");
    REFUSED.iter().map(parse).collect()
});

/// Where notices may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, over TLS.
    Public,
    /// Anywhere, in clear too: `dangerous_allow_private_addresses`.
    Anywhere,
}

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a web address with a host.
    #[error("is not a web address with a host")]
    NotAnAddress,
    /// Longer than [`URL_LEN_MAX`].
    #[error("is longer than {URL_LEN_MAX} characters")]
    TooLong,
    /// Not `https`.
    #[error("must begin with https://")]
    NotHttps,
    /// It carries a user's name or password.
    #[error("must not carry a user name or password")]
    UserInfo,
    /// It carries a fragment, which no server would see.
    #[error("must not carry a fragment")]
    Fragment,
    /// The host is an address of a network that is not public.
    #[error("must be on a public network")]
    NotPublic,
}

impl Reach {
    /// The address of an endpoint, checked as far as can be without asking a name server.
    ///
    /// Errors: [`AddressError`].
    pub fn check(self, url: &str) -> Result<Uri, AddressError> {
        if url.len() > URL_LEN_MAX {
            return Err(AddressError::TooLong);
        }
        // The parser drops a fragment without a word.
        if url.contains('#') {
            return Err(AddressError::Fragment);
        }
        let uri: Uri = url.parse().map_err(|_| AddressError::NotAnAddress)?;
        let authority = uri.authority().ok_or(AddressError::NotAnAddress)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::UserInfo);
        }
        let is_known = uri.scheme() == Some(&Scheme::HTTPS)
            || (self == Self::Anywhere && uri.scheme() == Some(&Scheme::HTTP));
        if !is_known {
            return Err(AddressError::NotHttps);
        }
        if authority.host().is_empty() || authority.port_u16() == Some(0) {
            return Err(AddressError::NotAnAddress);
        }
        match literal(authority.host()) {
            Some(ip) if !self.allows(ip) => Err(AddressError::NotPublic),
            Some(_) | None => Ok(uri),
        }
    }

    /// Whether notices may go to this address.
    pub fn allows(self, ip: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public => !REFUSED_NETWORKS.iter().any(|network| network.contains(&ip)),
        }
    }
}

/// The address a host names by itself, without a name server.
fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// Resolves names and gives only addresses that notices may go to; what it gives is what is
/// connected to, so a name cannot be looked at once and then point elsewhere.
#[derive(Debug, Clone)]
pub struct VettingResolver {
    /// Where notices may go.
    pub reach: Reach,
}

/// A name had addresses, none of which notices may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name resolves to no public address")]
pub struct NoPublicAddress;

impl Service<Name> for VettingResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.reach;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> =
                found.filter(|address| reach.allows(address.ip())).collect();
            if public.is_empty() {
                return Err(io::Error::other(NoPublicAddress));
            }
            Ok(public.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: Result<(), AddressError>) {
        assert_eq!(Reach::Public.check(url).map(|_| ()), expect, "{url}");
    }

    #[test]
    fn an_endpoint_is_an_https_address_without_user_or_fragment() {
        check("https://shop.example/hook?x=1", Ok(()));
        check("https://shop.example:8443", Ok(()));
        check("http://shop.example/hook", Err(AddressError::NotHttps));
        check("ftp://shop.example/hook", Err(AddressError::NotHttps));
        check("/hook", Err(AddressError::NotAnAddress));
        check("https://", Err(AddressError::NotAnAddress));
        check("https://shop.example:0/", Err(AddressError::NotAnAddress));
        check("https://user:word@shop.example/", Err(AddressError::UserInfo));
        check("https://shop.example/#top", Err(AddressError::Fragment));
        check(&format!("https://a.example/{}", "x".repeat(2048)), Err(AddressError::TooLong));
        assert!(Reach::Anywhere.check("http://127.0.0.1:9/").is_ok());
        assert!(Reach::Anywhere.check("ftp://127.0.0.1:9/").is_err());
    }

    #[test]
    fn a_host_that_is_an_address_of_a_network_of_our_own_is_refused() {
        for host in ["127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "[fe80::1]"] {
            check(&format!("https://{host}/"), Err(AddressError::NotPublic));
        }
        check("https://198.41.0.4/", Ok(()));
        check("https://[2001:503:ba3e::2:30]/", Ok(()));
    }

    #[test]
    fn ranges_that_are_not_public_are_refused_at_both_ends() {
        let refused = [
            "0.0.0.0 0.255.255.255",
            "10.0.0.0 10.255.255.255",
            "100.64.0.0 100.127.255.255",
            "127.0.0.1 127.255.255.255",
            "169.254.0.0 169.254.169.254",
            "172.16.0.0 172.31.255.255",
            "192.168.0.0 192.168.255.255",
            "198.18.0.0 198.19.255.255",
            "224.0.0.1 239.255.255.255",
            "240.0.0.0 255.255.255.255",
            ":: ::1",
            "::ffff:127.0.0.1 ::ffff:8.8.8.8",
            "::7f00:1 ::ffff:0:7f00:1",
            "64:ff9b:: 64:ff9b::a00:1",
            "64:ff9b:1:: 64:ff9b:1::a00:1",
            "2001:: 2001:0:a00:1::",
            "2002:: 2002:a00:1::",
            "fc00:: fdff:ffff::",
            "fe80:: febf:ffff::",
            "ff02::1 ff0e::1",
        ];
        for ip in refused.iter().flat_map(|pair| pair.split(' ')) {
            let ip: IpAddr = ip.parse().unwrap();
            assert!(!Reach::Public.allows(ip), "{ip}");
            assert!(Reach::Anywhere.allows(ip), "{ip}");
        }
        let allowed = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:503:ba3e::2:30",
            "2003::1",
            "2600::",
            "fbff::1",
        ];
        for ip in allowed {
            assert!(Reach::Public.allows(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_has_no_public_address() {
        let name = || "localhost".parse::<Name>().unwrap();
        let refused = VettingResolver { reach: Reach::Public }.call(name()).await.unwrap_err();
        assert_eq!(
            refused.get_ref().map(ToString::to_string).as_deref(),
            Some("the name resolves to no public address")
        );
        let mut found = VettingResolver { reach: Reach::Anywhere }.call(name()).await.unwrap();
        assert!(found.all(|address| address.ip().is_loopback()));
    }
}
