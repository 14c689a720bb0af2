//! A name with several addresses: connecting to one after the other, each a little later than the one before, until
//! one has answered ("happy eyeballs", RFC 8305).
//!
//! The first attempt is the stream itself. A later one is a stream without an object, its rival; whichever is
//! decided first, the two change descriptors if need be, so that nobody sees more than one stream.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::{
    Driver,
    driver::standing::{Kind, Signature},
    op,
};

use super::{Adding, Ending, Streams, Transport};

/// How long an attempt is alone (RFC 8305, section 5: "Connection Attempt Delay").
pub(super) const HEAD_START: Duration = Duration::from_millis(250);

impl<R: Copy> Streams<R> {
    /// Another address to connect to, should this one fail or take its time.
    pub fn add_alternative(&mut self, signature: Signature, address: op::Address) {
        if let Some(stream) = self.live_mut(signature) {
            stream.rare().alternatives.push_back(address);
            self.arm(signature);
        }
    }

    /// An attempt has failed. Tells whether another one goes on in its place.
    pub(super) fn try_another(&mut self, signature: Signature, driver: &mut Driver) -> bool {
        let Some(stream) = self.live_mut(signature) else {
            return false;
        };
        let rare = stream.rare();
        if let Some(original) = rare.stands_in_for {
            if let Some(original) = self.live_mut(original) {
                original.rare().rival = None;
            }
            self.begin_rival(original);
            return false;
        }
        if rare.rival.is_none() {
            self.begin_rival(signature);
        }
        let rival = self
            .live_mut(signature)
            .and_then(|stream| stream.rare().rival.take());
        let Some(rival) = rival else {
            return false;
        };
        self.exchange(signature, rival, driver);
        if let Some(stream) = self.live_mut(signature) {
            stream.connecting = true;
        }
        self.end(rival, Ending::Closed, 0);
        self.arm(signature);
        true
    }

    /// A rival was faster. Returns the stream that it stands in for, which has its connection now.
    pub(super) fn hand_over(&mut self, rival: Signature, driver: &mut Driver) -> Signature {
        let original = self
            .live_mut(rival)
            .and_then(|stream| stream.rare.as_ref()?.stands_in_for);
        let Some(original) = original else {
            return rival;
        };
        self.exchange(original, rival, driver);
        if let Some(stream) = self.live_mut(original) {
            stream.connecting = false;
            stream.rare().rival = None;
        }
        self.end(rival, Ending::Closed, 0);
        original
    }

    /// Begins the next attempt that can be begun beside the first one.
    pub(super) fn begin_rival(&mut self, signature: Signature) {
        let now = self.now;
        let Some(stream) = self.live_mut(signature).filter(|stream| stream.connecting) else {
            return;
        };
        let mut begun = None;
        while begun.is_none()
            && let Some(address) = stream.rare().alternatives.pop_front()
        {
            begun = op::connect_to(&address).ok();
        }
        let Some(fd) = begun else {
            return;
        };
        let adding = Adding {
            transport: Transport::Socket,
            owned: true,
            connecting: true,
            most: None,
        };
        let rival = self.add(fd, adding, now);
        if let Some(stream) = self.live_mut(rival) {
            stream.rare().stands_in_for = Some(signature);
        }
        if let Some(stream) = self.live_mut(signature) {
            stream.rare().rival = Some(rival);
        }
    }

    /// A stream has ended: nobody needs its rival.
    pub(super) fn end_rival(&mut self, signature: Signature) {
        let rare = self
            .all
            .get_mut(&signature)
            .and_then(|stream| stream.rare.as_mut());
        if let Some(rival) = rare.and_then(|rare| rare.rival.take()) {
            self.end(rival, Ending::Closed, 0);
        }
    }

    /// Two streams change descriptors; what was asked for of each is over.
    fn exchange(&mut self, one: Signature, other: Signature, driver: &mut Driver) {
        for signature in [one, other] {
            if let Some(stream) = self.live_mut(signature)
                && stream.asked & Kind::Ready.bit() != 0
            {
                driver.stop(signature, Kind::Ready);
                stream.asked_interest = None;
            }
            self.change(signature);
        }
        let (Some(first), Some(second)) = (self.fd(one), self.fd(other)) else {
            return;
        };
        if let Some(stream) = self.live_mut(one) {
            stream.fd = second;
        }
        if let Some(stream) = self.live_mut(other) {
            stream.fd = first;
        }
    }
}
