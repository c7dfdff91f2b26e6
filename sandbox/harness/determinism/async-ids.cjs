'use strict'
// Node numbers asynchronous resources as they are made; how often the harness looked at its loop would show in the numbers.
// So a handler sees them numbered in the order in which it meets them, and hooks do not see the harness's own.

const asyncHooks = require('node:async_hooks')
const { replace } = require('./replace.cjs')

const { apply } = Reflect
/** 0 is no resource, 1 the program itself. */
const FIRST = 2

const { executionAsyncResource } = asyncHooks
const numbers = new Map()
const ours = new WeakSet()
const hidden = new Set() // numbers of ours, as far as a hook met them
let hiding = false

function numberOf(id) {
  if (!(id >= FIRST)) return id
  let number = numbers.get(id)
  if (number === undefined) {
    number = FIRST + numbers.size
    numbers.set(id, number)
  }
  return number
}

/** Runs `make`, which makes and returns a resource of the harness's own. */
function unseen(make) {
  hiding = true
  try {
    const made = make()
    ours.add(made)
    return made
  } finally {
    hiding = false
  }
}

const inOurs = () => ours.has(executionAsyncResource())

const CALLS = ['before', 'after', 'promiseResolve']

function createHook(real, callbacks) {
  const own = {}
  own.init = (id, type, trigger, resource) => {
    if (hiding) hidden.add(id)
    else callbacks.init?.(numberOf(id), type, hidden.has(trigger) ? 0 : numberOf(trigger), resource)
  }
  for (const name of CALLS) {
    if (typeof callbacks[name] !== 'function') continue
    own[name] = (id) => {
      if (!hidden.has(id) && !inOurs()) callbacks[name](numberOf(id))
    }
  }
  // No `destroy`: when it is called depends on the garbage collector.
  return real(own)
}

function install() {
  for (const name of ['executionAsyncId', 'triggerAsyncId']) {
    const real = asyncHooks[name]
    replace(asyncHooks, name, () => (inOurs() ? 0 : numberOf(real())))
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

module.exports = { install, unseen }
