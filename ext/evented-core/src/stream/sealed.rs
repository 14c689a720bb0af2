//! Streams with TLS: what they send is sealed here, what comes is opened by the binding, since the program may have to be
//! asked about certificates meanwhile.
#![forbid(unsafe_code)]

use crate::{driver::standing::Signature, tls::Session};

use super::{Ending, Stream, Streams, Waiting};

/// The TLS of a stream.
#[derive(Debug, Default)]
pub(super) struct Seal {
    /// `None` while the binding has it.
    session: Option<Box<Session>>,
    /// What was sent meanwhile.
    unsealed: Vec<u8>,
}

impl<R: Copy> Streams<R> {
    /// Seals a stream from now on.
    pub fn seal(&mut self, signature: Signature, session: Box<Session>) -> bool {
        let Some(stream) = self.live_mut(signature) else {
            return false;
        };
        stream.sealed = true;
        stream.rare().seal = Some(Seal::default());
        self.give_session_back(signature, session);
        true
    }

    /// Whether it is sealed.
    #[must_use]
    pub fn is_sealed(&self, signature: Signature) -> bool {
        self.all.get(&signature).is_some_and(|stream| stream.sealed)
    }

    /// Its session; it may have had its last event.
    pub fn session(&mut self, signature: Signature) -> Option<&mut Session> {
        let seal = self.all.get_mut(&signature)?.rare.as_mut()?.seal.as_mut();
        seal?.session.as_deref_mut()
    }

    /// Takes the session out, to be fed while the streams are not borrowed.
    pub fn take_session(&mut self, signature: Signature) -> Option<Box<Session>> {
        let seal = self.all.get_mut(&signature)?.rare.as_mut()?.seal.as_mut();
        seal?.session.take()
    }

    /// Puts it back, and sends what it has to say.
    pub fn give_session_back(&mut self, signature: Signature, session: Box<Session>) {
        let seal = self
            .all
            .get_mut(&signature)
            .and_then(|stream| stream.rare.as_mut());
        if let Some(seal) = seal.and_then(|rare| rare.seal.as_mut()) {
            seal.session = Some(session);
            let unsealed = std::mem::take(&mut seal.unsealed);
            self.send_sealed(signature, &unsealed);
        }
    }

    /// The handshake has failed: what the session has to say about it is sent, and the stream ends.
    pub fn fail_sealed(&mut self, signature: Signature) {
        let Some(stream) = self.live_mut(signature) else {
            return;
        };
        if stream.out.is_empty() {
            return self.end(signature, Ending::Over, libc::EPROTO);
        }
        if stream.ending <= Ending::Drained {
            stream.ending = Ending::Drained;
            stream.reason = libc::EPROTO;
        }
    }

    /// What was opened and could not be handed out is handed out later.
    pub fn keep_rest(&mut self, signature: Signature) {
        if self
            .session(signature)
            .is_some_and(|session| session.has_plaintext())
        {
            self.put_off(signature, Waiting::Data(Vec::new()));
        }
    }

    /// Seals and queues bytes.
    pub(super) fn send_sealed(&mut self, signature: Signature, bytes: &[u8]) {
        let Some(stream) = self.live_mut(signature) else {
            return;
        };
        let closing = stream.ending == Ending::Drained;
        let Some(seal) = stream.rare.as_mut().and_then(|rare| rare.seal.as_mut()) else {
            return;
        };
        let Some(session) = seal.session.as_mut() else {
            return seal.unsealed.extend_from_slice(bytes);
        };
        session.write(bytes);
        if closing {
            session.close_notify();
        }
        let mut ciphertext = Vec::new();
        session.take_ciphertext(&mut ciphertext);
        stream.out.push(&ciphertext);
        self.change(signature);
    }
}

impl<R> Stream<R> {
    /// Whether everything that was to be sent has left, also what waits for the end of a handshake.
    pub(super) fn is_drained(&self) -> bool {
        let seal = self.rare.as_ref().and_then(|rare| rare.seal.as_ref());
        let waits = seal.is_some_and(|seal| {
            let session = seal.session.as_ref();
            !seal.unsealed.is_empty() || session.is_some_and(|session| session.queued() > 0)
        });
        self.out.is_empty() && !waits
    }
}
