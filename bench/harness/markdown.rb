# frozen_string_literal: true

module Bench
  # Tables that read well on a terminal too.
  module Markdown
    module_function

    # @param rows [Array<Array<String>>] the headings first; the first column is aligned left, figures right
    # @return [String]
    def table(rows)
      first, *others = rows.transpose.map do |column|
        width = column.map(&:size).max
        [column.first, "-" * width, *column.drop(1)].map { |cell| [cell, width] }
      end
      columns = [first.map { |cell, width| cell.ljust(width) },
                 *others.map { |column| column.map { |cell, width| cell.rjust(width).sub(/--\z/, "-:") } }]
      columns.transpose.map { |cells| "| #{cells.join(" | ")} |" }.join("\n")
    end

    # @return [String] with commas, without a fraction
    def number(value)
      value < 1_000 ? format("%.0f", value) : value.round.to_s.gsub(/(?<=\d)(?=(\d{3})+\z)/, ",")
    end
  end
end
