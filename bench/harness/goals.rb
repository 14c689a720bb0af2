# frozen_string_literal: true

module Bench
  # Whether a case's goals are reached, in its results as they are kept. The best of a family counts.
  class Goals
    Verdict = Data.define(:case, :variant, :goal, :found, :reached)

    # @return [String] rows of a table
    def self.table(verdicts)
      return if verdicts.empty?

      rows = verdicts.map do |verdict|
        [[verdict.case, *verdict.variant].join(" "), verdict.goal, verdict.found,
         verdict.reached ? "reached" : "missed"]
      end
      Markdown.table([%w[case goal found verdict], *rows])
    end

    def initialize(results)
      @results = results
    end

    # @return [Array<Verdict>] one a goal and variant; those that nobody could be measured for are not there
    def verdicts
      @results[:variants].product(@results[:goals]).filter_map do |variant, goal|
        next if goal[:at] && !Array(goal[:at]).include?(variant[:variant])

        verdict(variant, goal)
      end
    end

    private

    def verdict(variant, goal)
      ours = best(variant, goal[:family])
      theirs = goal[:other] ? best(variant, goal[:other]) : 1
      return unless ours && theirs

      ratio = goal[:sense].to_s == "at_most" ? ours.fdiv(theirs) : theirs.fdiv(ours)
      reached = goal[:sense].to_s == "at_most" ? ratio <= goal[:limit] : ratio >= goal[:limit]
      Verdict.new(@results[:case], variant[:variant], sentence(goal), found(goal, ratio), reached)
    end

    def best(variant, family)
      variant[:subjects].select { |subject| subject[:family] == family }.map { |subject| subject[:median] }.min
    end

    def sentence(goal)
      sense = goal[:sense].to_s == "at_most" ? "at most" : "at least"
      return "#{goal[:family]} #{sense} #{goal[:limit]} #{Case::UNITS[@results[:unit].to_sym]}" unless goal[:other]

      faster = " faster than" if sense == "at least"
      "#{goal[:family]} #{sense} #{goal[:limit]} ×#{faster} #{goal[:other]}"
    end

    def found(goal, ratio) = format(goal[:other] ? "%.2f ×" : "%.0f", ratio)
  end
end
