# frozen_string_literal: true

require "helper"
require_relative "soak"

# Some seconds of what `rake soak` does for as long as one likes.
class SoakTest < Minitest::Test
  def test_every_byte_arrives_whatever_befalls_those_who_send_it
    result = Soak.run(3)

    assert_empty result.books.mismatches
    result.books.accounts.each_value { |account| assert_equal account.sent, account.received }
    assert_operator result.books.accounts[:echo].received, :>, 0
  end

  def test_books_tell_what_is_missing_and_what_has_changed
    books = Soak::Books.new
    books.moved(:echo, sent: 10, received: 10)
    assert books.check(:echo, Soak::Books.bytes(3, 100), 3)
    assert_empty books.mismatches

    books.moved(:echo, sent: 10, received: 9)
    refute books.check(:echo, Soak::Books.bytes(3, 100), 4)
    assert_equal ["echo: 10 bytes were sent and 9 arrived", "echo: the bytes from 4 on have changed"], books.mismatches
  end

  def test_memory_that_grows_is_told
    flat, growing = Array.new(2) { Soak::Memory.new }
    30.times do |n|
      flat.samples << Soak::Memory::Sample.new(n, 100_000 + (n % 3), 20, 50, 2)
      growing.samples << Soak::Memory::Sample.new(n, 100_000 + (n * 1000), 20, 50, 2)
    end

    assert_nil flat.mistake
    assert_match(/rss grew/, growing.mistake)
  end
end
