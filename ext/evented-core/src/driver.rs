//! The contract with the kernel.
//!
//! A driver takes operations and hands back completions. Whatever its kernel is like, its callers see
//! only this:
//!
//! - **push** never blocks and never loses: each operation pushed comes back by **reap** exactly once,
//!   with a count or a negative errno. It may be carried out before push returns or not before the
//!   next wait; a full queue is the driver's problem.
//! - **cancel** asks an operation to stop. It still comes back, with ECANCELED or with what it did
//!   after all. Cancelling what has already come back is harmless.
//! - **wait** submits what has been pushed and returns when there is something to reap, when the
//!   timeout has passed or the waker rang, or for no reason at all (a signal). It is the only call
//!   that sleeps, and it may be made without the GVL: it touches nothing but the driver (I-2). It makes no
//!   system call on a descriptor of an operation that was pushed before the last wait: without the GVL somebody
//!   may close it, and open another under its number. It answers `false` if the kernel's objects are broken.
//! - **reap** hands out one completion; the order among operations is not defined.
//! - **ask**, **stop**, **arrival**: the same for requests of streams, which stand until they end: each ends with
//!   exactly one arrival that says so, also after it was stopped. The bytes of an arrival belong to the driver until
//!   **give_back**. **release** closes a stream's descriptor, after what was asked for before and stopped; **let_go** only forgets it.
//! - **receive** hands out one message of another thread (I-6).
//! - **close** waits for every operation whose buffer the kernel might still write to; only then may the
//!   driver be dropped, which closes the kernel's objects (I-8). After a fork the child leaks the parent's instead (I-7).
//!
//! All drivers define these in this order, so that two of them can be laid side by side. Which one
//! runs is decided at run time, by [`probe`].

pub mod fake;
pub mod poll;
pub mod probe;
pub mod standing;
#[cfg(target_os = "linux")]
pub mod uring;

use std::time::Duration;

use self::standing::{Arrival, Ask, Kind, Signature};
use crate::{
    inflight::Token,
    op::Op,
    remote::{Message, Remote, Waker},
    sync::mpsc,
};

/// One reactor's connection to the kernel.
#[derive(Debug)]
pub struct Driver {
    kernel: Kernel,
    waker: Waker,
    remote: Remote,
    inbox: mpsc::Receiver<Message>,
}

#[derive(Debug)]
enum Kernel {
    #[cfg(target_os = "linux")]
    Uring(Box<uring::Uring>),
    Poll(Box<poll::Poll>),
    Fake(Box<fake::Fake>),
}

macro_rules! each {
    ($kernel:expr, $one:ident => $body:expr) => {
        match $kernel {
            #[cfg(target_os = "linux")]
            Kernel::Uring($one) => $body,
            Kernel::Poll($one) => $body,
            Kernel::Fake($one) => $body,
        }
    };
}

impl Driver {
    /// A driver over io_uring.
    ///
    /// # Errors
    ///
    /// What the kernel says when it refuses the ring, or EOPNOTSUPP when an operation is missing.
    #[cfg(target_os = "linux")]
    pub fn uring() -> std::io::Result<Self> {
        Self::uring_of(uring::ENTRIES)
    }

    /// As [`Self::uring`], with a submission queue of `entries`, rounded up to a power of two. With fewer than usual the
    /// completion queue is as short: that both overflow is an everyday thing then.
    ///
    /// # Errors
    ///
    /// As [`Self::uring`], and EINVAL for none.
    #[cfg(target_os = "linux")]
    pub fn uring_of(entries: u32) -> std::io::Result<Self> {
        let (uring, waker) = uring::Uring::new(entries)?;
        Ok(Self::over(Kernel::Uring(Box::new(uring)), waker))
    }

    /// A driver over mio: epoll, kqueue.
    ///
    /// # Errors
    ///
    /// What the kernel says, EMFILE for example.
    pub fn poll() -> std::io::Result<Self> {
        let (mut poll, waker) = poll::Poll::new()?;
        let (remote, inbox) = Remote::channel(waker.clone());
        poll.offload_to(remote.clone());
        Ok(Self {
            kernel: Kernel::Poll(Box::new(poll)),
            waker,
            remote,
            inbox,
        })
    }

    /// A driver that does what a test tells it.
    #[must_use]
    pub fn fake() -> Self {
        Self::over(Kernel::Fake(Box::default()), Waker::silent())
    }

