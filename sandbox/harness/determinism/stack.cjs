'use strict'
// An error's stack ends with the frames of whoever called the bundle: the harness, by another way at each fork point.
// Deterministic functions see the frames up to their own outermost one.

const path = require('node:path')
const { replace } = require('./replace.cjs')

const HARNESS = path.dirname(__dirname) + path.sep
const { apply } = Reflect
const { toString: describe } = Error.prototype

function headline(error) {
  try {
    return apply(describe, error, [])
  } catch {
    return 'Error'
  }
}

/** `bundle` is the file name under which the function's code runs. */
function install({ bundle }) {
  const ours = (frame) => {
    const file = frame.getFileName()
    return typeof file === 'string' && file.startsWith(HARNESS)
  }
  const prepare = (error, frames) => {
    let last = -1
    for (let i = 0; i < frames.length; i++) if (frames[i].getFileName() === bundle) last = i
    let text = headline(error)
    for (let i = 0; i < frames.length; i++) {
      if (i <= last ? !ours(frames[i]) : last === -1 && !ours(frames[i])) text += `\n    at ${frames[i]}`
    }
    return text
  }
  Object.defineProperty(Error, 'prepareStackTrace', {
    value: prepare,
    writable: true,
    enumerable: false,
    configurable: true,
  })
  replace(Error, 'stackTraceLimit', 10)
}

module.exports = { install }
