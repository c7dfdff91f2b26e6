'use strict'
// The text of an error's stack, made the same everywhere. Two things in it are not the function's own:
//  - the outermost frames are the harness's, by another way at each fork point: a stack ends with the bundle's outermost
//    frame;
//  - V8 guesses names for functions without one (`exports.handler = () => ...`), but not for those compiled ahead into a
//    code cache, which a worker may or may not have yet: frames of the bundle show where they are and no name.

const path = require('node:path')
const util = require('node:util')
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

const isOurs = (file) => typeof file === 'string' && file.startsWith(HARNESS)

function lineOf(frame, bundle) {
  const file = frame.isEval() ? undefined : frame.getFileName()
  const name = file === bundle || frame.isEval() ? null : frame.getFunctionName()
  const place = frame.isNative() ? 'native' : `${file ?? '<anonymous>'}`
  const line = frame.getLineNumber()
  const where = line === null ? place : `${place}:${line}:${frame.getColumnNumber()}`
  return `\n    at ${frame.isAsync() ? 'async ' : ''}${name ? `${name} (${where})` : where}`
}

/** `bundle` is the file name under which the function's code runs. */
function install({ bundle }) {
  const prepare = (error, frames) => {
    let last = -1
    for (let i = 0; i < frames.length; i++) if (frames[i].getFileName() === bundle) last = i
    const end = last === -1 ? frames.length : last + 1
    let text = headline(error)
    for (let i = 0; i < end; i++) if (!isOurs(frames[i].getFileName())) text += lineOf(frames[i], bundle)
    return text
  }
  Object.defineProperty(Error, 'prepareStackTrace', {
    value: prepare,
    writable: true,
    enumerable: false,
    configurable: true,
  })
  replace(Error, 'stackTraceLimit', 10)

  const { getCallSites } = util
  replace(util, 'getCallSites', (...args) =>
    getCallSites(...args)
      .filter(({ scriptName }) => !isOurs(scriptName))
      .map((site) => (site.scriptName === bundle ? { ...site, functionName: '' } : site)),
  )
}

module.exports = { install }
