# frozen_string_literal: true

# A language model, as far as one can tell from outside: it streams the words of the question back, one every 20 ms, in
# the manner of chat completions. `/delay?ms=200` is some other slow service.
#
#     ruby llm/server.rb [port]      0, or none, for any; it says which

require "evented"
require "json"
require "socket"

TOKEN_SECONDS = 0.02

def serve(socket)
  request = socket.gets("\r\n\r\n") or return
  body = socket.read(request[/^content-length: (\d+)/i, 1].to_i)
  case request
  when %r{\APOST /v1/chat/completions} then stream(socket, JSON.parse(body).dig("messages", -1, "content"))
  when %r{\AGET /delay\?ms=(\d+)&number=(\d+)} then delay(socket, Regexp.last_match(1).to_i, Regexp.last_match(2))
  else socket.write("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
  end
rescue SystemCallError, IOError
  nil # it has gone
ensure
  socket.close
end

def stream(socket, question)
  socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
  question.scan(/\S+\s*/).each do |word|
    sleep TOKEN_SECONDS
    chunk(socket, "data: #{{ choices: [{ delta: { content: word } }] }.to_json}\n\n")
  end
  chunk(socket, "data: [DONE]\n\n")
  chunk(socket, "")
end

def chunk(socket, text) = socket.write("#{text.bytesize.to_s(16)}\r\n#{text}\r\n")

def delay(socket, milliseconds, number)
  sleep milliseconds / 1000.0
  answer = "service #{number}"
  socket.write("HTTP/1.1 200 OK\r\ncontent-length: #{answer.size}\r\nconnection: close\r\n\r\n#{answer}")
end

server = TCPServer.new("127.0.0.1", ARGV.fetch(0, 0).to_i)
puts "Listening on http://127.0.0.1:#{server.local_address.ip_port}"
$stdout.flush
begin
  Evented do
    while (client = server.accept)
      Evented(name: "client") { |task| serve(client.tap { task.annotate("a request") }) }
    end
  end
rescue Interrupt
  nil
end
