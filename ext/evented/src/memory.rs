//! Memory for the tables, when there is none left.
//!
//! Rust ends the process when an allocation fails, and the tables may have to grow just when fibers have used
//! up what the system gives. So some address space is kept back, which costs no memory as long as nobody
//! writes to it, and is given up at that moment; or when Ruby finds no room for the next fiber, collects garbage and
//! says so (`park.rs`): for that it has to live, and to have room for its own objects.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

#[global_allocator]
static ALLOCATOR: Thrifty = Thrifty {
    reserve: AtomicPtr::new(ptr::null_mut()),
};

/// Enough for the tables of 32,000 fibers, as many as a process has by default on Linux, to double.
const RESERVE: Layout = match Layout::from_size_align(16 << 20, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

/// Keeps some back, if that has not been done or has been given up.
pub(crate) fn keep_some_back() {
    if ALLOCATOR.reserve.load(Ordering::Acquire).is_null() {
        // SAFETY: a layout of a size above zero.
        let block = unsafe { System.alloc(RESERVE) };
        let former = ALLOCATOR.reserve.swap(block, Ordering::AcqRel);
        Thrifty::free(former);
    }
}

/// Gives up what was kept back: Ruby is about to need some. (Without any, 3.3.8 was seen to spin for ever where it gives
/// back the lock of its VM behind an exception. Why it had that was not found out; plain Ruby raises NoMemoryError.)
pub(crate) fn give_up() {
    ALLOCATOR.give_up();
}

struct Thrifty {
    /// A block that nobody uses.
    reserve: AtomicPtr<u8>,
}

impl Thrifty {
    /// Gives the reserve up. Tells whether there was one.
    #[cold]
    fn give_up(&self) -> bool {
        Self::free(self.reserve.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    fn free(block: *mut u8) -> bool {
        if !block.is_null() {
            // SAFETY: from `keep_some_back`, and taken out of `reserve` by this thread alone.
            unsafe { System.dealloc(block, RESERVE) };
        }
        !block.is_null()
    }
}

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Thrifty {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() && self.give_up() {
            // SAFETY: as above.
            return unsafe { System.alloc(layout) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise; every block is the system's.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let block = unsafe { System.alloc_zeroed(layout) };
        if block.is_null() && self.give_up() {
            // SAFETY: as above.
            return unsafe { System.alloc_zeroed(layout) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise; if it fails the block is as it was.
        let moved = unsafe { System.realloc(block, layout, size) };
        if moved.is_null() && self.give_up() {
            // SAFETY: as above.
            return unsafe { System.realloc(block, layout, size) };
        }
        moved
    }
}
