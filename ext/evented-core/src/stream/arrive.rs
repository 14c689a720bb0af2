//! What has come for a stream, and what becomes of it.
#![forbid(unsafe_code)]

use std::time::Instant;

use crate::{
    Driver,
    buffer::Buffer,
    driver::standing::{Arrival, Kind, Signature},
    op::{self, Attempt, Interest, Progress, Recv, Transfer},
};

use super::{Adding, Ending, Event, PIECE, Piece, Streams, Transport, Waiting};

/// Datagrams taken in at once.
const DATAGRAMS: usize = 10;

impl<R: Copy> Streams<R> {
    /// Takes something in that the driver has brought. Returns the event that it means, if it is that stream's turn.
    pub(super) fn arrived(&mut self, arrival: Arrival, driver: &mut Driver) -> Option<Event<R>> {
        let Arrival {
            signature,
            kind,
            result,
            last,
            ..
        } = arrival;
        let Some(stream) = self.all.get_mut(&signature) else {
            driver.give_back(&arrival);
            return None;
        };
        if last {
            stream.asked &= !kind.bit();
            self.change(signature);
        }
        match kind {
            Kind::Accept => self.accepted(signature, result, driver),
            Kind::Receive => self.received(arrival, driver),
            Kind::Send => {
                self.sent(signature, result);
                None
            }
            Kind::Ready => self.became_ready(signature, result, driver),
        }
    }

    /// Takes in what the driver has brought for streams that are not called any more. Left where it is it would
    /// keep the loop from sleeping, and with that other threads from running.
    pub fn drop_arrivals(&mut self, driver: &mut Driver) {
        while let Some(arrival) = driver.arrival() {
            let Arrival {
                signature,
                kind,
                result,
                last,
                ..
            } = arrival;
            driver.give_back(&arrival);
            if let Some(stream) = self.all.get_mut(&signature).filter(|_| last) {
                stream.asked &= !kind.bit();
                self.change(signature);
            }
            match kind {
                Kind::Accept if result >= 0 => driver.release(result),
                Kind::Send => self.sent(signature, result),
                Kind::Accept | Kind::Receive | Kind::Ready => {}
            }
        }
    }

    fn accepted(
        &mut self,
        server: Signature,
        result: i32,
        driver: &mut Driver,
    ) -> Option<Event<R>> {
        let now = self.now;
        let stream = self.all.get_mut(&server)?;
        if result < 0 {
            if result != -libc::ECANCELED
                && result != -libc::ECONNABORTED
                && stream.ending == Ending::No
            {
                stream.rests = true;
                stream.active = now;
                self.arm(server);
            }
            return None;
        }
        if stream.ending != Ending::No {
            driver.release(result);
            return None;
        }
        let adding = Adding {
            transport: Transport::Socket,
            owned: true,
            connecting: false,
            most: None,
        };
        let stream = self.add(result, adding, now);
        if let Some(stream) = self.all.get_mut(&stream) {
            stream.accepted = true;
            stream.busy = true;
        }
        Some(Event::Accepted { server, stream })
    }

    fn received(&mut self, arrival: Arrival, driver: &mut Driver) -> Option<Event<R>> {
        let signature = arrival.signature;
        if arrival.result <= 0 {
            driver.give_back(&arrival);
            match -arrival.result {
                0 => {
                    self.end_of_input(signature);
                    self.end(signature, Ending::Over, 0);
                }
                // Taken back; or there were no buffers just now.
                libc::ECANCELED | libc::ENOBUFS => {}
                libc::EOPNOTSUPP | libc::ENOTSOCK => {
                    if let Some(stream) = self.live_mut(signature) {
                        stream.by_readiness = true;
                    }
                }
                errno => self.end(signature, Ending::Over, errno),
            }
            return None;
        }
        self.touch(signature);
        if self.is_secure(signature) == Some(true) {
            let event = self.decipher(signature, driver.bytes(&arrival));
            driver.give_back(&arrival);
            return event;
        }
        let relayed = self.relay(signature, driver.bytes(&arrival));
        let begun = (relayed == 0).then(|| self.may_begin(signature)).flatten();
        let Some(root) = begun else {
            let rest = driver.bytes(&arrival).get(relayed..).unwrap_or_default();
            if !rest.is_empty() {
                self.put_off(signature, Waiting::Data(rest.to_vec()));
            }
            driver.give_back(&arrival);
            return None;
        };
        self.piece = Piece::Arrival(arrival);
        Some(Event::Data(signature, root))
    }

    fn sent(&mut self, signature: Signature, result: i32) {
        let Some(stream) = self.all.get_mut(&signature) else {
            return;
        };
        stream.out.taken_back();
        if stream.ending > Ending::Drained {
            return stream.out.discard();
        }
        match usize::try_from(result) {
            Ok(count) => {
                stream.out.sent(count);
                self.has_sent(signature);
            }
            Err(_) if result == -libc::ECANCELED => {}
            Err(_) => self.end(signature, Ending::Over, -result),
        }
    }

