'use strict'
// What a handler threw, as AWS Lambda reports it. Everything here may be hostile: a getter that throws, a stack of any size.

const MAX_TEXT = 32_768
const MAX_TRACE_LINES = 100

/** An error of the runtime itself; its name is the errorType, such as `Runtime.HandlerNotFound`. */
class RuntimeError extends Error {
  /**
   * @param {string} name
   * @param {string} message
   */
  constructor(name, message) {
    super(message)
    this.name = name
    this.stack = `${name}: ${message}` // where the runtime threw it says nothing to a user
  }
}

/** The result is not one that this kind of event can answer with; API Gateway answers 502 (v1) or 500 (v2). */
class MalformedResponse extends RuntimeError {
  /** @param {string} message */
  constructor(message) {
    super('Runtime.MalformedResponse', message)
  }
}

/** @param {unknown} value */
const text = (value) => String(value).slice(0, MAX_TEXT)

/** @param {unknown} thrown */
const isErrorLike = (thrown) =>
  thrown instanceof Error || (typeof thrown === 'object' && thrown !== null && 'message' in thrown && 'stack' in thrown)

/**
 * @param {any} thrown
 * @returns {{ errorType: string, errorMessage: string, trace: string[] }}
 */
function describeError(thrown) {
  try {
    if (!isErrorLike(thrown)) return { errorType: typeof thrown, errorMessage: text(thrown), trace: [] }
    const trace = typeof thrown.stack === 'string' ? text(thrown.stack).split('\n').slice(0, MAX_TRACE_LINES) : []
    return { errorType: text(thrown.name || 'Error'), errorMessage: text(thrown.message), trace }
  } catch {
    return { errorType: 'Error', errorMessage: 'The error cannot be described', trace: [] }
  }
}

module.exports = { RuntimeError, MalformedResponse, describeError }
