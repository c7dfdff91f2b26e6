'use strict'
// Other realms, threads, processes and engines have clocks and randomness of their own: refused, by name.

const { refuse } = require('./replace.cjs')

const REFUSED = {
  vm: ['createContext', 'runInContext', 'runInNewContext'],
  worker_threads: ['Worker'],
  child_process: ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync'],
  cluster: ['fork'],
  wasi: ['WASI'],
  sqlite: ['DatabaseSync'],
}

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

function install() {
  for (const id of Object.keys(REFUSED)) {
    for (const name of REFUSED[id]) refuse(modules[id], name, `${id}.${name}`)
  }
  const script = modules.vm.Script.prototype
  for (const name of ['runInContext', 'runInNewContext']) refuse(script, name, `vm.Script.${name}`)
  refuse(URL, 'createObjectURL', 'URL.createObjectURL')
}

module.exports = { install }
