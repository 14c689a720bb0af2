# frozen_string_literal: true

require "net/http"

# Waits for everything at the same time. The reactor runs for the length of the block, in Puma's own thread; the block
# is part of the request: its connection, its transaction, its Current.
class DashboardsController < ApplicationController
  SERVICES = 5

  def show
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    counts, services = Evented.run do
      counts = Evented { count }
      [counts, Evented.map(1..SERVICES) { |number| ask(number) }].then { |task, answers| [task.value, answers] }
    end

    render json: { counts: counts, services: services,
                   seconds: (Process.clock_gettime(Process::CLOCK_MONOTONIC) - started).round(2) }
  end

  private

  # Each has a database connection for as long as its query takes.
  def count
    Evented.all(-> { Chat.count }, -> { Message.count }, -> { Message.where(complete: true).count })
  end

  def ask(number) = Net::HTTP.get(URI("#{Rails.configuration.x.llm_url}/delay?ms=200&number=#{number}"))
end
