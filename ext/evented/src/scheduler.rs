//! The Ruby object: `Evented::Native::Scheduler`, whose methods are the hooks.
//!
//! It keeps the two halves of its reactor apart: the tables, which any thread that holds the GVL may
//! look at, and the driver, which the owner may use without the GVL (I-2). Every borrow of either is
//! a closure that never calls Ruby (I-3).

mod object;

use std::{
    cell::{Cell, UnsafeCell},
    collections::VecDeque,
    ffi::CStr,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    time::Instant,
};

use evented_core::{
    Driver, Reactor, Tables, Token, clock, driver::probe, inflight::AlarmKey, remote::Waker,
};
use rb_sys::{VALUE, rb_fiber_current, rb_thread_current};

pub(crate) use object::{default_driver, define, on_purpose};

use crate::{
    crowd::Crowd,
    em::Em,
    errors, fork, memory, registry,
    time::Time,
    waiter::{NIL, Parked, Reason},
    workers::Workers,
};

/// One scheduler.
///
/// Owned by one Ruby thread; `unblock`, `fiber_interrupt` and the closing of descriptors may come
/// from others, always with the GVL.
pub(crate) struct Scheduler {
    /// Who waits. Borrowed only inside [`Self::tables`] and [`Self::reactor`].
    tables: UnsafeCell<Tables<Parked>>,
    /// The connection to the kernel; `None` before it is opened and after it is closed. Borrowed
    /// inside [`Self::reactor`], and by the loop while it sleeps without the GVL.
    driver: UnsafeCell<Option<Driver>>,
    /// Wakes the loop while the driver is borrowed by its sleep.
    waker: UnsafeCell<Option<Waker>>,
    /// Why io_uring was passed over.
    refusal: UnsafeCell<Option<String>>,
    /// What `EVENTED_DRIVER` asked for.
    requested: UnsafeCell<Option<String>>,
    /// Alarms that went off and whose fibers have not been interrupted yet.
    pub(crate) due: UnsafeCell<VecDeque<AlarmKey>>,
    /// Addresses on their way from a waiter that has left to the hook that asked for them.
    pub(crate) resolved: UnsafeCell<Vec<IpAddr>>,
    /// How often in a row each descriptor had nothing to read when it was tried, indexed by it.
    misses: UnsafeCell<Vec<u8>>,
    phase: Cell<Phase>,
    /// The process it belongs to (I-7).
    epoch: Cell<u64>,
    /// Whether it started afresh in a forked child.
    reborn: Cell<bool>,
    /// The thread it belongs to.
    thread: Cell<VALUE>,
    /// The fiber that runs the loop: the root fiber of its thread, where finished fibers return to
    /// (I-12).
    pub(crate) home: Cell<VALUE>,
    /// The fiber that was last given control.
    pub(crate) running: Cell<VALUE>,
    /// The waiter whose fiber is being given control; its park takes it. A park that gets control
    /// without it was not resumed by us (I-5).
    pub(crate) handed: Cell<Option<Token>>,
    /// Whether `home` is inside the loop.
    pub(crate) looping: Cell<bool>,
    /// Whether `home` has handed control over and waits to get it back. Else it is not to be
    /// transferred to: it may be resuming the fiber that runs now (an Enumerator's).
    pub(crate) home_waits: Cell<bool>,
    /// Fibers that are set aside because they have started another.
    pub(crate) starting: Cell<usize>,
    /// Fibers that rest between two tasks.
    pub(crate) workers: Workers,
    /// Its streams.
    pub(crate) em: Em,
    /// How many fibers were resumed in turns that began without the loop, since it last had control.
    pub(crate) away: Cell<usize>,
    /// When the first of those turns began, and after how many resumes the clock is looked at again.
    pub(crate) left: Cell<Instant>,
    pub(crate) look_at: Cell<usize>,
    pub(crate) crowd: Crowd,
    /// Fibers started in this turn.
    pub(crate) started: Cell<u32>,
    /// Operations in a row that were done at once, without a park.
    streak: Cell<u32>,
    /// Its clock.
    pub(crate) time: Time,
    /// What the clock said when the loop last looked at it.
    pub(crate) glance: Cell<Option<Instant>>,
    /// The condition variable that is about to have the current fiber sleep.
    pub(crate) condition: Cell<VALUE>,
    /// How many tasks are to be interrupted as soon as they wait: they could not be at once.
    pub(crate) interruptions: Cell<usize>,
    /// Whether `__stuck` is to be called when nothing can end any wait.
    pub(crate) watches_deadlock: Cell<bool>,
    /// Whether the next sleep is to panic.
    pub(crate) panics_asleep: Cell<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Allocated, and `initialize` has not been called.
    Blank,
    Open,
    Closed,
    /// A panic left it half-way (I-9).
    Poisoned,
}

