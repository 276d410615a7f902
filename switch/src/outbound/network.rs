//! Networks that an address from outside must not lead into.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

/// Networks that nothing connects to for a stranger. `::/8` holds loopback, the unspecified
/// address, IPv4 in all its embedded forms and the translation prefix `64:ff9b::/96`.
///
/// Source: IANA special-purpose address registries for IPv4 and IPv6; and one public address at
/// which a cloud's machines find their platform (learn.microsoft.com, "IP address 168.63.129.16").
const REFUSED: [&str; 27] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
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

/// Where addresses from outside may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRule {
    /// Public addresses of other machines, over TLS.
    Public,
    /// Anywhere, in clear too: `dangerous_allow_private_addresses`.
    Anywhere,
}

impl AddressRule {
    /// Whether this address may be connected to.
    pub fn allows(self, ip: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public => !REFUSED_NETWORKS.iter().any(|network| network.contains(&ip)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_are_not_public_are_refused_at_both_ends() {
        let refused = [
            "0.0.0.0 0.255.255.255",
            "10.0.0.0 10.255.255.255",
            "100.64.0.0 100.127.255.255",
            "127.0.0.1 127.255.255.255",
            "168.63.129.16 168.63.129.16",
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
            assert!(!AddressRule::Public.allows(ip), "{ip}");
            assert!(AddressRule::Anywhere.allows(ip), "{ip}");
        }
        let allowed = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
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
            assert!(AddressRule::Public.allows(ip.parse().unwrap()), "{ip}");
        }
    }
}
