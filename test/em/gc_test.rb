# frozen_string_literal: true

require "support/em_tls"
require "support/stress"
require "tempfile"
require "weakref"

# The face of EventMachine while the collector runs at each allocation, and while it moves all that it may move after
# each callback. (EventMachine itself is not asked: it keeps addresses of its own.)
class EMGCTest < Minitest::Test
  include EventMachineHelpers

  # One thing that a program does with EM each: it gets a block to be called in between, and gives what it has seen.
  SCENES = {
    echo: lambda do |test, between|
      text = "echo" * 5_000
      got = +""
      _, port = test.serve(Echo, between)
      3.times { EM.connect(HOST, port, Asking, text, between) { |asking| asking.answered { got << asking.got } } }
      [-> { got.bytesize == text.bytesize * 3 }, -> { got == text * 3 }]
    end,
    timers: lambda do |_, between|
      fired = []
      10.times { |n| EM.add_timer(0.001 * n) { between.call && (fired << n) } }
      kept = EM.add_periodic_timer(0.001) { between.call && (fired << :periodic) && (kept.cancel if fired.size > 15) }
      cancelled = EM::Timer.new(0.01) { fired << :cancelled }
      cancelled.cancel
      [-> { fired.size > 15 }, -> { fired.grep(Integer).sort == [*0...10] && !fired.include?(:cancelled) }]
    end,
    ticks: lambda do |_, between|
      ticked = []
      5.times { |n| EM.next_tick { between.call && (ticked << n) } }
      [-> { ticked.size == 5 }, -> { ticked == [*0...5] }]
    end,
    deferrables: lambda do |_, between|
      told = []
      all = Array.new(5) { EM::DefaultDeferrable.new }
      all.each_with_index do |one, n|
        one.callback { |text| between.call && (told << [n, text]) }
        one.errback { |text| between.call && (told << [n, text]) }
        EM.next_tick { n.even? ? one.succeed("yes#{n}") : one.fail("no#{n}") }
      end
      late = EM::DefaultDeferrable.new
      late.timeout(0.005, "late")
      late.errback { |text| between.call && (told << [:late, text]) }
      expected = Array.new(5) { |n| [n, (n.even? ? "yes" : "no") + n.to_s] }.push([:late, "late"])
      [-> { told.size == 6 }, -> { told == expected }]
    end,
    deferred: lambda do |_, between|
      results = []
      3.times { |n| EM.defer(-> { "done#{n}" }, ->(text) { between.call && (results << text) }) }
      [-> { results.size == 3 }, -> { results.sort == %w[done0 done1 done2] }]
    end,
    channels_and_queues: lambda do |_, between|
      got = []
      channel = EM::Channel.new
      channel.subscribe { |text| between.call && (got << text) }
      queue = EM::Queue.new
      3.times { queue.pop { |text| between.call && (got << text) } }
      3.times { |n| (channel << "channel#{n}") && queue.push("queue#{n}") }
      [-> { got.size == 6 }, -> { got.sort == %w[channel0 channel1 channel2 queue0 queue1 queue2] }]
    end,
    closing_in_callbacks: lambda do |test, between|
      log = []
      close = ->(connection, *) { between.call && connection.close_connection }
      write = lambda do |connection, *|
        between.call
        connection.send_data("bye")
        connection.close_connection_after_writing
      end
      %i[post_init receive_data].each do |event|
        [close, write].each do |act|
          _, port = test.serve(Told, log, :server, event => act)
          EM.connect(HOST, port, Told, log, :client, connection_completed: ->(client) { client.send_data("hello") })
        end
      end
      [-> { log.count { |_, event,| event == :unbind } == 8 }, -> { log.count([:client, :receive_data, "bye"]) == 2 }]
    end,
    a_callback_that_waits: lambda do |test, between|
      log = []
      wait = ->(server, data) { sleep(0.001) && between.call && server.send_data(data.upcase) }
      _, port = test.serve(Told, log, :server, receive_data: wait)
      EM.connect(HOST, port, Told, log, :client, post_init: ->(client) { client.send_data("slowly") })
      [-> { log.include?([:client, :receive_data, "SLOWLY"]) }, -> { true }]
    end,
    tls: lambda do |test, between|
      log = []
      acts = { ssl_handshake_completed: ->(one) { between.call && one.send_data("secret") },
               receive_data: ->(one, _) { between.call && one.close_connection_after_writing } }
      _, port = test.serve(EMTLSHelpers::Secured, log, :server, TLSCertificates.leaf.options, acts)
      EM.connect(HOST, port, EMTLSHelpers::Secured, log, :client, { verify_peer: true }, acts)
      [-> { log.count { |_, event,| event == :unbind } == 2 },
       lambda {
         log.count { |_, event,| event == :ssl_handshake_completed } == 2 && log.flatten.include?("secret")
       }]
    end,
    a_file: lambda do |test, between|
      file = Tempfile.create.tap { |opened| opened.write("file" * 10_000) && opened.close }
      got = +""
      _, port = test.serve(Told, [], :server, post_init: lambda { |server|
        server.stream_file_data(file.path).callback { server.close_connection_after_writing }
      })
      EM.connect(HOST, port, Told, [], :client, receive_data: ->(_, data) { between.call && (got << data) })
      [-> { got.bytesize == 40_000 }, -> { File.unlink(file.path) && got == "file" * 10_000 }]
    end,
    datagrams: lambda do |_, between|
      log = []
      answer = ->(one, data) { one.send_data("re: #{data}") }
      there = EM.open_datagram_socket(HOST, 0, Told, log, :there, receive_data: answer)
      port = Socket.unpack_sockaddr_in(there.get_sockname).first
      EM.open_datagram_socket(HOST, 0, Told, log, :here, receive_data: ->(*) { between.call }) do |here|
        here.send_datagram("hello", HOST, port)
      end
      [-> { log.include?([:here, :receive_data, "re: hello"]) }, -> { true }]
    end,
    a_process: lambda do |_, between|
      seen = []
      EM.system("sh", "-c", "printf out; exit 3") do |output, status|
        between.call
        seen.push(output, status.exitstatus)
      end
      [-> { seen.any? }, -> { seen == ["out", 3] }]
    end
  }.freeze

  # Sends back what comes.
  class Echo < EM::Connection
    def initialize(between)
      super()
      @between = between
    end

    def receive_data(data) = @between.call && send_data(data)
  end

  # Asks once, and tells when all of the answer is there.
  class Asking < EM::Connection
    attr_reader :got

    def initialize(text, between)
      super()
      @text = text
      @between = between
      @got = +""
    end

    def answered(&block) = @answered = block
    def post_init = send_data(@text)

    def receive_data(data)
      @between.call
      return unless (@got << data).bytesize == @text.bytesize

      @answered.call
      close_connection
    end
  end

  SCENES.each do |name, scene|
    define_method("test_#{name}_under_stress") do
      times(at_length(1, 5)) { play(scene, -> { true }, stress: true) }
    end

    define_method("test_#{name}_while_everything_is_moved") do
      skip "this Ruby can't compact" unless GC.respond_to?(:compact)

      times(at_length(1, 20)) { play(scene, -> { GC.compact || true }) }
    end

    define_method("test_#{name}_and_all_references_are_good_afterwards") do
      skip "this Ruby can't compact" unless GC.respond_to?(:verify_compaction_references)

      times(1) { play(scene, verifying) }
    end
  end

  # Nobody but the reactor knows them.
  def test_connections_and_timers_that_only_the_reactor_knows_are_kept
    heard = []
    em do
      _, port = serve(Told, [], :server, receive_data: ->(server, data) { server.send_data(data) })
      20.times do |n|
        later = ->(client) { EM.add_timer(0.02) { client.send_data(n.to_s) } }
        EM.connect(HOST, port, Told, [], :client, post_init: later, receive_data: ->(_, data) { heard << data })
      end
      EM.add_periodic_timer(0.001) { GC.start }
      stop_once { heard.size == 20 }
    end

    assert_equal [*0...20].sort, heard.map(&:to_i).sort
  end

  def test_connections_that_have_ended_are_collected
    ended = []
    em do
      _, port = serve(Told, [])
      50.times do
        EM.connect(HOST, port, Told, [], :client, connection_completed: lambda { |client|
          ended << WeakRef.new(client)
          client.close_connection
        })
      end
      stop_once { ended.size == 50 && EM.connection_count == 1 }
    end
    # A few may stay: the collector takes whatever looks like an address on a stack for one.
    wait_until(deadline: 20) { GC.start || ended.count(&:weakref_alive?) < 5 }
  end

  # Scenes are lambdas, which see this from outside.
  public :serve

  private

  def times(count, &) = count.times(&)

  def play(scene, between, stress: false)
    good = nil
    em(limit: 25) do
      done, good = scene.call(self, between)
      stop_once(&done)
      GC.stress = stress
    end
    GC.stress = false

    assert good.call
  ensure
    GC.stress = false
  end

  # Not after each callback: it takes long.
  def verifying
    times = 0
    -> { (times += 1) > 2 || GC.verify_compaction_references(toward: :empty, expand_heap: true) || true }
  end
end
