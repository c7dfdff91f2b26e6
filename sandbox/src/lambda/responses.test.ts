import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { APIGatewayProxyResult, APIGatewayProxyResultV2 } from 'aws-lambda'

interface Encoded {
  httpStatus: number
  headers: [string, string][]
  body: Buffer
}
type RouteKind = { kind: 'http' | 'httpApi'; payload: '1.0' | '2.0' }
const require = createRequire(import.meta.url)
const { encodeResponse, encodeOutput } = require('../../harness/lambda/lambda-response.cjs') as {
  encodeResponse(result: unknown, route: RouteKind | null): Encoded
  encodeOutput(result: unknown): Buffer
}

const REST: RouteKind = { kind: 'http', payload: '1.0' }
const V2: RouteKind = { kind: 'httpApi', payload: '2.0' }
const malformed = { name: 'Runtime.MalformedResponse' }
const plain = ({ httpStatus, headers, body }: Encoded) => ({ httpStatus, headers, body: body.toString() })
const rest = (result: unknown) => plain(encodeResponse(result, REST))
const v2 = (result: unknown) => plain(encodeResponse(result, V2))
const json: [string, string] = ['content-type', 'application/json']
const text: [string, string] = ['content-type', 'text/plain;charset=UTF-8']

test('REST: status, headers of both maps, default type', () => {
  const result = {
    statusCode: 201,
    headers: { 'X-One': 1, 'X-Bool': true, 'x-both': 'a' },
    multiValueHeaders: { 'Set-Cookie': ['a=1', 'b=2'], 'X-Both': ['a', 'b'] },
    body: 'x',
  } satisfies APIGatewayProxyResult
  const headers = [
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['x-both', 'a'],
    ['x-both', 'b'],
    ['x-one', '1'],
    ['x-bool', 'true'],
    json,
  ]
  assert.deepEqual(rest(result), { httpStatus: 201, headers, body: 'x' })
})

test('REST: what is malformed fails', () => {
  for (const result of [
    undefined,
    null,
    'text',
    5,
    [],
    {},
    { body: 'x' },
    { statusCode: 'abc' },
    { statusCode: 99 },
    { statusCode: 600 },
    { statusCode: 200.5 },
    { statusCode: 200, body: { a: 1 } },
  ]) {
    assert.throws(() => encodeResponse(result, REST), malformed, JSON.stringify(result))
    assert.throws(() => encodeResponse(result, { kind: 'httpApi', payload: '1.0' }), malformed)
  }
})

test('REST: lenient where API Gateway is', () => {
  assert.deepEqual(rest({ statusCode: '202' }), { httpStatus: 202, headers: [json], body: '' })
  assert.deepEqual(rest({ statusCode: 200, body: 42 }), { httpStatus: 200, headers: [json], body: '42' })
  assert.deepEqual(rest({ statusCode: 200, body: null, headers: null }), { httpStatus: 200, headers: [json], body: '' })
  assert.deepEqual(rest({ statusCode: 204 }), { httpStatus: 204, headers: [], body: '' })
})

test('payload 2.0: without statusCode the result is the body', () => {
  const cases: [unknown, string][] = [
    ['hello' satisfies APIGatewayProxyResultV2, 'hello'],
    [{ a: 1 }, '{"a":1}'],
    [[1, 2], '[1,2]'],
    [5, '5'],
    [true, 'true'],
    [null, 'null'],
    [undefined, 'null'],
  ]
  for (const [result, body] of cases) assert.deepEqual(v2(result), { httpStatus: 200, headers: [json], body })
})

test('payload 2.0: structured', () => {
  const result = {
    statusCode: 302,
    headers: { Location: '/x' },
    cookies: ['a=1; Secure', 'b=2'],
    body: 'x',
  } satisfies APIGatewayProxyResultV2
  const headers = [['location', '/x'], ['set-cookie', 'a=1; Secure'], ['set-cookie', 'b=2'], text]
  assert.deepEqual(v2(result), { httpStatus: 302, headers, body: 'x' })
  assert.deepEqual(plain(encodeResponse(result, null)), { httpStatus: 302, headers, body: 'x' })
  for (const bad of [
    { statusCode: 'x' },
    { statusCode: 200, body: {} },
    { statusCode: 200, headers: 'x' },
    { statusCode: 200, cookies: 'a' },
  ]) {
    assert.throws(() => v2(bad), malformed)
  }
})

test('base64', () => {
  const bytes = Buffer.from([0, 255, 1])
  for (const route of [REST, V2]) {
    const { body } = encodeResponse({ statusCode: 200, body: bytes.toString('base64'), isBase64Encoded: true }, route)
    assert.deepEqual(body, bytes)
  }
})

test('headers: hop-by-hop and the gateway’s own are withheld, a name the handler gave its type is kept', () => {
  const withheld = {
    Connection: 'close',
    'Transfer-Encoding': 'chunked',
    'content-length': '5',
    'PEERHOST-RECEIPT': 'x',
    'payment-response': 'x',
    'X-PAYMENT-RESPONSE': 'x',
    upgrade: 'x',
  }
  assert.deepEqual(
    v2({ statusCode: 200, headers: { ...withheld, 'Content-Type': 'text/html', 'x-null': null } }).headers,
    [['content-type', 'text/html']],
  )
})

test('headers: what could split an answer fails, text beyond latin1 goes as UTF-8', () => {
  for (const value of ['a\r\nset-cookie: x', 'a\nb', 'a\0', 'a\x7f'])
    assert.throws(() => v2({ statusCode: 200, headers: { x: value } }), malformed)
  for (const name of ['a b', 'a:b', '', 'a\r\n', 'ä'])
    assert.throws(() => v2({ statusCode: 200, headers: { [name]: 'x' } }), malformed)
  assert.throws(() => v2({ statusCode: 200, headers: { x: { a: 1 } } }), malformed)
  assert.throws(() => v2({ statusCode: 200, cookies: ['a\r\nb'] }), malformed)
  assert.deepEqual(v2({ statusCode: 204, headers: { x: '€', y: 'é' } }).headers, [
    ['x', Buffer.from('€').toString('latin1')],
    ['y', 'é'],
  ])
})

test('an object that says how it is written is taken at its word', () => {
  assert.deepEqual(v2({ toJSON: () => ({ statusCode: 201, body: 'x' }) }), {
    httpStatus: 201,
    headers: [text],
    body: 'x',
  })
})

test('raw events: JSON, undefined as null', () => {
  assert.equal(encodeOutput({ a: undefined, b: [1] }).toString(), '{"b":[1]}')
  assert.equal(encodeOutput(undefined).toString(), 'null')
})
