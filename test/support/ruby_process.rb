# frozen_string_literal: true

require "open3"
require "rbconfig"

# Runs a script in a Ruby of its own, for what would end this process or change it for good.
module RubyProcess
  PRELUDE = 'require "evented"; $stdout.sync = true;'
  # A native hang must not outlive its test.
  LIMIT = system("timeout --version", out: File::NULL, err: File::NULL) ? %w[timeout --signal=KILL 20] : []

  private

  # @param script [String] Ruby; evented is loaded
  # @param env [Hash] environment on top of ours
  # @param stdin [String] what it reads
  # @param limit [Numeric] seconds that it may take
  # @return [Array(String, String, Process::Status)] what it wrote, what it complained about, how it ended
  def ruby(script, env: {}, stdin: "", limit: nil, **)
    within = limit && LIMIT.any? ? [*LIMIT[0..-2], limit.to_s] : LIMIT
    Open3.capture3(env, *within, RbConfig.ruby, "-W", "-rsocket", "-I#{ROOT}/lib", "-e", PRELUDE + script,
                   stdin_data: stdin, **)
  end

  # As {#ruby}, for a script that has to end well and in silence.
  #
  # @return [String] what it wrote
  def output_of_ruby(script, **)
    output, errors, status = ruby(script, **)
    assert_predicate status, :success?, "#{status}\n#{errors}"
    assert_empty errors
    output
  end
end

Minitest::Test.include(RubyProcess)
