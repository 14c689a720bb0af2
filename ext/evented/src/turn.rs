//! The loop.
//!
//! One turn: resume who is ready, find out how long to sleep, sleep without the GVL, take in what has
//! happened. It runs on the thread's root fiber, because that is where a finished fiber returns to
//! (I-12).

use std::{
    ffi::c_int,
    time::{Duration, Instant},
};

use evented_core::{Outcome, Token, clock, reactor::Sleep};
use rb_sys::{
    NIL_P, Qfalse, Qtrue, TEST, VALUE, rb_ary_new_from_values, rb_eException, rb_ensure,
    rb_errinfo, rb_fiber_alive_p, rb_fiber_current, rb_funcallv, rb_jump_tag, rb_obj_is_fiber,
    rb_obj_is_kind_of, rb_protect, rb_set_errinfo, rb_thread_check_ints, rb_yield,
};

use crate::{
    convert, crowd,
    define::{
        Function::{One, Zero},
        methods,
    },
    errors, gvl,
    known::known,
    park,
    scheduler::{Scheduler, on_purpose},
    waiter::{NIL, Parked},
};

/// # Safety
///
/// `class` is `Evented::Native::Scheduler`.
pub(crate) unsafe fn define(class: VALUE) {
    // SAFETY: the caller's promise, and methods of that class.
    unsafe {
        methods(
            class,
            &[
                (c"__run", One(run)),
                (c"__waiting", Zero(waiting_fibers)),
                (c"idle?", Zero(is_idle)),
                (c"__keep_error", Zero(keep_error)),
            ],
        );
    }
}

/// `__run(timeout)`: turns until no fiber waits any more, or for `timeout` seconds.
///
/// Raises what a fiber raised that nothing rescued; the others go on with the next run.
///
/// # Suspends
///
/// No: it is what the others suspend to.
///
/// # GVL
///
/// Given up while nobody is ready.
unsafe extern "C" fn run(this: VALUE, timeout: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let limit = scheduler.time.deadline(convert::timeout(timeout));
    // SAFETY: with the GVL.
    let me = unsafe { rb_fiber_current() };
    let inside = scheduler.home_waits.get() && me != scheduler.home.get();
    if scheduler.looping.get() || inside {
        errors::raise(
            errors::ERROR,
            c"this scheduler is running already, and calls this: use Fiber.schedule to start fibers in it",
        );
    }
    scheduler.home.set(me);
    scheduler.running.set(me);
    scheduler.looping.set(true);
    let mut loop_ = Loop { scheduler, limit };
    let at = (&raw mut loop_) as VALUE;
    // SAFETY: `loop_` outlives the call.
    unsafe { rb_ensure(Some(run_turns), at, Some(stop_running), at) }
}

struct Loop {
    scheduler: &'static Scheduler,
    limit: Option<Instant>,
}

unsafe extern "C" fn run_turns(loop_: VALUE) -> VALUE {
    // SAFETY: `run` passes its own.
    let Loop { scheduler, limit } = unsafe { &*(loop_ as *const Loop) };
    while scheduler.tables(|tables| tables.is_busy()) {
        let state = turn(scheduler, *limit);
        if state != 0 {
            // SAFETY: the state that rb_protect reported.
            unsafe { rb_jump_tag(state) }
        }
        if limit.is_some_and(|limit| scheduler.time.now() >= limit) {
            break;
        }
    }
    NIL
}

unsafe extern "C" fn stop_running(loop_: VALUE) -> VALUE {
    // SAFETY: `run` passes its own.
    let Loop { scheduler, .. } = unsafe { &*(loop_ as *const Loop) };
    scheduler.looping.set(false);
    NIL
}

