# frozen_string_literal: true

# An answer as it grows, as server-sent events.
class EventsController < ApplicationController
  # What Puma calls `each` on, after the action. (Rails first asks without a block whether it is an array.)
  Stream = Data.define(:answer) do
    def each
      return to_enum unless block_given?

      Evented.run do
        Evented.timeout(60) do
          sent = 0
          loop do
            answer.reload
            yield "data: #{answer.content[sent..].to_json}\n\n" if answer.content.size > sent
            sent = answer.content.size
            break yield("event: done\ndata: {}\n\n") if answer.complete

            sleep 0.02
          end
        end
      end
    end
  end

  def show
    answer = Chat.find(params[:chat_id]).messages.find_by!(role: "assistant")
    response.headers["content-type"] = "text/event-stream"
    response.headers["cache-control"] = "no-cache"
    # Else ETag would read it to its end first.
    response.headers["last-modified"] = Time.now.httpdate
    self.response_body = Stream.new(answer: answer)
  end
end
