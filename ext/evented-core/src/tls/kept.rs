//! Sessions that a client may resume.
#![forbid(unsafe_code)]

use rustls::{
    NamedGroup,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue,
        Tls13ClientSessionValue,
    },
};
use rustls_pki_types::ServerName;

/// Those of TLS 1.3 alone.
///
/// In TLS 1.2 who resumes is through before the server: then a client that closes at once keeps the server from ever
/// being, which programs written for EventMachine don't expect. (rustls's own switch leaves sessions with an ID.)
#[derive(Debug)]
pub(super) struct Kept(ClientSessionMemoryCache);

impl Kept {
    /// For so many servers.
    pub(super) fn new(servers: usize) -> Self {
        Self(ClientSessionMemoryCache::new(servers))
    }
}

impl ClientSessionStore for Kept {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(server)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(server, ticket);
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(server)
    }
}
