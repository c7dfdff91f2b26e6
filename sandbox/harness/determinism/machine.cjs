'use strict'
// What tells one machine, process or moment from another: identity, load and memory. Fixed figures, the same everywhere.

const module_ = require('node:module')
const os = require('node:os')
const traceEvents = require('node:trace_events')
const v8 = require('node:v8')
const { replace, replaceGetter, refuse } = require('./replace.cjs')

const { apply } = Reflect
const MB = 1024 * 1024
const HOSTNAME = 'peerhost'
const KERNEL = '6.1.0'
const HEAP_USED = 8 * MB
const HEAP_TOTAL = 16 * MB

const HEAP_STATISTICS = {
  total_heap_size: HEAP_TOTAL,
  total_heap_size_executable: MB,
  total_physical_size: HEAP_TOTAL,
  total_available_size: 64 * MB,
  used_heap_size: HEAP_USED,
  heap_size_limit: 64 * MB,
  malloced_memory: MB,
  peak_malloced_memory: MB,
  does_zap_garbage: 0,
  number_of_native_contexts: 1,
  number_of_detached_contexts: 0,
  total_global_handles_size: 8192,
  used_global_handles_size: 4096,
  external_memory: MB,
  total_allocated_bytes: HEAP_USED,
}
const LOOKS_INSIDE = [
  'getCppHeapStatistics',
  'getHeapSnapshot',
  'writeHeapSnapshot',
  'setHeapSnapshotNearHeapLimit',
  'queryObjects',
  'startCpuProfile',
  'startHeapProfile',
  'GCProfiler',
]
const RESOURCES = {
  userCPUTime: 0,
  systemCPUTime: 0,
  maxRSS: 65536,
  sharedMemorySize: 0,
  unsharedDataSize: 0,
  unsharedStackSize: 0,
  minorPageFault: 0,
  majorPageFault: 0,
  swappedOut: 0,
  fsRead: 0,
  fsWrite: 0,
  ipcSent: 0,
  ipcReceived: 0,
  signalsCount: 0,
  voluntaryContextSwitches: 0,
  involuntaryContextSwitches: 0,
}

function installProcess(memoryBytes) {
  const memoryUsage = () => ({
    rss: 64 * MB,
    heapTotal: HEAP_TOTAL,
    heapUsed: HEAP_USED,
    external: MB,
    arrayBuffers: 0,
  })
  memoryUsage.rss = () => 64 * MB
  replace(process, 'memoryUsage', memoryUsage)
  replace(process, 'cpuUsage', () => ({ user: 0, system: 0 }))
  replace(process, 'threadCpuUsage', () => ({ user: 0, system: 0 }))
  replace(process, 'resourceUsage', () => ({ ...RESOURCES }))
  replace(process, 'constrainedMemory', () => memoryBytes)
  replace(process, 'availableMemory', () => memoryBytes)
  replace(process, '_getActiveHandles', () => [])
  replace(process, '_getActiveRequests', () => [])
  replace(process, 'getgroups', () => [process.getgid()]) // a worker that is not root keeps its own
  replace(process, 'pid', 1)
  replaceGetter(process, 'ppid', () => 0)
  if (process.report) refuse(process.report, 'getReport', 'process.report')
  if (process.report) refuse(process.report, 'writeReport', 'process.report')
  refuse(process, 'binding', 'process.binding')
}

/** How many threads answer is not the bundle's choice here: several answer in an order of their own. */
function installEnvironment() {
  const free = (name) => name !== 'UV_THREADPOOL_SIZE'
  const real = process.env
  const environment = new Proxy(real, {
    set: (target, name, value) => (free(name) ? Reflect.set(target, name, value) : true),
    defineProperty: (target, name, property) => (free(name) ? Reflect.defineProperty(target, name, property) : true),
    deleteProperty: (target, name) => (free(name) ? Reflect.deleteProperty(target, name) : true),
  })
  process.env = environment
  // The engine clones no proxy, and anything else as it does.
  const { structuredClone } = globalThis
  replace(globalThis, 'structuredClone', (...args) => {
    if (args[0] === environment) args[0] = real
    return apply(structuredClone, undefined, args)
  })
}

