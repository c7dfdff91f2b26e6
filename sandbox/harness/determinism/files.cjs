'use strict'
// What a file system tells besides bytes: times, numbers of inodes and devices, random names.

const fs = require('node:fs')
const clock = require('./clock.cjs')
const { below } = require('./generator.cjs')
const { replace, refuse } = require('./replace.cjs')
const { setImmediate } = require('./timers.cjs')

const { apply } = Reflect
const TIMES = ['atime', 'mtime', 'ctime', 'birthtime']
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const NAME_LENGTH = 6
const ATTEMPTS = 32

// Inodes are numbered in the order in which they are first seen, so that equal ones stay equal.
const inodes = new Map()

function numberOf({ dev, ino }) {
  const key = `${dev} ${ino}`
  if (!inodes.has(key)) inodes.set(key, inodes.size + 1)
  return inodes.get(key)
}

const BLOCK_SIZE = 4096
const BLOCK_UNITS = BLOCK_SIZE / 512

/**
 * Every file was made and changed when the clock was last set, and takes whole blocks. What a folder's size and its number
 * of links mean differs from one file system to the next.
 */
function disguise(stats) {
  if (stats === undefined) return undefined
  const big = typeof stats.ino === 'bigint'
  const time = clock.now() - clock.elapsed()
  for (const name of TIMES) {
    stats[`${name}Ms`] = big ? BigInt(time) : time
    if (big) stats[`${name}Ns`] = BigInt(time) * 1_000_000n
  }
  const number = numberOf(stats)
  stats.ino = big ? BigInt(number) : number
  stats.dev = big ? 1n : 1
  if (stats.isDirectory()) {
    stats.size = big ? BigInt(BLOCK_SIZE) : BLOCK_SIZE
    stats.nlink = big ? 1n : 1
  }
  const blocks = Math.ceil(Number(stats.size) / BLOCK_SIZE) * BLOCK_UNITS
  stats.blksize = big ? BigInt(BLOCK_SIZE) : BLOCK_SIZE
  stats.blocks = big ? BigInt(blocks) : blocks
  return stats
}

function installStats() {
  for (const name of ['statSync', 'lstatSync', 'fstatSync']) {
    const real = fs[name]
    replace(fs, name, (...args) => disguise(real(...args)))
  }
  for (const name of ['stat', 'lstat', 'fstat']) {
    const real = fs[name]
    replace(fs, name, (...args) => {
      const callback = args.pop()
      if (typeof callback !== 'function') return real(...args, callback) // throws
      real(...args, (error, stats) => callback(error, disguise(stats)))
    })
  }
  for (const name of ['stat', 'lstat']) {
    const real = fs.promises[name]
    replace(fs.promises, name, async (...args) => disguise(await real(...args)))
  }
  // The class of file handles is shown by its instances only.
  const { open } = fs.promises
  let handles
  replace(fs.promises, 'open', async (...args) => {
    const handle = await open(...args)
    if (handles === undefined) {
      handles = Object.getPrototypeOf(handle)
      const { stat } = handles
      replace(handles, 'stat', async function (options) {
        return disguise(await apply(stat, this, [options]))
      })
    }
    return handle
  })
  for (const name of ['statfs', 'statfsSync']) refuse(fs, name, `fs.${name}`)
  refuse(fs.promises, 'statfs', 'fs.promises.statfs')
  for (const name of ['watch', 'watchFile']) refuse(fs, name, `fs.${name}`)
  refuse(fs.promises, 'watch', 'fs.promises.watch')
}

const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

/** A folder read entry by entry comes in its file system's order: here by name, as `readdir` has it. */
function installFolders() {
  const prototype = fs.Dir.prototype
  const { readSync } = prototype
  const entries = new WeakMap()
  const nextOf = (folder) => {
    if (!entries.has(folder)) {
      const all = []
      for (let entry = apply(readSync, folder, []); entry !== null; entry = apply(readSync, folder, [])) all.push(entry)
      entries.set(folder, all.sort(byName))
    }
    return entries.get(folder).shift() ?? null
  }
  replace(prototype, 'readSync', function () {
    return nextOf(this)
  })
  replace(prototype, 'read', function (callback) {
    if (callback === undefined) return new Promise((resolve) => resolve(nextOf(this)))
    try {
      setImmediate(callback, null, nextOf(this))
    } catch (error) {
      setImmediate(callback, error)
    }
  })
  async function* entriesOf() {
    try {
      for (let entry = nextOf(this); entry !== null; entry = nextOf(this)) yield entry
    } finally {
      await this.close()
    }
  }
  replace(prototype, 'entries', entriesOf)
  replace(prototype, Symbol.asyncIterator, entriesOf)
}

function temporaryName(prefix) {
  let name = String(prefix)
  for (let i = 0; i < NAME_LENGTH; i++) name += LETTERS[below(LETTERS.length)]
  return name
}

const encoded = (path, options) =>
  (typeof options === 'string' ? options : options?.encoding) === 'buffer' ? Buffer.from(path) : path

function mkdtempSync(prefix, options) {
  for (let attempt = 1; ; attempt++) {
    const path = temporaryName(prefix)
    try {
      fs.mkdirSync(path, 0o700)
      return encoded(path, options)
    } catch (error) {
      if (error.code !== 'EEXIST' || attempt === ATTEMPTS) throw error
    }
  }
}

async function mkdtempPromise(prefix, options) {
  for (let attempt = 1; ; attempt++) {
    const path = temporaryName(prefix)
    try {
      await fs.promises.mkdir(path, 0o700)
      return encoded(path, options)
    } catch (error) {
      if (error.code !== 'EEXIST' || attempt === ATTEMPTS) throw error
    }
  }
}

function mkdtemp(prefix, options, callback) {
  if (typeof options === 'function') return mkdtemp(prefix, undefined, options)
  mkdtempPromise(prefix, options).then((path) => callback(null, path), callback)
}

function install() {
  installStats()
  installFolders()
  replace(fs, 'mkdtempSync', mkdtempSync)
  replace(fs, 'mkdtemp', mkdtemp)
  replace(fs.promises, 'mkdtemp', mkdtempPromise)
  refuse(fs, 'mkdtempDisposableSync', 'fs.mkdtempDisposableSync')
  refuse(fs.promises, 'mkdtempDisposable', 'fs.promises.mkdtempDisposable')
}

module.exports = { install }
