//! What is done to a stream by its signature.
//!
//! EventMachine's low-level functions, which other libraries call too: methods of `Evented::Native::Streams`, which
//! `Evented::EM` is extended with. Any thread may call them: they only touch what the GVL guards, and the loop is woken.

use std::{ffi::CStr, os::fd::BorrowedFd, time::Duration};

use evented_core::{
    Streams,
    op::{self, Address, Interest},
    stream::{Adding, ProxyRefusal, Signature, Transport},
};
use rb_sys::{
    LONG2FIX, NIL_P, Qfalse, Qtrue, RSTRING_LEN, RSTRING_PTR, TEST, VALUE, rb_define_method,
    rb_eRuntimeError, rb_float_new, rb_id2name, rb_ivar_get, rb_num2dbl, rb_num2ll,
    rb_obj_as_string, rb_raise, rb_str_new, rb_string_value, rb_sym2id,
};

use super::{current, owner};
use crate::{
    convert,
    define::{
        Function::{Four, One, Three, Two, Zero},
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
                (c"send_data", Three(send_data)),
                (c"close_connection", Two(close_connection)),
                (c"pause_connection", One(pause)),
                (c"resume_connection", One(resume)),
                (c"connection_paused?", One(is_paused)),
                (c"watch_only?", One(is_watch_only)),
                (c"is_notify_readable", One(is_notify_readable)),
                (c"is_notify_writable", One(is_notify_writable)),
                (c"set_notify_readable", Two(set_notify_readable)),
                (c"set_notify_writable", Two(set_notify_writable)),
                (c"get_outbound_data_size", One(outbound_data_size)),
                (c"get_proxied_bytes", One(proxied_bytes)),
                (c"get_idle_time", One(idle_time)),
                (c"get_comm_inactivity_timeout", One(inactivity_timeout)),
                (c"set_comm_inactivity_timeout", Two(set_inactivity_timeout)),
                (c"get_pending_connect_timeout", One(connect_timeout)),
                (c"set_pending_connect_timeout", Two(set_connect_timeout)),
                (c"get_peername", One(peername)),
                (c"get_sockname", One(sockname)),
                (c"__fail", Two(fail)),
                (c"__add", Four(add)),
                (c"__new_signature", Zero(new_signature)),
                (c"__alternatives", Two(alternatives)),
                (c"__own", Two(own)),
                (c"__hold", One(hold)),
                (c"__made", One(made)),
                (c"__detach", One(detach)),
                (c"__descriptor", One(descriptor)),
                (c"__has_descriptor?", One(has_descriptor)),
                (c"__accepted?", One(is_accepted)),
                (c"__transport", One(transport)),
                (c"__send_datagram", Three(send_datagram)),
                (c"__sends_files?", One(sends_files)),
                (c"__send_file", Four(send_file)),
                (c"__last_sender", One(last_sender)),
                (c"__start_proxy", Four(start_proxy)),
                (c"__stop_proxy", One(stop_proxy)),
                (c"__add_timer", One(add_timer)),
                (c"__cancel_timer", One(cancel_timer)),
                (c"__timers", Zero(timers)),
                (c"__count", Zero(count)),
                (c"__ending", Zero(ending)),
                (c"__signatures", Zero(signatures)),
                (c"__want_ticks", One(want_ticks)),
                (c"__stop", One(stop)),
                (c"__stopping?", One(is_stopping)),
                (c"__define_send_data", One(define_send_data)),
            ],
        );
    }
}

/// A signature as Ruby knows it.
pub(super) fn number(signature: Signature) -> VALUE {
    fixnum(signature.number().cast_signed())
}

pub(super) fn fixnum(value: i64) -> VALUE {
    // SAFETY: signatures, descriptors and sizes are far from a fixnum's limits.
    unsafe { LONG2FIX(value) }
}

/// Raises TypeError for what is no number; a negative one names nothing.
pub(super) fn signature(value: VALUE) -> Signature {
    // SAFETY: with the GVL.
    let number = unsafe { rb_num2ll(value) };
    Signature::from_number(u64::try_from(number).unwrap_or(0))
}

