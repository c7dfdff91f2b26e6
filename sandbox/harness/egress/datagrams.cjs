'use strict'
// UDP: nothing is ever sent. The policy refuses the socket; a program sees a machine without a route.

const dgram = require('node:dgram')
const { connectError } = require('./errors.cjs')

function fail(socket, args, syscall) {
  const callback = typeof args.at(-1) === 'function' ? args.pop() : undefined
  const named = args.length > 1 && typeof args.at(-1) === 'string'
  const address = named ? args.pop() : '127.0.0.1'
  const error = connectError('ENETUNREACH', address, Number(args.at(-1)), syscall)
  process.nextTick(() => (callback ? callback(error) : socket.emit('error', error)))
}

function installDatagrams() {
  dgram.Socket.prototype.send = function send(...args) {
    fail(this, args, 'send')
  }
  dgram.Socket.prototype.connect = function connect(...args) {
    fail(this, args, 'connect')
  }
}

module.exports = { installDatagrams }
