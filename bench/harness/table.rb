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

    # The first column is aligned to the left, the figures to the right.
    def table
      rows = [HEADINGS[@entry.case.unit], *@figures.map { |subject, figures| row(subject, figures) }]
      first, *others = rows.transpose.map do |column|
        width = column.map(&:size).max
        [column.first, "-" * width, *column.drop(1)].map { |cell| [cell, width] }
      end
      columns = [first.map { |cell, width| cell.ljust(width) },
                 *others.map { |column| column.map { |cell, width| cell.rjust(width).sub(/--\z/, "-:") } }]
      columns.transpose.map { |cells| "| #{cells.join(" | ")} |" }.join("\n")
    end

    def row(subject, figures)
      cpu = "#{number(figures.cpu)} (#{number(figures.user)} + #{number(figures.system)})"
      [subject, number(figures.median), "#{number(figures.lowest)} … #{number(figures.highest)}",
       *(cpu if @entry.case.unit == "ns"), ratio(figures, "floor"), ratio(figures, "Async")]
    end

    def ratio(figures, other)
      @figures.key?(other) ? format("%.2f", figures.median / @figures[other].median) : "–"
    end

    def number(value)
      value < 1_000 ? format("%.0f", value) : value.round.to_s.gsub(/(?<=\d)(?=(\d{3})+\z)/, ",")
    end

    def notes
      @entry.notes.map { |subject, reason| "Left out: #{subject} (#{reason})" }.join("\n") unless @entry.notes.empty?
    end
  end
end
