//! Deadlines: a 4-ary heap whose entries know where they are.
//!
//! Arming and cancelling are O(log n), the next deadline O(1), and a cancelled timer leaves nothing
//! behind: most timeouts are cancelled, so a heap that only marks them would grow without bound.
//! Four children a node keep the heap half as deep as two would, within one or two cache lines.
#![forbid(unsafe_code)]

use std::time::Instant;

use slotmap::{SlotMap, new_key_type};

new_key_type! {
    /// A timer that is armed, or was.
    pub struct TimerKey;
}

/// Armed timers, each with a payload that says what is due.
#[derive(Debug)]
pub struct Timers<T> {
    /// Ordered as a heap by (deadline, sequence): earlier first, and in arming order among equals.
    heap: Vec<Node>,
    /// Where each timer stands in the heap, and its payload.
    slots: SlotMap<TimerKey, Slot<T>>,
    /// Counts armings; orders equal deadlines.
    sequence: u64,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    deadline: Instant,
    sequence: u64,
    key: TimerKey,
}

#[derive(Debug)]
struct Slot<T> {
    position: usize,
    payload: T,
}

impl<T> Timers<T> {
    /// No timers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            heap: Vec::new(),
            slots: SlotMap::with_key(),
            sequence: 0,
        }
    }

    /// Arms a timer.
    pub fn arm(&mut self, deadline: Instant, payload: T) -> TimerKey {
        let position = self.heap.len();
        let key = self.slots.insert(Slot { position, payload });
        self.sequence += 1;
        self.heap.push(Node {
            deadline,
            sequence: self.sequence,
            key,
        });
        self.rise(position);
        key
    }

    /// Disarms a timer and returns its payload; `None` if it has fired or was disarmed already.
    pub fn disarm(&mut self, key: TimerKey) -> Option<T> {
        let slot = self.slots.remove(key)?;
        self.take_out(slot.position);
        Some(slot.payload)
    }

    /// Takes out one timer that is due at `now`, the earliest first.
    pub fn pop_due(&mut self, now: Instant) -> Option<T> {
        let first = *self.heap.first()?;
        if first.deadline > now {
            return None;
        }
        self.take_out(0);
        self.slots.remove(first.key).map(|slot| slot.payload)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.heap.first().map(|node| node.deadline)
    }

    /// How many are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    fn take_out(&mut self, position: usize) {
        self.heap.swap_remove(position);
        if position < self.heap.len() {
            self.note(position);
            self.rise(position);
            self.sink(position);
        }
    }

    fn rise(&mut self, mut position: usize) {
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if !self.before(position, parent) {
                break;
            }
            self.swap(position, parent);
            position = parent;
        }
    }

    fn sink(&mut self, mut position: usize) {
        loop {
            let children =
                position * ARITY + 1..(position * ARITY + 1 + ARITY).min(self.heap.len());
            let Some(least) = children.reduce(|a, b| if self.before(b, a) { b } else { a }) else {
                break;
            };
            if !self.before(least, position) {
                break;
            }
            self.swap(position, least);
            position = least;
        }
    }

    fn before(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.heap[a], &self.heap[b]);
        (a.deadline, a.sequence) < (b.deadline, b.sequence)
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note(a);
        self.note(b);
    }

    fn note(&mut self, position: usize) {
        let key = self.heap[position].key;
        if let Some(slot) = self.slots.get_mut(key) {
            slot.position = position;
        }
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}

const ARITY: usize = 4;
