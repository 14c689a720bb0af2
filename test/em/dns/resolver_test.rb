# frozen_string_literal: true

require "helper"
if ENV["EM_ORACLE"]
  require "eventmachine"
else
  require "evented/em"
  EM = Evented::EM unless defined?(EM)
end
require "support/em_running"
require "support/name_server"

class EMResolverTest < Minitest::Test
  include EMRunning

  # EventMachine's asks this port only.
  FIXED = ENV["EM_ORACLE"] ? ["127.0.0.53", 53] : ["127.0.0.1", 0]

  def setup
    skip "EventMachine asks port 53, which takes root" if ENV["EM_ORACLE"] && !Process.uid.zero?
    @log = []
    @former = EM::DNS::Resolver.nameservers
    # Read once; in a callback that would suspend.
    EM::DNS::Resolver.hosts
  end

  def teardown
    @server&.close
    EM::DNS::Resolver.nameservers = @former
    EM::DNS::Resolver.nameserver_port = 53 unless ENV["EM_ORACLE"]
    super
  end

  def test_addresses_of_a_host_are_found
    serve { |answer, name| add(answer, name, "192.0.2.1") }

    assert_equal [:ok, ["192.0.2.1"]], resolve("www.example.com")
    question = @server.questions.first
    assert_equal [1, 0, 0], [question.rd, question.qr, question.opcode]
    assert_equal([["www.example.com", NameServer::A]], question.question.map { |name, type| [name.to_s, type] })
  end

  def test_several_addresses_come_in_the_order_of_the_answer_those_of_ipv6_too
    serve do |answer, name|
      answer.add_answer(name, 60, Resolv::DNS::Resource::IN::CNAME.new(Resolv::DNS::Name.create("other.")))
      add(answer, "other", "192.0.2.2", "192.0.2.1")
      answer.add_answer("other", 60, NameServer::AAAA.new("2001:db8::1"))
      nil
    end

    assert_equal [:ok, %w[192.0.2.2 192.0.2.1 2001:db8::1]], resolve("www.example.com")
  end

  def test_what_the_server_says_else_is_the_failure
    serve do |answer, name|
      answer.rcode = 3 if name.start_with?("unknown")
      nil
    end

    assert_equal [:failed, "rcode=3"], resolve("unknown.example.com")
    assert_equal [:failed, "rcode=0"], resolve("empty.example.com")
  end

  def test_other_kinds_of_answers_are_no_addresses
    serve { |answer, name| answer.add_answer(name, 60, Resolv::DNS::Resource::IN::TXT.new("hello")) && nil }

    assert_equal [:failed, "rcode=0"], resolve("www.example.com")
  end

  def test_a_server_that_is_silent_is_asked_again
    serve { |answer, name| @server.questions.size < 3 ? [] : add(answer, name, "192.0.2.1") }

    assert_equal [:ok, ["192.0.2.1"]], resolve("www.example.com") { |request| request.retry_interval = 0.05 }
    assert_equal [3, 1], [@server.questions.size, @server.questions.map(&:id).uniq.size]
  end

  def test_a_server_that_stays_silent_is_given_up
    serve { [] }
    answer = resolve("www.example.com") do |request|
      assert_equal [3, 5], [request.retry_interval, request.max_tries]
      request.retry_interval = 0.05
      request.max_tries = 2
    end

    assert_equal [:failed, "retries exceeded"], answer
    assert_equal 2, @server.questions.size
  end

  def test_answers_to_other_questions_are_left_out
    serve do |answer, name|
      add(answer, name, "192.0.2.66")
      forged = answer.encode
      right = answer.dup
      right.answer.clear
      add(right, name, "192.0.2.1")
      [[answer.id ^ 1].pack("n") + forged.byteslice(2..), right.encode]
    end

    assert_equal [:ok, ["192.0.2.1"]], resolve("www.example.com")
  end

  def test_what_is_no_answer_to_the_question_is_left_out
    skip "EventMachine believes it" if ENV["EM_ORACLE"]
    serve do |answer, name|
      add(answer, name, "192.0.2.66")
      question = answer.dup.tap { |message| message.qr = 0 }.encode
      other = Resolv::DNS::Message.new(answer.id).tap { |message| message.qr = 1 }
      other.add_question("evil.example.com", NameServer::A)
      add(other, "evil.example.com", "192.0.2.66")
      answer.answer.clear
      add(answer, name, "192.0.2.1")
      [question, other.encode, answer.encode]
    end

    assert_equal [:ok, ["192.0.2.1"]], resolve("www.example.com")
  end

  def test_who_is_not_the_server_is_not_believed
    skip "EventMachine believes everybody" if ENV["EM_ORACLE"]
    stranger = UDPSocket.new.tap { |socket| socket.bind("127.0.0.2", 0) }
    serve { |answer, name| add(answer, name, "192.0.2.1") }
    em do
      socket = EM::DNS::Resolver.socket
      port = Socket.unpack_sockaddr_in(socket.get_sockname).first
      request = EM::DNS::Resolver.resolve("www.example.com")
      EM.next_tick do
        forged = Resolv::DNS::Message.new(request.instance_variable_get(:@id)).tap { |message| message.qr = 1 }
        forged.add_answer("www.example.com", 60, NameServer::A.new("192.0.2.66"))
        stranger.send(forged.encode, 0, "127.0.0.1", port)
      end
      request.callback { |list| (@log << list) && EM.stop }
    end

    assert_equal [["192.0.2.1"]], @log
  ensure
    stranger&.close
  end

  def test_garbage_is_left_out
    skip "EventMachine raises" if ENV["EM_ORACLE"]
    random = Random.new(Minitest.seed)
    serve do |answer, name|
      add(answer, name, "192.0.2.1")
      good = answer.encode
      cut = Array.new(good.bytesize) { |size| good.byteslice(0, size) }
      noise = Array.new(200) { good.byteslice(0, 2) + random.bytes(random.rand(60)) }
      # Its flags say that it is no answer.
      noise.each { |packet| packet.setbyte(2, packet.getbyte(2) & 0x7f) if packet.bytesize > 2 }
      [*noise, *cut, "", "\xff" * 512, good]
    end

    assert_equal [:ok, ["192.0.2.1"]], resolve("www.example.com"), "seed #{Minitest.seed}"
  end

  def test_of_an_answer_that_was_cut_off_the_addresses_that_came_are_good
    skip "EventMachine takes none" if ENV["EM_ORACLE"]
    serve do |answer, name|
      answer.tc = 1
      add(answer, name, "192.0.2.1")
    end

    assert_equal [:ok, ["192.0.2.1"]], resolve("www.example.com")
  end

  def test_many_questions_at_once_get_their_own_answers
    serve { |answer, name| add(answer, name, "192.0.2.#{name[/\d+/]}") }
    em do
      (1..200).each do |n|
        request = EM::DNS::Resolver.resolve("host#{n}.example.com")
        request.callback do |list|
          @log << [n, list]
          EM.stop if @log.size == 200
        end
      end
    end

    assert_equal((1..200).map { |n| [n, ["192.0.2.#{n}"]] }, @log.sort)
  end

  def test_hosts_of_the_file_are_not_asked_for
    serve { [] }

    assert_includes EM::DNS::Resolver.hosts.fetch("localhost"), "127.0.0.1"
    refute_includes EM::DNS::Resolver.hosts, nil
    assert_equal [:ok, EM::DNS::Resolver.hosts["localhost"]], resolve("localhost")
    assert_empty @server.questions
    assert_equal "/etc/hosts", EM::DNS::Resolver::HOSTS_FILE
  end

  def test_its_timer_runs_only_while_questions_are_open
    serve { |answer, name| add(answer, name, "192.0.2.1") }
    timer = -> { EM::DNS::Resolver.socket.instance_variable_get(:@timer) }
    em do
      request = EM::DNS::Resolver.resolve("www.example.com")
      EM.next_tick { @log << timer.call.class }
      request.callback { (@log << timer.call) && EM.stop }
    end

    assert_equal [EM::PeriodicTimer, nil], @log
  end

  def test_a_reactor_has_one_socket
    em do
      socket = EM::DNS::Resolver.socket
      assert_instance_of EM::DNS::Socket, socket
      assert_same socket, EM::DNS::Resolver.socket
      @log << socket
      EM.stop
    end
    em do
      refute_same @log.first, EM::DNS::Resolver.socket
      EM.stop
    end
  end

  def test_an_id_is_used_once
    em do
      socket = EM::DNS::Resolver.socket
      socket.register_request(5, self)
      assert_raises(EM::DNS::RequestIdAlreadyUsed) { socket.register_request(5, self) }
      socket.deregister_request(5, self)
      socket.register_request(5, self)
      socket.deregister_request(5, self)
      EM.stop
    end
  end

  def test_one_of_several_name_servers_is_asked
    EM::DNS::Resolver.nameservers = %w[192.0.2.1 192.0.2.2]

    assert_equal %w[192.0.2.1 192.0.2.2], EM::DNS::Resolver.nameservers
    assert_equal %w[192.0.2.1 192.0.2.2], Array.new(100) { EM::DNS::Resolver.nameserver }.uniq.sort
  end

  def test_the_systems_name_servers_are_known
    assert_kind_of Array, @former
    assert_equal false, EM::DNS::Resolver.windows?
  end

  def test_what_is_no_name_is_refused
    assert_raises(ArgumentError) { em { EM::DNS::Resolver.resolve(123) } }
  end

  def test_what_can_be_no_name_of_a_host_fails
    skip "EventMachine sends something else" if ENV["EM_ORACLE"]
    serve { [] }
    ["a" * 64, (["a" * 60] * 5).join(".")].each do |name|
      assert_equal [:failed, "#{name.inspect} is no name of a host"], resolve(name)
    end

    assert_empty @server.questions
  end

  def test_a_name_server_may_be_reached_with_ipv6
    skip "EventMachine knows IPv4 only" if ENV["EM_ORACLE"]
    skip "there is no IPv6 here" unless Socket.ip_address_list.any?(&:ipv6_loopback?)
    serve("::1") { |answer, name| add(answer, name, "192.0.2.1") }

    assert_equal [:ok, ["192.0.2.1"]], resolve("www.example.com")
  end

  def test_without_a_name_server_it_is_given_up
    skip "EventMachine raises a TypeError" if ENV["EM_ORACLE"]
    EM::DNS::Resolver.nameservers = []
    answer = resolve("www.example.com") { |request| (request.retry_interval = 0.01) && request.max_tries = 1 }

    assert_equal [:failed, "retries exceeded"], answer
  end

  def test_a_fiber_waits_for_it
    skip "EventMachine has no fibers" if ENV["EM_ORACLE"]
    serve { |answer, name| add(answer, name, "192.0.2.1") }
    em do
      @log << EM::DNS::Resolver.resolve("www.example.com").wait
      EM.stop
    end

    assert_equal [["192.0.2.1"]], @log
  end

  private

  def serve(address = FIXED.first, &)
    @server = NameServer.new(address, FIXED.last, &)
    EM::DNS::Resolver.nameservers = [@server.address]
    EM::DNS::Resolver.nameserver_port = @server.port unless ENV["EM_ORACLE"]
  end

  def add(message, name, *addresses)
    addresses.each { |address| message.add_answer(name, 60, NameServer::A.new(address)) }
    nil
  end

  def resolve(name)
    result = nil
    em do
      request = EM::DNS::Resolver.resolve(name)
      yield request if block_given?
      request.callback { |list| (result = [:ok, list]) && EM.stop }
      request.errback { |reason| (result = [:failed, reason]) && EM.stop }
    end
    result
  end
end
