'use strict'
// Errors of the shape that Node gives them: callers look at code, errno, syscall and address.

const { isIP } = require('node:net')

const ERRNO = {
  __proto__: null,
  ECONNREFUSED: -111,
  ECONNRESET: -104,
  EHOSTUNREACH: -113,
  ENETUNREACH: -101,
  ETIMEDOUT: -110,
  EAI_AGAIN: -3001,
  ENOTFOUND: -3008,
}

function lookupError(code, hostname) {
  const error = new Error(`getaddrinfo ${code} ${hostname}`)
  return Object.assign(error, { errno: ERRNO[code], code, syscall: 'getaddrinfo', hostname })
}

function connectError(code, address, port, syscall = 'connect') {
  const error = new Error(`${syscall} ${code} ${address}:${port}`)
  return Object.assign(error, { errno: ERRNO[code], code, syscall, address, port })
}

/** Why a host cannot be reached without a network: a name does not resolve, an address has no route. */
function unreachable(host, port) {
  if (host === 'localhost') return connectError('ENETUNREACH', '127.0.0.1', port)
  return isIP(host) ? connectError('ENETUNREACH', host, port) : lookupError('EAI_AGAIN', host)
}

/** What the broker answered. Anything unknown is a refusal. */
function refusal(code, host, port) {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return lookupError(code, host)
  return connectError(ERRNO[code] === undefined ? 'ECONNREFUSED' : code, host, port)
}

module.exports = { lookupError, connectError, unreachable, refusal }
