//! What a stream wants of the driver, as its state says.
#![forbid(unsafe_code)]

use crate::{
    Driver,
    buffer::Buffer,
    driver::standing::{Ask, Kind, Signature},
    op::{self, Attempt, Interest, Send, Transfer},
};

use super::{Ending, MOST_BACKLOG, Stream, Streams, Transport};

impl<R: Copy> Streams<R> {
    /// Asks the driver for what has come to be wanted, and stops what is not wanted any more.
    pub fn flush(&mut self, driver: &mut Driver) {
        // A write that is tried here may change another stream, a proxy's source.
        while let Some(signature) = self.changed.pop() {
            let Some(stream) = self.all.get_mut(&signature) else {
                continue;
            };
            stream.changed = false;
            if stream.ending == Ending::Unbound {
                self.let_go(signature, driver);
                continue;
            }
            if stream.writes_when_ready() && stream.interest().is_some() {
                self.write(signature);
            }
            let Some(stream) = self.all.get_mut(&signature) else {
                continue;
            };
            stream.flush(signature, driver, self.halted);
        }
    }

    /// A stream that has had its last event: as soon as the kernel has let go of it, it is gone.
    fn let_go(&mut self, signature: Signature, driver: &mut Driver) {
        let Some(stream) = self.all.get_mut(&signature) else {
            return;
        };
        stream.stop_all(signature, driver);
        if stream.fd >= 0 && !stream.busy {
            // Behind the requests to stop: no request on this descriptor is left when it is closed.
            if stream.owned {
                driver.release(stream.fd);
            } else {
                driver.let_go(stream.fd);
            }
            stream.fd = -1;
        }
        if stream.asked == 0 && stream.fd < 0 {
            self.borrowing -= usize::from(!stream.owned);
            self.all.remove(&signature);
            self.leaving -= 1;
        }
    }

    /// Writes what there is room for, to what is written when it is ready.
    pub(super) fn write(&mut self, signature: Signature) {
        let Some(stream) = self.all.get_mut(&signature) else {
            return;
        };
        let outcome = match stream.transport {
            Transport::Datagram => stream.send_datagrams(),
            _ => stream.write_bytes(),
        };
        match outcome {
            Ok(0) => {}
            Ok(_) => self.has_sent(signature),
            Err(errno) => self.end(signature, Ending::Over, errno),
        }
    }
}

impl<R> Stream<R> {
    /// `halted`: whatever came would only be dropped.
    fn flush(&mut self, signature: Signature, driver: &mut Driver, halted: bool) {
        if self.ending > Ending::Drained {
            return self.stop_all(signature, driver);
        }
        let wanted = [
            (Kind::Accept, !halted && self.wants_connections()),
            (Kind::Receive, !halted && self.wants_bytes()),
        ];
        for (kind, wanted) in wanted {
            match (wanted, self.asked & kind.bit() != 0) {
                (true, false) => {
                    let ask = match kind {
                        Kind::Accept => Ask::Accept(op::Accept { fd: self.fd }),
                        _ => Ask::Receive(self.fd),
                    };
                    self.ask(signature, ask, driver);
                }
                (false, true) => driver.stop(signature, kind),
                _ => {}
            }
        }
        if self.wants_to_send() && self.asked & Kind::Send.bit() == 0 {
            let fd = self.fd;
            let transfer = Transfer::new(Buffer::of(self.out.lend()), 1);
            self.ask(signature, Ask::Send(Send { fd, transfer }), driver);
        }
        let interest = self.interest().filter(|_| !halted);
        if self.asked & Kind::Ready.bit() != 0 {
            if interest != self.asked_interest {
                // It is asked for anew when this one has ended.
                driver.stop(signature, Kind::Ready);
            }
        } else if let Some(interest) = interest {
            self.asked_interest = Some(interest);
            let poll = op::Poll::new(self.fd, interest);
            self.ask(signature, Ask::Ready(poll), driver);
        }
    }

    fn ask(&mut self, signature: Signature, ask: Ask, driver: &mut Driver) {
        self.asked |= ask.kind().bit();
        driver.ask(signature, ask);
    }

