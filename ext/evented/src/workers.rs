//! Fibers that run one task after the other.
//!
//! A new fiber, and the stack that it leaves behind for the garbage collector, are a large part
//! of what a short task would cost. So a fiber whose task has ended rests until there is another one, unless
//! somebody may look for the ended one by its fiber. `lib/evented/task/worker.rb` is the Ruby side.

use std::cell::UnsafeCell;

use rb_sys::{
    Qfalse, Qtrue, RARRAY_LEN, VALUE, rb_ensure, rb_fiber_current, rb_funcallv, rb_gc_mark,
    rb_ivar_count, rb_thread_current,
};

use crate::{
    define::{
        Function::{One, Two, Zero},
        methods,
    },
    hooks,
    known::known,
    park,
    scheduler::Scheduler,
    waiter::NIL,
};

/// So many may rest: enough for what comes and goes at a time, and some megabytes of stacks at most.
const MOST: usize = 128;

/// # Safety
///
/// `class` is `Evented::Native::Scheduler`.
pub(crate) unsafe fn define(class: VALUE) {
    // SAFETY: the caller's promise, and methods of that class.
    unsafe {
        methods(
            class,
            &[
                (c"__worker", Zero(worker)),
                (c"__employ", Two(employ)),
                (c"__task", Zero(task)),
                (c"__rest", Zero(rest)),
                (c"__resting?", One(is_resting)),
            ],
        );
    }
}

/// The workers of one scheduler.
pub(crate) struct Workers {
    /// Those that rest; the last one is the next to work.
    resting: UnsafeCell<Vec<VALUE>>,
    /// Workers that are just being given control, and the task of each. Mostly one; a trap that runs on its fiber
    /// before it begins may let others go first, who employ others.
    employed: UnsafeCell<Vec<(VALUE, VALUE)>>,
}

impl Workers {
    pub(crate) const fn new() -> Self {
        Self {
            resting: UnsafeCell::new(Vec::new()),
            employed: UnsafeCell::new(Vec::new()),
        }
    }

    /// Nobody will use them any more; the garbage collector takes them.
    pub(crate) fn forget(&self) {
        self.resting(|resting| *resting = Vec::new());
        self.employed(|employed| *employed = Vec::new());
    }

    /// Marks and pins them.
    pub(crate) fn mark(&self) {
        // SAFETY: in the mark phase, and each a live VALUE.
        let mark = |value: VALUE| unsafe { rb_gc_mark(value) };
        self.resting(|resting| resting.iter().copied().for_each(mark));
        self.employed(|employed| {
            for &(fiber, task) in employed.iter() {
                mark(fiber);
                mark(task);
            }
        });
    }

    /// One that rests, told to go on; who calls gives it control.
    pub(crate) fn wake(&self) -> Option<VALUE> {
        let fiber = self.resting(Vec::pop)?;
        self.employ(fiber, Qtrue as VALUE);
        Some(fiber)
    }

    /// What a fiber finds once it has control.
    fn employ(&self, fiber: VALUE, task: VALUE) {
        self.employed(|employed| employed.push((fiber, task)));
    }

    /// The task of a fiber that has been given control for it.
    fn take_task(&self, fiber: VALUE) -> Option<VALUE> {
        self.employed(|employed| {
            let its = employed.iter().rposition(|&(worker, _)| worker == fiber)?;
            Some(employed.swap_remove(its).1)
        })
    }

    /// Borrows those who are just being given control. `work` must not call Ruby (I-3).
    fn employed<T>(&self, work: impl FnOnce(&mut Vec<(VALUE, VALUE)>) -> T) -> T {
        // SAFETY: with the GVL, and the borrow ends before anything else can run.
        work(unsafe { &mut *self.employed.get() })
    }

    /// Borrows those who rest. `work` must not call Ruby (I-3).
    fn resting<T>(&self, work: impl FnOnce(&mut Vec<VALUE>) -> T) -> T {
        // SAFETY: with the GVL, and the borrow ends before anything else can run.
        work(unsafe { &mut *self.resting.get() })
    }
}

/// `__worker`: one that rests, and is not counted on from now on; nil if there is none.
unsafe extern "C" fn worker(this: VALUE) -> VALUE {
    let resting = &Scheduler::enter(this).workers;
    resting.resting(Vec::pop).unwrap_or(NIL)
}

/// `__employ(worker, task)`: has a worker from `__worker`, or a new fiber, run the task until it first waits
/// or ends.
///
/// # Suspends
///
/// Until then.
unsafe extern "C" fn employ(this: VALUE, worker: VALUE, task: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    // What came too late for the task before is not for this one.
    forget(scheduler, worker);
    scheduler.workers.employ(worker, task);
    let mut employment = Employment {
        scheduler,
        worker,
        came_back: false,
    };
    let at = (&raw mut employment) as VALUE;
    // SAFETY: `employment` outlives the call.
    unsafe { rb_ensure(Some(run_worker), at, Some(end_employment), at) }
}

struct Employment {
    scheduler: &'static Scheduler,
    worker: VALUE,
    /// Whether the employer goes on as usual: because the worker waits or has ended.
    came_back: bool,
}

