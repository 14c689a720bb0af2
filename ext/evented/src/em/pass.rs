//! Calling back.
//!
//! The loop gives a pass to a fiber that rests, or to a new one. That fiber asks the core for one event after the
//! other and calls Ruby. A callback that waits suspends its fiber with it; the loop, which has control again, then
//! gives the rest of the pass to the next one. So a callback that does not wait costs no fiber.

use std::{ffi::c_int, time::Instant};

use evented_core::{
    Streams,
    stream::{Event, Signature},
};
use rb_sys::{ID, Qfalse, Qtrue, TEST, VALUE, rb_funcallv, rb_jump_tag, rb_protect, rb_str_new};

use super::{functions::number, tls};
use crate::{known::known, park, scheduler::Scheduler, turn, waiter::NIL, workers};

/// Before the loop waits: hands over to the driver what streams want of it. Returns whether the loop must not sleep,
/// and until when it may at most.
pub(crate) fn before_wait(
    scheduler: &Scheduler,
    limit: Option<Instant>,
) -> (bool, Option<Instant>) {
    let wishes = scheduler.streams_and_driver(|streams, driver| {
        streams.flush(driver);
        // Halted: nothing is called before the reactor has shut down.
        (!streams.is_halted()).then(|| {
            (
                streams.has_work() || driver.has_arrivals(),
                streams.next_deadline(),
            )
        })
    });
    match wishes.flatten() {
        None => (false, limit),
        Some((busy, None)) => (busy, limit),
        Some((busy, Some(deadline))) => (
            busy,
            Some(limit.map_or(deadline, |limit| limit.min(deadline))),
        ),
    }
}

/// On the loop's fiber: gives a pass that is due to callback fibers until it is over. Returns the state of an
/// exception, as rb_protect reports it, or 0.
pub(crate) fn work(scheduler: &Scheduler) -> c_int {
    match scheduler.streams(|streams| streams.is_halted()) {
        None => return 0,
        Some(true) => {
            scheduler.streams_and_driver(Streams::drop_arrivals);
            return 0;
        }
        Some(false) => {}
    }
    let now = scheduler.time.now();
    scheduler.streams_and_driver(|streams, driver| streams.begin_pass(now, driver));
    // One pass, and then the kernel is asked again. An exception may halt it half-way.
    while scheduler.streams(|streams| streams.in_pass() && !streams.is_halted()) == Some(true) {
        if scheduler.reactor_object() == NIL {
            // Nobody is called: what comes is for streams that are over.
            scheduler.streams_and_driver(Streams::drop_pass);
            return 0;
        }
        let at = std::ptr::from_ref(scheduler) as VALUE;
        // SAFETY: the scheduler outlives the call.
        let state = unsafe { turn::hand_over(scheduler, give_control, at) };
        // It may have been the turn of the fiber that this is running on.
        if state != 0 || scheduler.handed.get().is_some() {
            return state;
        }
    }
    0
}

/// To a callback fiber that rests, or to a new one.
unsafe extern "C" fn give_control(scheduler: VALUE) -> VALUE {
    // SAFETY: `work` passes its own.
    let scheduler = unsafe { &*(scheduler as *const Scheduler) };
    if let Some(fiber) = scheduler.em.callbacks.wake() {
        park::transfer(scheduler, fiber);
        return NIL;
    }
    let (reactor, method) = (scheduler.reactor_object(), known().callback_fiber);
    // SAFETY: with the GVL; it answers with a fiber.
    let fiber = unsafe { rb_funcallv(reactor, method, 0, std::ptr::null()) };
    park::start(scheduler, fiber);
    NIL
}

/// `__await_pass`: waits until this fiber is needed for a pass; false if it had better end.
///
/// # Suspends
///
/// Unless that is so. It keeps nobody from ending.
pub(super) unsafe extern "C" fn await_pass(this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let woken = workers::rest_in(scheduler, &scheduler.em.callbacks);
    (if TEST(woken) { Qtrue } else { Qfalse }) as VALUE
}

/// `__pass`: makes the callbacks of the pass that is under way, until it is over. Raises what they raise; the
/// pass goes on with the next call.
///
/// # Suspends
///
/// If a callback does.
pub(super) unsafe extern "C" fn pass(this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    while let Some(Some(event)) = scheduler.streams_and_driver(Streams::next) {
        let state = handle(scheduler, event);
        if state != 0 {
            // SAFETY: the state that rb_protect reported.
            unsafe { rb_jump_tag(state) }
        }
    }
    NIL
}

/// `__unbind_streams`: ends every stream right now, and calls back. Raises what a callback raises; then it is to be
/// called again.
///
/// # Suspends
///
/// If a callback does.
pub(super) unsafe extern "C" fn unbind_all(this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    while let Some(Some(event)) = scheduler.streams(Streams::unbind_next) {
        let state = handle(scheduler, event);
        if state != 0 {
            // SAFETY: the state that rb_protect reported.
            unsafe { rb_jump_tag(state) }
        }
    }
    NIL
}