    pub(super) fn stop_all(&mut self, signature: Signature, driver: &mut Driver) {
        for kind in [Kind::Accept, Kind::Receive, Kind::Send, Kind::Ready] {
            if self.asked & kind.bit() != 0 {
                driver.stop(signature, kind);
            }
        }
    }

    fn wants_connections(&self) -> bool {
        let open = self.ending == Ending::No && !self.paused && !self.rests;
        self.transport == Transport::Server && open
    }

    fn wants_bytes(&self) -> bool {
        self.transport == Transport::Socket && !self.by_readiness && self.reads()
    }

    fn wants_to_send(&self) -> bool {
        self.transport == Transport::Socket && !self.sends_when_ready() && self.writes()
    }

    /// Whether this socket is written to by us when there is room: the driver can't, or it is a file's turn.
    fn sends_when_ready(&self) -> bool {
        self.by_readiness || self.out.next_part().is_some()
    }

    /// Whether what it sends is written by us when there is room, and not by the driver.
    fn writes_when_ready(&self) -> bool {
        let by_us = match self.transport {
            Transport::Socket => self.sends_when_ready(),
            Transport::Pipe | Transport::Datagram => true,
            Transport::Watch | Transport::Server => false,
        };
        by_us && self.writes()
    }

    fn reads(&self) -> bool {
        let rare = self.rare.as_ref();
        let full =
            rare.is_some_and(|rare| rare.backlog_len >= MOST_BACKLOG || rare.proxy.is_full());
        let open = self.ending <= Ending::Drained && !self.tls_failed();
        open && !self.connecting && !self.paused && !full
    }

    fn writes(&self) -> bool {
        let something = !self.out.is_empty()
            || self
                .rare
                .as_ref()
                .is_some_and(|rare| !rare.datagrams.is_empty());
        self.ending <= Ending::Drained && !self.connecting && !self.paused && something
    }

    /// The readiness that it waits for.
    fn interest(&self) -> Option<Interest> {
        if self.connecting {
            return Some(Interest::WRITABLE);
        }
        match self.transport {
            Transport::Server => None,
            Transport::Watch => self.watched.filter(|_| !self.paused && !self.busy),
            Transport::Socket if !self.by_readiness => {
                (self.sends_when_ready() && self.writes()).then_some(Interest::WRITABLE)
            }
            Transport::Socket | Transport::Pipe | Transport::Datagram => {
                let mut bits = 0;
                if self.reads() {
                    bits |= Interest::READABLE.bits();
                }
                if self.writes() {
                    bits |= Interest::WRITABLE.bits();
                }
                Interest::from_bits(bits)
            }
        }
    }

    /// Writes until there is no room or nothing left. How many bytes, or an errno.
    fn write_bytes(&mut self) -> Result<usize, i32> {
        let mut total = 0;
        while !self.out.is_empty() {
            match self.write_some() {
                Attempt::Done(result) => match usize::try_from(result) {
                    Ok(count) => {
                        self.out.sent(count);
                        total += count;
                    }
                    Err(_) => return Err(-result),
                },
                Attempt::NotReady | Attempt::Blocking => break,
            }
        }
        Ok(total)
    }

    fn write_some(&mut self) -> Attempt {
        let fd = self.fd;
        if let Some((part, done)) = self.out.next_part() {
            return part.send(fd, done);
        }
        let transfer = Transfer::new(Buffer::of(self.out.lend()), 1);
        let attempt = match self.transport {
            Transport::Socket => Send { fd, transfer }.syscall(),
            _ => op::Write {
                fd,
                transfer,
                at: None,
            }
            .syscall(),
        };
        self.out.taken_back();
        attempt
    }

    /// Sends datagrams until there is no room or none left. One that can't be sent is lost, as datagrams are.
    fn send_datagrams(&mut self) -> Result<usize, i32> {
        let fd = self.fd;
        let mut total = 0;
        let Some(rare) = &mut self.rare else {
            return Ok(0);
        };
        let peer = rare.peer;
        while let Some((bytes, to)) = rare.datagrams.front() {
            if let Some(to) = (*to).or(peer)
                && op::send_to(fd, bytes, &to) == Attempt::NotReady
            {
                break;
            }
            let count = bytes.len();
            total += count.max(1);
            rare.datagrams.pop_front();
            self.out.uncount(count);
        }
        Ok(total)
    }
}
