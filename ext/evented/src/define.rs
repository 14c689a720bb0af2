//! Defining native methods: plain C functions, which Ruby calls without converting anything.

use std::{ffi::CStr, ffi::c_int, mem::transmute};

use rb_sys::{VALUE, rb_define_method, rb_define_singleton_method};

/// A function that Ruby may call as a method, by the number of its arguments; each also gets the
/// receiver, which comes first.
#[derive(Clone, Copy)]
pub(crate) enum Function {
    /// Any number: their count, the first, the receiver.
    Any(unsafe extern "C" fn(c_int, *const VALUE, VALUE) -> VALUE),
    Zero(unsafe extern "C" fn(VALUE) -> VALUE),
    One(unsafe extern "C" fn(VALUE, VALUE) -> VALUE),
    Two(unsafe extern "C" fn(VALUE, VALUE, VALUE) -> VALUE),
    Three(unsafe extern "C" fn(VALUE, VALUE, VALUE, VALUE) -> VALUE),
    Four(unsafe extern "C" fn(VALUE, VALUE, VALUE, VALUE, VALUE) -> VALUE),
    Five(unsafe extern "C" fn(VALUE, VALUE, VALUE, VALUE, VALUE, VALUE) -> VALUE),
}

/// What rb_define_method takes for a function of any shape.
type Untyped = unsafe extern "C" fn() -> VALUE;

/// Defines instance methods.
///
/// # Safety
///
/// `class` is a class, and each function keeps Ruby's rules for the receiver it is given.
pub(crate) unsafe fn methods(class: VALUE, methods: &[(&CStr, Function)]) {
    for (name, function) in methods {
        let (function, arity) = function.untyped();
        // SAFETY: the caller's promise; Ruby calls the function with as many arguments as told.
        unsafe { rb_define_method(class, name.as_ptr(), Some(function), arity) };
    }
}

/// Defines a method of a module itself.
///
/// # Safety
///
/// As [`methods`].
pub(crate) unsafe fn singleton_method(module: VALUE, name: &CStr, function: Function) {
    let (function, arity) = function.untyped();
    // SAFETY: as in `methods`.
    unsafe { rb_define_singleton_method(module, name.as_ptr(), Some(function), arity) };
}

impl Function {
    fn untyped(self) -> (Untyped, c_int) {
        // SAFETY: function pointers of one size; Ruby casts them back by the arity that goes with them.
        unsafe {
            match self {
                Self::Any(f) => (
                    transmute::<unsafe extern "C" fn(c_int, *const VALUE, VALUE) -> VALUE, Untyped>(
                        f,
                    ),
                    -1,
                ),
                Self::Zero(f) => (
                    transmute::<unsafe extern "C" fn(VALUE) -> VALUE, Untyped>(f),
                    0,
                ),
                Self::One(f) => (
                    transmute::<unsafe extern "C" fn(VALUE, VALUE) -> VALUE, Untyped>(f),
                    1,
                ),
                Self::Two(f) => (
                    transmute::<unsafe extern "C" fn(VALUE, VALUE, VALUE) -> VALUE, Untyped>(f),
                    2,
                ),
                Self::Three(f) => (
                    transmute::<unsafe extern "C" fn(VALUE, VALUE, VALUE, VALUE) -> VALUE, Untyped>(
                        f,
                    ),
                    3,
                ),
                Self::Four(f) => (
                    transmute::<
                        unsafe extern "C" fn(VALUE, VALUE, VALUE, VALUE, VALUE) -> VALUE,
                        Untyped,
                    >(f),
                    4,
                ),
                Self::Five(f) => (
                    transmute::<
                        unsafe extern "C" fn(VALUE, VALUE, VALUE, VALUE, VALUE, VALUE) -> VALUE,
                        Untyped,
                    >(f),
                    5,
                ),
            }
        }
    }
}