/// Does something to the stream of a signature, if there is one.
pub(super) fn with<T>(
    value: VALUE,
    work: impl FnOnce(&mut Streams<VALUE>, Signature) -> T,
) -> Option<T> {
    let signature = signature(value);
    let scheduler = owner(signature)?;
    let result = scheduler.streams(|streams| work(streams, signature));
    scheduler.streams_changed();
    result
}

fn truth(value: bool) -> VALUE {
    (if value { Qtrue } else { Qfalse }) as VALUE
}

fn integer(value: usize) -> VALUE {
    fixnum(i64::try_from(value).unwrap_or(i64::MAX))
}

fn seconds(duration: Option<Duration>) -> VALUE {
    // SAFETY: with the GVL.
    unsafe { rb_float_new(duration.map_or(0.0, |duration| duration.as_secs_f64())) }
}

/// Milliseconds count, as in EventMachine.
fn timeout(value: VALUE) -> Option<Duration> {
    // SAFETY: raises TypeError for what is no number.
    let milliseconds = unsafe { rb_num2dbl(value) } * 1000.0;
    let whole = (milliseconds > 0.0).then_some(milliseconds as u64)?;
    (whole > 0).then(|| Duration::from_millis(whole))
}

pub(super) fn raise(message: &CStr) -> ! {
    // SAFETY: with the GVL; the format takes one C string.
    unsafe { rb_raise(rb_eRuntimeError, c"%s".as_ptr(), message.as_ptr()) }
}

/// Raises if the stream is only watched: such a one has no data.
fn refuse_watched(value: VALUE, message: &CStr) {
    let watched = |streams: &mut Streams<VALUE>, signature| {
        streams.transport(signature) == Some(Transport::Watch)
    };
    if with(value, watched) == Some(true) {
        raise(message);
    }
}

/// `send_data(signature, data, size)`: queues the first `size` bytes. How many; 0 if the connection is about to close,
/// -1 if there is none.
unsafe extern "C" fn send_data(_: VALUE, sig: VALUE, data: VALUE, size: VALUE) -> VALUE {
    let mut data = data;
    // SAFETY: raises TypeError for what is no string.
    let len = unsafe {
        rb_string_value(&raw mut data);
        let size = rb_num2ll(size);
        usize::try_from(size.min(RSTRING_LEN(data) as _)).unwrap_or(0)
    };
    send(signature(sig), data, len)
}

fn send(signature: Signature, data: VALUE, len: usize) -> VALUE {
    let Some(scheduler) = owner(signature) else {
        return fixnum(-1);
    };
    let sent = scheduler.streams(|streams| {
        if streams.transport(signature) == Some(Transport::Watch) {
            return Err(());
        }
        // SAFETY: a string, which the caller keeps; nothing calls Ruby before the slice is gone.
        let bytes = unsafe { std::slice::from_raw_parts(RSTRING_PTR(data).cast(), len) };
        Ok(streams.send(signature, bytes))
    });
    scheduler.streams_changed();
    match sent {
        Some(Ok(Some(count))) => integer(count),
        Some(Err(())) => raise(c"cannot send data on a 'watch only' connection: write to its IO yourself, or use EM.attach"),
        _ => fixnum(-1),
    }
}

/// `__define_send_data(class)`: gives a class with signatures `send_data(data)`.
unsafe extern "C" fn define_send_data(_: VALUE, class: VALUE) -> VALUE {
    unsafe extern "C" fn send_data(this: VALUE, data: VALUE) -> VALUE {
        // SAFETY: with the GVL; calls to_s of what is no string.
        let (string, sig) = unsafe {
            (
                rb_obj_as_string(data),
                rb_ivar_get(this, known().at_signature),
            )
        };
        if NIL_P(sig) {
            return fixnum(-1);
        }
        // SAFETY: a string.
        let len = usize::try_from(unsafe { RSTRING_LEN(string) }).unwrap_or(0);
        let answer = send(signature(sig), string, len);
        std::hint::black_box(string);
        answer
    }
    let function: unsafe extern "C" fn(VALUE, VALUE) -> VALUE = send_data;
    // SAFETY: a class, and a method that takes one argument.
    unsafe {
        let function = std::mem::transmute::<
            unsafe extern "C" fn(VALUE, VALUE) -> VALUE,
            unsafe extern "C" fn() -> VALUE,
        >(function);
        rb_define_method(class, c"send_data".as_ptr(), Some(function), 1);
    }
    NIL
}

