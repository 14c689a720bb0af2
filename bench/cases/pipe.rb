# frozen_string_literal: true

Bench.define do
  measures "64 bytes over two pipes between two fibers; one operation is both ways: two writes, two waiting reads"
  operations 30_000, threads: 5_000

  message = "x" * 64

  rally = lambda do |start, count|
    there, far = IO.pipe
    back, near = IO.pipe
    [near, far].each { |io| io.sync = true }
    [start.call { count.times { far.write(message) && back.readpartial(64) } },
     start.call { count.times { there.readpartial(64) && near.write(message) } }]
  end

  floor "the same writes and reads in one fiber without a scheduler" do |count|
    reader, writer = IO.pipe
    writer.sync = true
    (2 * count).times { writer.write(message) && reader.readpartial(64) }
  end

  scheduler { |count| rally.call(Fiber.method(:schedule), count) }
  threads { |count| rally.call(Thread.method(:new), count).each(&:join) }
end
