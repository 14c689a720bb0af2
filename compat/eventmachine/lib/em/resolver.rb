# frozen_string_literal: true

require "eventmachine"
