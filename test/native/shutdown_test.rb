# frozen_string_literal: true

require "helper"
require "support/ruby_process"

# However a process, a thread or a reactor ends: every `ensure` runs, once, and Ruby ends as it would have without us.
class ShutdownTest < Minitest::Test
  # What fibers wait for.
  WAITS = {
    sleep: "sleep", timed_sleep: "sleep 60", queue: "Queue.new.pop", pipe: "IO.pipe.first.read(1)",
    socket: "UNIXSocket.pair.first.readpartial(1)", full_socket: "UNIXSocket.pair.first.write('x' * 9_000_000)",
    select: "IO.select([IO.pipe.first])", process: "system('cat', in: IO.pipe.first)",
    mutex: "MUTEX.synchronize { 1 }", thread: "THREAD.join", timeout: "Timeout.timeout(60) { sleep }",
    offload: "Evented.offload { THREAD.join }", busy: "loop { sleep 0 }",
    enumerator: "Enumerator.new { |values| values << Queue.new.pop }.next"
  }.freeze

  # What ends it, from inside of a task, and how the process ends then: its status, or the signal.
  ENDS = {
    exit: ["exit 3", 3],
    exit_in_a_task: ["Evented { exit 4 }; sleep", 4],
    exit_in_a_fiber: ["Fiber.schedule { exit 5 }; sleep", 5],
    exit_on_another_thread: ["Thread.new { Thread.main.raise(SystemExit.new(6)) }; sleep", 6],
    abort: ["abort 'words'", 1],
    an_exception: ["raise 'the reactor ends'", 1],
    an_exception_in_a_task: ["Evented { sleep 0; raise 'the reactor ends' }; sleep", 1],
    an_exception_in_a_fiber: ["Fiber.schedule { sleep 0; raise 'the reactor ends' }; sleep", 1],
    something_thrown: ["throw :nobody_catches", 1],
    too_deep: ["deeper = -> { deeper.call }; deeper.call", 1],
    an_interrupt: ["Process.kill(:INT, $$); sleep", "INT"],
    a_term: ["Process.kill(:TERM, $$); sleep", "TERM"],
    a_hang_up: ["Process.kill(:HUP, $$); sleep", "HUP"],
    a_handler_that_exits: ["trap(:USR1) { exit 7 }; Process.kill(:USR1, $$); sleep", 7],
    a_handler_that_raises: ["trap(:USR1) { raise 'in the handler' }; Process.kill(:USR1, $$); sleep", 1],
    cancelling: ["Evented::Task.current.cancel; sleep", 0],
    killing_the_fiber: ["Fiber.current.kill", 0],
    killing_the_main_thread: ["Thread.new { Thread.main.kill }; sleep", 0]
  }.freeze

  # Before the end: constants for the fibers, and one fiber a wait, which says when it has begun and when it cleans up.
  FIBERS = <<~RUBY.freeze
    require "timeout"
    MUTEX = Mutex.new
    THREAD = Thread.new { MUTEX.lock && sleep }
    sleep 0.001 until MUTEX.locked?
    def fibers
      #{WAITS.map { |name, code| "yield(-> { begin; #{code}; ensure; puts '#{name}'; end })" }.join("\n  ")}
    end
  RUBY
  private_constant :FIBERS

  ENDS.each do |name, (code, ending)|
    define_method("test_#{name}_in_a_reactor_lets_everybody_clean_up_once") do
      assert_all_clean_up(ending, <<~RUBY)
        at_exit { puts "at_exit" }
        Evented do
          fibers { |fiber| Evented(name: "x") { fiber.call } }
          #{code}
        end
      RUBY
    end

    # These end a task, and only the root one's end is that of a reactor.
    next if %i[cancelling killing_the_fiber].include?(name)

    define_method("test_#{name}_under_a_scheduler_set_by_hand_lets_everybody_clean_up_once") do
      assert_all_clean_up(ending, <<~RUBY)
        at_exit { puts "at_exit" }
        Fiber.set_scheduler(Evented::Scheduler.new)
        fibers { |fiber| Fiber.schedule { fiber.call } }
        Fiber.schedule { sleep 0.001; #{code} }
        Fiber.scheduler.run
      RUBY
    end
  end

  def test_the_end_of_a_thread_by_an_exception_lets_everybody_clean_up_once
    assert_all_clean_up(0, <<~RUBY)
      at_exit { puts "at_exit" }
      Thread.new do
        Thread.current.report_on_exception = false
        Fiber.set_scheduler(Evented::Scheduler.new)
        fibers { |fiber| Fiber.schedule { fiber.call } }
        raise "the thread ends"
      end.join rescue 0
    RUBY
  end

  # Ruby ends other threads after at_exit.
  def test_the_end_of_the_process_lets_the_reactors_of_other_threads_clean_up_once
    assert_all_clean_up(8, <<~RUBY)
      ObjectSpace.define_finalizer(+"", proc { puts "at_exit" })
      begun = Queue.new
      Thread.new { Evented { fibers { |fiber| Evented { fiber.call } }; begun << true; sleep } }
      begun.pop
      exit 8
    RUBY
  end

  def test_what_at_exit_starts_runs
    output, errors, status = ruby(<<~RUBY)
      require "#{ROOT}/test/support/workload"
      at_exit { p Workload.run }
      at_exit { Evented { Evented { sleep } && exit(9) } }
      Evented { Evented { sleep } && exit(3) }
    RUBY

    assert_equal ["[]\n", 9], [output, status.exitstatus], errors
  end

  def test_an_exception_in_at_exit_is_reported_and_the_rest_runs
    output, errors, status = ruby(<<~RUBY)
      at_exit { puts "last" }
      at_exit { Evented { Evented { sleep } && raise("in at_exit") } }
      Evented { sleep 0 }
    RUBY

    assert_equal ["last\n", 1], [output, status.exitstatus], errors
    assert_match(/in at_exit \(RuntimeError\)/, errors)
  end

  def test_leaving_without_a_word_cleans_nothing_up_and_does_not_hang
    output, errors, status = ruby("#{FIBERS}; Evented { fibers { |fiber| Evented { fiber.call } }; exit!(4) }")

    assert_equal ["", 4], [output, status.exitstatus], errors
  end

  private

  def assert_all_clean_up(ending, script)
    output, errors, status = ruby("#{FIBERS}\n#{script}")

    assert_equal [*WAITS.keys.map(&:to_s), "at_exit"].sort, output.lines(chomp: true).sort, errors
    assert_equal "at_exit", output.lines(chomp: true).last
    expected = ending.is_a?(String) ? [nil, Signal.list[ending]] : [ending, nil]
    assert_equal expected, [status.exitstatus, status.termsig], errors
    refute_match(/\[BUG\]|abandoned/, errors)
  end
end
