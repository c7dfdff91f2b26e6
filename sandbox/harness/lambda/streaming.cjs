'use strict'
// Response streaming as in AWS Lambda: `awslambda.streamifyResponse` marks a handler, `HttpResponseStream.from` gives the
// answer its status and headers. On the stream these are a prelude: JSON, then eight NUL bytes, then the body.
const { Writable } = require('node:stream')
const { MalformedResponse, RuntimeError } = require('./errors.cjs')
const { ResponseFields, checkStatus } = require('./response-fields.cjs')

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming')
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark')
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response'
const BYTES_TYPE = 'application/octet-stream'
const PRELUDE_END = Buffer.alloc(8)
const MAX_PRELUDE = 65_536
const toBuffer = Buffer.from
const { concat } = Buffer
const { parse, stringify } = JSON

const preludes = new WeakMap() // of streams that `from` was called for and that nothing was written to yet

class HttpResponseStream extends Writable {
  /** Gives the stream's answer its status, headers and cookies; returns the same stream. */
  static from(stream, metadata) {
    stream.setContentType(PRELUDE_TYPE)
    preludes.set(stream, concat([toBuffer(stringify(metadata ?? {})), PRELUDE_END]))
    return stream
  }

  #sink

  /** @param {{ write(bytes: Buffer, contentType: string | undefined): void, end(contentType: string | undefined): void }} sink */
  constructor(sink) {
    super()
    this.#sink = sink
    this.contentType = undefined
  }

  setContentType(contentType) {
    this.contentType = contentType
  }

  #writePrelude() {
    const prelude = preludes.get(this)
    if (prelude === undefined) return
    preludes.delete(this)
    this.#sink.write(prelude, this.contentType)
  }

  _write(chunk, _encoding, done) {
    try {
      this.#writePrelude()
      this.#sink.write(chunk, this.contentType)
      done()
    } catch (error) {
      done(error)
    }
  }

  _final(done) {
    try {
      this.#writePrelude()
      this.#sink.end(this.contentType)
      done()
    } catch (error) {
      done(error)
    }
  }
}

function streamifyResponse(handler, options) {
  handler[STREAMING] = 'response'
  if (typeof options?.highWaterMark === 'number') handler[HIGH_WATER_MARK] = options.highWaterMark
  return handler
}

/** The global `awslambda`, which bundles use at load. */
function installStreaming() {
  globalThis.awslambda = { streamifyResponse, HttpResponseStream }
}

/** @returns {{ httpStatus: number, headers: [string, string][] }} */
function headOf({ statusCode = 200, headers, multiValueHeaders, cookies }) {
  const httpStatus = checkStatus(statusCode)
  const fields = new ResponseFields().addAll(multiValueHeaders).addMissing(headers)
  if (Array.isArray(cookies)) fields.add('set-cookie', cookies)
  return { httpStatus, headers: fields.addDefaultType(BYTES_TYPE, httpStatus).list }
}

function parsePrelude(bytes) {
  let metadata
  try {
    metadata = parse(bytes.toString('utf8'))
  } catch {
    throw new MalformedResponse('The stream does not begin with the JSON of its status and headers')
  }
  if (typeof metadata !== 'object' || metadata === null)
    throw new MalformedResponse('The stream’s status and headers must be an object')
  return headOf(metadata)
}

/** Turns the bytes of a stream into head, chunks and end. */
class HttpSink {
  #respond
  #pending = [] // until the prelude is complete
  #size = 0
  #started = false

  constructor(respond) {
    this.#respond = respond
  }

  write(bytes, contentType) {
    if (this.#started) return this.#chunk(bytes)
    if (contentType !== PRELUDE_TYPE) {
      this.#start({
        httpStatus: 200,
        headers: new ResponseFields().add('content-type', contentType ?? BYTES_TYPE).list,
      })
      return this.#chunk(bytes)
    }
    this.#pending.push(bytes)
    this.#size += bytes.length
    const all = concat(this.#pending)
    const end = all.indexOf(PRELUDE_END)
    if (end < 0 && this.#size > MAX_PRELUDE)
      throw new MalformedResponse('The stream’s status and headers are too large')
    if (end < 0) return
    this.#start(parsePrelude(all.subarray(0, end)))
    this.#pending = []
    this.#chunk(all.subarray(end + PRELUDE_END.length))
  }

  /** Nothing more comes; the answer ends when the handler has completed too. */
  end(contentType) {
    if (this.#started) return
    if (this.#size > 0) throw new MalformedResponse('The stream ended before its status and headers did')
    this.write(toBuffer(''), contentType === PRELUDE_TYPE ? undefined : contentType)
  }

  #start(head) {
    this.#started = true
    this.#respond.head(head)
  }

  #chunk(bytes) {
    if (bytes.length > 0) this.#respond.chunk(bytes)
  }

  complete() {
    this.#respond.end()
  }
}

/** A raw event's output is the stream's bytes as they are. */
class OutputSink {
  #respond
  #chunks = []

  constructor(respond) {
    this.#respond = respond
  }

  write(bytes) {
    this.#chunks.push(toBuffer(bytes)) // a copy: the writer may use its buffer again
  }

  end() {}

  complete() {
    this.#respond.output(concat(this.#chunks))
  }
}

/**
 * Runs a streaming handler. It is complete when its promise is fulfilled and its stream has ended.
 *
 * @param {(stream: HttpResponseStream) => unknown} call
 * @param {HttpSink | OutputSink} sink
 */
function runStreaming(call, sink, completion) {
  const stream = new HttpResponseStream(sink)
  stream.on('error', (error) => completion.settle(error))
  const returned = call(stream)
  if (typeof returned?.then !== 'function') {
    throw new RuntimeError('Runtime.InvalidStreamingOperation', 'A streaming handler must be async')
  }
  const both = Promise.all([returned, new Promise((resolve) => stream.on('finish', resolve))])
  completion.follow(both, 'The function ended before its promise settled and its response stream was ended')
}

module.exports = { installStreaming, streamifyResponse, HttpResponseStream, runStreaming, HttpSink, OutputSink }
