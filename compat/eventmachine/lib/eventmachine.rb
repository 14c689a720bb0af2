# frozen_string_literal: true

require "evented/eventmachine"
