# frozen_string_literal: true

require "support/event_machine"

# What ends the process in EventMachine, because nobody catches an exception of C++, raises here, and says the same
# (what to do about it may follow).
class EMUsageErrorsTest < Minitest::Test
  NO_TLS = "SSL/TLS not running on this connection"
  NOT_PAUSED = "cannot pause/resume 'watch only' connections, set notify readable/writable instead"
  TWICE = "adding existing new descriptor"

  # What is done in a running reactor, with a connection and the end of a pipe to read from, and what is said.
  ERRORS = {
    get_cipher_name_without_tls: ["connection.get_cipher_name", NO_TLS],
    get_cipher_bits_without_tls: ["connection.get_cipher_bits", NO_TLS],
    get_cipher_protocol_without_tls: ["connection.get_cipher_protocol", NO_TLS],
    get_peer_cert_without_tls: ["connection.get_peer_cert", NO_TLS],
    get_sni_hostname_without_tls: ["connection.get_sni_hostname", NO_TLS],
    a_second_start_tls: ["2.times { connection.start_tls }", "call SetTlsParms before calling StartTls"],
    a_quantum_that_is_too_short: ["EM.set_quantum(4)", "invalid timer-quantum"],
    a_quantum_that_is_too_long: ["EM.set_quantum(300_001)", "invalid timer-quantum"],
    send_data_on_what_is_watched: ["EM.watch(reader).send_data('x')", "cannot send data on a 'watch only' connection"],
    close_connection_of_what_is_watched:
      ["EM.watch(reader).close_connection", "cannot close 'watch only' connections"],
    pause_of_what_is_watched: ["EM.watch(reader).pause", NOT_PAUSED],
    resume_of_what_is_watched: ["EM.watch(reader).resume", NOT_PAUSED],
    notify_readable_of_a_connection:
      ["connection.notify_readable = true", "notify_readable must be on 'watch only' connections"],
    notify_writable_of_a_connection:
      ["connection.notify_writable = true", "notify_writable must be on 'watch only' connections"],
    watching_a_descriptor_twice: ["2.times { EM.watch(reader) }", TWICE],
    attaching_a_descriptor_twice: ["2.times { EM.attach(reader) }", TWICE],
    attaching_a_descriptor_that_is_not_there: ["EM.attach(9999)", "Bad file descriptor"],
    watching_a_descriptor_that_is_not_there: ["EM.watch(9999)", "Bad file descriptor"],
    stop_server_of_what_is_no_server: ["EM.stop_server(12_345)", "failed to close nonexistent acceptor"],
    a_unix_path_that_is_too_long:
      ["EM.connect_unix_domain('/' + 'x' * 200)", "unix-domain server name is too long"],
    an_unknown_user: ["EM.set_effective_user('no such user')", "setuid_string failed: unknown username"]
  }.freeze

  ERRORS.each do |what, (code, text)|
    define_method("test_#{what}_raises") do
      next assert_equal(text, last_words(code)) if ORACLE

      error, = raised_in_reactor(code)

      assert_instance_of RuntimeError, error
      assert_includes error.message, text
    end

    define_method("test_#{what}_does_the_reactor_no_harm") do
      not_of_eventmachine "is over"
      _, received = raised_in_reactor(code)

      assert_equal ["goes on"], received
    end
  end

  # epoll does not watch one, and EventMachine aborts then; with select it is always ready.
  def test_a_regular_file_can_be_watched_or_raises
    not_of_eventmachine "aborts with epoll"
    log = []
    em do
      file = File.open(__FILE__) # rubocop:disable Style/FileOpen -- it is closed when the test process ends
      begin
        watch = EM.watch(file, Module.new { define_method(:notify_readable) { EM.stop if log << :readable } })
        watch.notify_readable = true
      rescue RuntimeError, SystemCallError => e
        log << e
        EM.stop
      end
    end

    refute_empty log
  end

  private

  # @return [Array(Exception, Array<String>)] what was raised, and what an uninvolved connection received afterwards
  def raised_in_reactor(code)
    reader, writer = IO.pipe
    log = []
    error = nil
    em do
      connection = EM.attach(UNIXSocket.pair.first) # for the code
      refute_nil connection
      error = raised_by { eval(code, binding) } # rubocop:disable Security/Eval
      ours, theirs = UNIXSocket.pair
      EM.attach(ours, Told, log, :other, receive_data: ->(*) { EM.stop })
      theirs.write("goes on")
    end
    [error, log.filter_map { |_, event, data| data if event == :receive_data }]
  ensure
    [reader, writer].each { |io| io.close unless io.closed? }
  end

  # What EventMachine says while it aborts.
  def last_words(code)
    _, errors, status = em_process(<<~RUBY, rlimit_core: 0)
      reader, writer = IO.pipe
      EM.run do
        connection = EM.attach(UNIXSocket.pair.first) # for the code

        #{code}
        EM.add_timer(0.05) { EM.stop }
      end
    RUBY
    assert_equal Signal.list["ABRT"], status.termsig, "#{code}: #{status}"
    errors[/what\(\):\s+(.*)/, 1]
  end
end