/// `close_connection(signature, after_writing)`: nil.
unsafe extern "C" fn close_connection(_: VALUE, sig: VALUE, after_writing: VALUE) -> VALUE {
    refuse_watched(
        sig,
        c"cannot close 'watch only' connections: use detach, and close its IO yourself",
    );
    with(sig, |streams, signature| {
        streams.close(signature, TEST(after_writing))
    });
    NIL
}

const NOT_PAUSED: &CStr =
    c"cannot pause/resume 'watch only' connections, set notify readable/writable instead";

unsafe extern "C" fn pause(_: VALUE, sig: VALUE) -> VALUE {
    refuse_watched(sig, NOT_PAUSED);
    truth(with(sig, Streams::pause).flatten() == Some(true))
}

unsafe extern "C" fn resume(_: VALUE, sig: VALUE) -> VALUE {
    refuse_watched(sig, NOT_PAUSED);
    truth(with(sig, Streams::resume).flatten() == Some(true))
}

unsafe extern "C" fn is_paused(_: VALUE, sig: VALUE) -> VALUE {
    truth(with(sig, |streams, signature| streams.is_paused(signature)).flatten() == Some(true))
}

unsafe extern "C" fn is_watch_only(_: VALUE, sig: VALUE) -> VALUE {
    let transport = with(sig, |streams, signature| streams.transport(signature)).flatten();
    truth(transport == Some(Transport::Watch))
}

fn is_watched_for(sig: VALUE, interest: Interest) -> VALUE {
    let watched = with(sig, |streams, signature| streams.watched(signature));
    truth(
        watched
            .flatten()
            .is_some_and(|watched| watched.has(interest)),
    )
}

unsafe extern "C" fn is_notify_readable(_: VALUE, sig: VALUE) -> VALUE {
    is_watched_for(sig, Interest::READABLE)
}

unsafe extern "C" fn is_notify_writable(_: VALUE, sig: VALUE) -> VALUE {
    is_watched_for(sig, Interest::WRITABLE)
}

fn watch_for(sig: VALUE, interest: Interest, on: VALUE, refusal: &CStr) -> VALUE {
    let is_watched = with(sig, |streams, signature| {
        if streams.transport(signature) != Some(Transport::Watch) {
            return streams.transport(signature).is_none();
        }
        let before = streams.watched(signature).map_or(0, Interest::bits);
        let bits = if TEST(on) {
            before | interest.bits()
        } else {
            before & !interest.bits()
        };
        streams.watch(signature, Interest::from_bits(bits))
    });
    if is_watched == Some(false) {
        raise(refusal);
    }
    NIL
}

unsafe extern "C" fn set_notify_readable(_: VALUE, sig: VALUE, on: VALUE) -> VALUE {
    watch_for(
        sig,
        Interest::READABLE,
        on,
        c"notify_readable must be on 'watch only' connections: this one reads by itself",
    )
}

unsafe extern "C" fn set_notify_writable(_: VALUE, sig: VALUE, on: VALUE) -> VALUE {
    watch_for(
        sig,
        Interest::WRITABLE,
        on,
        c"notify_writable must be on 'watch only' connections: this one writes by itself",
    )
}

unsafe extern "C" fn outbound_data_size(_: VALUE, sig: VALUE) -> VALUE {
    let size = with(sig, |streams, signature| streams.outbound_size(signature));
    integer(size.flatten().unwrap_or(0))
}

unsafe extern "C" fn proxied_bytes(_: VALUE, sig: VALUE) -> VALUE {
    let bytes = with(sig, |streams, signature| streams.proxied(signature));
    integer(usize::try_from(bytes.flatten().unwrap_or(0)).unwrap_or(usize::MAX))
}

/// `get_idle_time(signature)`: seconds since something was received or sent, nil if there is no such connection.
unsafe extern "C" fn idle_time(_: VALUE, sig: VALUE) -> VALUE {
    let signature = signature(sig);
    let Some(scheduler) = owner(signature) else {
        return NIL;
    };
    let now = scheduler.time.now();
    match scheduler
        .streams(|streams| streams.active(signature))
        .flatten()
    {
        Some(active) => seconds(Some(now.saturating_duration_since(active))),
        None => NIL,
    }
}

