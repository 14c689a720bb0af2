# frozen_string_literal: true

require "helper"
require "json"
require "support/ruby_process"
require "support/scheduled"

class DumpTest < Minitest::Test
  def test_it_shows_the_tree_of_tasks_and_what_each_waits_for
    in_reactor do |root|
      root.annotate("the root of it")
      reader, writer = IO.pipe
      parent = Evented(name: "parent") do
        Evented(name: "reader") { reader.read }
        sleep
      end
      lines = Evented.dump.lines

      assert_match(/\Arunning \(the root of it\) .*stands at .*dump_test\.rb:#{__LINE__ - 2}:/, lines[0])
      assert_match(/\A  "parent" waiting sleep \d+\.\d+ s started at .*dump_test\.rb:#{__LINE__ - 7} /, lines[1])
      assert_match(/\A    "reader" waiting io_wait IO fd=#{reader.fileno} \d+\.\d+ s .*stands at .*_test\.rb:/,
                   lines[2])
      assert_equal 3, lines.size
      writer.close
      parent.cancel
    end
  end

  def test_it_says_since_when
    in_reactor do
      sleeper = Evented { sleep }
      sleep 0.05
      Evented { sleep 0 }.wait
      seconds = JSON.parse(Evented.dump(format: :json))[0]["children"][0]["waits_for"]["seconds"]

      assert_operator seconds, :>=, 0.05
      sleeper.cancel
    end
  end

  def test_a_task_that_waits_for_another_says_for_which
    in_reactor do
      awaited = Evented(name: "awaited") { sleep }
      Evented(name: "waiting") { awaited.ended }

      assert_match(/"waiting" waiting block #<Evented::Task "awaited" waiting>/, Evented.dump)
      awaited.cancel
    end
  end

  def test_without_a_reactor
    assert_equal "no reactor runs", Evented.dump
    assert_equal [], JSON.parse(Evented.dump(format: :json))
  end

  def test_every_thread_has_its_tree
    ready = Queue.new
    done = Queue.new
    threads = Array.new(2) { |n| Thread.new { Evented(name: "root #{n}") { (ready << 1) && done.pop } } }
    2.times { ready.pop }

    2.times { |n| assert_match(/"root #{n}"/, Evented.dump) }
    done.close
    threads.each(&:join)
  end

  def test_an_unknown_format_is_refused
    [-> { Evented.dump(format: :xml) }, -> { Evented.dump_on(:USR1, format: :xml) }].each do |call|
      assert_match(/:text and :json/, assert_raises(ArgumentError, &call).message)
    end
    assert_raises(TypeError) { Evented.dump_on(:USR1, io: 2) }
  end

  def test_a_name_of_any_bytes_and_encoding_can_be_shown
    # Made before, because Ruby may load an encoding from a file, for which the task would wait on 3.4.
    latin = "f\xFCr".dup.force_encoding("ISO-8859-1")
    in_reactor do
      task = Evented(name: "GET /\xFF".b) { |me| me.annotate(latin) && sleep }
      child = JSON.parse(Evented.dump(format: :json))[0]["children"][0]

      assert_equal ["GET /\uFFFD", "f\u00FCr"], child.values_at("name", "annotation")
      assert_match(/"GET .*\(f\u00FCr\)/, Evented.dump)
      task.cancel
    end
  end

  def test_on_a_signal
    _, errors, status = ruby(<<~RUBY)
      Evented.dump_on(:USR1)
      Evented(name: "the root") do
        Evented(name: "sleeper") { sleep 0.2 }
        Process.kill(:USR1, $$)
      end
    RUBY

    assert_predicate status, :success?
    assert_match(/"the root".*\n  "sleeper" waiting sleep/, errors)
  end

  # (In a process without other threads: those might wake somebody.)
  def test_a_deadlock_is_raised_with_it
    output = output_of_ruby(<<~RUBY)
      begin
      Evented(name: "the root") do
        Evented(name: "consumer") { Queue.new.pop }
        mutex = Mutex.new
        Evented { mutex.lock && Queue.new.pop }
        mutex.lock
      end
      rescue Evented::Deadlock => e
        puts e.message
      end
    RUBY

    assert_match(/\Anothing can ever wake.*"the root" waiting.*"consumer" waiting block Thread::Queue/m, output)
  end

  def test_a_task_that_ignores_its_cancellation_can_not_keep_a_deadlock_from_being_raised
    output = output_of_ruby(<<~RUBY)
      begin
      Evented do
        Evented do
          Queue.new.pop
        rescue Evented::Cancel
          begin
            Queue.new.pop
          ensure
            puts "cleaned up"
          end
        end
      end
      rescue Evented::Deadlock => e
        puts e.class
      end
    RUBY

    assert_equal "cleaned up\nEvented::Deadlock\n", output
  end

  def test_waiting_for_a_signal_is_no_deadlock
    assert_equal "woken\n", output_of_ruby(<<~RUBY)
      trap(:USR1) { puts "woken"; exit!(0) }
      fork { sleep 0.1; Process.kill(:USR1, Process.ppid) }
      Evented { sleep }
    RUBY
  end

  def test_nothing_is_a_deadlock_that_another_thread_may_end
    queue = Queue.new
    feeder = Thread.new { sleep(0.02) && (queue << :value) }

    assert_equal(:value, in_reactor { Evented { queue.pop }.value })
    feeder.join
  end
end
