//! TLS of streams. What the options of `start_tls` are called, and which are allowed, is Ruby's business
//! (`lib/evented/em/tls.rb`); here they become the core's.

use std::{
    cell::Cell,
    ffi::c_int,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use evented_core::{
    Streams,
    stream::{Signature, TlsRefusal},
    tls::{Ask, Failure, Options, Role, Roots, Session, config},
};
use rb_sys::{
    NIL_P, Qtrue, RARRAY_LEN, RSTRING_LEN, RSTRING_PTR, TEST, VALUE, rb_ary_entry, rb_funcallv,
    rb_num2uint, rb_protect, rb_string_value,
};

use super::functions::{fixnum, raise, signature, with};
use crate::{
    define::{
        Function::{One, Two},
        methods,
    },
    errors,
    known::known,
    scheduler::Scheduler,
    waiter::NIL,
};

/// # Safety
///
/// `module` is `Evented::Native::Streams`.
pub(super) unsafe fn define(module: VALUE) {
    // SAFETY: the caller's promise.
    unsafe {
        methods(
            module,
            &[
                (c"__start_tls", Two(start)),
                (c"get_peer_cert", One(peer_certificate)),
                (c"get_cipher_bits", One(cipher_bits)),
                (c"get_cipher_name", One(cipher_name)),
                (c"get_cipher_protocol", One(protocol)),
                (c"get_sni_hostname", One(server_name)),
                (c"get_alpn_protocol", One(alpn_protocol)),
                (c"get_tls_error", One(error)),
            ],
        );
    }
}

/// `__start_tls(signature, options)`: with these, as an array: whether it is a server, the key, the certificates,
/// verify_peer, fail_if_no_peer_cert, whether to send the name, the name, ciphers, versions, curves, protocols, roots
/// (nil, true for the system's, or PEM). Raises `EM::InvalidPrivateKey` or RuntimeError if TLS can't begin.
unsafe extern "C" fn start(_: VALUE, sig: VALUE, options: VALUE) -> VALUE {
    let sig = signature(sig);
    let raw = Raw::read(options);
    // Nothing raises from here to the match: what is made has destructors.
    let (class, message) = match begin(sig, &raw) {
        Ok(()) => {
            std::hint::black_box(options);
            return NIL;
        }
        Err(Failure::InvalidPrivateKey(text)) => (c"Evented::EM::InvalidPrivateKey", text),
        Err(Failure::Invalid(text)) => (c"RuntimeError", text),
    };
    errors::raise_string(class, message)
}

/// The options, still Ruby's: without destructors, so that reading them may raise (I-4).
struct Raw {
    strings: [VALUE; 5],
    alpn: VALUE,
    roots: VALUE,
    flags: [bool; 4],
    versions: u32,
}

impl Raw {
    fn read(options: VALUE) -> Self {
        // SAFETY: `lib/evented/em` passes an array.
        let entry = |index| unsafe { rb_ary_entry(options, index) };
        let flag = |index| TEST(entry(index));
        // Key, certificates, name, ciphers, curves.
        let strings = [1, 2, 6, 7, 9].map(|index| string(entry(index)));
        let alpn = entry(10);
        // SAFETY: an array, by the same promise.
        for index in 0..unsafe { RARRAY_LEN(alpn) } {
            // SAFETY: as above.
            string(unsafe { rb_ary_entry(alpn, index) });
        }
        let roots = entry(11);
        if roots != Qtrue as VALUE {
            string(roots);
        }
        Self {
            strings,
            alpn,
            roots,
            flags: [flag(0), flag(3), flag(4), flag(5)],
            // SAFETY: raises TypeError for what is no number.
            versions: unsafe { rb_num2uint(entry(8)) as u32 },
        }
    }

    fn text(&self, index: usize) -> Option<String> {
        bytes(self.strings[index]).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn options(&self) -> Options {
        let [server, verify_peer, fail_if_no_peer_cert, send_name] = self.flags;
        // SAFETY: an array; see `read`.
        let alpn = (0..unsafe { RARRAY_LEN(self.alpn) })
            // SAFETY: of strings.
            .filter_map(|index| bytes(unsafe { rb_ary_entry(self.alpn, index) }));
        Options {
            role: if server { Role::Server } else { Role::Client },
            private_key: bytes(self.strings[0]),
            cert_chain: bytes(self.strings[1]),
            verify_peer,
            fail_if_no_peer_cert,
            send_name,
            cipher_list: self.text(3),
            versions: self.versions,
            ecdh_curve: self.text(4),
            alpn_protocols: alpn.collect(),
            roots: match self.roots {
                roots if roots == Qtrue as VALUE => Some(Roots::System),
                roots => bytes(roots).map(Roots::Given),
            },
        }
    }
}

/// Raises TypeError for what is neither nil nor a string.
fn string(value: VALUE) -> VALUE {
    let mut value = value;
    if !NIL_P(value) {
        // SAFETY: with the GVL.
        unsafe { rb_string_value(&raw mut value) };
    }
    value
}

fn bytes(string: VALUE) -> Option<Vec<u8>> {
    if NIL_P(string) {
        return None;
    }
    // SAFETY: a string, and nothing calls Ruby before it has been copied.
    let bytes = unsafe {
        let len = usize::try_from(RSTRING_LEN(string)).unwrap_or(0);
        std::slice::from_raw_parts(RSTRING_PTR(string).cast::<u8>(), len)
    };
    Some(bytes.to_vec())
}

fn begin(sig: Signature, raw: &Raw) -> Result<(), Failure> {
    let config = config(&raw.options())?;
    let session = Session::new(&config, raw.text(2).as_deref())?;
    let scheduler = super::owner(sig);
    let started = scheduler.and_then(|scheduler| {
        let started = scheduler.streams(|streams| streams.start_tls(sig, session));
        scheduler.streams_changed();
        started
    });
    let text = match started {
        // On a connection that has ended nothing happens.
        Some(Ok(()) | Err(TlsRefusal::NoStream)) | None => return Ok(()),
        Some(Err(TlsRefusal::Twice)) => {
            "call SetTlsParms before calling StartTls: this connection has TLS already"
        }
        Some(Err(TlsRefusal::NoBytes)) => "TLS needs a connection that carries a stream of bytes",
    };
    Err(Failure::Invalid(text.to_owned()))
}

/// Feeds the bytes of the event to the stream's session, which may ask the connection about certificates. Returns the
/// state of an exception, as rb_protect reports it, or 0.
pub(super) fn feed(scheduler: &Scheduler, stream: Signature, root: VALUE) -> c_int {
    let failed = Rc::new(Cell::new(0));
    let fed = scheduler
        .streams_and_driver(|streams, driver| {
            let bytes = streams.bytes(driver).to_vec();
            streams.taken(driver);
            streams.take_session(stream).map(|session| (session, bytes))
        })
        .flatten();
    if let Some((mut session, bytes)) = fed {
        let state = Rc::clone(&failed);
        let ask: Rc<Ask> = Rc::new(move |pem| accepts(root, pem, &state));
        // No borrow is alive: the program may do anything meanwhile, and other fibers too (I-3).
        let outcome = catch_unwind(AssertUnwindSafe(|| session.receive(&bytes, &ask)));
        scheduler.streams(|streams| match outcome {
            Ok(outcome) => streams.put_back(stream, session, outcome),
            Err(_) => streams.fail(stream, libc::EPROTO),
        });
    }
    scheduler.streams(|streams| streams.done(stream));
    std::hint::black_box(root);
    failed.get()
}

/// Shows a certificate to the connection. Not again after it has raised.
fn accepts(root: VALUE, pem: &str, state: &Cell<c_int>) -> bool {
    struct Question<'a> {
        root: VALUE,
        pem: &'a str,
    }

    unsafe extern "C" fn put(question: VALUE) -> VALUE {
        // SAFETY: the place below.
        let Question { root, pem } = unsafe { &*(question as *const Question<'_>) };
        // SAFETY: with the GVL; Ruby copies the bytes.
        unsafe {
            let pem = rb_sys::rb_str_new(pem.as_ptr().cast(), pem.len() as _);
            rb_funcallv(*root, known().ssl_verify_peer, 1, &raw const pem)
        }
    }

    let question = Question { root, pem };
    let mut raised = 0;
    // SAFETY: `question` outlives the call.
    let answer = unsafe { rb_protect(Some(put), (&raw const question) as VALUE, &raw mut raised) };
    if raised != 0 {
        state.set(raised);
        return false;
    }
    TEST(answer)
}

/// Asks the session of a stream that has TLS: `None` if it does not know yet, if it is just asking about certificates,
/// or if the stream has ended. Raises if the stream has none.
fn ask<T>(sig: VALUE, question: impl FnOnce(&Session) -> Option<T>) -> Option<T> {
    let answer = with(sig, |streams: &mut Streams<VALUE>, signature| {
        let is_secure = streams.is_secure(signature)?;
        Some(is_secure.then(|| streams.session(signature).and_then(question)))
    });
    match answer.flatten() {
        None => None,
        Some(Some(answer)) => answer,
        Some(None) => raise(c"SSL/TLS not running on this connection"),
    }
}

/// As [`ask`], and a name that is not known yet is OpenSSL's "(NONE)".
fn ask_name(sig: VALUE, question: impl FnOnce(&Session) -> Option<&'static str>) -> VALUE {
    let name = ask(sig, question);
    let exists = with(sig, |streams, signature| streams.fd(signature)).flatten();
    match (name, exists) {
        (Some(name), _) => text(Some(name)),
        (None, Some(_)) => text(Some("(NONE)")),
        (None, None) => NIL,
    }
}

/// A string of Ruby's, or nil. Should there be no memory for it, the text is lost with it.
fn text(text: Option<impl AsRef<[u8]>>) -> VALUE {
    match text {
        None => NIL,
        Some(text) => {
            let bytes = text.as_ref();
            // SAFETY: with the GVL; Ruby copies the bytes.
            unsafe { rb_sys::rb_str_new(bytes.as_ptr().cast(), bytes.len() as _) }
        }
    }
}

/// `get_peer_cert(signature)`: as PEM; nil if the peer has none, or is not known yet.
unsafe extern "C" fn peer_certificate(_: VALUE, sig: VALUE) -> VALUE {
    text(ask(sig, Session::peer_certificate))
}

/// `get_cipher_bits(signature)`: nil before the handshake is over.
unsafe extern "C" fn cipher_bits(_: VALUE, sig: VALUE) -> VALUE {
    ask(sig, Session::cipher_bits).map_or(NIL, |bits| fixnum(bits.into()))
}

unsafe extern "C" fn cipher_name(_: VALUE, sig: VALUE) -> VALUE {
    ask_name(sig, Session::cipher_name)
}

unsafe extern "C" fn protocol(_: VALUE, sig: VALUE) -> VALUE {
    ask_name(sig, Session::protocol)
}

/// `get_sni_hostname(signature)`: what the client has called the server; nil if it has not.
unsafe extern "C" fn server_name(_: VALUE, sig: VALUE) -> VALUE {
    text(ask(sig, |session| session.server_name().map(str::to_owned)))
}

/// `get_alpn_protocol(signature)`: nil if there is none.
unsafe extern "C" fn alpn_protocol(_: VALUE, sig: VALUE) -> VALUE {
    text(ask(sig, |session| {
        session.alpn_protocol().map(<[u8]>::to_vec)
    }))
}

/// `get_tls_error(signature)`: why TLS has failed, also in `unbind`; nil if it has not.
unsafe extern "C" fn error(_: VALUE, sig: VALUE) -> VALUE {
    let signature = signature(sig);
    // Its stream is over in `unbind`, and does not count as having an owner.
    let error = super::open().iter().find_map(|&scheduler| {
        // SAFETY: schedulers leave the list before they are freed.
        let scheduler = unsafe { &*scheduler };
        scheduler.streams(|streams| streams.tls_error(signature).map(str::to_owned))?
    });
    text(error)
}