/// One turn, on the loop's own fiber. Returns the state of an exception that has to be passed on, as
/// rb_protect reports it, or 0.
pub(crate) fn turn(scheduler: &Scheduler, limit: Option<Instant>) -> c_int {
    scheduler.away.set(0);
    scheduler.look_at.set(0);
    scheduler.started.set(0);
    crowd::begin(
        scheduler,
        scheduler.tables(|tables| {
            tables.ready.begin_turn();
            tables.ready.len()
        }),
    );
    while let Some(token) = scheduler.tables(|tables| tables.ready.next()) {
        let state = resume(scheduler, token);
        // It may have been the turn of the fiber that this is running on.
        if state != 0 || scheduler.handed.get().is_some() {
            return state;
        }
    }
    crowd::end(scheduler);
    // A fiber that was raised in may have taken alarms in (park.rs): they must not wait for another.
    let mut state = crate::timeout::fire(scheduler);
    if state == 0 {
        state = wait(scheduler, limit);
    }
    if state != 0 {
        return state;
    }
    dispatch(scheduler);
    state = crate::timeout::fire(scheduler);
    if state == 0 {
        state = crate::em::work(scheduler);
    }
    state
}

/// Begins another turn without going back to the loop, if all that there is to be done is to resume those
/// who are ready, or are ready once the kernel has been asked: that saves a switch each way. Only so often,
/// because deadlines and messages have to wait meanwhile (I-11).
pub(crate) fn begin_another(scheduler: &Scheduler) -> bool {
    // SAFETY: owner only; the borrow ends here.
    if !(unsafe { &*scheduler.due.get() }).is_empty() || !scheduler.has_driver() {
        return false;
    }
    let away = scheduler.away.get();
    // Those that are resumed may do more than switch.
    if away >= scheduler.look_at.get() {
        let now = clock::now();
        if away == 0 {
            scheduler.left.set(now);
        } else if now.duration_since(scheduler.left.get()) >= LONGEST_AWAY {
            return false;
        }
        scheduler.look_at.set(away + away.clamp(1, LOOK_EVERY));
    }
    let begin = || scheduler.reactor(|reactor| reactor.begin_another_turn(MOST_AWAY - away));
    let mut resumes = begin();
    if resumes == 0 && ask_from_here(scheduler) {
        resumes = begin();
    }
    scheduler.away.set(away + resumes);
    if resumes > 0 {
        scheduler.started.set(0);
        crowd::begin(scheduler, resumes);
    }
    resumes > 0
}

/// Asks the kernel what has happened, without sleeping, if nobody is ready before that. Tells whether it has been asked.
/// What comes of it is the loop's if it is more than fibers that can go on.
fn ask_from_here(scheduler: &Scheduler) -> bool {
    let alone = scheduler.tables(|tables| tables.ready.is_empty()) && !scheduler.has_streams();
    if !alone || !scheduler.driver(|driver| driver.wants_wait()) {
        return false;
    }
    scheduler.reactor(|reactor| reactor.flush_cancels());
    ask(scheduler);
    dispatch(scheduler);
    // SAFETY: owner only; the borrow ends here.
    unsafe { &*scheduler.due.get() }.is_empty()
}

/// How many fibers may be resumed before the loop has to be gone back to: some 50 µs of nothing but switches.
pub(crate) const MOST_AWAY: usize = 256;

/// For how long, whatever they do; and after how many of them that is looked at, at most: after the first, the
/// second, the fourth, and so on.
const LONGEST_AWAY: Duration = Duration::from_micros(100);
const LOOK_EVERY: usize = 16;

/// Outside the loop: lets the fibers go on that were set aside for others that they started. Raises
/// what they raise.
pub(crate) fn finish_starting(scheduler: &Scheduler) {
    while scheduler.starting.get() > 0 {
        let Some(token) = scheduler.tables(|tables| tables.ready.next()) else {
            return;
        };
        let state = resume(scheduler, token);
        if state != 0 {
            // SAFETY: the state that rb_protect reported.
            unsafe { rb_jump_tag(state) }
        }
    }
}

/// Takes in what has happened.
pub(crate) fn dispatch(scheduler: &Scheduler) {
    scheduler.reactor(|reactor| {
        let now = reactor.next_deadline().map(|_| scheduler.time.now());
        if now.is_some() {
            scheduler.glance.set(now);
        }
        // SAFETY: owner only; nobody else looks at it during this closure.
        reactor.dispatch(now, unsafe { &mut *scheduler.due.get() });
    });
}

