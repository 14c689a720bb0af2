//! The memory that the kernel reads or writes on behalf of an operation.

/// A window onto memory that somebody else keeps alive.
///
/// Operations are plain data and outlive the call that made them, so this is a raw window and not a
/// slice. Whoever makes one promises that the memory stays valid and in place until the operation's
/// own completion has arrived (I-1).
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    start: *mut u8,
    len: usize,
}

// SAFETY: a Buffer is an address and a length. Sending it moves no ownership; the promise made to
// `Buffer::new` holds for whichever thread carries the operation out.
unsafe impl Send for Buffer {}

impl Buffer {
    /// The `len` bytes from `start`.
    ///
    /// # Safety
    ///
    /// The memory must stay valid and unmoved, and must be writable if the operation reads into it,
    /// until the completion of the operation that is given this buffer has arrived (I-1).
    #[must_use]
    pub const unsafe fn new(start: *mut u8, len: usize) -> Self {
        Self { start, len }
    }

    /// All of `bytes`, for a call that is over before the borrow ends.
    pub(crate) fn of(bytes: &mut [u8]) -> Self {
        Self {
            start: bytes.as_mut_ptr(),
            len: bytes.len(),
        }
    }

    /// The first byte.
    #[must_use]
    pub const fn as_ptr(self) -> *mut u8 {
        self.start
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether there is no room (or nothing left) at all.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// What is left after the first `done` bytes.
    #[must_use]
    pub fn after(self, done: usize) -> Self {
        let done = done.min(self.len);
        Self {
            start: self.start.wrapping_add(done),
            len: self.len - done,
        }
    }

    /// The length as the kernel takes it in one call: at most `0x7fff_f000` bytes, Linux's own limit
    /// for one transfer (read(2), "Notes").
    #[must_use]
    pub fn one_transfer(self) -> u32 {
        u32::try_from(self.len.min(0x7fff_f000)).unwrap_or(0x7fff_f000)
    }
}

#[cfg(test)]
impl Buffer {
    /// A window onto nothing, for tests that only count.
    pub(crate) const fn nowhere(len: usize) -> Self {
        Self {
            start: std::ptr::dangling_mut(),
            len,
        }
    }
}
