# frozen_string_literal: true

require "support/event_machine"

# Forked children. Each test has a Ruby of its own, which forks.
class EMForkTest < Minitest::Test
  def test_a_child_has_no_reactor_and_can_run_one
    assert_equal "false\nchild ran\nparent goes on\n", output_of_em(<<~RUBY)
      EM.run do
        pid = fork do
          puts EM.reactor_running?
          EM.run { EM.add_timer(0.01) { puts "child ran"; EM.stop } }
          exit!(0)
        end
        EM.add_timer(0.01) do
          Process.wait(pid)
          puts "parent goes on"
          EM.stop
        end
      end
    RUBY
  end

  def test_fork_reactor_runs_the_block_in_a_child
    assert_equal "child true\nparent true\n", output_of_em(<<~RUBY)
      EM.run do
        parent = $$
        pid = EM.fork_reactor { puts "child \#{$$ != parent}"; EM.stop }
        EM.add_timer(0.05) do
          Process.wait(pid)
          puts "parent \#{EM.reactor_running?}"
          EM.stop
        end
      end
    RUBY
  end

  def test_a_child_has_none_of_the_timers_and_ticks_of_its_parent
    assert_equal "parent's timer\n", output_of_em(<<~RUBY)
      EM.run do
        EM.add_timer(0.2) { puts "parent's timer"; EM.stop }
        pid = EM.fork_reactor { EM.add_timer(0.4) { EM.stop } }
        at_exit { Process.wait(pid) if pid }
      end
    RUBY
  end

  def test_a_child_defers_with_threads_of_its_own
    assert_equal "child deferred\nparent deferred\n", output_of_em(<<~RUBY)
      EM.run do
        EM.defer(-> {}, lambda { |_|
          pid = EM.fork_reactor { EM.defer(-> { "child deferred" }, ->(text) { puts text; EM.stop }) }
          EM.defer(-> { Process.wait(pid) }, ->(_) { puts "parent deferred"; EM.stop })
        })
      end
    RUBY
  end

  # EventMachine unbinds and shuts down what it has inherited: the parent's peers see their connections end.
  def test_a_child_leaves_the_connections_of_its_parent_alone
    not_of_eventmachine "unbinds them in the child and shuts their sockets down"
    assert_equal "child\necho: still here\nunbind in the parent: true\n", output_of_em(<<~'RUBY')
      $parent = $$
      handler = Module.new do
        define_method(:receive_data) { |data| send_data("echo: #{data}") }
        define_method(:unbind) { puts "unbind in the parent: #{$$ == $parent}" }
      end
      EM.run do
        server = EM.start_server("127.0.0.1", 0, handler) do
          pid = EM.fork_reactor { EM.add_timer(0.02) { puts "child"; EM.stop } }
          EM.defer(-> { Process.wait(pid) }, ->(_) { $client.write("still here") })
        end
        $client = TCPSocket.new("127.0.0.1", Socket.unpack_sockaddr_in(EM.get_sockname(server)).first)
        EM.defer(-> { $client.readpartial(100) }, ->(data) { puts data; EM.stop })
      end
    RUBY
  end

  def test_a_child_can_serve_what_its_parent_has_opened
    assert_equal "from the child\n", output_of_em(<<~RUBY)
      server = TCPServer.new("127.0.0.1", 0)
      pid = fork do
        EM.run do
          EM.attach_server(server, Module.new {
            define_method(:post_init) { send_data("from the child"); close_connection_after_writing }
            define_method(:unbind) { EM.stop }
          })
        end
        exit!(0)
      end
      puts TCPSocket.open("127.0.0.1", server.addr[1], &:read)
      Process.wait(pid)
    RUBY
  end

  def test_many_children_of_a_running_reactor
    assert_equal "[0, 1, 2, 3, 4]\n", output_of_em(<<~RUBY)
      EM.run do
        pids = Array.new(5) { |number| EM.fork_reactor { EM.add_timer(0.01) { Process.exit!(number) } } }
        statuses = []
        pids.each do |pid|
          EM.defer(-> { Process.wait2(pid).last.exitstatus }, lambda { |status|
            (EM.stop if p statuses.sort) if (statuses << status).size == 5
          })
        end
      end
    RUBY
  end
end
