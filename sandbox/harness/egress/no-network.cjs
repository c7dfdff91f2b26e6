'use strict'
// A function without egress: each connection fails as on a machine whose cable is out, at once and without a system call.

const net = require('node:net')
const { unreachable } = require('./errors.cjs')

const { apply } = Reflect
const { connect } = net.Socket.prototype
const NO_HOST = 'network.invalid'

function installNoNetwork() {
  net.Socket.prototype.connect = function (...args) {
    const [options, callback] = Array.isArray(args[0]) ? args[0] : net._normalizeArgs(args)
    if (options.path || options.port === undefined) return apply(connect, this, args)
    const host = options.host || 'localhost'
    // A name whose resolution fails is how Node itself makes a connection fail before it starts.
    const lookup = (_name, _options, done) => process.nextTick(done, unreachable(host, Number(options.port)))
    const failing = { ...options, host: NO_HOST, lookup }
    apply(connect, this, callback ? [failing, callback] : [failing])
    this._host = host
    return this
  }
}

module.exports = { installNoNetwork }
