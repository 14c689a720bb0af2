# frozen_string_literal: true

module Bench
  # One thing that is measured, as a file of bench/micro or bench/tasks declares it:
  #
  #     Bench.define do
  #       measures "what one operation is"
  #       operations 100_000
  #       floor("the same with …") { |count| … }
  #       threads { |count| … }
  #       scheduler { |count| … }
  #     end
  #
  # Each block does `count` operations. That of `scheduler` runs as a fiber of whichever scheduler is measured; in a
  # suite about tasks there are `tasks`, which runs inside Evented.run, and `async`, inside Sync, instead.
  #
  # A case that `measures_memory` makes `count` of something and then calls the block it is given, while all are there.
  class Case
    # [String] the file's name
    attr_reader :name
    # [Hash<Symbol, Proc>] the work, by the kind of subject that does it
    attr_reader :bodies
    # [String] what the floor does instead
    attr_reader :floor_title

    def self.load(file)
      Bench.defining = new(File.basename(file, ".rb"))
      Kernel.load(file)
      Bench.defining
    end

    def initialize(name)
      @name = name
      @bodies = {}
    end

    def measures(sentence = @measures) = @measures = sentence

    # How many operations one sample does, so that it takes some tenths of a second. Kinds that are far faster or slower
    # than the rest may have a number of their own: `operations 400_000, floor: 4_000_000`.
    def operations(count, **by_kind)
      @operations = Hash.new(count).merge(by_kind)
    end

    def operations_of(kind) = @operations[kind]

    def floor(title, &body)
      @floor_title = title
      @bodies[:floor] = body
    end

    # For what takes long and is not about time.
    def measured_once = @once = true
    def once? = @once

    def measures_memory = @unit = "bytes"

    # What its figures are: nanoseconds an operation, or bytes each.
    def unit = @unit || "ns"

    def threads(&body) = @bodies[:threads] = body
    def scheduler(&body) = @bodies[:scheduler] = body
    def tasks(&body) = @bodies[:tasks] = body
    def async(&body) = @bodies[:async] = body
  end

  class << self
    # The case whose file is being loaded.
    attr_accessor :defining

    def define(&) = defining.instance_eval(&)
  end
end
