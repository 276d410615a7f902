//! Connections to web addresses: of participants, and of what merchants register.
//!
//! One parser reads an address, when it is registered and when it is connected to ([`address`]).
//! One connector opens the connections, and looks at each socket address before it connects
//! ([`connect`]): what a name resolved to at another time decides nothing. One HTTP client
//! ([`client`]) sends requests over them and says of each that failed whether it may have left.

pub mod address;
pub mod client;
pub mod connect;
pub mod network;
pub mod sockets;

pub use address::{AddressError, Destination, Host};
pub use client::{ClientSettings, HttpClient, HttpError, MaybeSentCause, NotSentCause};
pub use connect::{ConnectError, NamePlaces, tls_of_machine, to_host};
pub use network::AddressRule;
pub use sockets::{Sockets, descriptors_for};
