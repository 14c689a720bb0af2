//! TLS: what a connection says, without its socket.
//!
//! # The life of a session
//!
//! What a program asks for is a plain set of [`Options`]. The first time that set is seen it becomes a [`Config`]
//! ([`config()`]): keys are read and compared with their certificates, OpenSSL's names of ciphers and curves are looked
//! up. All later connections with the same options share it, and with it sessions that can be resumed. Each connection
//! has a [`Session`], which is fed what has come ([`Session::receive`]) and asked what is to leave
//! ([`Session::take_ciphertext`]): it never sees a descriptor.
//!
//! Options, names, orders and errors are EventMachine's, whose TLS is OpenSSL's; the protocol is rustls's. Who is
//! trusted is asked of the program (`ssl_verify_peer`), checked against roots, or not asked at all, as EventMachine
//! does unless told otherwise (`verifier`).
#![forbid(unsafe_code)]

mod certificate;
mod cipher_list;
mod config;
mod kept;
mod names;
mod own;
mod session;
mod verifier;

use std::fmt;

pub use config::{Config, config};
pub use session::{Alert, Ask, Session};

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It begins the handshake.
    Client,
    /// It waits for that, and has a certificate.
    Server,
}

/// Whose certificates are trusted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Roots {
    /// Those that this system trusts.
    System,
    /// These, as PEM.
    Given(Vec<u8>),
}

/// EventMachine's bits for protocol versions (`EM_PROTO_…`): those that are spoken here.
pub mod versions {
    /// TLS 1.2.
    pub const TLS12: u32 = 32;
    /// TLS 1.3.
    pub const TLS13: u32 = 64;
}

/// What `start_tls` was told, files already read.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Options {
    /// Which side it is.
    pub role: Role,
    /// PEM, not encrypted: PKCS#8, PKCS#1 or SEC1.
    pub private_key: Option<Vec<u8>>,
    /// PEM, the leaf first.
    pub cert_chain: Option<Vec<u8>>,
    /// Whether the peer's certificates are shown to the program. A server asks for one then.
    pub verify_peer: bool,
    /// Whether a server ends the handshake with a client that has no certificate; only with `verify_peer`.
    pub fail_if_no_peer_cert: bool,
    /// Whether a client tells the server's name in its first message.
    pub send_name: bool,
    /// OpenSSL's cipher string; it concerns TLS 1.2.
    pub cipher_list: Option<String>,
    /// A sum of `EM_PROTO_…`; what is not in [`versions`] is passed over.
    pub versions: u32,
    /// OpenSSL's names of curves, with `:` between them; for servers.
    pub ecdh_curve: Option<String>,
    /// Protocols above TLS, the dearest first.
    pub alpn_protocols: Vec<Vec<u8>>,
    /// If given, the peer's chain has to lead there; for a client, its certificate has to carry the server's name too.
    pub roots: Option<Roots>,
}

impl Options {
    /// What EventMachine does if it is not told anything.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            private_key: None,
            cert_chain: None,
            verify_peer: false,
            fail_if_no_peer_cert: false,
            send_name: false,
            cipher_list: None,
            versions: versions::TLS12 | versions::TLS13,
            ecdh_curve: None,
            alpn_protocols: Vec::new(),
            roots: None,
        }
    }
}

impl fmt::Debug for Options {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("role", &self.role)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// Why TLS can't be had with these options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Of key, certificate or curve: `EventMachine::InvalidPrivateKey`.
    InvalidPrivateKey(String),
    /// Of anything else: a RuntimeError.
    Invalid(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidPrivateKey(text) | Self::Invalid(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}
