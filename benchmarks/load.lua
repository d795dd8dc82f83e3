-- For wrk: posts the lines of the file named by the first argument in turn, and prints one line of JSON.
-- Times are microseconds, as wrk keeps them.
local bodies, next_body = {}, 0
function init(arguments)
  for line in io.lines(arguments[1]) do bodies[#bodies + 1] = line end
  wrk.method, wrk.headers["Content-Type"] = "POST", "application/json"
end
function request()
  next_body = next_body % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[next_body])
end
function done(summary, latency, requests)
  local wrong = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "p50_ms": %f, "p95_ms": %f, "p99_ms": %f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(95) / 1000,
    latency:percentile(99) / 1000, wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout))
end
