# frozen_string_literal: true

require "open3"
require "rbconfig"
require "support/ruby_process"
require "tmpdir"

# Runs the suites of other people, in a Ruby of their own, for tests of what is put around their examples.
module SuiteProcess
  # What a suite printed, how it ended, and what was in its file.
  Run = Struct.new(:output, :status, :file) do
    # @param separator [Regexp] what the runner prints between failures
    # @return [String] all that it printed about an example
    def about(example, separator)
      output.split(separator).grep(/\b#{example}\b/).join
    end
  end

  private

  # @param source [String] of the file of tests
  # @param arguments [Array<String>] of Ruby; FILE stands for the file
  # @param env [Hash]
  # @return [Run]
  def run_suite(source, *arguments, env: {})
    Dir.mktmpdir do |directory|
      file = File.join(directory, "suite.rb")
      File.write(file, source)
      command = [*RubyProcess::LIMIT, RbConfig.ruby, "-W", "-I#{ROOT}/lib",
                 *arguments.map { |argument| argument == "FILE" ? file : argument }]
      # A seed of this run is not theirs.
      output, status = Open3.capture2e({ "EVENTED_SEED" => nil, **env }, *command)
      Run.new(output, status, file)
    end
  end
end

Minitest::Test.include(SuiteProcess)
