'use strict'
// The virtual clock and everything that reads one. It starts where `set` puts it and stands still until `advanceTo`.

const buffer = require('node:buffer')
const http = require('node:http')
const os = require('node:os')
const perfHooks = require('node:perf_hooks')
const { inspect } = require('node:util')
const { replace, replaceGetter, refuse } = require('./replace.cjs')

const { construct, apply } = Reflect
const RealDate = Date

// Wall-clock time is origin + elapsed. A new request moves the origin and never the monotonic part, on which timers wait.
const state = { origin: 0, elapsed: 0 }

/** Milliseconds since 1970. */
const now = () => state.origin + state.elapsed
/** Milliseconds of the monotonic clock, from 0. */
const elapsed = () => state.elapsed
const set = (clockMs) => {
  state.origin = clockMs - state.elapsed
}
const advanceTo = (elapsedMs) => {
  if (elapsedMs > state.elapsed) state.elapsed = elapsedMs
}

/** A constructor that shares its prototype with the real one, so that no path from an instance leads back to it. */
function standIn(Real, standInFor) {
  standInFor.prototype = Real.prototype
  replace(Real.prototype, 'constructor', standInFor)
  Object.defineProperty(standInFor, 'name', { value: Real.name, configurable: true })
  Object.defineProperty(standInFor, 'length', { value: Real.length, configurable: true })
  Object.defineProperty(standInFor, 'prototype', { writable: false, enumerable: false })
  Object.setPrototypeOf(standInFor, Object.getPrototypeOf(Real))
}

function installDate() {
  function VirtualDate(...args) {
    if (new.target === undefined) return new RealDate(now()).toString()
    return construct(RealDate, args.length === 0 ? [now()] : args, new.target)
  }
  standIn(RealDate, VirtualDate)
  Object.defineProperties(VirtualDate, {
    now: { value: () => now(), writable: true, configurable: true },
    parse: { value: RealDate.parse, writable: true, configurable: true },
    UTC: { value: RealDate.UTC, writable: true, configurable: true },
  })
  Object.defineProperty(VirtualDate.now, 'name', { value: 'now' })
  replace(globalThis, 'Date', VirtualDate)
}

/** `format()` without a date means now: the engine's own now. */
function installIntl() {
  const prototype = Intl.DateTimeFormat.prototype
  const { get } = Object.getOwnPropertyDescriptor(prototype, 'format')
  const bound = new WeakMap()
  replaceGetter(prototype, 'format', function () {
    const real = apply(get, this, [])
    if (!bound.has(this)) bound.set(this, (date) => real(date === undefined ? now() : date))
    return bound.get(this)
  })
  const { formatToParts } = prototype
  replace(prototype, 'formatToParts', function (date) {
    return apply(formatToParts, this, [date === undefined ? now() : date])
  })
}

function installProcess() {
  const hrtime = (previous) => {
    const time = [Math.floor(state.elapsed / 1000), Math.round((state.elapsed % 1000) * 1e6)]
    if (previous === undefined) return time
    const seconds = time[0] - previous[0]
    const nanoseconds = time[1] - previous[1]
    return nanoseconds < 0 ? [seconds - 1, nanoseconds + 1e9] : [seconds, nanoseconds]
  }
  hrtime.bigint = () => BigInt(Math.round(state.elapsed * 1e6))
  replace(process, 'hrtime', hrtime)
  replace(process, 'uptime', () => state.elapsed / 1000)
  replace(os, 'uptime', () => state.elapsed / 1000)
}

const MILESTONES = ['nodeStart', 'v8Start', 'environment', 'bootstrapComplete', 'loopStart', 'loopExit', 'idleTime']
const IDLE = { idle: 0, active: 0, utilization: 0 }

function installPerformance() {
  const prototype = Performance.prototype
  const { mark, measure } = prototype
  const nodeTiming = { name: 'node', entryType: 'node', startTime: 0 }
  for (const milestone of MILESTONES) nodeTiming[milestone] = 0
  Object.defineProperty(nodeTiming, 'duration', { get: elapsed, enumerable: true })
  const eventLoopUtilization = () => ({ ...IDLE })
  const timerify = (fn) =>
    function (...args) {
      return new.target === undefined ? apply(fn, this, args) : construct(fn, args, new.target)
    }
  const instant = (value) => (MILESTONES.includes(value) ? 0 : value)

  replace(prototype, 'now', elapsed)
  replaceGetter(prototype, 'timeOrigin', () => state.origin)
  replace(prototype, 'nodeTiming', nodeTiming)
  replace(prototype, 'eventLoopUtilization', eventLoopUtilization)
  replace(prototype, 'timerify', timerify)
  replace(prototype, 'mark', function (name, options) {
    return apply(mark, this, [name, { ...options, startTime: options?.startTime ?? state.elapsed }])
  })
  replace(prototype, 'measure', function (name, start, end) {
    if (typeof start !== 'object' || start === null) {
      return apply(measure, this, [name, instant(start), end === undefined ? state.elapsed : instant(end)])
    }
    const options = { ...start, start: instant(start.start), end: instant(start.end ?? end) }
    if (options.end === undefined && options.duration === undefined) options.end = state.elapsed
    return apply(measure, this, [name, options])
  })
  replace(perfHooks, 'eventLoopUtilization', eventLoopUtilization)
  replace(perfHooks, 'timerify', timerify)
  refuse(perfHooks, 'monitorEventLoopDelay', 'perf_hooks.monitorEventLoopDelay')

  const RealMark = PerformanceMark
  function VirtualMark(name, options) {
    if (new.target === undefined) return RealMark(name)
    return construct(RealMark, [name, { ...options, startTime: options?.startTime ?? state.elapsed }], new.target)
  }
  standIn(RealMark, VirtualMark)
  replace(globalThis, 'PerformanceMark', VirtualMark)
  replace(perfHooks, 'PerformanceMark', VirtualMark)

  // Entries that Node makes itself carry real times.
  const ours = (type) => type === 'mark' || type === 'measure'
  for (const name of ['getEntries', 'getEntriesByName', 'getEntriesByType']) {
    const real = prototype[name]
    replace(prototype, name, function (...args) {
      return apply(real, this, args).filter(({ entryType }) => ours(entryType))
    })
  }
  const { observe } = PerformanceObserver.prototype
  replace(PerformanceObserver.prototype, 'observe', function (options) {
    if (Array.isArray(options?.entryTypes)) {
      const entryTypes = options.entryTypes.filter(ours)
      if (entryTypes.length < options.entryTypes.length && entryTypes.length === 0) return
      return apply(observe, this, [{ ...options, entryTypes }])
    }
    if (typeof options?.type === 'string' && !ours(options.type)) return
    return apply(observe, this, [options])
  })
}

