# frozen_string_literal: true

# Connects and holds: ruby holder.rb PORT COUNT. Prints the monotonic clock as it begins, and waits for the end of its
# input when it is done.
#
# A port of ours and an address of the server's make one connection, so that many need several loopback addresses.

require "socket"

port, count = ARGV.map(&:to_i)
hard = Process.getrlimit(:NOFILE).last
Process.setrlimit(:NOFILE, count + 100, [hard, count + 100].max)
addresses = (1..((count / 10_000) + 1)).map { |n| Socket.pack_sockaddr_in(port, "127.0.0.#{n}") }

puts Process.clock_gettime(Process::CLOCK_MONOTONIC)
$stdout.flush
held = Array.new(count) do |n|
  Socket.new(:INET, :STREAM).tap { |socket| socket.connect(addresses[n % addresses.size]) }
end
$stdin.read
held.clear
# Not one by one.
exit!
