//! Buffers that the ring picks from when bytes come, so that ten thousand idle sockets need none.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    io,
    ptr::NonNull,
    sync::atomic::{AtomicU16, Ordering::Release},
};

use io_uring::{IoUring, types::BufRingEntry};

/// A ring of buffers, registered with the kernel for as long as the io_uring lives: it has to be dropped after that.
#[derive(Debug)]
pub(super) struct Buffers {
    /// The ring's entries, on a page of their own, then the buffers.
    memory: NonNull<u8>,
    /// How many buffers have ever been handed to the kernel, as the ring counts.
    tail: u16,
}

/// How many: as many pieces can come before a turn has to take them in. A power of two (`io_uring_register_buf_ring(3)`).
const COUNT: u16 = 128;
/// Bytes of each: what EventMachine hands to `receive_data` at most.
const SIZE: usize = 16 * 1024;
const PAGE: usize = 4096;
const LAYOUT: Layout = match Layout::from_size_align(PAGE + COUNT as usize * SIZE, PAGE) {
    Ok(layout) => layout,
    Err(_) => panic!("a page and some buffers"),
};
const _: () =
    assert!(COUNT.is_power_of_two() && COUNT as usize * size_of::<BufRingEntry>() <= PAGE);

impl Buffers {
    /// The kernel's number for them.
    pub(super) const GROUP: u16 = 0;

    pub(super) fn register(ring: &IoUring) -> io::Result<Self> {
        // SAFETY: the layout is not empty. Zeroes are valid entries, and untouched pages cost nothing.
        let memory = unsafe { alloc_zeroed(LAYOUT) };
        let memory = NonNull::new(memory).ok_or(io::ErrorKind::OutOfMemory)?;
        let mut buffers = Self { memory, tail: 0 };
        let at = memory.as_ptr().expose_provenance() as u64;
        // SAFETY: page-aligned memory for that many entries, which outlives the ring (see the type).
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(at, COUNT, Self::GROUP, 0)?;
        }
        for id in 0..COUNT {
            buffers.give_back(id);
        }
        Ok(buffers)
    }

    /// The first bytes of a buffer that the kernel has filled.
    pub(super) fn bytes(&self, id: u16, len: usize) -> &[u8] {
        let len = if id < COUNT { len.min(SIZE) } else { 0 };
        // SAFETY: inside our memory, which was zeroed and then written by the kernel; the buffer is not its
        // any more until it is given back, which needs a mutable borrow.
        unsafe { std::slice::from_raw_parts(self.buffer(id), len) }
    }

    /// Lets the kernel fill it again.
    pub(super) fn give_back(&mut self, id: u16) {
        let base = self.memory.as_ptr().cast::<BufRingEntry>();
        let address = self.buffer(id).expose_provenance() as u64;
        // SAFETY: inside the ring.
        let at = unsafe { base.add(usize::from(self.tail % COUNT)) };
        // SAFETY: an entry of the ring; the kernel does not read it before the tail says so.
        let entry = unsafe { &mut *at };
        entry.set_addr(address);
        entry.set_len(SIZE as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the first entry of the ring, on a page of its own.
        let tail = unsafe { BufRingEntry::tail(base) };
        // SAFETY: two bytes of that entry, aligned; both sides access them atomically.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Release);
    }

    fn buffer(&self, id: u16) -> *mut u8 {
        let offset = PAGE + usize::from(id % COUNT) * SIZE;
        // SAFETY: inside the memory that LAYOUT describes.
        unsafe { self.memory.as_ptr().add(offset) }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and the ring is gone.
        unsafe { dealloc(self.memory.as_ptr(), LAYOUT) };
    }
}
