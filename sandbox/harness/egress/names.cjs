'use strict'
// Names without a resolver. The broker resolves a name itself when it connects, so a library that resolves first gets an
// address that stands for the name (198.18.0.0/15, RFC 2544: never a real host's) and leads back to it.

const dns = require('node:dns')
const { isIP } = require('node:net')
const { promisify } = require('node:util')
const { lookupError } = require('./errors.cjs')

const FIRST = 0xc6120001 // 198.18.0.1
const MOST = 0x1fffe

const addresses = new Map()
const names = new Map()

const dotted = (number) => `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`

/** The address that stands for a name in this process. */
function placeholderOf(name) {
  const key = name.toLowerCase()
  if (!addresses.has(key)) {
    const address = dotted((FIRST + (addresses.size % MOST)) >>> 0)
    addresses.set(key, address)
    names.set(address, key)
  }
  return addresses.get(key)
}

/** The name behind a placeholder; any other host as it is. */
const nameOf = (host) => names.get(host) ?? host

function familyOf(options) {
  const family = typeof options === 'number' ? options : options?.family
  if (family === 4 || family === 'IPv4') return 4
  return family === 6 || family === 'IPv6' ? 6 : 0
}

/** @returns {{ address: string, family: number }} @throws as getaddrinfo fails */
function find(hostname, options, addressOf) {
  const literal = isIP(hostname)
  if (literal) return { address: hostname, family: literal }
  const family = familyOf(options)
  if (hostname === 'localhost') return family === 6 ? { address: '::1', family } : { address: '127.0.0.1', family: 4 }
  const address = addressOf(hostname)
  if (address === undefined) throw lookupError('EAI_AGAIN', hostname)
  if (family === 6) throw lookupError('ENOTFOUND', hostname)
  return { address, family: 4 }
}

/** Replaces dns.lookup. `addressOf(name)`: undefined if no name resolves. No thread of the pool waits for a name. */
function installNames(addressOf) {
  function lookup(hostname, options, callback) {
    if (typeof options === 'function') return lookup(hostname, undefined, options)
    if (typeof callback !== 'function') {
      throw Object.assign(new TypeError('The "callback" argument must be of type function'), {
        code: 'ERR_INVALID_ARG_TYPE',
      })
    }
    let found
    try {
      found = find(String(hostname || 'localhost'), options, addressOf)
    } catch (error) {
      process.nextTick(callback, error)
      return
    }
    if (options?.all) process.nextTick(callback, null, [found])
    else process.nextTick(callback, null, found.address, found.family)
  }
  async function lookupPromise(hostname, options) {
    const found = find(String(hostname || 'localhost'), options, addressOf)
    return options?.all ? [found] : found
  }
  Object.defineProperty(lookupPromise, 'name', { value: 'lookup' })
  Object.defineProperty(lookup, promisify.custom, { value: lookupPromise })
  dns.lookup = lookup
  dns.promises.lookup = lookupPromise
}

module.exports = { installNames, placeholderOf, nameOf }
