'use strict'
// Timers and immediates on the virtual clock. None of them fires while real work is pending; when the loop is idle
// (loop.cjs) exactly one fires: the oldest immediate, else the soonest timer, to whose time the clock jumps. So their
// order among each other and against I/O does not depend on the machine.
//
// While anything referenced waits here, a real immediate or timer keeps the loop alive: `beforeExit` keeps its meaning.

const { AsyncResource } = require('node:async_hooks')
const timers = require('node:timers')
const timersPromises = require('node:timers/promises')
const { promisify, inspect } = require('node:util')
const clock = require('./clock.cjs')
const loop = require('./loop.cjs')
const { replace } = require('./replace.cjs')
const { createTimerQueue } = require('./timer-queue.cjs')

const { setTimeout: realSetTimeout, setImmediate: realSetImmediate } = timers

const LONGEST_DELAY = 2 ** 31 - 1
/** After so many immediates in a row a timer may fire: code that polls by immediates waits for time to pass. */
const IMMEDIATES_IN_A_ROW = 1000
const RECHECK_MS = 1

const queue = createTimerQueue()
const known = new Map() // timers whose number was asked for
let firstImmediate = null
let lastImmediate = null
let referenced = 0
let inARow = 0
let numbers = 0

// The real handle that looks at the loop next, what the last look saw, and how many in a row have seen the same and nothing
// under way. One is not enough: what a closed handle or an immediate of Node's own has started since shows at the next.
const QUIET_LOOKS = 2
let watcher = null
let seenEvents = -1
let quietLooks = 0

function watch(pause) {
  const byTimer = pause || referenced === 0 // an unreferenced immediate would not run while the loop blocks
  watcher = byTimer ? realSetTimeout(look, RECHECK_MS) : realSetImmediate(look)
  if (referenced === 0) watcher.unref()
}

function look() {
  watcher = null
  if (firstImmediate === null && queue.size() === 0) {
    quietLooks = 0
    return
  }
  if (loop.activeRequests() > 0) {
    quietLooks = 0
    return watch(true)
  }
  const events = loop.handledEvents()
  const quiet = events === seenEvents && !loop.hasImmediates()
  seenEvents = events
  quietLooks = quiet ? quietLooks + 1 : 0
  watch(false) // before the callback, which may throw
  if (quietLooks < QUIET_LOOKS) return
  quietLooks = 0
  fireNext()
}

function fireNext() {
  if (firstImmediate !== null && (inARow < IMMEDIATES_IN_A_ROW || queue.size() === 0)) {
    inARow++
    const immediate = firstImmediate
    unlink(immediate)
    return immediate.run()
  }
  inARow = 0
  const timer = queue.first()
  queue.remove(timer)
  clock.advanceTo(timer.due)
  timer.run()
}

/** Something waits now. */
function waits(entry) {
  entry.waiting = true
  if (entry.refed) count(1)
  if (watcher === null) watch(false)
}

function waitsNoMore(entry) {
  entry.waiting = false
  if (entry.refed) count(-1)
}

function count(change) {
  const before = referenced
  referenced += change
  if (watcher === null || (before === 0) === (referenced === 0)) return
  if (referenced === 0) watcher.unref()
  else watcher.ref()
}

function setReference(entry, refed) {
  if (entry.refed === refed) return
  entry.refed = refed
  if (entry.waiting) count(refed ? 1 : -1)
}

function unlink(immediate) {
  if (immediate.previous === null) firstImmediate = immediate.next
  else immediate.previous.next = immediate.next
  if (immediate.next === null) lastImmediate = immediate.previous
  else immediate.next.previous = immediate.previous
  waitsNoMore(immediate)
}

