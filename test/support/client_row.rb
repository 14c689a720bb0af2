# frozen_string_literal: true

# What a test of a client says about it: its row in the table of `docs/clients.md`, which is checked against this.
module ClientRow
  LETTERS = %i[a b c d e f g].freeze

  # Test classes that have a row, by the client's name.
  ROWS = {} # rubocop:disable Style/MutableConstant

  # @return [String] as the table has it
  attr_reader :client_name, :yields

  # @param name [String] of the client
  # @param yields [String] whether it lets other fibers run
  def client(name, yields: "yes")
    @client_name = name
    @yields = yields
    ROWS[name] = self
  end

  # Says that something can't be asked of this client, which therefore has no test for it.
  def without(*letters)
    letters.each do |letter|
      cells[letter] = "–"
      instance_methods.grep(/\Atest_#{letter}_/).each { |name| undef_method(name) }
    end
  end

  def without_timeout_of_its_own = undef_method(:test_d_a_timeout_of_its_own)

  # Says that something takes more than writing it down: what, the table's remarks tell, and the class's own tests.
  def with_remedy(*letters) = letters.each { |letter| cells[letter] = "remedy" }

  # Says what does not work at all.
  def fails(*letters) = letters.each { |letter| cells[letter] = "no" }

  # @return [Array<String>] the cells of its row but the remarks
  def row = [client_name, yields, *LETTERS.map { |letter| cells.fetch(letter) { tested(letter) } }]

  # @return [Array<Float>] how late tickers were, in seconds
  def latenesses = @latenesses ||= []

  private

  def cells = @cells ||= {}

  def tested(letter)
    instance_methods.any? { |name| name.start_with?("test_#{letter}_") } ? "yes" : raise("no test of #{letter}")
  end
end

Minitest.after_run do
  ClientRow::ROWS.each_value do |row|
    late = row.latenesses.sort
    next if late.empty?

    median, worst = [late[late.size / 2], late.last].map { |seconds| (seconds * 1000).round(2) }
    puts "#{row.client_name}: ticked #{late.size} times, late by #{median} ms in the median, #{worst} ms at worst"
  end
end
