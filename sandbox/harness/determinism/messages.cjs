'use strict'
// Messages between ports of this one thread. When a port's message arrives races with the thread pool's answers; so each is
// sent when its turn among the immediates comes, that is, when nothing else is under way.

const workerThreads = require('node:worker_threads')
const { replace } = require('./replace.cjs')
const { setImmediate, clearImmediate } = require('./timers.cjs')

const { apply } = Reflect
const { structuredClone } = globalThis

// Posts that wait for their turn, oldest first.
const waiting = []

function queue(port, send) {
  const post = { port, send, turn: undefined }
  waiting.push(post)
  post.turn = setImmediate(() => {
    waiting.splice(waiting.indexOf(post), 1)
    send()
  })
}

/** For what looks into a port's queue at once. */
function sendAll() {
  for (const { send, turn } of waiting.splice(0)) {
    clearImmediate(turn)
    send()
  }
}

const transferOf = (options) => (Array.isArray(options) ? options : (options?.transfer ?? []))
const isPlain = (transfer) => Array.isArray(transfer) && transfer.every((item) => item instanceof ArrayBuffer)

function delayPosts(prototype) {
  const { postMessage, close } = prototype
  replace(prototype, 'postMessage', function (...args) {
    const [message, options] = args
    const transfer = transferOf(options)
    if (args.length === 0 || !isPlain(transfer)) {
      sendAll()
      return apply(postMessage, this, args)
    }
    // Its own errors come at once, as Node's do.
    const copy = structuredClone(message, { transfer })
    queue(this, () => apply(postMessage, this, [copy]))
    return true
  })
  replace(prototype, 'close', function (...args) {
    if (waiting.some(({ port }) => port === this)) queue(this, () => apply(close, this, args))
    else apply(close, this, args)
  })
}

function install() {
  delayPosts(MessagePort.prototype) // a BroadcastChannel has one inside
  const { receiveMessageOnPort } = workerThreads
  replace(workerThreads, 'receiveMessageOnPort', (port) => {
    sendAll()
    return receiveMessageOnPort(port)
  })
}

module.exports = { install }
