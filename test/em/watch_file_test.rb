# frozen_string_literal: true

require "support/event_machine"
require "tmpdir"

# Files.
class EMWatchFileTest < Minitest::Test
  # Notes what becomes of the file.
  class Watch < EM::FileWatch
    def initialize(log, at_end = nil)
      super()
      @log = log
      @at_end = at_end
    end

    %i[file_modified file_moved file_deleted].each { |event| define_method(event) { @log << event } }

    def unbind
      @log << :unbind
      @at_end&.call
    end
  end

  def setup
    @log = []
    @directory = Dir.mktmpdir
    @path = File.join(@directory, "watched")
    File.write(@path, "")
  end

  def teardown
    FileUtils.rm_rf(@directory)
  end

  def test_changes_moves_and_the_end_of_a_file_are_told
    em do
      EM.watch_file(@path, Watch, @log, -> { EM.stop })
      after(:nothing) { File.write(@path, "x", mode: "a") }
      after(:file_modified) { File.rename(@path, "#{@path}.moved") }
      after(:file_moved) { File.delete("#{@path}.moved") }
    end

    assert_equal %i[file_modified file_moved file_deleted unbind], @log
  end

  def test_what_watch_file_gives
    em do
      watch = EM.watch_file(@path, Watch, @log) { |given| @log << given.class }
      @log << watch.path << watch.signature.class << watch.is_a?(EM::Connection)
      EM.stop
    end

    assert_equal [Watch, @path, Integer, true], @log.first(4)
  end

  def test_everything_in_a_directory_is_a_change_of_it
    em do
      EM.watch_file(@directory, Watch, @log)
      after(:nothing) { File.write(File.join(@directory, "new"), "") }
      stop_once { @log.include?(:file_modified) }
    end

    assert_equal [:file_modified], @log.uniq - [:unbind]
  end

  def test_a_stopped_watch_is_unbound_and_told_nothing_more
    em do
      watch = EM.watch_file(@path, Watch, @log)
      EM.add_timer(0.01) do
        watch.stop_watching
        File.write(@path, "x")
        EM.add_timer(0.05) { EM.stop }
      end
    end

    assert_equal [:unbind], @log
  end

  def test_it_is_unbound_at_the_end
    em do
      EM.watch_file(@path, Watch, @log)
      EM.next_tick { EM.stop }
    end

    assert_equal [:unbind], @log
  end

  def test_a_module_can_be_the_handler
    log = @log
    handler = Module.new { define_method(:file_modified) { EM.stop if log << path } }
    em do
      EM.watch_file(@path, handler)
      EM.add_timer(0.01) { File.write(@path, "x") }
    end

    assert_equal [@path], @log
  end

  def test_a_missing_file_can_not_be_watched
    em do
      @log << assert_raises(EM::Unsupported) { EM.watch_file("/nowhere/at/all") }.message
      EM.stop
    end

    assert_equal ["error registering file /nowhere/at/all for watching: No such file or directory"], @log
  end

  def test_only_file_watches_handle_files
    em do
      @log << assert_raises(ArgumentError) { EM.watch_file(@path, EM::Connection) }.message
      EM.stop
    end

    assert_match(/\Amust provide module or subclass of \S*FileWatch\z/, @log.first)
  end

  def test_a_watch_can_be_stopped_once
    em do
      watch = EM.watch_file(@path)
      watch.stop_watching
      assert_raises(EM::InvalidSignature) { watch.stop_watching }
      EM.stop
    end
  end

  private

  # Does something when the last thing that was noted is this.
  def after(noted, &block)
    return block.call if noted == :nothing || @log.last == noted

    EM.add_timer(0.005) { after(noted, &block) }
  end
end
