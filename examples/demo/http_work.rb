# frozen_string_literal: true

require "net/http"

# `size` GET requests in plain, blocking Ruby, each on a connection of its own. Every answer differs and is checked, so
# that no call can get another one's unnoticed.
class HttpWork
  attr_reader :size

  def initialize(url, size)
    @url = url
    @size = size
  end

  # What comes before the clock starts.
  def prepare; end

  def call(number)
    answer = Net::HTTP.get(URI("#{@url}/#{number}"))
    raise "GET /#{number} was answered with #{answer.inspect}" unless answer == "answer to /#{number}\n"
  end
end
