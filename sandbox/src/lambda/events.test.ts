import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { APIGatewayProxyEvent, APIGatewayProxyEventV2 } from 'aws-lambda'
import { CLOCK_MS, config, OWNER, REQUEST_ID, request, routeV1, routeV2, type TestRoute } from './testing/run.ts'

interface EventInput {
  request: typeof request & { body: Uint8Array }
  route: TestRoute | null
  requestId: string
  clockMs: number
}
const require = createRequire(import.meta.url)
const { createEventV1 } = require('../../harness/lambda/event-v1.cjs') as {
  createEventV1(c: typeof config, i: EventInput): APIGatewayProxyEvent
}
const { createEventV2 } = require('../../harness/lambda/event-v2.cjs') as {
  createEventV2(c: typeof config, i: EventInput): APIGatewayProxyEventV2
}

const input = (
  part: Partial<typeof request> = {},
  body: string | Uint8Array = '',
  route: TestRoute | null = routeV2,
): EventInput => ({
  request: { ...request, ...part, body: Buffer.from(body) },
  route,
  requestId: REQUEST_ID,
  clockMs: CLOCK_MS,
})
const v2 = (part?: Partial<typeof request>, body?: string | Uint8Array, route: TestRoute | null = routeV2) =>
  createEventV2(config, input(part, body, route))
const v1 = (part?: Partial<typeof request>, body?: string | Uint8Array, route = routeV1) =>
  createEventV1(config, input(part, body, route))

const full: Partial<typeof request> = {
  query: 'a=1&a=2&b=%C3%A9+x&c',
  headers: [
    ['content-type', 'application/json'],
    ['cookie', 'a=b; c=d'],
    ['user-agent', 'curl/8'],
    ['x-twice', '1'],
    ['x-twice', '2'],
  ],
}

test('payload 2.0', () => {
  const expected = {
    version: '2.0',
    routeKey: 'POST /users/{id}',
    rawPath: '/users/a%20b',
    rawQueryString: 'a=1&a=2&b=%C3%A9+x&c',
    cookies: ['a=b', 'c=d'],
    headers: { 'content-type': 'application/json', host: 'shop.example', 'user-agent': 'curl/8', 'x-twice': '1,2' },
    queryStringParameters: { a: '1,2', b: 'é x', c: '' },
    requestContext: {
      accountId: OWNER,
      apiId: 'shop',
      domainName: 'shop.example',
      domainPrefix: 'shop',
      http: { method: 'POST', path: '/users/a%20b', protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'curl/8' },
      requestId: REQUEST_ID,
      routeKey: 'POST /users/{id}',
      stage: '$default',
      time: '01/Jan/2025:00:00:00 +0000',
      timeEpoch: CLOCK_MS,
    },
    body: '{"a":1}',
    pathParameters: { id: 'a b' },
    isBase64Encoded: false,
  } satisfies APIGatewayProxyEventV2
  assert.deepEqual(v2(full, '{"a":1}'), expected)
})

test('payload 2.0 leaves out what is absent', () => {
  const event = v2({}, '', { ...routeV2, path: '/plain', pathParameters: {} })
  for (const key of ['cookies', 'queryStringParameters', 'pathParameters', 'body', 'stageVariables'])
    assert.equal(key in event, false, key)
  assert.deepEqual(event.headers, { host: 'shop.example' })
})

test('a catch-all and a direct call have the route key $default', () => {
  assert.equal(
    v2({}, '', { ...routeV2, method: 'ANY', path: '/{default+}', catchAll: true, pathParameters: {} }).routeKey,
    '$default',
  )
  const direct = v2({}, '', null)
  assert.equal(direct.routeKey, '$default')
  assert.equal(direct.requestContext.routeKey, '$default')
  assert.equal('pathParameters' in direct, false)
})

test('payload 1.0 of a REST API', () => {
  const expected = {
    resource: '/users/{id}',
    path: '/users/a%20b',
    httpMethod: 'POST',
    headers: {
      'content-type': 'application/json',
      cookie: 'a=b; c=d',
      host: 'shop.example',
      'user-agent': 'curl/8',
      'x-twice': '2',
    },
    multiValueHeaders: {
      'content-type': ['application/json'],
      cookie: ['a=b; c=d'],
      host: ['shop.example'],
      'user-agent': ['curl/8'],
      'x-twice': ['1', '2'],
    },
    queryStringParameters: { a: '2', b: 'é x', c: '' },
    multiValueQueryStringParameters: { a: ['1', '2'], b: ['é x'], c: [''] },
    pathParameters: { id: 'a%20b' },
    stageVariables: null,
    requestContext: {
      accountId: OWNER,
      apiId: 'shop',
      authorizer: undefined,
      domainName: 'shop.example',
      domainPrefix: 'shop',
      extendedRequestId: REQUEST_ID,
      httpMethod: 'POST',
      identity: {
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
        sourceIp: '192.0.2.1',
        user: null,
        userAgent: 'curl/8',
        userArn: null,
      },
      path: '/users/a%20b',
      protocol: 'HTTP/1.1',
      requestId: REQUEST_ID,
      requestTime: '01/Jan/2025:00:00:00 +0000',
      requestTimeEpoch: CLOCK_MS,
      resourceId: 'POST /users/{id}',
      resourcePath: '/users/{id}',
      stage: 'dev',
    },
    body: '{"a":1}',
    isBase64Encoded: false,
  } satisfies APIGatewayProxyEvent
  // A key that is undefined is absent, as the type has it for a route without authorizer.
  assert.deepEqual(JSON.parse(JSON.stringify(v1(full, '{"a":1}'))), JSON.parse(JSON.stringify(expected)))
})

