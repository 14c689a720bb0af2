# frozen_string_literal: true

require "support/event_machine"
require "tmpdir"

# Servers.
class EMServersTest < Minitest::Test
  # Takes an argument.
  class Picky < EM::Connection
    def initialize(wanted)
      super()
      @wanted = wanted
    end
  end

  def setup
    @log = []
  end

  def test_start_server_returns_a_signature_whose_port_can_be_asked_for
    em do
      signature, port = serve
      @log << signature << port << EM.get_peername(1 << 40)
      EM.stop
    end

    assert_kind_of Integer, @log[0]
    assert_operator @log[1], :>, 0
    assert_nil @log[2]
  end

  def test_the_port_may_be_a_string
    em do
      assert_operator port_of(EM.start_server(HOST, "0")), :>, 0
      EM.stop
    end
  end

  def test_no_host_is_every_address_and_names_are_looked_up
    em do
      @log << address_of(EM.start_server("", 0)) << address_of(EM.start_server("localhost", 0))
      EM.stop
    end

    assert_equal "0.0.0.0", @log[0]
    assert_includes ["127.0.0.1", "::1"], @log[1]
  end

  def test_it_may_be_ipv6
    em do
      port = port_of(EM.start_server("::1", 0, Told, @log, :accepted, unbind: ->(*) { EM.stop }))
      client = TCPSocket.new("::1", port)
      EM.add_timer(0.01) { client.close }
    end

    assert_equal %i[initialize post_init unbind], of(@log, :accepted)
  end

  def test_an_accepted_connection_is_initialized_then_set_up_then_given_to_the_block
    em do
      note = ->(connection) { @log << [:accepted, :block, connection.class] }
      _, port = serve(Told, @log, :accepted, receive_data: ->(*) { EM.stop }, &note)
      EM.defer { TCPSocket.open(HOST, port) { |client| client.write("hi") and client.read } }
    end

    assert_equal %i[initialize post_init block receive_data unbind], of(@log, :accepted)
    assert_includes @log, [:accepted, :block, Told]
    assert_includes @log, [:accepted, :receive_data, "hi"]
  end

  def test_the_handler_may_be_a_module_whose_methods_can_call_super
    log = @log
    handler = Module.new do
      define_method(:post_init) { log << [:post_init, super()] }
      define_method(:unbind) { |*| log << super() and EM.stop }
    end
    em do
      _, port = serve(handler)
      TCPSocket.new(HOST, port).close
    end

    assert_equal [[:post_init, nil]], @log.first(1)
  end

  def test_without_a_handler_it_is_a_connection
    em do
      _, port = serve { |connection| EM.stop if @log << connection.class }
      TCPSocket.new(HOST, port)
    end

    assert_equal [EM::Connection], @log
  end

  def test_a_handler_that_is_no_connection_is_refused
    em do
      @log << assert_raises(ArgumentError) { serve(String) }.message
      @log << assert_raises(ArgumentError) { EM.connect(HOST, 9, String) }.message
      EM.stop
    end

    assert_equal 2, @log.grep(/\Amust provide module or subclass of \S*Connection\z/).size
  end

  def test_a_handler_that_is_neither_module_nor_class_is_refused
    em do
      assert_raises(TypeError) { serve(3) }
      assert_raises(TypeError) { EM.connect(HOST, 9, "Handler") }
      EM.stop
    end
  end

  def test_a_wrong_number_of_arguments_is_told_at_once
    em do
      @log << assert_raises(ArgumentError) { serve(Picky) }.message
      @log << assert_raises(ArgumentError) { serve(Picky, 1, 2) }.message
      EM.stop
    end

    assert_equal ["wrong number of arguments for EMServersTest::Picky#initialize (0 for 1)",
                  "wrong number of arguments for EMServersTest::Picky#initialize (2 for 1)"], @log
  end

  def test_a_port_in_use_is_an_error_and_so_is_a_foreign_address_or_an_unknown_name
    em do
      _, port = serve
      [[HOST, port], ["192.0.2.1", 0], ["no.such.host.invalid", 0]].each do |address|
        @log << assert_raises(RuntimeError) { EM.start_server(*address) }.message
      end
      EM.stop
    end

    assert_equal ["no acceptor (port is in use or requires root privileges)"], @log.uniq
  end

  def test_a_stopped_server_refuses_and_its_connections_go_on
    em do
      server, port = serve(Told, @log, :accepted, receive_data: ->(*) { EM.stop })
      client = TCPSocket.new(HOST, port)
      wait_for_accept do
        @log << EM.stop_server(server)
        EM.add_timer(0.02) do
          @log << raised_by { TCPSocket.new(HOST, port) }.class
          client.write("still here")
        end
      end
    end

    assert_includes @log, nil
    assert_includes @log, Errno::ECONNREFUSED
    assert_includes @log, [:accepted, :receive_data, "still here"]
  end

  def test_a_stopped_server_is_forgotten
    em do
      server, = serve
      EM.stop_server(server)
      EM.add_timer(0.02) do
        @log << EM.get_sockname(server)
        EM.stop
      end
    end

    assert_equal [nil], @log
  end

  def test_accepted_sockets_have_no_delay_and_are_closed_on_exec
    em do
      _, port = serve do |connection|
        @log << connection.get_sock_opt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY).unpack1("i")
        @log << closed_on_exec.all?
        EM.stop
      end
      TCPSocket.new(HOST, port)
    end

    assert_equal [1, true], @log
  end

  def test_several_clients_are_told_apart
    em do
      _, port = serve(Told, @log, :accepted, receive_data: ->(connection, data) { connection.send_data(data.reverse) })
      %w[abc def ghi].each do |word|
        EM.connect(HOST, port, Told, @log, word.to_sym,
                   connection_completed: ->(client) { client.send_data(word) },
                   receive_data: ->(client, _) { client.close_connection })
      end
      stop_once { @log.count { |_, event| event == :unbind } == 6 }
    end

    %w[abc def ghi].each { |word| assert_includes @log, [word.to_sym, :receive_data, word.reverse] }
  end

  def test_a_path_instead_of_host_and_port_is_a_unix_socket
    in_directory do |path|
      em do
        EM.start_server(path, Told, @log, :accepted, receive_data: ->(*) { EM.stop })
        UNIXSocket.new(path).write("hi")
      end

      assert_equal %i[initialize post_init receive_data unbind], of(@log, :accepted)
    end
  end

  def test_a_unix_socket_replaces_an_old_one_and_stays_behind
    in_directory do |path|
      UNIXServer.new(path).close
      em do
        EM.start_unix_domain_server(path, Told, @log, :accepted, post_init: ->(*) { EM.stop })
        UNIXSocket.new(path)
      end

      assert_equal %i[initialize post_init unbind], of(@log, :accepted)
      assert File.socket?(path)
    end
  end

  def test_a_file_is_not_replaced_by_a_unix_socket
    not_of_eventmachine "deletes whatever has the name"
    in_directory do |path|
      File.write(path, "in the way")
      em do
        assert_raises(RuntimeError) { EM.start_unix_domain_server(path) }
        EM.stop
      end

      assert_equal "in the way", File.read(path)
    end
  end

  def test_a_unix_socket_where_none_can_be_is_an_error
    em do
      @log << assert_raises(RuntimeError) { EM.start_server("/nowhere/at/all") }.message
      EM.stop
    end

    assert_equal ["no unix-domain acceptor"], @log
  end

  def test_a_server_of_ruby_can_be_attached
    socket = TCPServer.new(HOST, 0)
    em do
      EM.attach_server(socket, Told, @log, :accepted, receive_data: ->(*) { EM.stop })
      TCPSocket.new(HOST, socket.addr[1]).write("hi")
    end

    assert_equal %i[initialize post_init receive_data unbind], of(@log, :accepted)
  ensure
    suppress_bad_descriptor { socket.close }
  end

  def test_a_descriptor_can_be_attached_as_a_server
    socket = TCPServer.new(HOST, 0)
    copy = socket.dup
    copy.autoclose = false
    em do
      @log << EM.attach_server(copy.fileno, Told, @log, :accepted, post_init: ->(*) { EM.stop })
      TCPSocket.new(HOST, socket.addr[1])
    end

    assert_kind_of Integer, @log.first
    assert_equal %i[initialize post_init unbind], of(@log.drop(1), :accepted)
  ensure
    socket.close
  end

  def test_what_a_handler_raises_in_its_beginning_leaves_run
    %i[initialize post_init].each do |event|
      error = assert_raises(IOError) do
        em do
          _, port = serve(Told, @log, :accepted, event => ->(*) { raise IOError, event.to_s })
          TCPSocket.new(HOST, port)
        end
      end

      assert_equal event.to_s, error.message
    end
  end

  def test_without_descriptors_left_accepting_pauses
    not_of_eventmachine "spins when there are no descriptors left"
    assert_equal "true\ntrue\n", output_of_em(<<~'RUBY')
      _, hard = Process.getrlimit(:NOFILE)
      Process.setrlimit(:NOFILE, 64, hard)
      accepted = 0
      client = nil
      EM.run do
        server = EM.start_server("127.0.0.1", 0) { accepted += 1 }
        port, = Socket.unpack_sockaddr_in(EM.get_sockname(server))
        script = "clients = Array.new(30) { TCPSocket.new('127.0.0.1', #{port}) }; sleep"
        client = spawn(RbConfig.ruby, "-rsocket", "-e", script, rlimit_nofile: [1024, hard])
        hogs = []
        begin
          loop { hogs << File.open(File::NULL) }
        rescue Errno::EMFILE
          hogs.pop(5).each(&:close)
        end
        used = -> { Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) }
        full = EM.add_periodic_timer(0.02) do
          next if accepted < 5

          full.cancel
          before = used.call
          EM.add_timer(0.5) do
            puts used.call - before < 0.2
            hogs.each(&:close)
            EM.add_periodic_timer(0.02) { EM.stop if accepted >= 20 }
          end
        end
      end
      Process.kill(:KILL, client)
      puts accepted >= 20
    RUBY
  end

  private

  def address_of(signature) = Socket.unpack_sockaddr_in(EM.get_sockname(signature)).last

  def in_directory
    Dir.mktmpdir { |directory| yield File.join(directory, "socket") }
  end

  def wait_for_accept(&block)
    return yield if @log.any? { |_, event| event == :post_init }

    EM.add_timer(0.002) { wait_for_accept(&block) }
  end

  def suppress_bad_descriptor
    yield
  rescue Errno::EBADF
    # EventMachine has closed it.
  end

  # Whether each socket of this process is closed in a program that it becomes.
  def closed_on_exec
    Dir.children("/proc/self/fd").filter_map do |number|
      flags = File.read("/proc/self/fdinfo/#{number}")[/^flags:\s+(\d+)/, 1].to_i(8) if socket?(number)
      flags&.anybits?(0o2000000)
    rescue SystemCallError
      nil
    end
  end

  def socket?(number) = File.readlink("/proc/self/fd/#{number}").start_with?("socket:")
end
