# frozen_string_literal: true

require "support/event_machine"

# What goes wrong with one connection is of no concern to any other.
class EMBadInputTest < Minitest::Test
  class Boom < StandardError; end

  TOTAL = 400_000

  # What is done to the reactor while another connection receives its bytes.
  TROUBLE = {
    peers_that_reset: lambda { |port|
      TCPSocket.open(HOST, port) do |socket|
        socket.setsockopt(:SOCKET, :LINGER, [1, 0].pack("ii"))
        socket.write("bad")
      end
    },
    peers_that_do_not_read: lambda { |port|
      (@silent ||= []) << TCPSocket.new(HOST, port).tap { |socket| socket.write("flood") }
    },
    half_open_peers: ->(port) { (@half ||= []) << TCPSocket.new(HOST, port).tap(&:close_write) },
    callbacks_that_raise: ->(port) { TCPSocket.open(HOST, port) { |socket| socket.write("raise") } },
    ticks_that_raise: ->(_) { EM.next_tick { raise Boom } },
    timers_that_raise: ->(_) { EM.add_timer(0) { raise Boom } },
    refused_connections: ->(_) { EM.connect(HOST, 1) },
    io_closed_by_others: lambda { |_|
      reader, = IO.pipe
      EM.attach(reader)
      EM.next_tick { reader.close }
    },
    watched_io_closed_by_others: lambda { |_|
      reader, = IO.pipe
      EM.watch(reader, Module.new { def notify_readable = nil }) { |watch| watch.notify_readable = true }
      EM.next_tick { reader.close }
    },
    usage_errors: lambda { |_|
      EM.next_tick { EM.attach(9999) }
      EM.next_tick { EM.stop_server(9999) }
    }
  }.freeze

  def setup
    not_of_eventmachine "aborts, spins or hangs for some of this"
    @log = []
  end

  TROUBLE.each do |what, cause|
    define_method("test_#{what}_cost_no_other_connection_a_byte") do
      received = +""
      sent = Random.new(3).bytes(TOTAL)
      em do
        EM.error_handler { |error| @log << error }
        _, good = serve(Told, [], :good, receive_data: ->(_, data) { EM.stop if (received << data).bytesize == TOTAL })
        _, bad = serve(Told, [], :bad, receive_data: method(:misbehave).to_proc)
        EM.connect(HOST, good) do |client|
          left = sent.dup
          EM.add_periodic_timer(0.002) do
            client.send_data(left.slice!(0, 10_000)) unless left.empty?
            EM.next_tick { instance_exec(bad, &cause) }
          end
        end
      end

      assert_equal sent, received
    end
  end

  def test_other_threads_can_send
    em do
      _, port = serve(Told, [], :accepted, receive_data: lambda { |_, data|
        EM.stop if (@log << data).join.bytesize == 1000
      })
      EM.connect(HOST, port) do |client|
        10.times { |number| Thread.new { 10.times { client.send_data(number.to_s * 10) } } }
      end
    end
    text = @log.join

    assert_equal 100, text.bytesize / 10
    10.times { |number| assert_equal 100, text.count(number.to_s) }
  end

  def test_after_the_end_functions_say_that_there_is_no_reactor
    connection = nil
    em do
      connection = EM.attach(IO.pipe.first)
      EM.stop
    end

    assert_raises(RuntimeError) { EM.connect(HOST, 9) }
    assert_raises(RuntimeError) { EM.add_timer(1) { nil } }
    assert_equal [-1, nil, nil, true],
                 [connection.send_data("x"), connection.close_connection, connection.get_peername, connection.error?]
  end

  def test_the_connection_of_one_run_means_nothing_in_the_next
    connection = nil
    em do
      connection = EM.attach(UNIXSocket.pair.first)
      EM.stop
    end
    em do
      EM.attach(UNIXSocket.pair.first)
      @log << connection.send_data("x") << connection.error?
      EM.stop
    end

    assert_equal [-1, true], @log
  end

  def test_garbage_as_data_is_taken_as_text_or_refused
    em do
      connection = EM.attach(UNIXSocket.pair.first)
      @log << connection.send_data(nil) << connection.send_data([1, 2]) << connection.send_data("\xFF\0")
      @log << raised_by { connection.send_data(BasicObject.new) }.class
      EM.stop
    end

    assert_equal [0, 6, 2, NoMethodError], @log
  end

  private

  def misbehave(connection, data)
    raise Boom if data == "raise"

    connection.send_data("x" * 1_000_000) if data == "flood" && connection.get_outbound_data_size.zero?
  end
end
