'use strict'
// The argument of PeerHost's short form, and the Fetch API's Request for `{ fetch }`.
const { ascii, decode, groupHeaders, parseQuery, put, toObject } = require('./request-parts.cjs')

const toBuffer = Buffer.from
const last = (values) => values[values.length - 1]

/** A raw event reaches a short form as the JSON body of a POST. */
const requestOfEvent = (body) => ({
  method: 'POST',
  host: '',
  sourceAddress: '',
  path: '/',
  query: '',
  headers: [['content-type', 'application/json']],
  body,
})

const requestOf = (invocation) => (invocation.kind === 'event' ? requestOfEvent(invocation.body) : invocation.request)

function urlOf({ host, path, query }) {
  const target = path.startsWith('/') ? ascii(path) : '/'
  return `https://${host === '' ? 'localhost' : host}${target}${query === '' ? '' : `?${ascii(query)}`}`
}

function parametersOf(route) {
  const parameters = {}
  for (const name of Object.keys(route?.pathParameters ?? {}))
    put(parameters, name, decode(ascii(route.pathParameters[name])))
  return parameters
}

/** docs/handlers.md describes it for users. */
class ShortRequest {
  constructor(invocation) {
    const request = requestOf(invocation)
    this.method = request.method
    this.url = urlOf(request)
    this.path = ascii(request.path)
    this.query = toObject(parseQuery(request.query), {}, last)
    this.headers = toObject(groupHeaders(request), {}, (values) => values.join(', '))
    this.params = parametersOf(invocation.route)
    this.body = toBuffer(request.body.buffer, request.body.byteOffset, request.body.length)
    this.id = invocation.requestId
    this.ip = request.sourceAddress
  }

  /** @returns {Promise<string>} */
  async text() {
    return this.body.toString('utf8')
  }

  /** @returns {Promise<any>} rejects with a SyntaxError if the body is not JSON */
  async json() {
    return JSON.parse(this.body.toString('utf8'))
  }
}

/** @returns {Request} */
function fetchRequest(invocation) {
  const request = requestOf(invocation)
  const headers = new Headers()
  for (const [name, value] of request.headers) headers.append(name, value)
  if (request.host !== '') headers.set('host', request.host)
  const hasBody = request.body.length > 0 && request.method !== 'GET' && request.method !== 'HEAD'
  return new Request(urlOf(request), { method: request.method, headers, body: hasBody ? request.body : undefined })
}

module.exports = { ShortRequest, fetchRequest }
