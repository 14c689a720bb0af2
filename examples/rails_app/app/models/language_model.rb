# frozen_string_literal: true

require "json"
require "net/http"

# A client such as any other: Net::HTTP, and nothing in it knows of fibers.
class LanguageModel
  def initialize(url = Rails.configuration.x.llm_url)
    @uri = URI("#{url}/v1/chat/completions")
  end

  # @yieldparam token [String] as soon as it arrives
  def stream(question, &)
    request = Net::HTTP::Post.new(@uri, "content-type" => "application/json")
    request.body = { stream: true, messages: [{ role: "user", content: question }] }.to_json
    Net::HTTP.start(@uri.host, @uri.port) do |http|
      http.request(request) { |response| each_token(response, &) }
    end
  end

  private

  def each_token(response)
    rest = +""
    response.read_body do |part|
      rest << part
      while (event = rest.slice!(/\Adata: .*\n\n/))
        data = event.delete_prefix("data: ").strip
        yield JSON.parse(data).dig("choices", 0, "delta", "content") unless data == "[DONE]"
      end
    end
  end
end
