# frozen_string_literal: true

module PostgresPR
  class Connection
    # What a query comes to.
    class Result
      attr_accessor :rows, :fields, :cmd_tag

      def initialize(rows = [], fields = [])
        @rows = rows
        @fields = fields
      end
    end
  end
end
