# frozen_string_literal: true

desc "Run a mix of everything with faults for so many seconds on each driver (EVENTED_DRIVER=one), counting every byte"
task :soak, [:seconds] => :compile do |_, arguments|
  seconds = Integer(arguments.fetch(:seconds, 60))
  limit = system("timeout --version", out: File::NULL, err: File::NULL)
  ENV.fetch("EVENTED_DRIVER", "uring poll").split.each do |driver|
    # A native hang can't be reported: SIGSEGV makes Ruby print its C backtrace.
    command = limit ? ["timeout", "--signal=SEGV", "--kill-after=20", (seconds + 120).to_s] : []
    sh({ "EVENTED_DRIVER" => driver }, *command, RbConfig.ruby, "-w", "-Ilib", "test/soak/run.rb", seconds.to_s,
       verbose: false)
  end
end