function installSystem(memoryBytes) {
  const cpu = () => ({ model: 'PeerHost', speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } })
  replace(os, 'hostname', () => HOSTNAME)
  replace(os, 'release', () => KERNEL)
  replace(os, 'version', () => HOSTNAME)
  replace(os, 'loadavg', () => [0, 0, 0])
  replace(os, 'totalmem', () => memoryBytes)
  replace(os, 'freemem', () => memoryBytes)
  replace(os, 'cpus', () => [cpu()])
  replace(os, 'availableParallelism', () => 1)
  let priority = 0 // the worker's own niceness stays its own
  replace(os, 'getPriority', () => priority)
  replace(os, 'setPriority', (pid, value = pid) => {
    priority = value
  })
  replace(os, 'networkInterfaces', () => ({}))
  replaceGetter(Navigator.prototype, 'hardwareConcurrency', () => 1)
}

function installEngine() {
  replace(v8, 'getHeapStatistics', () => ({ ...HEAP_STATISTICS }))
  replace(v8, 'getHeapSpaceStatistics', () => [])
  const code = {
    code_and_metadata_size: MB,
    bytecode_and_metadata_size: MB,
    external_script_source_size: MB,
    cpu_profiler_metadata_size: 0,
  }
  replace(v8, 'getHeapCodeStatistics', () => ({ ...code }))
  replace(v8, 'cachedDataVersionTag', () => 0) // tells the processor's features
  for (const name of LOOKS_INSIDE) refuse(v8, name, `v8.${name}`)

  // When an object is collected is the machine's business: as if it never happened within one execution.
  class EternalRef {
    #target
    constructor(target) {
      const kind = typeof target
      if ((kind !== 'object' || target === null) && kind !== 'function' && kind !== 'symbol') {
        throw new TypeError('WeakRef: invalid target')
      }
      this.#target = target
    }
    deref() {
      return this.#target
    }
  }
  Object.defineProperty(EternalRef.prototype, Symbol.toStringTag, { value: 'WeakRef', configurable: true })
  replace(globalThis, 'WeakRef', EternalRef)
  class SilentRegistry {
    constructor(cleanup) {
      if (typeof cleanup !== 'function') throw new TypeError('FinalizationRegistry: cleanup must be callable')
    }
    register() {}
    unregister() {
      return false
    }
  }
  Object.defineProperty(SilentRegistry.prototype, Symbol.toStringTag, {
    value: 'FinalizationRegistry',
    configurable: true,
  })
  replace(globalThis, 'FinalizationRegistry', SilentRegistry)
  for (const name of ['register', 'registerBeforeExit'])
    if (process.finalization) replace(process.finalization, name, () => {})
}

/** What is weak is kept by hashes of the objects' identity, drawn by V8: which of many are shown would differ. */
function installWeakCollections() {
  for (const { prototype } of [WeakSet, WeakMap]) {
    const value = function inspectWeak(_depth, options) {
      return options.stylize(
        `${this.constructor?.name ?? prototype[Symbol.toStringTag]} { <items unknown> }`,
        'special',
      )
    }
    Object.defineProperty(prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value,
      writable: true,
      configurable: true,
    })
  }
}

/** Node's own cache of compiled code is named by the processor's features. */
function installCompileCache() {
  const { DISABLED } = module_.constants.compileCacheStatus
  replace(module_, 'enableCompileCache', () => ({ status: DISABLED }))
  replace(module_, 'flushCompileCache', () => {})
}

/** `memorySize` is the function's own, in MB. */
function install({ memorySize }) {
  installProcess(memorySize * MB)
  installEnvironment()
  installSystem(memorySize * MB)
  installEngine()
  installCompileCache()
  installWeakCollections()
  refuse(traceEvents, 'createTracing', 'trace_events.createTracing')
}

module.exports = { install }
