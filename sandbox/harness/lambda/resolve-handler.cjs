'use strict'
// Finds the function that `handler` of serverless.yml names among a bundle's exports, and which form it has.
const { RuntimeError } = require('./errors.cjs')

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming')
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function'

/**
 * @typedef {'lambda' | 'streaming' | 'request' | 'fetch'} Form
 * @typedef {{ form: Form, call: Function }} Handler
 */

/**
 * `src/orders.api.create` names `api.create` of the module src/orders: the module ends at the first dot of the last part.
 * @param {string} handler
 */
function exportPath(handler) {
  if (typeof handler !== 'string' || handler.includes('..')) {
    throw new RuntimeError('Runtime.MalformedHandlerName', `'${handler}' is not a valid handler name`)
  }
  const match = /^[^.]*\.(.+)$/.exec(handler.slice(handler.lastIndexOf('/') + 1))
  if (!match) throw new RuntimeError('Runtime.MalformedHandlerName', `'${handler}' names no export: write file.export`)
  return match[1].split('.')
}

function follow(root, path) {
  let value = root
  for (const name of path) {
    if (!isObject(value)) return undefined
    value = value[name]
  }
  return value
}

/** The default export: of an ES module, or a CommonJS module as a whole. */
const defaultExport = (exports) => (isObject(exports) && exports.default !== undefined ? exports.default : exports)

function find(exports, path) {
  if (path.length === 1 && path[0] === 'default') return defaultExport(exports)
  return follow(exports, path) ?? follow(defaultExport(exports), path)
}

/**
 * A default export with at most one parameter takes a request; every other function is a Lambda handler.
 * @param {Function} value
 * @param {string[]} path
 * @returns {Form}
 */
function formOf(value, path) {
  if (value[STREAMING] === 'response') return 'streaming'
  return path.length === 1 && path[0] === 'default' && value.length < 2 ? 'request' : 'lambda'
}

/**
 * @param {unknown} exports what the bundle exports, awaited
 * @param {string} handler
 * @returns {Handler}
 * @throws RuntimeError named Runtime.MalformedHandlerName or Runtime.HandlerNotFound
 */
function resolveHandler(exports, handler) {
  const path = exportPath(handler)
  const value = find(exports, path)
  if (typeof value === 'function') return { form: formOf(value, path), call: value }
  if (isObject(value) && typeof value.fetch === 'function') {
    return { form: 'fetch', call: (request, env, context) => value.fetch(request, env, context) }
  }
  const reason = value === undefined || value === null ? 'is undefined or not exported' : 'is not a function'
  throw new RuntimeError('Runtime.HandlerNotFound', `${handler} ${reason}`)
}

module.exports = { resolveHandler }