unsafe extern "C" fn run_worker(employment: VALUE) -> VALUE {
    // SAFETY: `employ` passes its own.
    let employment = unsafe { &mut *(employment as *mut Employment) };
    hooks::run_until_it_waits(employment.scheduler, employment.worker);
    employment.came_back = true;
    NIL
}

/// If something was raised in the employer before the worker was given control, or there was no room for its stack, it
/// never will be: without this the list would keep it, and its task, for ever.
unsafe extern "C" fn end_employment(employment: VALUE) -> VALUE {
    // SAFETY: `employ` passes its own.
    let employment = unsafe { &*(employment as *const Employment) };
    if !employment.came_back {
        let workers = &employment.scheduler.workers;
        workers.take_task(employment.worker);
    }
    NIL
}

/// `__task`: what this fiber has been employed for, once.
unsafe extern "C" fn task(this: VALUE) -> VALUE {
    // SAFETY: with the GVL.
    let me = unsafe { rb_fiber_current() };
    Scheduler::enter(this).workers.take_task(me).unwrap_or(NIL)
}

/// `__rest`: waits for the next task of this fiber, and returns it; nil if the fiber had better end.
///
/// # Suspends
///
/// Unless that is so. Nobody waits for a fiber that rests, and it keeps nobody from ending.
unsafe extern "C" fn rest(this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    // SAFETY: with the GVL.
    let me = unsafe { rb_fiber_current() };
    if has_traces(me) {
        return NIL;
    }
    rest_in(scheduler, &scheduler.workers)
}

/// Has the running fiber wait until it is employed again. Returns its task; nil if it had better end.
///
/// # Suspends
///
/// Unless that is so.
pub(crate) fn rest_in(scheduler: &'static Scheduler, workers: &'static Workers) -> VALUE {
    // SAFETY: with the GVL.
    let me = unsafe { rb_fiber_current() };
    forget(scheduler, me);
    let resting = workers.resting(|resting| {
        let room = scheduler.home_waits.get() && resting.len() < MOST;
        if room {
            resting.push(me);
        }
        room
    });
    if !resting {
        return NIL;
    }
    let mut worker = Worker {
        scheduler,
        workers,
        fiber: me,
        employed: false,
    };
    let at = (&raw mut worker) as VALUE;
    // SAFETY: `worker` outlives the call.
    unsafe { rb_ensure(Some(wait_for_task), at, Some(leave), at) }
}

/// Drops whatever is still on its way to a fiber whose task has ended.
fn forget(scheduler: &Scheduler, fiber: VALUE) {
    scheduler.tables(|tables| {
        tables.forget(fiber as usize);
        // SAFETY: owner only; nobody else looks at it during this closure.
        unsafe { &mut *scheduler.due.get() }.retain(|&alarm| {
            let its_own = tables.alarm(alarm).is_some_and(|root| root.fiber == fiber);
            if its_own {
                tables.clear_alarm(alarm);
            }
            !its_own
        });
    });
}

/// Whether the running fiber has fiber-locals or instance variables: they belong to the task that has ended,
/// and those who keep them may know it by its fiber, as connection pools do.
fn has_traces(fiber: VALUE) -> bool {
    // SAFETY: with the GVL; Thread#keys returns an array.
    unsafe {
        let locals = rb_funcallv(rb_thread_current(), known().keys, 0, std::ptr::null());
        RARRAY_LEN(locals) > 0 || rb_ivar_count(fiber) > 0
    }
}

struct Worker {
    scheduler: &'static Scheduler,
    workers: &'static Workers,
    fiber: VALUE,
    /// Whether it was given a task, and so is not in the list any more.
    employed: bool,
}

unsafe extern "C" fn wait_for_task(worker: VALUE) -> VALUE {
    // SAFETY: `rest` passes its own.
    let worker = unsafe { &mut *(worker as *mut Worker) };
    let Worker {
        scheduler,
        workers,
        fiber,
        ..
    } = *worker;
    loop {
        park::give_control_away(scheduler, fiber);
        if let Some(task) = workers.take_task(fiber) {
            worker.employed = true;
            return task;
        }
        park::set_caller_aside(scheduler, fiber);
    }
}

/// However the rest ends.
unsafe extern "C" fn leave(worker: VALUE) -> VALUE {
    // SAFETY: `rest` passes its own.
    let Worker {
        workers,
        fiber,
        employed,
        ..
    } = unsafe { &*(worker as *const Worker) };
    if !employed {
        workers.resting(|resting| resting.retain(|resting| resting != fiber));
        // A task is still to be fetched, with `__task`; being woken up is nothing by itself.
        workers.employed(|employed| {
            employed.retain(|&(worker, task)| worker != *fiber || task != Qtrue as VALUE)
        });
    }
    NIL
}

/// `__resting?(fiber)`: whether its task has ended, and it waits for another.
unsafe extern "C" fn is_resting(this: VALUE, fiber: VALUE) -> VALUE {
    let workers = &Scheduler::of(this).workers;
    (if workers.resting(|resting| resting.contains(&fiber)) {
        Qtrue
    } else {
        Qfalse
    }) as VALUE
}
