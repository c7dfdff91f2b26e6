'use strict'
// A function with egress: its TCP connections go through the worker's broker, which decides, resolves and connects.
//
// For each connection the client asks on a connection of its own (`{"host", "port"}`, a line) and gets a token or an error
// code. With the token it opens the connection that becomes the program's: the token is the first line on it, all that
// follows is the program's. The program's socket is an ordinary one over a pipe handle, so TLS, HTTP and fetch work on it
// at full speed; only the handle's `connect` takes two steps.

const net = require('node:net')
const tls = require('node:tls')
const { refusal, connectError } = require('./errors.cjs')
const { nameOf, placeholderOf } = require('./names.cjs')
const { Pipe, WriteWrap } = require('./pipe-parts.cjs')

const { apply } = Reflect
const { connect: socketConnect } = net.Socket.prototype
const { connect: pipeConnect } = Pipe.prototype
const { connect: tlsConnect } = tls

const TARGET = Symbol('egress target')
const LONGEST_ANSWER = 1024

/** Asks the broker. `done(code)` or `done(null, token)`, once. The returned socket ends the request when destroyed. */
function ask(socketPath, { host, port }, done) {
  const control = new net.Socket()
  let answer = ''
  const finish = (code, token) => {
    if (done === undefined) return
    const once = done
    done = undefined
    once(code, token)
  }
  control.setEncoding('latin1')
  control.on('error', () => finish('ECONNREFUSED'))
  control.on('close', () => finish('ECONNREFUSED'))
  control.on('data', (text) => {
    answer += text
    if (answer.length > LONGEST_ANSWER) return control.destroy()
    if (!answer.endsWith('\n')) return
    try {
      const { token, code } = JSON.parse(answer)
      control.unref() // the broker closes it when the token is used
      finish(token === undefined ? code : null, token)
    } catch {
      control.destroy()
    }
  })
  apply(socketConnect, control, [{ path: socketPath }])
  control.write(`${JSON.stringify({ host, port })}\n`)
  return control
}

/** What `connect` on the pipe handle of a program's socket does: asks, connects, sends the token, reports. */
function connectThroughBroker(handle, request, socketPath, target) {
  const { socket, host, port, address } = target
  const { close } = handle
  const fail = (code) => socket.destroy(refusal(code, host, port))
  const control = ask(socketPath, target, (code, token) => {
    handle.close = close
    if (socket.destroyed) return
    if (code !== null) return fail(code)
    const opening = new request.constructor()
    opening.oncomplete = (status, _handle, _request, readable, writable) => {
      if (socket.destroyed) return
      if (status !== 0) return fail('ECONNREFUSED')
      const write = new WriteWrap()
      write.oncomplete = () => {}
      write.held = Buffer.from(`${token}\n`)
      if (handle.writeBuffer(write, write.held) !== 0) return fail('ECONNRESET')
      handle.getpeername = (out) => {
        Object.assign(out, { address, port, family: 'IPv4' })
        return 0
      }
      request.oncomplete(status, handle, request, readable, writable)
    }
    if (apply(pipeConnect, handle, [opening, socketPath]) !== undefined) return
  })
  handle.close = (callback) => {
    handle.close = close
    control.destroy()
    return apply(close, handle, [callback])
  }
  return 0
}

const isPort = (port) => Number.isInteger(Number(port)) && Number(port) >= 0 && Number(port) <= 65535 && port !== ''

/** tls.connect wraps its handle before it connects, so the kind of handle has to be said here. */
function installTls(socketPath) {
  tls.connect = function connect(...args) {
    const [options, callback] = net._normalizeArgs(args)
    const more = typeof args[1] === 'object' && args[1] !== null ? args[1] : args[2]
    if (typeof more === 'object' && more !== null) Object.assign(options, more)
    if (options.socket || options.path || !isPort(options.port)) return apply(tlsConnect, tls, args)
    const routed = {
      ...options,
      path: socketPath,
      [TARGET]: { host: options.host || 'localhost', port: Number(options.port) },
    }
    return callback ? tlsConnect(routed, callback) : tlsConnect(routed)
  }
}

function installBrokerClient(socketPath) {
  let pending = null // set while Socket.prototype.connect runs down to the handle

  Pipe.prototype.connect = function (request, address) {
    if (pending === null) return apply(pipeConnect, this, [request, address])
    const target = pending
    pending = null
    return connectThroughBroker(this, request, socketPath, target)
  }

  net.Socket.prototype.connect = function (...args) {
    const [options, callback] = Array.isArray(args[0]) ? args[0] : net._normalizeArgs(args)
    const asked = options[TARGET] ?? options
    if ((options.path && asked === options) || !isPort(asked.port)) return apply(socketConnect, this, args)
    const given = asked.host || 'localhost'
    const host = nameOf(given)
    const port = Number(asked.port)
    const transport = this._handle?._parent ?? this._handle
    if (transport && !(transport instanceof Pipe)) {
      process.nextTick(() => this.destroy(connectError('ENETUNREACH', host, port)))
      return this
    }
    pending = { socket: this, host, port, address: net.isIP(given) ? given : placeholderOf(given) }
    this._host = given
    try {
      apply(
        socketConnect,
        this,
        callback ? [{ ...options, path: socketPath }, callback] : [{ ...options, path: socketPath }],
      )
    } finally {
      pending = null
    }
    return this
  }

  installTls(socketPath)
}

module.exports = { installBrokerClient }
