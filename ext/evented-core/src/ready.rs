//! Who may run: a queue that is bounded a turn (I-11).
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use crate::inflight::Token;

/// Waiters that have their outcome and wait for their turn to run.
#[derive(Debug, Default)]
pub struct Ready {
    queue: VecDeque<Token>,
    /// How many may still run before the kernel is asked again.
    budget: usize,
    /// Who runs first among those of a turn, for tests that look for an order which breaks things; else
    /// who became ready first.
    shuffle: Option<fastrand::Rng>,
}

impl Ready {
    /// At the end: after everybody who is ready already.
    pub fn push(&mut self, token: Token) {
        self.queue.push_back(token);
    }

    /// At the front: goes on where it was interrupted, in the same turn.
    pub fn push_front(&mut self, token: Token) {
        self.queue.push_front(token);
        self.budget += 1;
    }

    /// Starts a turn: whoever is ready now may run in it, whoever becomes ready waits for the next.
    pub fn begin_turn(&mut self) {
        self.budget = self.queue.len();
        if let Some(random) = &mut self.shuffle {
            random.shuffle(self.queue.make_contiguous());
        }
    }

    /// From the next turn on, has those of a turn run in an order that depends on `seed` alone; `None`
    /// restores the order in which they became ready.
    pub fn seed(&mut self, seed: Option<u64>) {
        self.shuffle = seed.map(fastrand::Rng::with_seed);
    }

    /// The next one of this turn.
    #[expect(
        clippy::should_implement_trait,
        reason = "a queue that grows while it is emptied is no iterator"
    )]
    pub fn next(&mut self) -> Option<Token> {
        if self.budget == 0 {
            return None;
        }
        self.budget -= 1;
        self.queue.pop_front()
    }

    /// The next one of this turn, left where it is.
    #[must_use]
    pub fn peek(&self) -> Option<Token> {
        if self.budget == 0 {
            None
        } else {
            self.queue.front().copied()
        }
    }

    /// Whether nobody is ready.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many are ready.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u64) -> Token {
        Token::from_bits((1 << 32) + number)
    }

    #[test]
    fn nobody_runs_before_the_turn_begins() {
        let mut ready = Ready::default();
        assert!(ready.is_empty());
        ready.push(token(1));
        assert_eq!((ready.peek(), ready.next()), (None, None));
        assert_eq!(ready.len(), 1);
    }

    #[test]
    fn who_becomes_ready_in_a_turn_waits_for_the_next() {
        let mut ready = Ready::default();
        ready.push(token(1));
        ready.push(token(2));
        ready.begin_turn();
        assert_eq!(ready.peek(), Some(token(1)));
        assert_eq!(ready.next(), Some(token(1)));
        ready.push(token(3));
        assert_eq!(ready.next(), Some(token(2)));
        assert_eq!((ready.peek(), ready.next()), (None, None));
        ready.begin_turn();
        assert_eq!(ready.next(), Some(token(3)));
        assert!(ready.is_empty());
    }

    #[test]
    fn who_is_put_in_front_runs_next_and_takes_nobodys_place() {
        let mut ready = Ready::default();
        ready.push(token(1));
        ready.begin_turn();
        ready.push(token(2));
        ready.push_front(token(3));
        assert_eq!(ready.next(), Some(token(3)));
        assert_eq!(ready.next(), Some(token(1)));
        assert_eq!(ready.next(), None);
        // Even when the turn is over.
        ready.push_front(token(4));
        assert_eq!(ready.next(), Some(token(4)));
        assert_eq!(ready.next(), None);
        assert_eq!(ready.len(), 1);
    }

    #[test]
    fn a_seed_gives_an_order_that_can_be_had_again() {
        let order = |seed| {
            let mut ready = Ready::default();
            ready.seed(seed);
            (1..=20).for_each(|number| ready.push(token(number)));
            ready.begin_turn();
            std::iter::from_fn(|| ready.next()).collect::<Vec<_>>()
        };
        let in_order: Vec<_> = (1..=20).map(token).collect();
        assert_eq!(order(None), in_order);
        assert_ne!(order(Some(1)), in_order);
        assert_eq!(order(Some(1)), order(Some(1)));
        assert_ne!(order(Some(1)), order(Some(2)));
        let mut sorted = order(Some(1));
        sorted.sort();
        assert_eq!(sorted, in_order, "nobody is lost");
    }

    #[test]
    fn a_fiber_that_yields_for_ever_does_not_hold_the_turn_up() {
        let mut ready = Ready::default();
        ready.push(token(1));
        for _ in 0..100 {
            ready.begin_turn();
            let mut resumed = 0;
            while let Some(token) = ready.next() {
                resumed += 1;
                ready.push(token);
            }
            assert_eq!(resumed, 1);
        }
    }
}
