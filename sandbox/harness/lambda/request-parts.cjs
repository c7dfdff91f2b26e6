'use strict'
// What both event shapes are made of. Names from a request become own properties, `__proto__` included.

const { isUtf8 } = require('node:buffer')

const NON_ASCII = /[\u0080-\uffff]/
const EACH_NON_ASCII = /[\u0080-\uffff]/g
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DateOfTime = Date
const toBuffer = Buffer.from

function put(object, name, value) {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  else object[name] = value
}

/** A Map as a plain object; undefined or null if there is nothing in it. */
function toObject(map, ifEmpty, select) {
  if (map.size === 0) return ifEmpty
  const object = {}
  for (const [name, value] of map) put(object, name, select(value))
  return object
}

/** Bytes that do not belong into a URL, percent-encoded; the rest as received. */
const ascii = (text) =>
  NON_ASCII.test(text)
    ? text.replace(EACH_NON_ASCII, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
    : text

/** Percent-decoding that leaves alone what is not valid. */
function decode(text) {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const decodeQuery = (text) => decode(text.includes('+') ? text.replaceAll('+', ' ') : text)

/** @returns {Map<string, string[]>} decoded, in order of appearance */
function parseQuery(query) {
  const values = new Map()
  if (query === '') return values
  for (const pair of ascii(query).split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decodeQuery(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decodeQuery(pair.slice(equals + 1))
    const present = values.get(name)
    if (present) present.push(value)
    else values.set(name, [value])
  }
  return values
}

/** @returns {Map<string, string[]>} by lower-case name; the request's host is a header again */
function groupHeaders({ host, headers }) {
  const values = new Map()
  for (const [name, value] of headers) {
    const present = values.get(name)
    if (present) present.push(value)
    else values.set(name, [value])
  }
  if (host !== '') values.set('host', [host])
  return values
}

const TEXT_TYPE = /^(?:text\/.*|application\/(?:json|xml|javascript|x-www-form-urlencoded|(?:.*\+)(?:json|xml)))$/

/** `image/*` and `*` + `/*` match as at API Gateway. */
function matchesMediaType(pattern, type) {
  if (pattern === '*/*') return true
  const lower = pattern.toLowerCase()
  return lower.endsWith('/*') ? type.startsWith(lower.slice(0, -1)) : lower === type
}

/**
 * The body as an event holds it: text, or base64 if its type is binary or if it is no valid UTF-8, so no byte is ever lost.
 *
 * @param {Uint8Array} body
 * @param {string | undefined} contentType without one, text if the bytes are
 * @param {string[] | undefined} binaryMediaTypes of a REST API: there alone these types are binary
 */
function encodeBody(body, contentType, binaryMediaTypes) {
  if (body.length === 0) return { body: undefined, isBase64Encoded: false }
  const type = (contentType ?? '').split(';', 1)[0].trim().toLowerCase()
  const isBinary = binaryMediaTypes
    ? binaryMediaTypes.some((pattern) => matchesMediaType(pattern, type))
    : type !== '' && !TEXT_TYPE.test(type)
  const bytes = toBuffer(body.buffer, body.byteOffset, body.length)
  if (isBinary || !isUtf8(bytes)) return { body: bytes.toString('base64'), isBase64Encoded: true }
  return { body: bytes.toString('utf8'), isBase64Encoded: false }
}

const two = (number) => (number < 10 ? `0${number}` : `${number}`)

/** `09/Apr/2015:12:34:56 +0000`, as API Gateway writes times. */
function logTime(clockMs) {
  const time = new DateOfTime(clockMs)
  const day = `${two(time.getUTCDate())}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}`
  return `${day}:${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())} +0000`
}

const domainPrefix = (host) => host.split('.', 1)[0]

module.exports = { put, toObject, ascii, decode, parseQuery, groupHeaders, encodeBody, logTime, domainPrefix }
