'use strict'
// Headers that a handler answers with, as a list of [lower-case name, value]. Hop-by-hop fields belong to a connection that
// the handler does not have; `peerhost-*` and payment fields are the gateway's word, not the function's.
const { MalformedResponse } = require('./errors.cjs')

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const INVALID_VALUE = /[^\t\x20-\x7e\x80-\xff]/
const BEYOND_LATIN1 = /[\u0100-\uffff]/
const WITHHELD = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
])
const isWithheld = (name) =>
  WITHHELD.has(name) || name.startsWith('peerhost-') || name.startsWith('payment-') || name.startsWith('x-payment')
const toBuffer = Buffer.from

/** Texts of a header are bytes: what does not fit into one goes as UTF-8. */
function valueText(name, value) {
  const string = String(value)
  const bytes = BEYOND_LATIN1.test(string) ? toBuffer(string, 'utf8').toString('latin1') : string
  if (INVALID_VALUE.test(bytes))
    throw new MalformedResponse(`The header ${name} holds characters that a header cannot hold`)
  return bytes
}

class ResponseFields {
  constructor() {
    /** @type {[string, string][]} */
    this.list = []
  }

  has(name) {
    return this.list.some((field) => field[0] === name)
  }

  /** Adds one field, or one for each element of an array; a value that is null or undefined is no field. */
  add(name, value) {
    if (value === null || value === undefined) return this
    if (Array.isArray(value)) {
      for (const element of value) this.add(name, element)
      return this
    }
    if (!TOKEN.test(name)) throw new MalformedResponse(`"${name}" is not the name of a header`)
    if (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol') {
      throw new MalformedResponse(`The header ${name} must be a string, a number or a boolean`)
    }
    const lower = name.toLowerCase()
    if (!isWithheld(lower)) this.list.push([lower, valueText(lower, value)])
    return this
  }

  addAll(headers) {
    if (headers === null || headers === undefined) return this
    if (typeof headers !== 'object' || Array.isArray(headers)) throw new MalformedResponse('headers must be an object')
    for (const name of Object.keys(headers)) this.add(name, headers[name])
    return this
  }

  /** REST: values of both maps make one list; a pair that is in both counts once. */
  addMissing(headers) {
    const others = new ResponseFields().addAll(headers)
    for (const [name, value] of others.list) {
      if (!this.list.some((field) => field[0] === name && field[1] === value)) this.list.push([name, value])
    }
    return this
  }

  /** For what has a body: its type, unless the handler named one. */
  addDefaultType(type, httpStatus) {
    if (httpStatus !== 204 && httpStatus !== 304 && !this.has('content-type')) this.list.push(['content-type', type])
    return this
  }
}

/** @returns {number} 200 to 599: an answer cannot be interim */
function checkStatus(value) {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new MalformedResponse(`${String(value)} is not an HTTP status from 200 to 599`)
  }
  return status
}

module.exports = { ResponseFields, checkStatus }