/// Makes one callback. Returns the state of an exception, as rb_protect reports it, or 0.
fn handle(scheduler: &Scheduler, event: Event<VALUE>) -> c_int {
    let known = known();
    match event {
        Event::Data(stream, root) => hand_data(scheduler, stream, root),
        Event::Completed(stream, root) => {
            call_stream(scheduler, stream, root, known.connection_completed)
        }
        Event::Ciphertext(stream, root) => tls::feed(scheduler, stream, root),
        Event::Secured(stream, root) => {
            call_stream(scheduler, stream, root, known.ssl_handshake_completed)
        }
        Event::Readable(stream, root) => {
            call_stream(scheduler, stream, root, known.notify_readable)
        }
        Event::Writable(stream, root) => {
            call_stream(scheduler, stream, root, known.notify_writable)
        }
        Event::ProxyCompleted(stream, root) => {
            call_stream(scheduler, stream, root, known.proxy_completed)
        }
        Event::ProxyTargetUnbound(stream, root) => {
            call_stream(scheduler, stream, root, known.proxy_target_unbound)
        }
        Event::Accepted { server, stream } => {
            let state = call_reactor(scheduler, known.accepted, &[number(server), number(stream)]);
            scheduler.streams(|streams| streams.accepted_done(stream));
            state
        }
        Event::Timer(timer) => call_reactor(scheduler, known.timer_due, &[number(timer)]),
        Event::Tick => {
            let mut more = NIL;
            let state = call(scheduler.reactor_object(), known.tick, &[], &mut more);
            // True: there are more in this pass, also after one has raised.
            if state == 0 && more != Qtrue as VALUE {
                scheduler.streams(|streams| streams.ticks_done(TEST(more)));
            }
            state
        }
        Event::Unbound(stream, root, reason) => {
            // SAFETY: a small integer.
            let reason = unsafe { rb_sys::rb_int2inum(reason as _) };
            let root = root.unwrap_or(NIL);
            let state = call_reactor(scheduler, known.unbound, &[number(stream), root, reason]);
            scheduler.streams(|streams| streams.done(stream));
            state
        }
        Event::Stopped => {
            // What was sent before leaves, as far as there is room for it.
            scheduler.streams_and_driver(Streams::flush);
            turn::ask(scheduler);
            scheduler.streams(|streams| {
                streams.stopped();
                streams.halt();
            });
            call_reactor(scheduler, known.stopped, &[])
        }
        Event::Poll => {
            scheduler.streams_and_driver(Streams::flush);
            turn::ask(scheduler);
            turn::dispatch(scheduler);
            0
        }
    }
}

fn call_stream(scheduler: &Scheduler, stream: Signature, root: VALUE, method: ID) -> c_int {
    let state = call(root, method, &[], &mut NIL.clone());
    scheduler.streams(|streams| streams.done(stream));
    state
}

fn call_reactor(scheduler: &Scheduler, method: ID, arguments: &[VALUE]) -> c_int {
    call(
        scheduler.reactor_object(),
        method,
        arguments,
        &mut NIL.clone(),
    )
}

/// `receive_data`, with the bytes of the event.
fn hand_data(scheduler: &Scheduler, stream: Signature, root: VALUE) -> c_int {
    struct Data<'a> {
        scheduler: &'a Scheduler,
        root: VALUE,
    }

    unsafe extern "C" fn hand(data: VALUE) -> VALUE {
        // SAFETY: the place below.
        let Data { scheduler, root } = unsafe { &*(data as *const Data<'_>) };
        let bytes = scheduler.streams_and_driver(|streams, driver| {
            let bytes = streams.bytes(driver);
            (bytes.as_ptr(), bytes.len())
        });
        let (start, len) = bytes.unwrap_or((std::ptr::null(), 0));
        // SAFETY: Ruby copies the bytes, which stay where they are until they have been taken; nothing touches the
        // streams meanwhile but the garbage collector, which only looks at their objects.
        let string = unsafe { rb_str_new(start.cast(), len as _) };
        scheduler.streams_and_driver(Streams::taken);
        // SAFETY: with the GVL.
        unsafe { rb_funcallv(*root, known().receive_data, 1, &raw const string) };
        NIL
    }

    let data = Data { scheduler, root };
    let mut state = 0;
    // SAFETY: `data` outlives the call.
    unsafe { rb_protect(Some(hand), (&raw const data) as VALUE, &raw mut state) };
    if state != 0 {
        // It may have failed before.
        scheduler.streams_and_driver(Streams::taken);
    }
    scheduler.streams(|streams| streams.done(stream));
    state
}

/// Calls a method of an object. Returns the state of an exception, as rb_protect reports it, or 0.
fn call(receiver: VALUE, method: ID, arguments: &[VALUE], answer: &mut VALUE) -> c_int {
    struct Call<'a> {
        receiver: VALUE,
        method: ID,
        arguments: &'a [VALUE],
    }

    unsafe extern "C" fn make(call: VALUE) -> VALUE {
        // SAFETY: the place below.
        let call = unsafe { &*(call as *const Call<'_>) };
        let count = call.arguments.len() as c_int;
        // SAFETY: with the GVL; the arguments stand on the stack.
        unsafe { rb_funcallv(call.receiver, call.method, count, call.arguments.as_ptr()) }
    }

    let call = Call {
        receiver,
        method,
        arguments,
    };
    let mut state = 0;
    // SAFETY: `call` outlives it.
    *answer = unsafe { rb_protect(Some(make), (&raw const call) as VALUE, &raw mut state) };
    state
}
