//! Why a reactor could not be made.
#![forbid(unsafe_code)]

use std::{fmt, io};

/// Why no driver could be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// `EVENTED_DRIVER` names something that does not exist: the user's typing mistake.
    UnknownDriver(String),
    /// The driver that was asked for by name was refused by the kernel or is not built in here.
    Refused {
        /// The driver's name.
        driver: &'static str,
        /// What the kernel said, or which operation it lacks.
        reason: io::Error,
    },
    /// The process or the system has no descriptors left: EMFILE or ENFILE.
    NoDescriptors(i32),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownDriver(name) => write!(
                f,
                "unknown EVENTED_DRIVER {name:?}: set it to \"uring\" or \"poll\", or unset it to let \
                 evented choose"
            ),
            Self::Refused { driver, reason } => write!(
                f,
                "the {driver} driver was asked for but this system refuses it ({reason}): unset \
                 EVENTED_DRIVER to let evented choose"
            ),
            Self::NoDescriptors(errno) => write!(
                f,
                "a reactor needs some descriptors of its own ({})",
                io::Error::from_raw_os_error(*errno)
            ),
        }
    }
}

impl std::error::Error for Error {}
