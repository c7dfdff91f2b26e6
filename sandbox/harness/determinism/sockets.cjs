'use strict'
// How long a socket has been idle, by the virtual clock: timeouts of sockets, of servers' connections and of requests. Node's
// own timer would fire on a slow machine only, and never for the hour that a timer of the handler's took no time.

const net = require('node:net')
const { replace } = require('./replace.cjs')
const { setTimeout, clearTimeout } = require('./timers.cjs')

const { apply } = Reflect

function install() {
  const prototype = net.Socket.prototype
  const { setTimeout: setRealTimeout } = prototype
  const timers = new WeakMap()

  replace(prototype, 'setTimeout', function (...args) {
    apply(setRealTimeout, this, args) // checks them, and adds the listener
    if (this.destroyed) return this
    const { timeout } = this
    apply(setRealTimeout, this, [0])
    this.timeout = timeout
    clearTimeout(timers.get(this))
    if (timeout > 0) {
      const expire = () => {
        if (!this.destroyed) this._onTimeout()
      }
      timers.set(this, setTimeout(expire, timeout).unref())
    }
    return this
  })

  /** Called where something has passed through a socket. */
  replace(prototype, '_unrefTimer', function () {
    for (let socket = this; socket; socket = socket._parent) {
      if (!socket.destroyed) timers.get(socket)?.refresh()
    }
  })
}

module.exports = { install }
