//! The reactor of the evented gem, without Ruby.
//!
//! # The life of an operation
//!
//! A fiber wants bytes from a socket. The binding asks [`Reactor::submit`] for a [`op::Recv`]; the
//! reactor enters a waiter (the fiber and what must stay alive with it) into [`inflight`] and hands
//! the operation to the [`driver`], which queues it for the kernel. The fiber parks. When nobody is
//! ready to run, the loop asks [`Reactor::before_wait`] how long it may sleep, lets the driver wait,
//! and calls [`Reactor::dispatch`]: every completion finds its waiter by token, the operation says
//! whether it has enough ([`op::Op::advance`]), and the waiter joins the ready queue with an
//! [`Outcome`]. The binding resumes it.
//!
//! # Modules
//!
//! - [`reactor`]: submit, cancel, wait, dispatch: the verbs, over two halves.
//! - [`inflight`]: the first half, what the garbage collector may mark: [`waiter`]s, ready queue, timers.
//! - [`driver`]: the second half, what the kernel may write: io_uring, mio, or a script for tests.
//! - [`op`]: one file an operation; [`buffer`]: the memory the kernel sees.
//! - [`timer`], [`alarm`], [`ready`], [`descriptors`]: the parts of the first half. [`remote`]: what other threads may do.
//! - [`stream`]: connections that are called back instead of waited for.
//! - [`tls`]: what they say, if that is encrypted.
//! - [`offload`]: threads for what can only block. [`clock`]: where time enters. [`stats`]: counters.
//! - `sync`: what threads share, so that loom can put itself in std's place.
//!
//! The invariants I-1 … I-12 that the comments cite are in `docs/invariants.md`.

pub mod alarm;
pub mod buffer;
pub mod clock;
pub mod descriptors;
pub mod driver;
pub mod error;
pub mod inflight;
pub mod offload;
pub mod op;
pub mod reactor;
pub mod ready;
pub mod remote;
pub mod stats;
pub mod stream;
mod sync;
pub mod timer;
pub mod tls;
pub mod waiter;

pub use driver::Driver;
pub use error::Error;
pub use inflight::{Outcome, Root, Tables, Token};
pub use reactor::Reactor;
pub use stream::Streams;
