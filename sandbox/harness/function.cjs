'use strict'
// A function inside the jail: its bundle compiled and run, its handler found, its warm-up request made.
const { createRequire } = require('node:module')
const vm = require('node:vm')
const determinism = require('./determinism/index.cjs')
const egress = require('./egress/index.cjs')
const { createRuntime } = require('./lambda/index.cjs')
const { installPlatform } = require('./lambda/platform.cjs')
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
 * Makes the platform that functions of one kind find: machine, clock and randomness, network. It depends on no bundle, so a
 * blank jail has it, warmed, before it is given one.
 */
function preparePlatform({ memorySize, deterministic, network }) {
  installPlatform({ memorySize })
  if (deterministic) determinism.install({ memorySize, bundle: FILENAME })
  egress.install({ network })
}

/**
 * Makes what a bundle finds beside that when it loads: its environment, and the seed of its load. No user code runs here, so
 * at both fork points it is done once for all executions of a jail.
 */
function prepareFunction({ config, seedHex }, { deterministic }) {
  const runtime = createRuntime(config)
  if (deterministic) determinism.beginLoad({ seedHex })
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

module.exports = { preparePlatform, prepareFunction, loadFunction }
