'use strict'
// What a short form may answer with, and how it is sent: whole, or as a stream if its body takes its time.
const { MalformedResponse } = require('./errors.cjs')
const { ResponseFields, checkStatus } = require('./response-fields.cjs')
const { JSON_TYPE, TEXT_TYPE, structured } = require('./lambda-response.cjs')

const BYTES_TYPE = 'application/octet-stream'
const MAX_COLLECTED = 262_144
const PAUSED = Symbol('paused')
const toBuffer = Buffer.from
const { concat } = Buffer
const { stringify } = JSON
const immediate = setImmediate
const noBytes = Buffer.alloc(0)
const isObject = (value) => typeof value === 'object' && value !== null

/** A Response of the platform or of a library that brings its own. */
const isFetchResponse = (value) =>
  isObject(value) &&
  typeof value.arrayBuffer === 'function' &&
  typeof value.status === 'number' &&
  typeof value.headers?.forEach === 'function'

const isStream = (value) => isObject(value) && typeof value[Symbol.asyncIterator] === 'function'

function bytesOf(value) {
  if (typeof value === 'string') return toBuffer(value)
  if (ArrayBuffer.isView(value)) return toBuffer(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer) return toBuffer(value)
  throw new MalformedResponse('A streamed body must consist of bytes or strings')
}

/** @returns {Promise<{ body: Buffer | AsyncIterable<unknown>, type?: string }>} */
async function bodyOf(value) {
  if (value === undefined || value === null) return { body: noBytes }
  if (typeof value === 'string') return { body: toBuffer(value), type: TEXT_TYPE }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return { body: bytesOf(value), type: BYTES_TYPE }
  if (isStream(value)) return { body: value, type: BYTES_TYPE }
  if (value instanceof Blob) return { body: toBuffer(await value.arrayBuffer()), type: value.type || BYTES_TYPE }
  return { body: toBuffer(stringify(value) ?? 'null'), type: JSON_TYPE }
}

function ofFetchResponse(response) {
  const fields = new ResponseFields()
  response.headers.forEach((value, name) => void fields.add(name, value))
  return { httpStatus: checkStatus(response.status), headers: fields.list, body: response.body ?? noBytes }
}

async function ofObject(result) {
  const httpStatus = checkStatus(result.status ?? 200)
  const fields = new ResponseFields()
  if (result.headers instanceof Headers) result.headers.forEach((value, name) => void fields.add(name, value))
  else fields.addAll(result.headers)
  const { body, type } = await bodyOf(result.body)
  if (type !== undefined) fields.addDefaultType(type, httpStatus)
  return { httpStatus, headers: fields.list, body }
}

async function toAnswer(result) {
  if (typeof result === 'string') return ofObject({ body: result })
  if (isFetchResponse(result)) return ofFetchResponse(result)
  if (isObject(result) && result.statusCode !== undefined) return structured(result)
  if (isObject(result) && ('status' in result || 'headers' in result || 'body' in result)) return ofObject(result)
  throw new MalformedResponse('The function must answer with {status, headers, body}, a string or a Response')
}

const pause = () => new Promise((resolve) => immediate(resolve, PAUSED))

/**
 * Sends what does not wait for the end, and returns what completes the answer. A body whose parts are all there is sent
 * whole; as soon as one is not, what is there goes out.
 */
async function send({ httpStatus, headers, body }, respond) {
  if (!isStream(body)) return () => respond.whole({ httpStatus, headers, body })
  const parts = body[Symbol.asyncIterator]()
  const collected = []
  let size = 0
  let started = false
  const start = () => {
    started = true
    respond.head({ httpStatus, headers })
    if (size > 0) respond.chunk(concat(collected))
  }
  for (;;) {
    const next = parts.next()
    let step = started ? await next : await Promise.race([next, pause()])
    if (step === PAUSED) {
      start()
      step = await next
    }
    if (step.done) break
    const bytes = bytesOf(step.value)
    if (bytes.length === 0) continue
    if (started) respond.chunk(bytes)
    else {
      collected.push(toBuffer(bytes)) // a copy: the writer may use its buffer again
      size += bytes.length
      if (size > MAX_COLLECTED) start()
    }
  }
  return started ? () => respond.end() : () => respond.whole({ httpStatus, headers, body: concat(collected) })
}

/** For raw events: the answer as JSON, `{statusCode, headers, body, isBase64Encoded}`. */
function asOutput(respond) {
  const chunks = []
  let head
  const output = ({ httpStatus, headers }, body) => {
    const text = body.toString('utf8')
    const isBase64Encoded = !toBuffer(text).equals(body)
    const encoded = isBase64Encoded ? body.toString('base64') : text
    const result = { statusCode: httpStatus, headers: {}, body: encoded, isBase64Encoded }
    const cookies = []
    for (const [name, value] of headers) {
      if (name === 'set-cookie') cookies.push(value)
      else result.headers[name] = Object.hasOwn(result.headers, name) ? `${result.headers[name]}, ${value}` : value
    }
    if (cookies.length > 0) result.cookies = cookies
    respond.output(toBuffer(stringify(result)))
  }
  return {
    head: (first) => {
      head = first
    },
    chunk: (bytes) => chunks.push(toBuffer(bytes)),
    end: () => output(head, concat(chunks)),
    whole: (answer) => output(answer, answer.body),
  }
}

module.exports = { toAnswer, send, asOutput }
