//! What a socket tells about itself.

use std::os::fd::RawFd;

use super::Address;

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
    if answer < 0 {
        super::last_errno()
    } else {
        error
    }
}

/// Whether it is a socket between processes of this machine.
#[cfg(target_os = "linux")]
#[must_use]
pub(crate) fn is_local(fd: RawFd) -> bool {
    let mut domain: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: room for one integer, whose size is stated.
    let answer = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_DOMAIN,
            (&raw mut domain).cast(),
            &raw mut len,
        )
    };
    answer == 0 && domain == libc::AF_UNIX
}

/// The address of the other end, or an errno.
///
/// # Errors
///
/// ENOTCONN, ENOTSOCK and what else getpeername(2) says.
pub fn peer_name(fd: RawFd) -> Result<Address, i32> {
    // SAFETY: `Address::filled_by` passes room and its size.
    Address::filled_by(|address, len| unsafe { libc::getpeername(fd, address, len) })
}

/// The address of this end, or an errno.
///
/// # Errors
///
/// ENOTSOCK and what else getsockname(2) says.
pub fn socket_name(fd: RawFd) -> Result<Address, i32> {
    // SAFETY: as above.
    Address::filled_by(|address, len| unsafe { libc::getsockname(fd, address, len) })
}

/// Tells the other end that nothing more will be sent. If that fails there is no connection any more.
pub fn end_of_sending(fd: RawFd) {
    // SAFETY: takes two integers.
    unsafe { libc::shutdown(fd, libc::SHUT_WR) };
}

/// Whether calls on it return at once.
pub(crate) fn is_non_blocking(fd: RawFd) -> bool {
    // SAFETY: integers in, one out.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    flags >= 0 && flags & libc::O_NONBLOCK != 0
}
