# frozen_string_literal: true

module Bench
  # Who does a case's work. `kind` says which of its blocks, `env` what the process gets; `start` runs there and returns
  # the scheduler (if the kind has one), or how to `run` the block, and the versions that belong into the results.
  #
  # A peer that is missing or fails is left out with a note. What is `ours` must not fail: that stops the run.
  Subject = Data.define(:name, :kind, :env, :ours, :start) do
    def self.define(name, kind, env: {}, ours: false, &start) = new(name, kind, env, ours, start)
  end

  evented = lambda do
    require "evented"
    { scheduler: Evented::Scheduler, versions: { evented: Evented::VERSION }, driver: Evented.driver }
  end

  async = lambda do
    require "async"
    { scheduler: Async::Scheduler, driver: IO::Event::Selector.default.name[/\w+\z/],
      versions: { async: Async::VERSION, "io-event": IO::Event::VERSION } }
  end

  in_evented = -> { evented.call.merge(scheduler: nil, run: ->(&work) { Evented.run(&work) }) }

  in_async = lambda do
    async.call.merge(scheduler: nil, run: ->(&work) { Sync(&work) })
         .tap { require "async/semaphore" }.tap { require "async/barrier" }
  end

  uring = { "EVENTED_DRIVER" => "uring" }
  poll = { "EVENTED_DRIVER" => "poll" }

  # Each case has those whose kind it has a block for.
  SUBJECTS = [
    Subject.define("floor", :floor) { {} },
    Subject.define("evented uring", :scheduler, env: uring, ours: true, &evented),
    Subject.define("evented poll", :scheduler, env: poll, ours: true, &evented),
    Subject.define("evented uring", :tasks, env: uring, ours: true, &in_evented),
    Subject.define("evented poll", :tasks, env: poll, ours: true, &in_evented),
    Subject.define("threads", :threads) { {} },
    Subject.define("Async", :scheduler, &async),
    Subject.define("Async", :async, &in_async)
  ].freeze
end
