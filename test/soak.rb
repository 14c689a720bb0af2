# frozen_string_literal: true

require "evented"
require_relative "soak/books"
require_relative "soak/jobs"
require_relative "soak/memory"
require_relative "soak/pool"
require_relative "soak/servers"

# A mix of everything, for as long as one likes, with faults at random: echo, HTTP, PostgreSQL, files, processes and
# timeouts. Every byte that is sent is counted against those that arrive.
#
#     rake soak[600]
module Soak
  # Jobs at a time.
  WORKERS = 24

  # What may befall a job, and how often in a hundred.
  FAULTS = { none: 70, cancelled: 15, timed_out: 10, evented_timeout: 5 }.freeze
  CARDS = FAULTS.flat_map { |fault, times| [fault] * times }.freeze
  private_constant :CARDS

  Result = Struct.new(:seconds, :books, :memory, :stats, :rows)

  class << self
    # @param seconds [Numeric]
    # @return [Result]
    def run(seconds)
      books = Books.new
      memory = Memory.new
      result = Evented.run { soak(seconds, books, memory) }
      books.mismatch(:memory, memory.mistake) if memory.mistake && seconds >= 120
      result
    end

    private

    def soak(seconds, books, memory)
      servers = Servers.new(books)
      pool = Pool.available? ? Pool.new(books) : nil
      directory = Dir.mktmpdir("evented-soak-")
      means = { servers: servers, pool: pool, directory: directory }
      finish = now + seconds
      workers = Array.new(WORKERS) { Evented { work(books, means) until now >= finish } }
      observer = Evented { observe(memory, pool, seconds, finish) }
      [*workers, observer].each(&:wait)
      Result.new(seconds, books, memory, Fiber.scheduler.stats, pool&.settle)
    ensure
      pool&.close
      servers&.close
      FileUtils.rm_rf(directory) if directory
    end

    def work(books, means)
      kind = pick_kind(means)
      job = kind.new(books, **means)
      name = kind.name[/\w+\z/].downcase.to_sym
      fault = CARDS.sample
      if outcome(fault) { job.run } == :done
        books.done(name)
      else
        books.cut_short(name)
        books.fault(fault.to_s.tr("_", " "), "the job cleaned up")
      end
    end

    def pick_kind(means)
      @kinds ||= Jobs::KINDS.flat_map { |kind, times| [kind] * times }
      @kinds_without_pg ||= @kinds - [Jobs::Postgres]
      (means[:pool] ? @kinds : @kinds_without_pg).sample
    end

    def outcome(fault, &)
      case fault
      when :none then yield
      when :cancelled then return cancel(Evented(&))
      when :timed_out then Timeout.timeout(a_moment, &)
      when :evented_timeout then Evented.timeout(a_moment, &)
      end
      :done
    rescue Timeout::Error, Evented::TimeoutError
      :cut_short
    end

    def cancel(task)
      sleep a_moment
      task.cancel
      task.wait
      :done
    rescue Evented::Cancel
      :cut_short
    end

    # About as long as a job takes.
    def a_moment = rand < 0.5 ? rand * 0.002 : rand * 0.03

    def observe(memory, pool, seconds, finish)
      pause = [seconds / 60.0, 0.2].max
      while now < finish
        sleep pause
        memory.take
        pool&.terminate_one if rand < 0.3
        GC.compact if GC.respond_to?(:compact) && rand < 0.1
      end
    end

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
