'use strict'
const {
  ascii,
  domainPrefix,
  encodeBody,
  groupHeaders,
  logTime,
  parseQuery,
  put,
  toObject,
} = require('./request-parts.cjs')

const last = (values) => values[values.length - 1]

/** `content-type` as `Content-Type`. */
const titleCase = (name) => name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())

/**
 * REST APIs keep the client's spelling of a header's name, so handlers read `event.headers.Authorization` as well as
 * `event.headers.authorization`. A request is hashed with lower-case names; the other spelling is there to be read, but
 * not listed.
 */
function withTitleCase(headers) {
  for (const name of Object.keys(headers)) {
    const alias = titleCase(name)
    if (alias !== name)
      Object.defineProperty(headers, alias, { value: headers[name], configurable: true, writable: true })
  }
  return headers
}

function rawParameters(route) {
  const names = route.catchAll ? [] : Object.keys(route.pathParameters ?? {})
  if (names.length === 0) return null
  const parameters = {}
  for (const name of names) put(parameters, name, ascii(route.pathParameters[name]))
  return parameters
}

function identity(sourceIp, userAgent) {
  return {
    accessKey: null,
    accountId: null,
    apiKey: null,
    apiKeyId: null,
    caller: null,
    clientCert: null,
    cognitoAuthenticationProvider: null,
    cognitoAuthenticationType: null,
    cognitoIdentityId: null,
    cognitoIdentityPoolId: null,
    principalOrgId: null,
    sourceIp,
    user: null,
    userAgent,
    userArn: null,
  }
}

/** Event of a REST API, or of an HTTP API with payload format 1.0. What is absent is null. */
function createEventV1(config, { request, route, requestId, clockMs }) {
  const headers = groupHeaders(request)
  const query = parseQuery(request.query)
  const path = ascii(request.path)
  const isRest = route.kind === 'http'
  const binaryMediaTypes = isRest ? (route.binaryMediaTypes ?? []) : undefined
  const { body, isBase64Encoded } = encodeBody(request.body, headers.get('content-type')?.[0], binaryMediaTypes)
  const resource = route.catchAll ? '$default' : route.path
  const event = {
    resource,
    path,
    httpMethod: request.method,
    headers: withTitleCase(toObject(headers, {}, last)),
    multiValueHeaders: withTitleCase(toObject(headers, {}, (values) => values)),
    queryStringParameters: toObject(query, null, last),
    multiValueQueryStringParameters: toObject(query, null, (values) => values),
    pathParameters: rawParameters(route),
    stageVariables: null,
    requestContext: {
      accountId: config.owner,
      apiId: config.project,
      domainName: request.host,
      domainPrefix: domainPrefix(request.host),
      extendedRequestId: requestId,
      httpMethod: request.method,
      identity: identity(request.sourceAddress, headers.get('user-agent')?.[0] ?? null),
      path,
      protocol: 'HTTP/1.1',
      requestId,
      requestTime: logTime(clockMs),
      requestTimeEpoch: clockMs,
      resourceId: route.catchAll ? '$default' : `${route.method} ${route.path}`,
      resourcePath: resource,
      stage: isRest ? (config.stage ?? 'dev') : '$default',
    },
    body: body ?? null,
    isBase64Encoded,
  }
  return isRest ? event : { version: '1.0', ...event }
}

module.exports = { createEventV1 }
