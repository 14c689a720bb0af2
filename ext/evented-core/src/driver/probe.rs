//! Which driver this machine gets.
#![forbid(unsafe_code)]

use std::io;

use super::Driver;
use crate::Error;

/// A driver, and why it is not the first choice if it is not.
#[derive(Debug)]
pub struct Choice {
    /// What to use.
    pub driver: Driver,
    /// Why io_uring was passed over.
    pub refusal: Option<io::Error>,
}

/// Chooses a driver: the one `requested` by name (`EVENTED_DRIVER`), or io_uring where the kernel
/// takes it and mio elsewhere. `uring:64` asks for a ring of 64 entries.
///
/// # Errors
///
/// [`Error::UnknownDriver`] for a name that means nothing; [`Error::Refused`] if the driver that was
/// asked for can't be had, since then falling back would hide a mistake; the same for mio if nothing
/// can be had at all. [`Error::NoDescriptors`] if only descriptors are lacking: another driver would take as many.
pub fn choose(requested: Option<&str>) -> Result<Choice, Error> {
    match requested {
        None | Some("") => match uring(None) {
            Ok(driver) => Ok(only(driver)),
            Err(Error::Refused { reason, .. }) => Ok(Choice {
                driver: poll()?,
                refusal: Some(reason),
            }),
            Err(error) => Err(error),
        },
        Some("poll") => Ok(only(poll()?)),
        Some("uring") => Ok(only(uring(None)?)),
        Some(other) => match other.strip_prefix("uring:").map(str::parse) {
            Some(Ok(entries @ 1..)) => Ok(only(uring(Some(entries))?)),
            _ => Err(Error::UnknownDriver(other.to_owned())),
        },
    }
}

fn only(driver: Driver) -> Choice {
    Choice {
        driver,
        refusal: None,
    }
}

#[cfg(target_os = "linux")]
fn uring(entries: Option<u32>) -> Result<Driver, Error> {
    let driver = match entries {
        None => Driver::uring(),
        Some(entries) => Driver::uring_of(entries),
    };
    driver.map_err(|reason| refused("uring", reason))
}

#[cfg(not(target_os = "linux"))]
fn uring(_entries: Option<u32>) -> Result<Driver, Error> {
    let reason = io::Error::new(io::ErrorKind::Unsupported, "io_uring is Linux's");
    Err(refused("uring", reason))
}

fn poll() -> Result<Driver, Error> {
    Driver::poll().map_err(|reason| refused("poll", reason))
}

fn refused(driver: &'static str, reason: io::Error) -> Error {
    match reason.raw_os_error() {
        Some(errno @ (libc::EMFILE | libc::ENFILE)) => Error::NoDescriptors(errno),
        _ => Error::Refused { driver, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_the_users_mistake_and_says_what_to_do() {
        for name in [
            "epoll", "URING", " poll", "fake", "uring:", "uring:0", "uring:-1", "uring:x",
            "poll:64",
        ] {
            let error = choose(Some(name)).expect_err("no such driver");
            assert!(matches!(&error, Error::UnknownDriver(unknown) if unknown == name));
            let message = error.to_string();
            assert!(message.contains(&format!("{name:?}")), "{message}");
            assert!(message.contains("unset it"), "{message}");
        }
    }

    #[test]
    fn poll_can_always_be_had() {
        let choice = choose(Some("poll")).expect("a driver");
        assert_eq!(choice.driver.name(), "poll");
        assert!(choice.refusal.is_none());
    }

    #[test]
    fn uring_is_either_had_or_refused_loudly() {
        match choose(Some("uring")) {
            Ok(choice) => {
                assert_eq!(choice.driver.name(), "uring");
                assert!(choice.refusal.is_none());
            }
            Err(error) => {
                assert!(matches!(
                    error,
                    Error::Refused {
                        driver: "uring",
                        ..
                    }
                ));
                assert!(error.to_string().contains("unset EVENTED_DRIVER"));
            }
        }
    }

    #[test]
    fn a_ring_of_any_size_can_be_asked_for() {
        if choose(Some("uring")).is_err() {
            return;
        }
        for name in ["uring:1", "uring:64", "uring:1000", "uring:4000000000"] {
            let choice = choose(Some(name)).expect("a driver");
            assert_eq!(choice.driver.name(), "uring");
        }
    }

    #[test]
    fn without_a_name_poll_is_taken_only_if_uring_is_refused() {
        for name in [None, Some("")] {
            let choice = choose(name).expect("a driver");
            let expected = if choice.refusal.is_some() {
                "poll"
            } else {
                "uring"
            };
            assert_eq!(choice.driver.name(), expected);
        }
    }
}
