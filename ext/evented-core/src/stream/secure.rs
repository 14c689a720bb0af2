//! A stream's TLS: what comes is decrypted before anybody sees it, and what is sent is encrypted before it is queued.
//!
//! Bytes are fed to the session at once. Only while it may ask the program about certificates the binding has to do
//! it, outside of any borrow, because that calls Ruby ([`Event::Ciphertext`]): then they wait for their turn like any
//! other event, and the session is away meanwhile.
#![forbid(unsafe_code)]

use std::{rc::Rc, time::Duration};

use crate::{
    driver::standing::Signature,
    op,
    tls::{Alert, Ask, Session},
};

use super::{Ending, Event, PIECE, Stream, Streams, Transport, Waiting};

/// What a stream with TLS has.
#[derive(Debug)]
pub(super) struct Secure {
    /// `None` while the binding feeds it.
    session: Option<Box<Session>>,
    /// What was sent meanwhile.
    unsent: Vec<u8>,
    /// Whether it has failed: what is left to send is the last.
    failed: bool,
    /// Whether everything is sent, and the end waits for what the peer is about to send.
    lingers: bool,
    /// Why it has failed.
    error: Option<String>,
}

/// Why TLS can't begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsRefusal {
    /// There is no such stream.
    NoStream,
    /// It is no stream of bytes.
    NoBytes,
    /// It has begun.
    Twice,
}

/// A peer that has been sent an alert, or the end, gets so long to take it.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl<R: Copy> Streams<R> {
    /// Has all that is received and sent from now on go through a session.
    ///
    /// # Errors
    ///
    /// If there is no such stream, or it has none to carry, or it has begun already.
    pub fn start_tls(&mut self, signature: Signature, session: Session) -> Result<(), TlsRefusal> {
        let stream = self.live_mut(signature).ok_or(TlsRefusal::NoStream)?;
        if !matches!(stream.transport, Transport::Socket | Transport::Pipe) {
            return Err(TlsRefusal::NoBytes);
        }
        let rare = stream.rare();
        if rare.secure.is_some() {
            return Err(TlsRefusal::Twice);
        }
        rare.secure = Some(Box::new(Secure {
            session: Some(Box::new(session)),
            unsent: Vec::new(),
            failed: false,
            lingers: false,
            error: None,
        }));
        // What has come and was not handed out yet is the beginning of the handshake.
        for waiting in &mut rare.backlog {
            if let Waiting::Data(bytes) = waiting {
                *waiting = Waiting::Ciphertext(std::mem::take(bytes));
            }
        }
        stream.queue_ciphertext();
        self.change(signature);
        Ok(())
    }

    /// Whether TLS has begun on a stream; `None` if there is no such stream.
    #[must_use]
    pub fn is_secure(&self, signature: Signature) -> Option<bool> {
        self.live(signature).map(|stream| stream.secure().is_some())
    }

    /// The session of a stream, if it has one and that is not just being fed.
    #[must_use]
    pub fn session(&self, signature: Signature) -> Option<&Session> {
        self.live(signature)?.secure()?.session.as_deref()
    }

    /// Why TLS has failed, also while the stream is told of its end.
    #[must_use]
    pub fn tls_error(&self, signature: Signature) -> Option<&str> {
        self.all.get(&signature)?.secure()?.error.as_deref()
    }

    /// Something has come for a stream with TLS.
    pub(super) fn decipher(&mut self, signature: Signature, bytes: &[u8]) -> Option<Event<R>> {
        let stream = self.live_mut(signature)?;
        let in_turn = stream.has_ciphertext_waiting();
        let secure = stream.secure_mut()?;
        if secure.failed {
            return None;
        }
        let Some(session) = secure
            .session
            .as_mut()
            .filter(|session| !in_turn && !session.may_ask())
        else {
            return self.deliver(signature, Waiting::Ciphertext(bytes.to_vec()));
        };
        // Nothing will be asked.
        let nobody: Rc<Ask> = Rc::new(|_| false);
        let outcome = session.receive(bytes, &nobody);
        self.deciphered(signature, outcome)
    }

    /// Takes a session away to feed it the bytes of the event; [`Self::put_back`] it.
    pub fn take_session(&mut self, signature: Signature) -> Option<Box<Session>> {
        self.live_mut(signature)?.secure_mut()?.session.take()
    }

    /// A session has been fed, with this outcome.
    pub fn put_back(
        &mut self,
        signature: Signature,
        session: Box<Session>,
        outcome: Result<(), Alert>,
    ) {
        let Some(secure) = self.live_mut(signature).and_then(Stream::secure_mut) else {
            return;
        };
        let unsent = std::mem::take(&mut secure.unsent);
        secure.session.insert(session).write(&unsent);
        let event = self.deciphered(signature, outcome);
        debug_assert!(event.is_none(), "it is busy with this one");
    }

    /// What a session has made of what came: something to send, events, the end.
    fn deciphered(&mut self, signature: Signature, outcome: Result<(), Alert>) -> Option<Event<R>> {
        let stream = self.live_mut(signature)?;
        stream.queue_ciphertext();
        let session = stream.secure_mut()?.session.as_mut()?;
        let completed = session.handshake_completed();
        let plaintext = session.take_plaintext();
        let mut event = None;
        if completed {
            event = self.deliver(signature, Waiting::Secured);
        }
        let relayed = if plaintext.is_empty() {
            0
        } else {
            self.relay(signature, &plaintext)
        };
        let mut rest = plaintext;
        rest.drain(..relayed);
        while !rest.is_empty() {
            let more = rest.split_off(rest.len().min(PIECE));
            event = self.deliver(signature, Waiting::Data(rest)).or(event);
            rest = more;
        }
        match outcome {
            Err(alert) => self.fail_tls(signature, &alert),
            Ok(()) => self.finish(signature),
        }
        self.change(signature);
        event
    }

    /// TLS has failed: the peer is sent the alert, and that is all.
    fn fail_tls(&mut self, signature: Signature, alert: &Alert) {
        let Some(stream) = self.live_mut(signature) else {
            return;
        };
        if let Some(secure) = stream.secure_mut() {
            secure.failed = true;
            secure.error = Some(alert.to_string());
        }
        if stream.out.is_empty() {
            return self.end(signature, Ending::Over, 0);
        }
        stream.ending = stream.ending.max(Ending::Drained);
        stream.inactivity = Some(stream.inactivity.unwrap_or(LAST_WORDS).min(LAST_WORDS));
        self.arm(signature);
    }

    /// A stream that was closed and has nothing more to send ends; with TLS it says goodbye first.
    pub(super) fn finish(&mut self, signature: Signature) {
        let Some(stream) = self.live_mut(signature) else {
            return;
        };
        if stream.ending != Ending::Drained {
            return;
        }
        stream.say_goodbye();
        if stream.is_drained() {
            if stream.lingers() {
                return self.arm(signature);
            }
            self.end(signature, Ending::Closed, 0);
        }
    }

    /// The peer has sent its last byte.
    pub(super) fn end_of_input(&mut self, signature: Signature) {
        let Some(secure) = self.live_mut(signature).and_then(Stream::secure_mut) else {
            return;
        };
        if let Some(session) = &mut secure.session {
            session.end_of_input();
            secure.error = session.error().map(str::to_owned);
        }
    }
}

