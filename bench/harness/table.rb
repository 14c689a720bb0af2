# frozen_string_literal: true

module Bench
  # One case: a line a subject.
  class Table
    HEADINGS = {
      "ns" => ["", "ns an operation", "lowest … highest", "CPU ns (user + system)", "× floor", "× Async"],
      "bytes" => ["", "bytes each", "lowest … highest", "× floor", "× Async"]
    }.freeze

    def initialize(entry)
      @entry = entry
      @figures = entry.figures
    end

    def to_s
      about = "#{@entry.case.measures}. Floor: #{@entry.case.floor_title}."
      ["## #{@entry.case.name}", about, table, notes].compact.join("\n\n")
    end

    private

    def table
      Markdown.table([HEADINGS[@entry.case.unit], *@figures.map { |subject, figures| row(subject, figures) }])
    end

    def row(subject, figures)
      cpu = "#{number(figures.cpu)} (#{number(figures.user)} + #{number(figures.system)})"
      [subject, number(figures.median), "#{number(figures.lowest)} … #{number(figures.highest)}",
       *(cpu if @entry.case.unit == "ns"), ratio(figures, "floor"), ratio(figures, "Async")]
    end

    def ratio(figures, other)
      @figures.key?(other) ? format("%.2f", figures.median / @figures[other].median) : "–"
    end

    def number(value) = Markdown.number(value)

    def notes
      @entry.notes.map { |subject, reason| "Left out: #{subject} (#{reason})" }.join("\n") unless @entry.notes.empty?
    end
  end
end
