//! Two sessions that talk to each other, in pieces of any size.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml allows them in test functions, but does not see that this is all test"
)]

use std::{cell::RefCell, rc::Rc};

use evented_core::tls::{Ask, Config, Failure, Options, Role, Roots, Session, config, versions};
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A chain and its key as PEM, and its root.
struct Identity {
    chain: String,
    key: String,
    root: String,
}

/// A certificate for `name` that a root has issued.
fn identity(name: &str) -> Identity {
    let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut root = CertificateParams::default();
    root.distinguished_name.push(DnType::CommonName, "root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(root, &root_key)).unwrap();
    Identity {
        chain: leaf.pem() + &root_pem,
        key: key.serialize_pem(),
        root: root_pem,
    }
}

fn client() -> Options {
    Options::new(Role::Client)
}

fn server() -> Options {
    Options::new(Role::Server)
}

fn with_identity(options: Options, identity: &Identity) -> Options {
    Options {
        private_key: Some(identity.key.clone().into()),
        cert_chain: Some(identity.chain.clone().into()),
        ..options
    }
}

fn made(options: &Options) -> Config {
    config(options).unwrap()
}

fn yes() -> Rc<Ask> {
    Rc::new(|_| true)
}

/// Both ends, and what each has read.
struct Pair {
    ends: [Session; 2],
    received: [Vec<u8>; 2],
    errors: [Option<String>; 2],
    asks: [Rc<Ask>; 2],
    completed: Vec<usize>,
    random: fastrand::Rng,
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

impl Pair {
    fn new(client: &Options, server: &Options) -> Self {
        Self::named(client, server, None)
    }

    fn named(client: &Options, server: &Options, name: Option<&str>) -> Self {
        let ends = [
            Session::new(&made(client), name).unwrap(),
            Session::new(&made(server), None).unwrap(),
        ];
        Self {
            ends,
            received: [Vec::new(), Vec::new()],
            errors: [None, None],
            asks: [yes(), yes()],
            completed: Vec::new(),
            random: fastrand::Rng::with_seed(1),
        }
    }

    /// Carries everything over until nothing moves.
    fn talk(&mut self) -> &mut Self {
        loop {
            let mut moved = false;
            for from in [CLIENT, SERVER] {
                let mut wire = Vec::new();
                self.ends[from].take_ciphertext(&mut wire);
                moved |= !wire.is_empty();
                self.feed(1 - from, &wire);
            }
            if !moved {
                return self;
            }
        }
    }

    fn feed(&mut self, to: usize, mut wire: &[u8]) {
        while !wire.is_empty() {
            let (piece, rest) = wire.split_at(self.random.usize(1..=wire.len().min(3000)));
            wire = rest;
            if let Err(alert) = self.ends[to].receive(piece, &self.asks[to]) {
                self.errors[to] = Some(alert.to_string());
            }
            if self.ends[to].handshake_completed() {
                self.completed.push(to);
            }
            let mut buffer = [0; 700];
            loop {
                match self.ends[to].read(&mut buffer) {
                    0 => break,
                    count => self.received[to].extend_from_slice(&buffer[..count]),
                }
            }
        }
    }

    fn is_established(&self) -> bool {
        self.ends.iter().all(Session::is_established)
    }
}

const BOTH_VERSIONS: [u32; 2] = [versions::TLS12, versions::TLS13];

#[test]
fn bytes_arrive_in_order_even_those_that_were_written_before_the_handshake() {
    for versions in BOTH_VERSIONS {
        let mut pair = Pair::new(
            &Options {
                versions,
                ..client()
            },
            &server(),
        );
        pair.ends[CLIENT].write(b"first ");
        pair.ends[SERVER].write(b"hello");
        assert_eq!(pair.ends[CLIENT].queued(), 6);
        pair.talk();
        pair.ends[CLIENT].write(b"second");
        pair.talk();
        assert_eq!(pair.received[SERVER], b"first second");
        assert_eq!(pair.received[CLIENT], b"hello");
        assert_eq!(pair.ends[CLIENT].queued(), 0);
    }
}

#[test]
fn the_server_completes_first_in_tls_1_2_and_the_client_in_1_3_each_once() {
    for (versions, order) in [
        (versions::TLS12, [SERVER, CLIENT]),
        (versions::TLS13, [CLIENT, SERVER]),
    ] {
        // Twice: those that know each other keep to it.
        for _ in 0..2 {
            let options = Options {
                versions,
                ..client()
            };
            let mut pair = Pair::named(&options, &server(), Some("order.example"));
            assert_eq!(pair.talk().completed, order);
        }
    }
}

#[test]
fn names_are_openssls() {
    for (versions, list, protocol, name, bits) in [
        (
            versions::TLS13,
            None,
            "TLSv1.3",
            "TLS_AES_256_GCM_SHA384",
            256,
        ),
        (
            versions::TLS13,
            Some("TLS_AES_128_GCM_SHA256"),
            "TLSv1.3",
            "TLS_AES_128_GCM_SHA256",
            128,
        ),
        (
            versions::TLS12,
            None,
            "TLSv1.2",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            256,
        ),
        (
            versions::TLS12,
            Some("AES128"),
            "TLSv1.2",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            128,
        ),
        (
            versions::TLS12,
            Some("CHACHA20"),
            "TLSv1.2",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            256,
        ),
    ] {
        let cipher_list = list.map(str::to_owned);
        let mut pair = Pair::new(
            &Options {
                versions,
                cipher_list,
                ..client()
            },
            &server(),
        );
        for end in &pair.talk().ends {
            assert_eq!(end.protocol(), Some(protocol));
            assert_eq!(end.cipher_name(), Some(name));
            assert_eq!(end.cipher_bits(), Some(bits));
        }
    }
}

#[test]
fn before_the_handshake_nothing_is_known() {
    let session = Session::new(&made(&client()), None).unwrap();
    assert_eq!(session.cipher_name(), None);
    assert_eq!(session.protocol(), None);
    assert_eq!(session.peer_certificate(), None);
    assert!(!session.is_established());
}

#[test]
fn a_client_sees_the_servers_certificate_as_it_was_given() {
    let identity = identity("a.example");
    let mut pair = Pair::new(&client(), &with_identity(server(), &identity));
    pair.talk();
    let leaf = identity.chain.replace('\r', "");
    let seen = pair.ends[CLIENT].peer_certificate().unwrap();
    assert!(leaf.starts_with(&seen), "{seen}");
    assert_eq!(pair.ends[SERVER].peer_certificate(), None);
}

#[test]
fn the_program_is_asked_issuer_first_and_by_a_server_too() {
    let identity = identity("a.example");
    for versions in BOTH_VERSIONS {
        for side in [CLIENT, SERVER] {
            let asks = |options: Options, at| Options {
                verify_peer: at == side,
                versions,
                ..options
            };
            let mut pair = Pair::new(
                &asks(with_identity(client(), &identity), CLIENT),
                &asks(with_identity(server(), &identity), SERVER),
            );
            let asked = Rc::new(RefCell::new(Vec::new()));
            let seen = Rc::clone(&asked);
            pair.asks[side] = Rc::new(move |pem| {
                seen.borrow_mut().push(pem.to_owned());
                true
            });
            assert!(pair.ends[side].may_ask());
            assert!(!pair.ends[1 - side].may_ask());
            assert!(pair.talk().is_established());
            assert!(!pair.ends[side].may_ask());
            let asked = asked.borrow();
            assert_eq!(asked.len(), 3);
            assert_eq!(asked[0], asked[1]);
            assert_eq!(Some(&asked[2]), pair.ends[side].peer_certificate().as_ref());
        }
    }
}

#[test]
fn a_refusal_fails_both_ends_and_asks_no_further() {
    for versions in BOTH_VERSIONS {
        let asks = Options {
            verify_peer: true,
            versions,
            ..client()
        };
        let mut pair = Pair::new(&asks, &with_identity(server(), &identity("a.example")));
        let asked = Rc::new(RefCell::new(0));
        let count = Rc::clone(&asked);
        pair.asks[CLIENT] = Rc::new(move |_| {
            *count.borrow_mut() += 1;
            false
        });
        pair.ends[CLIENT].write(b"secret");
        pair.talk();
        assert_eq!(*asked.borrow(), 1);
        assert!(
            pair.errors[CLIENT]
                .as_ref()
                .unwrap()
                .contains("certificate")
        );
        assert!(pair.errors[SERVER].as_ref().unwrap().contains("alert"));
        assert!(pair.received[SERVER].is_empty());
        assert_eq!(pair.ends[CLIENT].queued(), 0);
        assert_eq!(pair.completed, []);
    }
}

#[test]
fn another_session_may_read_while_one_asks() {
    let asks = Options {
        verify_peer: true,
        ..client()
    };
    let mut outer = Pair::new(&asks, &server());
    let inner = Rc::new(RefCell::new(Pair::new(&asks, &server())));
    let other = Rc::clone(&inner);
    outer.asks[CLIENT] = Rc::new(move |_| {
        other.borrow_mut().asks[CLIENT] = Rc::new(|_| false);
        other.borrow_mut().talk();
        true
    });
    assert!(outer.talk().is_established());
    assert!(inner.borrow().errors[CLIENT].is_some());
}

#[test]
fn a_client_without_a_certificate_is_let_in_unless_one_is_mandatory() {
    for versions in BOTH_VERSIONS {
        let asks = Options {
            verify_peer: true,
            versions,
            ..server()
        };
        let mut pair = Pair::new(&client(), &asks);
        pair.asks[SERVER] = Rc::new(|_| panic!("there is nothing to ask about"));
        assert!(pair.talk().is_established());
        let mandatory = Options {
            fail_if_no_peer_cert: true,
            ..asks
        };
        let mut pair = Pair::new(&client(), &mandatory);
        pair.talk();
        assert!(pair.errors[SERVER].is_some());
        assert!(pair.errors[CLIENT].is_some());
    }
}

#[test]
fn names_are_told_only_if_that_is_wanted() {
    let told = Options {
        send_name: true,
        ..client()
    };
    let mut pair = Pair::named(&told, &server(), Some("a.example"));
    for end in &pair.talk().ends {
        assert_eq!(end.server_name(), Some("a.example"));
    }
    let mut pair = Pair::named(&client(), &server(), Some("a.example"));
    assert_eq!(pair.talk().ends[SERVER].server_name(), None);
    let failure = Session::new(&made(&told), Some("no name")).unwrap_err();
    assert!(matches!(failure, Failure::Invalid(text) if text.contains("no name")));
}

#[test]
fn roots_check_chain_and_name() {
    let identity = identity("a.example");
    let serving = with_identity(server(), &identity);
    let roots = |pem: &str| Options {
        roots: Some(Roots::Given(pem.into())),
        ..client()
    };
    let error = |roots: &Options, name| {
        let mut pair = Pair::named(roots, &serving, Some(name));
        pair.talk();
        pair.errors[CLIENT].take()
    };
    assert_eq!(error(&roots(&identity.root), "a.example"), None);
    let text = error(&roots(&identity.root), "b.example").unwrap();
    assert!(text.contains("b.example"), "{text}");
    let text = error(&roots(&self::identity("a.example").root), "a.example").unwrap();
    assert!(
        text.contains("UnknownIssuer") || text.contains("BadSignature"),
        "{text}"
    );
}

#[test]
fn a_server_checks_its_clients_against_roots() {
    let identity = identity("a.example");
    let roots = Roots::Given(identity.root.clone().into());
    let checks = Options {
        roots: Some(roots),
        fail_if_no_peer_cert: true,
        ..server()
    };
    assert!(
        Pair::new(&with_identity(client(), &identity), &checks)
            .talk()
            .is_established()
    );
    for stranger in [
        client(),
        with_identity(client(), &self::identity("a.example")),
    ] {
        let mut pair = Pair::new(&stranger, &checks);
        assert!(pair.talk().errors[SERVER].is_some());
    }
}

#[test]
fn protocols_above_are_agreed_on() {
    let speaks = |options: Options, all: &[&str]| Options {
        alpn_protocols: all.iter().map(|one| one.as_bytes().to_vec()).collect(),
        ..options
    };
    let mut pair = Pair::new(
        &speaks(client(), &["http/1.1", "h2"]),
        &speaks(server(), &["h2"]),
    );
    for end in &pair.talk().ends {
        assert_eq!(end.alpn_protocol(), Some(&b"h2"[..]));
    }
    let mut pair = Pair::new(&speaks(client(), &["a"]), &speaks(server(), &["b"]));
    assert!(pair.talk().errors[SERVER].is_some());
    assert_eq!(
        Pair::new(&client(), &server()).talk().ends[CLIENT].alpn_protocol(),
        None
    );
}

#[test]
fn those_that_know_each_other_resume_unless_the_program_wants_to_see_certificates() {
    // In TLS 1.2 our clients don't: they would be through before the server.
    for (versions, name, resume) in [
        (versions::TLS12, "twelve.example", false),
        (versions::TLS13, "thirteen.example", true),
    ] {
        let resumed = |options: &Options| {
            let once = || {
                let mut pair = Pair::named(options, &server(), Some(name));
                assert!(pair.talk().is_established());
                assert!(pair.ends[CLIENT].peer_certificate().is_some());
                pair.ends.iter().all(Session::is_resumed)
            };
            let _first = once();
            once()
        };
        let plain = Options {
            versions,
            ..client()
        };
        assert_eq!(resumed(&plain), resume);
        assert!(!resumed(&Options {
            versions,
            verify_peer: true,
            ..client()
        }));
    }
}

#[test]
fn no_common_version_or_curve_is_an_error_at_both_ends() {
    let twelve = Options {
        versions: versions::TLS12,
        ..client()
    };
    let thirteen = Options {
        versions: versions::TLS13,
        ..server()
    };
    let mut pair = Pair::new(&twelve, &thirteen);
    pair.talk();
    assert!(pair.errors.iter().all(Option::is_some));
}

#[test]
fn the_servers_curve_is_used() {
    for curve in ["prime256v1", "secp384r1", "X25519"] {
        let curve = Options {
            ecdh_curve: Some(curve.to_owned()),
            ..server()
        };
        assert!(Pair::new(&client(), &curve).talk().is_established());
    }
}

#[test]
fn a_closed_session_says_so_and_drops_what_comes_after() {
    let mut pair = Pair::new(&client(), &server());
    pair.talk();
    pair.ends[CLIENT].write(b"last");
    pair.ends[CLIENT].close_notify();
    pair.ends[CLIENT].close_notify();
    pair.ends[CLIENT].write(b"too late");
    pair.talk();
    assert_eq!(pair.received[SERVER], b"last");
    assert!(pair.ends[SERVER].peer_closed());
    assert_eq!(
        pair.ends[SERVER].receive(b"whatever follows", &yes()),
        Ok(())
    );
    pair.ends[SERVER].write(b"still");
    pair.talk();
    assert_eq!(pair.received[CLIENT], b"still");
}

#[test]
fn garbage_fails_and_stays_failed() {
    let mut pair = Pair::new(&client(), &server());
    let alert = pair.ends[SERVER]
        .receive(b"GET / HTTP/1.1\r\n\r\n", &yes())
        .unwrap_err();
    assert_eq!(pair.ends[SERVER].error(), Some(alert.to_string().as_str()));
    let mut hello = Vec::new();
    pair.ends[CLIENT].take_ciphertext(&mut hello);
    assert_eq!(pair.ends[SERVER].receive(&hello, &yes()), Err(alert));
    let mut last = Vec::new();
    pair.ends[SERVER].take_ciphertext(&mut last);
    assert_eq!(last[0], 21, "an alert");
}

#[test]
fn a_record_that_was_changed_on_its_way_fails() {
    let mut pair = Pair::new(&client(), &server());
    pair.talk();
    pair.ends[CLIENT].write(b"some bytes");
    let mut wire = Vec::new();
    pair.ends[CLIENT].take_ciphertext(&mut wire);
    *wire.last_mut().unwrap() ^= 1;
    pair.feed(SERVER, &wire);
    assert!(pair.errors[SERVER].is_some());
    assert!(pair.received[SERVER].is_empty());
}

#[test]
fn a_peer_that_leaves_during_the_handshake_leaves_an_explanation() {
    let mut session = Session::new(&made(&server()), None).unwrap();
    session.receive(&[22, 3, 1], &yes()).unwrap();
    session.end_of_input();
    assert!(
        session
            .error()
            .unwrap()
            .contains("during the TLS handshake")
    );
    let mut pair = Pair::new(&client(), &server());
    pair.talk().ends[SERVER].end_of_input();
    assert_eq!(pair.ends[SERVER].error(), None);
}

#[test]
fn a_megabyte_at_once_arrives() {
    let mut pair = Pair::new(&client(), &server());
    let bytes: Vec<u8> = (0..1_000_000).map(|_| pair.random.u8(..)).collect();
    pair.ends[CLIENT].write(&bytes[..500_000]);
    pair.talk();
    pair.ends[CLIENT].write(&bytes[500_000..]);
    pair.talk();
    assert!(pair.received[SERVER] == bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn however_it_is_cut_it_arrives(
        seed: u64,
        pieces in proptest::collection::vec(0usize..20_000, 1..8),
        versions in prop::sample::select(BOTH_VERSIONS.to_vec()),
    ) {
        let mut pair = Pair::new(&Options { versions, ..client() }, &server());
        pair.random = fastrand::Rng::with_seed(seed);
        let mut expected = Vec::new();
        for (index, len) in pieces.into_iter().enumerate() {
            let bytes = vec![index as u8; len];
            expected.extend_from_slice(&bytes);
            pair.ends[CLIENT].write(&bytes);
            if index % 2 == 1 {
                pair.talk();
            }
        }
        pair.talk();
        prop_assert!(pair.received[SERVER] == expected);
    }

    #[test]
    fn any_bytes_are_answered_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for options in [client(), server()] {
            let mut session = Session::new(&made(&options), None).unwrap();
            let _ = session.receive(&bytes, &yes());
            session.end_of_input();
            session.write(b"x");
            session.take_ciphertext(&mut Vec::new());
        }
    }

    #[test]
    fn a_changed_byte_in_a_handshake_fails_or_does_no_harm(at in 0usize..2000, bit in 0u8..8) {
        let mut pair = Pair::new(&client(), &server());
        let mut wire = Vec::new();
        pair.ends[CLIENT].take_ciphertext(&mut wire);
        let at = at % wire.len();
        wire[at] ^= 1 << bit;
        pair.feed(SERVER, &wire);
        pair.talk();
        prop_assert!(pair.received[SERVER].is_empty());
    }
}