    /// Some bytes have left.
    pub(super) fn has_sent(&mut self, signature: Signature) {
        self.touch(signature);
        self.relieve(signature);
        self.finish(signature);
        self.change(signature);
    }

    fn became_ready(
        &mut self,
        signature: Signature,
        result: i32,
        driver: &mut Driver,
    ) -> Option<Event<R>> {
        let stream = self.live_mut(signature)?;
        let interest = stream.asked_interest.take()?;
        if stream.ending > Ending::Drained || result == -libc::ECANCELED {
            return None;
        }
        let ready = match op::Poll::new(stream.fd, interest).advance(result) {
            Progress::Complete(bits) if bits < 0 => {
                self.end(signature, Ending::Over, -bits);
                return None;
            }
            Progress::Complete(bits) => Interest::from_bits(u8::try_from(bits).unwrap_or(0))?,
            // Not yet, and the flush asks again; or never, as of a regular file nobody can say when.
            Progress::Again | Progress::Never => return None,
        };
        if stream.connecting {
            return self.connected(signature, driver);
        }
        match stream.transport {
            Transport::Watch => {
                // It may be watched for something else by now.
                let watched = stream.watched.map_or(0, Interest::bits);
                let ready = Interest::from_bits(ready.bits() & watched)?;
                self.watched_is_ready(signature, ready)
            }
            Transport::Datagram if ready.has(Interest::READABLE) => {
                self.receive_datagrams(signature)
            }
            Transport::Pipe | Transport::Socket if ready.has(Interest::READABLE) => {
                self.read(signature)
            }
            // What can be written is, by the flush.
            _ => None,
        }
    }

    /// A connection has been made, or has failed.
    fn connected(&mut self, signature: Signature, driver: &mut Driver) -> Option<Event<R>> {
        let stream = self.live_mut(signature)?;
        let errno = op::socket_error(stream.fd);
        if errno != 0 {
            if !self.try_another(signature, driver) {
                self.end(signature, Ending::Over, errno);
            }
            return None;
        }
        stream.connecting = false;
        let signature = self.hand_over(signature, driver);
        self.end_rival(signature);
        self.touch(signature);
        self.arm(signature);
        self.deliver(signature, Waiting::Completed)
    }

    fn watched_is_ready(&mut self, signature: Signature, ready: Interest) -> Option<Event<R>> {
        self.touch(signature);
        if ready.has(Interest::READABLE) && ready.has(Interest::WRITABLE) {
            let first = self.deliver(signature, Waiting::Readable);
            self.put_off(signature, Waiting::Writable);
            return first;
        }
        let waiting = if ready.has(Interest::WRITABLE) {
            Waiting::Writable
        } else {
            Waiting::Readable
        };
        self.deliver(signature, waiting)
    }

    fn receive_datagrams(&mut self, signature: Signature) -> Option<Event<R>> {
        let fd = self.live(signature)?.fd;
        self.scratch.resize(DATAGRAM, 0);
        for _ in 0..DATAGRAMS {
            let (attempt, from) = op::receive_from(fd, &mut self.scratch);
            match attempt {
                Attempt::Done(count) if count >= 0 => {
                    let bytes = self.scratch[..usize::try_from(count).unwrap_or(0)].to_vec();
                    self.put_off(signature, Waiting::Datagram(bytes, from));
                }
                // An error is of a datagram that was sent before (ECONNREFUSED), and tells nothing of this socket.
                Attempt::Done(_) => {}
                Attempt::NotReady | Attempt::Blocking => break,
            }
        }
        self.touch(signature);
        None
    }

    fn read(&mut self, signature: Signature) -> Option<Event<R>> {
        let stream = self.live(signature)?;
        let (fd, transport) = (stream.fd, stream.transport);
        let most = stream.rare.as_ref().and_then(|rare| rare.most);
        self.scratch.resize(most.unwrap_or(PIECE), 0);
        let transfer = Transfer::new(Buffer::of(&mut self.scratch), 1);
        let attempt = match transport {
            Transport::Socket => Recv { fd, transfer }.syscall(),
            _ => op::Read {
                fd,
                transfer,
                at: None,
            }
            .syscall(),
        };
        let count = match attempt {
            Attempt::Done(count) if count > 0 => usize::try_from(count).unwrap_or(0),
            // A terminal whose other end has gone says EIO.
            Attempt::Done(0) => {
                self.end_of_input(signature);
                self.end(signature, Ending::Over, 0);
                return None;
            }
            Attempt::Done(errno) => {
                let reason = if errno == -libc::EIO { 0 } else { -errno };
                self.end(signature, Ending::Over, reason);
                return None;
            }
            Attempt::NotReady | Attempt::Blocking => return None,
        };
        self.touch(signature);
        let scratch = std::mem::take(&mut self.scratch);
        if self.is_secure(signature) == Some(true) {
            let event = self.decipher(signature, &scratch[..count]);
            self.scratch = scratch;
            return event;
        }
        let relayed = self.relay(signature, &scratch[..count]);
        let begun = (relayed == 0).then(|| self.may_begin(signature)).flatten();
        let event = match begun {
            Some(root) => {
                self.piece = Piece::Scratch(count);
                Some(Event::Data(signature, root))
            }
            None if relayed == count => None,
            None => {
                self.put_off(signature, Waiting::Data(scratch[relayed..count].to_vec()));
                None
            }
        };
        self.scratch = scratch;
        event
    }

