# frozen_string_literal: true

require "fileutils"
require "json"

module Bench
  # All samples of bench/em, to print and to keep under bench/results.
  class Report
    FLOOR = "C epoll"
    PEER = "EventMachine"
    BUSY = ["", "CPU µs a request", "lowest … highest", "user + system", "requests a second", "µs until half / 99 %",
            "× C", "× EventMachine"].freeze
    IDLE = ["", "all accepted within", "bytes each", "of that, Ruby's objects", "beside them",
            "CPU µs a request of 64 busy ones", "× C", "× EventMachine"].freeze

    ABOUT = "A minimal HTTP answerer with keep-alive, the same script on each library, under wrk: what one request " \
            "costs its server. Floor: the same in C, a loop around epoll."

    # @param missing [Hash{String => String}] why a subject is left out
    def initialize(missing)
      @samples = Hash.new { |cases, kase| cases[kase] = Hash.new { |subjects, name| subjects[name] = [] } }
      @notes = missing.map { |name, reason| "#{name} (#{reason})" }
      @facts = Machine.describe.merge(EventMachine: Answering.version || "none",
                                      pinned: Answering.on_core(0).any? ? "server and wrk, to a core each" : "no")
    end

    def add(kase, subject, sample) = @samples[kase][subject] << sample

    def note(sentence) = @notes |= [sentence]

    def to_s
      facts = @facts.map { |name, value| "#{name}: #{value}" }.join(" · ")
      notes = "Left out: #{@notes.join("; ")}." unless @notes.empty?
      ["# em", facts, ABOUT, *@samples.map { |kase, subjects| section(kase, subjects) }, notes].compact.join("\n\n")
    end

    def to_h = { suite: "em", **@facts, left_out: @notes, cases: @samples }

    def save
      directory = FileUtils.mkdir_p("#{ROOT}/bench/results").first
      File.write("#{directory}/em.json", "#{JSON.pretty_generate(to_h)}
")
      File.write("#{directory}/em.md", "#{self}\n")
      warn "bench: wrote #{directory}/em.json and .md"
    end

    private

    def section(kase, subjects)
      idle = subjects.values.first.first.key?(:busy)
      rows = subjects.map do |name, samples|
        idle ? idle_row(name, samples, subjects) : busy_row(name, samples, subjects)
      end
      "## #{kase}\n\n#{Markdown.table([idle ? IDLE : BUSY, *rows])}"
    end

    def busy_row(name, samples, subjects)
      costs = samples.map { |sample| sample[:cpu] }
      [name, decimal(median(samples, :cpu)), "#{decimal(costs.min)} … #{decimal(costs.max)}",
       "#{decimal(median(samples, :user))} + #{decimal(median(samples, :system))}",
       Markdown.number(median(samples, :requests_a_second)),
       "#{Markdown.number(median(samples, :median_latency))} / #{Markdown.number(median(samples, :high_latency))}",
       *[FLOOR, PEER].map { |other| ratio(samples, subjects.fetch(other, nil)) }]
    end

    def idle_row(name, samples, subjects)
      busy = ->(list) { list&.map { |sample| sample[:busy] } }
      memory = %i[bytes objects native].map do |what|
        samples.first.key?(what) ? Markdown.number(median(samples, what)) : "–"
      end
      [name, format("%.2f s", median(samples, :accepted_within)), *memory, decimal(median(busy.call(samples), :cpu)),
       *[FLOOR, PEER].map { |other| ratio(busy.call(samples), busy.call(subjects.fetch(other, nil))) }]
    end

    def ratio(samples, others)
      others && !others.empty? ? format("%.2f", median(samples, :cpu) / median(others, :cpu)) : "–"
    end

    def median(samples, what) = Figures.median(samples.map { |sample| sample[what] })

    def decimal(value) = format("%.2f", value)
  end
end
