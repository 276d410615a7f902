//! Connections to web addresses that come from outside: merchants' endpoints today, whatever else
//! a merchant or a company registers later.
//!
//! One parser reads an address, when it is registered and when it is connected to ([`address`]).
//! One connector opens the connections, and looks at each socket address before it connects
//! ([`connect`]): what a name resolved to at another time decides nothing. Redirects are answers.

pub mod address;
pub mod connect;
pub mod network;
pub mod sockets;

pub use address::{AddressError, Destination, Host};
pub use connect::{ConnectError, Https, https, to_host};
pub use network::Reach;
pub use sockets::{Sockets, descriptors_for};