function installEvents() {
  const prototype = Event.prototype
  const stamps = new WeakMap()
  const { get } = Object.getOwnPropertyDescriptor(prototype, 'timeStamp')
  const timeStamp = (event) => {
    if (!stamps.has(event)) stamps.set(event, state.elapsed)
    return stamps.get(event)
  }
  replaceGetter(prototype, 'timeStamp', function () {
    apply(get, this, []) // throws for what is no event
    return timeStamp(this)
  })
  replace(prototype, inspect.custom, function (depth, options) {
    const { type, defaultPrevented, cancelable } = this
    const shown = { type, defaultPrevented, cancelable, timeStamp: timeStamp(this) }
    return depth < 0 ? this.constructor.name : `${this.constructor.name} ${inspect(shown, options)}`
  })
}

/** A File made without a date has that of its making. */
function installFile() {
  const given = new WeakSet()
  const stamps = new WeakMap()
  const RealFile = File
  function VirtualFile(...args) {
    if (new.target === undefined) return RealFile(...args)
    const file = construct(RealFile, args, new.target)
    if (args[2]?.lastModified === undefined) stamps.set(file, now())
    else given.add(file)
    return file
  }
  const { get } = Object.getOwnPropertyDescriptor(RealFile.prototype, 'lastModified')
  replaceGetter(RealFile.prototype, 'lastModified', function () {
    const real = apply(get, this, [])
    if (given.has(this)) return real
    if (!stamps.has(this)) stamps.set(this, now())
    return stamps.get(this)
  })
  standIn(RealFile, VirtualFile)
  replace(globalThis, 'File', VirtualFile)
  replace(buffer, 'File', VirtualFile)
}

/** Node writes a Date header into a response by a clock of its own; frameworks' adapters parse that text. */
function installHttpDate() {
  const prototype = http.OutgoingMessage.prototype
  const { _storeHeader } = prototype
  const isDate = (name) => typeof name === 'string' && name.toLowerCase() === 'date'
  const namesDate = (headers) => {
    if (!Array.isArray(headers)) return headers ? Object.keys(headers).some(isDate) : false
    return headers.some((entry, i) => (Array.isArray(entry) ? isDate(entry[0]) : i % 2 === 0 && isDate(entry)))
  }
  const stamp = /\r\nDate: [^\r]*\r\n/
  replace(prototype, '_storeHeader', function (firstLine, headers) {
    const own = !this.sendDate || namesDate(headers)
    const result = apply(_storeHeader, this, [firstLine, headers])
    if (!own) this._header = this._header.replace(stamp, `\r\nDate: ${new RealDate(now()).toUTCString()}\r\n`)
    return result
  })
}

/** `recordDelta` records the nanoseconds since its last call; a histogram holds no zero. */
function installHistograms() {
  const prototype = Object.getPrototypeOf(perfHooks.createHistogram())
  const { record } = prototype
  const calls = new WeakMap()
  replace(prototype, 'recordDelta', function () {
    const last = calls.get(this)
    calls.set(this, state.elapsed)
    if (last !== undefined) apply(record, this, [Math.max(1, Math.round((state.elapsed - last) * 1e6))])
  })
}

/** Atomics.wait sleeps for real; nobody else can wake the only thread, so the clock moves instead. */
function installAtomics() {
  const { wait } = Atomics
  replace(Atomics, 'wait', (array, index, value, timeout = Number.POSITIVE_INFINITY) => {
    const limit = Number(timeout)
    if (!(limit >= 0) || limit === Number.POSITIVE_INFINITY) return wait(array, index, value, timeout)
    const result = wait(array, index, value, 0)
    if (result === 'timed-out') advanceTo(state.elapsed + Math.ceil(limit))
    return result
  })
  refuse(Atomics, 'waitAsync', 'Atomics.waitAsync')
}

function install() {
  installDate()
  installIntl()
  installProcess()
  installPerformance()
  installEvents()
  installFile()
  installHistograms()
  installHttpDate()
  installAtomics()
}

module.exports = { install, now, elapsed, set, advanceTo, standIn }