unsafe extern "C" fn inactivity_timeout(_: VALUE, sig: VALUE) -> VALUE {
    let timeout = with(sig, |streams, signature| {
        streams.inactivity_timeout(signature)
    });
    seconds(timeout.flatten().flatten())
}

unsafe extern "C" fn set_inactivity_timeout(_: VALUE, sig: VALUE, value: VALUE) -> VALUE {
    let limit = timeout(value);
    let done = with(sig, |streams, signature| {
        streams.set_inactivity_timeout(signature, limit)
    });
    truth(done == Some(true))
}

unsafe extern "C" fn connect_timeout(_: VALUE, sig: VALUE) -> VALUE {
    seconds(with(sig, |streams, signature| streams.connect_timeout(signature)).flatten())
}

/// Zero is taken for nothing.
unsafe extern "C" fn set_connect_timeout(_: VALUE, sig: VALUE, value: VALUE) -> VALUE {
    let Some(limit) = timeout(value) else {
        return truth(false);
    };
    let done = with(sig, |streams, signature| {
        streams.set_connect_timeout(signature, limit)
    });
    truth(done == Some(true))
}

/// `__add(descriptor, kind, connecting, most)`: the signature of a new stream. `kind` is :socket, :pipe, :datagram, :watch
/// or :server; :borrowed_… for a descriptor that is not closed with it.
unsafe extern "C" fn add(
    _: VALUE,
    fd: VALUE,
    kind: VALUE,
    connecting: VALUE,
    most: VALUE,
) -> VALUE {
    let fd = convert::int(fd);
    // SAFETY: `lib/evented/em` passes a symbol, whose name Ruby keeps.
    let kind = unsafe { CStr::from_ptr(rb_id2name(rb_sym2id(kind))) };
    let kind = kind.to_bytes();
    let (kind, owned) = match kind.strip_prefix(b"borrowed_") {
        Some(kind) => (kind, false),
        None => (kind, true),
    };
    let transport = match kind {
        b"socket" => Transport::Socket,
        b"pipe" => Transport::Pipe,
        b"datagram" => Transport::Datagram,
        b"server" => Transport::Server,
        _ => Transport::Watch,
    };
    let adding = Adding {
        transport,
        owned,
        connecting: TEST(connecting),
        most: (!NIL_P(most)).then(|| usize::try_from(convert::int(most)).unwrap_or(1)),
    };
    let scheduler = running(c"evma_attach_fd");
    let now = scheduler.time.now();
    let signature = scheduler.streams(|streams| streams.add(fd, adding, now));
    scheduler.streams_changed();
    signature.map_or(NIL, number)
}

/// `__fail(signature, errno)`: ends a stream with this pass, for this reason.
unsafe extern "C" fn fail(_: VALUE, sig: VALUE, errno: VALUE) -> VALUE {
    let errno = convert::int(errno);
    with(sig, |streams, signature| streams.fail(signature, errno));
    NIL
}

/// `__new_signature`: a number that nothing else has.
unsafe extern "C" fn new_signature(_: VALUE) -> VALUE {
    number(Signature::next())
}

/// `__alternatives(signature, sockaddrs)`: where else to connect to, if that fails or takes its time.
unsafe extern "C" fn alternatives(_: VALUE, sig: VALUE, addresses: VALUE) -> VALUE {
    // SAFETY: `lib/evented/em` passes an array of strings.
    let len = unsafe { rb_sys::RARRAY_LEN(addresses) };
    for index in 0..len {
        // SAFETY: within the array; a string.
        let (start, len) = unsafe {
            let mut string = rb_sys::rb_ary_entry(addresses, index);
            rb_string_value(&raw mut string);
            (RSTRING_PTR(string), RSTRING_LEN(string))
        };
        // SAFETY: the array keeps the string; nothing calls Ruby before the slice is gone.
        let bytes =
            unsafe { std::slice::from_raw_parts(start.cast(), usize::try_from(len).unwrap_or(0)) };
        if let Some(address) = Address::from_bytes(bytes) {
            with(sig, |streams, signature| {
                streams.add_alternative(signature, address)
            });
        }
    }
    NIL
}

