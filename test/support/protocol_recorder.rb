# frozen_string_literal: true

# Classes with a protocol in them whose callbacks, and what they send, are written down instead.
module ProtocolRecorder
  # Without a connection below: what a connection would be asked is written down.
  module Wire
    attr_reader :log, :sent

    # A class of EventMachine's wants a signature, which nobody has here.
    def self.record(klass, *arguments)
      klass.allocate.tap do |object|
        object.instance_exec do
          @log = []
          @sent = +"".b
          initialize(*arguments)
        end
      end
    end

    def send_data(data)
      @sent << data.to_s.b
      data.to_s.bytesize
    end

    def close_connection(*) = @log << [:close]

    def close_connection_after_writing = @log << [:close]

    def start_tls(options = {}) = @log << [:start_tls, options]
  end

  private

  # @param protocol [Module] a module or a class
  # @param callbacks [Array<Symbol>] what is written down
  # @yield in the class, to define more
  # @return [Class]
  def recording(protocol, *callbacks, closable: true, &block)
    klass = protocol.is_a?(Class) ? Class.new(protocol) : Class.new { include protocol }
    klass.class_eval do
      attr_reader :log, :sent, :reaction
      attr_writer :reaction

      Wire.instance_methods(false).each do |name|
        define_method(name, Wire.instance_method(name)) if closable || name != :close_connection
      end
      callbacks.each do |name|
        define_method(name) do |*arguments|
          @log << [name, *arguments.map(&:dup)]
          @reaction&.call(self, name, *arguments)
        end
      end
      class_eval(&block) if block
    end
    klass
  end

  # @return [Object] one of that class
  def record(klass, *) = Wire.record(klass, *)

  # Has the data received in pieces.
  #
  # @param sizes [#next] of the pieces
  def feed(object, data, sizes)
    position = 0
    while position < data.bytesize
      size = sizes.next
      object.receive_data(data.byteslice(position, size))
      position += size
    end
    object
  end

  # Any split of the data gives the same calls as the whole of it.
  #
  # @yieldparam pieces [Proc] feeds an object
  # @yieldreturn [Object] what is to be the same: the log
  def assert_any_split_is_the_same(data, rounds: 40)
    whole = yield ->(object) { object.receive_data(data.dup) }
    bytewise = yield ->(object) { feed(object, data, [1].cycle) }
    assert_equal whole, bytewise, "in single bytes"
    rounds.times do
      seed = Random.new_seed % 1_000_000
      random = Random.new(seed)
      split = yield ->(object) { feed(object, data, Enumerator.produce { random.rand(1..[data.bytesize, 40].min) }) }
      assert_equal whole, split, "seed #{seed}"
    end
  end

  # Garbage closes the connection at worst.
  #
  # @yieldreturn [Object] a new object
  # @param words [Array<String>] what the garbage is made of, besides random bytes
  def assert_takes_any_garbage(words, rounds: 300)
    rounds.times do
      seed = Random.new_seed % 1_000_000
      random = Random.new(seed)
      data = Array.new(random.rand(1..20)) do
        random.rand < 0.6 ? words.sample(random:).b : random.bytes(random.rand(1..9))
      end.join
      object = yield
      begin
        feed(object, data, Enumerator.produce { random.rand(1..30) })
      rescue StandardError => e
        flunk "seed #{seed}: #{e.class}: #{e.message} of #{data.inspect}\n#{e.backtrace.first(5).join("\n")}"
      end
    end
    pass
  end
end
