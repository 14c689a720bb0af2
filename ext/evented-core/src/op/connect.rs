//! A connection that is begun without blocking.

use std::os::fd::RawFd;

use super::{Address, last_errno};

/// Begins to connect to an address with a new socket: its descriptor, which does not block, is closed on exec and
/// sends small pieces at once. Writable is when it is decided ([`super::socket_error`]).
///
/// # Errors
///
/// What socket(2) or connect(2) says at once, as an errno.
pub(crate) fn connect_to(address: &Address) -> Result<RawFd, i32> {
    let fd = stream_socket(address.family())?;
    let bytes = address.as_bytes();
    // SAFETY: an address and its length.
    let connected = unsafe {
        libc::connect(
            fd,
            bytes.as_ptr().cast(),
            libc::socklen_t::try_from(bytes.len()).unwrap_or(0),
        )
    };
    let errno = if connected < 0 { last_errno() } else { 0 };
    if errno != 0 && errno != libc::EINPROGRESS {
        let _ = super::Close { fd }.syscall();
        return Err(errno);
    }
    Ok(fd)
}

fn stream_socket(family: i32) -> Result<RawFd, i32> {
    #[cfg(not(target_vendor = "apple"))]
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    #[cfg(target_vendor = "apple")]
    let kind = libc::SOCK_STREAM;
    // SAFETY: three integers in, one out.
    let fd = unsafe { libc::socket(family, kind, 0) };
    if fd < 0 {
        return Err(last_errno());
    }
    #[cfg(target_vendor = "apple")]
    // SAFETY: integers in, one out.
    unsafe {
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
    }
    let on: libc::c_int = 1;
    // SAFETY: one integer, whose size is stated. A socket that has no such option does without.
    unsafe {
        libc::setsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
    Ok(fd)
}
