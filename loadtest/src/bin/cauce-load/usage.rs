//! Options that make no sense, told before anything starts.

use std::net::SocketAddr;
use std::path::Path;

/// A wrong command line; the program ends with 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The error of a wrong command line.
pub fn wrong(what: impl Into<String>) -> anyhow::Error {
    Usage(what.into()).into()
}

/// An address of this machine: `HOST:PORT` with a loopback address or `localhost`.
///
/// Errors: what is wrong with the text.
pub fn loopback(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let addr = local.as_deref().unwrap_or(text).parse::<SocketAddr>();
    let addr =
        addr.map_err(|_| "an address and a port are needed, as 127.0.0.1:8583".to_owned())?;
    match addr.ip().is_loopback() {
        true => Ok(addr),
        false => Err("not a loopback address; only this machine is loaded".to_owned()),
    }
}

/// The same for an address that something is to be found at: port 0 is none.
///
/// Errors: what is wrong with the text.
pub fn target(text: &str) -> Result<SocketAddr, String> {
    match loopback(text)? {
        addr if addr.port() == 0 => Err("port 0 is none that a switch listens at".to_owned()),
        addr => Ok(addr),
    }
}

/// The address of a JSON API: `http://HOST:PORT`, with or without the scheme.
///
/// Errors: what is wrong with the text.
pub fn http_target(text: &str) -> Result<SocketAddr, String> {
    if text.starts_with("https://") {
        return Err("the load does not speak TLS; give an http:// address".to_owned());
    }
    let rest = text.strip_prefix("http://").unwrap_or(text);
    target(rest.strip_suffix('/').unwrap_or(rest))
        .map_err(|why| format!("{why}, as in http://127.0.0.1:8080"))
}

/// Refuses a file that could not be written when the run is over.
///
/// Errors: a wrong command line.
pub fn writable(path: &Path) -> anyhow::Result<()> {
    let is_there = path.exists();
    let opened = std::fs::File::options().append(true).create(true).open(path);
    match opened {
        Ok(_) if is_there => Ok(()),
        Ok(_) => Ok(std::fs::remove_file(path)?),
        Err(error) => Err(wrong(format!("{} cannot be written: {error}", path.display()))),
    }
}

/// Refuses a file or folder that is not there.
///
/// Errors: a wrong command line.
pub fn readable(path: &Path) -> anyhow::Result<()> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(format!("{} cannot be read: {error}", path.display()))),
    }
}
