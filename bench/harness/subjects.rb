# frozen_string_literal: true

module Bench
  # Who does a case's work. `kind` says which of its blocks, `env` what the process gets; `start` runs there and returns
  # the scheduler (if the kind has one), or how to `run` the block, and what belongs into the results. Those of one
  # `family` stand for each other: the better counts.
  #
  # A peer that is missing or fails is left out with a note. What is `ours` must not fail: that stops the run.
  Subject = Data.define(:name, :family, :kind, :env, :options, :start) do
    def self.define(name, kind, family: name, env: {}, options: [], &start)
      new(name, family, kind, env, options, start)
    end

    def ours = family.start_with?("evented", "floor")
  end

  evented = lambda do
    require "evented"
    { scheduler: Evented::Scheduler, versions: { evented: Evented::VERSION }, driver: Evented.driver }
  end

  async = lambda do
    require "async"
    wanted = ENV.fetch("IO_EVENT_SELECTOR")
    unless IO::Event::Selector.const_defined?(wanted)
      raise LoadError, "io-event has no #{wanted} here: bench/peers/io-event-uring builds it"
    end

    { scheduler: Async::Scheduler, driver: IO::Event::Selector.default.name[/\w+\z/],
      versions: { async: Async::VERSION, "io-event": IO::Event::VERSION } }
  end

  in_evented = -> { evented.call.merge(scheduler: nil, run: ->(&work) { Evented.run(&work) }) }

  in_async = lambda do
    async.call.merge(scheduler: nil, run: ->(&work) { Sync(&work) })
         .tap { require "async/semaphore" }.tap { require "async/barrier" }
  end

  em_on_evented = lambda do
    require "evented/eventmachine"
    { versions: { evented: Evented::VERSION }, driver: Evented.driver }
  end

  eventmachine = lambda do
    require "eventmachine"
    raise LoadError, "this is evented's EM" if EM.name.start_with?("Evented")

    EM.epoll if ENV["BENCH_EPOLL"]
    { versions: { eventmachine: EM::VERSION } }
  end

  uring = { "EVENTED_DRIVER" => "uring" }
  poll = { "EVENTED_DRIVER" => "poll" }
  async_epoll = { family: "Async", env: { "IO_EVENT_SELECTOR" => "EPoll" } }
  # Debian's io-event is built without liburing; bench/peers/io-event-uring builds one that has it.
  cache = ENV.fetch("XDG_CACHE_HOME") { File.expand_path("~/.cache") }
  async_uring = { family: "Async", env: { "IO_EVENT_SELECTOR" => "URing" },
                  options: ["-I#{cache}/evented-bench/io-event/lib", "-I#{cache}/evented-bench/io-event/ext"] }
  # EventMachine is looked for outside of Bundler, where evented stands for it.
  alone = %w[RUBYOPT RUBYLIB BUNDLE_GEMFILE BUNDLER_SETUP].to_h { |name| [name, nil] }

  # Each case has those whose kind it has a block for.
  SUBJECTS = [
    Subject.define("floor", :floor) { {} },
    Subject.define("evented uring", :scheduler, family: "evented", env: uring, &evented),
    Subject.define("evented poll", :scheduler, family: "evented", env: poll, &evented),
    Subject.define("evented uring", :tasks, family: "evented", env: uring, &in_evented),
    Subject.define("evented poll", :tasks, family: "evented", env: poll, &in_evented),
    Subject.define("evented EM uring", :em, family: "evented EM", env: uring, &em_on_evented),
    Subject.define("evented EM poll", :em, family: "evented EM", env: poll, &em_on_evented),
    Subject.define("threads", :threads) { {} },
    Subject.define("Async epoll", :scheduler, **async_epoll, &async),
    Subject.define("Async io_uring", :scheduler, **async_uring, &async),
    Subject.define("Async epoll", :async, **async_epoll, &in_async),
    Subject.define("Async io_uring", :async, **async_uring, &in_async),
    Subject.define("EventMachine", :em, env: alone, &eventmachine),
    Subject.define("EventMachine epoll", :em, family: "EventMachine", env: alone.merge("BENCH_EPOLL" => "1"),
                   &eventmachine)
  ].freeze
end