/// After so many operations that were done at once a fiber lets the others have a turn (I-11).
const STREAK: u32 = 64;

/// After so many fibers started in one turn the starting fiber waits for the next.
const STARTS: u32 = 16;

impl Scheduler {
    /// A scheduler that `initialize` has not been called for.
    fn blank() -> Self {
        Self {
            tables: UnsafeCell::new(Tables::new()),
            driver: UnsafeCell::new(None),
            waker: UnsafeCell::new(None),
            refusal: UnsafeCell::new(None),
            requested: UnsafeCell::new(None),
            due: UnsafeCell::new(VecDeque::new()),
            resolved: UnsafeCell::new(Vec::new()),
            misses: UnsafeCell::new(Vec::new()),
            phase: Cell::new(Phase::Blank),
            epoch: Cell::new(fork::epoch()),
            reborn: Cell::new(false),
            thread: Cell::new(NIL),
            home: Cell::new(NIL),
            running: Cell::new(NIL),
            handed: Cell::new(None),
            looping: Cell::new(false),
            home_waits: Cell::new(false),
            starting: Cell::new(0),
            workers: Workers::new(),
            em: Em::new(),
            away: Cell::new(0),
            left: Cell::new(clock::now()),
            look_at: Cell::new(0),
            crowd: Crowd::new(),
            started: Cell::new(0),
            streak: Cell::new(0),
            time: Time::new(),
            glance: Cell::new(Some(clock::now())),
            condition: Cell::new(NIL),
            interruptions: Cell::new(0),
            watches_deadlock: Cell::new(false),
            panics_asleep: Cell::new(false),
        }
    }

