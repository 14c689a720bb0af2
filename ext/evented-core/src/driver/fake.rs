//! A kernel that does what a test tells it.
#![forbid(unsafe_code)]

use std::{collections::VecDeque, time::Duration};

use super::standing::{Arrival, Ask, Kind, Signature};
use crate::{inflight::Token, op::Op};

/// What was asked of it, and what it is to answer.
#[derive(Debug, Default)]
pub struct Fake {
    /// Operations pushed and not yet completed, oldest first.
    pub pushed: Vec<(Op, Token)>,
    /// Operations that were asked to stop, oldest first.
    pub cancelled: Vec<Token>,
    /// The timeouts of all waits so far.
    pub waits: Vec<Option<Duration>>,
    /// What streams have asked for and neither got nor stopped, oldest first.
    pub asked: Vec<(Signature, Ask)>,
    /// Descriptors that streams have given up, oldest first.
    pub released: Vec<i32>,
    completions: VecDeque<(Token, i32)>,
    arrivals: VecDeque<Arrival>,
    /// The bytes of each arrival, by the number of its buffer.
    bytes: Vec<Vec<u8>>,
}

impl Fake {
    /// Completes an operation.
    pub fn complete(&mut self, token: Token, result: i32) {
        self.pushed.retain(|&(_, other)| other != token);
        self.completions.push_back((token, result));
    }

    /// Has something come for a stream, with these bytes; `last` if its request has ended with it.
    pub fn arrive(
        &mut self,
        signature: Signature,
        kind: Kind,
        result: i32,
        last: bool,
        bytes: &[u8],
    ) {
        if last {
            self.asked
                .retain(|(other, ask)| (*other, ask.kind()) != (signature, kind));
        }
        self.bytes.push(bytes.to_vec());
        self.arrivals.push_back(Arrival {
            signature,
            kind,
            result,
            last,
            buffer: u16::try_from(self.bytes.len() - 1).ok(),
        });
    }

    pub(super) fn push(&mut self, op: Op, token: Token) {
        self.pushed.push((op, token));
    }

    pub(super) fn cancel(&mut self, token: Token) {
        self.cancelled.push(token);
    }

    pub(super) fn wants_wait(&mut self) -> bool {
        true
    }

    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> bool {
        self.waits.push(timeout);
        true
    }

    pub(super) fn has_completions(&mut self) -> bool {
        !self.completions.is_empty() || !self.arrivals.is_empty()
    }

    pub(super) fn reap(&mut self) -> Option<(Token, i32)> {
        self.completions.pop_front()
    }

    pub(super) fn ask(&mut self, signature: Signature, ask: Ask) {
        self.asked.push((signature, ask));
    }

    pub(super) fn stop(&mut self, signature: Signature, kind: Kind) {
        let standing = |(other, ask): &(Signature, Ask)| (*other, ask.kind()) == (signature, kind);
        if self.asked.iter().any(standing) {
            self.arrive(signature, kind, -libc::ECANCELED, true, b"");
        }
    }

    pub(super) fn release(&mut self, fd: i32) {
        self.released.push(fd);
    }

    #[expect(clippy::unused_self, reason = "the same shape in every driver")]
    pub(super) fn let_go(&mut self, _fd: i32) {}

    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty()
    }

    pub(super) fn arrival(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    pub(super) fn bytes(&self, arrival: &Arrival) -> &[u8] {
        arrival
            .buffer
            .and_then(|at| self.bytes.get(usize::from(at)))
            .map_or(&[], Vec::as_slice)
    }

    pub(super) fn give_back(&mut self, arrival: &Arrival) {
        if let Some(bytes) = arrival
            .buffer
            .and_then(|at| self.bytes.get_mut(usize::from(at)))
        {
            bytes.clear();
        }
    }

    pub(super) fn close(&mut self) -> bool {
        self.pushed.clear();
        true
    }
}
