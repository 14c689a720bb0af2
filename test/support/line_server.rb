# frozen_string_literal: true

require "support/threaded_server"

# A server that answers line by line: what, its block says, from the line and the lines that came before it; nil for
# nothing.
#
#     LineServer.new { |line| line.upcase }
class LineServer < ThreadedServer
  # @param greeting [String, nil] the first line, if the server speaks first
  # @yieldparam line [String]
  # @yieldparam state [Hash] what the block wants to remember of a connection
  # @yieldreturn [String, nil]
  def initialize(greeting: nil, **, &answer)
    @greeting = greeting
    @answer = answer
    super(**)
  end

  private

  def serve(socket, _number)
    state = {}
    socket.puts(@greeting) if @greeting
    while (line = socket.gets)
      acknowledge(socket.to_io)
      answer = @answer.call(line.chomp, state)
      socket.write("#{answer}\r\n") if answer
    end
  end

  # At once: who writes line by line would wait for it each time.
  def acknowledge(socket)
    socket.setsockopt(:TCP, :QUICKACK, true) if Socket.const_defined?(:TCP_QUICKACK)
  end
end
