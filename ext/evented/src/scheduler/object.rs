//! What Ruby sees of a scheduler as an object: its life, what the garbage collector asks, and what it
//! tells about itself.

use std::{
    ffi::{CStr, c_void},
    ptr,
};

use evented_core::{driver::probe, inflight::Waiter};
use magnus::{Ruby, Symbol};
use rb_sys::{
    NIL_P, Qfalse, Qtrue, RSTRING_LEN, RSTRING_PTR, RTYPEDDATA_GET_DATA, RTYPEDDATA_TYPE, TEST,
    VALUE, rb_check_typeddata, rb_data_type_t, rb_data_typed_object_wrap, rb_define_alloc_func,
    rb_gc_mark, rb_hash_aset, rb_hash_new, rb_id2sym, rb_intern, rb_str_new, rb_thread_current,
};

use super::{Phase, Scheduler};
use crate::{
    define::{
        Function::{One, Two, Zero},
        methods,
    },
    errors, registry,
    waiter::{NIL, Parked},
};

/// # Safety
///
/// `class` is `Evented::Native::Scheduler`.
pub(crate) unsafe fn define(class: VALUE) {
    // SAFETY: the caller's promise, and methods of that class.
    unsafe {
        rb_define_alloc_func(class, Some(allocate));
        methods(
            class,
            &[
                (c"initialize", Two(initialize)),
                (c"__admit", Zero(admit)),
                (c"__reborn?", Zero(is_reborn)),
                (c"__epoch", Zero(epoch)),
                (c"__release", Zero(release)),
                (c"closed?", Zero(is_closed)),
                (c"__home", Zero(home)),
                (c"__refusal", Zero(refusal)),
                (c"__panic", One(panic)),
                (c"driver", Zero(driver)),
                (c"stats", Zero(stats)),
            ],
        );
    }
}

/// `Native.default_driver(requested)`: the name of the driver that a new scheduler would get.
pub(crate) fn default_driver(
    ruby: &Ruby,
    requested: Option<String>,
) -> Result<Symbol, magnus::Error> {
    match probe::choose(requested.as_deref()) {
        Ok(mut choice) => {
            let name = choice.driver.name();
            // Nothing is in flight in a driver that was only asked for its name.
            let _ = choice.driver.close();
            Ok(ruby.to_symbol(name))
        }
        Err(error) => {
            let class: magnus::ExceptionClass =
                ruby.eval(errors::ERROR.to_str().unwrap_or_default())?;
            Err(magnus::Error::new(class, error.to_string()))
        }
    }
}

unsafe extern "C" fn allocate(class: VALUE) -> VALUE {
    let scheduler = Box::new(Scheduler::blank());
    // SAFETY: Ruby owns the box from here on, and gives it to `free` once.
    unsafe {
        rb_data_typed_object_wrap(
            class,
            Box::into_raw(scheduler).cast(),
            &raw const DATA_TYPE.0,
        )
    }
}

/// `initialize(fiber, requested_driver)`: opens the reactor for this thread, with `fiber` to run the
/// loop.
unsafe extern "C" fn initialize(this: VALUE, fiber: VALUE, requested: VALUE) -> VALUE {
    let scheduler = Scheduler::of(this);
    if scheduler.phase.get() != Phase::Blank {
        errors::raise(errors::ERROR, c"this scheduler is initialised already");
    }
    if !NIL_P(requested) {
        // SAFETY: `lib/evented/scheduler.rb` passes a String or nil.
        let bytes = unsafe {
            let (start, len) = (RSTRING_PTR(requested), RSTRING_LEN(requested));
            std::slice::from_raw_parts(start.cast::<u8>(), usize::try_from(len).unwrap_or(0))
        };
        // SAFETY: nobody else knows this object yet.
        unsafe { *scheduler.requested.get() = Some(String::from_utf8_lossy(bytes).into_owned()) };
    }
    scheduler.home.set(fiber);
    scheduler.running.set(fiber);
    // SAFETY: with the GVL.
    scheduler.open(unsafe { rb_thread_current() });
    this
}

/// `__admit`: raises if this thread may not use the scheduler.
unsafe extern "C" fn admit(this: VALUE) -> VALUE {
    Scheduler::enter(this);
    NIL
}

/// `__release`: gives the ring back. All fibers have been unwound by `close`.
unsafe extern "C" fn release(this: VALUE) -> VALUE {
    let scheduler = Scheduler::of(this);
    registry::leave(scheduler);
    scheduler.phase.set(Phase::Closed);
    scheduler.workers.forget();
    scheduler.close_driver();
    scheduler.em.close(scheduler);
    NIL
}

unsafe extern "C" fn is_closed(this: VALUE) -> VALUE {
    (if Scheduler::of(this).phase.get() == Phase::Open {
        Qfalse
    } else {
        Qtrue
    }) as VALUE
}

/// `__reborn?`: whether it started afresh in a forked child.
unsafe extern "C" fn is_reborn(this: VALUE) -> VALUE {
    (if Scheduler::enter(this).reborn.get() {
        Qtrue
    } else {
        Qfalse
    }) as VALUE
}

/// `__epoch`: a number that differs between the processes that it has been used in.
unsafe extern "C" fn epoch(this: VALUE) -> VALUE {
    // SAFETY: with the GVL.
    unsafe { rb_sys::rb_ull2inum(Scheduler::of(this).epoch.get()) }
}

unsafe extern "C" fn home(this: VALUE) -> VALUE {
    Scheduler::of(this).home.get()
}

