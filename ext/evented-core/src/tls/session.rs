//! One connection's TLS.
#![forbid(unsafe_code)]

use std::{
    fmt,
    io::{self, BufRead, Write},
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::Arc,
};

use rustls::{ClientConnection, Connection, ServerConnection};
use rustls_pki_types::ServerName;

use super::{
    Config, Failure,
    certificate::pem,
    config::Side,
    names::{cipher, protocol},
    verifier::asking,
};

/// Whether the program accepts a certificate, given as PEM.
pub type Ask = dyn Fn(&str) -> bool;

/// The handshake has failed, or what came later was no TLS. What is left to send says so to the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert(String);

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Alert {}

/// One connection's TLS: bytes in, bytes out.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    /// What a client calls its server.
    name: Option<String>,
    /// Whether the program may still be asked.
    asks: bool,
    /// Whether its completion has been told.
    told: bool,
    /// Bytes that were written before the handshake was over.
    queued: usize,
    /// What was decrypted and not yet read, from `read` on.
    plaintext: Vec<u8>,
    read: usize,
    /// Whether anything has come since the handshake.
    heard: bool,
    peer_closed: bool,
    closing: bool,
    error: Option<String>,
}

impl Session {
    /// Begins one. `name` is the server's, for a client: it is told to the server if the options say so, and compared
    /// with the server's certificate if there are roots; sessions are kept by it.
    ///
    /// # Errors
    ///
    /// If that can't be the name of any server.
    pub fn new(config: &Config, name: Option<&str>) -> Result<Self, Failure> {
        let invalid = |error: rustls::Error| Failure::Invalid(error.to_string());
        let told = matches!(&config.side, Side::Client(config) if config.enable_sni);
        let mut connection = match &config.side {
            Side::Server(config) => {
                Connection::from(ServerConnection::new(Arc::clone(config)).map_err(invalid)?)
            }
            Side::Client(config) => {
                let name = server_name(name)?;
                Connection::from(ClientConnection::new(Arc::clone(config), name).map_err(invalid)?)
            }
        };
        // Nothing that was written is refused, whenever it can leave.
        connection.set_buffer_limit(None);
        Ok(Self {
            connection,
            name: name.filter(|_| told).map(str::to_owned),
            asks: config.asks,
            told: false,
            queued: 0,
            plaintext: Vec::new(),
            read: 0,
            heard: false,
            peer_closed: false,
            closing: false,
            error: None,
        })
    }

    /// Whether [`Self::receive`] may ask something.
    #[must_use]
    pub fn may_ask(&self) -> bool {
        self.asks && self.error.is_none() && self.connection.is_handshaking()
    }

