# frozen_string_literal: true

module Bench
  # One thing that is measured, as a file of bench/cases declares it:
  #
  #     Bench.define do
  #       measures "what one operation is"
  #       operations 100_000
  #       floor("the same with …") { |count| … }
  #       threads { |count| … }
  #       scheduler { |count| … }
  #       goal "evented", at_most: 1.4, times: "floor"
  #     end
  #
  # Each block does `count` operations in a process of its own; a second parameter is its {Run}, which knows the variant
  # and lets it measure a part of what it does only. The block of
  #
  #     scheduler   runs as a fiber of whichever scheduler is measured
  #     tasks       inside Evented.run, and the block of `async` inside Sync
  #     em          has EM, evented's or EventMachine itself, and calls EM.run
  #
  # A case that says what it is `under_load` of measures servers: its blocks get a port instead of a count, listen on it
  # and never return, `program` names other commands that do, and the figures are what one request costs the server.
  class Case
    # What a sample's main figure is: its heading, and how it reads there.
    UNITS = {
      wall: "ns an operation", cpu: "CPU ns a request", bytes: "bytes each", p99: "µs, 99 %"
    }.freeze

    # Programs run outside of Bundler, whose Gemfile need not know them.
    Program = Data.define(:name, :family, :needs, :command) do
      def env = %w[RUBYOPT RUBYLIB BUNDLE_GEMFILE BUNDLER_SETUP].to_h { |name| [name, nil] }
      def ours = false
    end
    Goal = Data.define(:family, :limit, :sense, :other, :at)

    # [String] the file's name
    attr_reader :name
    # [Hash<Symbol, Proc>] the work, by the kind of subject that does it
    attr_reader :bodies
    # [Array<Program>]
    attr_reader :programs
    # [Array<Goal>]
    attr_reader :goals
    # [String] what the floor does instead
    attr_reader :floor_title
    # [String] what the variants count
    attr_reader :variants_title
    # [Integer, nil]
    attr_reader :smoke_variant
    # [Proc, nil] what loads the servers, if it measures servers
    attr_reader :load
    # [Proc, nil] starts what has to run beside it
    attr_reader :company

    def self.load(file)
      Bench.defining = new(File.basename(file, ".rb"))
      Kernel.load(file)
      Bench.defining
    end

    def initialize(name)
      @name = name
      @bodies = {}
      @programs = []
      @goals = []
      @variants = [nil]
      @operations = Hash.new(1)
    end

    def measures(sentence = @measures) = @measures = sentence

    # How many operations one sample does, so that it takes some tenths of a second. Kinds that are far faster or slower
    # than the rest may have a number of their own: `operations 400_000, floor: 4_000_000`. A block gets the variant.
    def operations(count = nil, **by_kind, &block)
      @operations = Hash.new(count || block).merge(by_kind)
    end

    def operations_of(kind, variant)
      count = @operations[kind]
      count.respond_to?(:call) ? count.call(variant) : count
    end

    # What it is measured with: `variants 10, 100, 1_000, of: "fibers"`. To see that it runs, the first is enough, or
    # another.
    def variants(*list, of: nil, smoke: list.first)
      return @variants if list.empty?

      @variants_title = of
      @smoke_variant = smoke
      @variants = list
    end

    # Which programs it can't do without: a name in PATH.
    def needs(*programs) = programs.empty? ? @needs.to_a : @needs = programs

    def floor(title, &body)
      @floor_title = title
      @bodies[:floor] = body if body
    end

    # For what takes long: so many samples, without warming up.
    def rounds(count = @rounds) = @rounds = count

    # What matters, if it is not wall time: :cpu, :bytes or :p99.
    def about(unit) = @unit = unit
    def unit = @unit || (served? ? :cpu : :wall)
    def memory? = unit == :bytes

    def threads(&body) = @bodies[:threads] = body
    def scheduler(&body) = @bodies[:scheduler] = body
    def tasks(&body) = @bodies[:tasks] = body
    def async(&body) = @bodies[:async] = body
    def em(&body) = @bodies[:em] = body

    # @param command [Proc] from the port to listen on to a command
    def program(name, family: name, needs: nil, &command)
      @programs << Program.new(name, family, needs, command)
    end

    # The servers of bench/servers/NAME.rb, which several cases load.
    def serves(name)
      require "#{File.dirname(__dir__)}/servers/#{name}"
      instance_eval(&Bench::SERVERS.fetch(name))
    end

    # @yieldparam server [Serving] with its `port`
    # @yieldparam variant [Integer, nil]
    # @yieldparam seconds [Float] for how long
    # @yieldreturn [Hash] operations, and latencies in µs
    def under_load(&block) = @load = block
    def served? = !@load.nil?

    # @yieldparam use [Proc] to be called with the environment that finds it, while it runs
    def beside(&block) = @company = block

    # `goal "evented", at_most: 1.4, times: "floor"`, `goal "evented", at_least: 10, times: "Async"` (so much faster),
    # or `at_most: 150` of the case's own unit. The best of a family counts.
    def goal(family, at_most: nil, at_least: nil, times: nil, at: nil)
      @goals << Goal.new(family, at_most || at_least, at_most ? :at_most : :at_least, times, at)
    end
  end

  SERVERS = {} # rubocop:disable Style/MutableConstant

  class << self
    # What {Case#serves} takes over into a case.
    def servers(name, &block) = SERVERS[name] = block

    # The case whose file is being loaded.
    attr_accessor :defining

    def define(&) = defining.instance_eval(&)
  end
end