    /// The scheduler behind `value`, for a hook that only its own thread may call.
    ///
    /// Raises if it is closed, poisoned, or another thread's. In a forked child it starts afresh.
    pub(crate) fn enter(value: VALUE) -> &'static Self {
        let scheduler = Self::of(value);
        // SAFETY: with the GVL.
        let thread = unsafe { rb_thread_current() };
        if scheduler.phase.get() != Phase::Open
            || scheduler.epoch.get() != fork::epoch()
            || scheduler.thread.get() != thread
        {
            scheduler.admit(thread);
        }
        scheduler
    }

    /// The scheduler behind `value`, for a hook that any thread may call; `None` if there is nobody
    /// left to be woken.
    pub(crate) fn reach(value: VALUE) -> Option<&'static Self> {
        let scheduler = Self::of(value);
        let there = scheduler.phase.get() == Phase::Open && scheduler.epoch.get() == fork::epoch();
        there.then_some(scheduler)
    }

    /// What is to be kept for the current fiber, which is about to wait for `reason`.
    pub(crate) fn parked(&self, reason: Reason, objects: [VALUE; 2]) -> Parked {
        // SAFETY: with the GVL.
        let fiber = unsafe { rb_fiber_current() };
        Parked::new(fiber, reason, objects, self.glance.get())
    }

    /// Borrows the tables. `work` must not call Ruby (I-3).
    pub(crate) fn tables<T>(&self, work: impl FnOnce(&mut Tables<Parked>) -> T) -> T {
        self.guarded(|| {
            // SAFETY: with the GVL, and the borrow ends before anything else can run.
            work(unsafe { &mut *self.tables.get() })
        })
    }

    /// Whether an alarm went off that its fiber has not met yet. Asked at each park, so without the
    /// guard against panics: this can't panic.
    pub(crate) fn has_overdue_alarms(&self) -> bool {
        // SAFETY: with the GVL, and the borrow ends here.
        unsafe { &*self.tables.get() }.has_overdue_alarms()
    }

    /// Borrows both halves. `work` must not call Ruby (I-3). Only for the owner, while it does not
    /// sleep.
    pub(crate) fn reactor<T>(&self, work: impl FnOnce(&mut Reactor<'_, Parked>) -> T) -> T {
        // Raises if there is none: not inside the guard, which must not be jumped over.
        let driver = self.open_driver();
        self.guarded(|| {
            // SAFETY: as in `tables`.
            let tables = unsafe { &mut *self.tables.get() };
            work(&mut Reactor::new(tables, driver))
        })
    }

    /// Borrows the driver. `work` must not call Ruby (I-3). Only for the owner.
    pub(crate) fn driver<T>(&self, work: impl FnOnce(&mut Driver) -> T) -> T {
        let driver = self.open_driver();
        self.guarded(|| work(driver))
    }

    /// Whether it has a driver: without one the kernel works for nobody.
    pub(crate) fn has_driver(&self) -> bool {
        // SAFETY: with the GVL; the borrow ends here.
        unsafe { &*self.driver.get() }.is_some()
    }

    /// The driver for a sleep without the GVL, which must touch nothing else (I-2).
    pub(crate) fn sleeping_driver(&self) -> (&Waker, *mut Driver) {
        // SAFETY: the waker is replaced only together with the driver, never during a sleep.
        let waker = unsafe { &*self.waker.get() };
        match waker {
            Some(waker) => (waker, ptr::from_mut(self.open_driver())),
            None => errors::raise(errors::CLOSED, CLOSED_MESSAGE),
        }
    }

    /// Wakes the loop if it sleeps.
    pub(crate) fn wake(&self) {
        // SAFETY: with the GVL; replaced only by the owner with the GVL.
        if let Some(waker) = unsafe { &*self.waker.get() } {
            waker.wake();
        }
    }

    /// Whether an operation that could be tried at once should be: a descriptor that keeps having
    /// nothing is not tried, but for every eighth time.
    pub(crate) fn worth_trying(&self, fd: i32) -> bool {
        let index = usize::try_from(fd).unwrap_or(0);
        // SAFETY: owner only, and the borrow ends here.
        let misses = unsafe { &mut *self.misses.get() };
        match misses.get_mut(index) {
            Some(count) if *count >= 3 => {
                *count = if *count >= 10 { 3 } else { *count + 1 };
                *count == 3
            }
            _ => true,
        }
    }

    /// Remembers whether a try found anything.
    pub(crate) fn tried(&self, fd: i32, found: bool) {
        let index = usize::try_from(fd).unwrap_or(0);
        // SAFETY: owner only, and the borrow ends here.
        let misses = unsafe { &mut *self.misses.get() };
        if index >= misses.len() {
            misses.resize(index + 1, 0);
        }
        let count = &mut misses[index];
        *count = if found { 0 } else { count.saturating_add(1) };
    }

    /// Whether a fiber has had so much without a park that it is the others' turn.
    pub(crate) fn is_greedy(&self) -> bool {
        let streak = self.streak.get() + 1;
        self.streak.set(if streak >= STREAK { 0 } else { streak });
        if streak >= STREAK {
            self.back_to_the_loop();
        }
        streak >= STREAK
    }

    /// Whether a fiber that starts others goes on at once, or has started so many in this turn that
    /// whoever else is ready comes first (I-11).
    pub(crate) fn may_start_another(&self) -> bool {
        self.started.set(self.started.get() + 1);
        let may = self.started.get() < STARTS;
        if !may {
            self.back_to_the_loop();
        }
        may
    }

    /// The next turn is begun by the loop: much was done in this one.
    fn back_to_the_loop(&self) {
        self.away.set(crate::turn::MOST_AWAY);
    }

    /// A fiber has parked, so nobody is being greedy.
    pub(crate) fn not_greedy(&self) {
        self.streak.set(0);
    }

    /// Whether a fiber has ever waited in it, or it runs: from then on it belongs to its thread.
    pub(crate) fn in_use(&self) -> bool {
        self.looping.get() || self.tables(|tables| tables.stats.parks > 0)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    pub(crate) fn thread(&self) -> VALUE {
        self.thread.get()
    }

    /// Makes it unusable: a panic may have left it half-way (I-9).
    pub(crate) fn poison(&self) -> ! {
        self.phase.set(Phase::Poisoned);
        errors::raise(errors::POISONED, POISONED_MESSAGE)
    }

    /// The scheduler behind `value`, whatever its state.
    #[inline]
    pub(crate) fn of(value: VALUE) -> &'static Self {
        // SAFETY: the receiver of one of our methods; it is on the caller's stack and lives as long as the
        // call.
        unsafe { &*object::data(value).cast::<Self>() }
    }

    #[inline]
    pub(crate) fn guarded<T>(&self, work: impl FnOnce() -> T) -> T {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(value) => value,
            Err(panic) => {
                drop(panic);
                self.poison()
            }
        }
    }

    #[expect(
        clippy::mut_from_ref,
        reason = "callers borrow it for one closure or one sleep"
    )]
    pub(crate) fn open_driver(&self) -> &mut Driver {
        // SAFETY: the owner, with the GVL or asleep inside the driver; see the callers.
        match unsafe { &mut *self.driver.get() } {
            Some(driver) => driver,
            None => errors::raise(errors::CLOSED, CLOSED_MESSAGE),
        }
    }

    /// The slow way in: something is unusual.
    fn admit(&self, thread: VALUE) {
        match self.phase.get() {
            Phase::Open => {}
            Phase::Blank => errors::raise(errors::ERROR, BLANK_MESSAGE),
            Phase::Closed => errors::raise(errors::CLOSED, CLOSED_MESSAGE),
            Phase::Poisoned => errors::raise(errors::POISONED, POISONED_MESSAGE),
        }
        if self.epoch.get() != fork::epoch() {
            self.start_afresh(thread);
        } else if self.thread.get() != thread {
            if self.in_use() {
                errors::raise(errors::WRONG_THREAD, WRONG_THREAD_MESSAGE);
            }
            // Made by one thread for another, and not used yet: the ring has to be this thread's.
            // SAFETY: with the GVL; nobody sleeps in a driver that was never used.
            unsafe { *self.driver.get() = None };
            // SAFETY: with the GVL.
            self.home.set(unsafe { rb_fiber_current() });
            self.open(thread);
        }
    }

    /// In a forked child: what was in flight is the parent's, and so is the ring (I-7). Only the
    /// fiber that forked lives on here.
    fn start_afresh(&self, thread: VALUE) {
        // SAFETY: with the GVL, in a process that has no other thread yet.
        unsafe {
            #[expect(clippy::mem_forget, reason = "the ring is the parent's")]
            std::mem::forget((*self.driver.get()).take());
            *self.tables.get() = Tables::new();
            (*self.due.get()).clear();
        }
        self.workers.forget();
        // The parent's streams are closed here and go on there.
        self.em.close(self);
        self.reborn.set(true);
        self.handed.set(None);
        self.starting.set(0);
        // SAFETY: with the GVL.
        self.running.set(unsafe { rb_fiber_current() });
        self.open(thread);
    }

    fn open(&self, thread: VALUE) {
        memory::keep_some_back();
        // A ring answers only the native thread that made it.
        #[cfg(ruby_gte_3_4)]
        // SAFETY: with the GVL.
        unsafe {
            rb_sys::rb_thread_lock_native_thread();
        }
        // SAFETY: written once, by `initialize`.
        let requested = unsafe { &*self.requested.get() };
        let mut choice = probe::choose(requested.as_deref());
        if let Err(evented_core::Error::NoDescriptors(_)) = choice {
            // Schedulers that nobody has closed keep theirs until they are collected; that happens behind the
            // collection, when interrupts are looked at.
            // SAFETY: with the GVL; nothing here has a destructor, should an interrupt raise.
            unsafe {
                rb_sys::rb_gc_start();
                rb_sys::rb_thread_check_ints();
            }
            choice = probe::choose(requested.as_deref());
        }
        let message = match choice {
            Ok(choice) => {
                // SAFETY: with the GVL; no driver is in use.
                unsafe {
                    *self.waker.get() = Some(choice.driver.waker().clone());
                    *self.driver.get() = Some(choice.driver);
                    *self.refusal.get() = choice.refusal.map(|refusal| refusal.to_string());
                }
                self.epoch.set(fork::epoch());
                self.thread.set(thread);
                if self.phase.get() != Phase::Open {
                    self.phase.set(Phase::Open);
                    registry::enter(self);
                }
                return;
            }
            Err(evented_core::Error::NoDescriptors(errno)) => errors::raise_errno(errno),
            Err(error) => error.to_string(),
        };
        errors::raise_string(errors::ERROR, message)
    }

    fn close_driver(&self) {
        // SAFETY: with the GVL; nobody wakes what does not sleep.
        unsafe { *self.waker.get() = None };
        // SAFETY: with the GVL; the owner is not asleep, or the object is garbage.
        let driver = unsafe { (*self.driver.get()).take() };
        let close = |driver: &mut Driver| {
            // SAFETY: as above.
            Reactor::new(unsafe { &mut *self.tables.get() }, driver).flush_cancels();
            driver.close()
        };
        let is_ours = self.epoch.get() == fork::epoch();
        // Not `guarded`: the garbage collector may be who closes it, and nothing may be raised there. A poisoned one may
        // panic again (I-9).
        let closes = |driver| catch_unwind(AssertUnwindSafe(|| close(driver))).unwrap_or(false);
        if let Some(mut driver) = driver
            && !(is_ours && closes(&mut driver))
        {
            // The parent's, or not to be waited for from this thread: never closed early (I-7, I-8).
            #[expect(clippy::mem_forget, reason = "see above")]
            std::mem::forget(driver);
        }
    }
}

const BLANK_MESSAGE: &CStr =
    c"this scheduler is not initialised: a subclass that defines initialize has to call super";
const CLOSED_MESSAGE: &CStr =
    c"this scheduler is closed: make a new one with Evented::Scheduler.new";
const POISONED_MESSAGE: &CStr =
    c"this scheduler met an internal error and can't be used any more: close it, make a new one, and \
      please report the message above";
const WRONG_THREAD_MESSAGE: &CStr =
    c"this scheduler belongs to another thread: make one for each thread with Evented::Scheduler.new";
