'use strict'
// A new realm's Math.random starts from V8's own generator, whose state every child inherits: each execution's first realm
// would draw the same numbers. So a realm gets a generator with a seed of its own before anything runs in it, and one that
// was made ahead of the fork takes fresh words in when it is first used behind it.
const vm = require('node:vm')

const FRESH_WORDS = 4

// In the realm's own terms: a function of ours would lead out of it, and what is in its scope only does not. sfc32, 53 bits
// of two draws.
const SEED = new vm.Script(`((a, b, c, d, fresh) => {
  let epoch = fresh[0]
  function word() {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0; a = b ^ (b >>> 9); b = (c + (c << 3)) | 0; c = (c << 21) | (c >>> 11); c = (c + t) | 0
    return t >>> 0
  }
  const mix = () => { for (let i = 0; i < 12; i++) word() }
  function renew() { epoch = fresh[0]; a ^= fresh[1]; b ^= fresh[2]; c ^= fresh[3]; d ^= fresh[4]; mix() }
  mix()
  Math.random = function random() { if (epoch !== fresh[0]) renew(); return ((word() >>> 5) * 0x4000000 + (word() >>> 6)) / 0x20000000000000 }
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

/**
 * @param {() => number} word draws 32 bits
 * @returns {() => void} to be called behind the fork: no realm goes on from where it was ahead of it
 */
function seedRealms(word) {
  const fresh = new Uint32Array(1 + FRESH_WORDS) // the first one counts how often the others were drawn
  let anyMade = false
  const { createContext, isContext, runInContext, Script } = vm
  const scriptRunInContext = Script.prototype.runInContext

  function seeded(contextObject, options) {
    if (typeof contextObject === 'object' && contextObject !== null && isContext(contextObject)) return contextObject
    const context = createContext(contextObject, options)
    scriptRunInContext.call(SEED, context)(word(), word(), word(), word(), fresh)
    anyMade = true
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
  return function renewRealms() {
    if (!anyMade) return
    for (let i = 1; i <= FRESH_WORDS; i++) fresh[i] = word()
    fresh[0]++
  }
}

module.exports = { seedRealms }
