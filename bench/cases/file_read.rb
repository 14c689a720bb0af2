# frozen_string_literal: true

require "tempfile"

Bench.define do
  measures "File.read of files that the page cache has, by 20 fibers; one operation is one file"
  variants 4_096, 1_048_576, of: "bytes each"
  operations { |bytes| bytes > 100_000 ? 600 : 10_000 }

  readers = 20
  file_of = ->(bytes) { Tempfile.create("bench").tap { |file| file.write("x" * bytes) && file.flush } }
  read = lambda do |path, count, bytes|
    count.times { File.read(path).bytesize == bytes or raise "not all of it" }
  end

  floor "one after the other, without a scheduler" do |count, run|
    file = file_of.call(run.variant)
    run.measure { read.call(file.path, count, run.variant) }
    File.unlink(file)
  end

  together = lambda do |count, run, start, wait|
    file = file_of.call(run.variant)
    run.measure do
      Array.new(readers) { start.call { read.call(file.path, count / readers, run.variant) } }.each(&wait)
    end
    File.unlink(file)
  end

  tasks { |count, run| together.call(count, run, ->(&work) { Evented(&work) }, :wait) }
  async { |count, run| together.call(count, run, ->(&work) { Async(&work) }, :wait) }
  threads { |count, run| together.call(count, run, Thread.method(:new), :join) }
end