/// `get_peername(signature)`: the sockaddr of the other end, of a datagram socket that of the last sender; nil if there is
/// no such connection. Raises RuntimeError if it is not connected.
unsafe extern "C" fn peername(_: VALUE, sig: VALUE) -> VALUE {
    let sender = with(sig, |streams, signature| streams.last_sender(signature));
    if let Some(sender) = sender.flatten() {
        return sockaddr(&sender);
    }
    name(sig, c"peer", op::peer_name)
}

/// `get_sockname(signature)`: the sockaddr of this end.
unsafe extern "C" fn sockname(_: VALUE, sig: VALUE) -> VALUE {
    name(sig, c"sock", op::socket_name)
}

fn name(sig: VALUE, which: &CStr, ask: fn(i32) -> Result<Address, i32>) -> VALUE {
    match with(sig, |streams, signature| streams.fd(signature))
        .flatten()
        .map(ask)
    {
        None => NIL,
        Some(Ok(address)) => sockaddr(&address),
        // SAFETY: with the GVL; the format takes two C strings.
        Some(Err(errno)) => unsafe {
            rb_raise(
                rb_eRuntimeError,
                c"unable to get %s name: %s".as_ptr(),
                which.as_ptr(),
                libc::strerror(errno),
            )
        },
    }
}

fn sockaddr(address: &Address) -> VALUE {
    let bytes = address.as_bytes();
    // SAFETY: Ruby copies the bytes.
    unsafe { rb_str_new(bytes.as_ptr().cast(), bytes.len() as _) }
}

/// `__own(signature, connection)`: whose callbacks it has.
unsafe extern "C" fn own(_: VALUE, sig: VALUE, connection: VALUE) -> VALUE {
    truth(with(sig, |streams, signature| streams.own(signature, connection)) == Some(true))
}

/// `__hold(signature)`: has its events wait until `__made`. Whether they did not before.
unsafe extern "C" fn hold(_: VALUE, sig: VALUE) -> VALUE {
    truth(with(sig, Streams::hold) == Some(true))
}

/// `__made(signature)`: its object has been made.
unsafe extern "C" fn made(_: VALUE, sig: VALUE) -> VALUE {
    with(sig, Streams::done);
    NIL
}

/// `__detach(signature)`: its descriptor, which no request is left on; nil if there is no such stream.
unsafe extern "C" fn detach(_: VALUE, sig: VALUE) -> VALUE {
    let signature = signature(sig);
    let Some(scheduler) = owner(signature) else {
        return NIL;
    };
    // SAFETY: with the GVL.
    if unsafe { rb_sys::rb_thread_current() } != scheduler.thread() {
        raise(c"a connection can only be detached by the thread of its reactor: use EM.schedule");
    }
    let fd = scheduler.streams_and_driver(|streams, driver| streams.detach(signature, driver));
    let Some(Some(fd)) = fd else {
        return NIL;
    };
    // The kernel stops receiving for us before anybody else does.
    crate::turn::ask(scheduler);
    fixnum(fd.into())
}

unsafe extern "C" fn descriptor(_: VALUE, sig: VALUE) -> VALUE {
    let fd = with(sig, |streams, signature| streams.fd(signature)).flatten();
    fd.map_or(NIL, |fd| fixnum(fd.into()))
}

unsafe extern "C" fn has_descriptor(_: VALUE, fd: VALUE) -> VALUE {
    let fd = convert::int(fd);
    let has =
        current().and_then(|scheduler| scheduler.streams(|streams| streams.has_descriptor(fd)));
    truth(has == Some(true))
}

unsafe extern "C" fn is_accepted(_: VALUE, sig: VALUE) -> VALUE {
    truth(with(sig, |streams, signature| streams.is_accepted(signature)).flatten() == Some(true))
}

