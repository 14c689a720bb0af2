# frozen_string_literal: true

module Evented
  module EM
    # A file that is watched: {EM.watch_file}. Programs subclass it.
    class FileWatch < Connection
      # @return [String]
      attr_reader :path

      # @private
      def receive_data(event)
        case event
        when "modified" then file_modified
        when "deleted" then file_deleted
        when "moved" then file_moved
        end
      end

      # It was written to; of a directory: something in it was changed.
      def file_modified; end

      # It was deleted; no other event follows.
      def file_deleted; end

      # It was moved, and is watched where it is now.
      def file_moved; end

      # @raise [EM::InvalidSignature] if it is not watched any more
      def stop_watching = EM.unwatch_filename(@signature)
    end

    # Where the kernel tells what has happened to files: one for all that a reactor watches.
    #
    # @private
    class Inotify < Connection
      # From linux/inotify.h: IN_MODIFY … IN_IGNORED.
      MODIFY = 0x2
      MOVED = 0xc0
      CREATED = 0x100
      DELETED = 0x200
      DELETE_SELF = 0x400
      MOVE_SELF = 0x800
      WATCHED = MODIFY | MOVED | CREATED | DELETED | DELETE_SELF | MOVE_SELF
      # struct inotify_event without its name.
      HEADER = 16

      def initialize(descriptor)
        super()
        @descriptor = descriptor
        # The signatures that each watch of the kernel stands for: two of one file share a watch, which is the first's.
        @watches = Hash.new { |watches, watch| watches[watch] = [] }
      end

      # @return [Integer] the signature of another file to watch
      def add(path)
        watch = EM.__inotify_add(@descriptor, path, WATCHED)
        signature = EM.__new_signature
        @watches[watch] << signature
        signature
      end

      # @return [Array<Integer>, nil] the signatures that are not watched any more; nil if this one does not own a watch
      def remove(signature)
        watch, signatures = @watches.find { |_, all| all.first == signature }
        return unless watch

        @watches.delete(watch)
        EM.__inotify_remove(@descriptor, watch)
        signatures
      end

      # The reactor stops: all are unbound.
      def forget_all
        @watches.each_value.to_a.flatten.each { |signature| EM.end_watch(signature, now: true) }
        @watches.clear
      end

      # @private
      def receive_data(data)
        until data.empty?
          watch, mask, _, length = data.unpack("lLLL")
          data = data.byteslice(HEADER + length, data.bytesize)
          # Each may be stopped by its own callback.
          @watches.fetch(watch, []).dup.each { |signature| tell(signature, mask) }
        end
      end

      private

      def tell(signature, mask)
        file = EM.file_watch(signature) or return
        file.receive_data("modified") if mask.anybits?(MODIFY | CREATED | DELETED | MOVED)
        file.receive_data("moved") if mask.anybits?(MOVE_SELF)
        return unless mask.anybits?(DELETE_SELF)

        file.receive_data("deleted")
        remove(signature)&.each { |each| EM.end_watch(each) }
      end
    end
    private_constant :Inotify

    class << self
      # Watches a file or a directory.
      #
      # @param filename [String]
      # @param handler [Class, Module, nil] a subclass of {FileWatch}, or a module for one
      # @return [FileWatch]
      # @raise [EM::Unsupported] if it can't be watched
      def watch_file(filename, handler = nil, *arguments)
        klass = klass_from_handler(FileWatch, handler, *arguments)
        watch = build_watch(klass, watch_filename(filename), :@path, filename, arguments)
        yield watch if block_given?
        watch
      end

      # @return [Integer] the signature of a file that is watched, without an object
      # @raise [EM::Unsupported] if it can't be watched
      def watch_filename(path)
        (reactor!("evma_watch_filename").inotify ||= open_inotify).add(path)
      rescue SystemCallError => e
        raise Unsupported, "error registering file #{path} for watching: #{e.message.split(" - ").first}"
      end

      # @raise [EM::InvalidSignature] if it is not watched
      def unwatch_filename(signature)
        ended = Reactor.current&.inotify&.remove(signature)
        unless ended
          raise InvalidSignature, "no file is watched with signature #{signature}: of several of one file the " \
                                  "first is to be stopped"
        end

        ended.each { |each| end_watch(each) }
        nil
      end

      # @private
      def file_watch(signature) = @conns[signature]

      # The last callback of what is watched, in the next pass.
      #
      # @private
      def end_watch(signature, now: false)
        watch = @conns.delete(signature) or return
        now ? watch.unbind : next_tick { watch.unbind }
        nil
      end

      private

      def open_inotify
        descriptor = __inotify
        signature = __add(descriptor, :pipe, false, nil)
        Inotify.new(signature, descriptor)
      end

      def build_watch(klass, signature, name, value, arguments)
        watch = klass.allocate
        watch.instance_variable_set(name, value)
        build_held(watch, signature, arguments)
        @conns[signature] = watch
      end
    end
  end
end