    /// Whether it has failed, or the handshake is over.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.error.is_none() && !self.connection.is_handshaking()
    }

    /// Takes in what has come. `ask` is asked about certificates, in EventMachine's order; it may run anything
    /// but this session.
    ///
    /// # Errors
    ///
    /// If the handshake fails, or this is no TLS. Whatever comes later is dropped.
    pub fn receive(&mut self, mut ciphertext: &[u8], ask: &Rc<Ask>) -> Result<(), Alert> {
        if let Some(text) = &self.error {
            return Err(Alert(text.clone()));
        }
        self.heard |= self.is_established() && !ciphertext.is_empty();
        while !ciphertext.is_empty() && !self.peer_closed {
            match self.connection.read_tls(&mut ciphertext) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(self.fail(error.to_string())),
            }
            let processed = asking(ask, || self.connection.process_new_packets());
            self.drain();
            match processed {
                Ok(state) => self.peer_closed |= state.peer_has_closed(),
                Err(error) => return Err(self.fail(error.to_string())),
            }
            if !self.connection.is_handshaking() {
                self.queued = 0;
            }
        }
        Ok(())
    }

    /// The peer sends nothing more. During the handshake that is an error, without anybody to tell it to.
    pub fn end_of_input(&mut self) {
        if self.connection.is_handshaking() && self.error.is_none() {
            let text = "the peer closed the connection during the TLS handshake";
            self.error = Some(text.to_owned());
        }
    }

    fn fail(&mut self, text: String) -> Alert {
        self.queued = 0;
        Alert(self.error.insert(text).clone())
    }

    /// Takes over what rustls has decrypted: it refuses to read on with more than one record of it.
    fn drain(&mut self) {
        let mut reader = self.connection.reader();
        while let Ok(bytes) = reader.fill_buf() {
            if bytes.is_empty() {
                break;
            }
            self.plaintext.extend_from_slice(bytes);
            let count = bytes.len();
            reader.consume(count);
        }
    }

    /// Reads what was decrypted; 0 if there is nothing.
    pub fn read(&mut self, into: &mut [u8]) -> usize {
        let rest = &self.plaintext[self.read..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        if self.read == self.plaintext.len() {
            self.plaintext.clear();
            self.read = 0;
        }
        count
    }

    /// Takes all that was decrypted.
    #[must_use]
    pub fn take_plaintext(&mut self) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.plaintext);
        all.drain(..std::mem::take(&mut self.read));
        all
    }

    /// Bytes to send: now, or as soon as the handshake is over. After an error or its end they are dropped.
    pub fn write(&mut self, plaintext: &[u8]) {
        if self.error.is_some() || self.closing {
            return;
        }
        if self.connection.is_handshaking() {
            self.queued += plaintext.len();
        }
        // Its buffers have no limit, so this does not fail.
        let _ = self.connection.writer().write_all(plaintext);
    }

    /// Bytes that wait for the end of the handshake.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.queued
    }

    /// Appends what is to be sent.
    pub fn take_ciphertext(&mut self, into: &mut Vec<u8>) {
        while self.connection.wants_write() {
            match self.connection.write_tls(into) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }

    /// Has the peer know that nothing more will be sent.
    pub fn close_notify(&mut self) {
        if self.is_established() && !self.closing {
            self.connection.send_close_notify();
            self.closing = true;
        }
    }

    /// Whether the handshake is over, told once.
    pub fn handshake_completed(&mut self) -> bool {
        !self.connection.is_handshaking() && !std::mem::replace(&mut self.told, true)
    }

    /// Whether the server is about to send tickets (TLS 1.3): bytes that come whatever this client does. To close its
    /// socket before they are here resets the connection, and what the server has not received yet is lost.
    #[must_use]
    pub fn awaits_tickets(&self) -> bool {
        let is_client = matches!(self.connection, Connection::Client(_));
        let is_13 = self.connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        is_client && is_13 && self.is_established() && !self.heard && !self.peer_closed
    }

    /// Whether the peer has said that it will send nothing more.
    #[must_use]
    pub const fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// What the two have agreed on. Before, rustls tells what a session to be resumed had.
    fn agreed(&self) -> Option<&Connection> {
        (!self.connection.is_handshaking()).then_some(&self.connection)
    }

    /// The peer's own certificate, as PEM.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<String> {
        let first = self.agreed()?.peer_certificates()?.first()?;
        Some(pem(first))
    }

    /// OpenSSL's name of the cipher.
    #[must_use]
    pub fn cipher_name(&self) -> Option<&'static str> {
        Some(cipher(self.agreed()?.negotiated_cipher_suite()?.suite())?.name)
    }

    /// Bits of its key.
    #[must_use]
    pub fn cipher_bits(&self) -> Option<u32> {
        Some(cipher(self.agreed()?.negotiated_cipher_suite()?.suite())?.bits)
    }

    /// OpenSSL's name of the protocol's version.
    #[must_use]
    pub fn protocol(&self) -> Option<&'static str> {
        protocol(self.agreed()?.protocol_version()?)
    }

    /// The name that the client has asked the server for.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        match &self.connection {
            Connection::Server(server) => server.server_name(),
            Connection::Client(_) => self.name.as_deref(),
        }
    }

    /// The protocol that was agreed on.
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// Whether the handshake was shortened because the two knew each other.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// Why it has failed.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// Without a name there is none to send and none to compare; rustls still wants one.
fn server_name(name: Option<&str>) -> Result<ServerName<'static>, Failure> {
    let Some(name) = name else {
        return Ok(ServerName::from(IpAddr::from(Ipv4Addr::UNSPECIFIED)));
    };
    ServerName::try_from(name.to_owned()).map_err(|_| {
        Failure::Invalid(format!(
            "sni_hostname: {name:?} can't be the name of a server"
        ))
    })
}