/// `__transport(signature)`: its kind, as [`add`] takes it; nil if there is no such stream.
unsafe extern "C" fn transport(_: VALUE, sig: VALUE) -> VALUE {
    let name = match with(sig, |streams, signature| streams.transport(signature)).flatten() {
        None => return NIL,
        Some(Transport::Socket) => c"socket",
        Some(Transport::Pipe) => c"pipe",
        Some(Transport::Datagram) => c"datagram",
        Some(Transport::Server) => c"server",
        Some(Transport::Watch) => c"watch",
    };
    // SAFETY: with the GVL.
    unsafe { rb_sys::rb_id2sym(rb_sys::rb_intern(name.as_ptr())) }
}

/// `__send_datagram(signature, data, sockaddr)`: bytes queued; nil if it is no datagram socket.
unsafe extern "C" fn send_datagram(_: VALUE, sig: VALUE, data: VALUE, to: VALUE) -> VALUE {
    let (mut data, mut to) = (data, to);
    // SAFETY: raises TypeError for what is no string.
    let (bytes, address) = unsafe {
        rb_string_value(&raw mut data);
        rb_string_value(&raw mut to);
        let slice = |string: VALUE| {
            let len = usize::try_from(RSTRING_LEN(string)).unwrap_or(0);
            std::slice::from_raw_parts(RSTRING_PTR(string).cast::<u8>(), len)
        };
        (slice(data), Address::from_bytes(slice(to)))
    };
    let Some(address) = address else {
        return NIL;
    };
    let sent = with(sig, |streams, signature| {
        streams.send_datagram(signature, bytes, address)
    });
    std::hint::black_box((data, to));
    sent.flatten().map_or(NIL, integer)
}

/// `__sends_files?(signature)`: whether [`send_file`] can be used.
unsafe extern "C" fn sends_files(_: VALUE, sig: VALUE) -> VALUE {
    truth(with(sig, |streams, signature| streams.sends_files(signature)) == Some(true))
}

/// `__send_file(signature, descriptor, offset, length)`: queues part of a file, which may be closed at once. Bytes
/// queued, 0 if the connection is about to close; -1 if it can't, or there is none.
unsafe extern "C" fn send_file(
    _: VALUE,
    sig: VALUE,
    file: VALUE,
    offset: VALUE,
    length: VALUE,
) -> VALUE {
    let file = convert::int(file);
    // SAFETY: raises TypeError for what is no number.
    let (offset, length) = unsafe { (rb_num2ll(offset), rb_num2ll(length)) };
    let (Ok(offset), Ok(length)) = (u64::try_from(offset), usize::try_from(length)) else {
        raise(c"a part of a file has neither a negative offset nor a negative length");
    };
    // SAFETY: only borrowed until it has been duplicated; `lib/evented/em` keeps the file open meanwhile.
    let file = match unsafe { BorrowedFd::borrow_raw(file) }.try_clone_to_owned() {
        Ok(file) => file,
        // SAFETY: with the GVL.
        Err(error) => unsafe {
            rb_sys::rb_syserr_fail(error.raw_os_error().unwrap_or(0), std::ptr::null())
        },
    };
    let sent = with(sig, |streams, signature| {
        streams.send_file(signature, file, offset, length)
    });
    sent.flatten().map_or(fixnum(-1), integer)
}

/// `__last_sender(signature)`: the sockaddr of the last datagram, nil if there was none.
unsafe extern "C" fn last_sender(_: VALUE, sig: VALUE) -> VALUE {
    match with(sig, |streams, signature| streams.last_sender(signature)).flatten() {
        Some(address) => sockaddr(&address),
        None => NIL,
    }
}

/// `__start_proxy(from, to, most_unsent, length)`: nil, or :none or :busy.
unsafe extern "C" fn start_proxy(
    _: VALUE,
    from: VALUE,
    to: VALUE,
    most: VALUE,
    length: VALUE,
) -> VALUE {
    let to = signature(to);
    // SAFETY: raises TypeError for what is no number.
    let (most, length) = unsafe { (rb_num2ll(most), rb_num2ll(length)) };
    let (most, length) = (
        usize::try_from(most).unwrap_or(0),
        u64::try_from(length).unwrap_or(0),
    );
    let outcome = with(from, |streams, from| {
        streams.start_proxy(from, to, most, length)
    });
    let refusal = match outcome {
        Some(Ok(())) => return NIL,
        Some(Err(ProxyRefusal::BusyTarget)) => c"busy",
        Some(Err(ProxyRefusal::NoStream)) | None => c"none",
    };
    // SAFETY: with the GVL.
    unsafe { rb_sys::rb_id2sym(rb_sys::rb_intern(refusal.as_ptr())) }
}

