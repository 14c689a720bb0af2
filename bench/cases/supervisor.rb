# frozen_string_literal: true

Bench.define do
  measures "A supervisor sees tasks come and go, a million of them; it must hold none in the end"
  rounds 1
  operations 1_000_000

  # rubocop:disable Lint/EmptyBlock
  floor "Fiber.new and resume" do |count|
    count.times { Fiber.new {}.resume }
  end

  tasks do |count|
    ended = 0
    Evented::Supervisor.run do |supervisor|
      supervisor.supervise(restart: :temporary) do
        count.times do |number|
          supervisor.supervise(restart: :temporary) { ended += 1 }
          sleep 0 while number - ended > 100 # they start when the supervisor has its turn
        end
      end
    end
    GC.start
    left = ObjectSpace.each_object(Evented::Task).count
    raise "#{left} of #{count} tasks are still there" if left > 100
  end
  # rubocop:enable Lint/EmptyBlock
end
