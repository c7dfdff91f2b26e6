'use strict'
// A function inside the jail: its bundle compiled and run, its handler found, its warm-up request made.
const { createRequire } = require('node:module')
const vm = require('node:vm')
const determinism = require('./determinism/index.cjs')
const egress = require('./egress/index.cjs')
const { createRuntime, rehearse: rehearseForms } = require('./lambda/index.cjs')
const { encodeFrame, decodeFrame, FRAME } = require('./frames.cjs')
const { wrap, FILENAME, DIRNAME } = require('./wrapper.cjs')

const ROUNDS = 1

function compile({ source, codeCache }) {
  const cachedData = codeCache.length > 0 ? codeCache : undefined
  return new vm.Script(wrap(source), { filename: FILENAME, cachedData })
}

const ignored = () => {}
const unheard = { head: ignored, chunk: ignored, end: ignored, whole: ignored, output: ignored, failed: ignored }

/** A warm-up request is an invocation like any other; its body travels as text within the order. */
function toWarmUpInvocation({ head, body }) {
  const bytes = Buffer.from(body, 'latin1')
  if (head.kind === 'event') return { ...head, body: bytes }
  return { ...head, request: { ...head.request, body: bytes } }
}

/**
 * Makes what a bundle finds when it loads: environment, clock and randomness, network. No user code runs here, so at both
 * fork points it is done once for all executions of a jail.
 */
function prepareFunction({ config, deterministic, seedHex, egress: network }) {
  const runtime = createRuntime(config)
  if (deterministic) determinism.install({ seedHex, memorySize: config.memorySize, bundle: FILENAME })
  egress.install(network)
  return runtime
}

/**
 * Runs the bundle and finds its handler. Throws what the bundle throws, and the runtime's own errors
 * (Runtime.HandlerNotFound and others).
 */
async function loadFunction(order, runtime) {
  const { warmUp } = order
  const module = { exports: {} }
  const script = compile(order)
  script.runInThisContext()(module.exports, createRequire(FILENAME), module, FILENAME, DIRNAME)
  const exports = await module.exports // a bundle with top-level await exports a promise
  const handler = runtime.resolve(exports)
  for (let round = 0; warmUp && round < (warmUp.rounds ?? ROUNDS); round++) {
    await runtime.invoke(handler, toWarmUpInvocation(warmUp), unheard)
  }
  return { runtime, handler }
}

const REHEARSALS = 20

const rehearsed = {
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

/** Takes the harness's own path through an execution, compiled and with warm inline caches, for every child. */
async function rehearse() {
  await rehearseForms()
  const runtime = createRuntime(rehearsed)
  const handler = runtime.resolve({
    handler: async (event) => ({ statusCode: 200, body: JSON.stringify({ path: event.rawPath ?? event.path }) }),
  })
  const request = {
    method: 'POST',
    host: 'localhost',
    sourceAddress: '127.0.0.1',
    path: '/a',
    query: 'b=c',
    headers: [['content-type', 'application/json']],
  }
  const answered = {
    ...unheard,
    whole: ({ httpStatus, headers, body }) => encodeFrame(FRAME.whole, { httpStatus, headers }, body),
  }
  for (let i = 0; i < REHEARSALS; i++) {
    for (const route of [
      null,
      { kind: 'http', payload: '1.0', method: 'POST', path: '/{a}', pathParameters: { a: 'a' } },
      { kind: 'httpApi', payload: '2.0', method: 'POST', path: '/{a}', pathParameters: { a: 'a' } },
    ]) {
      const frame = decodeFrame(
        encodeFrame(
          FRAME.request,
          { kind: 'http', request, route, requestId: '0x', clockMs: 0, deadlineMs: 1 },
          Buffer.from('{"a":1}'),
        ).subarray(4),
      )
      frame.head.request.body = frame.body
      await runtime.invoke(handler, frame.head, answered)
    }
  }
}

module.exports = { prepareFunction, loadFunction, rehearse }
