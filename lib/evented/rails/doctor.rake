# frozen_string_literal: true

namespace :evented do
  desc "Check whether the application, its gems and this machine are fit for fibers"
  task doctor: :environment do
    exit(1) unless Evented::Rails::Doctor.new.report
  end
end
