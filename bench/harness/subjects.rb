# frozen_string_literal: true

module Bench
  # Who does a case's work. `kind` says which of its blocks, `env` what the process gets; `start` runs there and returns
  # the scheduler (if the kind has one) and the versions that belong into the results.
  #
  # A peer that is missing or fails is left out with a note. What is `ours` must not fail: that stops the run.
  Subject = Data.define(:name, :kind, :env, :ours, :start) do
    def self.define(name, kind, env: {}, ours: false, &start) = new(name, kind, env, ours, start)
  end

  start_evented = lambda do
    require "evented"
    { scheduler: Evented::Scheduler, versions: { evented: Evented::VERSION }, driver: Evented.driver }
  end

  SUBJECTS = [
    Subject.define("floor", :floor) { {} },
    Subject.define("evented uring", :scheduler, env: { "EVENTED_DRIVER" => "uring" }, ours: true, &start_evented),
    Subject.define("evented poll", :scheduler, env: { "EVENTED_DRIVER" => "poll" }, ours: true, &start_evented),
    Subject.define("threads", :threads) { {} },
    Subject.define("Async", :scheduler) do
      require "async"
      { scheduler: Async::Scheduler, driver: IO::Event::Selector.default.name[/\w+\z/],
        versions: { async: Async::VERSION, "io-event": IO::Event::VERSION } }
    end
  ].freeze
end
