//! TLS of streams: opening what has come, and what a program asks about a session.

use std::{
    cell::Cell,
    ffi::{c_int, c_long},
    rc::Rc,
};

use evented_core::{
    Streams,
    stream::Signature,
    tls::{self, Ask, Failure, Options, Role, Roots, Session},
};
use rb_sys::{
    NIL_P, Qtrue, RARRAY_LEN, RSTRING_LEN, RSTRING_PTR, TEST, VALUE, rb_ary_entry,
    rb_ary_new_from_values, rb_funcallv, rb_id2sym, rb_intern, rb_jump_tag, rb_num2uint,
    rb_protect, rb_str_new,
};

use super::functions::{fixnum, raise, signature, truth, with};
use crate::{
    define::{
        Function::{One, Two},
        methods,
    },
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
                (c"__sealed?", One(is_sealed)),
                (c"__tls_error", One(error)),
                (c"__alpn_protocol", One(alpn_protocol)),
                (c"get_peer_cert", One(peer_cert)),
                (c"get_cipher_bits", One(cipher_bits)),
                (c"get_cipher_name", One(cipher_name)),
                (c"get_cipher_protocol", One(cipher_protocol)),
                (c"get_sni_hostname", One(sni_hostname)),
            ],
        );
    }
}

/// Bytes handed to `receive_data` at most.
const PIECE: usize = 16 * 1024;

/// Opens what has come to a sealed stream, and makes the callbacks that it means. Raises what they raise; what was
/// opened and not handed out is for [`Streams::keep_rest`].
pub(super) fn hand(scheduler: &Scheduler, stream: Signature, root: VALUE) {
    let Some(Some(mut session)) = scheduler.streams(|streams| streams.take_session(stream)) else {
        return;
    };
    let bytes = scheduler.streams_and_driver(|streams, driver| {
        let bytes = streams.bytes(driver);
        (bytes.as_ptr(), bytes.len())
    });
    let (start, len) = bytes.unwrap_or((std::ptr::null(), 0));
    let ciphertext = if len == 0 {
        Vec::new()
    } else {
        // SAFETY: they stay where they are until they have been taken.
        unsafe { std::slice::from_raw_parts(start, len) }.to_vec()
    };
    scheduler.streams_and_driver(Streams::taken);
    let state = Cell::new(0);
    let asks = session.may_ask();
    let ask = if asks {
        ask_program(root, &state)
    } else {
        ask_nobody()
    };
    // The session is in nobody's table meanwhile: the program may do anything in there, and suspend.
    let opened = session.receive(&ciphertext, &ask);
    drop(ciphertext);
    drop(ask);
    let completed = opened.is_ok() && session.handshake_completed();
    scheduler.streams(|streams| streams.give_session_back(stream, session));
    if opened.is_err() {
        drop(opened);
        scheduler.streams(|streams| streams.fail_sealed(stream));
    }
    if state.get() != 0 {
        // SAFETY: the state that rb_protect reported; nothing with a destructor is left here.
        unsafe { rb_jump_tag(state.get()) }
    }
    if completed {
        // The peer is to hear of it even if the program closes the connection right now.
        scheduler.streams_and_driver(Streams::flush);
        // SAFETY: with the GVL.
        unsafe { rb_funcallv(root, known().ssl_handshake_completed, 0, std::ptr::null()) };
    }
    hand_plaintext(scheduler, stream, root);
}

fn hand_plaintext(scheduler: &Scheduler, stream: Signature, root: VALUE) {
    let mut piece = [0_u8; PIECE];
    loop {
        let read = scheduler.streams(|streams| {
            if streams.is_paused(stream) != Some(false) {
                return 0;
            }
            let count = streams
                .session(stream)
                .map_or(0, |session| session.read(&mut piece));
            let relayed = streams.relay(stream, &piece[..count]);
            piece.copy_within(relayed..count, 0);
            // Relayed altogether: there may be more.
            if relayed > 0 && relayed == count {
                usize::MAX
            } else {
                count - relayed
            }
        });
        match read.unwrap_or(0) {
            0 => return,
            usize::MAX => {}
            count => {
                // SAFETY: Ruby copies the bytes.
                unsafe {
                    let string = rb_str_new(piece.as_ptr().cast(), count as c_long);
                    rb_funcallv(root, known().receive_data, 1, &raw const string);
                }
            }
        }
    }
}

