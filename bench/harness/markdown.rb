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

    # @return [String] with commas; with a fraction where it is small
    def number(value) = value < 10 ? decimal(value) : whole(value.round)

    # @return [String] the same for what may be a word as well
    def whole(value) = value.is_a?(Integer) ? value.to_s.gsub(/(?<=\d)(?=(\d{3})+\z)/, ",") : value.to_s

    # @return [String] with two digits that say something
    def decimal(value)
      return "0" if value.zero?

      value < 0.1 ? format("%.1g", value) : format("%.2f", value)
    end
  end
end