test('the stage of a REST API is that of the deploy', () => {
  const { stage } = createEventV1({ ...config, stage: 'prod' } as typeof config, input({}, '', routeV1)).requestContext
  assert.equal(stage, 'prod')
})

test('payload 1.0 has null for what is absent', () => {
  const event = v1({}, '', { ...routeV1, path: '/plain', pathParameters: {} })
  assert.equal(event.body, null)
  assert.equal(event.pathParameters, null)
  assert.equal(event.queryStringParameters, null)
  assert.equal(event.multiValueQueryStringParameters, null)
  assert.equal(event.stageVariables, null)
  assert.equal(event.requestContext.identity.userAgent, null)
})

test('payload 1.0: headers can be read in the spelling of a REST API', () => {
  const { headers, multiValueHeaders } = v1({
    headers: [
      ['authorization', 'x'],
      ['x-hub-signature-256', 'y'],
    ],
  })
  assert.equal(headers.Authorization, 'x')
  assert.equal(headers.authorization, 'x')
  assert.equal(headers['X-Hub-Signature-256'], 'y')
  assert.deepEqual(multiValueHeaders.Host, ['shop.example'])
  assert.deepEqual(Object.keys(headers), ['authorization', 'x-hub-signature-256', 'host'])
})

test('payload 1.0 on an HTTP API says its version and has no stage', () => {
  const event = v1({}, '', { ...routeV1, kind: 'httpApi' })
  assert.equal((event as unknown as { version: string }).version, '1.0')
  assert.equal(event.requestContext.stage, '$default')
  assert.equal('version' in v1(), false)
})

test('a greedy parameter keeps its slashes; 2.0 decodes it, 1.0 does not', () => {
  const route = { path: '/{proxy+}', pathParameters: { proxy: 'a/b%20c' } }
  assert.deepEqual(v2({}, '', { ...routeV2, ...route }).pathParameters, { proxy: 'a/b c' })
  assert.deepEqual(v1({}, '', { ...routeV1, ...route }).pathParameters, { proxy: 'a/b%20c' })
})

test('bodies of an HTTP API: text by type, base64 otherwise', () => {
  const sent = (type: string | undefined, body: string | Uint8Array) =>
    v2({ headers: type === undefined ? [] : [['content-type', type]] }, body)
  for (const type of [
    'application/json',
    'text/plain; charset=utf-8',
    'application/ld+json',
    'image/svg+xml',
    'application/x-www-form-urlencoded',
    undefined,
  ]) {
    const { body, isBase64Encoded } = sent(type, 'é=1')
    const expected =
      type === 'image/svg+xml'
        ? { body: Buffer.from('é=1').toString('base64'), isBase64Encoded: true }
        : { body: 'é=1', isBase64Encoded: false }
    assert.deepEqual({ body, isBase64Encoded }, expected, type)
  }
  for (const type of ['application/octet-stream', 'image/png', 'multipart/form-data; boundary=x']) {
    const { body, isBase64Encoded } = sent(type, 'abc')
    assert.deepEqual({ body, isBase64Encoded }, { body: 'YWJj', isBase64Encoded: true }, type)
  }
  const binary = Uint8Array.of(0xff, 0xfe, 0)
  assert.deepEqual(sent('text/plain', binary).body, Buffer.from(binary).toString('base64'), 'no byte is lost')
  assert.equal(sent('text/plain', binary).isBase64Encoded, true)
})

test('bodies of a REST API: base64 where binaryMediaTypes say so', () => {
  const sent = (type: string, binaryMediaTypes: string[]) =>
    v1({ headers: [['content-type', type]] }, 'abc', { ...routeV1, binaryMediaTypes }).isBase64Encoded
  assert.equal(sent('image/png', []), false)
  assert.equal(sent('image/png', ['image/png']), true)
  assert.equal(sent('image/png', ['image/*']), true)
  assert.equal(sent('text/plain', ['image/*']), false)
  assert.equal(sent('text/plain', ['*/*']), true)
})

test('hostile names and encodings', () => {
  const event = v2({
    query: '__proto__=x&constructor=y&%=z&bad=%zz&&=v',
    path: '/caf\u00c3\u00a9',
    headers: [['__proto__', 'h']],
  })
  const query = event.queryStringParameters!
  assert.equal(Object.getPrototypeOf(query), Object.prototype)
  assert.deepEqual(Object.entries(query), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['%', 'z'],
    ['bad', '%zz'],
    ['', 'v'],
  ])
  assert.equal(Object.hasOwn(event.headers, '__proto__'), true)
  assert.equal(event.rawPath, '/caf%C3%A9')
  assert.deepEqual(v2({ query: 'a=\u00c3\u00a9' }).queryStringParameters, { a: 'é' })
})
