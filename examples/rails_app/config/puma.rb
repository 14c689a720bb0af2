# frozen_string_literal: true

# A thread a request, as ever. Inside of a request a reactor of evented runs for as long as its block takes.
threads 5, 5
bind ENV.fetch("BIND", "tcp://127.0.0.1:3000")
environment ENV.fetch("RAILS_ENV", "development")
