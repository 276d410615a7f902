//! What helps where the switch did not start.

use std::io::ErrorKind;

use super::StartError;

impl StartError {
    /// What the operator can do about it, to be said behind the error; none where only he can know.
    /// `set` is how a value is set on the command line that he used, such as `--set`.
    pub fn advice(&self, set: &str) -> Option<String> {
        let Self::Listen { what, address, source } = self else { return None };
        let (ip, port) = (address.ip(), address.port());
        let host = address.to_string();
        let host = host.strip_suffix(&format!(":{port}")).unwrap_or(&host);
        match source.kind() {
            ErrorKind::AddrInUse => Some(match *what {
                "participants.listen" => format!(
                    ": another program has port {port}; end it, or give the participant another \
                     `listen`"
                ),
                key => format!(
                    ": another program has port {port}; end it, or choose another port with \
                     `{set} {key}={host}:PORT` (0 takes any that is free)"
                ),
            }),
            ErrorKind::AddrNotAvailable => Some(format!(": this machine has no address {ip}")),
            ErrorKind::PermissionDenied => Some(format!(
                ": port {port} is for the system's own programs; choose one above 1023, or give the \
                 switch the capability CAP_NET_BIND_SERVICE"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_port_that_is_taken_names_the_option_that_chooses_another() {
        let check = |what, kind: ErrorKind, expect: &str| {
            let address = "127.0.0.1:8080".parse().expect("an address");
            let error = StartError::Listen { what, address, source: io::Error::from(kind) };
            let advice = error.advice("cauce demo --set").unwrap_or_default();
            assert!(advice.contains(expect), "{advice}");
        };
        check("http.listen", ErrorKind::AddrInUse, "`cauce demo --set http.listen=127.0.0.1:PORT`");
        check("admin.listen", ErrorKind::AddrInUse, "--set admin.listen=127.0.0.1:PORT");
        check("participants.listen", ErrorKind::AddrInUse, "another `listen`");
        check("http.listen", ErrorKind::AddrNotAvailable, "has no address 127.0.0.1");
        check("http.listen", ErrorKind::PermissionDenied, "CAP_NET_BIND_SERVICE");
    }
}
