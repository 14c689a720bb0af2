//! `address_resolve`: names, on a thread, with getaddrinfo's own meaning.

use evented_core::{offload, remote::Message};
use rb_sys::{
    RSTRING_LEN, RSTRING_PTR, VALUE, rb_ary_new, rb_ary_push, rb_str_new, rb_string_value,
};

use crate::{
    define::{Function::One, methods},
    park,
    scheduler::Scheduler,
    waiter::{NIL, Reason},
};

/// # Safety
///
/// `class` is `Evented::Native::Scheduler`.
pub(crate) unsafe fn define(class: VALUE) {
    // SAFETY: the caller's promise, and methods of that class.
    unsafe {
        methods(class, &[(c"address_resolve", One(address_resolve))]);
    }
}

/// `address_resolve(hostname)`: its addresses as strings, best first, or nil if there are none.
///
/// # Suspends
///
/// Always.
unsafe extern "C" fn address_resolve(this: VALUE, mut hostname: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    // SAFETY: raises TypeError for what is no string.
    unsafe { rb_string_value(&raw mut hostname) };
    let root = scheduler.parked(Reason::Resolve, [hostname, NIL]);
    let token = scheduler.tables(|tables| tables.park_offloaded(root, false));
    ask(scheduler, token, hostname);
    park::park(scheduler, token);
    // SAFETY: owner only, and nothing has run since the park ended.
    let addresses = std::mem::take(unsafe { &mut *scheduler.resolved.get() });
    if addresses.is_empty() {
        return NIL;
    }
    // SAFETY: with the GVL. Should Ruby run out of memory here, the list is lost with it.
    unsafe {
        let list = rb_ary_new();
        for address in addresses {
            let text = address.to_string();
            rb_ary_push(list, rb_str_new(text.as_ptr().cast(), text.len() as _));
        }
        list
    }
}

/// Sends the question off. Apart from its caller, so that nothing of it is on a stack that parks.
fn ask(scheduler: &Scheduler, token: evented_core::Token, hostname: VALUE) {
    // SAFETY: a string; copied before Ruby can run.
    let bytes = unsafe {
        let len = usize::try_from(RSTRING_LEN(hostname)).unwrap_or(0);
        std::slice::from_raw_parts(RSTRING_PTR(hostname).cast::<u8>(), len)
    };
    let name = String::from_utf8_lossy(bytes).into_owned();
    let remote = scheduler.driver(|driver| driver.remote().clone());
    offload::spawn(move || {
        let addresses = offload::resolve(&name).unwrap_or_default();
        remote.send(Message {
            token,
            result: 0,
            addresses,
        });
    });
}
