//! What other threads may do to a reactor: leave a message and wake it (I-6).
#![forbid(unsafe_code)]

use std::{
    fs::File,
    io::Write,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use crate::{
    inflight::Token,
    sync::{AtomicBool, mpsc},
};

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
    /// For the tests below.
    #[cfg(all(loom, test))]
    Loom(Arc<loom_tests::Counter>),
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
            #[cfg(all(loom, test))]
            Kind::Loom(counter) => {
                counter.add();
                Ok(())
            }
        };
    }

    /// The owner announces that it is about to sleep. What others leave from now on rings the bell;
    /// what they left before, the owner has to look for after this call.
    pub fn announce_sleep(&self) {
        // A store would do, and costs the same; but by reading what the others have written last it has a place
        // behind that, which loom sees only then.
        self.0.sleeping.swap(true, SeqCst);
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

#[cfg(all(loom, test))]
mod loom_tests {
    use loom::{
        sync::{Condvar, Mutex},
        thread,
    };
    use slotmap::SlotMap;

    use super::*;

    /// Stands for an eventfd: what is added ends the current or the next wait.
    #[derive(Debug)]
    pub(super) struct Counter {
        count: Mutex<u64>,
        rung: Condvar,
    }

    impl Counter {
        fn new() -> Self {
            Self {
                count: Mutex::new(0),
                rung: Condvar::new(),
            }
        }

        pub(super) fn add(&self) {
            *self.count.lock().unwrap() += 1;
            self.rung.notify_one();
        }

        fn wait(&self) {
            let mut count = self.count.lock().unwrap();
            while *count == 0 {
                count = self.rung.wait(count).unwrap();
            }
            *count = 0;
        }
    }

    fn bell() -> (Waker, Arc<Counter>) {
        let counter = Arc::new(Counter::new());
        (Waker::new(Kind::Loom(Arc::clone(&counter))), counter)
    }

    fn message(result: i32) -> Message {
        Message {
            token: SlotMap::<Token, ()>::with_key().insert(()),
            result,
            addresses: Vec::new(),
        }
    }

    /// A loop that would sleep for ever if a wake-up were lost, which loom reports as a deadlock.
    #[test]
    fn each_message_is_received_whenever_it_is_sent() {
        loom::model(|| {
            let (waker, counter) = bell();
            let (remote, inbox) = Remote::channel(waker.clone());
            let senders: Vec<_> = (1..=2)
                .map(|number| {
                    let remote = remote.clone();
                    thread::spawn(move || remote.send(message(number)))
                })
                .collect();
            let mut received = 0;
            while received != 3 {
                waker.announce_sleep();
                match inbox.try_recv() {
                    Ok(message) => received += message.result,
                    Err(_) => counter.wait(),
                }
                waker.awake();
            }
            for sender in senders {
                sender.join().unwrap();
            }
        });
    }

    /// What other threads change under a lock of Ruby's, instead of sending it.
    #[test]
    fn who_changes_the_tables_under_the_lock_is_noticed() {
        loom::model(|| {
            let (waker, counter) = bell();
            let ready = Arc::new(Mutex::new(0));
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let (waker, ready) = (waker.clone(), Arc::clone(&ready));
                    thread::spawn(move || {
                        let mut ready = ready.lock().unwrap();
                        *ready += 1;
                        waker.wake();
                    })
                })
                .collect();
            loop {
                let ready = ready.lock().unwrap();
                waker.announce_sleep();
                let nobody = *ready < 2;
                drop(ready);
                if nobody {
                    counter.wait();
                }
                waker.awake();
                if !nobody {
                    break;
                }
            }
            for other in others {
                other.join().unwrap();
            }
        });
    }

    #[test]
    fn a_loop_that_does_not_sleep_costs_nobody_a_system_call() {
        loom::model(|| {
            let (waker, counter) = bell();
            let other = {
                let waker = waker.clone();
                thread::spawn(move || {
                    waker.wake();
                    waker.wake();
                })
            };
            waker.awake();
            other.join().unwrap();
            assert_eq!(*counter.count.lock().unwrap(), 0);
            // Only the first of those who find it asleep rings.
            waker.announce_sleep();
            waker.wake();
            waker.wake();
            assert_eq!(*counter.count.lock().unwrap(), 1);
        });
    }
}
