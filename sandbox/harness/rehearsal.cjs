'use strict'
// Takes the harness's own path through an execution before there is a bundle, with natives that do nothing: every child
// inherits it compiled and with warm inline caches. Enough rounds that V8 has made up its mind about each function: one
// that is about to be optimised would be optimised in every child anew, a millisecond each.
const native = require('./natives.cjs')
const { decodeFrame, encodeFrame, FRAME } = require('./frames.cjs')
const { loadFunction } = require('./function.cjs')
const { createRuntime, rehearse: rehearseForms } = require('./lambda/index.cjs')

const ROUNDS = 120
const LOADS = 8

const config = {
  owner: '0x',
  project: 'p',
  functionName: 'f',
  version: 1,
  handler: 'f.handler',
  memorySize: 128,
  timeout: 1,
  environment: {},
  verification: 'none',
}

const parameters = { method: 'POST', path: '/{a}', pathParameters: { a: 'a' } }
const routes = [
  null,
  { kind: 'httpApi', payload: '2.0', ...parameters },
  { kind: 'http', payload: '1.0', ...parameters },
]
const request = {
  method: 'POST',
  host: 'localhost',
  sourceAddress: '127.0.0.1',
  path: '/a',
  query: 'b=c',
  headers: [
    ['content-type', 'application/json'],
    ['x-a', 'b'],
  ],
}
const times = { requestId: `0x${'0'.repeat(64)}`, clockMs: 0, deadlineMs: 1 }
const requests = [
  ...routes.map((route) =>
    encodeFrame(FRAME.request, { kind: 'http', request, route, ...times }, Buffer.from('{"a":1}')),
  ),
  encodeFrame(FRAME.request, { kind: 'event', ...times }, Buffer.from('{"a":1}')),
]

const descriptors = {
  eventfds: [1, 2],
  epolls: [1, 2],
  pipes: [{ read: [1], write: [2] }],
  locks: [{ read: [1], write: [2] }],
  directories: [1],
}

const bundle = { source: "'use strict'\nexports.handler = async () => {}", codeCache: Buffer.alloc(0) }

/** Natives that succeed at once and change nothing; `read` gives the bytes of `input`. */
function idleNatives(input) {
  const nothing = () => 0
  const idle = {}
  for (const name of Object.keys(native)) idle[name] = nothing
  idle.write = (_fd, bytes) => bytes.length
  idle.read = (_fd, bytes, size) => {
    const count = input.bytes.copy(bytes, 0, input.offset, input.offset + size)
    input.offset += count
    return count
  }
  return idle
}

/**
 * @param {(descriptors: object) => void} becomeExecution
 * @param {(loaded: object) => Promise<void>} execute
 */
async function rehearse(becomeExecution, execute) {
  await rehearseForms()
  for (let load = 0; load < LOADS; load++) await loadFunction(bundle, createRuntime(config))
  const real = { ...native }
  const input = { bytes: requests[0], offset: 0 }
  const runtime = createRuntime(config)
  handler = runtime.resolve({ handler: answer })
  Object.assign(native, idleNatives(input))
  for (let round = 0; round < ROUNDS; round++) {
    input.bytes = requests[round % requests.length]
    input.offset = 0
    becomeExecution(descriptors)
    await execute({ runtime, handler })
  }
  Object.assign(native, real)
}

const answer = async (event) => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ path: event.rawPath }),
})
/** Of the rehearsal, not of any bundle. */
let handler

const dummy = requests[1].subarray(4)
const ignore = () => {}
const nowhere = {
  whole: ({ httpStatus, headers, body }) => encodeFrame(FRAME.whole, { httpStatus, headers }, body),
  failed: ignore,
}

/**
 * Takes the path of an invocation once, from a request's bytes to an answer's, so that the pages which that writes to are
 * the child's own already: copying them costs more than the path itself. Nothing of the bundle runs in it, and nothing but
 * microtasks; what a bundle has replaced can make it fail, which says nothing.
 */
function touchAhead(runtime) {
  const { head, body } = decodeFrame(dummy)
  head.request.body = body
  return runtime.invoke(handler, head, nowhere)
}

module.exports = { rehearse, touchAhead }
