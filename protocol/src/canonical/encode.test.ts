import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  bodyRoot,
  canonicalHeaders,
  decodeInput,
  decodeResult,
  encodeInput,
  encodeResult,
  type FunctionInput,
  type FunctionResult,
  fromHex,
  type Hex,
  inputHash,
  keccak256,
  resultHash,
  toHex,
} from '../index.ts'

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'))

/** Bytes stand as hexadecimal text in the vectors. */
function withBytes<T>(value: unknown): T {
  return JSON.parse(JSON.stringify(value), (key, member) =>
    (key === 'body' || key === 'output') && typeof member === 'string' ? fromHex(member) : member,
  )
}
const bodyOfInput = (input: FunctionInput) => (input.kind === 'http' ? input.request.body : input.body)
const bodyOfResult = (result: FunctionResult) =>
  (result.kind === 'http' ? result.response?.body : result.output) ?? new Uint8Array()

test('inputs and their hashes are those of the committed vectors', () => {
  for (const vector of read('inputs')) {
    const input = withBytes<FunctionInput>(vector.input)
    assert.equal(toHex(encodeInput(input)), vector.encoded, vector.name)
    assert.equal(inputHash(input), vector.inputHash)
    assert.equal(keccak256(fromHex(vector.encoded)), vector.inputHash)
    assert.deepEqual(decodeInput(fromHex(vector.encoded), bodyOfInput(input)), input)
  }
})

test('results and their hashes are those of the committed vectors', () => {
  for (const vector of read('results')) {
    const result = withBytes<FunctionResult>(vector.result)
    assert.equal(toHex(encodeResult(result)), vector.encoded, vector.name)
    assert.equal(resultHash(result), vector.resultHash)
    assert.deepEqual(decodeResult(fromHex(vector.encoded), bodyOfResult(result)), result)
  }
})

test('body roots are those of the committed vectors', () => {
  for (const { size, root } of read('bodies').vectors) {
    assert.equal(bodyRoot(Uint8Array.from({ length: size }, (_, i) => (i * 31 + 7) & 255)), root)
  }
})

test('canonical bytes of another body, of no known kind or not in canonical form are refused', () => {
  const [{ encoded, input }] = read('inputs') as [{ encoded: Hex; input: unknown }]
  const body = bodyOfInput(withBytes<FunctionInput>(input))
  const bytes = fromHex(encoded)
  const refused = { code: 'PH_RECEIPT_INVALID' }
  assert.throws(() => decodeInput(bytes, Uint8Array.of(1)), refused)
  assert.throws(() => decodeInput(bytes.subarray(1), body), refused)
  assert.throws(() => decodeInput(Uint8Array.of(...bytes, 0), body), refused)
  assert.throws(() => decodeInput(Uint8Array.of(0x9f, ...bytes.subarray(1), 0xff), body), refused) // indefinite length
  assert.throws(() => decodeInput(Uint8Array.of(0xf6), body), refused)
  assert.throws(() => decodeResult(bytes, body), refused)
})

test('headers: lower case, sorted, repeated ones in order; those of transport, payment and protocol are left out', () => {
  const raw = [
    'Host',
    'h',
    'X-B',
    '2',
    'Accept',
    '*/*',
    'x-b',
    '1',
    'Connection',
    'close, X-Hop',
    'X-Hop',
    'gone',
    'Transfer-Encoding',
    'chunked',
    'PAYMENT-SIGNATURE',
    'p',
    'X-PAYMENT',
    'p',
    'X-Payment-Response',
    'p',
    'Peerhost-Payer',
    '0x',
    'Authorization',
    'Bearer t',
    'X-Forwarded-For',
    '1.2.3.4',
  ]
  assert.deepEqual(canonicalHeaders(raw), [
    ['accept', '*/*'],
    ['authorization', 'Bearer t'],
    ['x-b', '2'],
    ['x-b', '1'],
    ['x-forwarded-for', '1.2.3.4'],
  ])
})

test('headers of a public service: credentials are left out unless they are named', () => {
  const raw = [
    'Cookie',
    'c',
    'Authorization',
    'a',
    'Forwarded',
    'f',
    'X-Real-IP',
    'r',
    'X-Forwarded-Proto',
    'https',
    'Accept',
    '*/*',
  ]
  assert.deepEqual(canonicalHeaders(raw, { isPublic: true }), [['accept', '*/*']])
  assert.deepEqual(canonicalHeaders(raw, { isPublic: true, publicHeaders: ['authorization'] }), [
    ['accept', '*/*'],
    ['authorization', 'a'],
  ])
})
