'use strict'
// Tells when the event loop has nothing left to do, whatever handles (servers, ports, idle connections) are open.
//
// In a jail without a network everything that can still happen is either a request of this process's own (thread pool,
// write, connect: libuv counts them) or something that is already there to be read (the other end of a pipe or socket of
// this same process), which a poll that does not wait finds. So the loop is idle if no request is under way and a whole
// turn found no event. Node shows neither the first number nor a way to poll, but the loop's memory has it:
//   struct uv_loop_s { void* data; unsigned active_handles; struct uv__queue handle_queue; union { unsigned count } active_reqs; ... }
const koffi = require('koffi')

const ACTIVE_REQUESTS = 32 / 4 // offset of active_reqs.count in words
const node = koffi.load(null)
const loop = new Uint32Array(koffi.view(node.func('void* uv_default_loop()')(), 40))
const { nodeTiming } = performance
const { getActiveResourcesInfo } = process

/** Requests under way: of the thread pool, writes, connects. */
const activeRequests = () => loop[ACTIVE_REQUESTS]
/** Events that the loop has handled so far. */
const handledEvents = () => nodeTiming.uvMetricsInfo.events

/** Node's own immediates (reading a Blob takes some) are neither; no other ones are real. Not to ask while one's own waits. */
function hasImmediates() {
  const resources = getActiveResourcesInfo()
  for (let i = 0; i < resources.length; i++) if (resources[i] === 'Immediate') return true
  return false
}

module.exports = { activeRequests, handledEvents, hasImmediates }
