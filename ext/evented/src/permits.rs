//! The permits of a semaphore: a number that only changes while the GVL is held, so that taking one and giving
//! it back need no lock as long as nobody waits.
//!
//! Who waits, and who is next, is decided in `lib/evented/semaphore.rb`.

use std::cell::Cell;

use magnus::{Error, Module, Object, RModule, Ruby, function, method};

/// # Errors
///
/// What Ruby raises when it defines a class.
pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Permits", ruby.class_object())?;
    class.define_singleton_method("new", function!(Permits::new, 1))?;
    class.define_method("take", method!(Permits::take, 0))?;
    class.define_method("claim", method!(Permits::claim, 0))?;
    class.define_method("give", method!(Permits::give, 0))?;
    class.define_method("add", method!(Permits::add, 1))?;
    class.define_method("free", method!(Permits::free, 0))?;
    class.define_method("limit", method!(Permits::limit, 0))?;
    class.define_method("limit=", method!(Permits::set_limit, 1))?;
    class.define_method("contended=", method!(Permits::set_contended, 1))?;
    Ok(())
}

/// Usable from every Ruby thread: none of its methods calls Ruby.
#[magnus::wrap(class = "Evented::Native::Permits", free_immediately, size)]
struct Permits {
    /// Those that nobody has; negative if more are out than a lowered limit allows.
    free: Cell<i64>,
    limit: Cell<i64>,
    /// Whether anybody waits: then a permit is to be handed over, and not given back.
    contended: Cell<bool>,
}

impl Permits {
    fn new(limit: i64) -> Self {
        Self {
            free: Cell::new(limit),
            limit: Cell::new(limit),
            contended: Cell::new(false),
        }
    }

    /// Takes one, if there is one and nobody waits for it.
    fn take(&self) -> bool {
        !self.contended.get() && self.claim()
    }

    /// Takes one, if there is one, for who waits longest.
    fn claim(&self) -> bool {
        let there = self.free.get() > 0;
        if there {
            self.free.set(self.free.get() - 1);
        }
        there
    }

    /// Gives one back, unless somebody waits or none is out.
    fn give(&self) -> bool {
        let plain = !self.contended.get() && self.free.get() < self.limit.get();
        if plain {
            self.free.set(self.free.get() + 1);
        }
        plain
    }

    /// So many more, or less, are free.
    fn add(&self, count: i64) {
        self.free.set(self.free.get().saturating_add(count));
    }

    fn free(&self) -> i64 {
        self.free.get()
    }

    fn limit(&self) -> i64 {
        self.limit.get()
    }

    fn set_limit(&self, limit: i64) {
        self.limit.set(limit);
    }

    fn set_contended(&self, contended: bool) {
        self.contended.set(contended);
    }
}