unsafe extern "C" fn stop_proxy(_: VALUE, from: VALUE) -> VALUE {
    truth(with(from, Streams::stop_proxy) == Some(true))
}

/// `__add_timer(seconds)`: the signature of a timer. Negative is at once.
unsafe extern "C" fn add_timer(_: VALUE, after: VALUE) -> VALUE {
    // SAFETY: raises TypeError for what is no number.
    let after = unsafe { rb_num2dbl(after) };
    let scheduler = running(c"evma_install_oneshot_timer");
    let after = Duration::try_from_secs_f64(after.max(0.0)).unwrap_or(FAR);
    let deadline = scheduler.time.now() + after.min(FAR);
    let timer = scheduler.streams(|streams| streams.add_timer(deadline));
    scheduler.streams_changed();
    timer.map_or(NIL, number)
}

/// Nobody waits for longer: 30 years.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

unsafe extern "C" fn cancel_timer(_: VALUE, timer: VALUE) -> VALUE {
    let timer = signature(timer);
    let cancelled = super::open().iter().any(|&scheduler| {
        // SAFETY: schedulers leave the list before they are freed.
        let scheduler = unsafe { &*scheduler };
        scheduler.streams(|streams| streams.cancel_timer(timer)) == Some(true)
    });
    truth(cancelled)
}

unsafe extern "C" fn timers(_: VALUE) -> VALUE {
    integer(
        running(c"evma_get_timer_count")
            .streams(|streams| streams.timers())
            .unwrap_or(0),
    )
}

unsafe extern "C" fn count(_: VALUE) -> VALUE {
    integer(
        running(c"evma_get_connection_count")
            .streams(|streams| streams.len())
            .unwrap_or(0),
    )
}

unsafe extern "C" fn ending(_: VALUE) -> VALUE {
    integer(
        running(c"evma_num_close_scheduled")
            .streams(|streams| streams.ending())
            .unwrap_or(0),
    )
}

/// `__signatures`: of all streams.
unsafe extern "C" fn signatures(_: VALUE) -> VALUE {
    let all = current().and_then(|scheduler| scheduler.streams(|streams| streams.signatures()));
    let all: Vec<VALUE> = all.unwrap_or_default().into_iter().map(number).collect();
    // SAFETY: Ruby copies the numbers. Should it be out of memory, the list is lost with it.
    unsafe { rb_sys::rb_ary_new_from_values(all.len() as _, all.as_ptr()) }
}

/// `__want_ticks(scheduler)`: has `tick` called soon. Any thread, and a signal handler.
unsafe extern "C" fn want_ticks(_: VALUE, scheduler: VALUE) -> VALUE {
    if let Some(scheduler) = Scheduler::reach(scheduler) {
        scheduler.streams(Streams::want_ticks);
        scheduler.wake();
    }
    NIL
}

/// `__stop(scheduler)`: has the reactor stop at the end of this pass, or of the next. As above.
unsafe extern "C" fn stop(_: VALUE, scheduler: VALUE) -> VALUE {
    if let Some(scheduler) = Scheduler::reach(scheduler) {
        scheduler.streams(Streams::stop);
        scheduler.wake();
    }
    NIL
}

unsafe extern "C" fn is_stopping(_: VALUE, scheduler: VALUE) -> VALUE {
    let stopping = Scheduler::reach(scheduler)
        .and_then(|scheduler| scheduler.streams(|streams| streams.is_stopping()));
    truth(stopping == Some(true))
}

/// The scheduler whose streams this thread means; raises EventMachine's error if no reactor runs.
fn running(name: &CStr) -> &'static Scheduler {
    match current() {
        Some(scheduler) => scheduler,
        // SAFETY: with the GVL; the format takes one C string.
        None => unsafe {
            rb_raise(
                rb_eRuntimeError,
                c"eventmachine not initialized: %s".as_ptr(),
                name.as_ptr(),
            )
        },
    }
}