    /// Its name: `uring`, `poll` or `fake`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kernel {
            #[cfg(target_os = "linux")]
            Kernel::Uring(_) => "uring",
            Kernel::Poll(_) => "poll",
            Kernel::Fake(_) => "fake",
        }
    }

    /// The script behind a fake driver.
    pub fn script(&mut self) -> Option<&mut fake::Fake> {
        match &mut self.kernel {
            Kernel::Fake(fake) => Some(fake),
            _ => None,
        }
    }

    /// Takes an operation.
    pub fn push(&mut self, op: Op, token: Token) {
        each!(&mut self.kernel, kernel => kernel.push(op, token));
    }

    /// Asks an operation to stop.
    pub fn cancel(&mut self, token: Token) {
        each!(&mut self.kernel, kernel => kernel.cancel(token));
    }

    /// Whether a wait now, without sleeping, could bring anything: asked each turn while fibers are
    /// ready, so that they don't starve I/O and don't pay for it either (I-11).
    pub fn wants_wait(&mut self) -> bool {
        each!(&mut self.kernel, kernel => kernel.wants_wait())
    }

    /// Whether operations that are pushed are carried out together, by the system call of the next wait.
    #[must_use]
    pub fn batches(&self) -> bool {
        match self.kernel {
            #[cfg(target_os = "linux")]
            Kernel::Uring(_) => true,
            _ => false,
        }
    }

    /// Submits, and sleeps until something can be reaped; `None` sleeps without limit, zero not at
    /// all. Tells whether the kernel's objects still answer.
    pub fn wait(&mut self, timeout: Option<Duration>) -> bool {
        each!(&mut self.kernel, kernel => kernel.wait(timeout))
    }

    /// Whether [`Self::reap`] has something.
    pub fn has_completions(&mut self) -> bool {
        each!(&mut self.kernel, kernel => kernel.has_completions())
    }

    /// Hands out one completion: whose, and a count or a negative errno.
    pub fn reap(&mut self) -> Option<(Token, i32)> {
        each!(&mut self.kernel, kernel => kernel.reap())
    }

    /// Takes a request of a stream.
    pub fn ask(&mut self, signature: Signature, ask: Ask) {
        each!(&mut self.kernel, kernel => kernel.ask(signature, ask));
    }

    /// Has a request end.
    pub fn stop(&mut self, signature: Signature, kind: Kind) {
        each!(&mut self.kernel, kernel => kernel.stop(signature, kind));
    }

    /// Closes the descriptor of a stream.
    pub fn release(&mut self, fd: std::os::fd::RawFd) {
        each!(&mut self.kernel, kernel => kernel.release(fd));
    }

    /// Forgets a stream's descriptor without closing it; all requests on it have been stopped.
    pub fn let_go(&mut self, fd: std::os::fd::RawFd) {
        each!(&mut self.kernel, kernel => kernel.let_go(fd));
    }

    /// Whether [`Self::arrival`] may have something.
    #[must_use]
    pub fn has_arrivals(&self) -> bool {
        each!(&self.kernel, kernel => kernel.has_arrivals())
    }

    /// Hands out something that has come for a stream. What comes after the next wait is for the next round.
    pub fn arrival(&mut self) -> Option<Arrival> {
        each!(&mut self.kernel, kernel => kernel.arrival())
    }

    /// The bytes that have come.
    #[must_use]
    pub fn bytes(&self, arrival: &Arrival) -> &[u8] {
        each!(&self.kernel, kernel => kernel.bytes(arrival))
    }

    /// Takes the bytes back: they are not needed any more.
    pub fn give_back(&mut self, arrival: &Arrival) {
        each!(&mut self.kernel, kernel => kernel.give_back(arrival));
    }

    /// Hands out one message.
    pub fn receive(&mut self) -> Option<Message> {
        self.inbox.try_recv().ok()
    }

    /// Wakes [`Self::wait`] from other threads.
    #[must_use]
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Where threads that work for this reactor send their messages.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Waits for what the kernel still writes to; then the driver may be dropped. If it answers
    /// `false` that could not be done (from another thread than its own) and it must be leaked (I-8).
    #[must_use]
    pub fn close(&mut self) -> bool {
        each!(&mut self.kernel, kernel => kernel.close())
    }

    fn over(kernel: Kernel, waker: Waker) -> Self {
        let (remote, inbox) = Remote::channel(waker.clone());
        Self {
            kernel,
            waker,
            remote,
            inbox,
        }
    }
}
