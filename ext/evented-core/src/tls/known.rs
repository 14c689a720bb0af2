//! The sessions that clients can resume.
//!
//! Those of TLS 1.3 only: with TLS 1.2, the client of a session that is resumed completes before its server, and
//! programs that are called back know it the other way round. Servers resume both.
#![forbid(unsafe_code)]

use rustls::{
    NamedGroup,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue,
        Tls13ClientSessionValue,
    },
};
use rustls_pki_types::ServerName;

/// As many as rustls keeps if nobody says anything.
const KEPT: usize = 256;

/// Sessions by the names of their servers.
#[derive(Debug)]
pub(super) struct Known(ClientSessionMemoryCache);

impl Known {
    pub(super) fn new() -> Self {
        Self(ClientSessionMemoryCache::new(KEPT))
    }
}

impl ClientSessionStore for Known {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(name)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(name, value);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(name)
    }
}
