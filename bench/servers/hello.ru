# frozen_string_literal: true

# For the servers of bench/servers/http.rb that speak Rack.
run ->(_env) { [200, { "content-type" => "text/plain", "content-length" => "13" }, ["Hello, world!"]] }
