//! Streams, called back: the native half of `lib/evented/em`.
//!
//! The core says what is to be called ([`evented_core::stream`]). The loop gives each pass to a callback fiber
//! ([`pass`]), which calls connections directly and the Ruby reactor for all that happens once a connection or
//! rarer. Everything that is named by a signature is in [`functions`], and its TLS in [`tls`].

mod functions;
mod inotify;
mod pass;
mod tls;

use std::{
    cell::{Cell, UnsafeCell},
    time::Instant,
};

use evented_core::{Driver, Streams, stream::Signature};
use rb_sys::{VALUE, rb_gc_mark, rb_thread_current};

use crate::{
    define::{
        Function::{One, Zero},
        methods,
    },
    errors, fork,
    scheduler::Scheduler,
    turn,
    waiter::NIL,
    workers::Workers,
};

pub(crate) use pass::{before_wait, work};

/// # Safety
///
/// `class` is `Evented::Native::Scheduler`, and `module` `Evented::Native::Streams`.
pub(crate) unsafe fn define(class: VALUE, module: VALUE) {
    // SAFETY: the caller's promise, and methods of that class.
    unsafe {
        methods(
            class,
            &[
                (c"__open_streams", One(open_streams)),
                (c"__halt_streams", Zero(halt_streams)),
                (c"__reset_streams", Zero(reset_streams)),
                (c"__unbind_streams", Zero(pass::unbind_all)),
                (c"__pass", Zero(pass::pass)),
                (c"__await_pass", Zero(pass::await_pass)),
            ],
        );
        functions::define(module);
        tls::define(module);
        inotify::define(module);
    }
}

/// The streams of one scheduler, and who is called for them.
pub(crate) struct Em {
    /// `None` until they are first asked for. Borrowed only inside [`Scheduler::streams`] and its kin.
    streams: UnsafeCell<Option<Box<Streams<VALUE>>>>,
    /// `Evented::EM::Reactor`, nil while it does not run.
    reactor: Cell<VALUE>,
    /// Callback fibers without a callback.
    pub(crate) callbacks: Workers,
}

/// The schedulers of this process that have streams, guarded by the GVL.
struct Open(UnsafeCell<Vec<*const Scheduler>>);

// SAFETY: only touched with the GVL.
unsafe impl Sync for Open {}

static OPEN: Open = Open(UnsafeCell::new(Vec::new()));

impl Em {
    pub(crate) const fn new() -> Self {
        Self {
            streams: UnsafeCell::new(None),
            reactor: Cell::new(NIL),
            callbacks: Workers::new(),
        }
    }

    /// Marks what Ruby must keep.
    pub(crate) fn mark(&self) {
        // SAFETY: in the mark phase, and each a live VALUE.
        unsafe { rb_gc_mark(self.reactor.get()) };
        self.callbacks.mark();
        // SAFETY: no borrow is alive, because none is held across a call to Ruby (I-3).
        if let Some(streams) = unsafe { &*self.streams.get() } {
            for root in streams.roots() {
                // SAFETY: as above.
                unsafe { rb_gc_mark(root) };
            }
        }
    }

    /// The scheduler is closed, and the kernel has let go of everything: whatever is still open is closed.
    pub(crate) fn close(&self, scheduler: *const Scheduler) {
        leave(scheduler);
        self.reactor.set(NIL);
        self.callbacks.forget();
        // SAFETY: with the GVL; no borrow is alive.
        let streams = unsafe { (*self.streams.get()).take() };
        if let Some(streams) = streams {
            streams.close_descriptors();
        }
    }
}

impl Scheduler {
    /// Whether it has streams.
    pub(crate) fn has_streams(&self) -> bool {
        // SAFETY: with the GVL; the borrow ends here.
        unsafe { &*self.em.streams.get() }.is_some()
    }

    /// Borrows the streams. `work` must not call Ruby (I-3). Any thread.
    pub(crate) fn streams<T>(&self, work: impl FnOnce(&mut Streams<VALUE>) -> T) -> Option<T> {
        self.guarded(|| {
            // SAFETY: with the GVL, and the borrow ends before anything else can run.
            let streams = unsafe { &mut *self.em.streams.get() };
            streams.as_deref_mut().map(work)
        })
    }

