# frozen_string_literal: true

require "support/threaded_server"

# A server that answers each request head with what its block says: the bytes to send, in parts that are written one by
# one, or nil to hang up. It also hangs up when it is asked to and has said something.
#
#     ScriptedServer.open(->(head) { ["HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n\r\nok"] }) { |server| server.port }
class ScriptedServer < ThreadedServer
  # @param answer [#call]
  def initialize(answer, **)
    @answer = answer
    super(**)
  end

  private

  def serve(socket, _number)
    while (head = socket.gets("\r\n\r\n"))
      parts = @answer.call(head + socket.read(head[/^content-length: (\d+)/i, 1].to_i))
      break unless parts

      parts.each { |part| [socket.write(part), Thread.pass] }
      break if head.match?(/^connection: close/i) && parts.any?
    end
  end
end
