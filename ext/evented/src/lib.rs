//! The Ruby binding of evented-core: converts and parks; holds no policy and no defaults.
//!
//! # The way of one read
//!
//! Ruby calls the hook `io_read` ([`io`]): it converts, tries at once, submits to the core and parks
//! ([`park`]). The loop ([`turn`]) waits without the GVL ([`gvl`]), lets the core dispatch what has
//! come, and resumes the fiber, which leaves `park` with its outcome.
//!
//! # Modules
//!
//! - [`scheduler`]: the Ruby object, its two halves, who may use it and when.
//! - [`turn`]: the loop. [`park`]: the one suspension point. [`pass_on`]: what was not for it any more. [`waiter`]: what GC has to keep.
//! - Hooks: [`hooks`] (block, sleep, spawn, interrupt), [`wait`], [`io`], [`select`], [`process`], [`resolve`],
//!   [`timeout`], [`offload`].
//! - [`tasks`]: what tasks ask for beyond the hooks. [`workers`]: the fibers that run them. [`time`]: the clock.
//! - [`em`]: streams, and calling them back.
//! - [`permits`]: what a semaphore counts. [`registry`]: who waits on a descriptor that is being closed. [`convert`], [`define`], [`errors`], [`fork`],
//!   [`gvl`], [`known`], [`memory`]: small tools.
//!
//! Nothing with a destructor lives on a stack that Ruby may unwind or abandon (I-4), and Ruby is never
//! called from inside a closure that borrows the core (I-3).

#![allow(
    clippy::multiple_unsafe_ops_per_block,
    reason = "calls into Ruby come in sentences, and each sentence has its SAFETY"
)]
#![expect(
    missing_docs,
    reason = "the one public function is what the attribute below makes"
)]

mod convert;
mod crowd;
mod define;
mod em;
mod errors;
mod fork;
mod gvl;
mod hooks;
mod io;
mod known;
mod memory;
mod offload;
mod park;
mod pass_on;
mod permits;
mod process;
mod registry;
mod resolve;
mod scheduler;
mod select;
mod tasks;
mod time;
mod timeout;
mod turn;
mod wait;
mod waiter;
mod workers;

use magnus::{Error, Module, Object, RModule, Ruby, function, value::ReprValue};

/// Defines `Evented::Native`.
#[magnus::init]
fn init(ruby: &Ruby) -> Result<(), Error> {
    fork::watch();
    known::look_up();
    let evented = ruby.define_module("Evented")?;
    let native: RModule = evented.define_module("Native")?;
    native.const_set("VERSION", env!("CARGO_PKG_VERSION"))?;
    native.const_set("SCHEDULER_VERSION", rb_sys::RUBY_FIBER_SCHEDULER_VERSION)?;
    native.define_singleton_method("default_driver", function!(scheduler::default_driver, 1))?;
    permits::define(ruby, native)?;
    let streams = native.define_module("Streams")?.as_value();
    let class = native.define_class("Scheduler", ruby.class_object())?;
    // SAFETY: a class that was just defined, on a thread that holds the GVL.
    unsafe {
        use magnus::rb_sys::AsRawValue;
        use rb_sys::rb_gc_register_mark_object;
        let (native, class) = (native.as_value().as_raw(), class.as_value().as_raw());
        let streams = streams.as_raw();
        rb_gc_register_mark_object(class);
        scheduler::define(class);
        turn::define(class);
        hooks::define(class);
        timeout::define(class);
        wait::define(class);
        io::define(class);
        select::define(class);
        process::define(class);
        resolve::define(class);
        offload::define(class);
        time::define(class);
        tasks::define(class);
        workers::define(class);
        em::define(class, streams);
        registry::define(native);
    }
    Ok(())
}
