# frozen_string_literal: true

require "json"
require "net/http"

# What a chat application does: it stores a message, streams the answer by Net::HTTP, stores what has come every ten
# tokens, and the end of it in a transaction.
class Job
  URL = URI("http://127.0.0.1:#{ENV.fetch("LLM_PORT")}/v1/chat/completions")
  BODY = { stream: true, messages: [{ role: "user", content: "What is a fiber?" }] }.to_json.freeze
  EVERY = 10

  # When the first token came and how late each was, in nanoseconds; and why it failed, if it did.
  attr_reader :first, :late, :error

  def initialize
    @late = []
  end

  def perform
    answer = Answer.create!(content: "")
    text = +""
    stream do |token|
      text << token
      answer.update_columns(content: text) if (@late.size % EVERY).zero?
    end
    Answer.transaction { answer.update!(content: text, complete: true) }
  rescue StandardError => e
    @error = "#{e.class}: #{e.message.lines.first}"
  end

  private

  def stream(&)
    request = Net::HTTP::Post.new(URL, "content-type" => "application/json")
    request.body = BODY
    Net::HTTP.start(URL.host, URL.port, read_timeout: 300, open_timeout: 300) do |http|
      http.request(request) { |response| read(response, &) }
    end
  end

  def read(response)
    rest = +""
    response.read_body do |part|
      rest << part
      while (stop = rest.index("\n\n"))
        data = rest.slice!(0, stop + 2)[6..-3]
        next if data == "[DONE]"

        event = JSON.parse(data)
        came = Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
        @first ||= came
        @late << (came - event["due"])
        yield event["choices"][0]["delta"]["content"]
      end
    end
  end
end
