'use strict'
// Determinism of one execution: the same bundle, request, seed and clock give the same response on any machine.
// Required, like everything it needs, before any user code.
//
// install: once, before there is a bundle.
// beginLoad: before the bundle is loaded, after the environment is set. Load and warm-up see the code digest as seed and
//   LOAD_CLOCK_MS as time.
// reseed: in the child, when its request has arrived, before the handler: requestHash and clockMs.
//
// Virtual timers hold a real handle while anything referenced waits (timers.cjs), so `beforeExit` means what it always
// means: nothing is left to do. Nobody has to move the clock.

const { syncBuiltinESMExports } = require('node:module')
const asyncIds = require('./async-ids.cjs')
const clock = require('./clock.cjs')
const cryptography = require('./cryptography.cjs')
const files = require('./files.cjs')
const generator = require('./generator.cjs')
const machine = require('./machine.cjs')
const memory = require('./memory.cjs')
const messages = require('./messages.cjs')
const realms = require('./realms.cjs')
const sockets = require('./sockets.cjs')
const stack = require('./stack.cjs')
const timers = require('./timers.cjs')

/** The clock that load and warm-up see: 2025-01-01T00:00:00Z. */
const LOAD_CLOCK_MS = 1_735_689_600_000
const BUNDLE = '/var/task/handler.js'
const NO_SEED = '00'.repeat(32)
const environment = process.env // the real one, whatever a runtime puts in its place

/** Starts a seed's randomness and sets the clock. Uses nothing that a bundle can replace. Takes microseconds. */
function reseed({ seedHex, clockMs }) {
  generator.seed(seedHex)
  clock.set(clockMs)
}

/** One thread answers in the order in which it was asked. The pool of a forked child starts with this setting. */
function setEnvironment() {
  environment.UV_THREADPOOL_SIZE = '1'
  environment.TZ ??= 'UTC'
}

/** Starts the load of a bundle, or of another one. */
function beginLoad({ seedHex, clockMs = LOAD_CLOCK_MS }) {
  setEnvironment()
  reseed({ seedHex, clockMs })
}

/**
 * Puts virtual clock, seeded randomness and fixed figures in the place of the real ones.
 * `memorySize` (MB): what the function sees as the machine's memory. `bundle`: the name its code runs under.
 */
function install({ memorySize = 1024, bundle = BUNDLE } = {}) {
  setEnvironment()
  reseed({ seedHex: NO_SEED, clockMs: LOAD_CLOCK_MS })
  clock.install()
  timers.install()
  cryptography.install()
  files.install()
  machine.install({ memorySize })
  memory.install()
  messages.install()
  asyncIds.install()
  realms.install()
  sockets.install()
  stack.install({ bundle })
  syncBuiltinESMExports()
}

module.exports = { install, beginLoad, reseed, LOAD_CLOCK_MS }