    /// Borrows the streams and the driver. Only for the owner, while it does not sleep.
    pub(crate) fn streams_and_driver<T>(
        &self,
        work: impl FnOnce(&mut Streams<VALUE>, &mut Driver) -> T,
    ) -> Option<T> {
        let driver = self.open_driver();
        self.streams(|streams| work(streams, driver))
    }

    /// The Ruby reactor that is called, nil if none runs.
    pub(crate) fn reactor_object(&self) -> VALUE {
        self.em.reactor.get()
    }

    /// Something was done to the streams: if that was another thread, the owner is to notice.
    pub(crate) fn streams_changed(&self) {
        // SAFETY: with the GVL.
        if unsafe { rb_thread_current() } != self.thread() {
            self.wake();
        }
    }
}

/// The scheduler whose streams this thread means: its own, or else the one that was opened first.
pub(crate) fn current() -> Option<&'static Scheduler> {
    let mut all = open().iter().map(|&scheduler| {
        // SAFETY: schedulers leave the list before they are freed.
        unsafe { &*scheduler }
    });
    let first = all.next().filter(|first| first.epoch() == fork::epoch())?;
    // SAFETY: with the GVL.
    let me = unsafe { rb_thread_current() };
    let own = std::iter::once(first)
        .chain(all)
        .find(|other| other.thread() == me);
    Some(own.unwrap_or(first))
}

/// The scheduler that has this stream.
pub(crate) fn owner(signature: Signature) -> Option<&'static Scheduler> {
    let current = current()?;
    let has = |scheduler: &Scheduler| {
        scheduler.streams(|streams| streams.fd(signature).is_some()) == Some(true)
    };
    if open().len() == 1 || has(current) {
        return Some(current);
    }
    open()
        .iter()
        // SAFETY: as in `current`.
        .map(|&scheduler| unsafe { &*scheduler })
        .find(|scheduler| has(scheduler))
}

/// This descriptor is about to be closed by somebody: a stream that borrows it ends. `is_ours`: the caller is the
/// scheduler's thread. Tells whether there is one.
pub(crate) fn closing(scheduler: &Scheduler, fd: i32, is_ours: bool) -> bool {
    if !scheduler.has_streams() {
        return false;
    }
    if !is_ours {
        return scheduler.streams(|streams| streams.closing(fd, None)) == Some(true);
    }
    let ends = scheduler.streams_and_driver(|streams, driver| streams.closing(fd, Some(driver)));
    if ends == Some(true) {
        // The kernel lets go of it before anybody else gets its number.
        turn::ask(scheduler);
    }
    ends == Some(true)
}

fn enter(scheduler: *const Scheduler) {
    leave(scheduler);
    open().push(scheduler);
}

fn leave(scheduler: *const Scheduler) {
    open().retain(|&other| other != scheduler);
}

fn open() -> &'static mut Vec<*const Scheduler> {
    // SAFETY: with the GVL, and no borrow outlives the function that asked for it.
    unsafe { &mut *OPEN.0.get() }
}

/// `__open_streams(reactor)`: from now on passes call this reactor.
unsafe extern "C" fn open_streams(this: VALUE, reactor: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    if scheduler.em.reactor.get() != NIL {
        errors::raise(
            errors::ERROR,
            c"this scheduler has a running EM reactor already",
        );
    }
    let now: Instant = scheduler.time.now();
    // SAFETY: with the GVL; no borrow is alive.
    unsafe { (*scheduler.em.streams.get()).get_or_insert_with(|| Box::new(Streams::new(now))) };
    scheduler.em.reactor.set(reactor);
    enter(scheduler);
    NIL
}

/// `__halt_streams`: nothing is called back from now on, but what `__unbind_streams` calls.
unsafe extern "C" fn halt_streams(this: VALUE) -> VALUE {
    Scheduler::of(this).streams(Streams::halt);
    NIL
}

/// `__reset_streams`: the reactor has stopped; timers and ticks that are left are forgotten.
unsafe extern "C" fn reset_streams(this: VALUE) -> VALUE {
    let scheduler = Scheduler::of(this);
    scheduler.streams(Streams::reset);
    scheduler.em.reactor.set(NIL);
    leave(scheduler);
    NIL
}
