//! Relaying: what comes to one stream is sent by another, and nobody is called.
#![forbid(unsafe_code)]

use crate::driver::standing::Signature;

use super::{Streams, Waiting};

/// Where a stream's bytes go, and whose it sends.
#[derive(Debug, Default)]
pub(super) struct Proxy {
    to: Option<Signature>,
    from: Option<Signature>,
    /// With more than this unsent by the target, the source is not received from; 0 for no limit.
    most_unsent: usize,
    /// Bytes after which relaying ends.
    left: Option<u64>,
    relayed: u64,
    full: bool,
}

impl Proxy {
    /// Whether the target has enough to send.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }
}

/// Why relaying can't begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyRefusal {
    /// One of the two is no stream.
    NoStream,
    /// Another stream is relayed to the target already.
    BusyTarget,
}

impl<R: Copy> Streams<R> {
    /// Sends to `to` whatever comes to `from`: until `length` bytes have come, if it is not 0, and not while more
    /// than `most_unsent` wait to be sent, if that is not 0.
    ///
    /// # Errors
    ///
    /// If one of them is no stream, or `to` has another source.
    pub fn start_proxy(
        &mut self,
        from: Signature,
        to: Signature,
        most_unsent: usize,
        length: u64,
    ) -> Result<(), ProxyRefusal> {
        if self.live(from).is_none() {
            return Err(ProxyRefusal::NoStream);
        }
        let target = self.live_mut(to).ok_or(ProxyRefusal::NoStream)?;
        match target.rare().proxy.from {
            Some(other) if other != from => return Err(ProxyRefusal::BusyTarget),
            _ => {}
        }
        self.stop_proxy(from);
        if let Some(target) = self.live_mut(to) {
            target.rare().proxy.from = Some(from);
        }
        if let Some(source) = self.live_mut(from) {
            let proxy = &mut source.rare().proxy;
            proxy.to = Some(to);
            proxy.most_unsent = most_unsent;
            proxy.left = (length > 0).then_some(length);
            proxy.relayed = 0;
        }
        Ok(())
    }

    /// Has what comes to `from` be handed out again.
    pub fn stop_proxy(&mut self, from: Signature) -> bool {
        let Some(source) = self.all.get_mut(&from) else {
            return false;
        };
        let Some(proxy) = source.rare.as_mut().map(|rare| &mut rare.proxy) else {
            return true;
        };
        proxy.full = false;
        if let Some(to) = proxy.to.take()
            && let Some(target) = self.all.get_mut(&to)
        {
            target.rare().proxy.from = None;
        }
        self.change(from);
        true
    }

    /// Bytes relayed from a stream since that began.
    #[must_use]
    pub fn proxied(&self, from: Signature) -> Option<u64> {
        // Also while it is being told that it has ended.
        let stream = self.all.get(&from)?;
        Some(stream.rare.as_ref().map_or(0, |rare| rare.proxy.relayed))
    }

    /// Relays what has come to a stream, if it is relayed. Returns how much that was of it.
    pub fn relay(&mut self, from: Signature, bytes: &[u8]) -> usize {
        let Some(proxy) = self
            .all
            .get_mut(&from)
            .and_then(|stream| stream.rare.as_mut())
        else {
            return 0;
        };
        let proxy = &mut proxy.proxy;
        let Some(to) = proxy.to else {
            return 0;
        };
        let most = proxy.left.map_or(usize::MAX, |left| {
            usize::try_from(left).unwrap_or(usize::MAX)
        });
        let count = bytes.len().min(most);
        proxy.relayed += count as u64;
        proxy.left = proxy.left.map(|left| left - count as u64);
        let (most_unsent, over) = (proxy.most_unsent, proxy.left == Some(0));
        self.send(to, &bytes[..count]);
        let unsent = self.outbound_size(to).unwrap_or(0);
        if over {
            self.stop_proxy(from);
            self.put_off(from, Waiting::ProxyCompleted);
        } else if most_unsent > 0 && unsent > most_unsent {
            if let Some(source) = self.all.get_mut(&from) {
                source.rare().proxy.full = true;
            }
            self.change(from);
        }
        count
    }

    /// A target has sent something: its source may go on.
    pub(super) fn relieve(&mut self, to: Signature) {
        let Some(target) = self.all.get(&to) else {
            return;
        };
        let unsent = target.out.len();
        let Some(from) = target.rare.as_ref().and_then(|rare| rare.proxy.from) else {
            return;
        };
        if let Some(source) = self.all.get_mut(&from) {
            let proxy = &mut source.rare().proxy;
            if proxy.full && unsent <= proxy.most_unsent {
                proxy.full = false;
                self.change(from);
            }
        }
    }

    /// A stream has ended. If another was relayed to it, that hears of it.
    pub(super) fn end_proxies(&mut self, gone: Signature) {
        self.stop_proxy(gone);
        let from = self.all.get(&gone).and_then(|stream| stream.rare.as_ref());
        if let Some(from) = from.and_then(|rare| rare.proxy.from) {
            self.stop_proxy(from);
            self.put_off(from, Waiting::ProxyTargetUnbound);
        }
    }
}