/// Asks `ssl_verify_peer`. If that raises, the certificate is refused, and `state` says so.
fn ask_program(root: VALUE, state: &Cell<c_int>) -> Rc<Ask> {
    struct Question<'a> {
        root: VALUE,
        pem: &'a str,
    }

    unsafe extern "C" fn call(question: VALUE) -> VALUE {
        // SAFETY: the place below.
        let question = unsafe { &*(question as *const Question<'_>) };
        let (start, len) = (question.pem.as_ptr().cast(), question.pem.len() as c_long);
        // SAFETY: Ruby copies the bytes.
        unsafe {
            let pem = rb_str_new(start, len);
            rb_funcallv(question.root, known().ssl_verify_peer, 1, &raw const pem)
        }
    }

    // Both outlive the Rc: it is dropped in the frame that made it.
    let state = std::ptr::from_ref(state);
    Rc::new(move |pem: &str| {
        let question = Question { root, pem };
        let mut raised = 0;
        // SAFETY: the question outlives the call.
        let answer =
            unsafe { rb_protect(Some(call), (&raw const question) as VALUE, &raw mut raised) };
        // SAFETY: see above.
        unsafe { &*state }.set(raised);
        raised == 0 && TEST(answer)
    })
}

fn ask_nobody() -> Rc<Ask> {
    thread_local! {
        static NOBODY: Rc<Ask> = Rc::new(|_: &str| false);
    }
    NOBODY.with(Rc::clone)
}

/// `__start_tls(signature, options)`: nil, or what is wrong: `[:key, text]` or `[:invalid, text]`. `options` is an Array:
/// server?, key, chain, verify_peer, fail_if_no_peer_cert, name, send_name, cipher_list, versions, curve, ALPN protocols,
/// roots (nil, true for those of the system, or PEM).
unsafe extern "C" fn start(_: VALUE, sig: VALUE, options: VALUE) -> VALUE {
    if with(sig, |streams, signature| streams.is_sealed(signature)) == Some(true) {
        raise(c"this connection has TLS already: start_tls may be called once");
    }
    let failure = match begin(options) {
        Ok(session) => {
            with(sig, |streams, signature| streams.seal(signature, session));
            return NIL;
        }
        Err(failure) => failure,
    };
    let (kind, text) = match failure {
        Failure::InvalidPrivateKey(text) => (c"key", text),
        Failure::Invalid(text) => (c"invalid", text),
    };
    // SAFETY: Ruby copies the bytes. Should it be out of memory, the text is lost with it.
    unsafe {
        let pair = [
            rb_id2sym(rb_intern(kind.as_ptr())),
            rb_str_new(text.as_ptr().cast(), text.len() as c_long),
        ];
        rb_ary_new_from_values(2, pair.as_ptr())
    }
}

/// `lib/evented/em/tls.rb` passes what [`start`] says, so nothing here raises.
fn begin(options: VALUE) -> Result<Box<Session>, Failure> {
    // SAFETY: within the array.
    let at = |index| unsafe { rb_ary_entry(options, index) };
    let role = if TEST(at(0)) {
        Role::Server
    } else {
        Role::Client
    };
    let name = text(at(5));
    let alpn = at(10);
    // SAFETY: an array.
    let protocols = if NIL_P(alpn) {
        0
    } else {
        unsafe { RARRAY_LEN(alpn) }
    };
    let roots = at(11);
    let options = Options {
        private_key: bytes(at(1)),
        cert_chain: bytes(at(2)),
        verify_peer: TEST(at(3)),
        fail_if_no_peer_cert: TEST(at(4)),
        send_name: TEST(at(6)),
        cipher_list: text(at(7)),
        // SAFETY: a small Integer.
        versions: unsafe { rb_num2uint(at(8)) } as u32,
        ecdh_curve: text(at(9)),
        alpn_protocols: (0..protocols)
            // SAFETY: within the array.
            .filter_map(|index| bytes(unsafe { rb_ary_entry(alpn, index) }))
            .collect(),
        roots: if roots == Qtrue as VALUE {
            Some(Roots::System)
        } else {
            bytes(roots).map(Roots::Given)
        },
        ..Options::new(role)
    };
    let config = tls::config(&options)?;
    Session::new(&config, name.as_deref()).map(Box::new)
}

/// The bytes of a string; `None` for nil.
fn bytes(string: VALUE) -> Option<Vec<u8>> {
    if NIL_P(string) {
        return None;
    }
    // SAFETY: a string; nothing calls Ruby before they are copied.
    let bytes = unsafe {
        let len = usize::try_from(RSTRING_LEN(string)).unwrap_or(0);
        std::slice::from_raw_parts(RSTRING_PTR(string).cast::<u8>(), len)
    };
    Some(bytes.to_vec())
}

fn text(string: VALUE) -> Option<String> {
    bytes(string).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

unsafe extern "C" fn is_sealed(_: VALUE, sig: VALUE) -> VALUE {
    truth(with(sig, |streams, signature| streams.is_sealed(signature)) == Some(true))
}

/// Something about a session; nil if there is no such connection. Raises RuntimeError if it has no TLS.
fn about<T>(sig: VALUE, ask: impl FnOnce(&mut Session) -> Option<T>) -> Option<T> {
    let signature = signature(sig);
    let has_none = |streams: &mut Streams<VALUE>, signature| {
        streams.fd(signature).is_some() && !streams.is_sealed(signature)
    };
    if with(sig, has_none) == Some(true) {
        raise(c"this connection has no TLS: call start_tls first");
    }
    let scheduler = super::current()?;
    scheduler
        .streams(|streams| streams.session(signature).and_then(ask))
        .flatten()
}

fn string(text: Option<String>) -> VALUE {
    match text {
        // SAFETY: Ruby copies the bytes. Should it be out of memory, the text is lost with it.
        Some(text) => unsafe { rb_str_new(text.as_ptr().cast(), text.len() as c_long) },
        None => NIL,
    }
}

unsafe extern "C" fn error(_: VALUE, sig: VALUE) -> VALUE {
    string(about(sig, |session| session.error().map(str::to_owned)))
}

unsafe extern "C" fn alpn_protocol(_: VALUE, sig: VALUE) -> VALUE {
    let name = |protocol: &[u8]| String::from_utf8_lossy(protocol).into_owned();
    string(about(sig, |session| session.alpn_protocol().map(name)))
}

unsafe extern "C" fn peer_cert(_: VALUE, sig: VALUE) -> VALUE {
    string(about(sig, |session| session.peer_certificate()))
}

unsafe extern "C" fn cipher_bits(_: VALUE, sig: VALUE) -> VALUE {
    about(sig, |session| session.cipher_bits()).map_or(NIL, |bits| fixnum(bits.into()))
}

unsafe extern "C" fn cipher_name(_: VALUE, sig: VALUE) -> VALUE {
    string(about(sig, |session| {
        session.cipher_name().map(str::to_owned)
    }))
}

unsafe extern "C" fn cipher_protocol(_: VALUE, sig: VALUE) -> VALUE {
    string(about(sig, |session| session.protocol().map(str::to_owned)))
}

unsafe extern "C" fn sni_hostname(_: VALUE, sig: VALUE) -> VALUE {
    string(about(sig, |session| {
        session.server_name().map(str::to_owned)
    }))
}