/** What a program may do with a timer; what the queue knows of it stays private, as its shape is no one's business. */
class Waiting {
  #entry
  constructor(entry) {
    this.#entry = entry
  }
  ref() {
    setReference(this.#entry, true)
    return this
  }
  unref() {
    setReference(this.#entry, false)
    return this
  }
  hasRef() {
    return this.#entry.refed
  }
  static entryOf(object) {
    return #entry in object ? object.#entry : undefined
  }
}
const { entryOf } = Waiting

class Timeout extends Waiting {
  refresh() {
    const entry = entryOf(this)
    if (entry.place >= 0) queue.remove(entry)
    else if (entry.cleared) return this
    else waits(entry)
    entry.due = clock.elapsed() + entry.delay
    queue.add(entry)
    return this
  }
  close() {
    clearTimeout(this)
    return this
  }
  [Symbol.toPrimitive]() {
    const entry = entryOf(this)
    if (entry.number === 0) entry.number = ++numbers
    known.set(entry.number, this)
    return entry.number
  }
  [Symbol.dispose]() {
    clearTimeout(this)
  }
}

class Immediate extends Waiting {
  [Symbol.dispose]() {
    clearImmediate(this)
  }
}

function requireFunction(callback) {
  if (typeof callback === 'function') return
  const error = new TypeError(`The "callback" argument must be of type function. Received ${inspect(callback)}`)
  error.code = 'ERR_INVALID_ARG_TYPE'
  throw error
}

function delayOf(value) {
  const delay = value === undefined ? 1 : Number(value)
  return delay >= 1 && delay <= LONGEST_DELAY ? Math.trunc(delay) : 1
}

function startTimer(callback, after, args, repeats) {
  requireFunction(callback)
  const delay = delayOf(after)
  const resource = new AsyncResource('Timeout', { requireManualDestroy: true })
  const entry = {
    due: clock.elapsed() + delay,
    order: 0,
    place: -1,
    delay,
    refed: true,
    waiting: false,
    cleared: false,
    number: 0,
  }
  const timeout = new Timeout(entry)
  entry.run = () => {
    waitsNoMore(entry)
    try {
      resource.runInAsyncScope(callback, timeout, ...args)
    } finally {
      if (repeats && !entry.cleared && !entry.waiting) timeout.refresh()
      else if (!entry.waiting) known.delete(entry.number)
    }
  }
  waits(entry)
  queue.add(entry)
  return timeout
}

function setTimeout(callback, after, ...args) {
  return startTimer(callback, after, args, false)
}

function setInterval(callback, after, ...args) {
  return startTimer(callback, after, args, true)
}

function clearTimeout(timer) {
  if (timer === undefined || timer === null) return
  const timeout = typeof timer === 'object' ? timer : known.get(Number(timer))
  const entry = timeout === undefined ? undefined : entryOf(timeout)
  if (entry === undefined) return
  entry.cleared = true
  known.delete(entry.number)
  if (entry.place < 0) return
  queue.remove(entry)
  waitsNoMore(entry)
}

function clearInterval(timer) {
  clearTimeout(timer)
}

function setImmediate(callback, ...args) {
  requireFunction(callback)
  const resource = new AsyncResource('Immediate', { requireManualDestroy: true })
  const entry = { previous: lastImmediate, next: null, refed: true, waiting: false }
  const immediate = new Immediate(entry)
  entry.run = () => resource.runInAsyncScope(callback, immediate, ...args)
  if (lastImmediate === null) firstImmediate = entry
  else lastImmediate.next = entry
  lastImmediate = entry
  waits(entry)
  return immediate
}

function clearImmediate(immediate) {
  const entry = typeof immediate === 'object' && immediate !== null ? entryOf(immediate) : undefined
  if (entry?.waiting) unlink(entry)
}

// ---- promises

function abortError(signal) {
  const error = new Error('The operation was aborted', { cause: signal.reason })
  error.name = 'AbortError'
  error.code = 'ABORT_ERR'
  return error
}

/** A promise of what `start` starts: `start` gets the callback, `stop` what it returned. */
function promised(start, stop, { signal, ref = true } = {}) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal))
    const onAbort = () => {
      stop(timer)
      reject(abortError(signal))
    }
    const timer = start(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    if (!ref) timer.unref()
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

const promises = {
  setTimeout: (after, value, options) =>
    promised((done) => setTimeout(done, after), clearTimeout, options).then(() => value),
  setImmediate: (value, options) => promised((done) => setImmediate(done), clearImmediate, options).then(() => value),
  setInterval: async function* (after, value, options = {}) {
    const { signal, ref = true } = options
    if (signal?.aborted) throw abortError(signal)
    let due = 0
    let wake = () => {}
    const notify = () => {
      due++
      wake()
    }
    const interval = setInterval(notify, after)
    if (!ref) interval.unref()
    const onAbort = () => wake()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      for (;;) {
        while (due === 0 && !signal?.aborted) {
          await new Promise((resolve) => {
            wake = resolve
          })
        }
        if (signal?.aborted) throw abortError(signal)
        for (; due > 0; due--) yield value
      }
    } finally {
      clearInterval(interval)
      signal?.removeEventListener('abort', onAbort)
    }
  },
}

function abortSignalTimeout(delay) {
  if (typeof delay !== 'number' || !(delay >= 0 && delay <= Number.MAX_SAFE_INTEGER)) {
    const error = new RangeError(`The value of "delay" is out of range. Received ${inspect(delay)}`)
    error.code = 'ERR_OUT_OF_RANGE'
    throw error
  }
  const controller = new AbortController()
  const expire = () => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
  setTimeout(expire, delay).unref()
  return controller.signal
}

function install() {
  for (const set of [setTimeout, setImmediate]) {
    Object.defineProperty(set, promisify.custom, { enumerable: true, value: promises[set.name] })
  }
  const functions = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate }
  for (const name of Object.keys(functions)) {
    replace(globalThis, name, functions[name])
    replace(timers, name, functions[name])
  }
  for (const name of Object.keys(promises)) replace(timersPromises, name, promises[name])
  const scheduler = Object.getPrototypeOf(timersPromises.scheduler)
  replace(scheduler, 'wait', (delay, options) => promises.setTimeout(delay, undefined, options))
  replace(scheduler, 'yield', () => promises.setImmediate())
  replace(AbortSignal, 'timeout', abortSignalTimeout)

  // The timers that wait here: what else is under way has ended a moment later, or not yet.
  replace(process, 'getActiveResourcesInfo', () => Array.from({ length: referenced }, () => 'Timeout'))
}

module.exports = { install, setTimeout, clearTimeout, setImmediate, clearImmediate }
