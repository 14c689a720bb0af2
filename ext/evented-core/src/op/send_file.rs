//! Part of a file to a socket.

use std::os::fd::RawFd;

use super::{Attempt, attempt};

/// sendfile(2): the kernel sends from its own pages, and nothing is copied into this process.
///
/// The ring has no such operation; it is called when the socket has room, on either driver. The socket must not
/// block. A page that is not in memory is read from the disk meanwhile, as with any server that serves files so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendFile {
    /// The socket.
    pub(crate) fd: RawFd,
    /// The file.
    pub(crate) file: RawFd,
    /// Where in it to begin.
    pub(crate) at: u64,
    /// Bytes.
    pub(crate) len: usize,
}

impl SendFile {
    /// Tries to send what there is room for. `Done(0)`: the file ends before.
    #[cfg(target_os = "linux")]
    pub(crate) fn syscall(&self) -> Attempt {
        let Ok(mut at) = self.at.try_into() else {
            return Attempt::Done(-libc::EOVERFLOW);
        };
        attempt(|| {
            // SAFETY: integers, and the address of one that outlives the call.
            unsafe { libc::sendfile(self.fd, self.file, &raw mut at, self.len) }
        })
    }

    /// Other systems have it otherwise or not at all.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn syscall(&self) -> Attempt {
        Attempt::Done(-libc::EOPNOTSUPP)
    }
}
