'use strict'
// A new realm's Math.random starts from V8's own generator, whose state every child inherits: each execution's first realm
// would draw the same numbers. So a realm gets a generator with a seed of its own before anything runs in it.
const vm = require('node:vm')

// In the realm's own terms: a function of ours would lead out of it. sfc32, 53 bits of two draws.
const SEED = new vm.Script(`((a, b, c, d) => {
  function word() {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0; a = b ^ (b >>> 9); b = (c + (c << 3)) | 0; c = (c << 21) | (c >>> 11); c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) word()
  Math.random = function random() { return ((word() >>> 5) * 0x4000000 + (word() >>> 6)) / 0x20000000000000 }
})`)

const CONTEXT_OPTIONS = {
  contextName: 'name',
  contextOrigin: 'origin',
  contextCodeGeneration: 'codeGeneration',
  microtaskMode: 'microtaskMode',
}

/** What of the options of running is for the realm, by the names that `createContext` has for it. */
function contextOptions(options) {
  const chosen = {}
  if (typeof options !== 'object' || options === null) return chosen
  for (const name of Object.keys(CONTEXT_OPTIONS)) {
    if (options[name] !== undefined) chosen[CONTEXT_OPTIONS[name]] = options[name]
  }
  return chosen
}

/** @param {() => number} word draws 32 bits */
function seedRealms(word) {
  const { createContext, isContext, runInContext, Script } = vm
  const scriptRunInContext = Script.prototype.runInContext

  function seeded(contextObject, options) {
    if (typeof contextObject === 'object' && contextObject !== null && isContext(contextObject)) return contextObject
    const context = createContext(contextObject, options)
    scriptRunInContext.call(SEED, context)(word(), word(), word(), word())
    return context
  }

  vm.createContext = function createContext(contextObject = {}, options = undefined) {
    return seeded(contextObject, options)
  }
  vm.runInNewContext = function runInNewContext(code, contextObject = {}, options = undefined) {
    return runInContext(code, seeded(contextObject, contextOptions(options)), options)
  }
  Script.prototype.runInNewContext = function runInNewContext(contextObject = {}, options = undefined) {
    return scriptRunInContext.call(this, seeded(contextObject, contextOptions(options)), options)
  }
}

module.exports = { seedRealms }
