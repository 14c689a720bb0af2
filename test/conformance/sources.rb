# frozen_string_literal: true

require "fileutils"
require "open3"
require "rbconfig"

# CRuby's test/fiber and what it needs of tool/lib, for the Ruby that runs this. They are not ours and not committed:
# from RUBY_SRC if that is set, else from Debian's source package, kept under tmp/ for the next run. An archive may
# lack the source of the very version that it has built; then the nearest one of the same series has to do.
module Sources
  CACHE = File.expand_path("../../tmp/ruby-src", __dir__)
  WANTED = %w[*/test/fiber */tool/lib/core_assertions.rb */tool/lib/envutil.rb */tool/lib/find_executable.rb
              */tool/lib/memory_status.rb].freeze

  module_function

  # @return [String] a directory with test/fiber and tool/lib
  def directory
    if (given = ENV.fetch("RUBY_SRC", nil))
      return given if complete?(given)

      abort "RUBY_SRC=#{given} has no test/fiber and tool/lib/core_assertions.rb. It has to name a checkout or an " \
            "unpacked release of Ruby #{RUBY_VERSION}."
    end
    directory = File.join(CACHE, RUBY_VERSION)
    fetch(directory) unless complete?(directory)
    directory
  end

  def complete?(directory)
    %w[test/fiber/test_scheduler.rb tool/lib/core_assertions.rb].all? { |file| File.file?(File.join(directory, file)) }
  end

  # The tarball alone will do: apt checks it against the signed index, and Debian's patches don't touch these files.
  def fetch(directory)
    package, installed = debian_package || give_up("This Ruby is not one of Debian's packages")
    FileUtils.mkdir_p(CACHE)
    tarball = download(package, installed)
    tarball ||= download(package, installed) if Process.uid.zero? && run("apt-get", "update", "-qq")
    give_up("apt-get source #{package} got nothing (is there a deb-src line for it?): #{@said}") unless tarball
    unless tarball.include?("_#{RUBY_VERSION}.")
      warn "The source of Ruby #{RUBY_VERSION} is not to be had, so its tests come from #{File.basename(tarball)}."
    end
    FileUtils.mkdir_p(directory)
    unless run("tar", "-xf", tarball, "-C", directory, "--strip-components=1", "--wildcards", *WANTED)
      give_up("tar could not unpack #{tarball}: #{@said}")
    end
    FileUtils.rm_f(tarball)
  end

  # @return [Array(String, String), nil] source package and version, such as "ruby3.3" and "3.3.8-2"
  def debian_package
    owner, status = Open3.capture2e("dpkg", "-S", File.realpath(RbConfig.ruby))
    return unless status.success?

    name = owner.lines.last[/\A[^:]+/]
    version, status = Open3.capture2e("dpkg-query", "--show", "--showformat=${source:Package} ${source:Version}", name)
    version.split if status.success?
  rescue Errno::ENOENT
    nil # no dpkg, so no Debian
  end

  # @return [String, nil] the tarball of the installed version or, failing that, of the newest that there is
  def download(package, installed)
    sandbox = Process.uid.zero? ? %w[-o APT::Sandbox::User=root] : []
    [installed, *(versions(package) - [installed])].each do |version|
      next unless run("apt-get", "source", "-qq", "--download-only", "--tar-only", *sandbox, "#{package}=#{version}",
                      chdir: CACHE)

      tarball = Dir[File.join(CACHE, "#{package}_#{version[/\A[\d.]+/]}.orig.tar.*")].first
      return tarball if tarball
    end
    nil
  end

  # @return [Array<String>] those of the source package that apt knows of, the newest first
  def versions(package)
    known = IO.popen(["apt-cache", "showsrc", package], err: File::NULL, &:read)
    known.scan(/^Version: (.+)/).flatten.uniq.sort_by { |version| Gem::Version.new(version[/\A[\d.]+/]) }.reverse
  end

  def run(*command, **)
    @said, status = Open3.capture2e(*command, **)
    status.success?
  rescue Errno::ENOENT => e
    @said = e.message
    false
  end

  def give_up(why)
    abort "#{why}, so CRuby's own tests can't be had. Set RUBY_SRC to a checkout or an unpacked release of " \
          "Ruby #{RUBY_VERSION}, then run this again."
  end
end
