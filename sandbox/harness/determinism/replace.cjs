'use strict'
// How the deterministic harness puts something in the place of a built-in: under the same name, with the same
// descriptor, so that neither a destructured import nor a look at the property tells the difference.

const { defineProperty, getOwnPropertyDescriptor } = Object

/**
 * Replaces an own property of `object` by `value`. Keeps enumerability; a function takes the name and length of the old.
 * Does nothing if this Node has no such property.
 */
function replace(object, name, value) {
  const old = getOwnPropertyDescriptor(object, name)
  if (old === undefined) return
  if (typeof value === 'function' && typeof old.value === 'function') {
    defineProperty(value, 'name', { value: old.value.name, configurable: true })
    defineProperty(value, 'length', { value: old.value.length, configurable: true })
  }
  defineProperty(object, name, { value, writable: true, enumerable: old.enumerable, configurable: true })
}

/** The same for an accessor: `get` is called with the object it is read from. */
function replaceGetter(object, name, get) {
  const old = getOwnPropertyDescriptor(object, name)
  if (old === undefined) return
  defineProperty(object, name, { get, set: old.set, enumerable: old.enumerable, configurable: true })
}

/** What cannot be made the same on every worker must not seem to work. */
class NotDeterministicError extends Error {
  constructor(what) {
    super(`${what} is not available in a deterministic function; set verification: none`)
    this.code = 'ERR_NOT_DETERMINISTIC'
  }
  get name() {
    return 'NotDeterministicError'
  }
}

/** Replaces a function, or a class, by one that throws. */
function refuse(object, name, what) {
  function refused() {
    throw new NotDeterministicError(what)
  }
  replace(object, name, refused)
}

module.exports = { replace, replaceGetter, refuse, NotDeterministicError }
