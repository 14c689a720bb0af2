//! The one suspension point (I-4).
//!
//! A fiber parks by handing control to the next ready fiber, or to the loop. Whatever ends the park
//! (its outcome, `Fiber#raise`, `Fiber#kill`, `Thread#kill`) comes back through `rb_ensure`, so the
//! waiter is always taken out, and never while the kernel can still write to its buffer (I-1).

use std::ffi::c_int;

use evented_core::{Outcome, Token};
use rb_sys::{
    VALUE, rb_eIOError, rb_ensure, rb_exc_raise, rb_fiber_alive_p, rb_fiber_current,
    rb_fiber_transfer, rb_gc_start, rb_io_buffer_unlock, rb_jump_tag, rb_protect, rb_raise,
    rb_rescue2,
};

use crate::{
    errors,
    known::known,
    memory, pass_on,
    scheduler::Scheduler,
    waiter::{NIL, Parked},
};

/// What a park keeps on its fiber's stack: plain data, and never in the kernel's hands.
struct Frame {
    scheduler: *const Scheduler,
    token: Token,
    /// The fiber.
    me: VALUE,
    /// The park of this fiber that was just being handed control when a trap ran on it.
    outer: Option<Token>,
    /// A new fiber to hand over to first.
    start: Option<VALUE>,
    /// The same, if there was one: this fiber counts as set aside meanwhile.
    starting: Option<VALUE>,
    /// Whether control came back with the outcome, and not with an exception.
    resumed: bool,
    outcome: Outcome,
    /// What to raise, if the outcome is `Raised`.
    exception: VALUE,
}

impl Frame {
    /// Whether the fiber goes on because it was woken.
    fn is_woken(&self) -> bool {
        self.resumed && self.outcome == Outcome::Woken
    }
}

/// Suspends the calling fiber until its waiter has an outcome, and takes the waiter out.
///
/// Raises what is raised in the fiber meanwhile, and IOError if its descriptor is closed: by longjmp,
/// so callers hold nothing with a destructor.
///
/// # Suspends
///
/// Always, unless the outcome is there already.
pub(crate) fn park(scheduler: &Scheduler, token: Token) -> Outcome {
    enter(scheduler, token, None)
}

/// As [`park`], and hands control to the new fiber `start` first.
pub(crate) fn park_behind(scheduler: &Scheduler, token: Token, start: VALUE) {
    enter(scheduler, token, Some(start));
}