/// Sleeps until something happens, if nobody is ready.
fn wait(scheduler: &Scheduler, limit: Option<Instant>) -> c_int {
    let (called_back, limit) = crate::em::before_wait(scheduler, limit);
    let sleep = scheduler.reactor(|reactor| {
        let now = reactor
            .next_deadline()
            .or(limit)
            .map(|_| scheduler.time.now());
        reactor.before_wait(now, limit)
    });
    let timeout = match sleep {
        Sleep::Skip => return 0,
        Sleep::No => {
            ask(scheduler);
            return 0;
        }
        Sleep::For(_) | Sleep::Forever if called_back => Some(Duration::ZERO),
        Sleep::For(timeout) => Some(timeout),
        Sleep::Forever => None,
    };
    // What has been submitted is often done at once, and then the GVL need not change hands. And it has to
    // leave while this thread has it: without, a descriptor may be closed and its number be another's.
    if scheduler.driver(|driver| driver.wants_wait()) {
        ask(scheduler);
    }
    if scheduler.driver(|driver| driver.has_completions()) || timeout == Some(Duration::ZERO) {
        return 0;
    }
    if let Some(state) = crate::tasks::before_sleep(scheduler, timeout) {
        return state;
    }
    let (waker, driver) = scheduler.sleeping_driver();
    waker.announce_sleep();
    if scheduler.reactor(|reactor| reactor.last_look()) {
        let mut answers = true;
        let panics = scheduler.panics_asleep.take();
        let sound = gvl::without(waker, || {
            if panics {
                on_purpose();
            }
            // SAFETY: nobody else touches the driver before this returns: other threads only have the
            // tables and the waker (I-2).
            answers = unsafe { &mut *driver }.wait(timeout);
        });
        if !sound || !answers {
            scheduler.poison();
        }
    }
    waker.awake();
    scheduler.glance.set(Some(scheduler.time.now()));
    let mut state = 0;
    // SAFETY: the function takes no notice of its argument.
    unsafe { rb_protect(Some(check_interrupts), NIL, &raw mut state) };
    state
}

/// Submits, and asks the kernel what has happened, without sleeping.
pub(crate) fn ask(scheduler: &Scheduler) {
    if !scheduler.driver(|driver| driver.wait(Some(Duration::ZERO))) {
        scheduler.poison();
    }
}

unsafe extern "C" fn check_interrupts(_: VALUE) -> VALUE {
    // SAFETY: with the GVL.
    unsafe { rb_thread_check_ints() };
    NIL
}

/// Gives control to a waiter's fiber, from the loop.
fn resume(scheduler: &Scheduler, token: Token) -> c_int {
    let Some((root, framed)) = scheduler.tables(|tables| {
        tables
            .root(token)
            .map(|root| (root, tables.is_framed(token)))
    }) else {
        // Its fiber was raised in meanwhile and has left.
        return 0;
    };
    let mut call = Call {
        scheduler,
        root,
        outcome: None,
    };
    if framed {
        scheduler.handed.set(Some(token));
        if root.fiber == scheduler.home.get() {
            return 0;
        }
    } else {
        call.outcome = scheduler.tables(|tables| tables.leave(token));
        if is_fiber(root.fiber) {
            scheduler.running.set(root.fiber);
        }
    }
    // SAFETY: `call` outlives it.
    let state = unsafe { hand_over(scheduler, switch, (&raw mut call) as VALUE) };
    if scheduler.handed.get() == Some(token) {
        scheduler.handed.set(None);
    }
    if state != 0 && !framed && was_not_suspended(root.fiber) {
        return 0;
    }
    state
}

/// Outside the loop: yields to the block of the running method, which gives control to another fiber.
/// Returns its value; raises what it raises.
pub(crate) fn yield_from_home(scheduler: &Scheduler) -> VALUE {
    unsafe extern "C" fn call(value: VALUE) -> VALUE {
        // SAFETY: the place below; the method was called with a block.
        unsafe { *(value as *mut VALUE) = rb_yield(NIL) };
        NIL
    }
    let mut value = NIL;
    // SAFETY: `value` outlives the call.
    let state = unsafe { hand_over(scheduler, call, (&raw mut value) as VALUE) };
    if state != 0 {
        // SAFETY: the state that rb_protect reported.
        unsafe { rb_jump_tag(state) }
    }
    value
}

