'use strict'
// Other realms, threads, processes and engines have clocks and randomness of their own: refused, by name.

const { getCallSites } = require('node:util')
const { standIn } = require('./clock.cjs')
const { replace, refuse, NotDeterministicError } = require('./replace.cjs')

const REFUSED = {
  vm: ['createContext', 'measureMemory'],
  worker_threads: ['Worker'],
  child_process: ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync'],
  cluster: ['fork'],
  module: ['register'], // runs its hooks in a thread
  wasi: ['WASI'],
  sqlite: ['DatabaseSync'],
  http2: ['createServer', 'createSecureServer', 'performServerHandshake'],
}

const RUN = ['runInContext', 'runInNewContext']

/** Loaded ahead of time, and without the warning that some of them are experimental: nobody has used them yet. */
function load() {
  const { emitWarning } = process
  process.emitWarning = () => {}
  const modules = {}
  for (const id of Object.keys(REFUSED)) modules[id] = require(`node:${id}`)
  process.emitWarning = emitWarning
  return modules
}

const modules = load()

/**
 * Refused to a bundle, not to Node: it makes realms of its own where a lock on a web stream is released, or `node:repl` is
 * loaded, by the same functions.
 */
function refuseToBundles(object, name, what) {
  const real = object[name]
  replace(object, name, function (...args) {
    const caller = getCallSites(2)[1] // the first is this function
    if (!caller?.scriptName.startsWith('node:')) throw new NotDeterministicError(what)
    return Reflect.apply(real, this, args)
  })
}

/** V8's compiled code holds its flags, the processor's features and a hash. */
function refuseCompiledCode(vm) {
  const check = (options) => {
    if (options?.produceCachedData) throw new NotDeterministicError('vm.Script with produceCachedData')
  }
  refuse(Object.getPrototypeOf(vm.Script.prototype), 'createCachedData', 'vm.Script.createCachedData')
  const { Script: RealScript, compileFunction } = vm
  function Script(code, options) {
    if (new.target === undefined) return RealScript(code, options) // throws
    check(options)
    return Reflect.construct(RealScript, [code, options], new.target)
  }
  standIn(RealScript, Script)
  replace(vm, 'Script', Script)
  replace(vm, 'compileFunction', (code, parameters, options) => {
    check(options)
    return compileFunction(code, parameters, options)
  })
}

function install() {
  for (const id of Object.keys(REFUSED)) {
    for (const name of REFUSED[id]) refuse(modules[id], name, `${id}.${name}`)
  }
  const script = modules.vm.Script.prototype
  for (const name of RUN) refuseToBundles(script, name, `vm.Script.${name}`)
  for (const name of RUN) refuseToBundles(modules.vm, name, `vm.${name}`)
  refuseCompiledCode(modules.vm)
  refuse(URL, 'createObjectURL', 'URL.createObjectURL')
}

module.exports = { install }
