'use strict'
// One invocation, one completion. A handler may complete in several ways (promise, callback, context.done, stream) and may
// never do so: the first completion wins, and an event loop that runs empty completes what nothing else can complete.
const { RuntimeError } = require('./errors.cjs')

const then = Promise.prototype.then
const resolvePromise = Promise.resolve.bind(Promise)
const { apply } = Reflect
const immediate = setImmediate
const { nextTick } = process

/** The invocation that runs in this process now. @type {Completion | undefined} */
let current

/** Some of them, such as a standard stream, never keep the loop alive: only a change says something. */
const activeResources = () => process.getActiveResourcesInfo().length

class Completion {
  /** `context.callbackWaitsForEmptyEventLoop` */
  waitsForEmptyLoop = true
  /** A completion was chosen; it may still wait for the loop to run empty. */
  settled = false
  finished = false

  /** Answers; what it throws fails the invocation. Set before the handler runs. @type {(result: any) => void} */
  onResult = () => {}

  /** @param {(error: unknown) => void} onError */
  constructor(onError) {
    this.onError = onError
    this.whenIdle = () => this.finish(null, null)
    this.done = new Promise((resolve) => {
      this.resolve = resolve
    })
    this.listeners = {
      beforeExit: () => this.#loopMayBeEmpty(),
      uncaughtException: (error) => this.finish(error ?? new Error(String(error))),
      unhandledRejection: (reason) =>
        this.finish(new RuntimeError('Runtime.UnhandledPromiseRejection', messageOf(reason))),
    }
  }

  /** Makes this the invocation that process events belong to. */
  begin() {
    current = this
    const { beforeExit, uncaughtException, unhandledRejection } = this.listeners
    process.prependListener('beforeExit', beforeExit)
    process.prependListener('uncaughtException', uncaughtException)
    process.prependListener('unhandledRejection', unhandledRejection)
  }

  /** The loop is empty, unless another listener of this event (virtual timers, user code) gives it something to do. */
  #loopMayBeEmpty() {
    const before = activeResources()
    nextTick(() => {
      if (activeResources() > before) return
      immediate(() => this.finished || this.whenIdle()) // the loop turns on for what follows
    })
  }

  /** The node-style callback: an error completes at once, a result when the loop has run empty. */
  callback(error, result) {
    if (this.settled) return
    if (error !== undefined && error !== null) return this.settle(error)
    if (!this.waitsForEmptyLoop) return this.settle(null, result)
    this.settled = true
    this.whenIdle = () => this.finish(null, result)
  }

  /** Completes at once. The first call counts. */
  settle(error, result) {
    if (this.settled) return
    this.settled = true
    this.finish(error, result)
  }

  /**
   * Follows what a handler returned, if it is a promise.
   * @param {unknown} returned
   * @param {string} neverSettled what to say if the loop runs empty before
   */
  follow(returned, neverSettled = NEVER_SETTLED) {
    if (!isThenable(returned)) return
    if (!this.settled) this.whenIdle = () => this.finish(new RuntimeError('Runtime.NodeJsExit', neverSettled))
    apply(then, resolvePromise(returned), [
      (result) => this.settle(null, result),
      (error) => this.settle(error ?? new Error(String(error))),
    ])
  }

  /** @param {unknown} error null or undefined: it succeeded */
  finish(error, result) {
    if (this.finished) return
    this.finished = true
    this.settled = true
    try {
      if (error === null || error === undefined) this.onResult(result)
      else this.onError(error)
    } catch (failure) {
      this.onError(failure)
    }
    this.#end()
  }

  #end() {
    for (const event of Object.keys(this.listeners)) process.removeListener(event, this.listeners[event])
    if (current === this) current = undefined
    this.resolve()
  }
}

const NEVER_SETTLED = 'The function ended before its promise settled: nothing was left to wait for'

function messageOf(reason) {
  try {
    return reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason)
  } catch {
    return 'The reason cannot be described'
  }
}

/** @param {any} value */
const isThenable = (value) =>
  value !== null && (typeof value === 'object' || typeof value === 'function') && typeof value.then === 'function'

/**
 * process.exit: a handler that calls it has failed, whatever the code, for nobody got an answer. At load it throws, so that
 * a bundle that exits while it loads fails to load.
 */
function exit(code = process.exitCode ?? 0) {
  const error = new RuntimeError('Runtime.ExitError', `The function ended its process with exit code ${Number(code)}`)
  Error.captureStackTrace(error, exit)
  if (current !== undefined) {
    current.finish(error)
    process.prependListener('uncaughtException', ignore) // ends the code that called, wherever it stands, and says nothing
    process.prependListener('unhandledRejection', ignore)
  }
  throw error
}

const ignore = () => {}

function interceptExit() {
  process.exit = exit
  process.reallyExit = exit
}

module.exports = { Completion, interceptExit, isThenable }
