import assert from 'node:assert/strict'
import { test } from 'node:test'
import { corsHeaders, errorAnswer, isAnswerStatus, preflightAnswer, type Route } from '../index.ts'

const rest: Route = {
  method: 'GET',
  path: '/rest',
  kind: 'http',
  payload: '1.0',
  cors: { origins: ['*'], headers: ['Content-Type', 'X-Api-Key'], methods: ['OPTIONS', 'GET'] },
}
const api: Route = {
  method: 'POST',
  path: '/api',
  kind: 'httpApi',
  payload: '2.0',
  cors: {
    origins: ['https://a.example', 'https://b.example'],
    headers: ['Content-Type'],
    methods: ['OPTIONS', 'POST'],
    allowCredentials: true,
    exposedHeaders: ['X-One', 'X-Two'],
    maxAge: 60,
  },
}
const plain: Route = { method: 'GET', path: '/plain', kind: 'httpApi', payload: '2.0' }
const any: Route = { ...rest, method: 'ANY', path: '/any' }
const own: Route = { ...rest, method: 'OPTIONS', path: '/own', cors: undefined }
const routes = [rest, api, plain, any, own, { ...rest, path: '/own' }]
const ask = (path: string, requestMethod?: string, origin: string | undefined = 'https://a.example') =>
  preflightAnswer(routes, { method: 'OPTIONS', path, origin, requestMethod })

test('http: 200 and the headers of its OPTIONS mock, with or without an origin', () => {
  const headers = [
    ['access-control-allow-origin', '*'],
    ['access-control-allow-methods', 'OPTIONS, GET'],
    ['access-control-allow-headers', 'Content-Type, X-Api-Key'],
  ]
  const expected = { httpStatus: 200, headers, body: new Uint8Array() }
  assert.deepEqual(ask('/rest', 'GET'), expected)
  assert.deepEqual(preflightAnswer(routes, { method: 'OPTIONS', path: '/rest' }), expected)
})

test('httpApi: 204, the origin named, credentials and age', () => {
  assert.deepEqual(ask('/api', 'post'), {
    httpStatus: 204,
    headers: [
      ['access-control-allow-origin', 'https://a.example'],
      ['vary', 'origin'],
      ['access-control-allow-credentials', 'true'],
      ['access-control-allow-methods', 'OPTIONS, POST'],
      ['access-control-allow-headers', 'Content-Type'],
      ['access-control-max-age', '60'],
    ],
    body: new Uint8Array(),
  })
  assert.deepEqual(ask('/api', 'POST', 'https://evil.example'), {
    httpStatus: 204,
    headers: [],
    body: new Uint8Array(),
  })
})

test('no preflight of the gateway', () => {
  assert.equal(ask('/plain', 'GET'), undefined, 'no cors')
  assert.equal(ask('/api', 'GET'), undefined, 'no such route')
  assert.equal(ask('/nowhere', 'GET'), undefined)
  assert.equal(ask('/own', 'GET'), undefined, 'the function serves OPTIONS itself')
  assert.equal(
    preflightAnswer(routes, { method: 'OPTIONS', path: '/api', requestMethod: 'POST' }),
    undefined,
    'no origin',
  )
  assert.equal(preflightAnswer(routes, { method: 'GET', path: '/rest', origin: 'https://a.example' }), undefined)
})

test('a route for any method leaves preflights to the gateway', () =>
  assert.equal(ask('/any', 'DELETE')?.httpStatus, 200))

test('headers that a gateway allows besides', () => {
  const answer = preflightAnswer(
    routes,
    { method: 'OPTIONS', path: '/rest', requestMethod: 'GET' },
    { alsoAllowed: ['PAYMENT-SIGNATURE'] },
  )
  assert.deepEqual(answer?.headers.at(-1), [
    'access-control-allow-headers',
    'Content-Type, X-Api-Key, PAYMENT-SIGNATURE',
  ])
})

test('answers: added for httpApi and allowed origins alone', () => {
  assert.deepEqual(corsHeaders(rest, 'https://a.example'), [])
  assert.deepEqual(corsHeaders(plain, 'https://a.example'), [])
  assert.deepEqual(corsHeaders(api, undefined), [])
  assert.deepEqual(corsHeaders(api, 'https://evil.example'), [])
  assert.deepEqual(corsHeaders(api, 'https://b.example'), [
    ['access-control-allow-origin', 'https://b.example'],
    ['vary', 'origin'],
    ['access-control-allow-credentials', 'true'],
    ['access-control-expose-headers', 'X-One, X-Two'],
  ])
  assert.deepEqual(corsHeaders({ kind: 'httpApi', cors: { origins: ['*'], headers: [] } }, 'https://x.example'), [
    ['access-control-allow-origin', '*'],
  ])
})

test('answers in place of a function’s own', () => {
  const told = (kind: 'http' | 'httpApi', status: 1 | 2 | 3 | 4) => {
    const { httpStatus, headers, body } = errorAnswer(kind, status)
    assert.deepEqual(headers, [['content-type', 'application/json']])
    return `${httpStatus} ${new TextDecoder().decode(body)}`
  }
  for (const status of [1, 2, 3] as const) {
    assert.equal(told('http', status), '502 {"message":"Internal server error"}')
    assert.equal(told('httpApi', status), '500 {"message":"Internal Server Error"}')
  }
  assert.equal(told('http', 4), '503 {"message":"Service Unavailable"}')
  assert.equal(told('httpApi', 4), '503 {"message":"Service Unavailable"}')
})

test('an answer has a final status, as a number', () => {
  for (const status of [200, 204, 304, 599]) assert.equal(isAnswerStatus(status), true, String(status))
  for (const status of [0, 100, 199, 600, 200.5, -200, Number.NaN, '200', undefined, null]) {
    assert.equal(isAnswerStatus(status), false, String(status))
  }
})
