# frozen_string_literal: true

require "helper"
require "support/ruby_process"

# fork inside a reactor: the child has the forking fiber and no other, and a reactor of its own for it (I-7).
class ForkTest < Minitest::Test
  # What a child does in its fiber: each prints one line.
  CHILDS_WORK = {
    sleep: 'sleep 0.01; puts "ok"',
    pipe: 'r, w = IO.pipe; Evented { sleep 0.01; w << "ok" }; puts r.readpartial(9)',
    sockets: 'a, b = UNIXSocket.pair; Evented { sleep 0.01; b << "ok" }; puts a.readpartial(9)',
    tcp: 's = TCPServer.new("localhost", 0); Evented { s.accept << "ok" }
          puts TCPSocket.new("localhost", s.local_address.ip_port).read(2)',
    system: 'system("echo ok")',
    backticks: "puts `echo ok`",
    queue: 'q = Queue.new; Evented { sleep 0.01; q << "ok" }; puts q.pop',
    thread: 'puts Thread.new { sleep 0.01; "ok" }.value',
    timeout: 'require "timeout"; Timeout.timeout(0.01) { sleep } rescue puts "ok"',
    resolve: 'puts "ok" if Addrinfo.tcp("localhost", 80)',
    fork: 'Process.wait(fork { sleep 0.01; puts "ok" })',
    run: 'puts Evented.run { sleep 0.01; "ok" }',
    file: 'puts File.read("/dev/null") + "ok"'
  }.freeze

  CHILDS_WORK.each do |name, code|
    define_method("test_a_child_forked_with_a_block_can_use_#{name}") do
      assert_equal "ok\nparent\n0\n", output_of_ruby(<<~RUBY)
        Evented do
          status = Process.wait2(fork { #{code} }).last
          sleep 0.001
          puts "parent", status.exitstatus
        end
      RUBY
    end

    define_method("test_a_child_forked_without_a_block_can_use_#{name}") do
      assert_equal "ok\nparent\n0\n", output_of_ruby(<<~RUBY)
        Evented do
          if (pid = fork)
            status = Process.wait2(pid).last
            sleep 0.001
            puts "parent", status.exitstatus
          else
            #{code}
            exit!(0)
          end
        end
      RUBY
    end
  end

  def test_a_child_without_a_block_that_leaves_its_fiber_does_not_go_on_as_the_parent
    output, errors, = ruby(<<~RUBY)
      Evented do
        Evented { begin; sleep 0.2; ensure; puts "ensure of \#{$$ == $parent ? "the parent" : "the child"}"; end }
        $parent = $$
        if (pid = fork)
          Process.wait(pid)
          puts "parent"
        else
          puts "child"
        end
      end
      puts "after"
    RUBY

    assert_equal "child\nparent\nensure of the parent\nafter\n", output, errors
  end

  def test_a_child_with_a_block_runs_no_ensure_of_other_fibers
    assert_equal "child\nparent\nensure true\nafter\n", output_of_ruby(<<~RUBY)
      parent = $$
      Evented do
        Evented { begin; sleep 0.2; ensure; puts "ensure \#{$$ == parent}"; end }
        Process.wait(fork { puts "child" })
        puts "parent"
      end
      puts "after"
    RUBY
  end

  def test_a_child_may_exit_from_a_fiber
    assert_equal "at_exit\n7\nensure true\n", output_of_ruby(<<~RUBY)
      parent = $$
      Evented do
        Evented { begin; sleep 0.2; ensure; puts "ensure \#{$$ == parent}"; end }
        pid = fork do
          at_exit { puts "at_exit" }
          sleep 0.001
          exit 7
        end
        puts Process.wait2(pid).last.exitstatus
      end
    RUBY
  end

  def test_a_child_that_fails_has_the_status_of_it
    output, errors, status = ruby(<<~RUBY)
      Evented do
        puts Process.wait2(fork { sleep 0.001; raise "in the child" }).last.exitstatus
      end
    RUBY

    assert_predicate status, :success?
    assert_equal "1\n", output
    assert_match(/in the child \(RuntimeError\)/, errors)
  end

  def test_what_was_in_flight_in_the_parent_is_the_parents
    assert_equal "child nothing\nparent hello\n", output_of_ruby(<<~RUBY)
      Evented do
        a, b = UNIXSocket.pair
        reader = Evented { a.readpartial(10) }
        10.times { Evented { sleep 0.01 } }
        pid = fork do
          sleep 0.05
          puts "child \#{a.read_nonblock(10, exception: false) == :wait_readable ? "nothing" : "stolen"}"
        end
        Process.wait(pid)
        b << "hello"
        puts "parent \#{reader.value}"
      end
    RUBY
  end

  def test_tasks_of_the_parent_can_neither_be_waited_for_nor_cancelled
    assert_equal "#{"runs in the parent process\n" * 2}cancelled\nvalue\n", output_of_ruby(<<~RUBY)
      Evented do
        other = Evented { sleep }
        task = Evented do |me|
          Process.wait(fork do
            [-> { other.wait }, -> { other.cancel }].each do |try|
              try.call
            rescue Evented::Error => e
              puts e.message[/runs in the parent process/]
            end
            Evented { me.cancel }
            begin
              sleep
            rescue Evented::Cancel
              puts "cancelled"
            end
            $stdout.flush
            exit!(0)
          end)
          "value"
        end
        puts task.value
        other.cancel
      end
    RUBY
  end

  def test_many_children
    assert_equal "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n", output_of_ruby(<<~RUBY)
      Evented do
        tasks = Array.new(10) { |n| Evented { Process.wait2(fork { sleep 0.01; exit!(n) }).last.exitstatus } }
        p tasks.map(&:value)
      end
    RUBY
  end

  def test_popen_with_a_dash
    assert_equal "from the child\nparent\n", output_of_ruby(<<~RUBY)
      Evented do
        IO.popen("-") do |io|
          if io
            puts io.read
          else
            sleep 0.001
            print "from the child"
            $stdout.flush
            exit!(0)
          end
        end
        puts "parent"
      end
    RUBY
  end

  def test_a_fork_in_a_plain_thread_while_another_thread_runs_a_reactor
    assert_equal "child [nil, 1]\nreactor goes on\n", output_of_ruby(<<~RUBY)
      over = Queue.new
      reactor = Thread.new { Evented { Evented { sleep 0.01 }; over.pop; puts "reactor goes on" } }
      sleep 0.001 until reactor.status == "sleep"
      pid = fork { puts "child \#{[Fiber.scheduler, Evented.run { sleep 0.001; 1 }]}" }
      Process.wait(pid)
      over << true
      reactor.join
    RUBY
  end

  def test_a_fork_outside_of_fibers_with_a_scheduler_set
    assert_equal "child\nparent fiber\n", output_of_ruby(<<~RUBY)
      Fiber.set_scheduler(Evented::Scheduler.new)
      parent = $$
      Fiber.schedule { sleep 0.1; puts "parent fiber" if $$ == parent }
      Process.wait(fork { puts "child" })
    RUBY
  end

  def test_the_hooks_of_a_parents_scheduler_start_afresh_in_the_child
    assert_equal "[0, 0]\ntrue\ntrue\n", output_of_ruby(<<~RUBY)
      Evented do
        scheduler = Fiber.scheduler
        5.times { Evented { sleep 0.05 } }
        Process.wait(fork do
          p scheduler.stats.values_at(:parked, :ready) if scheduler.kernel_sleep(0)
          scheduler.unblock(:x, Fiber.current)
          p scheduler.block(:x, nil)
          p scheduler.io_wait($stdin, IO::READABLE, 0.001) != nil
        end)
      end
    RUBY
  end

  def test_a_child_of_a_child
    assert_equal "grandchild\nchild\nparent\n", output_of_ruby(<<~RUBY)
      Evented do
        Process.wait(fork { Process.wait(fork { sleep 0.001; puts "grandchild" }); puts "child" })
        puts "parent"
      end
    RUBY
  end

  def test_a_scheduler_that_the_child_collects_does_not_harm_the_parents
    assert_equal "child\nok\n", output_of_ruby(<<~RUBY)
      Evented do
        a, b = UNIXSocket.pair
        reader = Evented { a.readpartial(10) }
        Process.wait(fork { 3.times { GC.start; Evented.run { sleep 0.001 } }; puts "child" })
        b << "ok"
        puts reader.value
      end
    RUBY
  end

  def test_a_child_that_daemonises_a_loop_of_its_own
    assert_equal "[0, 1, 4]\n", output_of_ruby(<<~RUBY)
      Evented do
        reader, writer = IO.pipe
        pid = fork do
          reader.close
          results = Array.new(3) { |n| Evented { sleep 0.001; n * n } }.map(&:value)
          Marshal.dump(results, writer)
        end
        writer.close
        p Marshal.load(reader)
        Process.wait(pid)
      end
    RUBY
  end
end
