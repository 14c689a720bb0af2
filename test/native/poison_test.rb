# frozen_string_literal: true

require "helper"
require "support/ruby_process"

# A mistake of ours inside of the extension: the process and its other reactors go on, and nothing that it may have left
# half-way is used again (I-9). Ruby processes of their own, because it is told on standard error.
class PoisonTest < Minitest::Test
  # Where it panics, and how a fiber gets there.
  PANICS = {
    "in_a_hook" => "Fiber.scheduler.__panic(false)",
    "while_it_sleeps_without_the_gvl" => "Fiber.scheduler.__panic(true); sleep"
  }.freeze

  PANICS.each do |where, code|
    define_method("test_a_panic_#{where}_ends_the_reactor_and_nothing_else") do
      assert_equal "Evented::PoisonedError\n[]\n", poisoned(<<~RUBY)
        begin
          Evented do
            Evented { sleep }
            Evented { UNIXSocket.pair.first.read(1) }
            #{code}
          end
        rescue Evented::Error => error
          puts error.class
        end
        3.times { GC.start }
        p Workload.run
      RUBY
    end

    define_method("test_a_panic_#{where}_lets_another_reactor_be") do
      assert_equal "Evented::PoisonedError\n[]\n", poisoned(<<~RUBY)
        others = Thread.new { Evented.run { Workload.run } }
        Thread.new { Evented { #{code} } }.tap { |thread| thread.report_on_exception = false }.join rescue puts $!.class
        p others.value
      RUBY
    end
  end

  def test_afterwards_every_hook_says_so_and_what_others_tell_it_finds_nobody
    assert_equal "#{"poisoned\n" * 8}false\nfalse\ntrue\n", poisoned(<<~RUBY)
      Thread.new do
        Fiber.set_scheduler(scheduler = Evented::Scheduler.new)
        fiber = Fiber.schedule { sleep }
        begin
          scheduler.__panic(false)
        rescue Evented::PoisonedError
          puts "poisoned"
        end
        reader, = IO.pipe
        { block: [:x, nil], kernel_sleep: [0], io_wait: [reader, 1, 0], io_select: [[reader]], process_wait: [1, 0],
          address_resolve: ["localhost"], run: [] }.each do |hook, arguments|
          scheduler.public_send(hook, *arguments)
        rescue Evented::PoisonedError
          puts "poisoned"
        end
        p scheduler.unblock(:x, fiber), scheduler.fiber_interrupt(fiber, RuntimeError.new), scheduler.closed?
        Fiber.set_scheduler(nil)
      end.join
    RUBY
  end

  # What is in flight is the kernel's until it has let go of it.
  def test_a_poisoned_one_gives_its_descriptors_back_when_it_is_closed
    skip "only Linux tells what a process has open" unless File.directory?("/proc/self/fd")

    assert_equal "closed\n", poisoned(<<~RUBY)
      Evented { sleep 0.001 }
      before = Dir.children("/proc/self/fd").size
      one, other = UNIXSocket.pair
      Evented { Evented { one.readpartial(100) }; sleep 0.001; Fiber.scheduler.__panic(false) } rescue 0
      other.write("nobody reads this")
      puts "closed" if Dir.children("/proc/self/fd").size == before + 2
    RUBY
  end

  private

  # @return [String] what the script wrote; it has to end well, and to complain about nothing but a panic
  def poisoned(script)
    script = "require \"#{ROOT}/test/support/workload\"\n#{script}"
    output, errors, status = ruby(script, env: { "RUST_BACKTRACE" => "0" })
    assert_predicate status, :success?, "#{status}\n#{errors}"
    assert_match(/\A\s*thread '.*' .*panicked at .*:\nas `__panic` has been asked to\n(note: .*\n)?\z/, errors)
    output
  end
end
