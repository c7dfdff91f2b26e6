'use strict'
// Node numbers asynchronous resources as they are made; how often the harness looked at its loop would show in the numbers.
// So a handler sees them numbered in the order in which it meets them. Node's real timers are the harness's or Node's own
// (timers.cjs makes those of the handler): neither hooks nor identifiers show them.

const asyncHooks = require('node:async_hooks')
const { setTimeout, setImmediate, clearTimeout, clearImmediate } = require('node:timers')
const { replace } = require('./replace.cjs')

const { apply } = Reflect
const { executionAsyncResource } = asyncHooks
/** 0 is no resource, 1 the program itself. */
const FIRST = 2

const numbers = new Map()
const hidden = new Set() // numbers of real timers, as far as a hook met them

function classOf(start, clear) {
  const timer = start(() => {}, 1)
  clear(timer)
  return timer.constructor
}
const RealTimeout = classOf(setTimeout, clearTimeout)
const RealImmediate = classOf(setImmediate, clearImmediate)
const isReal = (resource) => resource instanceof RealTimeout || resource instanceof RealImmediate
const inRealTimer = () => isReal(executionAsyncResource())

function numberOf(id) {
  if (!(id >= FIRST)) return id
  let number = numbers.get(id)
  if (number === undefined) {
    number = FIRST + numbers.size
    numbers.set(id, number)
  }
  return number
}

const CALLS = ['before', 'after', 'promiseResolve']

function createHook(real, callbacks) {
  const own = {}
  own.init = (id, type, trigger, resource) => {
    if (isReal(resource)) hidden.add(id)
    else callbacks.init?.(numberOf(id), type, hidden.has(trigger) ? 0 : numberOf(trigger), resource)
  }
  for (const name of CALLS) {
    if (typeof callbacks[name] !== 'function') continue
    own[name] = (id) => {
      if (!hidden.has(id) && !inRealTimer()) callbacks[name](numberOf(id))
    }
  }
  // No `destroy`: when it is called depends on the garbage collector.
  return real(own)
}

function install() {
  for (const name of ['executionAsyncId', 'triggerAsyncId']) {
    const real = asyncHooks[name]
    replace(asyncHooks, name, () => (inRealTimer() ? 0 : numberOf(real())))
  }
  const { prototype } = asyncHooks.AsyncResource
  for (const name of ['asyncId', 'triggerAsyncId']) {
    const real = prototype[name]
    replace(prototype, name, function () {
      return numberOf(apply(real, this, []))
    })
  }
  const { createHook: real } = asyncHooks
  replace(asyncHooks, 'createHook', (callbacks) => {
    real(callbacks) // checks them
    return createHook(real, callbacks)
  })
}

module.exports = { install }
