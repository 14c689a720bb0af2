//! What a socket tells about itself.

use std::os::fd::RawFd;

/// The error of a connection that was begun without blocking, as an errno; 0 if it was made. It is told once.
#[must_use]
pub fn socket_error(fd: RawFd) -> i32 {
    let mut error: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: room for one integer, whose size is stated.
    let answer = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            (&raw mut error).cast(),
            &raw mut len,
        )
    };
    if answer < 0 { super::last_errno() } else { error }
}