impl<R> Stream<R> {
    pub(super) fn secure(&self) -> Option<&Secure> {
        self.rare.as_ref()?.secure.as_deref()
    }

    pub(super) fn secure_mut(&mut self) -> Option<&mut Secure> {
        self.rare.as_mut()?.secure.as_deref_mut()
    }

    /// Whether its TLS has failed.
    pub(super) fn tls_failed(&self) -> bool {
        self.secure().is_some_and(|secure| secure.failed)
    }

    /// Whether closing has to wait for tickets; what has been sent ends here, then.
    fn lingers(&mut self) -> bool {
        let fd = self.fd;
        let Some(secure) = self.secure_mut() else {
            return false;
        };
        let awaits = secure
            .session
            .as_ref()
            .is_some_and(|session| session.awaits_tickets());
        if awaits && !std::mem::replace(&mut secure.lingers, true) {
            op::end_of_sending(fd);
            self.inactivity = Some(self.inactivity.unwrap_or(LAST_WORDS).min(LAST_WORDS));
        }
        awaits
    }

    /// Whether it has been waiting for tickets: a peer that sends none has not failed.
    pub(super) fn has_lingered(&self) -> bool {
        self.secure().is_some_and(|secure| secure.lingers)
    }

    /// Bytes that its session keeps back.
    pub(super) fn unencrypted(&self) -> usize {
        self.secure().map_or(0, |secure| {
            secure.unsent.len()
                + secure
                    .session
                    .as_ref()
                    .map_or(0, |session| session.queued())
        })
    }

    /// Whether nothing is left to be sent.
    pub(super) fn is_drained(&self) -> bool {
        self.out.is_empty() && self.unencrypted() == 0
    }

    /// Sends through the session. Tells whether there is one.
    pub(super) fn send_securely(&mut self, bytes: &[u8]) -> bool {
        let Some(secure) = self.secure_mut() else {
            return false;
        };
        match &mut secure.session {
            Some(session) => session.write(bytes),
            None => secure.unsent.extend_from_slice(bytes),
        }
        self.queue_ciphertext();
        true
    }

    /// Tells the peer that nothing more will come, if there is nothing more to be encrypted.
    fn say_goodbye(&mut self) {
        if self.unencrypted() > 0 {
            return;
        }
        if let Some(session) = self.secure_mut().and_then(|secure| secure.session.as_mut()) {
            session.close_notify();
            self.queue_ciphertext();
        }
    }

    /// Queues what the session has to send.
    fn queue_ciphertext(&mut self) {
        let Some(session) = self.secure_mut().and_then(|secure| secure.session.as_mut()) else {
            return;
        };
        let mut ciphertext = Vec::new();
        session.take_ciphertext(&mut ciphertext);
        if self.ending <= Ending::Drained {
            self.out.push_owned(ciphertext);
        }
    }

    fn has_ciphertext_waiting(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| {
            let mut backlog = rare.backlog.iter();
            backlog.any(|waiting| matches!(waiting, Waiting::Ciphertext(_)))
        })
    }
}
