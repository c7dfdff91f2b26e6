'use strict'
// Random state is inherited by fork: V8's Math.random, and the values that Node keeps ready for randomUUID, randomUUIDv7 and
// randomInt. Without this, a bundle that called randomUUID once at load would give every user the same identifier. So they
// are replaced by functions whose state is one index, which each child resets. (OpenSSL notices a fork by itself.) New
// realms draw from V8's generator, too, and SQLite has one of its own.
const crypto = require('node:crypto')
const { seedRealms } = require('./realm-randomness.cjs')
const { watchSqlite } = require('./sqlite-randomness.cjs')
const { randomFillSync } = crypto
const originalUUID = crypto.randomUUID
const originalUUIDv7 = crypto.randomUUIDv7
const originalInt = crypto.randomInt
const { now } = Date
let drawInteger = originalInt

// Node's fetch keeps the function that it finds here when it is first used, and names the parts of forms by it.
crypto.randomInt = function randomInt(min, max, callback) {
  return drawInteger(min, max, callback)
}

const UUIDS_KEPT = 128 // by Node; after as many calls all of them are new
const SIZE = 1024
const words = new Uint32Array(SIZE)
let used = SIZE
let renewRealms = () => {}
let nodeKeptSome = false // something of Node's own took from its entropy: only then is it worth renewing

function word() {
  if (used === SIZE) {
    randomFillSync(words)
    used = 0
  }
  return words[used++]
}

/** 53 random bits, like V8's own. */
const randomNumber = () => ((word() >>> 5) * 0x4000000 + (word() >>> 6)) / 0x20000000000000

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const hex = (value) => HEX[value >>> 24] + HEX[(value >>> 16) & 255] + HEX[(value >>> 8) & 255] + HEX[value & 255]

/** RFC 9562: the first 48 bits are random or a time. */
function uuidOf(version, a, b) {
  const text = hex((b & 0xffff0000) | (word() & 0xfff) | (version << 12))
  const c = hex((word() & 0x3fffffff) | 0x80000000)
  return `${hex(a)}-${text.slice(0, 4)}-${text.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}${hex(word())}`
}

const uuid = () => uuidOf(4, word(), word())

/** Node checks the options and throws as ever; the identifier is ours. */
function randomUUID(options) {
  if (options !== undefined) originalUUID({ ...options, disableEntropyCache: true })
  return uuid()
}

function randomUUIDv7(options) {
  if (options !== undefined) originalUUIDv7({ ...options, disableEntropyCache: true })
  const time = now()
  return uuidOf(7, Math.floor(time / 0x10000), (time % 0x10000) << 16)
}

const TWO_48 = 2 ** 48

/** A whole number below `range`, each equally likely: what lies above the last multiple is drawn again. */
function below(range) {
  const limit = TWO_48 - (TWO_48 % range)
  for (;;) {
    const drawn = (word() & 0xffff) * 0x100000000 + word()
    if (drawn < limit) return drawn % range
  }
}

function randomInteger(min, max, callback) {
  const minGiven = max !== undefined && typeof max !== 'function'
  const done = minGiven ? callback : max
  const low = minGiven ? min : 0,
    high = minGiven ? max : min
  const range = high - low
  const plain = Number.isSafeInteger(low) && Number.isSafeInteger(high) && range > 0 && range < TWO_48
  if (!plain || (done !== undefined && typeof done !== 'function')) {
    nodeKeptSome = true
    return originalInt(min, max, callback) // throws what Node throws
  }
  const value = low + below(range)
  if (done === undefined) return value
  process.nextTick(done, undefined, value)
}

/** Before the bundle: V8 offers no way to reseed its generator, Node none to renew its entropy. */
function replaceRandomness() {
  Math.random = function random() {
    return randomNumber()
  }
  crypto.randomUUID = randomUUID
  crypto.randomUUIDv7 = randomUUIDv7
  drawInteger = randomInteger
  Object.defineProperty(Object.getPrototypeOf(crypto.webcrypto), 'randomUUID', {
    value: function randomUUID() {
      return uuid()
    },
    writable: true,
    enumerable: true,
    configurable: true,
  })
  renewRealms = seedRealms(word)
  watchSqlite()
  const { createObjectURL } = URL
  URL.createObjectURL = (blob) => {
    nodeKeptSome = true // names it by a randomUUID of Node's own
    return createObjectURL.call(URL, blob)
  }
}

/** In the child, before its request: nothing that was drawn ahead of the fork is handed out. */
function refreshRandomness() {
  used = SIZE
  renewRealms()
  if (nodeKeptSome) for (let i = 0; i < UUIDS_KEPT; i++) originalUUID()
}

/** `draw` stands for crypto.randomInt from now on, also where Node itself calls it. */
function drawIntegersBy(draw) {
  drawInteger = draw
}

module.exports = { replaceRandomness, refreshRandomness, drawIntegersBy, originalInt }
