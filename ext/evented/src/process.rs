//! `process_wait`: the end of a child.

use std::time::Duration;

use evented_core::{
    Outcome,
    op::{Op, WaitId},
};
use rb_sys::{NIL_P, VALUE, rb_process_status_wait};

use crate::{
    convert,
    define::{Function::Two, methods},
    park,
    scheduler::Scheduler,
    waiter::{NIL, Parked, Reason},
};

/// # Safety
///
/// `class` is `Evented::Native::Scheduler`.
pub(crate) unsafe fn define(class: VALUE) {
    // SAFETY: the caller's promise, and methods of that class.
    unsafe {
        methods(class, &[(c"process_wait", Two(process_wait))]);
    }
}

/// `process_wait(pid, flags)`: the `Process::Status` of a child that has ended, as waitpid(2) chooses it
/// by `pid`. That there is no such child comes back as a Status too: Ruby makes ECHILD of it.
///
/// # Suspends
///
/// Unless a child has ended already.
unsafe extern "C" fn process_wait(this: VALUE, pid: VALUE, flags: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let pid_value = pid;
    let (pid, flags) = (convert::int(pid), convert::int(flags));
    // Other flags ask for children that are stopped, or go on.
    let only_ended = flags & !libc::WNOHANG == 0;
    let mut pause = SHORTEST;
    loop {
        // With WNOHANG this does not come back to the hook.
        // SAFETY: with the GVL.
        let status = unsafe { rb_process_status_wait(pid, flags | libc::WNOHANG) };
        if !NIL_P(status) {
            return status;
        }
        let root = scheduler.parked(Reason::Process, [pid_value, NIL]);
        if !(only_ended && wait_for_end(scheduler, root, pid)) {
            // Nothing tells of a child that is stopped, nor everywhere of a group or of any child: look
            // again, less and less often.
            let deadline = scheduler.time.deadline(Some(pause));
            let token = scheduler.tables(|tables| tables.park(root, deadline));
            park::park(scheduler, token);
            pause = (pause * 2).min(LONGEST);
        }
    }
}

/// Waits until a child has ended that `pid` means; false if this can't be waited for here, or not now: the poll driver
/// takes a descriptor for it, and there may be none left.
fn wait_for_end(scheduler: &Scheduler, root: Parked, pid: libc::pid_t) -> bool {
    let op = Op::WaitId(WaitId { pid });
    let token = scheduler.reactor(|reactor| reactor.submit(root, op, None));
    match park::park(scheduler, token) {
        // There is no such child, and the next look will say so.
        Outcome::Done(errno) if errno == -libc::ECHILD || errno == -libc::ESRCH => true,
        Outcome::Done(result) => result >= 0,
        _ => true,
    }
}

/// How long a child's end may go unnoticed where only asking helps: not to be felt, and 100 system
/// calls a second at most.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(10);