/// Calls `function`, which gives control to another fiber, and comes back when the loop's fiber has
/// control again. Returns the state of an exception, as rb_protect reports it, or 0.
///
/// # Safety
///
/// As for rb_protect: `function` takes `argument`.
pub(crate) unsafe fn hand_over(
    scheduler: &Scheduler,
    function: unsafe extern "C" fn(VALUE) -> VALUE,
    argument: VALUE,
) -> c_int {
    let mut state = 0;
    scheduler.home_waits.set(true);
    // SAFETY: the caller's promise.
    unsafe { rb_protect(Some(function), argument, &raw mut state) };
    scheduler.home_waits.set(false);
    scheduler.running.set(scheduler.home.get());
    state
}

/// Whether a fiber that we took for left behind turned out to be waiting elsewhere (it resumes another,
/// or has yielded): then Ruby refused the transfer, and whoever it waits for will go on with it.
fn was_not_suspended(fiber: VALUE) -> bool {
    // SAFETY: with the GVL; `$!` is the exception that rb_protect has just reported.
    unsafe {
        let refused = rb_obj_is_kind_of(rb_errinfo(), known().fiber_error) == Qtrue as VALUE
            && is_fiber(fiber)
            && rb_fiber_alive_p(fiber) == Qtrue as VALUE;
        if refused {
            rb_set_errinfo(NIL);
        }
        refused
    }
}

struct Call<'a> {
    scheduler: &'a Scheduler,
    root: Parked,
    /// How the wait of a fiber ended that is not suspended in `park`.
    outcome: Option<Outcome>,
}

unsafe extern "C" fn switch(call: VALUE) -> VALUE {
    // SAFETY: `resume` passes its own.
    let Call {
        scheduler,
        root,
        outcome,
    } = unsafe { &*(call as *const Call<'_>) };
    match outcome {
        None => park::transfer(scheduler, root.fiber),
        // Ruby's own methods, because they check what rb_fiber_transfer does not: this fiber was not
        // suspended by us, or is not even a fiber.
        // SAFETY: with the GVL; arguments as the methods take them.
        Some(Outcome::Raised) => unsafe {
            // What stands for a fiber may have ended since; one that is raised in then would raise here.
            if is_fiber(root.fiber)
                || TEST(rb_funcallv(
                    root.fiber,
                    known().is_alive,
                    0,
                    std::ptr::null(),
                ))
            {
                rb_funcallv(root.fiber, known().raise, 1, &raw const root.exception);
            }
        },
        // SAFETY: as above.
        Some(_) => unsafe {
            rb_funcallv(root.fiber, known().transfer, 0, std::ptr::null());
        },
    }
    NIL
}

/// `__waiting`: the fibers that wait or are ready.
unsafe extern "C" fn waiting_fibers(this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let waiting: Vec<VALUE> = scheduler.tables(|tables| {
        tables
            .parked()
            .filter_map(|token| tables.root(token))
            .map(|root| root.fiber)
            .collect()
    });
    // SAFETY: the tables keep these fibers alive: none of them runs before this returns. Should Ruby be
    // out of memory, the list is lost with it.
    unsafe { rb_ary_new_from_values(waiting.len() as _, waiting.as_ptr()) }
}

/// `idle?`: whether no fiber waits or is ready.
unsafe extern "C" fn is_idle(this: VALUE) -> VALUE {
    let idle = Scheduler::enter(this).tables(|tables| !tables.is_busy());
    (if idle { Qtrue } else { Qfalse }) as VALUE
}

/// `__keep_error { … }`: the block's value. Ruby closes a scheduler while the exception that ends the
/// thread is still to be reported, and forgets it if anything is rescued meanwhile.
unsafe extern "C" fn keep_error(_this: VALUE) -> VALUE {
    // SAFETY: with the GVL; the method was called with a block.
    unsafe {
        let error = rb_errinfo();
        let value = rb_yield(NIL);
        if rb_obj_is_kind_of(error, rb_eException) == Qtrue as VALUE {
            rb_set_errinfo(error);
        }
        value
    }
}

/// Whether `value` is a fiber, and not something that stands for one.
pub(crate) fn is_fiber(value: VALUE) -> bool {
    // SAFETY: any VALUE may be asked.
    !NIL_P(value) && unsafe { rb_obj_is_fiber(value) } == Qtrue as VALUE
}
