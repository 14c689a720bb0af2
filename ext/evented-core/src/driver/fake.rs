//! A kernel that does what a test tells it.
#![forbid(unsafe_code)]

use std::{collections::VecDeque, time::Duration};

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
    completions: VecDeque<(Token, i32)>,
}

impl Fake {
    /// Completes an operation.
    pub fn complete(&mut self, token: Token, result: i32) {
        self.pushed.retain(|&(_, other)| other != token);
        self.completions.push_back((token, result));
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
        !self.completions.is_empty()
    }

    pub(super) fn reap(&mut self) -> Option<(Token, i32)> {
        self.completions.pop_front()
    }

    pub(super) fn close(&mut self) -> bool {
        self.pushed.clear();
        true
    }
}
