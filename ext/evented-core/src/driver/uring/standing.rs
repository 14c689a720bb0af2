//! Requests that stand: multishot accept, and multishot receive into buffers that the ring picks.

use std::collections::VecDeque;

use io_uring::{cqueue, opcode, squeue::Entry, types::Fd};

use super::{IGNORED, buffers::Buffers};
use crate::driver::standing::{Arrival, Ask, Kind, Signature};

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
        self.orders
            .push_back(Order::Ask(user_data(signature, ask.kind()), ask));
    }

    pub(super) fn stop(&mut self, signature: Signature, kind: Kind) {
        self.orders
            .push_back(Order::Stop(user_data(signature, kind)));
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
                    Ask::Receive(fd) => opcode::RecvMulti::new(Fd(*fd), Buffers::GROUP).build(),
                    Ask::Send(send) => crate::op::Op::Send(*send).sqe(),
                    Ask::Ready(poll) => crate::op::Op::Poll(*poll).sqe(),
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
        let last = !cqueue::more(entry.flags());
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
        for order in self.orders.drain(..) {
            match order {
                Order::Ask(..) => self.in_flight -= 1,
                Order::Stop(_) => {}
                Order::Close(fd) => {
                    let _ = crate::op::Close { fd }.syscall();
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
