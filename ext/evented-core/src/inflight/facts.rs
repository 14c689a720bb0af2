//! What can be asked of the tables without changing them.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::{Op, Outcome, Root, State, Tables, Token};

impl<R: Root> Tables<R> {
    /// The outcome of a wait, once it has one.
    #[must_use]
    pub fn outcome(&self, token: Token) -> Option<Outcome> {
        match self.waiters.get(token)?.state {
            State::Ready(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether the kernel may still write to the waiter's buffer (I-1).
    #[must_use]
    pub fn holds_buffer(&self, token: Token) -> bool {
        self.waiters.get(token).is_some_and(|waiter| {
            waiter.in_flight
                && waiter
                    .op
                    .map_or(waiter.lends_memory, |op| op.holds_buffer())
        })
    }

    /// What a waiter keeps alive.
    #[must_use]
    pub fn root(&self, token: Token) -> Option<R> {
        self.waiters.get(token).map(|waiter| waiter.root)
    }

    /// Whether a frame of `park` waits for this one.
    #[must_use]
    pub fn is_framed(&self, token: Token) -> bool {
        self.waiters.get(token).is_some_and(|waiter| waiter.framed)
    }

    /// Everything that must be kept alive, for the garbage collector.
    pub fn roots(&self) -> impl Iterator<Item = &R> {
        // Members have the root of their whole.
        let waiters = self
            .waiters
            .values()
            .filter(|waiter| waiter.whole.is_none())
            .map(|waiter| &waiter.root);
        waiters.chain(self.alarms.roots())
    }

    /// The park of each fiber that waits or is ready, in no order.
    pub fn parked(&self) -> impl Iterator<Item = Token> {
        self.by_fiber.values().copied()
    }

    /// What a waiter asked of the kernel.
    #[must_use]
    pub fn op(&self, token: Token) -> Option<Op> {
        self.waiters.get(token)?.op
    }

    /// How many waiters the kernel, or another thread, works for. With none, no deadline and nobody ready
    /// only another thread that holds the GVL can end a wait.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many of [`Self::in_flight`] another thread works for: that ends by itself.
    #[must_use]
    pub fn offloaded(&self) -> usize {
        self.offloaded
    }

    /// Whether any fiber waits or is ready.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.by_fiber.is_empty() || !self.ready.is_empty()
    }

    /// How many fibers wait or are ready.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_fiber.len()
    }

    /// Whether no fiber waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_fiber.is_empty()
    }

    /// How many waits have a deadline.
    #[must_use]
    pub fn sleeping(&self) -> usize {
        self.waiters
            .values()
            .filter(|waiter| waiter.timer.is_some())
            .count()
    }

    /// When the loop has to be back from the kernel.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// Whether `fiber` waits, and is not ready.
    #[must_use]
    pub fn is_parked(&self, fiber: usize) -> bool {
        self.by_fiber
            .get(&fiber)
            .is_some_and(|&token| !matches!(self.waiters[token].state, State::Ready(_)))
    }

    /// Whether `fiber` has a waiter: it is parked or ready.
    #[must_use]
    pub fn knows(&self, fiber: usize) -> bool {
        self.by_fiber.contains_key(&fiber)
    }
}
