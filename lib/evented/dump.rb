# frozen_string_literal: true

require "json"

module Evented
  # What every task of this process waits for.
  #
  # @private
  class Dump
    LIB = ["#{__dir__}/", "#{__dir__}.rb:"].freeze
    private_constant :LIB

    # @param roots [Array<Evented::Task>]
    def initialize(roots)
      @roots = roots
    end

    # @return [Array<Hash>] the trees of tasks
    def to_a
      @roots.map do |root|
        waits = root.scheduler.__waits.to_h { |fiber, *wait| [fiber, wait] }.compare_by_identity
        describe(root, waits)
      end
    end

    # @return [String]
    def to_json(*) = JSON.pretty_generate(to_a)

    # @return [String]
    def to_s
      return "no reactor runs" if @roots.empty?

      to_a.map { |task| draw(task, "") }.join
    end

    private

    def describe(task, waits)
      what, object, descriptor, seconds = waits[task.fiber]
      {
        name: text(task.name), status: task.status, annotation: text(task.annotation),
        waits_for: what && { what: what, object: text(name_of(object)), descriptor: descriptor,
                             seconds: seconds.round(3) },
        started_at: task.source_location&.join(":")&.then { |place| place unless place.start_with?(*LIB) },
        stands_at: line(task),
        children: task.children.map { |child| describe(child, waits) }
      }.compact
    end

    # The innermost line that is not ours.
    def line(task)
      backtrace = task.equal?(Task.current?) ? caller : task.fiber&.backtrace
      backtrace&.find { |location| !location.start_with?(*LIB, "<internal:") }
    end

    def name_of(object)
      case object
      when nil then nil
      when Symbol then object.to_s
      when Task, String, Integer then object.inspect
      when Waiter then name_of(object.place)
      else object.class.to_s
      end
    end

    # What came from a socket, say, may not be UTF-8, without which there is no JSON.
    def text(string)
      return string unless string.is_a?(String)

      string.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
    end

    def draw(task, indent)
      wait = task[:waits_for]
      head = [task[:name]&.inspect, task[:status], task[:annotation] && "(#{task[:annotation]})",
              wait && [wait[:what], wait[:object], wait[:descriptor]&.then { |fd| "fd=#{fd}" }, "#{wait[:seconds]} s"],
              task[:started_at]&.then { |place| "started at #{place}" },
              task[:stands_at]&.then { |place| "stands at #{place}" }]
      lines = "#{indent}#{head.flatten.compact.join(" ")}\n"
      lines + task[:children].map { |child| draw(child, "#{indent}  ") }.join
    end
  end
  private_constant :Dump

  class << self
    # The tree of tasks of each reactor of this process: name, status, what each waits for and since when, the line at
    # which it was started and the line it stands on.
    #
    # @param format [Symbol] `:text` or `:json`
    # @return [String]
    # @raise [ArgumentError] for another format
    # @suspends no
    # @threadsafe yes
    def dump(format: :text)
      check_format(format)
      dump = Dump.new(Task.roots)
      format == :json ? dump.to_json : dump.to_s
    end

    # Writes {dump} whenever the process gets a signal.
    #
    # @param signal [String, Symbol] `:USR1`, for example
    # @param io [IO]
    # @param format [Symbol] as for {dump}
    # @return [void]
    # @raise [ArgumentError] if there is no such signal, or it is not to be had, or for another format
    # @raise [TypeError] if `io` can't be written to
    # @suspends no
    # @threadsafe yes
    def dump_on(signal, io: $stderr, format: :text)
      check_format(format)
      raise TypeError, "io: has to be an IO, such as $stderr, not #{io.inspect}" unless io.respond_to?(:write)

      trap(signal) { io.write(dump(format: format), "\n") }
    end

    private

    def check_format(format)
      return if %i[text json].include?(format)

      raise ArgumentError, "unknown format #{format.inspect}: :text and :json are known"
    end
  end
end
