//! Datagrams, with the address of the other end.
//!
//! Only streams send and receive them natively; a fiber waits for readiness, as Ruby's own code does.

use std::os::fd::RawFd;

use super::{Attempt, attempt};

/// A socket address as the kernel writes it and Ruby's `Socket.unpack_sockaddr_in` reads it.
#[derive(Clone, Copy)]
pub struct Address {
    // Room and alignment for every family.
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

impl Address {
    /// The address of these bytes; `None` if there are none, or too many.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut address = Self::unknown();
        if bytes.is_empty() || bytes.len() > size_of::<libc::sockaddr_storage>() {
            return None;
        }
        address.len = libc::socklen_t::try_from(bytes.len()).ok()?;
        // SAFETY: not more than there is room for, and any bytes are a valid sockaddr_storage.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                (&raw mut address.storage).cast(),
                bytes.len(),
            );
        }
        Some(address)
    }

    /// Its family: AF_INET, AF_INET6, AF_UNIX.
    pub(super) fn family(&self) -> i32 {
        i32::from(self.storage.ss_family)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let len = (self.len as usize).min(size_of::<libc::sockaddr_storage>());
        // SAFETY: so much of the storage was zeroed or written.
        unsafe { std::slice::from_raw_parts((&raw const self.storage).cast(), len) }
    }

    /// The address that a call writes; it gets room and its size.
    pub(super) fn filled_by(
        call: impl FnOnce(*mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int,
    ) -> Result<Self, i32> {
        let mut address = Self::unknown();
        address.len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        if call((&raw mut address.storage).cast(), &raw mut address.len) < 0 {
            return Err(super::last_errno());
        }
        Ok(address)
    }

    fn unknown() -> Self {
        Self {
            // SAFETY: all zeroes are a valid sockaddr_storage.
            storage: unsafe { std::mem::zeroed() },
            len: 0,
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.as_bytes()).finish()
    }
}

/// recvfrom(2) without blocking: its length, cut to the room there is, and where it came from.
pub(crate) fn receive_from(fd: RawFd, bytes: &mut [u8]) -> (Attempt, Address) {
    let mut from = Address::unknown();
    let attempt = attempt(|| {
        from.len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        // SAFETY: room as stated, for the length of the call.
        unsafe {
            libc::recvfrom(
                fd,
                bytes.as_mut_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT,
                (&raw mut from.storage).cast(),
                &raw mut from.len,
            )
        }
    });
    (attempt, from)
}

/// sendto(2) without blocking.
#[must_use]
pub(crate) fn send_to(fd: RawFd, bytes: &[u8], to: &Address) -> Attempt {
    attempt(|| {
        // SAFETY: memory as stated, for the length of the call.
        unsafe {
            libc::sendto(
                fd,
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT,
                (&raw const to.storage).cast(),
                to.len,
            )
        }
    })
}