    /// Begins an event if nothing stands in its way; else it waits.
    pub(super) fn deliver(&mut self, signature: Signature, waiting: Waiting) -> Option<Event<R>> {
        match self.may_begin(signature) {
            Some(root) => Some(self.event(signature, root, waiting)),
            None => {
                self.put_off(signature, waiting);
                None
            }
        }
    }

    /// Puts an event behind those that wait.
    pub(super) fn put_off(&mut self, signature: Signature, waiting: Waiting) {
        let Some(stream) = self.live_mut(signature) else {
            return;
        };
        let deliverable = !stream.busy && !stream.paused;
        let rare = stream.rare();
        rare.backlog_len += waiting.len();
        rare.backlog.push_back(waiting);
        if deliverable {
            self.deliverable.push_back(signature);
        }
        self.change(signature);
    }

    /// The next event of a stream that has some waiting.
    pub(super) fn next_waiting(&mut self, signature: Signature) -> Option<Event<R>> {
        let stream = self.live_mut(signature)?;
        if stream.busy || stream.paused {
            return None;
        }
        let root = stream.root?;
        let rare = stream.rare();
        let waiting = rare.backlog.pop_front()?;
        rare.backlog_len -= waiting.len();
        stream.busy = true;
        self.change(signature);
        Some(self.event(signature, root, waiting))
    }

    /// Marks a stream as busy with an event, if it may have one now.
    fn may_begin(&mut self, signature: Signature) -> Option<R> {
        let stream = self.live_mut(signature)?;
        if stream.busy || stream.paused || stream.has_backlog() {
            return None;
        }
        let root = stream.root?;
        stream.busy = true;
        Some(root)
    }

    fn event(&mut self, signature: Signature, root: R, waiting: Waiting) -> Event<R> {
        match waiting {
            Waiting::Data(bytes) => {
                self.piece = Piece::Own(bytes);
                Event::Data(signature, root)
            }
            Waiting::Datagram(bytes, from) => {
                self.piece = Piece::Own(bytes);
                if let Some(stream) = self.all.get_mut(&signature) {
                    stream.rare().peer = Some(from);
                }
                Event::Data(signature, root)
            }
            Waiting::Ciphertext(bytes) => {
                self.piece = Piece::Own(bytes);
                Event::Ciphertext(signature, root)
            }
            Waiting::Completed => Event::Completed(signature, root),
            Waiting::Secured => Event::Secured(signature, root),
            Waiting::Readable => Event::Readable(signature, root),
            Waiting::Writable => Event::Writable(signature, root),
            Waiting::ProxyCompleted => Event::ProxyCompleted(signature, root),
            Waiting::ProxyTargetUnbound => Event::ProxyTargetUnbound(signature, root),
        }
    }

    /// The bytes of the event that was handed out last, until [`Self::taken`].
    #[must_use]
    pub fn bytes<'a>(&'a self, driver: &'a Driver) -> &'a [u8] {
        match &self.piece {
            Piece::None => &[],
            Piece::Arrival(arrival) => driver.bytes(arrival),
            Piece::Scratch(count) => self.scratch.get(..*count).unwrap_or_default(),
            Piece::Own(bytes) => bytes,
        }
    }

    /// They have been taken.
    pub fn taken(&mut self, driver: &mut Driver) {
        if let Piece::Arrival(arrival) = std::mem::take(&mut self.piece) {
            driver.give_back(&arrival);
        }
    }

    /// Something has come or gone.
    fn touch(&mut self, signature: Signature) {
        let now: Instant = self.now;
        if let Some(stream) = self.all.get_mut(&signature) {
            stream.active = now;
        }
    }
}

impl Waiting {
    fn len(&self) -> usize {
        match self {
            Self::Data(bytes) | Self::Ciphertext(bytes) | Self::Datagram(bytes, _) => bytes.len(),
            _ => 0,
        }
    }
}

/// EventMachine's buffer for a datagram: what is longer is cut.
const DATAGRAM: usize = 16 * 1024 - 1;
