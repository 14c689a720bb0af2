# frozen_string_literal: true

require_relative "client_row"
require_relative "scheduled"
require_relative "ticker"
require "timeout"

# What every client is asked, letter by letter as `docs/clients.md` has it. A test class that includes it says which
# client it is about ({ClientRow}) and how that is used:
#
# - `connect(**options)` a client of a server that runs, `options` being of `tls: true`, `timeout: SECONDS`;
#   `disconnect(client)`
# - `ask(client, text)` has the server say the text, and returns that
# - `slow(client)` an operation that takes SLOW seconds
# - `stuck(client)` one that does not end within a test
# - `hang_up` has the server end its connections
# - `recovered(client)` what to go on with after an operation was interrupted; `reconnected(client)` after the server
#   has hung up
# - `timeouts` and `hang_ups` are the errors that a client has for these
#
# What an answer is for is checked each time: a client that was interrupted must not take an old one for a new one.
module ClientTests
  AT_ONCE = 10
  # Seconds
  SLOW = 0.2
  # Seconds that a client with a timeout of its own has for each answer
  IMPATIENCE = 0.4
  # Bytes of a long text
  LARGE = 100_000

  def self.included(test_class)
    super
    test_class.extend(ClientRow)
  end

  def test_a_slow_operations_wait_at_the_same_time
    under_way = []
    most = 0
    in_reactor do
      with_clients(AT_ONCE) do |clients|
        at_the_same_time(clients) do |client|
          under_way << client
          most = [most, under_way.size].max
          slow(client)
          under_way.delete(client)
        end
      end
    end

    assert_equal AT_ONCE, most, "the first was over before the last had begun"
  end

  def test_b_a_ticker_goes_on_meanwhile
    in_reactor do
      with_clients(AT_ONCE) do |clients|
        _, ticker = Ticker.beside { at_the_same_time(clients) { |client| slow(client) } }

        goes_on(ticker)
      end
    end
  end

  def test_c_cancelled_in_the_middle_and_used_again
    in_reactor { with_clients(1) { |(client)| cancel_and_use_again(client) } }
  end

  def test_d_a_timeout_around_it
    in_reactor do
      with_clients(1) do |(client)|
        assert_raises(Timeout::Error) { Timeout.timeout(0.05) { stuck(client) } }

        works(recovered(client))
      end
    end
  end

  def test_d_a_timeout_of_its_own
    in_reactor do
      with_clients(1, timeout: self.class::IMPATIENCE) do |(client)|
        assert_raises(*timeouts) { stuck(client) }

        works(recovered(client))
      end
    end
  end

  def test_e_the_server_hangs_up
    in_reactor do
      with_clients(1) do |(client)|
        failure = nil
        task = Evented { failure = assert_raises(*hang_ups) { stuck(client) } }
        a_few_turns
        hang_up
        task.wait

        assert failure
        works(reconnected(client))
      end
    end
  end

  def test_f_a_forked_child_and_its_parent_both_go_on
    in_reactor do
      with_clients(2) do |(client, other)|
        works(client)
        waiting = Evented { slow(other) }
        child = Process.fork { exit!(outcome { in_the_child } == true) }
        works(client)
        _, status = Process.wait2(child)

        assert_predicate status, :success?
        waiting.wait
        works(other)
      end
    end
  end

  def test_g_tls
    in_reactor do
      with_clients(AT_ONCE, tls: true) do |clients|
        answers = nil
        _, ticker = Ticker.beside do
          answers = at_the_same_time(clients) { |client| (slow(client) && ask(client, "x" * self.class::LARGE)).size }
        end

        assert_equal [self.class::LARGE] * AT_ONCE, answers
        goes_on(ticker)
        cancel_and_use_again(clients.first)
      end
    end
  end

  private

  # A client is no file of ours: what Ruby has to say about it is for others.
  def require_quietly(client)
    verbose = $VERBOSE
    $VERBOSE = nil
    require client
  ensure
    $VERBOSE = verbose
  end

  def disconnect(client) = client.close

  def recovered(client) = client

  def reconnected(client) = client

  # Several clients that are connected, for the block.
  def with_clients(number, **)
    clients = Array.new(number) { connect(**).tap { |client| works(client) } }
    yield clients
  ensure
    clients&.each { |client| disconnect(client) }
  end

  def at_the_same_time(clients, &)
    clients.map { |client| Evented { yield client } }.map(&:value)
  end

  def works(client, times: 3)
    texts = Array.new(times) { |n| "answer #{object_id} #{n}" }

    assert_equal(texts, texts.map { |text| ask(client, text) })
  end

  # Again and again, each time a little later, so that it is interrupted in one place after another.
  def cancel_and_use_again(client)
    [0, 0, 0.001, 0.005].each do |seconds|
      task = Evented { stuck(client) }
      sleep seconds
      task.cancel
      assert_raises(Evented::Cancel) { task.value }
      client = recovered(client)
      works(client)
    end
  end

  # In time, so that it has run about 40 times in these SLOW seconds. Of a thread that is blocked there would be none;
  # the rest is for a machine that has other things to do.
  def goes_on(ticker)
    self.class.latenesses.concat(ticker.latenesses)

    assert_operator ticker.ticks, :>=, 10, "the ticker was kept from running"
  end

  # @return [Boolean] whether a new client works in a forked child
  def in_the_child
    client = connect
    answers = Array.new(3) { |n| Evented { sleep 0.001 and ask(client, "child #{n}") if n.zero? } }
    answers.first.value == "child 0"
  rescue StandardError => e
    warn e.full_message
    raise
  end

  def a_few_turns = 5.times { sleep 0.001 }
end
