//! Requests that stand: multishot accept, and multishot receive into buffers that the ring picks.

use std::collections::VecDeque;

use io_uring::{
    cqueue, opcode,
    squeue::{Entry, Flags},
    types::Fd,
};
use rustc_hash::FxHashMap;

use super::{IGNORED, buffers::Buffers};
use crate::{
    driver::standing::{Arrival, Ask, Kind, Signature},
    op,
};

/// What streams have asked for and not got yet, and what has come for them.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// What leaves with the next system call, in this order: a descriptor is closed after all requests on it
    /// have left, and so none of them can meet another file under its number.
    orders: VecDeque<Order>,
    arrivals: VecDeque<Arrival>,
    /// Requests that have left or will, and have not ended.
    pub(super) in_flight: usize,
    buffers: Option<Buffers>,
    /// Receives that are asked for again after each piece, and their descriptors. Linux up to 6.19 can lose the end of a
    /// unix socket, if it came while the last bytes were being taken: a multishot receive then never ends
    /// (`io_uring/poll: fix multishot recv missing EOF on wakeup race`). A receive of one piece looks each time.
    one_by_one: FxHashMap<u64, i32>,
}

#[derive(Debug)]
enum Order {
    Ask(u64, Ask),
    Stop(u64),
    Close(i32),
}

impl Standing {
    pub(super) fn ask(&mut self, signature: Signature, ask: Ask, ring: &io_uring::IoUring) {
        self.in_flight += 1;
        if matches!(ask, Ask::Receive(_)) && self.buffers.is_none() {
            match Buffers::register(ring) {
                Ok(buffers) => self.buffers = Some(buffers),
                // The stream then waits for readiness instead.
                Err(_) => return self.refuse(signature, Kind::Receive),
            }
        }
        let id = user_data(signature, ask.kind());
        if let Ask::Receive(fd) = ask
            && op::is_local(fd)
        {
            self.one_by_one.insert(id, fd);
        }
        self.orders.push_back(Order::Ask(id, ask));
    }

    pub(super) fn stop(&mut self, signature: Signature, kind: Kind) {
        let id = user_data(signature, kind);
        // If a piece has come just now that is the end: the descriptor may be another's when it would be asked again.
        self.one_by_one.remove(&id);
        self.orders.push_back(Order::Stop(id));
    }

    pub(super) fn release(&mut self, fd: i32) {
        self.orders.push_back(Order::Close(fd));
    }

    pub(super) fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// The entry of the next order; [`Self::left`] says that it has found room.
    pub(super) fn entry(&self) -> Option<Entry> {
        Some(match self.orders.front()? {
            Order::Ask(id, ask) => {
                let entry = match ask {
                    Ask::Accept(accept) => accept.sqe(),
                    Ask::Receive(fd) if self.one_by_one.contains_key(id) => {
                        // The length is that of the buffer which the ring picks.
                        opcode::Recv::new(Fd(*fd), std::ptr::null_mut(), 0)
                            .buf_group(Buffers::GROUP)
                            .build()
                            .flags(Flags::BUFFER_SELECT)
                    }
                    Ask::Receive(fd) => opcode::RecvMulti::new(Fd(*fd), Buffers::GROUP).build(),
                    Ask::Send(send) => op::Op::Send(*send).sqe(),
                    Ask::Ready(poll) => op::Op::Poll(*poll).sqe(),
                };
                entry.user_data(*id)
            }
            Order::Stop(id) => opcode::AsyncCancel::new(*id).build().user_data(IGNORED),
            Order::Close(fd) => opcode::Close::new(Fd(*fd)).build().user_data(IGNORED),
        })
    }

    pub(super) fn left(&mut self) {
        self.orders.pop_front();
    }

    /// Takes a completion in, if it is one of ours.
    pub(super) fn take(&mut self, entry: &cqueue::Entry) -> bool {
        let id = entry.user_data();
        if !is_ours(id) {
            return false;
        }
        let last = !cqueue::more(entry.flags()) && !self.goes_on(id, entry.result());
        self.in_flight -= usize::from(last);
        self.arrivals.push_back(Arrival {
            signature: signature(id),
            kind: Kind::from_number(id),
            result: entry.result(),
            last,
            buffer: cqueue::buffer_select(entry.flags()),
        });
        true
    }

    /// Whether a receive of one piece is asked for again.
    fn goes_on(&mut self, id: u64, result: i32) -> bool {
        let Some(&fd) = self.one_by_one.get(&id) else {
            return false;
        };
        if result > 0 {
            self.orders.push_back(Order::Ask(id, Ask::Receive(fd)));
        } else {
            self.one_by_one.remove(&id);
        }
        result > 0
    }

    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty()
    }

    pub(super) fn arrival(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    pub(super) fn bytes(&self, arrival: &Arrival) -> &[u8] {
        let len = usize::try_from(arrival.result).unwrap_or(0);
        match (arrival.buffer, &self.buffers) {
            (Some(id), Some(buffers)) => buffers.bytes(id, len),
            _ => &[],
        }
    }

    pub(super) fn give_back(&mut self, arrival: &Arrival) {
        if let (Some(id), Some(buffers)) = (arrival.buffer, &mut self.buffers) {
            buffers.give_back(id);
        }
    }

    /// Carries out what can't leave any more: only descriptors are closed.
    pub(super) fn drop_orders(&mut self) {
        // None goes on from now on.
        self.one_by_one.clear();
        for order in self.orders.drain(..) {
            match order {
                Order::Ask(..) => self.in_flight -= 1,
                Order::Stop(_) => {}
                Order::Close(fd) => {
                    let _ = op::Close { fd }.syscall();
                }
            }
        }
    }

    fn refuse(&mut self, signature: Signature, kind: Kind) {
        self.in_flight -= 1;
        self.arrivals.push_back(Arrival {
            signature,
            kind,
            result: -libc::EOPNOTSUPP,
            last: true,
            buffer: None,
        });
    }
}

/// Tokens of waiters have bit 32 set, because slotmap's generations are odd; ours have not. Numbers of
/// signatures begin at 1, so ours are never as small as IGNORED and BELL.
fn user_data(signature: Signature, kind: Kind) -> u64 {
    let number = signature.number();
    (number & LOW) << 2 | kind as u64 | (number >> 30) << 33
}

fn is_ours(id: u64) -> bool {
    id & 1 << 32 == 0 && id > 3
}

fn signature(id: u64) -> Signature {
    Signature::from_number(id >> 2 & LOW | (id >> 33) << 30)
}

const LOW: u64 = (1 << 30) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_from_the_token_of_a_waiter_and_finds_its_stream() {
        for number in [1, 2, LOW, LOW + 1, 1 << 31, 1 << 40, (1 << 60) + 5] {
            for kind in [Kind::Accept, Kind::Receive, Kind::Send, Kind::Ready] {
                let id = user_data(Signature::from_number(number), kind);
                assert!(is_ours(id));
                assert_eq!(signature(id).number(), number);
                assert_eq!(Kind::from_number(id), kind);
            }
        }
        let mut slots = slotmap::SlotMap::<crate::Token, ()>::with_key();
        for _ in 0..100 {
            let token = slots.insert(());
            assert!(!is_ours(token.into_bits()));
            slots.remove(token);
        }
    }
}
