'use strict'
// Logs. A child ends the moment it has answered, so every line is written before the call that logs it returns; and the
// standard streams that Node made in the zygote belong to the zygote's descriptors, so children have their own.
const { Console } = require('node:console')
const { writeSync } = require('node:fs')
const { Writable } = require('node:stream')

const LEVELS = {
  log: 'INFO',
  info: 'INFO',
  debug: 'DEBUG',
  warn: 'WARN',
  error: 'ERROR',
  trace: 'TRACE',
  assert: 'WARN',
}
const toBuffer = Buffer.from
const { stringify } = JSON

/** Writes all of it before it returns; logs that nobody reads any more are lost. */
function writeNow(fd, bytes) {
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(fd, bytes, offset)
    } catch (error) {
      if (error.code !== 'EAGAIN') return
    }
  }
}

/** @type {(fd: 1 | 2, bytes: Buffer) => void} */
let write = writeNow
let requestId = '-'

/** Standard output or standard error of the function: a stream that writes at once. */
class LogStream extends Writable {
  constructor(fd) {
    super()
    this.fd = fd
    this.isTTY = false
  }

  _write(chunk, _encoding, done) {
    write(this.fd, chunk)
    done()
  }

  /** Like Node's own, it cannot be closed. */
  destroy() {
    return this
  }
}

/** Lambda's text format: time, request id, level, message. */
const line = (level, message) => `${new Date().toISOString()}\t${requestId}\t${level}\t${message}`

function createConsole(writeText) {
  let level = 'INFO'
  const sink = (fd) => ({ write: (text) => writeText(fd, line(level, text)) })
  const own = new Console({ stdout: sink(1), stderr: sink(2), ignoreErrors: false, colorMode: false })
  const methods = {}
  for (const name of Object.keys(own)) {
    const method = own[name]
    if (typeof method !== 'function') continue
    methods[name] = (...values) => {
      level = LEVELS[name] ?? 'INFO'
      return method(...values)
    }
  }
  return methods
}

const writeText = (fd, text) => write(fd, toBuffer(text))

/**
 * Replaces the console's methods and the standard streams.
 *
 * @param {(fd: 1 | 2, bytes: Buffer) => void} [writeLog] writes all of it before it returns
 */
function installConsole(writeLog) {
  write = writeLog ?? writeNow
  const methods = createConsole(writeText)
  for (const name of Object.keys(methods)) console[name] = methods[name]
  for (const [name, fd] of [
    ['stdout', 1],
    ['stderr', 2],
  ]) {
    const value = new LogStream(fd)
    Object.defineProperty(process, name, { value, configurable: true, enumerable: true, writable: true })
    Object.defineProperty(console, `_${name}`, { value, configurable: true, writable: true })
  }
}

/** Lines belong to this request from now on. */
function setLogRequest(id) {
  requestId = id
}

/** Reports a failed invocation as Lambda does. */
function logFailure({ errorType, errorMessage, trace }) {
  writeText(2, `${line('ERROR', `Invoke Error\t${stringify({ errorType, errorMessage, stack: trace })}`)}\n`)
}

/** Formats lines of the usual kinds without writing them. */
function rehearseConsole(rounds) {
  const own = createConsole(() => {})
  for (let round = 0; round < rounds; round++) {
    own.log('text %s', 'a', 1, { a: [1] })
    own.error(new Error('rehearsal'))
    own.warn('text')
  }
}

module.exports = { rehearseConsole, installConsole, setLogRequest, logFailure }
