//! What other threads may do to a reactor: leave a message and wake it (I-6).
#![forbid(unsafe_code)]

use std::{
    fs::File,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
};

use crate::inflight::Token;

/// Wakes the loop out of its sleep in the kernel. Cheap to clone, usable from any thread, without
/// the GVL.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Bell>);

#[derive(Debug)]
struct Bell {
    /// Set by the owner before it looks for work a last time and sleeps: only then is a system call
    /// worth it.
    sleeping: AtomicBool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// An eventfd that the ring reads.
    Eventfd(File),
    /// mio's own.
    Mio(mio::Waker),
    /// Nothing to wake: the fake driver never sleeps.
    Silent,
}

impl Waker {
    /// A waker over an eventfd.
    #[must_use]
    pub fn eventfd(file: File) -> Self {
        Self::new(Kind::Eventfd(file))
    }

    /// A waker over mio's.
    #[must_use]
    pub fn mio(waker: mio::Waker) -> Self {
        Self::new(Kind::Mio(waker))
    }

    /// A waker that wakes nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(Kind::Silent)
    }

    /// Wakes the loop if it sleeps or is about to.
    pub fn wake(&self) {
        if self.0.sleeping.swap(false, SeqCst) {
            self.ring();
        }
    }

    /// Ends the current or the next sleep, whatever the loop is doing now.
    pub fn ring(&self) {
        // An error can only mean that the loop has been told often enough (EAGAIN on a full
        // counter) or that it is gone.
        let _ = match &self.0.kind {
            Kind::Eventfd(file) => (&*file).write_all(&1_u64.to_ne_bytes()),
            Kind::Mio(waker) => waker.wake(),
            Kind::Silent => Ok(()),
        };
    }

    /// The owner announces that it is about to sleep. What others leave from now on rings the bell;
    /// what they left before, the owner has to look for after this call.
    pub fn announce_sleep(&self) {
        self.0.sleeping.store(true, SeqCst);
    }

    /// The owner is awake again.
    pub fn awake(&self) {
        self.0.sleeping.store(false, SeqCst);
    }

    fn new(kind: Kind) -> Self {
        Self(Arc::new(Bell {
            sleeping: AtomicBool::new(false),
            kind,
        }))
    }
}

/// A message to a reactor: the work of this waiter, done elsewhere, is over.
#[derive(Debug)]
pub struct Message {
    /// Whose work it was.
    pub token: Token,
    /// A count or a negative errno.
    pub result: i32,
    /// The addresses, if a name was to be resolved.
    pub addresses: Vec<std::net::IpAddr>,
}

/// The sending end, for threads that carry work out.
#[derive(Clone, Debug)]
pub struct Remote {
    messages: mpsc::Sender<Message>,
    waker: Waker,
}

impl Remote {
    /// Both ends of a reactor's letter box.
    #[must_use]
    pub fn channel(waker: Waker) -> (Self, mpsc::Receiver<Message>) {
        let (messages, inbox) = mpsc::channel();
        (Self { messages, waker }, inbox)
    }

    /// Leaves a message and wakes the loop. A reactor that is gone needs no message.
    pub fn send(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            self.waker.wake();
        }
    }
}
