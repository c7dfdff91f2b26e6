'use strict'
// The text of an error's stack, made the same everywhere. Two things in it are not the function's own:
//  - the outermost frames are the harness's, by another way at each fork point: a stack ends with the bundle's outermost
//    frame;
//  - V8 guesses names for functions without one (`exports.handler = () => ...`), but other ones for those compiled ahead
//    into a code cache, which a worker may or may not have yet: frames of the bundle show where they are and no name.
// A bundle that formats stacks itself (Error.prepareStackTrace) is given such frames, too.

const path = require('node:path')
const util = require('node:util')
const { replace } = require('./replace.cjs')

const HARNESS = path.dirname(__dirname) + path.sep
const { apply } = Reflect
const { toString: describe } = Error.prototype
const { replace: replaceText } = String.prototype

function headline(error) {
  try {
    return apply(describe, error, [])
  } catch {
    return 'Error'
  }
}

const isOurs = (file) => typeof file === 'string' && file.startsWith(HARNESS)

/** A frame of V8's without the names that it guessed, if it is the bundle's. */
class Frame {
  #real
  #guessed
  constructor(real, bundle) {
    this.#real = real
    this.#guessed = real.isEval() || real.getFileName() === bundle
  }
  getFunctionName() {
    return this.#guessed ? null : this.#real.getFunctionName()
  }
  getMethodName() {
    return this.#guessed ? null : this.#real.getMethodName()
  }
  getEvalOrigin() {
    const origin = this.#real.getEvalOrigin()
    return typeof origin === 'string'
      ? apply(replaceText, origin, [/eval at [^(]*\(/g, 'eval at <anonymous> ('])
      : origin
  }
  toString() {
    const file = this.#real.isEval() ? undefined : this.getFileName()
    const name = this.getFunctionName()
    const place = this.isNative() ? 'native' : `${file ?? '<anonymous>'}`
    const line = this.getLineNumber()
    const where = line === null ? place : `${place}:${line}:${this.getColumnNumber()}`
    return `${this.isAsync() ? 'async ' : ''}${name ? `${name} (${where})` : where}`
  }
  static passOn(name) {
    replaceOrAdd(Frame.prototype, name, function () {
      return this.#real[name]()
    })
  }
}

function replaceOrAdd(object, name, value) {
  Object.defineProperty(value, 'name', { value: name, configurable: true })
  Object.defineProperty(object, name, { value, writable: true, configurable: true })
}

/** Every other method of V8's frames. */
function completeFrame() {
  let sample
  Object.defineProperty(Error, 'prepareStackTrace', {
    value: (_error, frames) => {
      sample = Object.getPrototypeOf(frames[0])
      return ''
    },
    writable: true,
    configurable: true,
  })
  void new Error('sample').stack
  for (const name of Object.getOwnPropertyNames(sample)) {
    if (!Object.hasOwn(Frame.prototype, name)) Frame.passOn(name)
  }
}

/** `bundle` is the file name under which the function's code runs. */
function install({ bundle }) {
  completeFrame()

  const visible = (frames) => {
    let last = -1
    for (let i = 0; i < frames.length; i++) if (frames[i].getFileName() === bundle) last = i
    const end = last === -1 ? frames.length : last + 1
    const shown = []
    for (let i = 0; i < end; i++) {
      if (!isOurs(frames[i].getFileName())) shown[shown.length] = new Frame(frames[i], bundle)
    }
    return shown
  }

  function prepareStackTrace(error, frames) {
    const shown = frames[0] instanceof Frame ? frames : visible(frames)
    let text = headline(error)
    for (let i = 0; i < shown.length; i++) text += `\n    at ${shown[i]}`
    return text
  }

  // Node asks here with V8's frames for each stack. It cannot be deleted: what Node would do without it has those names.
  let current = prepareStackTrace
  Object.defineProperty(Error, 'prepareStackTrace', {
    get: () => current,
    set(own) {
      if (typeof own !== 'function' || own === prepareStackTrace) current = prepareStackTrace
      else if (own !== current) current = (error, frames) => apply(own, Error, [error, visible(frames)])
    },
    enumerable: false,
    configurable: false,
  })
  replace(Error, 'stackTraceLimit', 10)

  const { getCallSites } = util
  replace(util, 'getCallSites', (...args) =>
    getCallSites(...args)
      .filter(({ scriptName }) => !isOurs(scriptName))
      .map((site) => ({ ...site, scriptId: '0', ...(site.scriptName === bundle ? { functionName: '' } : {}) })),
  )
}

module.exports = { install }
