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
/// takes it and mio elsewhere.
///
/// # Errors
///
/// [`Error::UnknownDriver`] for a name that means nothing; [`Error::Refused`] if the driver that was
/// asked for can't be had, since then falling back would hide a mistake; the same for mio if nothing
/// can be had at all.
pub fn choose(requested: Option<&str>) -> Result<Choice, Error> {
    match requested {
        None | Some("") => match uring() {
            Ok(driver) => Ok(Choice {
                driver,
                refusal: None,
            }),
            Err(refusal) => Ok(Choice {
                driver: poll()?,
                refusal: Some(refusal),
            }),
        },
        Some("uring") => match uring() {
            Ok(driver) => Ok(Choice {
                driver,
                refusal: None,
            }),
            Err(reason) => Err(Error::Refused {
                driver: "uring",
                reason,
            }),
        },
        Some("poll") => Ok(Choice {
            driver: poll()?,
            refusal: None,
        }),
        Some(other) => Err(Error::UnknownDriver(other.to_owned())),
    }
}

#[cfg(target_os = "linux")]
fn uring() -> io::Result<Driver> {
    Driver::uring()
}

#[cfg(not(target_os = "linux"))]
fn uring() -> io::Result<Driver> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "io_uring is Linux's",
    ))
}

fn poll() -> Result<Driver, Error> {
    Driver::poll().map_err(|reason| Error::Refused {
        driver: "poll",
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_the_users_mistake_and_says_what_to_do() {
        for name in ["epoll", "URING", " poll", "fake"] {
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
