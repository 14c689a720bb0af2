# frozen_string_literal: true

require "resolv"
require "socket"

# A name server of plain Ruby sockets, on loopback. EventMachine's resolver only asks port 53, which takes root.
class NameServer
  A = Resolv::DNS::Resource::IN::A
  AAAA = Resolv::DNS::Resource::IN::AAAA

  # @return [Array<Resolv::DNS::Message>] what was asked
  attr_reader :questions

  # @param address [String]
  # @param port [Integer] 0 for any
  # @yieldparam answer [Resolv::DNS::Message] an answer without content, to be filled
  # @yieldparam name [String] what was asked for
  # @yieldreturn [String, Array<String>, Float, nil] what to send instead of it; nil to send it, [] for nothing, seconds
  #   to send it after them
  def initialize(address = "127.0.0.1", port = 0, &answer)
    @socket = UDPSocket.new(Addrinfo.ip(address).afamily)
    @socket.bind(address, port)
    @questions = []
    @thread = Thread.new { serve(answer) }
    @thread.report_on_exception = false
  end

  def address = @socket.local_address.ip_address

  def port = @socket.local_address.ip_port

  # @raise what went wrong in it
  def close
    @socket.close
    @thread.join
  rescue IOError
    nil
  end

  private

  def serve(answer)
    loop do
      data, (_, port, _, host) = @socket.recvfrom(4096)
      question = Resolv::DNS::Message.decode(data)
      @questions << question
      reply = reply_to(question)
      sent = answer.call(reply, question.question.first.first.to_s)
      next later(sent, reply, host, port) if sent.is_a?(Float)

      Array(sent.nil? ? reply.encode : sent).each { |packet| @socket.send(packet, 0, host, port) }
    end
  end

  def later(seconds, reply, host, port)
    Thread.new { sleep(seconds) && @socket.send(reply.encode, 0, host, port) }
  end

  def reply_to(question)
    reply = Resolv::DNS::Message.new(question.id)
    reply.qr = reply.rd = reply.ra = 1
    question.question.each { |name, type| reply.add_question(name, type) }
    reply
  end
end