/// Gives control to a fiber for the first time. Raises what it raises, and FiberLimitError if the
/// system has no room for its stack.
pub(crate) fn start(scheduler: &Scheduler, fiber: VALUE) {
    struct Start<'a> {
        scheduler: &'a Scheduler,
        fiber: VALUE,
        starter: VALUE,
    }

    unsafe extern "C" fn transfer_to(start: VALUE) -> VALUE {
        // SAFETY: the place below; a fiber that has just been made.
        unsafe {
            let start = &*(start as *const Start<'_>);
            rb_fiber_transfer(start.fiber, 0, std::ptr::null())
        }
    }
    unsafe extern "C" fn make_room(start: VALUE, exception: VALUE) -> VALUE {
        raise_unless_refused(start, exception);
        // Fibers that have ended keep their stacks until they are collected.
        // SAFETY: with the GVL; a fiber that was not started yet.
        unsafe {
            memory::give_up();
            rb_gc_start();
            memory::keep_some_back();
            rescue_fiber_error(transfer_to, explain, start)
        }
    }
    unsafe extern "C" fn explain(start: VALUE, exception: VALUE) -> VALUE {
        memory::give_up();
        raise_unless_refused(start, exception);
        errors::raise(
            errors::FIBER_LIMIT,
            c"can't start another fiber: the system refuses the memory mappings that its stack takes. \
              Let fewer run at a time, or raise vm.max_map_count (two mappings a fiber)",
        )
    }
    /// A fiber that is still alive was never started, and has not set its starter aside; one that has ended, ended with
    /// its own error.
    fn raise_unless_refused(start: VALUE, exception: VALUE) {
        // SAFETY: the place below.
        let start = unsafe { &*(start as *const Start<'_>) };
        // SAFETY: a fiber.
        if unsafe { rb_fiber_alive_p(start.fiber) } != rb_sys::Qtrue as VALUE {
            // SAFETY: the exception that is being handled.
            unsafe { rb_exc_raise(exception) }
        }
        start.scheduler.running.set(start.starter);
    }
    type Body = unsafe extern "C" fn(VALUE) -> VALUE;
    type Rescue = unsafe extern "C" fn(VALUE, VALUE) -> VALUE;
    /// # Safety
    ///
    /// Both functions take a [`Start`] of a fiber that was not started yet.
    unsafe fn rescue_fiber_error(body: Body, rescue: Rescue, start: VALUE) -> VALUE {
        // SAFETY: the caller's promise.
        let Start {
            scheduler, fiber, ..
        } = unsafe { &*(start as *const Start<'_>) };
        scheduler.running.set(*fiber);
        // SAFETY: as above; the list of classes ends with 0.
        unsafe {
            rb_rescue2(
                Some(body),
                start,
                Some(rescue),
                start,
                known().fiber_error,
                0 as VALUE,
            )
        }
    }
    let start = Start {
        scheduler,
        fiber,
        // SAFETY: with the GVL.
        starter: unsafe { rb_fiber_current() },
    };
    // SAFETY: `start` outlives the call; a fiber that was not started yet.
    unsafe { rescue_fiber_error(transfer_to, make_room, (&raw const start) as VALUE) };
}

fn enter(scheduler: &Scheduler, token: Token, start: Option<VALUE>) -> Outcome {
    scheduler.not_greedy();
    if start.is_some() {
        scheduler.starting.set(scheduler.starting.get() + 1);
    }
    // The running fiber, asked for once a park.
    let Some(me) = scheduler.tables(|tables| tables.root(token).map(|root| root.fiber)) else {
        return Outcome::Woken;
    };
    let outer = scheduler.handed.get().filter(|&outer| {
        outer != token
            && scheduler.tables(|tables| tables.root(outer).is_some_and(|root| root.fiber == me))
    });
    if outer.is_some() {
        scheduler.handed.set(None);
    }
    let mut frame = Frame {
        scheduler,
        token,
        me,
        outer,
        start,
        starting: start,
        resumed: false,
        outcome: Outcome::Woken,
        exception: NIL,
    };
    let at = (&raw mut frame) as VALUE;
    // SAFETY: the frame outlives the call, which is the only one to use its address.
    unsafe { rb_ensure(Some(suspend), at, Some(take_out), at) };
    match frame.outcome {
        Outcome::Closed => {
            // SAFETY: with the GVL. Ruby's own words for it.
            unsafe { rb_raise(rb_eIOError, c"stream closed in another thread".as_ptr()) }
        }
        Outcome::Raised => {
            // SAFETY: the exception that `interrupt` left in the root.
            unsafe { rb_exc_raise(frame.exception) }
        }
        outcome => outcome,
    }
}

unsafe extern "C" fn suspend(frame: VALUE) -> VALUE {
    // SAFETY: the frame of `enter`, on this fiber's stack.
    let frame = unsafe { &mut *(frame as *mut Frame) };
    // SAFETY: the caller of `park` holds it.
    let scheduler = unsafe { &*frame.scheduler };
    let me = frame.me;
    // It may have got here behind our back, from a fiber that it was resumed by or has yielded to.
    scheduler.running.set(me);
    let exception = crate::timeout::overdue(scheduler, me).or_else(|| {
        // Who is set aside for a fiber that it starts does not wait.
        if frame.starting.is_some() {
            None
        } else {
            crate::tasks::interruption(scheduler)
        }
    });
    if let Some(exception) = exception {
        // SAFETY: an exception object.
        unsafe { rb_exc_raise(exception) }
    }
    if let Some(fiber) = frame.start.take() {
        start(scheduler, fiber);
        came_back(scheduler, frame.token, me);
    }
    while !take_control(scheduler, frame.token, me) {
        give_control_away(scheduler, me);
        came_back(scheduler, frame.token, me);
    }
    frame.resumed = true;
    NIL
}

/// Runs however the park ends.
unsafe extern "C" fn take_out(frame: VALUE) -> VALUE {
    // SAFETY: as in `suspend`.
    let frame = unsafe { &mut *(frame as *mut Frame) };
    // SAFETY: as in `suspend`.
    let scheduler = unsafe { &*frame.scheduler };
    let mut state = 0;
    if let Some(fiber) = frame.starting {
        scheduler.starting.set(scheduler.starting.get() - 1);
        if !frame.resumed {
            scheduler.workers.dismiss(fiber);
        }
    }
    if !frame.resumed {
        state = withdraw(scheduler, frame.token);
    }
    let mut unparked = false;
    let root = scheduler.tables(|tables| {
        let left = tables.take_out(frame.token)?;
        frame.outcome = left.outcome.unwrap_or(Outcome::Woken);
        unparked = left.unparked;
        if !left.addresses.is_empty() {
            // SAFETY: owner only; the hook that asked for them takes them at once.
            unsafe { *scheduler.resolved.get() = left.addresses };
        }
        Some(left.root)
    });
    if let Some(root) = root {
        frame.exception = root.exception;
        if root.locked {
            // SAFETY: the buffer that `io.rs` locked for this wait.
            unsafe { rb_io_buffer_unlock(root.objects[1]) };
        }
        if unparked && !frame.is_woken() {
            state = pass_on::to_another(scheduler, &root, state);
        }
    }
    if frame.outer.is_some() {
        scheduler.handed.set(frame.outer);
    }
    if state != 0 {
        // An exception that came during the clean-up replaces the first, as in any `ensure`.
        // SAFETY: the state that rb_protect reported.
        unsafe { rb_jump_tag(state) }
    }
    NIL
}

/// An exception is passing through: gives the wait up, and parks again until the kernel has let go of
/// the buffer (I-1).
fn withdraw(scheduler: &Scheduler, token: Token) -> c_int {
    // SAFETY: with the GVL.
    let me = unsafe { rb_fiber_current() };
    if !take_control(scheduler, token, me) {
        came_back(scheduler, token, me);
    }
    let held = scheduler.tables(|tables| {
        tables.give_up(token);
        tables.holds_buffer(token)
    });
    if !held || !scheduler.has_driver() {
        return 0;
    }
    // Mostly the kernel answers a cancellation at once.
    for _ in 0..2 {
        scheduler.reactor(|reactor| reactor.flush_cancels());
        crate::turn::ask(scheduler);
        crate::turn::dispatch(scheduler);
    }
    let mut last = 0;
    while scheduler.tables(|tables| tables.holds_buffer(token)) {
        let mut state = 0;
        // SAFETY: the scheduler outlives the call.
        unsafe {
            rb_protect(
                Some(give_control_away_protected),
                scheduler as *const _ as VALUE,
                &raw mut state,
            );
        }
        if !take_control(scheduler, token, me) {
            came_back(scheduler, token, me);
        }
        if state != 0 {
            last = state;
        }
    }
    last
}

unsafe extern "C" fn give_control_away_protected(scheduler: VALUE) -> VALUE {
    // SAFETY: `withdraw` passes its own.
    let scheduler = unsafe { &*(scheduler as *const Scheduler) };
    // SAFETY: with the GVL.
    give_control_away(scheduler, unsafe { rb_fiber_current() });
    NIL
}

/// Whether control was given to this waiter. Anything else that switches to a parked fiber is not a
/// resume (I-5).
fn take_control(scheduler: &Scheduler, token: Token, me: VALUE) -> bool {
    if scheduler.handed.get() == Some(token) {
        scheduler.handed.set(None);
        scheduler.running.set(me);
        return true;
    }
    false
}

/// Control is back without a resume: somebody called `Fiber#raise`, `Fiber#kill` or `Fiber#transfer`
/// on this fiber.
fn came_back(scheduler: &Scheduler, token: Token, me: VALUE) {
    if scheduler.handed.get() != Some(token) {
        set_caller_aside(scheduler, me);
    }
}

/// Whoever gave control to this fiber behind our back was left suspended without a park of its own. It
/// goes on later.
pub(crate) fn set_caller_aside(scheduler: &Scheduler, me: VALUE) {
    let caller = scheduler.running.get();
    if caller != me && caller != scheduler.home.get() {
        // SAFETY: with the GVL; the fiber that ran last.
        if unsafe { rb_fiber_alive_p(caller) } == rb_sys::Qtrue as VALUE {
            scheduler.tables(|tables| {
                if !tables.knows(caller as usize) {
                    tables.enter_ready(Parked::fiber(caller), Outcome::Woken);
                }
            });
        }
    }
    scheduler.running.set(me);
}

/// Hands over to the next ready fiber of this turn, or to the loop. On the loop's own fiber, runs it.
///
/// Leaves by longjmp if something is raised in the fiber before control comes back.
pub(crate) fn give_control_away(scheduler: &Scheduler, me: VALUE) {
    let next = if scheduler.looping.get() {
        next_ready(scheduler).or_else(|| {
            let another = scheduler.home_waits.get() && crate::turn::begin_another(scheduler);
            another.then(|| next_ready(scheduler)).flatten()
        })
    } else {
        None
    };
    match next {
        Some((token, fiber)) => {
            scheduler.handed.set(Some(token));
            if fiber != me {
                transfer(scheduler, fiber);
            }
        }
        None if me != scheduler.home.get() && scheduler.home_waits.get() => {
            transfer(scheduler, scheduler.home.get());
        }
        // This is the loop's own fiber, or one that it is resuming: the loop runs here meanwhile.
        None => {
            let home = scheduler.home.replace(me);
            let state = crate::turn::turn(scheduler, None);
            scheduler.home.set(home);
            if state != 0 {
                // SAFETY: the state that rb_protect reported.
                unsafe { rb_jump_tag(state) }
            }
        }
    }
}

/// The next one of this turn, if it is suspended in `park`.
fn next_ready(scheduler: &Scheduler) -> Option<(Token, VALUE)> {
    let next = scheduler.tables(evented_core::Tables::next_framed);
    next.map(|(token, root)| (token, root.fiber))
}

/// As [`start`], from the loop's fiber while it is not in the loop.
pub(crate) fn start_from_home(scheduler: &Scheduler, fiber: VALUE) {
    unsafe extern "C" fn start_protected(pair: VALUE) -> VALUE {
        // SAFETY: the pair below.
        let (scheduler, fiber) = unsafe { *(pair as *const (*const Scheduler, VALUE)) };
        // SAFETY: the caller's.
        start(unsafe { &*scheduler }, fiber);
        NIL
    }
    let pair: (*const Scheduler, VALUE) = (scheduler, fiber);
    // SAFETY: `pair` outlives the call.
    let state =
        unsafe { crate::turn::hand_over(scheduler, start_protected, (&raw const pair) as VALUE) };
    if state != 0 {
        scheduler.workers.dismiss(fiber);
        // SAFETY: the state that rb_protect reported.
        unsafe { rb_jump_tag(state) }
    }
}

/// Gives control to the loop's fiber, which has to be waiting for it.
pub(crate) fn transfer_home(scheduler: &Scheduler) {
    if !scheduler.home_waits.get() {
        errors::raise(
            errors::ERROR,
            c"the scheduler's fiber is running or resuming this one",
        );
    }
    transfer(scheduler, scheduler.home.get());
}

/// Gives control to a fiber that is suspended in `park`, or to the loop.
pub(crate) fn transfer(scheduler: &Scheduler, fiber: VALUE) {
    scheduler.running.set(fiber);
    // SAFETY: the fiber was suspended by a transfer of its own, and by nothing else: it neither
    // resumes another nor yields to one, which this call would not check.
    unsafe { rb_fiber_transfer(fiber, 0, std::ptr::null()) };
}
