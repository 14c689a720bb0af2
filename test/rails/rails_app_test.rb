# frozen_string_literal: true

require "helper"
require "json"
require "net/http"
require "support/rails_process"
require "support/throwaway_postgres"
require "tempfile"

# The example is a real application: it runs under Puma, with PostgreSQL and a language model beside it.
class RailsAppTest < Minitest::Test
  APP = "#{ROOT}/examples/rails_app".freeze
  # The first one starts it all.
  TIME_LIMIT = 120

  # Processes of the example, which run for all tests.
  class Running
    attr_reader :url, :log

    def initialize
      @postgres = ThrowawayPostgres.new
      @log = Tempfile.new("rails_app")
      @processes = []
      @copying = []
      @llm = start("llm/server.rb")
      command("bin/rails", "db:schema:load")
      @url = start("-S", "puma", "-C", "config/puma.rb", "-b", "tcp://127.0.0.1:0")
    rescue StandardError
      close
      raise
    end

    def close
      @processes.each { |pid| Process.kill(:TERM, pid) && Process.wait(pid) }
      @copying.each(&:join)
      @postgres.close
      @log.close!
    end

    # @return [String] what it says
    def command(*words)
      output = IO.popen(env, [RbConfig.ruby, "-I#{ROOT}/lib", *words, { chdir: APP, err: %i[child out] }], &:read)
      raise "#{words.join(" ")} failed:\n#{output}" unless $?.success?

      output
    end

    private

    # @return [String] where it listens
    def start(*words)
      output, input = IO.pipe
      pid = spawn(env, RbConfig.ruby, "-I#{ROOT}/lib", *words, chdir: APP, out: input, err: [@log.path, "a"])
      input.close
      @processes << pid
      said = +""
      limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 60
      until said.match?(%r{Listening on (http://\S+)})
        raise "#{words.join(" ")} did not start:\n#{said}#{@log.read}" if
          Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit || !output.wait_readable(60)

        said << output.readpartial(4096)
      end
      @copying << Thread.new { File.open(@log.path, "a") { |log| output.each_line { |line| log.syswrite(line) } } }
      said[%r{Listening on (http://\S+)}, 1]
    end

    def env
      host = @postgres.conninfo[/host=(\S+)/, 1]
      { "DATABASE_URL" => "postgresql:///postgres?host=#{host}&user=postgres", "RAILS_ENV" => "production",
        "LLM_URL" => @llm, "EVENTED_DRIVER" => Evented.driver.to_s, "LOG_LEVEL" => "warn",
        "DISABLE_DATABASE_ENVIRONMENT_CHECK" => "1", "BUNDLE_GEMFILE" => ENV.fetch("BUNDLE_GEMFILE", "#{APP}/Gemfile") }
    end
  end

  class << self
    def running
      @running ||= Running.new.tap { |own| Minitest.after_run { own.close } }
    end
  end

  def setup
    skip "PostgreSQL's binaries are not installed" unless ThrowawayPostgres.available?
    skip "Rails, or pg, is not installed" unless RailsProcess.loadable?
    skip "puma is not installed" unless Gem::Specification.any? { |gem| gem.name == "puma" }
    @app = self.class.running
  end

  def test_a_page_waits_for_services_and_database_at_the_same_time
    answer = JSON.parse(Net::HTTP.get(url("/dashboard")))

    assert_equal (1..5).map { |n| "service #{n}" }, answer["services"]
    assert_equal [Integer] * 3, answer["counts"].map(&:class)
    assert_operator answer["seconds"], :<, 0.8, "one after the other the services take a second"
  end

  def test_many_pages_at_the_same_time
    answers = in_reactor { Evented.map(1..30, limit: 10) { JSON.parse(Net::HTTP.get(url("/dashboard")))["services"] } }

    assert_equal([(1..5).map { |n| "service #{n}" }], answers.uniq)
  end

  def test_an_answer_grows_into_the_message_and_out_of_the_stream
    question = Array.new(30) { |n| "word#{n}" }.join(" ")
    id = JSON.parse(Net::HTTP.post_form(url("/chats"), question: question).body)["id"]
    parts = events(id)

    assert_equal question, parts.join
    assert_operator parts.size, :>, 2, "it came all at once"
    messages = JSON.parse(Net::HTTP.get(url("/chats/#{id}")))
    assert_equal([["user", question, true], ["assistant", question, true]],
                 messages.map { |message| message.values_at("role", "content", "complete") })
  end

  def test_fifty_answers_at_the_same_time
    questions = Array.new(50) { |n| "#{"word " * 39}#{n}" }
    started = now
    ids = in_reactor do
      Evented.map(questions, limit: 5) do |question|
        JSON.parse(Net::HTTP.post_form(url("/chats"), question: question).body)["id"]
      end
    end
    answers = ids.map { |id| wait_until(deadline: 20) { answer(id).then { |it| it["content"] if it["complete"] } } }

    assert_equal questions, answers
    assert_operator now - started, :<, 25, "one after the other they take 40 s"
  end

  def test_the_doctor_finds_nothing_wrong
    report = @app.command("bin/rails", "evented:doctor")

    assert_match(/^ok       a worker in .*queue.yml does 50 jobs at a time/, report)
    assert_match(/^0 errors/, report)
  end

  private

  def url(path) = URI("#{@app.url}#{path}")

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  def answer(id) = JSON.parse(Net::HTTP.get(url("/chats/#{id}"))).last

  # @return [Array<String>] what came, part by part
  def events(id)
    text = +""
    Net::HTTP.start(url("/").host, url("/").port, read_timeout: 20) do |http|
      http.request_get("/chats/#{id}/events") { |response| response.read_body { |part| text << part } }
    end
    assert text.end_with?("event: done\ndata: {}\n\n"), text
    text.scan(/^data: (".*")$/).map { |(data)| JSON.parse(data) }
  end
end