/// `__refusal`: why io_uring was passed over, or nil.
unsafe extern "C" fn refusal(this: VALUE) -> VALUE {
    // SAFETY: written by the owner only, with the GVL.
    match unsafe { &*Scheduler::of(this).refusal.get() } {
        // SAFETY: Ruby copies the bytes.
        Some(text) => unsafe { rb_str_new(text.as_ptr().cast(), text.len() as _) },
        None => NIL,
    }
}

/// `__panic(asleep)`: panics, as a mistake of ours would: now, or the next time that the loop sleeps. There is no other
/// way to find out what happens then (I-9).
unsafe extern "C" fn panic(this: VALUE, asleep: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    if TEST(asleep) {
        scheduler.panics_asleep.set(true);
    } else {
        scheduler.tables(|_| on_purpose());
    }
    NIL
}

#[expect(clippy::panic, reason = "that is what it is for")]
pub(crate) fn on_purpose() {
    panic!("as `__panic` has been asked to")
}

/// `driver`: `:uring` or `:poll`.
unsafe extern "C" fn driver(this: VALUE) -> VALUE {
    let name = Scheduler::enter(this).driver(|driver| driver.name());
    let name: &CStr = if name == "uring" { c"uring" } else { c"poll" };
    // SAFETY: with the GVL.
    unsafe { rb_id2sym(rb_intern(name.as_ptr())) }
}

/// `stats`: counters since it was opened, and how many fibers there are now.
unsafe extern "C" fn stats(this: VALUE) -> VALUE {
    let scheduler = Scheduler::of(this);
    let (stats, parked, ready, sleeping) = scheduler.tables(|tables| {
        (
            tables.stats,
            tables.len(),
            tables.ready.len(),
            tables.sleeping(),
        )
    });
    // SAFETY: with the GVL; plain numbers into a new hash.
    unsafe {
        let hash = rb_hash_new();
        for (name, value) in [
            (c"parked", parked as u64),
            (c"ready", ready as u64),
            (c"sleeping", sleeping as u64),
            (c"turns", stats.turns),
            (c"parks", stats.parks),
            (c"resumes", stats.resumes),
            (c"dropped", stats.dropped),
            (c"submitted", stats.submitted),
            (c"completed", stats.completed),
            (c"cancelled", stats.cancelled),
            (c"sleeps", stats.sleeps),
        ] {
            let key = rb_id2sym(rb_intern(name.as_ptr()));
            rb_hash_aset(hash, key, rb_sys::rb_ull2inum(value));
        }
        hash
    }
}

/// # GVL
///
/// The garbage collector holds it or has stopped everybody; the owner may be asleep inside the driver,
/// which is not looked at (I-2).
unsafe extern "C" fn mark(scheduler: *mut c_void) {
    // SAFETY: Ruby passes what `allocate` gave it. No borrow of the tables is alive, because none is
    // held across a call to Ruby and only such a call collects garbage (I-3).
    let scheduler = unsafe { &*scheduler.cast::<Scheduler>() };
    for value in [
        scheduler.thread.get(),
        scheduler.home.get(),
        scheduler.running.get(),
        scheduler.condition.get(),
    ] {
        // SAFETY: in the mark phase, and each a live VALUE.
        unsafe { rb_gc_mark(value) };
    }
    scheduler.workers.mark();
    scheduler.em.mark();
    // SAFETY: see above.
    for root in unsafe { &*scheduler.tables.get() }.roots() {
        root.mark();
    }
}

unsafe extern "C" fn free(scheduler: *mut c_void) {
    // SAFETY: Ruby passes what `allocate` gave it, once, when nobody can reach it any more.
    let scheduler = unsafe { Box::from_raw(scheduler.cast::<Scheduler>()) };
    registry::leave(&raw const *scheduler);
    scheduler.close_driver();
    scheduler.em.close(&raw const *scheduler);
}

unsafe extern "C" fn memory(scheduler: *const c_void) -> rb_sys::size_t {
    // SAFETY: as in `mark`.
    let scheduler = unsafe { &*scheduler.cast::<Scheduler>() };
    // SAFETY: as in `mark`.
    let waiters = unsafe { &*scheduler.tables.get() }.len();
    (size_of::<Scheduler>() + waiters * size_of::<Waiter<Parked>>()) as rb_sys::size_t
}

/// What `value` wraps; raises TypeError if that is not a scheduler. Every hook asks, so the case that always
/// is comes first.
///
/// # Safety
///
/// `value` is the receiver of a method of a class whose objects wrap typed data.
#[inline]
pub(super) unsafe fn data(value: VALUE) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe {
        if ptr::eq(RTYPEDDATA_TYPE(value), &raw const DATA_TYPE.0) {
            RTYPEDDATA_GET_DATA(value)
        } else {
            rb_check_typeddata(value, &raw const DATA_TYPE.0)
        }
    }
}

pub(super) struct DataType(pub(super) rb_data_type_t);

// SAFETY: never written to after it was made.
unsafe impl Sync for DataType {}

// Not write-barrier protected: fibers are not either, so each parked fiber is visited by every minor
// collection as it is, and barriers would save nothing.
pub(super) static DATA_TYPE: DataType = DataType({
    // SAFETY: all fields are integers, pointers and optional functions, for which zero is valid.
    let mut data_type: rb_data_type_t = unsafe { std::mem::zeroed() };
    data_type.wrap_struct_name = c"Evented::Native::Scheduler".as_ptr();
    data_type.function.dmark = Some(mark);
    data_type.function.dfree = Some(free);
    data_type.function.dsize = Some(memory);
    data_type
});
