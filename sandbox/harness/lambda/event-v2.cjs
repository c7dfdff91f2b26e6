'use strict'
const {
  ascii,
  decode,
  domainPrefix,
  encodeBody,
  groupHeaders,
  logTime,
  parseQuery,
  put,
  toObject,
} = require('./request-parts.cjs')

/** `GET /users/{id}`, or `$default` for a catch-all and for a call of the function itself. */
const routeKeyOf = (route) => (route === null || route.catchAll ? '$default' : `${route.method} ${route.path}`)

function splitCookies(values) {
  if (values === undefined) return undefined
  return values
    .join(';')
    .split(';')
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie !== '')
}

function decodedParameters(route) {
  if (route === null || route.catchAll) return undefined
  const names = Object.keys(route.pathParameters ?? {})
  if (names.length === 0) return undefined
  const parameters = {}
  for (const name of names) put(parameters, name, decode(ascii(route.pathParameters[name])))
  return parameters
}

/** Event of an HTTP API, payload format 2.0. What is absent is left out. */
function createEventV2(config, { request, route, requestId, clockMs }) {
  const headers = groupHeaders(request)
  const cookies = splitCookies(headers.get('cookie'))
  headers.delete('cookie')
  const path = ascii(request.path)
  const routeKey = routeKeyOf(route)
  const event = {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString: ascii(request.query),
    headers: toObject(headers, {}, (values) => values.join(',')),
    requestContext: {
      accountId: config.owner,
      apiId: config.project,
      domainName: request.host,
      domainPrefix: domainPrefix(request.host),
      http: {
        method: request.method,
        path,
        protocol: 'HTTP/1.1',
        sourceIp: request.sourceAddress,
        userAgent: headers.get('user-agent')?.[0] ?? '',
      },
      requestId,
      routeKey,
      stage: '$default',
      time: logTime(clockMs),
      timeEpoch: clockMs,
    },
    isBase64Encoded: false,
  }
  if (cookies !== undefined && cookies.length > 0) event.cookies = cookies
  const query = toObject(parseQuery(request.query), undefined, (values) => values.join(','))
  if (query !== undefined) event.queryStringParameters = query
  const pathParameters = decodedParameters(route)
  if (pathParameters !== undefined) event.pathParameters = pathParameters
  const { body, isBase64Encoded } = encodeBody(request.body, headers.get('content-type')?.[0])
  if (body !== undefined) {
    event.body = body
    event.isBase64Encoded = isBase64Encoded
  }
  return event
}

module.exports = { createEventV2 }
